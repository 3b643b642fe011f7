//! The count against a plain list of all that was ever admitted: in no stretch of the period's length more than the
//! quota, and nobody refused whom the list would let pass. Then the same with threads that stop wherever they like.

use std::sync::atomic::AtomicI64;
use std::thread;

use super::super::tests::chance::Chance;
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const HOUR: Period = Period::Hour;
const MINUTE: i64 = 60_000;
const PERIOD: i64 = 60 * MINUTE;

fn at(millis: i64) -> UnixTime {
    UnixTime::from_millis(NOW.millis() + millis)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

/// All that was admitted, by moment.
#[derive(Default)]
struct Log(Vec<i64>);

impl Log {
    /// What was admitted since the beginning of the slot in which the period begins.
    fn used(&self, now: i64) -> u64 {
        let first = ((now + NOW.millis()).div_euclid(MINUTE) - 60) * MINUTE - NOW.millis();
        let used = self.0.iter().rev().take_while(|at| **at >= first).count();
        u64::try_from(used).unwrap()
    }

    /// No stretch as long as the period has more than the quota in it.
    fn kept_promise(mut self, quota: usize) {
        self.0.sort_unstable();
        for many in self.0.windows(quota + 1) {
            let stretch = many[quota] - many[0];
            assert!(stretch > PERIOD, "{} in {stretch} ms, at {}", quota + 1, many[0]);
        }
    }
}

#[test]
fn what_was_used_comes_back_when_the_period_is_over() {
    let rolling = Rolling::default();
    let take = |moment| {
        let asked = rolling.room(HOUR, at(moment), 3);
        let took = rolling.take(HOUR, at(moment), 3, false);
        assert_eq!(asked.wait.is_none(), took.is_ok(), "asking says what taking does");
        took.map(|room| room.remaining)
            .map_err(|room| millis(room.wait.unwrap()))
    };
    // The present is the beginning of a slot.
    assert_eq!(NOW.millis() % MINUTE, 0);
    for (moment, expected) in [
        (30_000, Ok(2)),
        (90_000, Ok(1)),
        (100_000, Ok(0)),
        (100_000, Err(PERIOD + MINUTE - 100_000)),
        (PERIOD + 30_000, Err(30_000)),
        (PERIOD + MINUTE - 1, Err(1)),
        (PERIOD + MINUTE, Ok(0)),
        (PERIOD + MINUTE, Err(MINUTE)),
        (PERIOD + 2 * MINUTE, Ok(1)),
        (PERIOD + 2 * MINUTE, Ok(0)),
        // Whoever has not come for days finds all of it.
        (500 * PERIOD, Ok(2)),
    ] {
        assert_eq!(take(moment), expected, "at {moment} ms");
    }
    let room = rolling.room(HOUR, at(500 * PERIOD + 10), 3);
    assert_eq!(millis(room.reset), PERIOD + MINUTE - 10);
    assert_eq!(rolling.room(HOUR, at(600 * PERIOD), 3).reset, Duration::ZERO);
}

#[test]
fn a_change_of_plan_applies_to_what_was_used() {
    let rolling = Rolling::default();
    for _ in 0..5 {
        rolling.take(HOUR, NOW, 5, false).unwrap();
    }
    assert!(rolling.take(HOUR, NOW, 3, false).is_err());
    assert_eq!(rolling.take(HOUR, NOW, 7, false).unwrap().remaining, 1);
    // One beyond, where that is only told of.
    let told = rolling.take(HOUR, NOW, 3, true).unwrap();
    assert_eq!(
        (told.remaining, told.wait.map(millis)),
        (0, Some(PERIOD + MINUTE))
    );
    assert_eq!(rolling.room(HOUR, NOW, 8).remaining, 1);
}

#[test]
fn what_is_given_back_is_for_whoever_comes_in_the_same_slot() {
    let rolling = Rolling::default();
    rolling.take(HOUR, NOW, 2, false).unwrap();
    rolling.take(HOUR, NOW, 2, false).unwrap();
    rolling.give_back(HOUR, NOW);
    assert_eq!(rolling.room(HOUR, NOW, 2).remaining, 1);
    assert_eq!(rolling.take(HOUR, NOW, 2, false).unwrap().remaining, 0);
    assert!(rolling.take(HOUR, NOW, 2, false).is_err());
    // Too late.
    rolling.give_back(HOUR, NOW);
    assert!(rolling.take(HOUR, at(MINUTE), 2, false).is_err());
    rolling.give_back(HOUR, NOW);
    assert!(rolling.take(HOUR, at(MINUTE), 2, false).is_err());
}

#[test]
fn a_clock_that_is_set_back_gives_no_more_and_keeps_nobody_waiting_for_it() {
    for back in [MINUTE, PERIOD / 2, PERIOD, 24 * PERIOD, 100_000 * PERIOD] {
        let rolling = Rolling::default();
        for _ in 0..3 {
            rolling.take(HOUR, NOW, 3, false).unwrap();
        }
        let wait = rolling.take(HOUR, at(-back), 3, false).unwrap_err().wait.unwrap();
        assert!(
            millis(wait) <= 2 * PERIOD + 2 * MINUTE,
            "{back} ms back: {wait:?}"
        );
        assert!(rolling.take(HOUR, at(millis(wait) - back - 1), 3, false).is_err());
        assert!(
            rolling.take(HOUR, at(millis(wait) - back), 3, false).is_ok(),
            "{back}"
        );
    }
}

#[test]
fn what_is_kept_says_the_same_after_a_restart() {
    let mut chance = Chance::new(5);
    for _ in 0..50 {
        let rolling = Rolling::default();
        let mut now = 0;
        for _ in 0..chance.below(600) {
            now += i64::try_from(chance.below(60_000)).unwrap();
            let _ = rolling.take(HOUR, at(now), 200, false);
        }
        let (head, marks) = rolling.kept();
        let marks: Vec<u64> = marks.collect();
        let restored = Rolling::default();
        restored.restore(head, &marks);
        // An earlier state takes nothing back.
        restored.restore(head - 1, &[]);
        for _ in 0..100 {
            now += i64::try_from(chance.below(90_000)).unwrap();
            assert_eq!(
                rolling.room(HOUR, at(now), 200),
                restored.room(HOUR, at(now), 200)
            );
        }
    }
}

#[test]
fn a_million_steps_are_those_of_a_plain_list() {
    let mut chance = Chance::new(7);
    for _ in 0..100 {
        let quota = 1 + chance.next() % 40;
        // From a few in each slot to none in a period.
        let gap = [500, 5_000, 60_000, 200_000, 2_000_000][chance.below(5)];
        let (rolling, mut log, mut now) = (Rolling::default(), Log::default(), 0);
        for _ in 0..10_000 {
            now += i64::try_from(chance.below(gap)).unwrap() * i64::from(chance.below(3) == 0);
            let used = log.used(now);
            match rolling.take(HOUR, at(now), quota, false) {
                Ok(room) => {
                    assert!(used < quota, "admitted at {now}");
                    assert_eq!(room.remaining, quota - used - 1);
                    log.0.push(now);
                }
                Err(room) => {
                    assert!(used >= quota, "refused at {now}");
                    let wait = millis(room.wait.unwrap());
                    assert!(log.used(now + wait) < quota && log.used(now + wait - 1) >= quota);
                }
            }
        }
        log.kept_promise(usize::try_from(quota).unwrap());
    }
}

#[test]
fn moments_out_of_order_never_give_more() {
    let mut chance = Chance::new(13);
    for _ in 0..200 {
        let quota = 1 + chance.next() % 20;
        let (rolling, mut log, mut latest) = (Rolling::default(), Log::default(), 0);
        for _ in 0..2_000 {
            latest += i64::try_from(chance.below(200_000)).unwrap() * i64::from(chance.below(3) == 0);
            // From the next moment to half a period behind.
            let most = [10, 60_000, 1_800_000][chance.below(3)];
            let behind = i64::try_from(chance.below(most)).unwrap();
            if rolling.take(HOUR, at(latest - behind), quota, false).is_ok() {
                log.0.push(latest - behind);
            }
        }
        log.kept_promise(usize::try_from(quota).unwrap());
    }
}

#[test]
fn threads_that_stop_anywhere_are_given_exactly_the_quota() {
    const THREADS: u64 = 4;
    let quota = 200;
    for seed in 0..20 {
        let (rolling, clock) = (Rolling::default(), AtomicI64::new(0));
        let mut log = Log::default();
        for round in 0..25 {
            // Nobody stops for a whole period: time moves by less than that while they are at it.
            let begin = clock.load(Ordering::SeqCst);
            let turn = |thread: u64| {
                let mut chance = Chance::new((seed * 100 + round) * THREADS + thread);
                let mut own = Vec::new();
                for _ in 0..150 {
                    let step = match chance.below(30) {
                        0 => MINUTE * i64::try_from(chance.below(9)).unwrap(),
                        _ => i64::try_from(chance.below(2)).unwrap(),
                    };
                    let now = clock.fetch_add(step, Ordering::SeqCst).min(begin + PERIOD);
                    chance.pause();
                    match rolling.take(HOUR, at(now), quota, false) {
                        Ok(_) if chance.below(20) == 0 => {
                            chance.pause();
                            rolling.give_back(HOUR, at(now));
                        }
                        Ok(_) => own.push(now),
                        Err(_) => {}
                    }
                }
                own
            };
            let admitted: Vec<i64> = thread::scope(|scope| {
                let turn = &turn;
                let threads = (0..THREADS).map(|thread| scope.spawn(move || turn(thread)));
                let (threads, mut admitted) = (threads.collect::<Vec<_>>(), Vec::new());
                for thread in threads {
                    admitted.extend(thread.join().unwrap());
                }
                admitted
            });
            log.0.extend(admitted);
            log.0.sort_unstable();
            let pause = [0, 10, 70, 200][usize::try_from((seed + round) % 4).unwrap()] * MINUTE;
            clock.fetch_min(begin + PERIOD, Ordering::SeqCst);
            clock.fetch_add(pause, Ordering::SeqCst);
        }
        // Nothing is lost: when all of it must have come back, all of it is there.
        let end = clock.load(Ordering::SeqCst) + PERIOD + MINUTE;
        let mut left = 0;
        while rolling.take(HOUR, at(end), quota, false).is_ok() {
            log.0.push(end);
            left += 1;
        }
        assert_eq!(left, quota, "seed {seed}");
        log.kept_promise(usize::try_from(quota).unwrap());
    }
}

#[test]
fn threads_that_begin_a_slot_together_lose_nothing() {
    // Nobody is refused what is there: all moments lie in a new slot of an empty quota.
    const THREADS: usize = 4;
    let rolling = Rolling::default();
    for round in 1..500_i64 {
        let now = at(round * 61 * MINUTE);
        let admitted: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5)
                            .filter(|_| rolling.take(HOUR, now, 10, false).is_ok())
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 10, "round {round}");
    }
}
