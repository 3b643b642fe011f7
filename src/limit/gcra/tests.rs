//! The bucket against a plain reading of what a bucket is, and against many threads whose clocks disagree a little.
//! Time is what a test says it is, so a year passes in a line.

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::thread;

use proptest::prelude::*;

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const NOTHING: Duration = Duration::ZERO;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A bucket that somebody empties: how full it is, and when it was last looked at.
struct Plain {
    held: u64,
    at: UnixTime,
}

impl Plain {
    fn take(&mut self, now: UnixTime, cost: Duration, burst: Duration, reserve: Duration) -> bool {
        self.held = self.held.saturating_sub(now.nanos() - self.at.nanos());
        self.at = now;
        let fits = self.held + nanos(cost) <= nanos(burst.saturating_sub(reserve));
        if fits {
            self.held += nanos(cost);
        }
        fits
    }
}

#[test]
fn a_burst_fits_at_once_and_then_what_time_brings() {
    let bucket = Gcra::default();
    let take = |at: u64, cost: u64| bucket.take(NOW.plus(millis(at)), millis(cost), SECOND, NOTHING);
    for (at, cost, expected) in [
        (0, 600, Ok(())),
        (0, 400, Ok(())),
        (0, 1, Err(millis(1))),
        (0, 1000, Err(SECOND)),
        (1, 1, Ok(())),
        (1, 1, Err(millis(1))),
        (501, 500, Ok(())),
        (501, 10, Err(millis(10))),
        // However long nobody comes, no more than a burst gathers.
        (1_000_000, 1000, Ok(())),
        (1_000_000, 1, Err(millis(1))),
        // What is larger than a burst never fits.
        (9_000_000, 1001, Err(millis(1))),
    ] {
        assert_eq!(take(at, cost), expected, "{cost} ms at {at} ms");
    }
}

#[test]
fn a_reserve_is_for_those_who_may_draw_on_it_and_they_go_first() {
    let bucket = Gcra::default();
    let take = |at: u64, cost: u64, reserve: u64| {
        bucket
            .take(NOW.plus(millis(at)), millis(cost), SECOND, millis(reserve))
            .is_ok()
    };
    assert!(take(0, 500, 500));
    assert!(!take(0, 1, 500));
    assert!(take(0, 400, 0));
    // What is paid first is what was taken from the reserve.
    assert!(!take(400, 1, 500));
    assert!(take(401, 1, 500));
    assert!(take(401, 500, 0));
}

#[test]
fn what_is_given_back_fits_again_and_asking_takes_nothing() {
    let bucket = Gcra::default();
    bucket.take(NOW, SECOND, SECOND, NOTHING).unwrap();
    assert_eq!(bucket.held(NOW), SECOND);
    assert_eq!(bucket.room(NOW, millis(1), SECOND), Err(millis(1)));
    bucket.give_back(millis(300));
    for _ in 0..3 {
        assert_eq!(bucket.room(NOW, millis(300), SECOND), Ok(()));
    }
    assert_eq!(bucket.copy().take(NOW, millis(300), SECOND, NOTHING), Ok(()));
    assert_eq!(bucket.take(NOW, millis(301), SECOND, NOTHING), Err(millis(1)));
    assert_eq!(bucket.take(NOW, millis(300), SECOND, NOTHING), Ok(()));
    // More than was ever taken makes no more than a burst.
    bucket.give_back(Duration::MAX);
    assert_eq!(bucket.take(NOW, SECOND, SECOND, NOTHING), Ok(()));
    assert!(bucket.take(NOW, millis(1), SECOND, NOTHING).is_err());
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_waiting_longer_than_a_full_bucket() {
    for ask in [
        |bucket: &Gcra, now| bucket.take(now, millis(1), SECOND, NOTHING),
        |bucket: &Gcra, now| bucket.room(now, millis(1), SECOND),
    ] {
        let bucket = Gcra::default();
        bucket.take(NOW, SECOND, SECOND, NOTHING).unwrap();
        let years_ago = NOW.minus(SECOND * 100_000_000);
        assert_eq!(ask(&bucket, years_ago), Err(millis(1)));
        assert_eq!(ask(&bucket, years_ago.plus(millis(1))), Ok(()));
    }
    // A burst that is made smaller by far is one, too.
    let bucket = Gcra::default();
    bucket.take(NOW, 60 * SECOND, 60 * SECOND, NOTHING).unwrap();
    assert_eq!(bucket.take(NOW, millis(1), SECOND, NOTHING), Err(millis(1)));
}

#[test]
fn no_moment_and_no_length_is_too_far() {
    let bucket = Gcra::default();
    for now in [i64::MIN, 0, i64::MAX] {
        let now = UnixTime::from_millis(now);
        let _ = bucket.take(now, Duration::MAX, Duration::MAX, NOTHING);
        let _ = bucket.take(now, Duration::MAX, NOTHING, Duration::MAX);
        bucket.give_back(Duration::MAX);
    }
}

proptest! {
    #[test]
    fn it_says_what_a_bucket_would_say_that_somebody_empties(
        burst in 1..2_000_u64,
        steps in proptest::collection::vec((0..400_u64, 0..900_u64, prop_oneof![Just(0_u64), 0..900_u64]), 1..200),
    ) {
        let bucket = Gcra::default();
        let mut plain = Plain { held: 0, at: NOW };
        let mut now = NOW;
        for (later, cost, reserve) in steps {
            now = now.plus(millis(later));
            let (cost, burst, reserve) = (millis(cost), millis(burst), millis(reserve));
            let room = bucket.room(now, cost, burst);
            let taken = bucket.take(now, cost, burst, reserve);
            prop_assert_eq!(taken.is_ok(), plain.take(now, cost, burst, reserve));
            if reserve.is_zero() {
                prop_assert_eq!(room, taken);
            }
            if let Err(wait) = taken
                && cost <= burst.saturating_sub(reserve)
            {
                // Then, and not a nanosecond before; moments are whole milliseconds here, and so are the costs.
                prop_assert!(bucket.copy().take(now.plus(wait), cost, burst, reserve).is_ok());
                prop_assert!(bucket.copy().take(now.plus(wait.saturating_sub(millis(1))), cost, burst, reserve).is_err());
            }
        }
    }

    #[test]
    fn moments_out_of_order_never_make_more_than_the_burst_and_the_time_between(
        burst in 1..2_000_u64,
        steps in proptest::collection::vec((0..300_u64, 0..900_u64, 1..300_u64), 1..80),
    ) {
        let bucket = Gcra::default();
        let mut latest = NOW;
        let mut taken = Vec::new();
        for (later, earlier, cost) in steps {
            latest = latest.plus(millis(later));
            let now = latest.minus(millis(earlier));
            if bucket.take(now, millis(cost), millis(burst), NOTHING).is_ok() {
                taken.push((now, cost));
            }
        }
        within(&taken, burst)?;
    }
}

/// No stretch of time has more in it than a burst and its length.
fn within(taken: &[(UnixTime, u64)], burst: u64) -> Result<(), TestCaseError> {
    for (from, _) in taken {
        for (to, _) in taken.iter().filter(|(to, _)| to >= from) {
            let inside = taken.iter().filter(|(at, _)| (from..=to).contains(&at));
            let sum: u64 = inside.map(|(_, cost)| cost).sum();
            prop_assert!(
                millis(sum) <= millis(burst) + to.since(*from),
                "{from:?} to {to:?}: {sum}"
            );
        }
    }
    Ok(())
}

#[test]
fn many_threads_take_exactly_what_there_is() {
    const THREADS: u64 = 8;
    const ASKED: u64 = 20_000;
    let (bucket, clock) = (Gcra::default(), AtomicI64::new(NOW.millis()));
    // Time is counted from the first moment, which must not be one of those that are a little behind.
    bucket.take(NOW, millis(1), SECOND, NOTHING).unwrap();
    let taken = Mutex::new(1_u64);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (bucket, clock, taken) = (&bucket, &clock, &taken);
            scope.spawn(move || {
                let mut own = 0;
                for number in 0..ASKED {
                    // Some move the clock, by 800 ms in all: a thread that has slept meanwhile is no clock that was set
                    // back. Some are a little behind it.
                    let step = i64::from(number % 200 == 0);
                    let behind = i64::try_from((number + thread) % 3).unwrap();
                    let now = clock.fetch_add(step, Ordering::SeqCst) - behind;
                    let ok = bucket
                        .take(UnixTime::from_millis(now), millis(1), SECOND, NOTHING)
                        .is_ok();
                    own += u64::from(ok);
                }
                *taken.lock().unwrap() += own;
            });
        }
    });
    let now = UnixTime::from_millis(clock.load(Ordering::SeqCst));
    let mut taken = taken.into_inner().unwrap();
    while bucket.take(now, millis(1), SECOND, NOTHING).is_ok() {
        taken += 1;
    }
    assert_eq!(millis(taken), SECOND + now.since(NOW));
}
