//! Who may speak to the admin API: whoever shows the token, under a name that is ours.
//!
//! The token comes first, and is asked for everything, so that a stranger cannot tell a path from none. The `Host` is
//! judged because of browsers: a page whose name is made to resolve to this machine speaks to us from inside, but under
//! its own name. There are no CORS headers, so no page of another origin can send the token or read an answer.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, HOST};

use super::problem::Problem;
use crate::control::private_file::{self, PrivateFileError};
use crate::control::registrar::Actor;

/// The admin token, as its digest: what is compared has one length, whatever is shown.
pub struct AdminToken([u8; 32]);

/// What everybody must get past.
pub(super) struct Guard {
    token: AdminToken,
    hosts: Vec<String>,
}

/// The token in this file, which is made if there is none.
///
/// # Errors
/// When the file cannot be used.
pub fn open_token(path: &Path) -> Result<AdminToken, PrivateFileError> {
    let token = match private_file::read(path)? {
        Some(token) => token,
        None => {
            let token = private_file::make(path)?;
            tracing::info!(event = "admin_token_made", path = %path.display(), "a token for the admin API was made");
            token
        }
    };
    Ok(AdminToken::of(token.expose()))
}

// === impl AdminToken ===

impl AdminToken {
    fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Whoever shows it, for the audit log: enough of the digest to tell one token from the next, of which nothing
    /// leads back to the token.
    pub fn actor(&self) -> Actor {
        let digits: String = self.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Actor(format!("admin:{digits}"))
    }

    fn is(&self, shown: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(shown).0).is_ok()
    }
}

// === impl Guard ===

impl Guard {
    /// With the names under which a listener at this address is called.
    pub(super) fn new(token: AdminToken, address: SocketAddr, configured: &[String]) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string()];
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.push(format!("{name}:{port}"));
        }
        hosts.extend(configured.iter().cloned());
        Self { token, hosts }
    }

    fn judge(&self, request: &Request) -> Result<(), Problem> {
        let mut shown = request.headers().get_all(AUTHORIZATION).iter();
        let token = match (shown.next(), shown.next()) {
            (Some(value), None) => value.to_str().ok().and_then(bearer),
            _ => None,
        };
        if !token.is_some_and(|token| self.token.is(token)) {
            return Err(Problem::unauthorized());
        }
        let mut named = request.headers().get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let ours = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        if host.is_some_and(ours) {
            Ok(())
        } else {
            Err(Problem::wrong_host())
        }
    }
}

pub(super) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.judge(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}
