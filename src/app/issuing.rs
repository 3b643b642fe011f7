//! The token service: put together, or left out as configured. Its address is bound before anything starts, as all are; it
//! begins to answer when keys and applications are in place.

use std::sync::Arc;

use super::StartError;
use super::administration::present_tls;
use super::bind::{Bound, bind};
use crate::control::Publish;
use crate::control::registrar::Registrar;
use crate::control::token_service::{TokenApi, serve};
use crate::proxy::Cell;
use crate::revocation::Revocations;
use crate::snapshot::{ProcessSettings, ServerTls};
use crate::subscription::Index;
use crate::telemetry::Telemetry;

/// A socket, and what is shown on it.
pub(super) struct Prepared {
    bound: Bound,
    tls: Option<ServerTls>,
}

// === impl Prepared ===

impl Prepared {
    /// Binds what the configuration names; nothing, if the gateway is no issuer.
    pub(super) fn new(process: &ProcessSettings) -> Result<Option<Self>, StartError> {
        let Some(listener) = &process.token_service else {
            return Ok(None);
        };
        Ok(Some(Self {
            bound: bind(listener.address)?,
            tls: listener.tls.clone(),
        }))
    }

    /// Listens.
    pub(super) fn serve(
        self,
        cell: &Arc<Cell>,
        index: &Arc<Index>,
        registrar: Option<Arc<Registrar>>,
        revocations: &Arc<Revocations>,
        telemetry: &Arc<Telemetry>,
    ) -> Result<(), StartError> {
        let Self { bound, tls } = self;
        tracing::info!(event = "listening", name = "token_service", address = %bound.address, "clients ask for tokens here");
        let tls = tls.map(|tls| {
            present_tls(tls, Arc::clone(cell), |process| {
                process.token_service.as_ref()?.tls.as_ref()
            })
        });
        let api = TokenApi {
            cell: Arc::clone(cell) as Arc<dyn Publish>,
            index: Arc::clone(index),
            registrar,
            revocations: Arc::clone(revocations),
            telemetry: Arc::clone(telemetry),
        };
        Ok(serve(api, bound.listen()?, tls)?)
    }
}
