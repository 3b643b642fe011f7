//! One bucket as one number: the generic cell rate algorithm (ITU-T I.371, annex A), in nanoseconds.
//!
//! A bucket that empties at a steady rate need not be emptied by anybody. It is enough to know until when what was taken
//! is paid for: at that moment the bucket is empty, before it is as full as the time that is left. So the whole state is
//! one moment, changed by compare-exchange, and what is asked for is measured in time, too: a tenth of a second's worth
//! costs a tenth of a second, whatever it is.
//!
//! Among callers whose moments are less than [`CLOCK_STEP`] apart, in whatever order they come, no more is taken in any
//! stretch of time than `burst` and the length of the stretch; and what fits is never refused. A moment that lies further
//! back than that comes of a clock that was set back. The bucket then counts from there on, and is full: nobody gains by
//! it, and nobody waits longer than for a full bucket. A clock that is set forward empties the bucket, once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::UnixTime;

/// Moments of requests that are decided side by side lie microseconds apart, milliseconds on a busy machine.
pub(super) const CLOCK_STEP: Duration = Duration::from_secs(1);

/// A bucket. A new one is empty: a whole burst fits.
#[derive(Debug, Default)]
pub struct Gcra {
    /// Until when what was taken is paid for, in nanoseconds since 1970.
    paid_until: AtomicU64,
}

// === impl Gcra ===

impl Gcra {
    /// Takes `cost`, if it fits into what `burst` leaves; `reserve` is the part of the burst that is kept for others.
    ///
    /// # Errors
    /// How long until it would fit, if nobody takes anything meanwhile. What is larger than `burst` less `reserve` never
    /// does.
    pub fn take(
        &self,
        now: UnixTime,
        cost: Duration,
        burst: Duration,
        reserve: Duration,
    ) -> Result<(), Duration> {
        let mut seen = self.paid_until.load(Ordering::Relaxed);
        loop {
            seen = self.heed_clock(seen, now, burst);
            let next = fitting(seen, now, cost, burst, reserve)?;
            match self
                .paid_until
                .compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    /// Whether `cost` would fit, and nothing is taken.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn room(&self, now: UnixTime, cost: Duration, burst: Duration) -> Result<(), Duration> {
        let seen = self.heed_clock(self.paid_until.load(Ordering::Relaxed), now, burst);
        fitting(seen, now, cost, burst, Duration::ZERO).map(|_| ())
    }

    /// Gives back what was taken. What comes back later than it took to be paid for is worth as much once more, and
    /// never more than a whole burst fits.
    pub fn give_back(&self, cost: Duration) {
        // It always succeeds: the function never says no.
        let _ = self
            .paid_until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                Some(until.saturating_sub(nanos(cost)))
            });
    }

    /// What it holds at this moment.
    #[must_use]
    pub fn held(&self, now: UnixTime) -> Duration {
        let until = self.paid_until.load(Ordering::Relaxed);
        Duration::from_nanos(until.saturating_sub(now.nanos()))
    }

    /// Another bucket that holds as much.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            paid_until: AtomicU64::new(self.paid_until.load(Ordering::Relaxed)),
        }
    }

    /// A bucket that is fuller than it can be: the clock was set back, or the burst was made smaller. Then it is full.
    fn heed_clock(&self, mut seen: u64, now: UnixTime, burst: Duration) -> u64 {
        let full = now.nanos().saturating_add(nanos(burst));
        while seen > full.saturating_add(nanos(CLOCK_STEP)) {
            match self
                .paid_until
                .compare_exchange_weak(seen, full, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return full,
                Err(other) => seen = other,
            }
        }
        seen
    }
}

/// Until when everything is paid for with this cost, or how long until it fits.
fn fitting(
    seen: u64,
    now: UnixTime,
    cost: Duration,
    burst: Duration,
    reserve: Duration,
) -> Result<u64, Duration> {
    let latest = now.nanos().saturating_add(nanos(burst.saturating_sub(reserve)));
    let next = seen.max(now.nanos()).saturating_add(nanos(cost));
    match next.checked_sub(latest) {
        None | Some(0) => Ok(next),
        Some(wait) => Err(Duration::from_nanos(wait)),
    }
}

/// Five centuries fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
