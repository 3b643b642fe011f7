//! `[token_service]` and `[[user]]`: the gateway as an issuer, and the people who may ask it for tokens.
//! What its tokens say of themselves - issuer, audiences, lifetime, algorithm - has no default: each is a promise to whoever
//! accepts them.

use std::time::Duration;

use super::{DAY, MINUTE};
use crate::config::schema::{CustomClaims, ServerTls, ServiceKey, TokenService, User};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static TOKEN_SERVICE: Shape = Shape {
    path: "token_service",
    title: "in [token_service]",
    keys: &[
        Key::Value("address"),
        Key::Table("tls", &TLS),
        Key::Value("allow_http"),
        Key::Value("issuer"),
        Key::Value("public_uri"),
        Key::Value("audiences"),
        Key::Value("lifetime"),
        Key::Value("algorithm"),
        Key::Table("keys", &KEY),
        Key::Value("custom_claims"),
        Key::Value("custom_issuers"),
    ],
};

static TLS: Shape = Shape {
    path: "token_service.tls",
    title: "in `tls` of [token_service]",
    keys: &[Key::Value("certificate"), Key::Value("key")],
};

static KEY: Shape = Shape {
    path: "token_service.keys",
    title: "in an entry of `keys` of [token_service]",
    keys: &[
        Key::Value("kid"),
        Key::Value("file"),
        Key::Value("algorithm"),
        Key::Value("generate"),
        Key::Value("not_before"),
        Key::Value("retire_after"),
    ],
};

pub(super) static USER: Shape = Shape {
    path: "user",
    title: "in [[user]]",
    keys: &[
        Key::Value("name"),
        Key::Value("password_hash"),
        Key::Value("applications"),
    ],
};

/// A token that can be taken back only with effort should not outlive a day.
const LIFETIME_MAX: Duration = DAY;

pub(super) fn token_service(value: Value<'_>) -> Option<TokenService> {
    let table = value.table(&TOKEN_SERVICE)?;
    let address = table.required("address", Value::address);
    let tls = table.optional("tls", tls);
    let allow_http = table.or_default("allow_http", Value::boolean);
    let issuer = table.required("issuer", Value::text);
    let public_uri = table.optional("public_uri", Value::text);
    let audiences = table.required("audiences", Value::texts_not_empty);
    let lifetime = table.required("lifetime", |value| value.duration(MINUTE..=LIFETIME_MAX));
    let algorithm = table.required("algorithm", Value::text);
    let keys = table.required("keys", |value| {
        if value.is_list() {
            value.list_not_empty(key)
        } else {
            value.tables("[[token_service.keys]]", key)
        }
    });
    let custom_claims = table.optional("custom_claims", |value| {
        let claims = if value.as_str().is_some() {
            value.word(&[("danger-accept-any", Some(()))])?;
            CustomClaims::DangerAcceptAny
        } else {
            CustomClaims::AnyOf(value.texts_not_empty()?)
        };
        Some(value.located(claims))
    });
    let custom_issuers = table.or_default("custom_issuers", Value::texts);
    Some(TokenService {
        place: value.place(),
        address: address?,
        tls,
        allow_http,
        issuer: issuer?,
        public_uri,
        audiences: audiences?,
        lifetime: lifetime?,
        algorithm: algorithm?,
        keys: keys?,
        custom_claims,
        custom_issuers,
    })
}

fn tls(value: Value<'_>) -> Option<ServerTls> {
    let table = value.table(&TLS)?;
    let certificate = table.required("certificate", Value::file);
    let key = table.required("key", Value::file);
    Some(ServerTls {
        certificate: certificate?,
        key: key?,
        client_ca: None,
    })
}

fn key(value: Value<'_>) -> Option<ServiceKey> {
    let table = value.table(&KEY)?;
    let kid = table.required("kid", Value::text);
    let file = table.required("file", Value::file);
    let algorithm = table.optional("algorithm", Value::text);
    let generate = table.or_default("generate", Value::boolean);
    let not_before = table.optional("not_before", Value::time);
    let retire_after = table.optional("retire_after", Value::time);
    Some(ServiceKey {
        kid: kid?,
        file: file?,
        algorithm,
        generate,
        not_before,
        retire_after,
    })
}

pub(super) fn user(value: Value<'_>) -> Option<User> {
    let table = value.table(&USER)?;
    let name = table.required("name", Value::text);
    let password_hash = table.required("password_hash", Value::text);
    let applications = table.required("applications", Value::texts_not_empty);
    Some(User {
        name: name?,
        password_hash: password_hash?,
        applications: applications?,
    })
}
