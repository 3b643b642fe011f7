//! What survives a restart: every word that runs for hours, and none that does not. Whoever keeps the words reads them
//! once a second, and must not miss one.

use std::time::Duration;

use super::super::{Alignment, Bandwidth, Level, LevelName, Quota, Rate, Terms, Zone, acquire, ask};
use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Every kind of limit that there is.
fn limits() -> Arc<Limits> {
    let calendar = |period| Quota::new(100, period, Alignment::Calendar(Zone::utc())).unwrap();
    let rolling = |period| Quota::new(90, period, Alignment::Rolling).unwrap();
    let quotas = Period::ALL
        .into_iter()
        .flat_map(|period| [calendar(period), rolling(period)]);
    let terms = Terms {
        rate: Some(Rate::new(1000, Duration::from_secs(60), 80).unwrap()),
        quotas: quotas.collect(),
        bandwidth: Some(Bandwidth::new(5000, Period::Week, Zone::utc()).unwrap()),
        ..Terms::default()
    };
    Arc::new(Limits::new(terms).unwrap())
}

fn level<'l>(limits: &'l Arc<Limits>, tally: &'l Arc<Tally>) -> [Level<'l>; 1] {
    [Level {
        name: LevelName::Plan,
        limits,
        tally: TallyRef::Own(tally),
        requests: None,
    }]
}

fn remaining(limits: &Arc<Limits>, tally: &Arc<Tally>, now: UnixTime) -> Vec<u64> {
    let mut remaining = Vec::new();
    let _ = ask(&level(limits, tally), now, &mut |standing| {
        remaining.push(standing.remaining);
    });
    remaining
}

#[test]
fn what_runs_for_hours_survives_and_what_runs_for_seconds_does_not() {
    let (limits, tally) = (limits(), Arc::new(Tally::default()));
    assert!(!tally.take_changed());
    assert_eq!(tally.kept().count(), 0, "nothing was ever counted");
    for request in 0..7_u32 {
        let now = NOW.plus(Duration::from_secs(100) * request);
        let usage = acquire(&level(&limits, &tally), now).unwrap();
        usage.bytes(10, now);
        assert!(tally.take_changed() && !tally.take_changed());
    }
    let later = NOW.plus(Duration::from_secs(600));
    let restored = Arc::new(Tally::default());
    let kept: Vec<Kept> = tally.kept().collect();
    restored.restore(kept.iter().copied());
    // The rate is as if nothing had been; the quotas and the bytes are as they were.
    let expected = [79, 93, 83, 93, 83, 93, 83, 93, 83, 4930];
    assert_eq!(remaining(&limits, &tally, later), expected);
    let [_, quotas @ ..] = expected;
    assert_eq!(remaining(&limits, &restored, later)[1..], quotas);
    assert_eq!(remaining(&limits, &restored, later)[0], 80);
    assert!(!restored.take_changed(), "what is on disk is no change");
    // Once more, and something of an earlier moment, or of a version to come: nothing happens.
    restored.restore(kept);
    restored.restore([200, 24, 7].map(|slot| Kept { slot, word: u64::MAX }));
    assert_eq!(remaining(&limits, &restored, later)[1..], quotas);
    let next = acquire(&level(&limits, &restored), later).unwrap();
    assert!(restored.take_changed());
    drop(next);
}

#[test]
fn words_that_were_kept_lately_do_not_undo_what_was_counted_since() {
    let (limits, tally) = (limits(), Arc::new(Tally::default()));
    let take = || drop(acquire(&level(&limits, &tally), NOW).unwrap());
    take();
    let early: Vec<Kept> = tally.kept().collect();
    take();
    let before = remaining(&limits, &tally, NOW);
    tally.restore(early);
    assert_eq!(remaining(&limits, &tally, NOW), before);
}

#[test]
fn a_tally_is_small() {
    // A million subscriptions have one each.
    assert!(size_of::<Tally>() <= 80, "{}", size_of::<Tally>());
}
