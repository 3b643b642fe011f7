//! Time as a value. Everything below the edges takes `now` as an argument, so a test can stand at any second of any
//! year; the clock itself is read by edges only, through [`Clock`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted (RFC 7519 section 2, NumericDate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    millis: i64,
}

/// Where edges read the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

// === impl UnixTime ===

impl UnixTime {
    /// From whole seconds; saturates far outside any calendar.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self {
            millis: seconds.saturating_mul(1000),
        }
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self { millis }
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.millis
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.millis.div_euclid(1000)
    }

    /// Nanoseconds since the epoch, as far as milliseconds go; 0 before it, and saturating in the year 2554.
    pub fn nanos(self) -> u64 {
        u64::try_from(self.millis).map_or(0, |millis| millis.saturating_mul(1_000_000))
    }

    /// Later by `by`; saturates.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self {
            millis: self.millis.saturating_add(millis_of(by)),
        }
    }

    /// Earlier by `by`; saturates.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self {
            millis: self.millis.saturating_sub(millis_of(by)),
        }
    }

    /// How long after `earlier` this is; zero if it is not after it (a clock may step back).
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.millis.saturating_sub(earlier.millis))
            .map_or(Duration::ZERO, Duration::from_millis)
    }
}

// === impl Clock ===

impl Clock {
    /// The present moment. A clock before 1970 reads as 1970, where every token is refused.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the wall clock is read"
    )]
    pub fn now(self) -> UnixTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(millis_of(since_epoch))
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_and_never_wraps() {
        let far = UnixTime::from_seconds(i64::MAX);
        assert_eq!(far.plus(Duration::MAX).millis(), i64::MAX);
        assert_eq!(
            UnixTime::from_millis(i64::MIN).minus(Duration::MAX).millis(),
            i64::MIN
        );
        assert_eq!(
            UnixTime::from_seconds(1).since(UnixTime::from_seconds(2)),
            Duration::ZERO
        );
        assert_eq!(UnixTime::from_millis(-1).seconds(), -1);
        assert_eq!(UnixTime::from_millis(-1).nanos(), 0);
        assert_eq!(UnixTime::from_millis(2).nanos(), 2_000_000);
        assert_eq!(far.nanos(), u64::MAX);
    }
}
