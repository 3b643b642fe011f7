//! Counting in windows: when one ends, when a clock is set back, when a plan changes. What threads make of it is told where
//! requests are acquired.

use super::*;

const HOUR: i64 = 3_600_000;

/// The window of an hour, by its number.
fn hour(number: i64) -> Window {
    Window {
        tag: u64::try_from(number * 4).unwrap(),
        start: number * HOUR,
        end: (number + 1) * HOUR,
    }
}

fn take_in(word: &AtomicU64, window: Window, limit: u64) -> Result<u64, u64> {
    let took = take(word, Period::Hour, window, 1, limit);
    took.map(|used| used.count).map_err(|used| used.count)
}

#[test]
fn a_window_counts_to_its_limit_and_the_next_begins_anew() {
    let word = AtomicU64::new(0);
    for (window, limit, expected) in [
        (500_000, 2, Ok(1)),
        (500_000, 2, Ok(2)),
        (500_000, 2, Err(2)),
        // A change of plan applies to what is running.
        (500_000, 3, Ok(3)),
        (500_000, 1, Err(3)),
        (500_001, 1, Ok(1)),
        (500_007, 1, Ok(1)),
        // Set back by an hour, by a day: the window that was begun goes on.
        (500_006, 1, Err(1)),
        (499_983, 1, Err(1)),
        (499_983, 2, Ok(2)),
        // By more: the clock had been wrong.
        (499_982, 1, Ok(1)),
    ] {
        assert_eq!(take_in(&word, hour(window), limit), expected, "hour {window}");
    }
}

#[test]
fn what_is_given_back_counts_in_its_window_only() {
    let word = AtomicU64::new(0);
    let give = |window| give_back(&word, Period::Hour, hour(window), 1);
    assert_eq!(take_in(&word, hour(9), 5), Ok(1));
    assert_eq!(take_in(&word, hour(9), 5), Ok(2));
    give(9);
    assert_eq!(take_in(&word, hour(9), 5), Ok(2));
    assert_eq!(take_in(&word, hour(10), 5), Ok(1));
    give(9);
    assert_eq!(take_in(&word, hour(10), 5), Ok(2), "the hour before is over");
    for _ in 0..5 {
        give(10);
    }
    assert_eq!(
        take_in(&word, hour(10), 5),
        Ok(1),
        "there is nothing less than nothing"
    );
}

#[test]
fn another_period_does_not_count_what_this_one_did() {
    let word = AtomicU64::new(0);
    let day = Window {
        tag: 20_000,
        start: 0,
        end: HOUR,
    };
    take(&word, Period::Day, day, 7, 10).unwrap();
    let seen = word.load(Ordering::Relaxed);
    assert_eq!(used(seen, Period::Day, day).count, 7);
    for period in [Period::Hour, Period::Week, Period::Month] {
        assert_eq!(used(seen, period, day).count, 0, "{period:?}");
    }
}

#[test]
fn what_is_full_stays_full() {
    for period in Period::ALL {
        let word = AtomicU64::new(0);
        let window = Window {
            tag: 65_535,
            start: 0,
            end: 1,
        };
        let took = take(&word, period, window, u64::MAX, u64::MAX).unwrap();
        assert_eq!((took.tag, took.count), (65_535, count_max(period)));
        let took = take(&word, period, window, 1, u64::MAX).unwrap();
        assert_eq!((took.tag, took.count), (65_535, count_max(period)), "{period:?}");
        assert!(take(&word, period, window, 1, count_max(period)).is_err());
    }
}

#[test]
fn of_two_words_the_later_holds() {
    let word = |tag, count| Used { tag, count }.word(Period::Week);
    for (one, other, expected) in [
        (word(7, 3), word(7, 5), word(7, 5)),
        (word(7, 9), word(7, 5), word(7, 9)),
        (word(7, 9), word(14, 1), word(14, 1)),
        (word(14, 1), word(7, 9), word(14, 1)),
        (0, word(7, 9), word(7, 9)),
    ] {
        assert_eq!(later(one, other), expected);
    }
}
