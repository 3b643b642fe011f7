//! `introspection` of `[[issuer]]`: how an issuer is asked about tokens that say nothing themselves (RFC 7662).
//! The secret is not written here: it is in a file or in a variable of the process's environment.

use std::time::Duration;

use super::{HOUR, MINUTE, SECOND};
use crate::config::schema::{ClientSecret, Introspection, IntrospectionAuth};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static INTROSPECTION: Shape = Shape {
    path: "issuer.introspection",
    title: "in `introspection` of [[issuer]]",
    keys: &[
        Key::Value("url"),
        Key::Value("client_id"),
        Key::Value("client_secret_file"),
        Key::Value("client_secret_env"),
        Key::Value("client_auth"),
        Key::Value("required_claims"),
        Key::Value("cache_ttl"),
        Key::Value("negative_ttl"),
        Key::Value("timeout"),
        Key::Value("concurrency"),
        Key::Value("danger_allow_http"),
        Key::Value("ca_file"),
        Key::Value("proxy"),
    ],
};

const CACHE_TTL: Duration = Duration::from_secs(60);
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(5 * MINUTE.as_secs());
const TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_MIN: Duration = Duration::from_millis(10);
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
const CONCURRENCY: usize = 64;
const CONCURRENCY_MAX: usize = 1024;

pub(super) fn introspection(value: Value<'_>) -> Option<Introspection> {
    let table = value.table(&INTROSPECTION)?;
    let url = table.required("url", Value::text);
    let client_id = table.required("client_id", Value::text);
    let file = table.optional("client_secret_file", Value::file);
    let variable = table.optional("client_secret_env", Value::text);
    let auth = table.word(
        "client_auth",
        &[
            ("basic", Some(IntrospectionAuth::Basic)),
            ("post", Some(IntrospectionAuth::Post)),
        ],
    );
    let required_claims = table.or_default("required_claims", Value::texts);
    let cache_ttl = table.or("cache_ttl", |value| value.duration(SECOND..=HOUR), CACHE_TTL);
    let negative_ttl = table.or(
        "negative_ttl",
        |value| value.duration(SECOND..=NEGATIVE_TTL_MAX),
        NEGATIVE_TTL,
    );
    let timeout = table.or(
        "timeout",
        |value| value.duration(TIMEOUT_MIN..=TIMEOUT_MAX),
        TIMEOUT,
    );
    let concurrency = table.or(
        "concurrency",
        |value| value.integer(1..=CONCURRENCY_MAX),
        CONCURRENCY,
    );
    let danger_allow_http = table.or_default("danger_allow_http", Value::boolean);
    let ca_file = table.optional("ca_file", Value::file);
    let proxy = table.optional("proxy", Value::text);
    let secret = match (table.has("client_secret_file"), table.has("client_secret_env")) {
        (true, false) => file.map(ClientSecret::File),
        (false, true) => variable.map(ClientSecret::Variable),
        (true, true) => value.wrong_but(
            "`introspection` has both `client_secret_file` and `client_secret_env`",
            "keep one",
        ),
        (false, false) => {
            table.missing("`client_secret_file` or `client_secret_env`");
            None
        }
    };
    Some(Introspection {
        url: url?,
        client_id: client_id?,
        secret: secret?,
        auth,
        required_claims,
        cache_ttl,
        negative_ttl,
        timeout,
        concurrency,
        danger_allow_http,
        ca_file,
        proxy,
    })
}
