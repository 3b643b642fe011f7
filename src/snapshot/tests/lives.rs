//! The life of a plan as it is written: `stage` is where it begins, dates rise, and what contradicts itself is a mistake.
//! Rows stand below the plan `gold`, from line 9 on.

use super::{Memory, NOW, PLAN, REST, check, snapshot};
use crate::api::{Stage, Stages};
use crate::issuer::KeyRing;
use crate::time::UnixTime;

#[test]
fn dates_are_for_stages_to_come_and_rise() {
    let nothing = "says nothing: the plan is";
    let published = "(write `stage = \"staging\"`: the date says when that ends)";
    let later = "(write `stage = \"published\"`: the date says when that ends)";
    for (text, expected) in [
        ("publish_at = 2027-01-01T00:00:00Z", String::new()),
        ("stage = \"staging\"\npublish_at = 2027-01-01T00:00:00Z", String::new()),
        ("deprecate_at = 2020-01-01T00:00:00Z\nclose_at = 2020-01-01T00:00:00.001Z", String::new()),
        ("stage = \"deprecated\"\nclose_at = \"2027-01-01T00:00:00+02:00\"", String::new()),
        ("stage = \"staging\"\nclose_at = 2027-01-01T00:00:00Z", String::new()),
        (
            "stage = \"published\"\npublish_at = 2027-01-01T00:00:00Z",
            format!("10:14: `publish_at` {nothing} published from the beginning {published}: publish_at = 2027-01-01T00:00:00Z"),
        ),
        (
            "stage = \"deprecated\"\npublish_at = 2027-01-01T00:00:00Z",
            format!("10:14: `publish_at` {nothing} deprecated from the beginning {published}: publish_at = 2027-01-01T00:00:00Z"),
        ),
        (
            "stage = \"deprecated\"\ndeprecate_at = 2027-01-01T00:00:00Z",
            format!("10:16: `deprecate_at` {nothing} deprecated from the beginning {later}: deprecate_at = 2027-01-01T00:00:00Z"),
        ),
        (
            "stage = \"closed\"\nclose_at = 2027-01-01T00:00:00Z",
            format!("10:12: `close_at` {nothing} closed from the beginning {later}: close_at = 2027-01-01T00:00:00Z"),
        ),
        (
            "stage = \"staging\"\ndeprecate_at = 2027-01-01T00:00:00Z",
            "10:16: the plan is in staging, and nothing says when it is published before it is deprecated (say so in \
             `publish_at`): deprecate_at = 2027-01-01T00:00:00Z"
                .to_owned(),
        ),
        (
            "publish_at = 2027-01-02T00:00:00Z\ndeprecate_at = 2027-01-01T00:00:00Z",
            "10:16: `deprecate_at` must be later than `publish_at`; that is at t.toml:9:14: \
             deprecate_at = 2027-01-01T00:00:00Z"
                .to_owned(),
        ),
        (
            "publish_at = 2027-01-01T00:00:00Z\nclose_at = 2027-01-01T01:00:00+01:00",
            "10:12: `close_at` must be later than `publish_at`; that is at t.toml:9:14: \
             close_at = 2027-01-01T01:00:00+01:00"
                .to_owned(),
        ),
        (
            "close_at = 2027-01-01T00:00:00Z\ndeprecate_at = 2027-01-02T00:00:00Z",
            "9:12: `close_at` must be later than `deprecate_at`; that is at t.toml:10:16: \
             close_at = 2027-01-01T00:00:00Z"
                .to_owned(),
        ),
        (
            "close_at = 2027-01-01T00:00:00",
            "9:12: a date-time must have an offset (add the offset: `Z`, or one like `+02:00`): \
             close_at = 2027-01-01T00:00:00"
                .to_owned(),
        ),
    ] {
        let expected: Vec<&str> = Some(expected.as_str()).filter(|line| !line.is_empty()).into_iter().collect();
        check(&format!("{PLAN}{text}\n"), &expected);
    }
}

#[test]
fn a_stage_is_where_a_plan_begins() {
    for (text, now, expected) in [
        ("", 0, Stage::Published),
        ("stage = \"staging\"", 0, Stage::Staging),
        ("publish_at = 2027-01-15T08:00:00.5Z", 499, Stage::Staging),
        ("publish_at = 2027-01-15T08:00:00.5Z", 500, Stage::Published),
        (
            "stage = \"deprecated\"\nclose_at = 2027-01-15T08:00:01Z",
            999,
            Stage::Deprecated,
        ),
        (
            "stage = \"deprecated\"\nclose_at = 2027-01-15T08:00:01Z",
            1000,
            Stage::Closed,
        ),
        (
            "publish_at = 2000-01-01T00:00:00Z\nclose_at = 2010-01-01T00:00:00Z",
            0,
            Stage::Closed,
        ),
    ] {
        let snapshot = snapshot(&format!("{PLAN}{text}\n"));
        let now = UnixTime::from_millis(NOW.millis() + now);
        assert_eq!(snapshot.plans.first().unwrap().life.at(now), expected, "{text}");
    }
}

#[test]
fn keyless_plans_that_never_meet_are_in_nobodys_way() {
    let keyless = |first: &str, second: &str| {
        let open = "[[api.plan]]\nsecurity = \"keyless\"\nname =";
        format!("{PLAN}{open} \"first\"\n{first}\n{open} \"second\"\n{second}\n")
    };
    let early = "close_at = 2027-02-01T00:00:00Z";
    for (first, second, meet) in [
        (early, "publish_at = 2027-02-01T00:00:00Z", false),
        ("publish_at = 2027-02-01T00:00:00Z", early, false),
        (early, "publish_at = 2027-01-31T23:59:59.999Z", true),
        (early, "", true),
        ("", "publish_at = 2027-02-01T00:00:00Z", true),
        ("stage = \"staging\"", "", false),
        ("", "stage = \"closed\"", false),
        ("stage = \"deprecated\"", "", true),
    ] {
        let expected = "15:8: the plan `second` can never be chosen: it is keyless, and so is one before it (give the plan at \
                        t.toml:11:8 a `selection_rule`): name = \"second\"";
        let expected: &[&str] = if meet { &[expected] } else { &[] };
        check(&keyless(first, second), expected);
    }
}

#[test]
fn a_new_subscription_to_a_deprecated_plan_is_warned_of() {
    for (plan, subscription, warned) in [
        ("stage = \"deprecated\"", "", false),
        ("stage = \"deprecated\"", "from = 2027-01-15T07:59:59Z", false),
        ("stage = \"deprecated\"", "from = 2027-01-15T08:00:01Z", true),
        (
            "stage = \"deprecated\"",
            "from = 2027-01-15T08:00:01Z\nstatus = \"paused\"",
            false,
        ),
        (
            "deprecate_at = 2026-01-01T00:00:00Z",
            "from = 2025-12-31T23:59:59Z",
            false,
        ),
        (
            "deprecate_at = 2026-01-01T00:00:00Z",
            "from = 2026-01-01T00:00:00Z",
            true,
        ),
        ("", "from = 2027-01-15T08:00:01Z", false),
    ] {
        let snapshot = snapshot(&format!(
            "{PLAN}{plan}\n[[application]]\nid = \"mobile\"\n[[subscription]]\napplication = \"mobile\"\n\
             api = \"orders\"\nplan = \"gold\"\n{subscription}\n"
        ));
        let expected = "t.toml:15:8: the subscription of mobile to orders/gold begins when the plan is deprecated already";
        let expected: &[&str] = if warned { &[expected] } else { &[] };
        assert_eq!(snapshot.warnings, expected, "{plan} {subscription}");
    }
}

#[test]
fn the_security_of_a_plan_in_place_never_changes() {
    let (stages, key_ring) = (Stages::default(), KeyRing::default());
    let compile = |text: &str| {
        let compiled = Memory::new(format!("{text}{REST}")).compile_beside(&key_ring, &stages);
        compiled.map_err(|mistakes| {
            mistakes
                .iter()
                .map(|mistake| mistake.one_line())
                .collect::<Vec<_>>()
        })
    };
    let keyless = PLAN.replace(
        "security = \"jwt\"\nissuers = [\"acme\"]",
        "security = \"keyless\"",
    );
    let other = keyless.replace("gold", "open");
    // What was compiled and never put in place binds nobody.
    compile(&keyless).unwrap();
    stages.retain(&compile(PLAN).unwrap().plans);
    assert_eq!(
        compile(&keyless).err().unwrap(),
        [
            "t.toml:7:12: the plan `gold` is in place with `security = \"jwt\"`, which never changes (give the plan with \
          other security another name, and close this one): security = \"keyless\""
        ]
    );
    stages.retain(&compile(PLAN).unwrap().plans);
    // It goes, and another one comes.
    stages.retain(&compile(&other).unwrap().plans);
    stages.retain(&compile(&keyless).unwrap().plans);
    assert!(compile(PLAN).is_err());
}
