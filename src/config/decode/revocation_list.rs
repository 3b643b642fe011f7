//! `revocation_list` of `[[issuer]]`: where an issuer says which tokens it has taken back.
//! What becomes of tokens when it does not answer is the operator's word, without a default: either way somebody is hurt.

use std::time::Duration;

use super::{HOUR, SECOND};
use crate::config::schema::{ListFail, ListFormat, RevocationList};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static REVOCATION_LIST: Shape = Shape {
    path: "issuer.revocation_list",
    title: "in `revocation_list` of [[issuer]]",
    keys: &[
        Key::Value("url"),
        Key::Value("format"),
        Key::Value("refresh_interval"),
        Key::Value("fail"),
        Key::Value("closed_after"),
        Key::Value("danger_allow_http"),
        Key::Value("follow_redirects"),
        Key::Value("ca_file"),
        Key::Value("proxy"),
    ],
};

const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
const CLOSED_AFTER_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How `fail` is written; how long the last list counts stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fail {
    Open,
    Closed,
    ClosedAfter,
}

pub(super) fn revocation_list(value: Value<'_>) -> Option<RevocationList> {
    let table = value.table(&REVOCATION_LIST)?;
    let url = table.required("url", Value::text);
    let fail = table.required("fail", |value| {
        value.word(&[
            ("open", Some(Fail::Open)),
            ("closed", Some(Fail::Closed)),
            ("closed_after", Some(Fail::ClosedAfter)),
        ])
    });
    let refresh_interval = table.or(
        "refresh_interval",
        |value| value.duration(SECOND..=HOUR),
        REFRESH_INTERVAL,
    );
    let closed_after = table.optional("closed_after", |value| {
        let closed_after = value.duration(SECOND..=CLOSED_AFTER_MAX)?;
        if closed_after < refresh_interval {
            let interval = humantime::format_duration(refresh_interval);
            return value.wrong(format!(
                "`closed_after` must be at least `refresh_interval`, which is {interval}"
            ));
        }
        Some(closed_after)
    });
    // Every key is read before any of them decides, so that all mistakes are found.
    let format = table.word(
        "format",
        &[
            ("json", Some(ListFormat::Json)),
            ("lines", Some(ListFormat::Lines)),
        ],
    );
    let danger_allow_http = table.or_default("danger_allow_http", Value::boolean);
    let follow_redirects = table.or_default("follow_redirects", Value::boolean);
    let ca_file = table.optional("ca_file", Value::file);
    let proxy = table.optional("proxy", Value::text);
    let fail = match (fail?, table.has("closed_after")) {
        (Fail::Open, false) => ListFail::Open,
        (Fail::Closed, false) => ListFail::Closed,
        (Fail::ClosedAfter, true) => ListFail::ClosedAfter(closed_after?),
        (Fail::ClosedAfter, false) => {
            table.missing("`closed_after`");
            return None;
        }
        (Fail::Open | Fail::Closed, true) => {
            return value.wrong_but(
                "`closed_after` says how long the last list counts, and `fail` says something else",
                "write fail = \"closed_after\", or remove `closed_after`",
            );
        }
    };
    Some(RevocationList {
        url: url?,
        format,
        refresh_interval,
        fail,
        danger_allow_http,
        follow_redirects,
        ca_file,
        proxy,
    })
}
