//! The bucket against the same in whole numbers of any size, where nothing is ever rounded, and against its promise in
//! every stretch of time. The clock is a number, so a year of requests takes a moment.

use std::sync::atomic::AtomicI64;
use std::thread;

use proptest::prelude::*;

use super::super::tests::chance::Chance;
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn rate(requests: u64, per: Duration, burst: u64) -> Rate {
    Rate::new(requests, per, burst).unwrap()
}

/// The algorithm as the recommendation has it, in units of which a millisecond has as many as there are requests.
struct Exact {
    until: i128,
}

impl Exact {
    fn take(&mut self, rate: Rate, now: UnixTime) -> bool {
        let now = i128::from(now.millis()) * i128::from(rate.requests);
        let next = self.until.max(now) + i128::from(rate.per);
        let fits = next <= now + i128::from(rate.burst) * i128::from(rate.per);
        if fits {
            self.until = next;
        }
        fits
    }
}

/// No stretch of time has more in it than fits at once and what the stretch brings.
fn kept_promise(rate: Rate, admitted: &[i64]) {
    let mut sorted = admitted.to_vec();
    sorted.sort_unstable();
    // In the measure of the bucket: what was admitted by then, less what time had brought. From any point on it grows by
    // no more than the burst.
    let mut least = i128::MAX;
    for (number, at) in sorted.iter().enumerate() {
        let brought = i128::from(*at) * i128::from(rate.requests);
        let taken = i128::try_from(number).unwrap() * i128::from(rate.per);
        least = least.min(taken - brought);
        let grown = taken + i128::from(rate.per) - brought - least;
        assert!(
            grown <= i128::from(rate.burst) * i128::from(rate.per),
            "{rate:?}: too many by {at}"
        );
    }
}

/// What asking says is what taking does.
fn agree(asked: Result<Filled, Wait>, took: Result<Filled, Wait>) {
    let before = asked.map(|asked| asked.remaining - 1);
    assert_eq!(before, took.map(|took| took.remaining));
}

#[test]
fn a_burst_at_once_and_then_what_time_brings() {
    let rate = rate(10, SECOND, 3);
    let bucket = AtomicU64::new(0);
    for (at, expected) in [
        (0, Ok(2)),
        (0, Ok(1)),
        (0, Ok(0)),
        (0, Err(100)),
        (99, Err(1)),
        (100, Ok(0)),
        (100, Err(100)),
        (350, Ok(1)),
        (100_000, Ok(2)),
    ] {
        let now = NOW.plus(Duration::from_millis(at));
        let asked = rate.fits(&bucket, now);
        let took = rate.take(&bucket, now);
        agree(asked, took);
        let told = took.map(|after| after.remaining);
        assert_eq!(
            told.map_err(|wait| u64::try_from(wait.until_one.as_millis()).unwrap()),
            expected,
            "at {at} ms"
        );
    }
}

#[test]
fn whoever_keeps_to_his_three_a_second_is_never_refused_and_never_gets_a_fourth() {
    for (requests, per) in [(3, SECOND), (7, 60 * SECOND), (999_983, SECOND), (7, SECOND)] {
        let rate = rate(requests, per, requests.min(11));
        let bucket = AtomicU64::new(0);
        for period in 0..20_000_u32 {
            for _ in 0..requests.min(11) {
                let now = NOW.plus(per * period);
                assert!(rate.take(&bucket, now).is_ok(), "{requests} in {per:?}");
            }
            if requests <= 11 {
                assert!(rate.take(&bucket, NOW.plus(per * period)).is_err());
            }
        }
    }
}

#[test]
fn a_spike_arrest_gives_each_slice_its_part() {
    // Sixty a minute in six slices: ten in ten seconds, then one each second.
    let spike = SpikeArrest::new(60, 60 * SECOND, 6).unwrap().rate();
    let bucket = AtomicU64::new(0);
    let admitted = |at: Duration| {
        let mut count = 0;
        while spike.take(&bucket, NOW.plus(at)).is_ok() {
            count += 1;
        }
        count
    };
    assert_eq!(admitted(Duration::ZERO), 10);
    assert_eq!(admitted(SECOND), 1);
    assert_eq!(admitted(4 * SECOND), 3);
    // What was not used does not gather.
    assert_eq!(admitted(3600 * SECOND), 10);
}

#[test]
fn a_claim_lowers_a_rate_and_its_burst_and_never_raises_it() {
    let rate = rate(100, SECOND, 20);
    for (requests, expected) in [
        (None, (100, 20)),
        (Some(1000), (100, 20)),
        (Some(100), (100, 20)),
        (Some(50), (50, 10)),
        (Some(3), (3, 1)),
        (Some(0), (1, 1)),
    ] {
        let lowered = rate.lowered(requests);
        assert_eq!((lowered.requests, lowered.burst), expected, "{requests:?}");
    }
}

#[test]
fn what_is_given_back_is_there_again_unless_somebody_came_meanwhile() {
    let rate = rate(3, SECOND, 3);
    let bucket = AtomicU64::new(0);
    rate.take(&bucket, NOW).unwrap();
    let before = bucket.load(Ordering::Relaxed);
    let after = rate.take(&bucket, NOW).unwrap();
    rate.give_back(&bucket, after.until);
    assert_eq!(bucket.load(Ordering::Relaxed), before);
    let first = rate.take(&bucket, NOW).unwrap();
    let second = rate.take(&bucket, NOW).unwrap();
    rate.give_back(&bucket, first.until);
    assert_eq!(bucket.load(Ordering::Relaxed), second.until);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting_longer_than_a_full_bucket() {
    let rate = rate(10, SECOND, 10);
    for back in [2, 3600, 100_000_000] {
        let bucket = AtomicU64::new(0);
        while rate.take(&bucket, NOW).is_ok() {}
        let ago = NOW.minus(SECOND * back);
        rate.heed_clock(&bucket, ago);
        let wait = rate.fits(&bucket, ago).unwrap_err();
        assert_eq!(
            (wait.until_one, wait.reset),
            (SECOND / 10, SECOND),
            "{back} s back"
        );
        assert!(rate.take(&bucket, ago.plus(SECOND / 10)).is_ok());
        assert!(rate.take(&bucket, ago.plus(SECOND / 10)).is_err());
    }
}

#[test]
fn no_moment_is_too_far() {
    let rate = rate(1_000_000, SECOND, 1_000_000);
    let bucket = AtomicU64::new(0);
    for now in [i64::MIN, 0, i64::MAX, -5] {
        let now = UnixTime::from_millis(now);
        let _ = (rate.fits(&bucket, now), rate.take(&bucket, now));
        rate.give_back(&bucket, bucket.load(Ordering::Relaxed));
    }
}

#[test]
fn a_million_steps_of_any_rate_are_those_of_exact_arithmetic() {
    let mut chance = Chance::new(11);
    for _ in 0..500 {
        let per = [1, 7, 100, 997, 1000, 60_000, 3_600_000][chance.below(7)];
        let requests = match chance.below(3) {
            0 => 1 + chance.next() % 10,
            1 => 1 + chance.next() % 1000,
            _ => 1 + chance.next() % REQUESTS_MAX,
        };
        let most = (MILLIS_MAX * requests / per).max(1);
        let burst = 1 + chance.next() % most.min(50);
        let Ok(rate) = Rate::new(requests, Duration::from_millis(per), burst) else {
            continue;
        };
        let (bucket, mut exact) = (AtomicU64::new(0), Exact { until: 0 });
        let (mut now, mut admitted) = (NOW, Vec::new());
        // About as many as are admitted, at the same moment or apart.
        let gap = (per / requests).max(1) * 2 + 1;
        for _ in 0..2000 {
            if chance.below(3) > 0 {
                now = now.plus(Duration::from_millis(chance.next() % gap));
            }
            let asked = rate.fits(&bucket, now);
            let took = rate.take(&bucket, now);
            agree(asked, took);
            assert_eq!(took.is_ok(), exact.take(rate, now), "{rate:?} at {now:?}");
            match took {
                Ok(_) => admitted.push(now.millis()),
                Err(wait) => {
                    let millis = u64::try_from(wait.until_one.as_nanos().div_ceil(1_000_000)).unwrap();
                    let later = |millis| now.plus(Duration::from_millis(millis));
                    assert!(rate.fits(&bucket, later(millis)).is_ok());
                    assert!(rate.fits(&bucket, later(millis - 1)).is_err());
                }
            }
        }
        kept_promise(rate, &admitted);
    }
}

proptest! {
    #[test]
    fn moments_out_of_order_and_changes_of_plan_never_give_more(
        requests in 1..500_u64,
        burst in 1..40_u64,
        steps in proptest::collection::vec((0..300_u64, 0..900_u64), 1..300),
    ) {
        let rate = rate(requests, SECOND, burst);
        let bucket = AtomicU64::new(0);
        let (mut latest, mut admitted) = (NOW, Vec::new());
        for (later, earlier) in steps {
            latest = latest.plus(Duration::from_millis(later));
            let now = latest.minus(Duration::from_millis(earlier));
            // Another plan, asked by requests that began under it, takes nothing away that was taken.
            let _ = Rate::new(requests + 1, SECOND, burst * 3).unwrap().fits(&bucket, now);
            if rate.take(&bucket, now).is_ok() {
                admitted.push(now.millis());
            }
        }
        kept_promise(rate, &admitted);
    }
}

#[test]
fn many_threads_get_what_one_would_get() {
    const THREADS: u64 = 4;
    for seed in 0..20 {
        let rate = rate(3001, SECOND, 701);
        let (bucket, clock) = (AtomicU64::new(0), AtomicI64::new(NOW.millis()));
        rate.take(&bucket, NOW).unwrap();
        let admitted: Vec<i64> = thread::scope(|scope| {
            let threads = (0..THREADS).map(|thread| {
                let (bucket, clock) = (&bucket, &clock);
                scope.spawn(move || {
                    let mut chance = Chance::new(seed * THREADS + thread);
                    let mut own = Vec::new();
                    for _ in 0..4000 {
                        let step = i64::from(chance.below(100) == 0);
                        let behind = i64::try_from(chance.below(3)).unwrap();
                        let now = clock.fetch_add(step, Ordering::SeqCst) - behind;
                        chance.pause();
                        if rate.take(bucket, UnixTime::from_millis(now)).is_ok() {
                            own.push(now);
                        }
                    }
                    own
                })
            });
            let threads: Vec<_> = threads.collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let now = UnixTime::from_millis(clock.load(Ordering::SeqCst));
        let mut all = admitted;
        all.push(NOW.millis());
        while rate.take(&bucket, now).is_ok() {
            all.push(now.millis());
        }
        kept_promise(rate, &all);
        // Nobody was refused what there was: it was asked for far more than that.
        let brought = 701 * 1000 + now.since(NOW).as_millis() * 3001;
        let brought = usize::try_from(brought / 1000).unwrap();
        assert_eq!(all.len(), brought, "seed {seed}");
    }
}
