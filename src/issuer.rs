//! An issuer: the rules for its tokens, and the ring that holds its keys.
//!
//! A snapshot *names* issuers; their keys live in the [`KeyRing`], which outlives every snapshot. So a reload drops no
//! key, and a rotation needs no reload. A ring belongs to an issuer *and* the place its keys come from: keys from an
//! address that the operator has since replaced are never used again.

mod jwks_url;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

pub use jwks_url::{JwksUrl, JwksUrlError};

use crate::id::IssuerName;
use crate::time::UnixTime;
use crate::token::{KeySet, Rules};

/// An issuer as one snapshot knows it.
#[derive(Debug)]
pub struct Issuer {
    /// Its name: exactly the `iss` of its tokens.
    pub name: IssuerName,
    /// Its place among the issuers of the snapshot, for what is kept beside a snapshot (meters).
    pub index: usize,
    /// What its tokens must be like.
    pub rules: Rules,
    /// Where its keys come from.
    pub source: KeySource,
    /// Where its keys are.
    pub ring: Arc<Ring>,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Files, read when the snapshot was compiled.
    Files,
    /// A JWKS document that is fetched again and again.
    Jwks(JwksSchedule),
}

/// How a JWKS document is kept fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSchedule {
    /// Where it is.
    pub url: JwksUrl,
    /// How often it is fetched unprompted.
    pub refresh_interval: Duration,
    /// The least time between two fetches for the sake of unknown key ids.
    pub cooldown: Duration,
    /// How long a request with an unknown key id may wait for a fetch.
    pub wait: Duration,
    /// How long the last good keys serve when fetches fail.
    pub stale_after: Duration,
}

/// The present keys of one issuer from one source; replaced whole, read without a lock.
#[derive(Debug, Default)]
pub struct Ring {
    held: ArcSwapOption<HeldKeys>,
}

/// Keys and since when they are here.
#[derive(Debug)]
pub struct HeldKeys {
    /// The keys.
    pub keys: KeySet,
    /// When they were fetched.
    pub fetched_at: UnixTime,
}

/// The rings of all issuers, over all reloads.
#[derive(Debug, Default)]
pub struct KeyRing {
    rings: papaya::HashMap<(IssuerName, JwksUrl), Arc<Ring>>,
}

/// Keys in use by one decision.
pub struct Keys(Guard<Option<Arc<HeldKeys>>>);

// === impl Issuer ===

impl Issuer {
    /// The issuer's keys, if they are here and not stale.
    pub fn keys(&self, now: UnixTime) -> Option<Keys> {
        let held = self.ring.held.load();
        let fetched_at = held.as_ref()?.fetched_at;
        match &self.source {
            KeySource::Jwks(schedule) if now >= fetched_at.plus(schedule.stale_after) => None,
            KeySource::Jwks(_) | KeySource::Files => Some(Keys(held)),
        }
    }
}

// === impl Ring ===

impl Ring {
    /// A ring with keys that stay.
    pub fn with(keys: KeySet, fetched_at: UnixTime) -> Self {
        let ring = Self::default();
        ring.replace(keys, fetched_at);
        ring
    }

    /// Puts a new set in place of the present one, in one step.
    pub fn replace(&self, keys: KeySet, fetched_at: UnixTime) {
        if let Some(former) = self.held.load().as_ref() {
            keys.remember_use(&former.keys);
        }
        self.held.store(Some(Arc::new(HeldKeys { keys, fetched_at })));
    }

    /// The present keys, stale or not: for metrics and operators, never for a decision.
    pub fn held(&self) -> Option<Arc<HeldKeys>> {
        self.held.load_full()
    }
}

// === impl KeyRing ===

impl KeyRing {
    /// The ring for the keys of `issuer` from `url`; the same one in every snapshot that names both.
    pub fn ring(&self, issuer: &IssuerName, url: &JwksUrl) -> Arc<Ring> {
        let key = (issuer.clone(), url.clone());
        Arc::clone(self.rings.pin().get_or_insert_with(key, Arc::default))
    }

    /// Drops the rings that no issuer uses any more.
    pub fn retain(&self, issuers: &[Arc<Issuer>]) {
        self.rings.pin().retain(|(name, url), _| {
            issuers.iter().any(|issuer| match &issuer.source {
                KeySource::Jwks(schedule) => issuer.name == *name && schedule.url == *url,
                KeySource::Files => false,
            })
        });
    }
}

// === impl Keys ===

impl Keys {
    /// The key set; empty is impossible, but would deny.
    pub fn set(&self) -> Option<&KeySet> {
        self.0.as_ref().map(|held| &held.keys)
    }
}
