//! What becomes of a request at its limits, as values: what it used, or what it would have exceeded.
//!
//! These are what is counted, answered and explained; none of them decides anything.

use std::sync::Arc;
use std::time::Duration;

use super::calendar::Period;
use super::keyed::{Key, Keyed};
use super::tally::Tally;
use super::terms::{LimitKind, Limits, OnExceed};
use crate::time::UnixTime;

/// Whose limits they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LevelName {
    /// All callers of an API.
    Api,
    /// All callers of a route.
    Route,
    /// A plan: each of its subscriptions for itself, or whoever stands in for one.
    Plan,
    /// An application, in all APIs.
    Application,
    /// A caller's address.
    Client,
    /// The value of a claim.
    Claim,
}

/// A request passed its limits, and this is what it holds: dropping it ends its place among those in flight.
#[derive(Debug, Default)]
pub struct Usage {
    pub(super) tightest: Option<Tightest>,
    pub(super) admitted: Marks,
    pub(super) reported: Marks,
    /// Hardly ever do more than two levels hold something; only then is there more, and an allocation.
    held: [Option<Held>; 2],
    more: Vec<Held>,
}

/// The limit that is nearest: of which the fewest requests are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tightest {
    /// How many there are: of a rate, so many at once.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When all of them are there again, if nobody takes any.
    pub reset: Duration,
}

/// A request was beyond a limit. Of several, the one for which it would have to wait longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Whose limit.
    pub level: LevelName,
    /// What kind.
    pub kind: LimitKind,
    /// How many there are.
    pub limit: u64,
    /// When all of them are there again, if nobody takes any.
    pub reset: Duration,
    /// When one is, if nobody takes it. Zero where that is up to others ([`LimitKind::Concurrency`]).
    pub wait: Duration,
}

/// How one limit stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whose limit.
    pub level: LevelName,
    /// What kind.
    pub kind: LimitKind,
    /// How long it runs: quotas and bandwidth.
    pub period: Option<Period>,
    /// How many there are.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When all are there again, if nobody takes any.
    pub reset: Duration,
    /// It is exceeded; so long until one is there, if nobody takes it.
    pub wait: Option<Duration>,
    /// What happens then.
    pub on_exceed: OnExceed,
}

/// A set of kinds of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u32);

/// What one level is owed at the end, or on the way.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) owner: Owner,
    /// It has a place among those in flight.
    pub(super) in_flight: bool,
    /// Where bytes are counted.
    pub(super) bytes: Option<Arc<Limits>>,
}

/// Who keeps a tally alive.
#[derive(Debug)]
pub(super) enum Owner {
    Own(Arc<Tally>),
    /// A place of the table, and whose it is. It is not given to another while a request is in flight.
    Place(Arc<Keyed>, usize, Key),
}

// === impl LevelName ===

impl LevelName {
    /// Each there is.
    pub const ALL: [Self; 6] = [
        Self::Api,
        Self::Route,
        Self::Plan,
        Self::Application,
        Self::Client,
        Self::Claim,
    ];

    /// The word in logs, answers and explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Route => "route",
            Self::Plan => "plan",
            Self::Application => "application",
            Self::Client => "client",
            Self::Claim => "claim",
        }
    }
}

// === impl Usage ===

impl Usage {
    /// The limit of which the fewest requests are left; nothing if there is none that counts requests.
    pub const fn tightest(&self) -> Option<Tightest> {
        self.tightest
    }

    /// What was asked, and had room.
    pub fn admitted(&self) -> impl Iterator<Item = (LevelName, LimitKind)> {
        self.admitted.iter()
    }

    /// What was exceeded, and let the request pass.
    pub fn reported(&self) -> impl Iterator<Item = (LevelName, LimitKind)> {
        self.reported.iter()
    }

    /// Whether somebody counts bytes.
    pub fn counts_bytes(&self) -> bool {
        self.held().any(|held| held.bytes.is_some())
    }

    /// Something is owed to one more level.
    pub(super) fn hold(&mut self, held: Held) {
        match self.held.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(held),
            None => self.more.push(held),
        }
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().flatten().chain(&self.more)
    }

    /// So many bytes have passed, either way.
    pub fn bytes(&self, count: u64, now: UnixTime) {
        for held in self.held() {
            if let Some(limits) = &held.bytes {
                held.owner.with(|tally| tally.count_bytes(limits, count, now));
            }
        }
    }
}

impl Usage {
    /// Ends the request's place among those in flight before the rest of it: whoever has its whole answer is answered.
    pub fn release(&mut self) {
        for held in self.held.iter_mut().flatten().chain(&mut self.more) {
            if std::mem::take(&mut held.in_flight) {
                held.owner.leave();
            }
        }
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        self.release();
    }
}

// === impl Tightest ===

impl Tightest {
    /// [`Self::reset`] in whole seconds, rounded up.
    pub fn reset_seconds(self) -> u64 {
        whole_seconds(self.reset)
    }
}

// === impl Exceeded ===

impl Exceeded {
    /// When to come again, in whole seconds: never too early, and at least one.
    pub fn retry_after_seconds(self) -> u64 {
        whole_seconds(self.wait).max(1)
    }

    /// [`Self::reset`] in whole seconds, rounded up.
    pub fn reset_seconds(self) -> u64 {
        whole_seconds(self.reset)
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

// === impl Marks ===

impl Marks {
    pub(super) fn add(&mut self, level: LevelName, kind: LimitKind) {
        self.0 |= Self::bit(level, kind);
    }

    fn iter(self) -> impl Iterator<Item = (LevelName, LimitKind)> {
        LevelName::ALL.into_iter().flat_map(move |level| {
            let kinds = LimitKind::ALL.into_iter();
            kinds
                .filter(move |kind| self.0 & Self::bit(level, *kind) != 0)
                .map(move |kind| (level, kind))
        })
    }

    const fn bit(level: LevelName, kind: LimitKind) -> u32 {
        1 << (level as u32 * 5 + kind as u32)
    }
}

// === impl Owner ===

impl Owner {
    /// Ends a request's place among those in flight. Until then the place of the table is not given to another, so it
    /// need not be held for that; it could not be, while somebody looks whether it is free.
    fn leave(&self) {
        match self {
            Self::Own(tally) => tally.leave(),
            Self::Place(table, number, _) => table.leave(*number),
        }
    }

    /// Does something with the tally, if it is still there: a place of the table may have gone to another.
    fn with(&self, act: impl FnOnce(&Tally)) {
        match self {
            Self::Own(tally) => act(tally),
            Self::Place(table, number, key) => {
                if let Some(pin) = table.at(*number, *key) {
                    act(pin.tally());
                }
            }
        }
    }
}
