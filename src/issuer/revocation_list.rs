//! Where an issuer says which of its tokens it has taken back, how often it is asked, and what becomes of its tokens when
//! it does not answer.
//!
//! Like keys, lists outlive snapshots: a list belongs to an issuer, an address and a format, so a reload drops none.

use std::sync::Arc;
use std::time::Duration;

use super::{Issuer, JwksUrl, KeyRing, Via};
use crate::id::IssuerName;
use crate::revocation::{Format, List, ListWhen};

/// A fetch of a list may take so long in all: a list may be thirty times as long as a key set.
pub const LIST_FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// An issuer's list, and how it is kept fresh.
#[derive(Debug)]
pub struct ListSource {
    /// Where it is, once it was fetched.
    pub list: Arc<List>,
    /// What becomes of tokens without it.
    pub when: ListWhen,
    /// How it is fetched.
    pub schedule: ListSchedule,
}

/// How a list is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSchedule {
    /// Where from.
    pub url: JwksUrl,
    /// By what way.
    pub via: Via,
    /// How it is written there.
    pub format: Format,
    /// How often.
    pub refresh_interval: Duration,
}

/// What a list belongs to.
pub(super) type ListKey = (IssuerName, JwksUrl, Format);

// === impl KeyRing ===

impl KeyRing {
    /// The list of `issuer` at this address; the same one in every snapshot that names both.
    pub fn revocation_list(&self, issuer: &IssuerName, url: &JwksUrl, format: Format) -> Arc<List> {
        let key = (issuer.clone(), url.clone(), format);
        Arc::clone(self.lists.pin().get_or_insert_with(key, Arc::default))
    }

    /// Drops the lists that no issuer names any more.
    pub(super) fn retain_lists(&self, issuers: &[Arc<Issuer>]) {
        self.lists.pin().retain(|(name, url, format), _| {
            issuers.iter().any(|issuer| {
                let source = issuer.revocations.as_deref();
                issuer.name == *name
                    && source.is_some_and(|source| {
                        source.schedule.url == *url && source.schedule.format == *format
                    })
            })
        });
    }
}
