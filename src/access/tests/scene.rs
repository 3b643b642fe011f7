//! A small world for one question: a configuration of its own, one issuer's key, a moment that stands still.
//! What many questions share is in the parent's world; a scene holds what only one of them is about.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::{
    ACME, Cache, DataPlane, Denial, Memory, NOW, Passed, Permit, Request, RequestView, Verdict, evaluate,
};
use crate::api::Stages;
use crate::config::parse;
use crate::issuer::KeyRing;
use crate::limit::Forgeries;
use crate::revocation::Revocations;
use crate::snapshot::{Inputs, Snapshot, compile};
use crate::subscription::Index;
use crate::time::UnixTime;

/// What decisions read. It remembers tokens.
pub(super) struct Scene {
    pub(super) snapshot: Snapshot,
    pub(super) index: Index,
    verdicts: Cache<Arc<Verdict>>,
    pub(super) forgeries: Forgeries,
    pub(super) counters: crate::limit::LocalCounters,
    pub(super) revocations: Revocations,
}

// === impl Scene ===

impl Scene {
    /// From a configuration in which `acme.json` has the key of [`ACME`].
    pub(super) fn set(configuration: &str) -> Self {
        let jwks = json!({ "keys": [ACME.public_jwk("k1")] }).to_string();
        let files = Memory(BTreeMap::from([
            (PathBuf::from("t.toml"), configuration.as_bytes().to_vec()),
            (PathBuf::from("acme.json"), jwks.into_bytes()),
        ]));
        let inputs = Inputs {
            files: &files,
            key_ring: &KeyRing::default(),
            stages: &Stages::default(),
            counters: &crate::limit::LocalCounters::default(),
            now: NOW,
            generation: 1,
        };
        let snapshot = parse(Path::new("t.toml"), &files).and_then(|config| compile(config, inputs));
        let snapshot = snapshot.map_err(|mistakes| mistakes.to_string()).unwrap();
        let index = Index::default();
        index.admit(&snapshot.declared);
        Self {
            snapshot,
            index,
            verdicts: Cache::new(64),
            forgeries: Forgeries::default(),
            counters: crate::limit::LocalCounters::default(),
            revocations: Revocations::default(),
        }
    }

    /// Decides about a request from `client`.
    pub(super) fn decide(
        &self,
        request: &Request,
        client: Option<IpAddr>,
        passed: &mut Passed,
    ) -> Result<Permit, Box<Denial>> {
        self.decide_at(NOW, request, client, passed)
    }

    /// The same, at another moment.
    pub(super) fn decide_at(
        &self,
        now: UnixTime,
        request: &Request,
        client: Option<IpAddr>,
        passed: &mut Passed,
    ) -> Result<Permit, Box<Denial>> {
        let plane = DataPlane {
            snapshot: &self.snapshot,
            index: &self.index,
            verdicts: &self.verdicts,
            forgeries: &self.forgeries,
            counting: crate::access::Counting::Takes(&self.counters),
            revocations: &self.revocations,
        };
        let view = RequestView {
            method: &request.method,
            host: "",
            path: &request.path,
            query: request.query.as_deref(),
            headers: &request.headers,
            client,
            body_bytes: None,
        };
        evaluate(&plane, &view, now, passed)
    }
}
