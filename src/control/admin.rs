//! The admin API: an operator's door to what changes at run time, on a listener and a thread of its own.
//!
//! It decides nothing. Whoever calls shows the token, or learns nothing, not even which paths there are; each operation
//! is one line of a list (`operations`), from which both the router and the OpenAPI document are made, and a function
//! that asks the registrar. All of it blocks on the disk, so it runs on threads that may, never on one that serves callers.

mod call;
mod configuration;
mod explaining;
mod guard;
mod issuers;
mod keys;
mod openapi;
mod operations;
mod plans;
mod problem;
mod revocations;
mod sign_ins;
mod subscribers;
mod views;

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::on;
use tokio::sync::mpsc;

pub use explaining::{Explain, Question};
pub use guard::{AdminToken, Demands, open_token};
pub use openapi::document;

use call::Call;
use guard::{Guard, guard};
use operations::{Operation, operations};
use problem::Problem;
use sign_ins::{SignIn, SignIns};

use super::Publish;
pub use super::door::Tls;
use super::door::{self, Door};
use super::registrar::Registrar;
use crate::telemetry::Telemetry;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// The head of a request; the admin token and an idempotency key are short.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Threads that wait for the disk.
const BLOCKING_THREADS: usize = 4;

/// What the operations work with.
pub struct AdminApi {
    /// Where callers' rights are changed.
    pub registrar: Arc<Registrar>,
    /// What is in force.
    pub cell: Arc<dyn Publish>,
    /// Whoever sends here has the configuration read anew.
    pub reload: mpsc::Sender<&'static str>,
    /// Who explains decisions.
    pub explain: Box<dyn Explain>,
}

/// Parts of the path, unless they are no text.
type PathParams = Result<RawPathParams, RawPathParamsRejection>;

/// Serves on a thread of its own, for ever.
///
/// # Errors
/// When the thread cannot be started.
pub fn serve(
    api: AdminApi,
    demands: Demands,
    hosts: &[String],
    listener: TcpListener,
    tls: Tls,
    telemetry: &Telemetry,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let sign_ins = Arc::new(SignIns::new(telemetry));
    let guarded = Guard::new(demands, Arc::clone(&sign_ins), address, hosts);
    let router = router(Arc::new(api), guarded);
    let door = Door {
        name: "admin",
        connections_max: CONNECTIONS_MAX,
        head_bytes_max: HEAD_BYTES_MAX,
        tls,
        handshake_failed: Box::new(move |peer| sign_ins.note(SignIn::HandshakeFailed, peer)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            let served: std::io::Result<Infallible> = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Ok(door::serve(listener, router, door).await)
            });
            let Err(error) = served;
            tracing::error!(event = "admin_ended", %error, "the admin API has ended");
        })?;
    Ok(())
}

/// Every operation behind the guard.
fn router(api: Arc<AdminApi>, guarded: Guard) -> Router {
    let mut router = Router::new();
    for operation in operations() {
        router = router.route(operation.path, handler(operation));
    }
    router
        .fallback(|| async { Problem::not_found("there is nothing here").into_response() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed().into_response() })
        .layer(from_fn_with_state(Arc::new(guarded), guard))
        .with_state(api)
}

fn handler(operation: Operation) -> axum::routing::MethodRouter<Arc<AdminApi>> {
    let filter = operation.verb.filter();
    let operation = Arc::new(operation);
    let handle = move |State(api): State<Arc<AdminApi>>, parameters: PathParams, request: Request| {
        let operation = Arc::clone(&operation);
        async move {
            let answer = answer(&operation, api, &parameters, request).await;
            if operation.verb.changes() {
                let status = answer.status().as_u16();
                tracing::info!(
                    event = "admin_request",
                    operation = operation.id,
                    status,
                    "admin request"
                );
            }
            answer
        }
    };
    on(filter, handle)
}

async fn answer(
    operation: &Operation,
    api: Arc<AdminApi>,
    parameters: &PathParams,
    request: Request,
) -> Response {
    let Ok(parameters) = parameters else {
        return Problem::bad_request("the path is no text").into_response();
    };
    let call = match Call::read(api, parameters, request, operation).await {
        Ok(call) => call,
        Err(problem) => return problem.into_response(),
    };
    let run = operation.run;
    match tokio::task::spawn_blocking(move || run(&call)).await {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(problem)) => problem.into_response(),
        Err(error) => {
            tracing::error!(event = "admin_failed", %error, "an admin operation failed");
            Problem::failed().into_response()
        }
    }
}
