//! Lives of plans, moved by dates and by hand in whatever order: onwards only. What no row thinks of is left to
//! properties: hands, records and reloads at random moments of random lives.

use proptest::prelude::*;

use super::*;

const fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn life(schedule: Schedule) -> Life {
    Life::new(schedule, Arc::default())
}

/// Published at 10, deprecated at 20, closed at 30.
const DATED: Schedule = Schedule {
    begins: Stage::Staging,
    publish_at: Some(at(10)),
    deprecate_at: Some(at(20)),
    close_at: Some(at(30)),
};

#[test]
fn a_life_has_six_steps() {
    use Stage::{Closed, Deprecated, Published, Staging};
    let steps = [
        (Staging, Published),
        (Staging, Closed),
        (Published, Deprecated),
        (Published, Closed),
        (Deprecated, Closed),
    ];
    for from in Stage::ALL {
        for to in Stage::ALL {
            let life = life(Schedule::fixed(from));
            let is_step = steps.contains(&(from, to));
            let expected = if is_step {
                Ok(())
            } else {
                Err(StageError { from, to })
            };
            assert_eq!(life.judge(to, at(0)), expected, "{from:?} to {to:?}");
            assert_eq!(life.at(at(0)), from, "judging changes nothing");
            assert_eq!(life.advance(to, at(0)), expected, "{from:?} to {to:?}");
            assert_eq!(life.at(at(0)), if is_step { to } else { from });
        }
    }
}

#[test]
fn a_plan_is_deprecated_since_the_first_that_said_so() {
    for (begins, date, by_hand, now, expected) in [
        (Stage::Deprecated, None, None, 50, None),
        (Stage::Published, Some(20), None, 19, None),
        (Stage::Published, Some(20), None, 20, Some(20)),
        (Stage::Published, None, Some(15), 20, Some(15)),
        (Stage::Published, Some(20), Some(15), 16, Some(15)),
        (Stage::Published, Some(20), Some(15), 50, Some(15)),
        // Written down later than it was done.
        (Stage::Deprecated, None, Some(15), 50, Some(15)),
    ] {
        let schedule = Schedule {
            deprecate_at: date.map(at),
            ..Schedule::fixed(begins)
        };
        let life = life(schedule);
        if let Some(since) = by_hand {
            life.moved.advance(Stage::Deprecated, at(since));
        }
        let found = life.deprecated_since(at(now));
        assert_eq!(
            found,
            expected.map(at),
            "{begins:?} {date:?} {by_hand:?} at {now}"
        );
    }
}

#[test]
fn the_further_of_configuration_and_hand_counts_over_reloads() {
    let stages = Stages::default();
    let id = PlanId::of("orders", "gold");
    let snapshot = |begins| Life::new(Schedule::fixed(begins), stages.cell(&id));
    let first = snapshot(Stage::Staging);
    assert_eq!(first.advance(Stage::Published, at(5)), Ok(()));
    // The next snapshot sees it, and moves on for both.
    let second = snapshot(Stage::Staging);
    assert_eq!(second.at(at(0)), Stage::Published);
    assert_eq!(second.advance(Stage::Deprecated, at(6)), Ok(()));
    assert_eq!(first.at(at(0)), Stage::Deprecated);
    // The configuration is further, and then not as far.
    assert_eq!(snapshot(Stage::Closed).at(at(0)), Stage::Closed);
    assert_eq!(snapshot(Stage::Published).at(at(0)), Stage::Deprecated);
    snapshot(Stage::Published).seal(at(6));
    assert_eq!(
        snapshot(Stage::Staging).at(at(0)),
        Stage::Deprecated,
        "only an end is sealed"
    );
    // A date has come, the clock is set back, and nobody says anything of a date any more.
    let other = PlanId::of("orders", "silver");
    let dated = Life::new(DATED, stages.cell(&other));
    dated.seal(at(29));
    assert_eq!(dated.at(at(0)), Stage::Staging);
    dated.seal(at(30));
    assert_eq!(dated.at(at(0)), Stage::Closed);
    let silver = Life::new(Schedule::fixed(Stage::Published), stages.cell(&other));
    assert_eq!(silver.at(at(0)), Stage::Closed);
    // What was closed is closed for a plan of that name, wherever it has been in the meantime.
    second.advance(Stage::Closed, at(7)).unwrap();
    stages.retain(&[]);
    assert_eq!(snapshot(Stage::Published).at(at(0)), Stage::Closed);
}

#[test]
fn what_was_recorded_is_restored_before_or_after_the_plan_is_there() {
    let stages = Stages::default();
    let id = PlanId::of("orders", "gold");
    stages.restore(&id, Stage::Deprecated, at(15));
    let life = Life::new(Schedule::fixed(Stage::Staging), stages.cell(&id));
    assert_eq!(
        (life.at(at(0)), life.deprecated_since(at(20))),
        (Stage::Deprecated, Some(at(15)))
    );
    // An older record takes nothing back.
    stages.restore(&id, Stage::Published, at(1));
    assert_eq!(life.at(at(0)), Stage::Deprecated);
    stages.restore(&id, Stage::Closed, at(30));
    assert_eq!(life.at(at(0)), Stage::Closed);
    let other = Life::new(DATED, stages.cell(&PlanId::of("orders", "silver")));
    assert_eq!(other.at(at(0)), Stage::Staging, "a plan is moved alone");
}

#[derive(Debug, Clone)]
enum Hand {
    Advance(Stage),
    Restore(Stage),
    Reload(Schedule),
}

prop_compose! {
    /// As a configuration may have it: dates for later stages only, and rising.
    fn schedules()(
        begins in prop::sample::select(&Stage::ALL[..]),
        dates in prop::array::uniform3(prop::option::of(1_i64..20)),
    ) -> Schedule {
        let mut last = 0;
        let mut date = |stage: Stage, gap: Option<i64>| {
            let gap = gap.filter(|_| stage > begins)?;
            last += gap;
            Some(at(last))
        };
        let [publish, deprecate, close] = dates;
        Schedule {
            begins,
            publish_at: date(Stage::Published, publish),
            deprecate_at: date(Stage::Deprecated, deprecate),
            close_at: date(Stage::Closed, close),
        }
    }
}

fn hands() -> impl Strategy<Value = Hand> {
    let stage = || prop::sample::select(&Stage::ALL[..]);
    prop_oneof![
        stage().prop_map(Hand::Advance),
        stage().prop_map(Hand::Restore),
        schedules().prop_map(Hand::Reload),
    ]
}

proptest! {
    #[test]
    fn as_time_goes_on_no_plan_goes_back(schedule in schedules(), hands in prop::collection::vec((0_i64..5, hands()), 0..20)) {
        let (stages, id) = (Stages::default(), PlanId::of("orders", "gold"));
        let mut life = Life::new(schedule, stages.cell(&id));
        let (mut now, mut reached, mut moved) = (0, Stage::Staging, Stage::Staging);
        for (passed, hand) in hands {
            now += passed;
            let stage = life.at(at(now));
            prop_assert!(stage >= reached);
            reached = stage;
            match hand {
                Hand::Advance(to) => {
                    let expected = reached.leads_to(to);
                    prop_assert_eq!(life.advance(to, at(now)).is_ok(), expected);
                    if expected {
                        (reached, moved) = (to, moved.max(to));
                    }
                    prop_assert_eq!(life.at(at(now)), reached);
                }
                Hand::Restore(to) => {
                    stages.restore(&id, to, at(now));
                    (reached, moved) = (reached.max(to), moved.max(to));
                }
                // Another configuration may say less, and takes back nothing that was done by hand, and no end.
                Hand::Reload(schedule) => {
                    life.seal(at(now));
                    if reached == Stage::Closed {
                        moved = Stage::Closed;
                    }
                    stages.retain(&[]);
                    life = Life::new(schedule, stages.cell(&id));
                    reached = moved;
                }
            }
        }
        prop_assert!(life.at(UnixTime::from_millis(i64::MAX)) >= reached);
    }

    #[test]
    fn a_date_moves_a_plan_at_its_millisecond_and_at_no_other(schedule in schedules(), now in 0_i64..60_000) {
        let before = schedule.at(UnixTime::from_millis(now - 1));
        let from = schedule.at(UnixTime::from_millis(now));
        prop_assert!(before <= from);
        let dates = [schedule.publish_at, schedule.deprecate_at, schedule.close_at];
        let has_date = dates.contains(&Some(UnixTime::from_millis(now)));
        prop_assert_eq!(before < from, has_date);
    }
}
