//! What is promised: the limits of one level, checked when they are written and not again.
//!
//! Nothing in a value of these can be wrong, so whoever counts need not ask. The bounds are those of the words in which
//! is counted; all are far above what a gateway passes.

use std::num::NonZeroU32;

use super::calendar::{Calendar, Period, Zone};
use super::rate::{Rate, SpikeArrest};
use super::{rolling, word};

/// The limits of one level. Whoever shares it shares what it keeps of the present window, too.
#[derive(Debug, Default)]
pub struct Limits {
    pub(super) rate: Option<Rate>,
    pub(super) spike_arrest: Option<SpikeArrest>,
    pub(super) quotas: Box<[Quota]>,
    pub(super) bandwidth: Option<Bandwidth>,
    pub(super) concurrency: Option<NonZeroU32>,
    pub(super) on_exceed: OnExceed,
}

/// The same as it is written.
#[derive(Debug, Default)]
pub struct Terms {
    /// So many requests in a short time.
    pub rate: Option<Rate>,
    /// The same, without gathering what was not used.
    pub spike_arrest: Option<SpikeArrest>,
    /// So many requests in a long time; one for each period and alignment.
    pub quotas: Vec<Quota>,
    /// So many bytes in a long time.
    pub bandwidth: Option<Bandwidth>,
    /// So many requests at a time.
    pub concurrency: Option<NonZeroU32>,
    /// What happens to a request beyond a limit.
    pub on_exceed: OnExceed,
}

/// What happens to a request beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExceed {
    /// It is denied.
    #[default]
    Deny,
    /// It passes, and is told of.
    Report,
}

/// What kind of limit one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitKind {
    /// Requests in a short time.
    Rate,
    /// Requests in a slice of a short time.
    SpikeArrest,
    /// Requests in an hour, a day, a week or a month.
    Quota,
    /// Bytes in such a time.
    Bandwidth,
    /// Requests at a time.
    Concurrency,
}

/// So many requests in a period.
#[derive(Debug)]
pub struct Quota {
    pub(super) requests: u64,
    pub(super) span: Span,
}

/// So many bytes in a period, by the calendar. A request is denied once they have passed; those that are in flight by
/// then go on, so more may pass by what these still have to send.
#[derive(Debug)]
pub struct Bandwidth {
    pub(super) bytes: u64,
    pub(super) calendar: Calendar,
}

/// When a period begins.
#[derive(Debug, Clone)]
pub enum Alignment {
    /// With an hour, day, week or month of this zone.
    Calendar(Zone),
    /// At any moment: in no stretch of the period's length is more admitted. What was used comes back when the period has
    /// passed since, at the latest a sixtieth of it later.
    Rolling,
}

/// The same, with what it takes to tell.
#[derive(Debug)]
pub(super) enum Span {
    Calendar(Calendar),
    Rolling(Period),
}

/// Why a limit is none. Its `Display` completes the sentence "the limit …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// No requests, or too many.
    #[error("allows 1 to {most} requests in its period")]
    Requests {
        /// How many are possible.
        most: u64,
    },
    /// No bytes, or too many.
    #[error("allows 1 to {most} bytes in its period")]
    Bytes {
        /// How many are possible.
        most: u64,
    },
    /// A period that is none of a rate.
    #[error("counts for 1 ms to 1 h, in whole milliseconds; what counts for longer is a quota")]
    Per,
    /// A burst that is none.
    #[error("has a burst of at least 1, and of no more than an hour brings")]
    Burst,
    /// No slices, or more of them than requests.
    #[error("is cut into 1 to as many slices as it allows requests")]
    Slices,
    /// No such time zone.
    #[error("names a time zone that the IANA database does not have")]
    Zone,
    /// Two quotas count the same.
    #[error("is there twice: quotas of one level differ in their period, or one of them is rolling")]
    Twice,
}

// === impl Limits ===

impl Limits {
    /// Takes the terms as they are written.
    ///
    /// # Errors
    /// If two quotas have the same period and are both rolling, or both not: they would count in the same word.
    pub fn new(terms: Terms) -> Result<Self, LimitsError> {
        let Terms {
            rate,
            spike_arrest,
            quotas,
            bandwidth,
            concurrency,
            on_exceed,
        } = terms;
        let same = |one: &Quota, other: &Quota| {
            one.period() == other.period() && one.is_rolling() == other.is_rolling()
        };
        let mut rest = quotas.as_slice();
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| same(first, other)) {
                return Err(LimitsError::Twice);
            }
            rest = others;
        }
        Ok(Self {
            rate,
            spike_arrest,
            quotas: quotas.into(),
            bandwidth,
            concurrency,
            on_exceed,
        })
    }

    /// Whether there is no limit.
    pub fn is_empty(&self) -> bool {
        self.kinds().next().is_none()
    }

    /// Whether something is counted that a restart should not forget.
    pub fn has_quota(&self) -> bool {
        !self.quotas.is_empty() || self.bandwidth.is_some()
    }

    /// Whether a quota is rolling. It takes a kilobyte for each caller, so there is none for callers whom anybody can
    /// invent.
    pub fn has_rolling(&self) -> bool {
        self.quotas.iter().any(Quota::is_rolling)
    }

    /// What happens beyond a limit.
    pub const fn on_exceed(&self) -> OnExceed {
        self.on_exceed
    }

    /// The kinds that there are, each once.
    pub fn kinds(&self) -> impl Iterator<Item = LimitKind> {
        LimitKind::ALL.into_iter().filter(|kind| match kind {
            LimitKind::Rate => self.rate.is_some(),
            LimitKind::SpikeArrest => self.spike_arrest.is_some(),
            LimitKind::Quota => !self.quotas.is_empty(),
            LimitKind::Bandwidth => self.bandwidth.is_some(),
            LimitKind::Concurrency => self.concurrency.is_some(),
        })
    }
}

// === impl LimitKind ===

impl LimitKind {
    /// Each there is.
    pub const ALL: [Self; 5] = [
        Self::Rate,
        Self::SpikeArrest,
        Self::Quota,
        Self::Bandwidth,
        Self::Concurrency,
    ];

    /// The word in metrics, logs and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::SpikeArrest => "spike_arrest",
            Self::Quota => "quota",
            Self::Bandwidth => "bandwidth",
            Self::Concurrency => "concurrency",
        }
    }
}

// === impl Quota ===

impl Quota {
    /// So many `requests` in each `period`.
    ///
    /// # Errors
    /// If there are none, or more than can be counted (more than 10 billion can).
    pub fn new(requests: u64, period: Period, alignment: Alignment) -> Result<Self, LimitsError> {
        let most = match alignment {
            Alignment::Calendar(_) => word::count_max(period),
            Alignment::Rolling => rolling::REQUESTS_MAX,
        };
        if !(1..=most).contains(&requests) {
            return Err(LimitsError::Requests { most });
        }
        let span = match alignment {
            Alignment::Calendar(zone) => Span::Calendar(Calendar::new(period, zone)),
            Alignment::Rolling => Span::Rolling(period),
        };
        Ok(Self { requests, span })
    }

    /// How long it runs.
    pub const fn period(&self) -> Period {
        match &self.span {
            Span::Calendar(calendar) => calendar.period,
            Span::Rolling(period) => *period,
        }
    }

    /// Whether it begins at any moment.
    pub const fn is_rolling(&self) -> bool {
        matches!(self.span, Span::Rolling(_))
    }

    /// How many requests.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Of which time zone, if it goes by the calendar.
    pub const fn zone(&self) -> Option<&Zone> {
        match &self.span {
            Span::Calendar(calendar) => Some(calendar.zone()),
            Span::Rolling(_) => None,
        }
    }
}

// === impl Bandwidth ===

impl Bandwidth {
    /// So many `bytes` in each `period` of this zone.
    ///
    /// # Errors
    /// If there are none, or more than can be counted: 256 GiB in an hour, 64 TiB in what is longer.
    pub fn new(bytes: u64, period: Period, zone: Zone) -> Result<Self, LimitsError> {
        let most = word::count_max(period);
        if !(1..=most).contains(&bytes) {
            return Err(LimitsError::Bytes { most });
        }
        Ok(Self {
            bytes,
            calendar: Calendar::new(period, zone),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_limit_says_so() {
        let second = Duration::from_secs(1);
        let rate = |requests, per, burst| Rate::new(requests, per, burst).err().map(|e| e.to_string());
        let requests = Some("allows 1 to 1000000 requests in its period".to_owned());
        assert_eq!(rate(0, second, 1), requests);
        assert_eq!(rate(1_000_001, second, 1), requests);
        for per in [
            Duration::ZERO,
            Duration::from_micros(1500),
            Duration::from_millis(3_600_001),
        ] {
            assert_eq!(Rate::new(1, per, 1), Err(LimitsError::Per), "{per:?}");
        }
        assert_eq!(Rate::new(1, second, 0), Err(LimitsError::Burst));
        assert_eq!(Rate::new(1, second, 3601), Err(LimitsError::Burst));
        for (requests, per, burst) in [
            (1, second, 3600),
            (1_000_000, second, 1_000_000),
            (1, 3600 * second, 1),
        ] {
            assert!(Rate::new(requests, per, burst).is_ok());
        }
        for slices in [0, 11] {
            assert_eq!(SpikeArrest::new(10, second, slices), Err(LimitsError::Slices));
        }
        assert!(SpikeArrest::new(10, second, 10).is_ok());
        let quota = |requests, period, alignment| Quota::new(requests, period, alignment).err();
        let calendar = || Alignment::Calendar(Zone::utc());
        assert!(quota(0, Period::Day, calendar()).is_some());
        assert!(quota(1 << 46, Period::Day, calendar()).is_some());
        assert!(quota((1 << 46) - 1, Period::Day, calendar()).is_none());
        assert!(quota(1 << 38, Period::Hour, calendar()).is_some());
        assert!(quota(1 << 35, Period::Day, Alignment::Rolling).is_some());
        assert!(Bandwidth::new(0, Period::Month, Zone::utc()).is_err());
        assert!(Bandwidth::new(1 << 45, Period::Month, Zone::utc()).is_ok());
        assert_eq!(Zone::named("Europe/Atlantis").err(), Some(LimitsError::Zone));
        assert_eq!(
            Zone::named("Europe/Berlin").map(|zone| zone.name().to_owned()),
            Ok("Europe/Berlin".to_owned())
        );
    }

    #[test]
    fn two_quotas_that_would_count_in_one_word_are_none() {
        let calendar = |zone| Alignment::Calendar(Zone::named(zone).unwrap());
        let quota = |period, alignment| Quota::new(5, period, alignment).unwrap();
        let limits = |quotas| {
            Limits::new(Terms {
                quotas,
                ..Terms::default()
            })
        };
        let twice = vec![
            quota(Period::Day, calendar("UTC")),
            quota(Period::Hour, calendar("UTC")),
            quota(Period::Day, calendar("Asia/Kolkata")),
        ];
        assert_eq!(limits(twice).err(), Some(LimitsError::Twice));
        let once = vec![
            quota(Period::Day, calendar("UTC")),
            quota(Period::Day, Alignment::Rolling),
            quota(Period::Week, Alignment::Rolling),
        ];
        let once = limits(once).unwrap();
        assert!(once.has_quota() && once.has_rolling() && !once.is_empty());
        assert_eq!(once.kinds().collect::<Vec<_>>(), [LimitKind::Quota]);
        assert!(Limits::default().is_empty());
    }
}
