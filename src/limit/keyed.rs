//! Tallies for callers whom nobody has announced: addresses, values of claims. The table has its size from the start.
//!
//! A key leads to a set of [`WAYS`] places, and has one of them while somebody counts under it. When a set is full, a new
//! key takes the place of the one that has least to lose: one whose time is over, or else the one that has used the least
//! part of its limits. Whoever was forgotten begins anew. So the error is in the caller's favour: one who comes among
//! more others than there are places may be admitted as often once more for each time that he is forgotten, and those
//! who have used most are forgotten last. Nobody is ever refused for what another has used, but by a chance of one in
//! 2^45 for each two keys. The hash has a key of chance, so nobody can choose whom to meet.
//!
//! A place changes hands by a word that names its key and counts who is using it at the moment. While somebody is, and
//! while requests are in flight that a limit counts, it does not. If all places of a set are held so, a new key is not
//! counted at all; [`Keyed::uncounted`] tells how often.
//!
//! Several threads may begin the same key at once, each in a place of its own. So a place is claimed first, and nobody
//! counts there; then one of the claims becomes the key's place, and the others are given up.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};
use std::hint;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use super::tally::Tally;
use crate::time::UnixTime;

/// Places of the table if nobody says otherwise: 8 MiB.
pub const PLACES: usize = 65_536;
/// Places that one key can have.
const WAYS: usize = 8;
const PIN_BITS: u32 = 16;
/// It is claimed for the key, and nobody's yet.
const CLAIM: u64 = 1 << (PIN_BITS - 1);
const PINS_MAX: u64 = CLAIM - 1;
/// What the owner is while the place is prepared.
const TAKEN: u64 = 1;
/// Each failure is another thread's success, and there are few who can have a place in one set.
const ATTEMPTS: usize = 64;

/// The table.
#[derive(Debug)]
pub struct Keyed {
    places: Box<[Place]>,
    chance: RandomState,
    forgotten: AtomicU64,
    uncounted: AtomicU64,
    claims: AtomicU64,
}

/// The word of a place that a thread claims for a key. It has a number in place of those who use it, so that none is
/// taken for a later one.
#[derive(Debug, Clone, Copy)]
struct Claim(u64);

/// Who it is, as a number. It is worth nothing in another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u64);

/// Alone on its cache lines, which processors fetch in pairs: two callers are not in each other's way.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place {
    /// 48 bits of the key, and how many use the place at the moment. Key 0: nobody's; and if it is in use ([`TAKEN`]), it
    /// is being prepared for somebody. Or a [`Claim`].
    owner: AtomicU64,
    /// What it is worth to its owner: until when in seconds, and how much of its limits is used, in parts of 2^16.
    worth: AtomicU64,
    tally: Tally,
}

/// A place that keeps its owner while this lives.
#[derive(Debug)]
pub(super) struct Pin<'t> {
    place: &'t Place,
    number: usize,
    /// The most that it was said to be worth while this lived.
    worth: Cell<u64>,
}

// === impl Keyed ===

impl Keyed {
    /// A table of so many places, rounded up to whole sets. `chance` decides who meets whom.
    pub fn new(places: usize, chance: RandomState) -> Self {
        let places = places.max(1).next_multiple_of(WAYS);
        Self {
            places: (0..places).map(|_| Place::default()).collect(),
            chance,
            forgotten: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
            claims: AtomicU64::new(0),
        }
    }

    /// The key of an address under the limits that `scope` names. IPv6 addresses count by their first 64 bits, which are
    /// one subscriber's at the least. Those without an address share one key.
    pub fn client(&self, scope: &str, address: Option<IpAddr>) -> Key {
        let network = address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        });
        Key(self.chance.hash_one((scope, network)))
    }

    /// The key of a text: the value of a claim, a client id, a subject.
    pub fn value(&self, scope: &str, value: &str) -> Key {
        Key(self.chance.hash_one((scope, value)))
    }

    /// The key of several texts together: who vouches for a subject, and the subject.
    pub fn values(&self, scope: &str, values: &[&str]) -> Key {
        Key(self.chance.hash_one((scope, values)))
    }

    /// How often somebody was forgotten who had still something to lose.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// How many requests were not counted, because all places that their keys could have were held.
    pub fn uncounted(&self) -> u64 {
        self.uncounted.load(Ordering::Relaxed)
    }

    /// How many bytes the table takes, whoever comes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.places)
    }

    /// The place of a key, if it has one.
    pub(super) fn find(&self, key: Key) -> Option<Pin<'_>> {
        let (first, set) = self.set(key)?;
        let own = |place: &Place| place.owner.load(Ordering::Relaxed) >> PIN_BITS == key.mark();
        let mut found = set.iter().zip(first..).filter(|(place, _)| own(place));
        found.find_map(|(place, number)| place.pin(key).then(|| Pin::new(place, number)))
    }

    /// The place of this number, if it is this key's.
    pub(super) fn at(&self, number: usize, key: Key) -> Option<Pin<'_>> {
        let place = self.places.get(number)?;
        place.pin(key).then(|| Pin::new(place, number))
    }

    /// A request that was in flight at the place of this number is no more. Whoever has come by it says so once.
    pub(super) fn leave(&self, number: usize) {
        if let Some(place) = self.places.get(number) {
            place.tally.leave();
        }
    }

    /// The place of a key, or one for it. Nothing if all that it could have are held.
    pub(super) fn find_or_begin(&self, key: Key, now: UnixTime) -> Option<Pin<'_>> {
        if let Some(pin) = self.find(key) {
            return Some(pin);
        }
        let begun = self.begin(key, now);
        if begun.is_none() {
            self.uncounted.fetch_add(1, Ordering::Relaxed);
        }
        begun
    }

    fn begin(&self, key: Key, now: UnixTime) -> Option<Pin<'_>> {
        let (first, set) = self.set(key)?;
        for _ in 0..ATTEMPTS {
            let free = set.iter().enumerate().filter_map(|(way, place)| {
                let owner = place.owner.load(Ordering::Relaxed);
                let held = owner & PINS_MAX != 0 || place.tally.in_flight() > 0;
                (!held).then(|| (place.worth_at(owner, now), owner, place, way))
            });
            let Some((worth, owner, place, way)) = free.min_by_key(|(worth, ..)| *worth) else {
                // Others may be about to begin the same key, here and there.
                if !help(set, key) {
                    return None;
                }
                match self.find(key) {
                    Some(pin) => return Some(pin),
                    None => continue,
                }
            };
            let taken = place
                .owner
                .compare_exchange(owner, TAKEN, Ordering::Acquire, Ordering::Relaxed);
            // Whoever was faster may have begun the same key.
            let found = self.find(key);
            // Somebody may have come and gone meanwhile, and have left a request in flight.
            let back = found.is_some() || place.tally.in_flight() > 0;
            if taken.is_ok() && back {
                place.owner.store(owner, Ordering::Release);
            }
            if found.is_some() {
                return found;
            }
            if taken.is_err() || back {
                continue;
            }
            if worth > 0 {
                self.forgotten.fetch_add(1, Ordering::Relaxed);
            }
            place.tally.clear();
            place.worth.store(0, Ordering::Relaxed);
            let claim = Claim::new(key, self.claims.fetch_add(1, Ordering::Relaxed));
            place.owner.store(claim.0, Ordering::SeqCst);
            settle(set, way, claim);
            let given_up = place
                .owner
                .compare_exchange(claim.0, 0, Ordering::SeqCst, Ordering::SeqCst);
            match given_up {
                Ok(_) => {}
                Err(TAKEN) => place.owner.store(0, Ordering::Release),
                Err(_) => return Some(Pin::new(place, first + way)),
            }
            if let Some(pin) = self.find(key) {
                return Some(pin);
            }
        }
        None
    }

    /// The places that a key can have, and the number of the first.
    fn set(&self, key: Key) -> Option<(usize, &[Place])> {
        let sets = u64::try_from(self.places.len() / WAYS).ok()?;
        let set = usize::try_from(key.0.checked_rem(sets)?).ok()?;
        let first = set * WAYS;
        Some((first, self.places.get(first..first + WAYS)?))
    }
}

/// Makes one of the places that claim the same key the key's: the first of them, unless there is one already. Whoever
/// comes by may do it for another, so nobody waits for a thread that stops in the middle. A claim is there before its
/// thread looks at the other places, so of two that do not see each other's, neither is late.
fn settle(set: &[Place], way: usize, claim: Claim) {
    for (other, place) in set.iter().enumerate().filter(|(other, _)| *other != way) {
        let mut owner = place.owner.load(Ordering::SeqCst);
        while owner >> PIN_BITS == claim.mark() {
            if owner & CLAIM == 0 {
                return;
            }
            if other < way {
                return settle(set, other, Claim(owner));
            }
            // It is held by its thread, which finds that it has lost it.
            let lost = place
                .owner
                .compare_exchange(owner, TAKEN, Ordering::SeqCst, Ordering::SeqCst);
            match lost {
                Ok(_) => break,
                Err(seen) => owner = seen,
            }
        }
    }
    if let Some(place) = set.get(way) {
        let settled = claim.mark() << PIN_BITS | 1;
        // If it fails, another has done it, or the claim was given up.
        let _ = place
            .owner
            .compare_exchange(claim.0, settled, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Settles a claim of this key that is there; whether somebody was about to begin one.
fn help(set: &[Place], key: Key) -> bool {
    let mut about = false;
    for (way, place) in set.iter().enumerate() {
        let owner = place.owner.load(Ordering::SeqCst);
        about |= owner == TAKEN;
        if owner & CLAIM != 0 && owner >> PIN_BITS == key.mark() {
            settle(set, way, Claim(owner));
            return true;
        }
    }
    if about {
        hint::spin_loop();
    }
    about
}

// === impl Claim ===

impl Claim {
    fn new(key: Key, number: u64) -> Self {
        Self(key.mark() << PIN_BITS | CLAIM | (number % PINS_MAX + 1))
    }

    const fn mark(self) -> u64 {
        self.0 >> PIN_BITS
    }
}

// === impl Key ===

impl Key {
    /// The bits that tell it from others in its set.
    const fn mark(self) -> u64 {
        let mark = self.0 >> PIN_BITS;
        if mark == 0 { 1 } else { mark }
    }
}

// === impl Place ===

impl Place {
    /// Holds it for this key, if it is still this key's.
    fn pin(&self, key: Key) -> bool {
        let pinned = self
            .owner
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |owner| {
                let room = owner & PINS_MAX < PINS_MAX;
                (room && owner & CLAIM == 0 && owner >> PIN_BITS == key.mark()).then(|| owner + 1)
            });
        pinned.is_ok()
    }

    /// What its owner would lose; 0: nothing.
    fn worth_at(&self, owner: u64, now: UnixTime) -> u64 {
        let worth = self.worth.load(Ordering::Relaxed);
        let (until, part) = (worth >> 16, worth & 0xffff);
        let over = u64::try_from(now.seconds()).is_ok_and(|now| until <= now);
        match owner == 0 || over {
            true => 0,
            // Who has used most is forgotten last; of two, the one whose time is over first.
            false => part << 40 | until,
        }
    }
}

// === impl Pin ===

impl<'t> Pin<'t> {
    const fn new(place: &'t Place, number: usize) -> Self {
        Self {
            place,
            number,
            worth: Cell::new(0),
        }
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.place.tally
    }

    /// Which place it is.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// How much of a limit is used, and until when that counts. Of several limits, the one that counts longest is what
    /// its owner would lose.
    pub(super) fn worth(&self, until: UnixTime, used: u64, limit: u64) {
        let seconds = u64::try_from(until.seconds()).unwrap_or(0).saturating_add(1);
        let part = used
            .min(limit)
            .saturating_mul(0xffff)
            .checked_div(limit)
            .unwrap_or(0);
        let worth = (seconds & ((1 << 40) - 1)) << 16 | part;
        if worth > self.worth.get() {
            self.worth.set(worth);
            self.place.worth.store(worth, Ordering::Relaxed);
        }
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.place.owner.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
