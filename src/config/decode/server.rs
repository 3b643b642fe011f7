//! The process itself: `[server]`, `[[listener]]`, `[metrics]`, `[access_log]`.
//!
//! Every bound on what strangers may send has a default here, in [`Server::default`], and a range in which it may be
//! moved: none can be switched off.

use std::time::Duration;

use super::{HOUR, MILLISECOND, MINUTE, SECOND};
use crate::config::place::Located;
use crate::config::schema::{AccessLog, DuplicateSlashes, Listener, Metrics, PathParameters, Server};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static SERVER: Shape = Shape {
    path: "server",
    title: "in [server]",
    keys: &[
        Key::Value("threads"),
        Key::Value("grace_period"),
        Key::Value("request_id_header"),
        Key::Value("trusted_proxies"),
        Key::Value("verbose_errors"),
        Key::Value("header_bytes_max"),
        Key::Value("headers_max"),
        Key::Value("target_bytes_max"),
        Key::Value("body_bytes_max"),
        Key::Value("idle_timeout"),
        Key::Value("read_timeout"),
        Key::Value("write_timeout"),
        Key::Value("upstream_connections_idle_max"),
        Key::Value("token_cache_entries"),
        Key::Value("forgery_budget"),
        Key::Value("forgery_budget_per_source"),
        Key::Value("forgery_burst"),
        Key::Value("forgery_hold"),
        Key::Value("duplicate_slashes"),
        Key::Value("path_parameters"),
        Key::Value("audience"),
    ],
};

pub(super) static LISTENER: Shape = Shape {
    path: "listener",
    title: "in [[listener]]",
    keys: &[Key::Value("address"), Key::Later("tls"), Key::Later("http2")],
};

pub(super) static METRICS: Shape = Shape {
    path: "metrics",
    title: "in [metrics]",
    keys: &[Key::Value("address")],
};

pub(super) static ACCESS_LOG: Shape = Shape {
    path: "access_log",
    title: "in [access_log]",
    keys: &[Key::Value("path"), Key::Value("claims")],
};

/// TOML has no larger integer.
pub(super) const BODY_BYTES_MAX: u64 = i64::MAX.unsigned_abs();

/// A hundred cores: no machine spends more on forged tokens.
const PERCENT_MAX: u32 = 10_000;

pub(super) fn server(value: Value<'_>) -> Option<Server> {
    let table = value.table(&SERVER)?;
    let or = Server::default();
    let timeout = |value: Value<'_>| value.duration(SECOND..=HOUR);
    Some(Server {
        threads: table.optional("threads", |value| Some(value.located(value.integer(1..=1024)?))),
        grace_period: table.or(
            "grace_period",
            |value| value.duration(Duration::ZERO..=HOUR),
            or.grace_period,
        ),
        request_id_header: table.optional("request_id_header", Value::text),
        trusted_proxies: table.or_default("trusted_proxies", Value::texts),
        verbose_errors: table.or("verbose_errors", Value::boolean, or.verbose_errors),
        header_bytes_max: table.or(
            "header_bytes_max",
            |value| value.integer(1024..=1024 * 1024),
            or.header_bytes_max,
        ),
        headers_max: table.or("headers_max", |value| value.integer(1..=256), or.headers_max),
        target_bytes_max: table.or(
            "target_bytes_max",
            |value| value.integer(256..=64 * 1024),
            or.target_bytes_max,
        ),
        body_bytes_max: table.or(
            "body_bytes_max",
            |value| value.integer(0..=BODY_BYTES_MAX),
            or.body_bytes_max,
        ),
        idle_timeout: table.or("idle_timeout", timeout, or.idle_timeout),
        read_timeout: table.or("read_timeout", timeout, or.read_timeout),
        write_timeout: table.or("write_timeout", timeout, or.write_timeout),
        upstream_connections_idle_max: table.or(
            "upstream_connections_idle_max",
            |value| value.integer(1..=65536),
            or.upstream_connections_idle_max,
        ),
        token_cache_entries: table.or(
            "token_cache_entries",
            |value| value.integer(0..=16_777_216),
            or.token_cache_entries,
        ),
        forgery_budget: table.optional("forgery_budget", |value| value.percent(2..=PERCENT_MAX)),
        forgery_budget_per_source: table.optional("forgery_budget_per_source", |value| {
            value.percent(1..=PERCENT_MAX)
        }),
        forgery_burst: table.or(
            "forgery_burst",
            |value| value.duration(100 * MILLISECOND..=MINUTE),
            or.forgery_burst,
        ),
        forgery_hold: table.or(
            "forgery_hold",
            |value| value.duration(Duration::ZERO..=10 * SECOND),
            or.forgery_hold,
        ),
        duplicate_slashes: table.word(
            "duplicate_slashes",
            &[
                ("refuse", Some(DuplicateSlashes::Refuse)),
                ("merge", Some(DuplicateSlashes::Merge)),
            ],
        ),
        path_parameters: table.word(
            "path_parameters",
            &[
                ("refuse", Some(PathParameters::Refuse)),
                ("strip", Some(PathParameters::Strip)),
            ],
        ),
        audience: table.optional("audience", Value::text),
    })
}

pub(super) fn listener(value: Value<'_>) -> Option<Listener> {
    let table = value.table(&LISTENER)?;
    let address = table.required("address", Value::address);
    Some(Listener { address: address? })
}

pub(super) fn metrics(value: Value<'_>) -> Option<Metrics> {
    let table = value.table(&METRICS)?;
    let address = table.required("address", Value::address);
    Some(Metrics { address: address? })
}

/// A file, relative to the file that names it, or `-`.
fn log_path(value: Value<'_>) -> Option<Located<String>> {
    let text = value.text()?;
    if text.value == "-" {
        return Some(text);
    }
    let file = value.file()?;
    Some(file.map(|path| path.to_string_lossy().into_owned()))
}

pub(super) fn access_log(value: Value<'_>) -> Option<AccessLog> {
    let table = value.table(&ACCESS_LOG)?;
    let path = table.required("path", log_path);
    let claims = table.or_default("claims", Value::texts);
    Some(AccessLog { path: path?, claims })
}
