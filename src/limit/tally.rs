//! What one subject of limits has used: the words in which is counted, and nothing of what is promised.
//!
//! A tally belongs to an application, a subscription, an API; it is there before any limit and outlives all of them. There is
//! a word for each kind of limit and each period, so that a plan that comes to count by the day as well finds the month
//! as it was. What survives a restart is what runs for hours: quotas and bandwidth.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::calendar::Period;
use super::keyed::{Key, Keyed};
use super::rolling::Rolling;
use super::terms::Limits;
use super::word;
use crate::time::UnixTime;

/// What was used. A new one: nothing.
#[derive(Default)]
pub struct Tally {
    pub(super) rate: AtomicU64,
    pub(super) spike_arrest: AtomicU64,
    /// By [`Period::place`].
    quotas: [AtomicU64; Period::ALL.len()],
    /// Of the period that it was counted by last.
    pub(super) bytes: AtomicU64,
    /// By [`Period::place`], made when the first rolling quota counts.
    rolling: OnceLock<Box<[OnceLock<Rolling>; Period::ALL.len()]>>,
    pub(super) in_flight: AtomicU32,
    changed: AtomicBool,
}

/// Where somebody's tally is.
#[derive(Debug, Clone, Copy)]
pub enum TallyRef<'l> {
    /// It is the subject's own.
    Own(&'l Arc<Tally>),
    /// It is in the table, if there is a place for it.
    Keyed(&'l Arc<Keyed>, Key),
}

/// One word that survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Which word it is: a number that stays the same from version to version.
    pub slot: u8,
    /// What it says.
    pub word: u64,
}

/// The word of a calendar quota, by its period's place.
const QUOTA: u8 = 0;
const BYTES: u8 = 4;
/// The head of a rolling quota, by its period's place.
const HEAD: u8 = 8;
/// One of its marks.
const MARK: u8 = 16;

// === impl Tally ===

impl Tally {
    /// The words that survive a restart, of what was ever counted.
    pub fn kept(&self) -> impl Iterator<Item = Kept> {
        let kept = |slot: u8, word: &AtomicU64| Kept {
            slot,
            word: word.load(Ordering::Relaxed),
        };
        let quotas = Period::ALL
            .into_iter()
            .zip(&self.quotas)
            .map(move |(period, word)| kept(QUOTA + period.place(), word));
        let bytes = std::iter::once(kept(BYTES, &self.bytes));
        let rolling = Period::ALL.into_iter().flat_map(|period| {
            self.rolling(period).into_iter().flat_map(move |rolling| {
                let (head, marks) = rolling.kept();
                let place = period.place();
                let marks = marks.map(move |word| Kept {
                    slot: MARK + place,
                    word,
                });
                let head = Kept {
                    slot: HEAD + place,
                    word: head,
                };
                std::iter::once(head).chain(marks)
            })
        });
        quotas.chain(bytes).filter(|kept| kept.word != 0).chain(rolling)
    }

    /// Takes up what was kept, unless what is here is later. Words that it does not know say nothing. It is for the
    /// start, before anybody counts.
    pub fn restore(&self, kept: impl IntoIterator<Item = Kept>) {
        let mut heads = [0; Period::ALL.len()];
        let mut marks: [Vec<u64>; Period::ALL.len()] = Default::default();
        for Kept { slot, word } in kept {
            let later = |there: &AtomicU64| {
                // It always succeeds: the function never says no.
                let _ = there.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                    Some(word::later(seen, word))
                });
            };
            let place = usize::from(slot % 4);
            match slot & !3 {
                QUOTA => {
                    if let Some(there) = self.quotas.get(place) {
                        later(there);
                    }
                }
                BYTES if slot == BYTES => later(&self.bytes),
                HEAD => {
                    if let Some(head) = heads.get_mut(place) {
                        *head = word;
                    }
                }
                MARK => {
                    if let Some(marks) = marks.get_mut(place) {
                        marks.push(word);
                    }
                }
                _ => {}
            }
        }
        for (period, (head, marks)) in Period::ALL.into_iter().zip(heads.into_iter().zip(&marks)) {
            if head != 0
                && let Some(rolling) = self.rolling_begun(period)
            {
                rolling.restore(head, marks);
            }
        }
    }

    /// Whether something that is kept has changed since this was asked last.
    pub fn take_changed(&self) -> bool {
        // Whoever asks sees, in the words, all that was counted before.
        self.changed.load(Ordering::Relaxed) && self.changed.swap(false, Ordering::AcqRel)
    }

    /// How many requests are in flight that a limit on them counts.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The word of a calendar quota.
    pub(super) fn quota(&self, period: Period) -> &AtomicU64 {
        let [hour, day, week, month] = &self.quotas;
        match period {
            Period::Hour => hour,
            Period::Day => day,
            Period::Week => week,
            Period::Month => month,
        }
    }

    /// What a rolling quota counts in, if it has counted.
    pub(super) fn rolling(&self, period: Period) -> Option<&Rolling> {
        self.rolling.get()?.get(usize::from(period.place()))?.get()
    }

    /// The same, from the first time on.
    pub(super) fn rolling_begun(&self, period: Period) -> Option<&Rolling> {
        let all = self.rolling.get_or_init(Box::default);
        let one = all.get(usize::from(period.place()))?;
        Some(one.get_or_init(Rolling::default))
    }

    /// Something that is kept was counted. After it was counted, so that it is not missed for long.
    pub(super) fn mark_changed(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Takes a place among those in flight.
    pub(super) fn enter(&self, most: u32) -> bool {
        let entered = self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                (seen < most).then(|| seen.saturating_add(1))
            });
        entered.is_ok()
    }

    /// Gives it up.
    pub(super) fn leave(&self) {
        // It always succeeds: the function never says no.
        let _ = self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                Some(seen.saturating_sub(1))
            });
    }

    /// Bytes have passed.
    pub(super) fn count_bytes(&self, limits: &Limits, count: u64, now: UnixTime) {
        if let Some(bandwidth) = &limits.bandwidth {
            let calendar = &bandwidth.calendar;
            // It is counted, however much it is.
            let _ = word::take(
                &self.bytes,
                calendar.period,
                calendar.window(now),
                count,
                u64::MAX,
            );
            self.mark_changed();
        }
    }

    /// Forgets everything: it becomes somebody else's.
    pub(super) fn clear(&self) {
        let words = [&self.rate, &self.spike_arrest, &self.bytes];
        for word in words.into_iter().chain(&self.quotas) {
            word.store(0, Ordering::Relaxed);
        }
        self.in_flight.store(0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
