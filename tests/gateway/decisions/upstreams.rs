//! Rows that are permitted and then fail, and answers that are passed on whatever they say.
//!
//! The caller learns that the upstream failed, and never where it is or what it said.

use super::{Row, row};
use crate::harness::{get, post};

pub(super) fn rows() -> Vec<Row> {
    let error = "502 upstream_error upstream_error";
    vec![
        row("nobody listens", get("/refused/x"), error),
        row("reset", get("/public/reset"), error),
        row("reset after a body", post("/public/reset", "abc"), error),
        row("another protocol", get("/public/garbage"), error),
        row("half an answer", get("/public/cut"), error),
        row(
            "silence",
            get("/impatient/silent"),
            "504 upstream_timeout upstream_timeout",
        ),
        row(
            "the upstream's own failure",
            get("/public/failing"),
            "500 open - /public/failing",
        ),
        row(
            "an answer in chunks",
            get("/public/chunked"),
            "200 open - /public/chunked",
        ),
        row(
            "an answer in chunks to HTTP/1.0",
            get("/public/chunked").version("HTTP/1.0"),
            "200 open - /public/chunked",
        ),
        row(
            "an answer in pieces",
            get("/public/slow"),
            "200 open - /public/slow",
        ),
        row(
            "an upstream that closes",
            get("/public/close"),
            "200 open - /public/close",
        ),
    ]
}
