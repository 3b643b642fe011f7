//! So many requests in so much time: the generic cell rate algorithm again, without the rounding.
//!
//! A third of a second is no whole number of nanoseconds, and an error of one in each request is one that a customer who
//! keeps to his three a second meets one day. So the arithmetic is in units of which a request costs a whole number: with
//! `n` requests in a period of `p` milliseconds, the unit is the `n`-th part of a millisecond, and a request costs `p` of
//! them. Moments are whole milliseconds ([`UnixTime`]), so all that is ever reached is a whole number of units.
//!
//! What is kept is a moment in nanoseconds, as in [`Gcra`](super::Gcra), because a tally knows no limit and the limit may
//! change. It is the unit's moment rounded down; as a unit is no shorter than a nanosecond, rounding up finds it again.
//!
//! A moment of the past is as good as the present one, so requests that are decided out of order are never given more. A
//! clock that is set back by more than [`CLOCK_STEP`] leaves the bucket full, as there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::gcra::CLOCK_STEP;
use super::terms::LimitsError;
use crate::time::UnixTime;

/// The most requests in a period: a unit is then a nanosecond.
pub(super) const REQUESTS_MAX: u64 = 1_000_000;
/// The longest period, and the longest that a full bucket takes to empty, in milliseconds: one hour. What is longer is a
/// quota.
const MILLIS_MAX: u64 = 3_600_000;
const NANOS: u64 = 1_000_000;

/// So many requests in a period, and so many at once. In no stretch of time are more admitted than fit at once and what
/// the stretch brings; what fits is never refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    requests: u64,
    /// Milliseconds, which is what one request costs in units.
    per: u64,
    burst: u64,
}

/// A rate for a short time: the period is cut into slices, and each brings its share and no more. What one slice did not
/// use is gone in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpikeArrest(Rate);

/// How a bucket is, in this rate's measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filled {
    /// What is kept.
    pub(super) until: u64,
    /// So many more requests fit at once.
    pub(super) remaining: u64,
    /// When it is empty.
    pub(super) reset: Duration,
}

/// One more does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// When it will, if nobody takes anything.
    pub(super) until_one: Duration,
    /// When the bucket is empty.
    pub(super) reset: Duration,
}

// === impl Rate ===

impl Rate {
    /// So many `requests` in each `per`; `burst` of them fit at once.
    ///
    /// # Errors
    /// If there are none or more than a million, if the period is no whole number of milliseconds, none, or longer than
    /// an hour, or if a burst is none or takes more than an hour to be paid for.
    pub fn new(requests: u64, per: Duration, burst: u64) -> Result<Self, LimitsError> {
        if !(1..=REQUESTS_MAX).contains(&requests) {
            return Err(LimitsError::Requests { most: REQUESTS_MAX });
        }
        let millis = u64::try_from(per.as_millis()).unwrap_or(u64::MAX);
        if !(1..=MILLIS_MAX).contains(&millis) || Duration::from_millis(millis) != per {
            return Err(LimitsError::Per);
        }
        if burst == 0 || u128::from(burst) * u128::from(millis) > u128::from(MILLIS_MAX * requests) {
            return Err(LimitsError::Burst);
        }
        Ok(Self {
            requests,
            per: millis,
            burst,
        })
    }

    /// The same with fewer requests, and as many less at once; with more it stays as it is.
    pub(super) fn lowered(self, requests: Option<u64>) -> Self {
        match requests {
            Some(requests) if requests < self.requests => {
                let requests = requests.max(1);
                // A million by 3.6 billion at the most.
                let burst = self.burst.saturating_mul(requests) / self.requests.max(1);
                Self {
                    requests,
                    burst: burst.max(1),
                    ..self
                }
            }
            _ => self,
        }
    }

    /// How many fit at once.
    pub(super) const fn burst(self) -> u64 {
        self.burst
    }

    /// How a bucket is, if one more request fits.
    ///
    /// # Errors
    /// How long until it fits, and until the bucket is empty.
    pub(super) fn fits(self, bucket: &AtomicU64, now: UnixTime) -> Result<Filled, Wait> {
        let seen = self.clamped(bucket.load(Ordering::Relaxed), now);
        self.filled(seen, self.units(seen, now))
    }

    /// A bucket that is fuller than it can be: the clock was set back, or there was more at once before. Then it is full,
    /// and runs empty from now on. It is for whoever takes: who only asks leaves the bucket as it is.
    pub(super) fn heed_clock(self, bucket: &AtomicU64, now: UnixTime) {
        self.healed(bucket, bucket.load(Ordering::Relaxed), now);
    }

    /// Takes one request, and says how the bucket is then.
    ///
    /// # Errors
    /// As [`Self::fits`].
    pub(super) fn take(self, bucket: &AtomicU64, now: UnixTime) -> Result<Filled, Wait> {
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            seen = self.healed(bucket, seen, now);
            let after = self.after(seen, now)?;
            match bucket.compare_exchange_weak(seen, after.until, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(after),
                Err(other) => seen = other,
            }
        }
    }

    /// Gives one request back, if nobody has taken another since it left `until` behind. Else what was taken stays taken
    /// until its time has passed: whether it is paid for by now, only somebody's clock could tell.
    pub(super) fn give_back(self, bucket: &AtomicU64, until: u64) {
        let (requests, nanos) = (u128::from(self.requests), u128::from(NANOS));
        let units = (u128::from(until) * requests).div_ceil(nanos);
        let before = units.saturating_sub(self.per.into()) * nanos / requests.max(1);
        let before = u64::try_from(before).unwrap_or(u64::MAX);
        let _ = bucket.compare_exchange(until, before, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The capacity in units.
    const fn capacity(self) -> u64 {
        self.burst.saturating_mul(self.per)
    }

    /// What it holds.
    fn units(self, seen: u64, now: UnixTime) -> u64 {
        let held = seen.saturating_sub(now.nanos());
        held.saturating_mul(self.requests).div_ceil(NANOS)
    }

    /// How a bucket is that holds so many units, if one more request fits.
    fn filled(self, until: u64, units: u64) -> Result<Filled, Wait> {
        let left = self.capacity().saturating_sub(units);
        if let Some(missing @ 1..) = self.per.checked_sub(left) {
            let excess = missing.saturating_add(units.saturating_sub(self.capacity()));
            return Err(Wait {
                until_one: self.lasts(excess),
                reset: self.lasts(units),
            });
        }
        Ok(Filled {
            until,
            remaining: left.checked_div(self.per).unwrap_or(0),
            reset: self.lasts(units),
        })
    }

    /// How a bucket is after one more request.
    fn after(self, seen: u64, now: UnixTime) -> Result<Filled, Wait> {
        let units = self.units(seen, now);
        let after = units.saturating_add(self.per);
        if after > self.capacity() {
            return self.filled(seen, units);
        }
        let nanos = after.saturating_mul(NANOS).checked_div(self.requests);
        Ok(Filled {
            until: now.nanos().saturating_add(nanos.unwrap_or(u64::MAX)),
            remaining: (self.capacity() - after).checked_div(self.per).unwrap_or(0),
            reset: self.lasts(after),
        })
    }

    /// How long these units last, rounded up.
    fn lasts(self, units: u64) -> Duration {
        Duration::from_nanos(units.saturating_mul(NANOS).div_ceil(self.requests.max(1)))
    }

    /// What the bucket says, once [`Self::heed_clock`] is done.
    fn healed(self, bucket: &AtomicU64, mut seen: u64, now: UnixTime) -> u64 {
        loop {
            let full = self.clamped(seen, now);
            if full == seen {
                return seen;
            }
            match bucket.compare_exchange_weak(seen, full, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return full,
                Err(other) => seen = other,
            }
        }
    }

    /// What a bucket says, or that it is full if it cannot be as full as that.
    fn clamped(self, seen: u64, now: UnixTime) -> u64 {
        let step = u64::try_from(CLOCK_STEP.as_nanos()).unwrap_or(u64::MAX);
        let hour = MILLIS_MAX * NANOS;
        // Hardly ever: no bucket takes longer than an hour, so most need no division to be told.
        let far = now.nanos().saturating_add(step);
        if seen <= far {
            return seen;
        }
        let full = self.capacity().saturating_mul(NANOS) / self.requests.max(1);
        let full = now.nanos().saturating_add(full.min(hour));
        if seen > full.saturating_add(step) {
            full
        } else {
            seen
        }
    }
}

// === impl SpikeArrest ===

impl SpikeArrest {
    /// So many `requests` in each `per`, of which each of so many `slices` brings its part, at least one request.
    ///
    /// # Errors
    /// As [`Rate::new`]; also if there are no slices, or more than requests.
    pub fn new(requests: u64, per: Duration, slices: u32) -> Result<Self, LimitsError> {
        let slices = u64::from(slices);
        if slices == 0 || slices > requests {
            return Err(LimitsError::Slices);
        }
        Rate::new(requests, per, requests / slices).map(Self)
    }

    pub(super) const fn rate(self) -> Rate {
        self.0
    }
}

#[cfg(test)]
mod tests;
