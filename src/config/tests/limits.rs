//! Limits as they are written: the same keys at every level, each with its bounds, and claims at plans and tiers only.
//! What they mean together, and whether that can be kept, is judged in `snapshot`.

use std::num::NonZeroU64;
use std::time::Duration;

use super::super::{CountersKind, OnExceed, Per};
use super::{check, main_file};

const API: &str = "[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"u\"\n";
const PLAN: &str = "[[api.plan]]\nname = \"p\"\nsecurity = \"jwt\"\n";
const ROUTE: &str = "[[api.route]]\npath = \"/\"\n";

/// Everywhere that limits may stand: the lines above, and how messages call it.
fn levels() -> [(String, &'static str); 5] {
    [
        (API.to_owned(), "[[api]]"),
        (format!("{API}{PLAN}"), "[[api.plan]]"),
        (format!("{API}{ROUTE}"), "[[api.route]]"),
        ("[[application]]\nid = \"a\"\n".to_owned(), "[[application]]"),
        ("[[tier]]\nname = \"t\"\n".to_owned(), "[[tier]]"),
    ]
}

#[test]
fn every_level_has_the_same_limits() {
    for (above, level) in levels() {
        let line = above.lines().count() + 1;
        let check = |text: &str, expected: &str| {
            let expected = expected.replace('@', level);
            check(
                &format!("{above}{text}\n"),
                &[&format!("{line}:{expected}: {text}")],
            );
        };
        for (text, expected) in [
            ("rate = {}", "8: missing required key `requests` in `rate` of @"),
            (
                "quota = 5",
                "9: expected a table, or a list of tables, found an integer",
            ),
            ("quota = []", "9: `quota` must not be empty"),
            ("spike_arrest = 5", "16: expected a table, found an integer"),
            (
                "concurrency = 0",
                "15: `concurrency` must be between 1 and 1000000, not 0",
            ),
            (
                "on_exceed = \"log\"",
                "13: unknown word `log` for `on_exceed` (known are `deny`, `report`)",
            ),
            (
                "rate = { requests = 0, per = \"1s\" }",
                "21: `requests` must be between 1 and 1000000, not 0",
            ),
            (
                "rate = { requests = 5, per = \"2m\" }",
                "30: `per` must be between 1s and 1m, not 2m",
            ),
            (
                "rate = { requests = 5, per = \"1s\", burst = 6 }",
                "44: `burst` must be between 1 and 5, not 6",
            ),
            (
                "quota = { requests = 1_000_000_000_001, per = \"day\" }",
                "22: `requests` must be between 1 and 1000000000000, not 1000000000001",
            ),
            (
                "quota = { requests = 5, per = \"year\" }",
                "31: unknown word `year` for `per` (known are `hour`, `day`, `week`, `month`)",
            ),
            (
                "quota = { requests = 5, per = \"day\", rolling = true, timezone = \"UTC\" }",
                "65: a rolling quota takes no `timezone` (it is for any stretch of its length, wherever that begins)",
            ),
            (
                "bandwidth = { requests = 5, bytes = 5, per = \"day\" }",
                "15: unknown key `requests` in `bandwidth` of @ (known are `bytes`, `per`, `timezone`)",
            ),
            (
                "bandwidth = { bytes = 70_368_744_177_664, per = \"month\" }",
                "23: `bytes` must be between 1 and 70368744177663, not 70368744177664",
            ),
            (
                "spike_arrest = { requests = 5, per = \"50ms\" }",
                "38: `per` must be between 100ms and 1m, not 50ms",
            ),
        ] {
            match text {
                "rate = {}" => {
                    let missing = |key: &str| {
                        format!("{line}:8: missing required key `{key}` in `rate` of {level}: {text}")
                    };
                    super::check(
                        &format!("{above}{text}\n"),
                        &[&missing("per"), &missing("requests")],
                    );
                }
                _ => check(text, expected),
            }
        }
        let five = "quota = [{ requests = 1, per = \"day\" }, { requests = 1, per = \"day\" }, { requests = 1, per = \"day\" }, { requests = 1, per = \"day\" }, { requests = 1, per = \"day\" }]";
        check(five, "9: at most 4 quotas, not 5");
    }
}

#[test]
fn claims_are_asked_at_plans_and_in_tiers() {
    for (above, level) in levels() {
        let text = "rate = { requests = 5, per = \"1s\", key_from = \"tenant\" }";
        let line = above.lines().count() + 1;
        let unknown = format!(
            "{line}:36: unknown key `key_from` in `rate` of {level} (known are `requests`, `per`, `burst`): {text}"
        );
        let expected: &[&str] = match level {
            "[[api.plan]]" | "[[tier]]" => &[],
            _ => &[&unknown],
        };
        let found = main_file(format!("{above}{text}\n")).lines();
        let found: Vec<&str> = found
            .iter()
            .map(|line| line.trim_start_matches("conf/t.toml:"))
            .filter(|line| !line.contains("missing required key"))
            .collect();
        assert_eq!(found, expected, "{level}");
    }
}

#[test]
fn tiers_have_names_and_refer_to_nothing() {
    check(
        "[[tier]]\n",
        &["1:1: missing required key `name` in [[tier]]: [[tier]]"],
    );
    check(
        "[[tier]]\nname = \"a\"\ntier = \"b\"\n",
        &[
            "3:1: unknown key `tier` in [[tier]] (known are `name`, `rate`, `quota`, `spike_arrest`, `bandwidth`, `concurrency`, `on_exceed`): tier = \"b\"",
        ],
    );
}

#[test]
fn what_is_written_is_read() {
    let text = "[counters]\nkind = \"local\"\n[[tier]]\nname = \"t\"\nconcurrency = 7\non_exceed = \"report\"\n\
        rate = { requests = 10, per = \"1m\", burst = 3, requests_from = \"r\", key_from = \"k\" }\n\
        [[tier.quota]]\nrequests = 5\nper = \"week\"\ntimezone = \"Europe/Paris\"\n\
        [[tier.quota]]\nrequests = 6\nper = \"hour\"\nrolling = true\n\
        [tier.spike_arrest]\nrequests = 8\nper = \"1s\"\n[tier.bandwidth]\nbytes = 9\nper = \"month\"\n";
    let config = main_file(text).parse().unwrap();
    assert_eq!(config.counters.kind, CountersKind::Local);
    let limits = &config.tiers[0].limits;
    let rate = &limits.rate.as_ref().unwrap().value;
    assert_eq!(
        (rate.requests, rate.per, rate.burst.as_ref().unwrap().value),
        (count(10), Duration::from_secs(60), count(3))
    );
    let claim = |claim: &Option<super::super::Located<String>>| claim.as_ref().unwrap().value.clone();
    assert_eq!(
        (claim(&rate.from.requests), claim(&rate.from.key)),
        ("r".to_owned(), "k".to_owned())
    );
    let quotas: Vec<_> = limits
        .quotas
        .iter()
        .map(|quota| {
            (
                quota.value.requests,
                quota.value.period.per,
                quota.value.period.rolling,
            )
        })
        .collect();
    assert_eq!(
        quotas,
        [(count(5), Per::Week, false), (count(6), Per::Hour, true)]
    );
    let spike = limits.spike_arrest.as_ref().unwrap().value;
    assert_eq!(
        (spike.requests, spike.per, spike.slices),
        (count(8), Duration::from_secs(1), 8)
    );
    let bandwidth = &limits.bandwidth.as_ref().unwrap().value;
    assert_eq!((bandwidth.bytes, bandwidth.per), (count(9), Per::Month));
    assert_eq!(limits.concurrency.as_ref().unwrap().value, 7);
    assert_eq!(limits.on_exceed.as_ref().unwrap().value, OnExceed::Report);
}

fn count(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}
