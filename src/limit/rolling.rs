//! So many requests in any stretch of a period's length, whenever it begins, counted without a lock and without a log.
//!
//! Time is cut into slots of a sixtieth of the period. One word, the head, says which slot is the last that was begun,
//! and how many requests were ever admitted; a mark for each slot says how many those were when it began. What was used
//! is the difference between the head and the mark of sixty slots ago, so at least the whole period is looked at, and at
//! most a sixtieth more. To admit is one compare-exchange of the head.
//!
//! To begin a slot is to write its mark first, then to change the head. A mark is written after the head was read, and
//! never over one that was not read before that; the count only grows. So when the head is changed from what was read, the
//! mark says the same as the head did, whoever wrote it: nobody has to wait for a thread that stops in the middle, for
//! everybody can do what it left undone. There are twice as many marks as are looked at, so none that is looked at is
//! written over, unless two clocks are more than a period apart.
//!
//! What is given back cannot make the count smaller; it is kept beside, for whoever comes in the same slot.
//!
//! A moment before the head's slot counts as in that slot. Where the clock was set back by more than the period, the
//! difference is added to it from then on: the slots go on from where they were.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::calendar::Period;
use crate::time::UnixTime;

/// The most requests in a period: half of what the count holds.
pub(super) const REQUESTS_MAX: u64 = (1 << 35) - 1;
/// Slots of a period.
const SLOTS: u64 = 60;
/// Twice what is looked at, and a power of two.
const MARKS: usize = 128;
const COUNT_BITS: u32 = 36;

/// What was used lately.
#[derive(Debug)]
pub(super) struct Rolling {
    head: AtomicU64,
    marks: [AtomicU64; MARKS],
    /// What was given back in the slot that it names.
    spare: AtomicU64,
    /// So many slots are added to the clock's.
    ahead: AtomicU64,
}

/// How it stands, in one quota's measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) remaining: u64,
    /// When everything is there again.
    pub(super) reset: Duration,
    /// None is there, for so long.
    pub(super) wait: Option<Duration>,
}

/// A slot and a count in one word: the slot in 28 bits, the count modulo 2^36 in the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    slot: u64,
    count: u64,
}

// === impl Rolling ===

impl Default for Rolling {
    fn default() -> Self {
        Self {
            head: AtomicU64::new(0),
            marks: array::from_fn(|_| AtomicU64::new(0)),
            spare: AtomicU64::new(0),
            ahead: AtomicU64::new(0),
        }
    }
}

impl Rolling {
    /// How it stands.
    pub(super) fn room(&self, period: Period, now: UnixTime, requests: u64) -> Room {
        loop {
            let head = self.begin(self.slot(period, now));
            if let Some(used) = self.used(head) {
                let left = requests.saturating_sub(used);
                let remaining = left.saturating_add(self.spare(head.slot)).min(requests);
                return Room {
                    remaining,
                    reset: self.until(period, now, head, 0),
                    wait: (remaining == 0).then(|| self.until(period, now, head, requests.saturating_sub(1))),
                };
            }
        }
    }

    /// Admits one request, or one beyond the quota if `always`.
    ///
    /// # Errors
    /// How it stands, if there is no room.
    pub(super) fn take(
        &self,
        period: Period,
        now: UnixTime,
        requests: u64,
        always: bool,
    ) -> Result<Room, Room> {
        loop {
            let head = self.begin(self.slot(period, now));
            let Some(used) = self.used(head) else {
                continue;
            };
            let over = used >= requests;
            let after = match !over || always {
                true => {
                    let next = head.counted();
                    let seen = self.head.compare_exchange(
                        head.word(),
                        next.word(),
                        Ordering::SeqCst,
                        Ordering::SeqCst,
                    );
                    if seen.is_err() {
                        continue;
                    }
                    used + 1
                }
                false if self.take_spare(head.slot) => used,
                false => return Err(self.room(period, now, requests)),
            };
            let left = requests.saturating_sub(after);
            return Ok(Room {
                remaining: left.saturating_add(self.spare(head.slot)).min(requests),
                reset: self.begins_in(period, now, head.slot + SLOTS + 1),
                wait: (over && after > used)
                    .then(|| self.until(period, now, head, requests.saturating_sub(1))),
            });
        }
    }

    /// Gives one back that was taken at `now`, if its slot is not over.
    pub(super) fn give_back(&self, period: Period, now: UnixTime) {
        let slot = self.slot(period, now);
        let head = Mark::of(self.head.load(Ordering::SeqCst));
        if head.slot == slot {
            // What stands for an earlier slot is worth nothing any more; what stands for a later one is not ours.
            let _ = self
                .spare
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |seen| {
                    let spare = Mark::of(seen);
                    let count = if spare.slot == slot { spare.count } else { 0 };
                    let next = Mark { slot, count }.counted();
                    (spare.slot <= slot).then(|| next.word())
                });
        }
    }

    /// What is kept on disk: the head and the marks that are still looked at, those that say the same as the one before
    /// left out.
    pub(super) fn kept(&self) -> (u64, impl Iterator<Item = u64>) {
        let head = Mark::of(self.head.load(Ordering::SeqCst));
        let mut before = None;
        let looked_at = head.slot.saturating_sub(SLOTS)..=head.slot;
        let marks = looked_at.filter_map(move |slot| {
            let mark = self.mark(slot)?;
            let new = before != Some(mark.count);
            before = Some(mark.count);
            new.then(|| mark.word())
        });
        (head.word(), marks)
    }

    /// Takes what was kept, if it is of later than what there is.
    pub(super) fn restore(&self, head: u64, marks: &[u64]) {
        if head <= self.head.load(Ordering::SeqCst) {
            return;
        }
        let last = Mark::of(head);
        let mut marks: Vec<Mark> = marks.iter().map(|word| Mark::of(*word)).collect();
        marks.sort_unstable_by_key(|mark| mark.slot);
        for slot in last.slot.saturating_sub(SLOTS)..=last.slot {
            let known = marks.iter().rev().find(|mark| mark.slot <= slot);
            // Without a mark nothing was used before.
            let count = known.map_or(0, |mark| mark.count);
            if let Some(place) = self.place(slot) {
                place.store(Mark { slot, count }.word(), Ordering::SeqCst);
            }
        }
        self.head.store(head, Ordering::SeqCst);
    }

    /// The slot of this moment, or the head's if the clock was set back far.
    fn slot(&self, period: Period, now: UnixTime) -> u64 {
        let clock = u64::try_from(now.millis()).unwrap_or(0) / period.slot_millis();
        let ahead = self.ahead.load(Ordering::SeqCst);
        let slot = clock.saturating_add(ahead);
        let head = Mark::of(self.head.load(Ordering::SeqCst)).slot;
        match head.checked_sub(slot) {
            Some(behind) if behind > SLOTS => {
                // Whoever is first says by how much.
                let _ =
                    self.ahead
                        .compare_exchange(ahead, ahead + behind, Ordering::SeqCst, Ordering::SeqCst);
                head
            }
            _ => slot.min(Mark::SLOT_MAX),
        }
    }

    /// The head, once `slot` or a later one has begun.
    fn begin(&self, slot: u64) -> Mark {
        loop {
            let seen = self.head.load(Ordering::SeqCst);
            let head = Mark::of(seen);
            if head.slot >= slot {
                return head;
            }
            let first = slot.saturating_sub(SLOTS).max(head.slot + 1);
            if !(first..=slot).all(|slot| self.write_mark(seen, Mark { slot, ..head })) {
                continue;
            }
            let next = Mark { slot, ..head };
            let changed = self
                .head
                .compare_exchange(seen, next.word(), Ordering::SeqCst, Ordering::SeqCst);
            if changed.is_ok() {
                return next;
            }
        }
    }

    /// Whether the mark is there, while the head is still as it was seen.
    fn write_mark(&self, head: u64, mark: Mark) -> bool {
        let Some(place) = self.place(mark.slot) else {
            return false;
        };
        loop {
            // In this order: what is written over was there before the head was as it is.
            let there = place.load(Ordering::SeqCst);
            if self.head.load(Ordering::SeqCst) != head {
                return false;
            }
            // That of a later slot is as good: who wrote it is about to begin that.
            if there == mark.word() || Mark::of(there).slot > mark.slot {
                return true;
            }
            let written = place.compare_exchange(there, mark.word(), Ordering::SeqCst, Ordering::SeqCst);
            if written.is_ok() {
                return true;
            }
        }
    }

    /// What was used by the head; nothing if the mark is written over by somebody whose clock is far ahead. Then that is
    /// the time, and it is begun.
    fn used(&self, head: Mark) -> Option<u64> {
        let first = head.slot.saturating_sub(SLOTS);
        let word = self.place(first)?.load(Ordering::SeqCst);
        let mark = Mark::of(word);
        if mark.slot == first {
            return Some(head.since(mark));
        }
        self.begin(mark.slot);
        None
    }

    /// How long until no more than `most` of what was used by the head are looked at.
    fn until(&self, period: Period, now: UnixTime, head: Mark, most: u64) -> Duration {
        let looked_at = head.slot.saturating_sub(SLOTS)..=head.slot;
        let later = looked_at
            .zip(head.slot..)
            .find(|(first, _)| self.mark(*first).is_some_and(|mark| head.since(mark) <= most));
        let slot = later.map_or(head.slot + SLOTS + 1, |(_, slot)| slot);
        self.begins_in(period, now, slot)
    }

    fn begins_in(&self, period: Period, now: UnixTime, slot: u64) -> Duration {
        let slot = slot.saturating_sub(self.ahead.load(Ordering::SeqCst));
        let begins = i64::try_from(slot.saturating_mul(period.slot_millis())).unwrap_or(i64::MAX);
        UnixTime::from_millis(begins).since(now)
    }

    fn mark(&self, slot: u64) -> Option<Mark> {
        let mark = Mark::of(self.place(slot)?.load(Ordering::SeqCst));
        (mark.slot == slot).then_some(mark)
    }

    fn place(&self, slot: u64) -> Option<&AtomicU64> {
        self.marks.get(usize::try_from(slot).ok()? % MARKS)
    }

    fn spare(&self, slot: u64) -> u64 {
        let spare = Mark::of(self.spare.load(Ordering::SeqCst));
        if spare.slot == slot { spare.count } else { 0 }
    }

    fn take_spare(&self, slot: u64) -> bool {
        let taken = self
            .spare
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |seen| {
                let spare = Mark::of(seen);
                (spare.slot == slot && spare.count > 0).then(|| seen - 1)
            });
        taken.is_ok()
    }
}

// === impl Mark ===

impl Mark {
    /// Slots of a minute last until the year 2480.
    const SLOT_MAX: u64 = (1 << 28) - 1;
    const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

    const fn of(word: u64) -> Self {
        Self {
            slot: word >> COUNT_BITS,
            count: word & Self::COUNT_MAX,
        }
    }

    const fn word(self) -> u64 {
        self.slot << COUNT_BITS | self.count
    }

    const fn counted(self) -> Self {
        Self {
            count: self.count.wrapping_add(1) & Self::COUNT_MAX,
            ..self
        }
    }

    /// How many were counted since.
    const fn since(self, earlier: Self) -> u64 {
        self.count.wrapping_sub(earlier.count) & Self::COUNT_MAX
    }
}

#[cfg(test)]
mod tests;
