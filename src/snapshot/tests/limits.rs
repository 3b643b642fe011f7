//! Limits that cannot be meant or cannot be kept, with their places; and what tiers bring to whoever refers to them.
//! What a tier gets wrong is said once, at the tier.

use super::{API, PLAN, check, snapshot};

#[test]
fn tiers_exist_once_and_under_the_name_that_is_referred_to() {
    check(
        &format!("{PLAN}tier = \"slver\"\n[[tier]]\nname = \"silver\"\n"),
        &["9:8: there is no tier `slver` (did you mean `silver`?): tier = \"slver\""],
    );
    check(
        "[[tier]]\nname = \"a\"\n[[tier]]\nname = \"a\"\n[[tier]]\nname = \"a b\"\n",
        &[
            "4:8: the tier `a` is defined twice; first at t.toml:2:8: name = \"a\"",
            "6:8: the name of the tier `a b` may hold only letters, digits, `.`, `_` and `-`, and begins with a letter or \
             digit: name = \"a b\"",
        ],
    );
}

#[test]
fn time_zones_are_those_that_there_are() {
    for (text, expected) in [
        (
            "quota = { requests = 1, per = \"day\", timezone = \"Europe/Pariss\" }",
            "9:49: there is no time zone `Europe/Pariss` (did you mean `Europe/Paris`?)",
        ),
        (
            "bandwidth = { bytes = 1, per = \"day\", timezone = \"CEST\" }",
            "9:50: there is no time zone `CEST` (did you mean `CET`?)",
        ),
    ] {
        check(&format!("{PLAN}{text}\n"), &[&format!("{expected}: {text}")]);
    }
    // Whoever refers to a tier does not repeat its mistakes.
    let quota = "quota = { requests = 1, per = \"day\", timezone = \"Nowhere/AtAll/InTheWorld\" }";
    check(
        &format!("{PLAN}tier = \"a\"\n[[tier]]\nname = \"a\"\n{quota}\n"),
        &[&format!(
            "12:49: there is no time zone `Nowhere/AtAll/InTheWorld`: {quota}"
        )],
    );
}

#[test]
fn claims_are_for_plans_whose_callers_have_some() {
    let rate = "rate = { requests = 5, per = \"1s\", key_from = \"tenant\" }";
    let keyless = format!("{API}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n");
    let says = "the claim `tenant`: `key_from` is for plans with `security = \"jwt\"` or \"oauth2\": other callers have no claims";
    check(&format!("{PLAN}{rate}\n"), &[]);
    check(&format!("{keyless}{rate}\n"), &[&format!("8:47: {says}: {rate}")]);
    // Through a tier, said at the tier.
    check(
        &format!("{keyless}tier = \"t\"\n[[tier]]\nname = \"t\"\n{rate}\n"),
        &[&format!(
            "11:47: {says} (a tier is referred to at t.toml:8:8): {rate}"
        )],
    );
    // What is written beside the reference takes the tier's place.
    check(
        &format!(
            "{keyless}tier = \"t\"\nrate = {{ requests = 5, per = \"1s\" }}\n[[tier]]\nname = \"t\"\n{rate}\n"
        ),
        &[],
    );
}

#[test]
fn a_rolling_quota_is_for_those_who_have_a_place_of_their_own() {
    let quota = "quota = { requests = 1, per = \"day\", rolling = true }";
    let says = |who: &str| {
        format!(
            "9: {who} has a place of fixed size, which a rolling quota does not fit into (leave `rolling` out): {quota}"
        )
    };
    check(&format!("{PLAN}{quota}\n"), &[]);
    let each = "each caller of a plan without subscriptions";
    let keyless = format!("{API}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n");
    check(&format!("{keyless}{quota}\n"), &[&format!("8:{}", says(each))]);
    check(
        &format!("{PLAN}subscription_validation = false\n{quota}\n"),
        &[&format!("10:{}", says(each))],
    );
    let keyed = quota.replace(" }", ", key_from = \"tenant\" }");
    let expected = says("each value of a claim").replace(quota, &keyed);
    check(&format!("{PLAN}{keyed}\n"), &[&format!("9:{expected}")]);
}

#[test]
fn limits_that_contradict_or_say_nothing() {
    for (text, expected) in [
        (
            "on_exceed = \"report\"",
            "9:13: `on_exceed` is for limits, and there are none here",
        ),
        (
            "quota = [{ requests = 1, per = \"day\" }, { requests = 2, per = \"day\" }]",
            "9:41: `quota` is there twice: quotas of one level differ in their period, or one of them is rolling \
             (the first is at t.toml:9:10)",
        ),
        // A token without the claim would count in both.
        (
            "quota = [{ requests = 1, per = \"day\", key_from = \"tenant\" }, { requests = 2, per = \"day\" }]",
            "9:62: `quota` is there twice: quotas of one level differ in their period, or one of them is rolling \
             (the first is at t.toml:9:10)",
        ),
        (
            "quota = [{ requests = 1, per = \"day\", requests_from = \"a\" }, { requests = 1, per = \"day\", timezone = \"CET\", requests_from = \"b\" }]",
            "9:62: `quota` is there twice: quotas of one level differ in their period, or one of them is rolling \
             (the first is at t.toml:9:10)",
        ),
    ] {
        check(&format!("{PLAN}{text}\n"), &[&format!("{expected}: {text}")]);
    }
    for text in [
        "quota = [{ requests = 1, per = \"day\", key_from = \"tenant\" }, { requests = 2, per = \"month\" }]",
        "quota = [{ requests = 1, per = \"day\", key_from = \"tenant\" }, { requests = 2, per = \"day\", rolling = true }]",
    ] {
        check(&format!("{PLAN}{text}\n"), &[]);
    }
}

#[test]
fn quotas_want_a_store() {
    let warnings = |text: &str| snapshot(text).warnings.join("\n");
    let quota = "quota = { requests = 1, per = \"day\" }\n";
    let state = "[state]\npath = \"s.redb\"\n";
    assert!(warnings(&format!("{PLAN}{quota}")).contains("no [state]"));
    assert!(warnings(&format!("{API}{quota}")).contains("no [state]"));
    assert!(warnings(&format!("{API}[[api.route]]\npath = \"/\"\n{quota}")).contains("no [state]"));
    for silent in [
        PLAN.to_owned(),
        format!("{PLAN}rate = {{ requests = 1, per = \"1s\" }}\n"),
        format!("{PLAN}{quota}{state}"),
        // Nothing is kept of strangers.
        format!("{API}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n{quota}"),
    ] {
        assert_eq!(warnings(&silent), "", "{silent}");
    }
}
