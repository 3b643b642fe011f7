//! `[[issuer]]`: whose tokens are accepted and where their keys come from.
//! Nothing that widens trust has a default: algorithms are required, every audience takes a word that begins with
//! `danger`, and durations have bounds.

use std::time::Duration;

use super::{DAY, HOUR, MINUTE, SECOND, claim_mapping, introspection, revocation_list};
use crate::config::place::Located;
use crate::config::schema::{
    AudienceSource, Audiences, Issuer, IssuerKey, IssuerSecret, Jwks, SecretEncoding, TokenProfile,
};
use crate::config::table::{Key, Shape, TableReader};
use crate::config::value::Value;

pub(super) static ISSUER: Shape = Shape {
    path: "issuer",
    title: "in [[issuer]]",
    keys: &[
        Key::Value("name"),
        Key::Value("algorithms"),
        Key::Value("audiences"),
        Key::Value("audience_optional"),
        Key::Value("audience_from"),
        Key::Value("discovery"),
        Key::Table("jwks", &JWKS),
        Key::Table("keys", &ISSUER_KEY),
        Key::Table("secrets", &ISSUER_SECRET),
        Key::Value("leeway"),
        Key::Value("max_lifetime"),
        Key::Value("required_claims"),
        Key::Value("scopes_claim"),
        Key::Value("client_id_claims"),
        Key::Value("token_types"),
        Key::Value("token_profile"),
        Key::Value("local"),
        Key::Value("use_default_claim_mapping"),
        Key::Table("claim_mapping", &claim_mapping::OF_ISSUER),
        Key::Table("revocation_list", &revocation_list::REVOCATION_LIST),
        Key::Table("introspection", &introspection::INTROSPECTION),
    ],
};

static JWKS: Shape = Shape {
    path: "issuer.jwks",
    title: "in `jwks` of [[issuer]]",
    keys: &[
        Key::Value("url"),
        Key::Value("file"),
        Key::Value("refresh_interval"),
        Key::Value("cooldown"),
        Key::Value("wait"),
        Key::Value("stale_after"),
        Key::Value("danger_allow_http"),
        Key::Value("follow_redirects"),
        Key::Value("ca_file"),
        Key::Value("proxy"),
        Key::Value("allow_full_replacement"),
    ],
};

static ISSUER_KEY: Shape = Shape {
    path: "issuer.keys",
    title: "in an entry of `keys` of [[issuer]]",
    keys: &[Key::Value("file")],
};

static ISSUER_SECRET: Shape = Shape {
    path: "issuer.secrets",
    title: "in an entry of `secrets` of [[issuer]]",
    keys: &[Key::Value("file"), Key::Value("encoding")],
};

/// How keys are fetched: beside a `file` they would say something that is not done.
const FETCHED_ONLY: [&str; 4] = ["follow_redirects", "ca_file", "proxy", "allow_full_replacement"];

const WAIT_MAX: Duration = Duration::from_secs(10);
const STALE_AFTER_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const LEEWAY: Duration = Duration::from_secs(30);
const LEEWAY_MAX: Duration = Duration::from_secs(5 * MINUTE.as_secs());

pub(super) fn issuer(value: Value<'_>) -> Option<Issuer> {
    let table = value.table(&ISSUER)?;
    let name = table.required("name", Value::text);
    let algorithms = |value: Value<'_>| Some(value.located(value.texts_not_empty()?));
    // Whoever is asked about tokens may have no keys; whether it has is judged where keys are.
    let algorithms = match table.has("introspection") {
        true => Some(table.optional("algorithms", algorithms)),
        false => table.required("algorithms", algorithms).map(Some),
    };
    let discovery = table.optional("discovery", Value::text);
    let discovered = table.has("discovery");
    Some(Issuer {
        audiences: table.optional("audiences", audiences),
        audience_optional: table.optional("audience_optional", |value| Some(value.located(value.boolean()?))),
        audience_from: table.or_default("audience_from", audience_from),
        jwks: table.optional("jwks", |value| Some(value.located(jwks(value, discovered)?))),
        discovery,
        keys: table.optional("keys", keys).unwrap_or_default(),
        local: table.optional("local", |value| Some(value.located(value.boolean()?))),
        secrets: table.optional("secrets", secrets).unwrap_or_default(),
        leeway: table.or(
            "leeway",
            |value| value.duration(Duration::ZERO..=LEEWAY_MAX),
            LEEWAY,
        ),
        revocation_list: table.optional("revocation_list", revocation_list::revocation_list),
        max_lifetime: table.optional("max_lifetime", |value| value.duration(SECOND..=Duration::MAX)),
        required_claims: table.optional("required_claims", Value::texts),
        scopes_claim: table.optional("scopes_claim", Value::text),
        client_id_claims: table.optional("client_id_claims", Value::texts_not_empty),
        token_types: table.optional("token_types", Value::texts_not_empty),
        claim_mappings: table
            .optional("claim_mapping", |value| {
                value.tables("[[issuer.claim_mapping]]", claim_mapping::claim_mapping_of_issuer)
            })
            .unwrap_or_default(),
        introspection: table.optional("introspection", |value| {
            Some(value.located(introspection::introspection(value)?))
        }),
        use_default_claim_mapping: table.or("use_default_claim_mapping", Value::boolean, true),
        token_profile: table.word(
            "token_profile",
            &[
                ("jwt", Some(TokenProfile::Jwt)),
                ("rfc9068", Some(TokenProfile::Rfc9068)),
            ],
        ),
        name: name?,
        algorithms: algorithms?,
    })
}

/// A list, or the one word that opens the door to every audience.
pub(super) fn audiences(value: Value<'_>) -> Option<Located<Audiences>> {
    const ANY: &str = "danger-accept-any";
    match value.as_str() {
        Some(ANY) => Some(value.located(Audiences::DangerAcceptAny)),
        Some(_) => value.wrong_but(
            format!("`audiences` is a list, or exactly \"{ANY}\""),
            "write a list: audiences = [\"…\"]",
        ),
        None => Some(value.located(Audiences::AnyOf(value.texts_not_empty()?))),
    }
}

/// What else names audiences, each once.
pub(super) fn audience_from(value: Value<'_>) -> Option<Vec<Located<AudienceSource>>> {
    let sources = value.list_not_empty(|value| {
        let source = value.word(&AudienceSource::ALL.map(|source| (source.word(), Some(source))))?;
        Some(value.located(source))
    })?;
    value.each_once(
        sources
            .iter()
            .map(|source| (source.value, &source.place, source.value.word().to_owned())),
    );
    Some(sources)
}

/// `discovered`: beside `discovery`, so that it says how keys are fetched and not whence.
fn jwks(value: Value<'_>, discovered: bool) -> Option<Jwks> {
    let table = value.table(&JWKS)?;
    let usual = Jwks::default();
    let refresh_interval = table.or(
        "refresh_interval",
        |value| value.duration(SECOND..=DAY),
        usual.refresh_interval,
    );
    let jwks = Jwks {
        url: table.optional("url", Value::text),
        file: table.optional("file", Value::file),
        refresh_interval,
        cooldown: table.or("cooldown", |value| value.duration(SECOND..=HOUR), usual.cooldown),
        wait: table.or(
            "wait",
            |value| value.duration(Duration::ZERO..=WAIT_MAX),
            usual.wait,
        ),
        stale_after: table.or(
            "stale_after",
            |value| stale_after(value, refresh_interval),
            usual.stale_after,
        ),
        danger_allow_http: boolean(&table, "danger_allow_http"),
        follow_redirects: boolean(&table, "follow_redirects"),
        ca_file: table.optional("ca_file", Value::file),
        proxy: table.optional("proxy", Value::text),
        allow_full_replacement: boolean(&table, "allow_full_replacement"),
    };
    match (table.has("url"), table.has("file")) {
        (true, true) => value.wrong_but("`jwks` has both `url` and `file`", "keep one"),
        (false, false) if !discovered => {
            table.missing("`url` or `file`");
            None
        }
        (true, false) | (false, true) if discovered => value.wrong_but(
            "an issuer has one source of keys, and `discovery` is one",
            "remove `discovery`, or `url` or `file` from `jwks`",
        ),
        (false, true) => match FETCHED_ONLY.iter().find(|key| table.has(key)) {
            Some(key) => value.wrong(format!("`{key}` is for keys that are fetched, not for a `file`")),
            None => Some(jwks),
        },
        _ => Some(jwks),
    }
}

fn boolean(table: &TableReader<'_>, key: &'static str) -> bool {
    table.or_default(key, Value::boolean)
}

/// Good keys must not be dropped before their next refresh.
fn stale_after(value: Value<'_>, refresh_interval: Duration) -> Option<Duration> {
    let stale_after = value.duration(SECOND..=STALE_AFTER_MAX)?;
    if stale_after < refresh_interval {
        let interval = humantime::format_duration(refresh_interval);
        return value.wrong(format!(
            "`stale_after` must be at least `refresh_interval`, which is {interval}"
        ));
    }
    Some(stale_after)
}

fn keys(value: Value<'_>) -> Option<Vec<IssuerKey>> {
    let entries = value.entries()?;
    let keys = entries.into_iter().filter_map(|(kid, value)| {
        let table = value.table(&ISSUER_KEY)?;
        let file = table.required("file", Value::file);
        Some(IssuerKey { kid, file: file? })
    });
    Some(keys.collect())
}

fn secrets(value: Value<'_>) -> Option<Vec<IssuerSecret>> {
    let entries = value.entries()?;
    let secrets = entries.into_iter().filter_map(|(kid, value)| {
        let table = value.table(&ISSUER_SECRET)?;
        let file = table.required("file", Value::file);
        let encoding = table.optional("encoding", |value| {
            value.word(&[
                ("text", Some(SecretEncoding::Text)),
                ("base64", Some(SecretEncoding::Base64)),
                ("base64url", Some(SecretEncoding::Base64Url)),
                ("hex", Some(SecretEncoding::Hex)),
            ])
        });
        Some(IssuerSecret {
            kid,
            file: file?,
            encoding: encoding.unwrap_or_default(),
        })
    });
    Some(secrets.collect())
}
