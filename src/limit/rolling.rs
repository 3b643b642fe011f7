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
//! written over, unless two clocks are a period apart.
//!
//! What is given back cannot make the count smaller; it is kept beside, for whoever comes in the same slot.
//!
//! A request whose moment lies before the head's slot is looked at from sixty slots before its moment, and counts in the
//! head's slot. Where the clock was set back by more than the period, the difference is added to it from then on: the slots
//! go on from where they were.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::calendar::Period;
use crate::time::UnixTime;

/// The most requests in a period: half of what the count holds.
pub(super) const REQUESTS_MAX: u64 = (1 << 35) - 1;
/// Slots of a period.
const SLOTS: u64 = 60;
/// What is looked at from a moment as long ago as that, and some more; a power of two.
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

/// How it is seen at a moment whose slot nobody may have begun.
#[derive(Debug, Clone, Copy)]
struct View {
    head: Mark,
    /// The last slot that was begun; the marks of later ones say what the head does.
    begun: u64,
    /// The slot of the moment.
    slot: u64,
    /// So many slots are added to the clock's.
    ahead: u64,
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
    /// How it stands. Nothing is written: whoever asks may ask of any moment.
    pub(super) fn room(&self, period: Period, now: UnixTime, requests: u64) -> Room {
        let (view, used) = self.seen(period, now);
        let remaining = self.remaining(view.head, used, requests);
        Room {
            remaining,
            reset: self.until(period, now, view, 0),
            wait: (remaining == 0).then(|| self.until(period, now, view, requests.saturating_sub(1))),
        }
    }

    /// Where the clock was set back by more than the period, the slots go on from where they were from now on. It is for
    /// whoever takes.
    pub(super) fn heed_clock(&self, period: Period, now: UnixTime) {
        self.slot(period, now);
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
            let slot = self.slot(period, now);
            let head = self.begin(slot);
            let Some(used) = self.used(head, slot) else {
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
                false => match self.take_spare(head, used, requests) {
                    Some(true) => used,
                    Some(false) => return Err(self.room(period, now, requests)),
                    None => continue,
                },
            };
            let view = View {
                head,
                begun: head.slot,
                slot,
                ahead: self.ahead.load(Ordering::SeqCst),
            };
            return Ok(Room {
                remaining: self.remaining(head, after, requests),
                reset: view.begins_in(period, now, head.slot + SLOTS + 1),
                wait: (over && after > used)
                    .then(|| self.until(period, now, view, requests.saturating_sub(1))),
            });
        }
    }

    /// Gives one back that was taken at `now`, if its slot is not over.
    pub(super) fn give_back(&self, period: Period, now: UnixTime) {
        let slot = self.slot(period, now);
        if Mark::of(self.head.load(Ordering::SeqCst)).slot == slot {
            self.add_spare(slot);
        }
    }

    /// What is kept on disk: the head and the marks that are still looked at, those that say the same as the one before
    /// left out.
    pub(super) fn kept(&self) -> (u64, impl Iterator<Item = u64>) {
        let head = Mark::of(self.head.load(Ordering::SeqCst));
        let mut before = None;
        let looked_at = head.slot.saturating_sub(SLOTS)..=head.slot;
        let marks = looked_at.filter_map(move |slot| {
            let mark = self.mark(slot).filter(|mark| mark.slot == slot)?;
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
        for slot in last.slot.saturating_sub(2 * SLOTS)..=last.slot {
            let known = marks.iter().rev().find(|mark| mark.slot <= slot);
            let known = known.or_else(|| marks.first());
            let count = known.map_or(last.count, |mark| mark.count);
            if let Some(place) = self.place(slot) {
                place.store(Mark { slot, count }.word(), Ordering::SeqCst);
            }
        }
        self.head.store(head, Ordering::SeqCst);
    }

    /// The slot of this moment, or the head's if the clock was set back far.
    fn slot(&self, period: Period, now: UnixTime) -> u64 {
        let ahead = self.ahead.load(Ordering::SeqCst);
        let head = Mark::of(self.head.load(Ordering::SeqCst));
        let view = View::new(period, now, head, ahead);
        if view.ahead != ahead {
            // Whoever is first says by how much.
            let _ = self
                .ahead
                .compare_exchange(ahead, view.ahead, Ordering::SeqCst, Ordering::SeqCst);
        }
        view.slot
    }

    /// How it would be once the slot of this moment had begun, and what would be used then.
    fn seen(&self, period: Period, now: UnixTime) -> (View, u64) {
        let ahead = self.ahead.load(Ordering::SeqCst);
        let head = Mark::of(self.head.load(Ordering::SeqCst));
        let mut view = View::new(period, now, head, ahead);
        loop {
            let first = view.slot.saturating_sub(SLOTS);
            match self.mark_seen(view, first) {
                // Written over by somebody whose clock is far ahead: that is the time.
                Some(mark) if mark.slot > first => view.go_on(mark.slot),
                Some(mark) => return (view, view.head.since(mark)),
                // There is always one.
                None => return (view, Mark::COUNT_MAX),
            }
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
            let first = slot.saturating_sub(2 * SLOTS).max(head.slot + 1);
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

    /// What was used by the head, seen from `slot`; nothing if the mark is written over by somebody whose clock is far
    /// ahead. Then that is the time, and it is begun.
    fn used(&self, head: Mark, slot: u64) -> Option<u64> {
        let first = slot.saturating_sub(SLOTS);
        let mark = self.mark(first)?;
        if mark.slot <= first {
            return Some(head.since(mark));
        }
        self.begin(mark.slot);
        None
    }

    /// How long until no more than `most` of what was used by the head are looked at.
    fn until(&self, period: Period, now: UnixTime, view: View, most: u64) -> Duration {
        let View { head, slot, .. } = view;
        let mark = |slot| self.mark_seen(view, slot).filter(|mark| mark.slot == slot);
        let latest = head.slot + SLOTS + 1;
        if mark(head.slot).is_some_and(|mark| head.since(mark) > most) {
            return view.begins_in(period, now, latest);
        }
        let looked_at = slot.saturating_sub(SLOTS)..=head.slot;
        let few = |first: u64| mark(first).is_some_and(|mark| head.since(mark) <= most);
        let begins = looked_at.zip(slot..).find(|(first, _)| few(*first));
        let begins = begins.map_or(latest, |(_, slot)| slot);
        view.begins_in(period, now, begins)
    }

    /// The mark in the place of this slot, as it would be once the view's slot had begun.
    fn mark_seen(&self, view: View, slot: u64) -> Option<Mark> {
        match slot > view.begun {
            true => Some(Mark { slot, ..view.head }),
            false => self.mark(slot),
        }
    }

    /// The mark in the place of this slot; it may be another's.
    fn mark(&self, slot: u64) -> Option<Mark> {
        self.place(slot)
            .map(|place| Mark::of(place.load(Ordering::SeqCst)))
    }

    fn place(&self, slot: u64) -> Option<&AtomicU64> {
        self.marks.get(usize::try_from(slot).ok()? % MARKS)
    }

    /// How many are left of the quota, with what was given back in this slot.
    fn remaining(&self, head: Mark, used: u64, requests: u64) -> u64 {
        let spare = Mark::of(self.spare.load(Ordering::SeqCst));
        let spare = if spare.slot == head.slot { spare.count } else { 0 };
        requests.saturating_add(spare).saturating_sub(used).min(requests)
    }

    /// Takes one that was given back, if that makes room; nothing if the head has changed meanwhile.
    fn take_spare(&self, head: Mark, used: u64, requests: u64) -> Option<bool> {
        let taken = self
            .spare
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |seen| {
                let spare = Mark::of(seen);
                let room = used < requests.saturating_add(spare.count);
                (spare.slot == head.slot && spare.count > 0 && room).then(|| seen - 1)
            });
        if taken.is_err() {
            return Some(false);
        }
        // What was used may be more by now; then it is given back once more, if its slot is not over.
        if self.head.load(Ordering::SeqCst) == head.word() {
            return Some(true);
        }
        self.add_spare(head.slot);
        None
    }

    fn add_spare(&self, slot: u64) {
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

// === impl View ===

impl View {
    /// The slot of this moment, or the head's if the clock was set back far.
    fn new(period: Period, now: UnixTime, head: Mark, ahead: u64) -> Self {
        let clock = u64::try_from(now.millis()).unwrap_or(0) / period.slot_millis();
        let slot = clock.saturating_add(ahead).min(Mark::SLOT_MAX);
        let mut view = Self {
            head: Mark {
                slot: head.slot.max(slot),
                ..head
            },
            begun: head.slot,
            slot,
            ahead,
        };
        if head.slot.saturating_sub(slot) > SLOTS {
            view.go_on(head.slot);
        }
        view
    }

    /// It is this slot, which is later than the clock says.
    fn go_on(&mut self, slot: u64) {
        self.ahead = self.ahead.saturating_add(slot.saturating_sub(self.slot));
        self.slot = slot;
        self.head.slot = self.head.slot.max(slot);
    }

    fn begins_in(self, period: Period, now: UnixTime, slot: u64) -> Duration {
        let slot = slot.saturating_sub(self.ahead);
        let begins = i64::try_from(slot.saturating_mul(period.slot_millis())).unwrap_or(i64::MAX);
        UnixTime::from_millis(begins).since(now)
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
