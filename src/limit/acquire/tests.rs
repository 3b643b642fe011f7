//! Requests against several limits at once: what each of them is left with, who is asked to wait how long, and that
//! nothing is taken from anybody for a request that is denied. Then with threads that race for the last one.

use std::num::NonZeroU32;
use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::thread;

use super::super::tests::chance::Chance;
use super::super::{Alignment, Keyed, SpikeArrest, Terms, Zone};
use super::*;

/// A Monday, at midnight.
const NOW: UnixTime = UnixTime::from_seconds(1_799_625_600);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

fn rate(requests: u64, per: Duration) -> Option<Rate> {
    Some(Rate::new(requests, per, requests).unwrap())
}

fn daily(requests: u64) -> Quota {
    Quota::new(requests, Period::Day, Alignment::Calendar(Zone::utc())).unwrap()
}

fn limits(terms: Terms) -> Arc<Limits> {
    Arc::new(Limits::new(terms).unwrap())
}

/// Somebody's limits, and what was used of them.
struct Party {
    name: LevelName,
    limits: Arc<Limits>,
    tally: Arc<Tally>,
}

impl Party {
    fn new(name: LevelName, terms: Terms) -> Self {
        Self {
            name,
            limits: limits(terms),
            tally: Arc::default(),
        }
    }

    fn level(&self) -> Level<'_> {
        Level {
            name: self.name,
            limits: &self.limits,
            tally: TallyRef::Own(&self.tally),
            requests: None,
        }
    }

    fn acquire(&self, now: UnixTime) -> Result<Usage, Exceeded> {
        acquire(&[self.level()], now)
    }

    fn left(&self, now: UnixTime) -> Vec<u64> {
        let mut left = Vec::new();
        let _ = ask(&[self.level()], now, &mut |standing| {
            left.push(standing.remaining)
        });
        left
    }
}

#[test]
fn the_nearest_limit_is_told_and_the_longest_wait() {
    let plan = Party::new(
        LevelName::Plan,
        Terms {
            rate: rate(3, SECOND),
            quotas: vec![
                daily(5),
                Quota::new(100, Period::Month, Alignment::Rolling).unwrap(),
            ],
            ..Terms::default()
        },
    );
    let at = |millis| NOW.plus(Duration::from_millis(millis));
    let day = 86_400;
    // When; what is left, of how many, reset in whole seconds; or what is exceeded, and when to come again.
    for (millis, expected) in [
        (0, Ok((2, 3, 1))),
        (0, Ok((1, 3, 1))),
        (0, Ok((0, 3, 1))),
        (0, Err(("rate", 3, 1, 1))),
        (999, Ok((1, 5, day))),
        (2500, Ok((0, 5, day - 2))),
        (2500, Err(("quota", 5, day - 2, day - 2))),
        (86_399_999, Err(("quota", 5, 1, 1))),
        (86_400_000, Ok((2, 3, 1))),
    ] {
        let told = plan.acquire(at(millis));
        let told = told.map(|usage| {
            assert_eq!(usage.admitted().count(), 2);
            assert_eq!(usage.reported().count(), 0);
            let tightest = usage.tightest().unwrap();
            (tightest.remaining, tightest.limit, tightest.reset_seconds())
        });
        let told = told.map_err(|exceeded| {
            assert_eq!(exceeded.level, LevelName::Plan);
            let (reset, retry) = (exceeded.reset_seconds(), exceeded.retry_after_seconds());
            (exceeded.kind.name(), exceeded.limit, reset, retry)
        });
        assert_eq!(told, expected, "at {millis} ms");
    }
}

#[test]
fn whoever_waits_as_long_as_he_is_told_is_not_refused() {
    let mut chance = Chance::new(17);
    for _ in 0..300 {
        let mut some = |end| 1 + chance.next() % end;
        let plan = Party::new(
            LevelName::Plan,
            Terms {
                rate: Some(Rate::new(some(50), Duration::from_millis(some(5000)), some(5)).unwrap()),
                spike_arrest: Some(SpikeArrest::new(some(20), SECOND * 10, 1).unwrap()),
                quotas: vec![
                    Quota::new(some(60), Period::Hour, Alignment::Rolling).unwrap(),
                    daily(some(90)),
                ],
                ..Terms::default()
            },
        );
        let mut now = NOW.plus(Duration::from_millis(some(86_400_000)));
        for _ in 0..200 {
            match plan.acquire(now) {
                Ok(_) if some(3) == 1 => now = now.plus(Duration::from_millis(some(100_000))),
                Ok(_) => {}
                Err(exceeded) => {
                    now = now.plus(Duration::from_secs(exceeded.retry_after_seconds()));
                    assert!(plan.acquire(now).is_ok(), "{exceeded:?}");
                }
            }
        }
    }
}

#[test]
fn a_denied_request_takes_nothing_from_anybody() {
    // The level that is exceeded, and what each level has left afterwards.
    let terms = |most: u64| Terms {
        rate: rate(most, DAY / 24),
        quotas: vec![
            daily(most),
            Quota::new(most, Period::Hour, Alignment::Rolling).unwrap(),
        ],
        concurrency: NonZeroU32::new(u32::try_from(most).unwrap()),
        ..Terms::default()
    };
    let names = [
        LevelName::Api,
        LevelName::Route,
        LevelName::Plan,
        LevelName::Application,
    ];
    for (place, exceeded) in names.into_iter().enumerate() {
        let parties = names.map(|name| Party::new(name, terms(if name == exceeded { 2 } else { 9 })));
        let levels: Vec<Level<'_>> = parties.iter().map(Party::level).collect();
        let held = [acquire(&levels, NOW).unwrap(), acquire(&levels, NOW).unwrap()];
        for _ in 0..100 {
            assert_eq!(acquire(&levels, NOW).unwrap_err().level, exceeded);
            assert!(ask(&levels, NOW, &mut |_| {}).is_err());
        }
        for (other, party) in parties.iter().enumerate() {
            let left = if other == place { 0 } else { 7 };
            assert_eq!(party.left(NOW), [left; 4], "{exceeded:?}: {:?}", party.name);
        }
        assert_eq!(parties.each_ref().map(|party| party.tally.in_flight()), [2; 4]);
        drop(held);
        for (other, party) in parties.iter().enumerate() {
            let [.., concurrency] = party.left(NOW)[..] else {
                panic!("four limits")
            };
            assert_eq!(concurrency, if other == place { 2 } else { 9 });
        }
    }
}

#[test]
fn any_levels_deny_if_one_does_and_take_from_all_or_none() {
    let mut chance = Chance::new(23);
    for _ in 0..300 {
        let names = [
            LevelName::Api,
            LevelName::Plan,
            LevelName::Application,
            LevelName::Claim,
        ];
        let parties = names.map(|name| {
            let mut some = |end| 1 + chance.next() % end;
            let terms = Terms {
                rate: (some(2) == 1).then(|| rate(some(9), SECOND).unwrap()),
                spike_arrest: (some(3) == 1).then(|| SpikeArrest::new(some(9), SECOND, 1).unwrap()),
                quotas: (0..some(3) - 1)
                    .map(|number| match number {
                        0 => daily(some(30)),
                        _ => Quota::new(some(30), Period::Hour, Alignment::Rolling).unwrap(),
                    })
                    .collect(),
                ..Terms::default()
            };
            Party::new(name, terms)
        });
        let levels: Vec<Level<'_>> = parties.iter().map(Party::level).collect();
        let mut now = NOW;
        for _ in 0..60 {
            now = now.plus(Duration::from_millis(chance.next() % 400));
            let before: Vec<Vec<u64>> = parties.iter().map(|party| party.left(now)).collect();
            let room = before.iter().flatten().all(|left| *left > 0);
            let asked = ask(&levels, now, &mut |_| {});
            let took = acquire(&levels, now);
            assert_eq!(took.is_ok(), room, "passes if all have room, and only then");
            assert_eq!(asked.err(), took.as_ref().err().copied());
            let one = u64::from(took.is_ok());
            let after: Vec<Vec<u64>> = parties.iter().map(|party| party.left(now)).collect();
            let expected: Vec<Vec<u64>> = before
                .iter()
                .map(|left| left.iter().map(|left| left - one).collect())
                .collect();
            assert_eq!(after, expected);
            if let Ok(usage) = took {
                let least = after.iter().flatten().min().copied();
                assert_eq!(usage.tightest().map(|tightest| tightest.remaining), least);
            }
        }
    }
}

#[test]
fn what_only_reports_lets_pass_and_goes_on_counting() {
    let terms = |on_exceed| Terms {
        rate: rate(2, SECOND),
        quotas: vec![daily(3)],
        concurrency: NonZeroU32::new(1),
        on_exceed,
        ..Terms::default()
    };
    let plan = Party::new(LevelName::Plan, terms(OnExceed::Report));
    let mut held = Vec::new();
    for expected in [
        &[][..],
        &[LimitKind::Concurrency],
        &[LimitKind::Rate, LimitKind::Concurrency],
        &[LimitKind::Rate, LimitKind::Quota, LimitKind::Concurrency],
    ] {
        let usage = plan.acquire(NOW).unwrap();
        let reported: Vec<LimitKind> = usage.reported().map(|(_, kind)| kind).collect();
        assert_eq!(reported, expected);
        assert_eq!(usage.admitted().count() + reported.len(), 3);
        held.push(usage);
    }
    assert_eq!(held.last().unwrap().tightest().unwrap().remaining, 0);
    assert_eq!(plan.tally.in_flight(), 4);
    // Beside one that denies, it does not decide, and takes nothing for what is denied.
    let api = Party::new(LevelName::Api, terms(OnExceed::Deny));
    let kept = acquire(&[api.level(), plan.level()], NOW).unwrap();
    for _ in 0..5 {
        let denied = acquire(&[plan.level(), api.level()], NOW).unwrap_err();
        assert_eq!(
            (denied.level, denied.kind),
            (LevelName::Api, LimitKind::Concurrency)
        );
    }
    assert_eq!(plan.tally.in_flight(), 5);
    drop((held, kept));
    assert_eq!((plan.tally.in_flight(), api.tally.in_flight()), (0, 0));
}

#[test]
fn a_claim_bounds_what_the_plan_allows() {
    let plan = Party::new(
        LevelName::Claim,
        Terms {
            rate: rate(10, SECOND),
            quotas: vec![daily(8), Quota::new(6, Period::Day, Alignment::Rolling).unwrap()],
            ..Terms::default()
        },
    );
    for (claim, expected) in [
        (None, [10, 8, 6]),
        (Some(7), [7, 7, 6]),
        (Some(1), [1; 3]),
        (Some(99), [10, 8, 6]),
    ] {
        let level = Level {
            requests: claim.and_then(NonZeroU64::new),
            ..plan.level()
        };
        let mut limits = Vec::new();
        ask(&[level], NOW, &mut |standing| limits.push(standing.limit)).unwrap();
        assert_eq!(limits, expected, "{claim:?}");
    }
    let level = Level {
        requests: NonZeroU64::new(1),
        ..plan.level()
    };
    assert!(acquire(&[level], NOW).is_ok());
    assert!(acquire(&[level], NOW).is_err());
    assert!(plan.acquire(NOW.plus(SECOND)).is_ok());
}

#[test]
fn bytes_are_counted_as_they_pass_and_deny_the_next() {
    let plan = Party::new(
        LevelName::Plan,
        Terms {
            bandwidth: Some(Bandwidth::new(1000, Period::Hour, Zone::utc()).unwrap()),
            ..Terms::default()
        },
    );
    let usage = plan.acquire(NOW).unwrap();
    assert!(usage.counts_bytes() && usage.tightest().is_none());
    usage.bytes(999, NOW);
    let other = plan.acquire(NOW).unwrap();
    other.bytes(500, NOW);
    let denied = plan.acquire(NOW).unwrap_err();
    assert_eq!((denied.kind, denied.limit), (LimitKind::Bandwidth, 1000));
    assert_eq!(denied.retry_after_seconds(), 3600);
    // What is still on its way counts when it passes.
    let next = NOW.plus(SECOND * 3600);
    usage.bytes(1, next);
    assert_eq!(plan.left(next), [999]);
    let no_bytes = Party::new(LevelName::Plan, Terms::default());
    assert!(!no_bytes.acquire(NOW).unwrap().counts_bytes());
}

#[test]
fn a_change_of_plan_applies_to_what_is_running() {
    let gold = Party::new(
        LevelName::Plan,
        Terms {
            quotas: vec![daily(100)],
            ..Terms::default()
        },
    );
    for _ in 0..60 {
        gold.acquire(NOW).unwrap();
    }
    for (most, left) in [(50, 0), (80, 20), (60, 0), (61, 1)] {
        let other = Party {
            tally: Arc::clone(&gold.tally),
            ..Party::new(
                LevelName::Plan,
                Terms {
                    quotas: vec![daily(most)],
                    ..Terms::default()
                },
            )
        };
        assert_eq!(other.left(NOW), [left], "{most}");
        assert_eq!(other.acquire(NOW).is_ok(), left > 0);
        if left > 0 {
            give_back_quota(&other.limits.quotas[0], &other.tally, NOW);
        }
    }
}

#[test]
fn a_clock_that_is_set_back_an_hour_gives_nothing_twice() {
    let hour = SECOND * 3600;
    for period in Period::ALL {
        let plan = Party::new(
            LevelName::Plan,
            Terms {
                quotas: vec![Quota::new(2, period, Alignment::Calendar(Zone::utc())).unwrap()],
                ..Terms::default()
            },
        );
        plan.acquire(NOW.minus(hour)).unwrap();
        plan.acquire(NOW.minus(hour)).unwrap();
        // The next hour, day and week have begun, and half of what they bring is used.
        let begun = if period == Period::Month {
            NOW.plus(DAY * 15)
        } else {
            NOW
        };
        let expected = usize::from(period != Period::Month);
        let begun_month = UnixTime::from_millis(1_801_440_000_000);
        let begun = if expected == 0 { begun_month } else { begun };
        plan.acquire(begun).unwrap();
        let back = begun.minus(hour);
        plan.acquire(back).unwrap();
        let denied = plan.acquire(back).unwrap_err();
        // It is over when the window is over that was begun, not the one that the clock shows.
        let over = back.plus(denied.wait);
        assert!(plan.acquire(over.minus(Duration::from_millis(1))).is_err());
        assert!(plan.acquire(over).is_ok(), "{period:?}");
    }
}

#[test]
fn sixteen_threads_are_given_exactly_the_quota_a_thousand_times() {
    const THREADS: u32 = 16;
    const RUNS: u32 = 1000;
    const QUOTA: u32 = 100;
    let new = || {
        Party::new(
            LevelName::Plan,
            Terms {
                quotas: vec![daily(QUOTA.into())],
                ..Terms::default()
            },
        )
    };
    let runs: Vec<(Party, AtomicU32)> = (0..RUNS).map(|_| (new(), AtomicU32::new(0))).collect();
    let together = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for (plan, admitted) in &runs {
                    together.wait();
                    for _ in 0..QUOTA / THREADS * 2 {
                        if plan.acquire(NOW).is_ok() {
                            admitted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    for (run, (_, admitted)) in runs.iter().enumerate() {
        assert_eq!(admitted.load(Ordering::Relaxed), QUOTA, "run {run}");
    }
}

#[test]
fn threads_that_lose_a_race_give_back_what_they_took() {
    // Each caller has its own application, of which there is plenty; what they race for is the API's.
    const THREADS: u64 = 4;
    for seed in 0..100 {
        let scarce = || {
            vec![
                daily(20),
                Quota::new(20, Period::Hour, Alignment::Rolling).unwrap(),
            ]
        };
        let plenty = || {
            vec![
                daily(500),
                Quota::new(500, Period::Hour, Alignment::Rolling).unwrap(),
            ]
        };
        let terms = |quotas| Terms {
            quotas,
            rate: rate(900, SECOND),
            concurrency: NonZeroU32::new(900),
            ..Terms::default()
        };
        let shared = Party::new(LevelName::Plan, terms(plenty()));
        let api = Party::new(LevelName::Api, terms(scarce()));
        let admitted = thread::scope(|scope| {
            let (shared, api) = (&shared, &api);
            let threads = (0..THREADS).map(|thread| {
                scope.spawn(move || {
                    let mut chance = Chance::new(seed * THREADS + thread);
                    let mut own = 0_u64;
                    for _ in 0..30 {
                        chance.pause();
                        own += u64::from(acquire(&[shared.level(), api.level()], NOW).is_ok());
                    }
                    own
                })
            });
            let (threads, mut admitted) = (threads.collect::<Vec<_>>(), 0);
            for thread in threads {
                admitted += thread.join().unwrap();
            }
            admitted
        });
        assert_eq!(admitted, 20, "seed {seed}");
        assert_eq!(shared.left(NOW), [880, 480, 480, 900], "seed {seed}");
    }
}

#[test]
fn who_asks_of_any_moment_changes_nothing() {
    let hour = SECOND * 3600;
    let party = || {
        let terms = Terms {
            rate: rate(3, SECOND * 60),
            spike_arrest: Some(SpikeArrest::new(60, SECOND * 60, 4).unwrap()),
            quotas: vec![
                daily(5),
                Quota::new(100, Period::Hour, Alignment::Calendar(Zone::utc())).unwrap(),
                Quota::new(4, Period::Hour, Alignment::Rolling).unwrap(),
                Quota::new(100, Period::Day, Alignment::Rolling).unwrap(),
            ],
            bandwidth: Some(Bandwidth::new(100, Period::Day, Zone::utc()).unwrap()),
            concurrency: NonZeroU32::new(9),
            ..Terms::default()
        };
        Party::new(LevelName::Plan, terms)
    };
    // Every word that there is.
    let words = |tally: &Tally| {
        let load = |word: &AtomicU64| word.load(Ordering::SeqCst);
        let kept: Vec<_> = tally.kept().collect();
        let rolling = Period::ALL.map(|period| format!("{:?}", tally.rolling(period)));
        let changed = tally.has_changed();
        (
            load(&tally.rate),
            load(&tally.spike_arrest),
            kept,
            rolling,
            changed,
        )
    };
    let moments = [
        NOW.minus(hour * 2),
        NOW.plus(hour * 2),
        NOW.plus(DAY * 36_500),
        NOW.minus(DAY * 36_500),
        NOW,
    ];
    let (asked, other) = (party(), party());
    for turn in 0..12_u32 {
        let now = NOW.plus(SECOND * 600 * turn);
        let before = words(&asked.tally);
        for moment in moments {
            assert_eq!(asked.left(moment).len(), 8);
            assert_eq!(words(&asked.tally), before, "turn {turn}, asked of {moment:?}");
        }
        let take = |party: &Party| {
            let took = party.acquire(now).map(|usage| {
                usage.bytes(1, now);
                usage.tightest()
            });
            (took, party.left(now), words(&party.tally))
        };
        assert_eq!(take(&asked), take(&other), "turn {turn}");
    }
}

#[test]
fn a_clock_that_was_set_back_stops_nobody_for_ever() {
    // Two hours: more than the rate's bucket and the rolling quota's period.
    let limited = |rate, quotas| {
        let terms = Terms {
            rate,
            quotas,
            ..Terms::default()
        };
        Party::new(LevelName::Plan, terms)
    };
    let rolling = Quota::new(2, Period::Hour, Alignment::Rolling).unwrap();
    for party in [
        limited(rate(2, SECOND * 60), vec![]),
        limited(None, vec![rolling]),
    ] {
        assert!(party.acquire(NOW).is_ok() && party.acquire(NOW).is_ok());
        let back = NOW.minus(SECOND * 7200);
        // Refused, and from then on time goes on.
        assert!(party.acquire(back).is_err());
        assert!(party.acquire(back.plus(SECOND * 3700)).is_ok());
    }
}

#[test]
fn more_levels_than_there_can_be_are_refused() {
    let plan = Party::new(LevelName::Plan, Terms::default());
    assert!(acquire(&[plan.level(); LEVELS_MAX], NOW).is_ok());
    assert!(acquire(&[plan.level(); LEVELS_MAX + 1], NOW).is_err());
    assert!(ask(&[plan.level(); LEVELS_MAX + 1], NOW, &mut |_| {}).is_err());
}

#[test]
fn what_a_request_carries_along_is_small() {
    assert!(size_of::<Usage>() <= 160, "{}", size_of::<Usage>());
}

#[test]
fn strangers_are_limited_each_for_itself() {
    let table = Arc::new(Keyed::new(64, std::hash::RandomState::new()));
    let limits = limits(Terms {
        rate: rate(2, SECOND),
        concurrency: NonZeroU32::new(2),
        bandwidth: Some(Bandwidth::new(10, Period::Hour, Zone::utc()).unwrap()),
        ..Terms::default()
    });
    let level = |address: &str| Level {
        name: LevelName::Client,
        limits: &limits,
        tally: TallyRef::Keyed(&table, table.client("plan", Some(address.parse().unwrap()))),
        requests: None,
    };
    let one = [level("192.0.2.1")];
    assert!(ask(&one, NOW, &mut |standing| assert_eq!(standing.wait, None)).is_ok());
    let held = [acquire(&one, NOW).unwrap(), acquire(&one, NOW).unwrap()];
    assert_eq!(acquire(&one, NOW).unwrap_err().kind, LimitKind::Rate);
    assert!(acquire(&[level("192.0.2.2")], NOW).is_ok());
    let later = NOW.plus(SECOND * 5);
    assert_eq!(acquire(&one, later).unwrap_err().kind, LimitKind::Concurrency);
    held[0].bytes(10, later);
    drop(held);
    assert_eq!(acquire(&one, later).unwrap_err().kind, LimitKind::Bandwidth);
    assert!(acquire(&one, NOW.plus(SECOND * 3600)).is_ok());
}
