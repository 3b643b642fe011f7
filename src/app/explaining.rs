//! Explanations from the running gateway: its snapshot, its keys and its index, and no request of anybody.
//! It stands here because the admin API may not know decisions, and decisions may not know the admin API.

use std::sync::Arc;

use serde_json::Value;

use crate::access::{Counting, DataPlane};
use crate::control::admin::{self, Explain};
use crate::explain::{self, explain};
use crate::limit::{Counters, Forgeries};
use crate::proxy::Cell;
use crate::revocation::Revocations;
use crate::subscription::Index;
use crate::time::Clock;
use crate::token::Cache;

/// Explains by what is in force when it is asked.
pub(super) struct Explainer {
    cell: Arc<Cell>,
    index: Arc<Index>,
    forgeries: Arc<Forgeries>,
    counters: Arc<dyn Counters>,
    revocations: Arc<Revocations>,
}

// === impl Explainer ===

impl Explainer {
    pub(super) fn new(
        cell: &Arc<Cell>,
        index: &Arc<Index>,
        forgeries: &Arc<Forgeries>,
        counters: &Arc<dyn Counters>,
        revocations: &Arc<Revocations>,
    ) -> Self {
        Self {
            cell: Arc::clone(cell),
            index: Arc::clone(index),
            forgeries: Arc::clone(forgeries),
            counters: Arc::clone(counters),
            revocations: Arc::clone(revocations),
        }
    }
}

impl Explain for Explainer {
    fn explain(&self, question: admin::Question) -> Result<Value, String> {
        let admin::Question {
            method,
            url,
            host,
            headers,
            token,
            client_ip,
            at,
        } = question;
        let question = explain::Question::written(&method, &url, host.as_deref(), &headers, token.as_ref());
        // Names that are none may be values in the wrong place.
        let question = question.map_err(|_| {
            "this is no request: its method, URL, host, or a header's name or value could not be sent"
                .to_owned()
        })?;
        let snapshot = self.cell.snapshot();
        // Every token is verified: what is remembered would tell less.
        let verdicts = Cache::new(0);
        // A question spends nothing of what is there; and of another moment nobody knows what was spent then.
        let forgeries = match at {
            None => self.forgeries.copy(),
            Some(_) => Forgeries::default(),
        };
        let plane = DataPlane {
            snapshot: &snapshot,
            index: &self.index,
            verdicts: &verdicts,
            forgeries: &forgeries,
            counting: Counting::Asks(&*self.counters),
            revocations: &self.revocations,
        };
        let now = at.unwrap_or_else(|| Clock.now());
        Ok(explain(&plane, &question, client_ip, now).to_json())
    }
}
