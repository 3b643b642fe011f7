//! The store, the registrar over it, and the admin API over that: put together, or left out as configured.
//! What is on disk is opened before anything is served, so that a store that cannot be used is an exit code, and not a
//! gateway that has forgotten its callers.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::StartError;
use super::bind::{Bound, bind};
use super::explaining::Explainer;
use crate::api::{Plan, Stages};
use crate::control::Publish;
use crate::control::admin::{AdminApi, AdminToken, Demands, open_token, serve};
use crate::control::counting::{Counting, Noting, restore};
use crate::control::registrar::{Actor, Registrar, revocation_key};
use crate::control::state::{
    Attempts, CountStore, Embedded, OpenState, StateError, Store, StoreHealth, Watched, open,
};
use crate::limit::{Counters, Forgeries, LocalCounters};
use crate::proxy::Cell;
use crate::revocation::{DigestKey, Revocations};
use crate::snapshot::{ProcessSettings, ServerTls};
use crate::subscription::Index;
use crate::telemetry::Telemetry;

/// What is on disk, and a socket.
pub(super) struct Prepared {
    state: Option<OpenState>,
    door: Option<Door>,
}

/// Where the admin API will listen, and to whom.
struct Door {
    bound: Bound,
    token: Option<AdminToken>,
    hosts: Vec<String>,
    tls: Option<ServerTls>,
}

/// What changes callers' rights at run time.
pub(super) struct Administration {
    registrar: Option<Arc<Registrar>>,
    counts: Option<Arc<dyn CountStore>>,
    health: Arc<StoreHealth>,
    door: Option<Door>,
    /// Who shows the token.
    actor: Option<Actor>,
}

// === impl Prepared ===

impl Prepared {
    /// Opens what the configuration names.
    pub(super) fn new(process: &ProcessSettings) -> Result<Self, StartError> {
        let door = match &process.admin {
            None => None,
            Some(admin) => Some(Door {
                bound: bind(admin.address)?,
                token: admin
                    .token_file
                    .as_deref()
                    .map(open_token)
                    .transpose()
                    .map_err(StateError::from)?,
                tls: admin.tls.clone(),
                hosts: admin.hosts.clone(),
            }),
        };
        let state = process.state.as_deref().map(open).transpose()?;
        if state.as_ref().is_some_and(|state| state.is_new) {
            tracing::info!(event = "store_made", "there was no store; a new one was made");
        }
        Ok(Self { state, door })
    }

    /// The key under which what revocations name is hashed: that of the store, if there is one.
    pub(super) fn digest_key(&self) -> Result<DigestKey, StartError> {
        let Some(state) = &self.state else {
            return Ok(DigestKey::random());
        };
        Ok(revocation_key(&state.api_key_secret()?))
    }

    /// Loads the store into the index.
    pub(super) fn begin(
        self,
        index: &Arc<Index>,
        cell: &Arc<Cell>,
        stages: &Arc<Stages>,
        revocations: &Arc<Revocations>,
    ) -> Result<Administration, StartError> {
        let Self { state, door } = self;
        let health = Arc::new(StoreHealth::default());
        let Some(state) = state else {
            return Ok(Administration {
                registrar: None,
                counts: None,
                health,
                door: None,
                actor: None,
            });
        };
        let secret = state.api_key_secret()?;
        let token = door.as_ref().and_then(|door| door.token.as_ref());
        let actor = token.map(|token| token.actor(&secret));
        index.set_key_secret(secret);
        let OpenState { store, .. } = state;
        let store = Arc::new(store);
        let counts = Arc::clone(&store) as Arc<dyn CountStore>;
        let store: Box<dyn Store> = Box::new(Watched::<Embedded>::new(store, Arc::clone(&health)));
        let cell = Arc::clone(cell) as Arc<dyn Publish>;
        let declared = cell.snapshot();
        let registrar = Registrar::begin(
            store,
            Arc::clone(index),
            cell,
            Arc::clone(stages),
            Arc::clone(revocations),
        )
        .map_err(StateError::from)?;
        registrar.adopt(&declared, || {}).map_err(StartError::Conflict)?;
        registrar.record_closed(&declared);
        let (applications, subscriptions) = index.counts();
        let revision = registrar.revision().map_err(StateError::from)?.0;
        tracing::info!(
            event = "state_loaded",
            revision,
            applications,
            subscriptions,
            revocations = revocations.len(),
            "the store is loaded; counts include what the configuration declares"
        );
        Ok(Administration {
            registrar: Some(Arc::new(registrar)),
            counts: Some(counts),
            health,
            door,
            actor,
        })
    }
}

// === impl Administration ===

impl Administration {
    pub(super) fn registrar(&self) -> Option<Arc<Registrar>> {
        self.registrar.clone()
    }

    /// Takes up what callers have used before, and keeps it from now on; nothing without a store.
    pub(super) fn count(
        &self,
        index: &Index,
        plans: &[Arc<Plan>],
        counters: &Arc<LocalCounters>,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Option<(Counting, Noting)>, StartError> {
        let Some(store) = &self.counts else {
            return Ok(None);
        };
        let counts = restore(&**store, index, counters, plans).map_err(StateError::from)?;
        tracing::info!(
            event = "counts_loaded",
            counts,
            "what was used of quotas before is loaded"
        );
        let begun = Counting::begin(Arc::clone(store), Arc::clone(counters), Arc::clone(telemetry))?;
        Ok(Some(begun))
    }

    /// What there is to say of the store: in metrics, and as lines below the word `ready`.
    pub(super) fn watch_store(&self, telemetry: &Telemetry) -> Box<dyn Fn() -> String + Send + Sync> {
        let health = Arc::clone(&self.health);
        telemetry.on_scrape(Box::new(move |telemetry| {
            let StoreHealth { reads, writes } = &*health;
            telemetry
                .store_failing
                .set((reads.last_failed() || writes.last_failed()).into());
            for (operation, attempts) in [("read", reads), ("write", writes)] {
                let failures = telemetry.store_failures.child(&[operation]);
                failures.raise_to(attempts.failures());
            }
        }));
        let health = Arc::clone(&self.health);
        Box::new(move || {
            let StoreHealth { reads, writes } = &*health;
            let line = |what: &str, attempts: &Attempts| match attempts.last_failed() {
                true => format!("store: {what}\n"),
                false => String::new(),
            };
            [line("cannot be read", reads), line("cannot be written", writes)].concat()
        })
    }

    /// Opens the door, if there is one.
    pub(super) fn serve(
        self,
        cell: &Arc<Cell>,
        index: &Arc<Index>,
        (forgeries, counters): (&Arc<Forgeries>, &Arc<dyn Counters>),
        revocations: &Arc<Revocations>,
        reload: mpsc::Sender<&'static str>,
        telemetry: &Telemetry,
    ) -> Result<(), StartError> {
        let (Some(registrar), Some(door)) = (self.registrar, self.door) else {
            return Ok(());
        };
        let Door {
            bound,
            token,
            hosts,
            tls,
        } = door;
        tracing::info!(event = "listening", name = "admin", address = %bound.address, "operators connect here");
        let api = AdminApi {
            registrar,
            explain: Box::new(Explainer::new(cell, index, forgeries, counters, revocations)),
            cell: Arc::clone(cell) as Arc<dyn Publish>,
            reload,
        };
        let demands = Demands {
            token: token.zip(self.actor),
            certificate: tls.as_ref().is_some_and(ServerTls::demands_certificate),
        };
        let tls = tls.map(|tls| {
            present_tls(tls, Arc::clone(cell), |process| {
                process.admin.as_ref()?.tls.as_ref()
            })
        });
        Ok(serve(api, demands, &hosts, bound.listen()?, tls, telemetry)?)
    }
}

/// Certificates as they are in their files by now; the last of the same files, if the configuration names others since.
/// It is the same one as long as the files hold the same: a reload that has nothing to do with them disturbs nobody.
pub(super) fn present_tls(
    first: ServerTls,
    cell: Arc<Cell>,
    of: fn(&ProcessSettings) -> Option<&ServerTls>,
) -> Box<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync> {
    let last = Mutex::new(first);
    Box::new(move || {
        let snapshot = cell.snapshot();
        let present = of(&snapshot.process);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = present
            && *present == *last
            && !present.has_the_same_contents(&last)
        {
            *last = present.clone();
        }
        Arc::clone(last.config())
    })
}
