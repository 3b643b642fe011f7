//! Strangers in any number: the table stays as large as it is, and whoever behaves gets what is his. And who is forgotten
//! when there is no place for all.

use std::num::NonZeroU32;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use super::super::tests::chance::Chance;
use super::super::{
    Alignment, Level, LevelName, Limits, Period, Quota, Rate, TallyRef, Terms, Usage, Zone, acquire,
};
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn limits(terms: Terms) -> Arc<Limits> {
    Arc::new(Limits::new(terms).unwrap())
}

fn daily(requests: u64) -> Arc<Limits> {
    limits(Terms {
        quotas: vec![Quota::new(requests, Period::Day, Alignment::Calendar(Zone::utc())).unwrap()],
        ..Terms::default()
    })
}

fn try_acquire(table: &Arc<Keyed>, limits: &Arc<Limits>, key: Key, now: UnixTime) -> Option<Usage> {
    let level = Level {
        name: LevelName::Client,
        limits,
        tally: TallyRef::Keyed(table, key),
        requests: None,
    };
    acquire(&[level], now).ok()
}

/// An address of the flood: every other one of IPv6.
fn stranger(number: u64) -> IpAddr {
    let low = u32::try_from(number & 0xffff_ffff).unwrap();
    match number % 2 {
        0 => IpAddr::V4(low.into()),
        _ => {
            let network = u128::from(number) << 64 | 0x2001_0db8 << 96;
            IpAddr::V6((network | u128::from(number)).into())
        }
    }
}

/// Well-behaved callers among a flood of so many addresses: each uses what is his, and is never refused.
fn flood(strangers: u64) {
    const FRIENDS: u64 = 500;
    let table = Arc::new(Keyed::new(PLACES, RandomState::new()));
    let before = table.bytes();
    assert!(before <= 8 << 20, "{before} bytes");
    let limits = limits(Terms {
        rate: Some(Rate::new(10, SECOND, 10).unwrap()),
        quotas: vec![Quota::new(100, Period::Hour, Alignment::Calendar(Zone::utc())).unwrap()],
        ..Terms::default()
    });
    let ask = |address, now| {
        let key = table.client("open", Some(address));
        try_acquire(&table, &limits, key, now).is_some()
    };
    let friend = |number: u64| {
        IpAddr::from([
            10,
            1,
            u8::try_from(number / 250).unwrap(),
            u8::try_from(number % 250).unwrap(),
        ])
    };
    // One that does not behave, and would have a hundred in the hour.
    let greedy = IpAddr::from([10, 2, 0, 1]);
    let (mut greedy_admitted, mut refused) = (0, 0);
    // All in one hour: each friend asks 20 times, in turn, the greedy one as often as a friend.
    let every = strangers / (FRIENDS * 20);
    let mut turn = 0;
    for number in 0..strangers {
        let now = NOW.plus(Duration::from_millis(number * 3_000_000 / strangers));
        ask(stranger(number), now);
        if number % every == 0 {
            refused += u64::from(!ask(friend(turn % FRIENDS), now));
            greedy_admitted += u64::from(ask(greedy, now));
            turn += 1;
        }
    }
    assert!(turn >= FRIENDS * 20);
    assert_eq!(refused, 0, "who keeps to his limits is never refused");
    assert_eq!(table.bytes(), before);
    // Who has used most is forgotten last, so even among more strangers than there are places he gains nothing.
    assert_eq!(greedy_admitted, 100);
    assert_eq!(table.uncounted(), 0);
    // The strangers that are here no more have used one of their hundred each, and would find a new hundred.
    assert!(table.forgotten() > strangers / 2 || strangers < 1_000_000);
}

#[test]
fn a_million_strangers_take_nothing_from_anybody() {
    flood(1_000_000);
}

/// Part of `make endurance`.
#[test]
#[ignore = "ten times as long"]
fn ten_million_strangers_take_nothing_from_anybody() {
    flood(10_000_000);
}

#[test]
fn an_address_counts_by_its_network() {
    let table = Keyed::new(8, RandomState::new());
    let key = |text: &str| table.client("plan", Some(text.parse().unwrap()));
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    assert_ne!(
        key("192.0.2.1"),
        table.client("other", Some("192.0.2.1".parse().unwrap()))
    );
    assert_eq!(table.client("plan", None), table.client("plan", None));
    assert_ne!(table.value("plan", "a"), table.value("plan", "b"));
    assert_ne!(table.value("plan", "a"), table.value("plana", ""));
}

#[test]
fn who_has_least_to_lose_is_forgotten_first_and_begins_anew() {
    // One set of eight.
    let table = Arc::new(Keyed::new(1, RandomState::new()));
    let limits = daily(10);
    let key = |number: u64| table.value("plan", &number.to_string());
    let ask = |number| try_acquire(&table, &limits, key(number), NOW).is_some();
    for number in 0..8 {
        for _ in 0..=number {
            assert!(ask(number));
        }
    }
    assert_eq!(table.forgotten(), 0);
    // The ninth takes the place of the first, which has used least.
    assert!(ask(100));
    assert_eq!(table.forgotten(), 1);
    for number in 1..8 {
        assert!(table.find(key(number)).is_some(), "{number}");
    }
    // The eighth has used eight of ten, and still has.
    assert!(ask(7) && ask(7) && !ask(7));
    // A day later nobody has anything to lose.
    let later = NOW.plus(SECOND * 86_400);
    for number in 200..208 {
        assert!(try_acquire(&table, &limits, key(number), later).is_some());
    }
    assert_eq!(table.forgotten(), 1);
}

#[test]
fn a_place_is_kept_while_a_request_is_in_flight() {
    let table = Arc::new(Keyed::new(1, RandomState::new()));
    let limits = limits(Terms {
        concurrency: NonZeroU32::new(1),
        ..Terms::default()
    });
    let key = |number: u64| table.value("plan", &number.to_string());
    let ask = |number| try_acquire(&table, &limits, key(number), NOW);
    let mut held: Vec<Usage> = (0..8).map(|number| ask(number).unwrap()).collect();
    for number in 0..8 {
        assert!(ask(number).is_none(), "{number} has one in flight");
    }
    // There is no place for a ninth: it passes uncounted, as often as it likes.
    assert!(ask(9).is_some() && ask(9).is_some());
    assert_eq!(table.uncounted(), 2);
    held.pop();
    let ninth = ask(9).unwrap();
    assert!(ask(9).is_none());
    assert_eq!((table.uncounted(), table.forgotten()), (2, 0));
    drop((held, ninth));
    assert!((0..8).all(|number| ask(number).is_some()));
}

#[test]
fn threads_that_fight_for_places_never_charge_one_for_another() {
    // Forty keys for eight places. Each asks less often in all than it may, so nobody may be refused, whoever is forgotten.
    const THREADS: u64 = 4;
    for seed in 0..20 {
        let table = Arc::new(Keyed::new(1, RandomState::new()));
        let limits = limits(Terms {
            quotas: vec![Quota::new(100, Period::Day, Alignment::Calendar(Zone::utc())).unwrap()],
            concurrency: NonZeroU32::new(8),
            ..Terms::default()
        });
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (table, limits) = (&table, &limits);
                scope.spawn(move || {
                    let mut chance = Chance::new(seed * THREADS + thread);
                    for turn in 0..1000 {
                        let number = turn % 40;
                        let key = table.value("plan", &number.to_string());
                        let usage = try_acquire(table, limits, key, NOW);
                        assert!(usage.is_some(), "seed {seed}: {number} is within its limits");
                        chance.pause();
                    }
                });
            }
        });
        // Nobody is in flight any more, and nobody holds a place.
        for place in &table.places {
            assert_eq!(place.tally.in_flight(), 0);
            assert_eq!(place.owner.load(Ordering::Relaxed) & PINS_MAX, 0);
        }
    }
}

#[test]
fn a_key_that_many_begin_at_once_has_one_place() {
    const THREADS: u64 = 8;
    const RUNS: u64 = 2000;
    let one_in_flight = limits(Terms {
        concurrency: NonZeroU32::new(1),
        ..Terms::default()
    });
    let one_at_once = limits(Terms {
        rate: Some(Rate::new(1, SECOND * 60, 1).unwrap()),
        ..Terms::default()
    });
    for limits in [one_in_flight, one_at_once] {
        let table = Arc::new(Keyed::new(1, RandomState::new()));
        let together = Barrier::new(usize::try_from(THREADS).unwrap());
        let admitted: Vec<_> = (0..RUNS).map(|_| AtomicU64::new(0)).collect();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (table, limits, together, admitted) = (&table, &limits, &together, &admitted);
                scope.spawn(move || {
                    let mut chance = Chance::new(thread);
                    for (run, admitted) in (0..).zip(admitted) {
                        let key = table.value("plan", &run.to_string());
                        // What was used before is over.
                        let now = NOW.plus(SECOND * 3600 * run);
                        together.wait();
                        chance.pause();
                        let usage = try_acquire(table, limits, key, now);
                        admitted.fetch_add(u64::from(usage.is_some()), Ordering::Relaxed);
                        together.wait();
                    }
                });
            }
        });
        for (run, admitted) in admitted.iter().enumerate() {
            assert_eq!(admitted.load(Ordering::Relaxed), 1, "run {run}");
        }
        assert_eq!(table.uncounted(), 0);
        for place in &table.places {
            assert_eq!(place.tally.in_flight(), 0);
            assert_eq!(place.owner.load(Ordering::Relaxed) & (PINS_MAX | CLAIM), 0);
        }
    }
}
