//! Hours, days, weeks and months as people count them: by the clock on the wall of a time zone.
//!
//! An hour begins whenever the clock shows a full hour, a day with the first moment of its date, a week with its Monday
//! (ISO 8601), a month with its first day. So a day in which the clock is put back has 25 hours, one in which it is put
//! forward 23, and where it is moved by half an hour, an hour has ninety minutes. These windows leave no gap and do not
//! overlap, whatever the clock does: each ends where the next begins, and no moment belongs to an earlier window than a
//! moment before it.
//!
//! Calendar arithmetic takes microseconds, so the present window is kept in one atomic beside the limit. Nobody computes
//! it but the first to come after its end.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::terms::LimitsError;
use crate::time::UnixTime;

/// A quarter of an hour in milliseconds. Every time zone in use is a whole number of them away from UTC.
const QUARTER: i64 = 15 * 60 * 1000;
const HOUR: i64 = 3600;

/// How long a quota runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// From one full hour to the next; rolling: 60 minutes.
    Hour,
    /// From midnight to midnight; rolling: 24 hours.
    Day,
    /// From Monday to Sunday; rolling: 168 hours.
    Week,
    /// From the first to the last day; rolling: 30 days of 24 hours.
    Month,
}

/// A time zone of the IANA database, whose rules come with the program.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    name: Box<str>,
}

/// The windows of one period in one zone.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) period: Period,
    zone: Zone,
    /// The window that was looked at last, [packed](Window::packed); 0: none.
    present: AtomicU64,
}

/// One hour, day, week or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Which one: the number of its first quarter of an hour since 1970 for hours, the number of its first date since
    /// then for all others. A later window has a higher one, and a day is the same day in all zones.
    pub(super) tag: u64,
    /// Its first moment, in milliseconds.
    pub(super) start: i64,
    /// The first moment of the next.
    pub(super) end: i64,
}

// === impl Period ===

impl Period {
    /// Each there is.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Its place among all, which is part of what is kept on disk.
    pub(super) const fn place(self) -> u8 {
        match self {
            Self::Hour => 0,
            Self::Day => 1,
            Self::Week => 2,
            Self::Month => 3,
        }
    }

    /// How far ahead of the present window one may be that was begun before a clock was set back: a day, or one window.
    /// What is further ahead was begun by a clock that was wrong.
    pub(super) const fn lead(self) -> u64 {
        match self {
            Self::Hour => 96,
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 31,
        }
    }

    /// A sixtieth of the rolling period, in milliseconds.
    pub(super) const fn slot_millis(self) -> u64 {
        let hours: u64 = match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 168,
            Self::Month => 720,
        };
        hours * 60_000
    }
}

// === impl Zone ===

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
            name: "UTC".into(),
        }
    }

    /// By its name in the IANA database ("Europe/Berlin").
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn named(name: &str) -> Result<Self, LimitsError> {
        let zone = TimeZone::get(name).map_err(|_| LimitsError::Zone)?;
        Ok(Self {
            zone,
            name: name.into(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

// === impl Calendar ===

impl Calendar {
    pub(super) const fn new(period: Period, zone: Zone) -> Self {
        Self {
            period,
            zone,
            present: AtomicU64::new(0),
        }
    }

    pub(super) const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The window that `now` is in.
    pub(super) fn window(&self, now: UnixTime) -> Window {
        let kept = Window::unpacked(self.present.load(Ordering::Relaxed), self.period);
        if kept.start <= now.millis() && now.millis() < kept.end {
            return kept;
        }
        let window = self.find(now);
        if let Some(packed) = window.packed(self.period) {
            self.present.store(packed, Ordering::Relaxed);
        }
        window
    }

    /// When the window with this tag ends: it is `present`, or a later one that was begun before the clock was set back.
    pub(super) fn ends(&self, present: Window, tag: u64) -> UnixTime {
        match tag == present.tag {
            true => UnixTime::from_millis(present.end),
            false => UnixTime::from_millis(self.tagged(tag).end),
        }
    }

    #[cold]
    fn tagged(&self, tag: u64) -> Window {
        let tag = i64::try_from(tag).unwrap_or(i64::MAX);
        let first = match self.period {
            Period::Hour => tag.saturating_mul(QUARTER),
            _ => date(tag).map_or(i64::MAX, |date| self.first_moment(date)),
        };
        self.find(UnixTime::from_millis(first))
    }

    #[cold]
    fn find(&self, now: UnixTime) -> Window {
        let Ok(at) = Timestamp::from_millisecond(now.millis()) else {
            // Before or after all calendars there is one window only.
            return Window {
                tag: 0,
                start: i64::MIN,
                end: i64::MAX,
            };
        };
        match self.period {
            Period::Hour => self.hour(at),
            Period::Day | Period::Week | Period::Month => self.dates(at),
        }
    }

    fn hour(&self, at: Timestamp) -> Window {
        let zone = &self.zone.zone;
        let offset = |second: i64| {
            let at = Timestamp::from_second(second).unwrap_or(at);
            i64::from(zone.to_offset(at).seconds())
        };
        let past = |second: i64| (second + offset(second)).rem_euclid(HOUR);
        // Where the clock is moved by less than an hour, the full hour that it would have shown never was. So what it
        // showed is asked again, back to a full hour, and from there on to the next.
        let mut start = at.as_second() - past(at.as_second());
        while past(start) != 0 {
            start -= past(start);
        }
        loop {
            let mut end = start + 1;
            while past(end) != 0 {
                end += (HOUR - past(end)).min(HOUR / 4);
            }
            if at.as_second() < end {
                return Self::hours(start, end);
            }
            start = end;
        }
    }

    fn hours(start: i64, end: i64) -> Window {
        Window {
            tag: u64::try_from(start * 1000 / QUARTER).unwrap_or(0),
            start: start.saturating_mul(1000),
            end: end.saturating_mul(1000),
        }
    }

    fn dates(&self, at: Timestamp) -> Window {
        let today = at.to_zoned(self.zone.zone.clone()).date();
        let mut first = match self.period {
            Period::Hour | Period::Day => today,
            Period::Week => {
                let past = i64::from(today.weekday().to_monday_zero_offset());
                today.checked_sub(past.days()).unwrap_or(Date::MIN)
            }
            Period::Month => today.first_of_month(),
        };
        // Where the clock is put back over midnight, the date is yesterday's once more. The new day goes on then.
        loop {
            let next = self.next(first);
            let end = next.map_or(i64::MAX, |next| self.first_moment(next));
            match next {
                Some(next) if end <= at.as_millisecond() => first = next,
                _ => {
                    return Window {
                        tag: number(first),
                        start: self.first_moment(first),
                        end,
                    };
                }
            }
        }
    }

    fn next(&self, first: Date) -> Option<Date> {
        let next = match self.period {
            Period::Hour | Period::Day => first.checked_add(1.days()),
            Period::Week => first.checked_add(7.days()),
            Period::Month => first.checked_add(1.months()),
        };
        next.ok()
    }

    /// The first moment that has this date.
    fn first_moment(&self, date: Date) -> i64 {
        let zoned = date.to_zoned(self.zone.zone.clone());
        zoned.map_or(i64::MAX, |first| first.timestamp().as_millisecond())
    }
}

// === impl Window ===

impl Window {
    /// In one word: the first quarter of an hour in 24 bits, how many there are in 12, the date in 16. Nothing if the
    /// bounds are no quarters of hours, as before there were time zones.
    fn packed(self, period: Period) -> Option<u64> {
        let length = self.end.checked_sub(self.start)?;
        if self.start % QUARTER != 0 || length % QUARTER != 0 {
            return None;
        }
        let start = u64::try_from(self.start / QUARTER)
            .ok()
            .filter(|start| *start < 1 << 24)?;
        let length = u64::try_from(length / QUARTER)
            .ok()
            .filter(|length| *length < 1 << 12)?;
        let date = match period {
            Period::Hour => 0,
            _ => Some(self.tag).filter(|date| *date < 1 << 16)?,
        };
        Some(start << 28 | length << 16 | date)
    }

    fn unpacked(packed: u64, period: Period) -> Self {
        let (start, length, date) = (packed >> 28, packed >> 16 & 0xfff, packed & 0xffff);
        let millis = |quarters: u64| i64::try_from(quarters).unwrap_or(0) * QUARTER;
        Self {
            tag: match period {
                Period::Hour => start,
                _ => date,
            },
            start: millis(start),
            end: millis(start + length),
        }
    }
}

/// Days since 1970; 0 before.
fn number(date: Date) -> u64 {
    let since = Date::constant(1970, 1, 1).until(date);
    since.map_or(0, |since| u64::try_from(since.get_days()).unwrap_or(0))
}

fn date(number: i64) -> Option<Date> {
    let days = jiff::Span::new().try_days(number).ok()?;
    Date::constant(1970, 1, 1).checked_add(days).ok()
}

#[cfg(test)]
mod tests;
