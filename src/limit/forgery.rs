//! The forgery budget: how much CPU time may go into checking signatures of tokens that turn out to be no good.
//!
//! Whoever sends forged tokens pays nothing for them, and each costs the gateway a signature check. So a check is paid for
//! in advance, at a nominal price, from two buckets: that of the source (the caller's network) and that of the issuer. When
//! the token turns out to be good, both get it back. What stays in the buckets is the time that was spent in vain and is
//! not forgotten yet, and what is being checked at the moment; good callers whose tokens were never seen, thousands of them after a
//! restart, use up nothing.
//!
//! A source has a much smaller share than an issuer, so a flood from one network ends at that network's bucket. For a
//! flood from many, half of each issuer's burst is kept for sources of which lately few checks have failed, and while
//! they draw on it, the others wait. Strangers can hardly use that up: each of the [`SOURCES`] places of the table gets
//! one check in [`FORGIVEN_AFTER`] out of it.
//!
//! Sources share a place where their hashes collide. Then they share a share, too: a caller is never let through for it
//! who would be refused otherwise, and with ten networks that flood, a good one meets a flooded place once in 400 times. The
//! hash has a key of chance, so nobody can choose whom to meet. The table has its size from the start.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Gcra;
use crate::id::IssuerName;
use crate::time::UnixTime;

/// Places for sources: 100 KiB, and few collisions among those that flood at one time.
pub const SOURCES: usize = 4096;
/// What it counts for to ask an issuer about a token: little of our time, and more of the server's that is asked.
pub const INTROSPECTION_PRICE: Duration = Duration::from_millis(1);
/// A failed check counts against its source's good name for so long.
const FORGIVEN_AFTER: Duration = Duration::from_secs(15);
/// A source with so many failed checks that are not forgiven is no longer clean: everybody's tokens run out now and then.
const FORGIVEN_MAX: u32 = 4;

/// What an operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForgeryBudget {
    /// For each issuer; `None`: without end.
    pub issuer: Option<Share>,
    /// For each source; `None`: without end, and all sources are as good as clean.
    pub source: Option<Share>,
    /// How much time's worth of its share a bucket holds.
    pub burst: Duration,
    /// How long an answer that a bucket is full is held back, and one that a signature is none to a source of many such:
    /// whoever floods waits, too, on each connection.
    pub hold: Duration,
}

/// A share of the time of one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    percent: u32,
}

/// What is spent at present, and who spent it: one for the life of the process, over all reloads.
#[derive(Debug)]
pub struct Forgeries {
    /// Those that a configuration has ever named; tokens bring none. One that goes and comes again finds its bucket as
    /// full as it left it.
    issuers: papaya::HashMap<IssuerName, Arc<IssuerBucket>>,
    sources: Box<[SourceBucket]>,
    chance: RandomState,
}

/// Which bucket was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// That of the token's issuer.
    Issuer,
    /// That of the network that the request comes from.
    Source,
}

/// Nothing is left for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdrawn {
    /// Whose budget it was.
    pub bucket: Bucket,
    /// When there would be enough, if nobody else takes it.
    pub wait: Duration,
}

/// A check that is paid for. It stays so, unless [`Charge::refund`] says that the token was good.
#[derive(Debug)]
#[must_use = "a check that is dropped has failed"]
pub struct Charge<'f> {
    issuer: Arc<IssuerBucket>,
    issuer_cost: Duration,
    source: &'f SourceBucket,
    source_cost: Duration,
    price: Duration,
    now: UnixTime,
    good: bool,
}

#[derive(Debug, Default)]
struct IssuerBucket {
    spent: Gcra,
    /// All that was ever spent in vain.
    wasted_nanos: AtomicU64,
}

#[derive(Debug, Default)]
struct SourceBucket {
    spent: Gcra,
    /// Its good name: holds failed checks until they are forgiven.
    failures: Gcra,
}

// === impl Share ===

impl Share {
    /// So many hundredths of a core, at least one.
    pub fn of_core(percent: u32) -> Self {
        Self {
            percent: percent.max(1),
        }
    }

    /// How long the share takes to pay for this much of a core's time; rounded up.
    fn pays_in(self, time: Duration) -> Duration {
        let nanos = time.as_nanos().saturating_mul(100).div_ceil(self.percent.into());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.percent)
    }
}

// === impl Bucket ===

impl Bucket {
    /// Each there is.
    pub const ALL: [Self; 2] = [Self::Issuer, Self::Source];

    /// The word in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Source => "source",
        }
    }
}

// === impl Overdrawn ===

impl Overdrawn {
    /// When to come again, in whole seconds, at least one.
    pub fn retry_after_seconds(self) -> u32 {
        let seconds = self.wait.as_nanos().div_ceil(1_000_000_000);
        u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
    }
}

// === impl Forgeries ===

impl Default for Forgeries {
    fn default() -> Self {
        Self::new(RandomState::new())
    }
}

impl Forgeries {
    /// Nothing is spent. `chance` decides which sources share a place.
    pub fn new(chance: RandomState) -> Self {
        Self {
            issuers: papaya::HashMap::default(),
            sources: (0..SOURCES).map(|_| SourceBucket::default()).collect(),
            chance,
        }
    }

    /// Whether the source has enough left for the cheapest check that may come. It takes nothing, and needs to know
    /// nothing of the token.
    ///
    /// # Errors
    /// When it has not.
    pub fn admit(
        &self,
        budget: &ForgeryBudget,
        client: Option<IpAddr>,
        least: Duration,
        now: UnixTime,
    ) -> Result<(), Overdrawn> {
        let (Some(share), Some(source)) = (budget.source, self.source(client)) else {
            return Ok(());
        };
        let room = source.spent.room(now, share.pays_in(least), budget.burst);
        room.map_err(|wait| Overdrawn {
            bucket: Bucket::Source,
            wait,
        })
    }

    /// Pays for one check of a token of this issuer, which must be one of the configuration's.
    ///
    /// # Errors
    /// When the source or the issuer has not enough left; nothing is taken then.
    pub fn charge(
        &self,
        budget: &ForgeryBudget,
        issuer: &IssuerName,
        client: Option<IpAddr>,
        price: Duration,
        now: UnixTime,
    ) -> Result<Charge<'_>, Overdrawn> {
        let overdrawn = |bucket| move |wait| Overdrawn { bucket, wait };
        // The table is never empty.
        let Some(source) = self.source(client) else {
            return Err(overdrawn(Bucket::Source)(Duration::ZERO));
        };
        let issuer = Arc::clone(
            self.issuers
                .pin()
                .get_or_insert_with(issuer.clone(), Arc::default),
        );
        let mut charge = Charge {
            issuer,
            issuer_cost: Duration::ZERO,
            source,
            source_cost: Duration::ZERO,
            price,
            now,
            good: true,
        };
        if let Some(share) = budget.source {
            let cost = share.pays_in(price);
            let taken = source.spent.take(now, cost, budget.burst, Duration::ZERO);
            taken.map_err(overdrawn(Bucket::Source))?;
            charge.source_cost = cost;
        }
        if let Some(share) = budget.issuer {
            let cost = share.pays_in(price);
            let reserve = match budget.source.is_none() || source.is_clean(now) {
                true => Duration::ZERO,
                false => budget.burst / 2,
            };
            let taken = charge.issuer.spent.take(now, cost, budget.burst, reserve);
            // The source gets its own back: nothing was checked for it.
            taken.map_err(overdrawn(Bucket::Issuer))?;
            charge.issuer_cost = cost;
        }
        charge.good = false;
        Ok(charge)
    }

    /// Whether so many checks of tokens from there have failed lately that it is no longer taken for clean.
    pub fn is_notorious(&self, budget: &ForgeryBudget, client: Option<IpAddr>, now: UnixTime) -> bool {
        budget.source.is_some() && self.source(client).is_some_and(|source| !source.is_clean(now))
    }

    /// The time that went into failed checks of an issuer's tokens since the start, at nominal prices, in nanoseconds.
    pub fn wasted_nanos(&self, issuer: &IssuerName) -> u64 {
        self.issuers
            .pin()
            .get(issuer)
            .map_or(0, |bucket| bucket.wasted_nanos.load(Ordering::Relaxed))
    }

    /// The same state apart, for whoever wants to know what would become of a request.
    #[must_use]
    pub fn copy(&self) -> Self {
        let issuers = self.issuers.pin();
        let issuers = issuers.iter().map(|(name, bucket)| {
            let bucket = IssuerBucket {
                spent: bucket.spent.copy(),
                wasted_nanos: AtomicU64::new(bucket.wasted_nanos.load(Ordering::Relaxed)),
            };
            (name.clone(), Arc::new(bucket))
        });
        let sources = self.sources.iter().map(|bucket| SourceBucket {
            spent: bucket.spent.copy(),
            failures: bucket.failures.copy(),
        });
        Self {
            issuers: issuers.collect(),
            sources: sources.collect(),
            chance: self.chance.clone(),
        }
    }

    fn source(&self, client: Option<IpAddr>) -> Option<&SourceBucket> {
        let places = u64::try_from(self.sources.len()).ok()?;
        let place = self.chance.hash_one(client.map(prefix)).checked_rem(places)?;
        self.sources.get(usize::try_from(place).ok()?)
    }
}

/// The network that an address counts for: its first 24 bits of IPv4, its first 48 of IPv6, which are what one customer
/// of a network provider has at the most. The rest is zero.
pub fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            [a, b, c, 0].into()
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

// === impl Charge ===

impl Charge<'_> {
    /// The token was good: it costs nobody anything.
    pub fn refund(mut self) {
        self.good = true;
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        if self.good {
            self.issuer.spent.give_back(self.issuer_cost);
            self.source.spent.give_back(self.source_cost);
            return;
        }
        let nanos = u64::try_from(self.price.as_nanos()).unwrap_or(u64::MAX);
        self.issuer.wasted_nanos.fetch_add(nanos, Ordering::Relaxed);
        // A name that is as bad as it can be gets no worse.
        let _ = self.source.failures.take(
            self.now,
            FORGIVEN_AFTER,
            FORGIVEN_AFTER * FORGIVEN_MAX,
            Duration::ZERO,
        );
    }
}

// === impl SourceBucket ===

impl SourceBucket {
    /// Whether fewer checks of it have failed lately than everybody's do.
    fn is_clean(&self, now: UnixTime) -> bool {
        let room = self
            .failures
            .room(now, FORGIVEN_AFTER, FORGIVEN_AFTER * FORGIVEN_MAX);
        room.is_ok()
    }
}

#[cfg(test)]
mod tests;
