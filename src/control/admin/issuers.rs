//! Issuers and their keys, for whoever wants to know whether a rotation is through, why callers get 503, or whether a
//! key may be withdrawn. All of it is read off the rings at this moment; of a key there is its id and its fingerprint,
//! never what it is made of.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::openapi::object;
use super::problem::Problem;
use super::views::shown;
use crate::issuer::{
    Attempt, AttemptResult, HeldKeys, Issuer, KeyAddress, KeyFileKind, KeySource, ListSource, Quarantined,
    Trouble,
};
use crate::time::{Clock, UnixTime};
use crate::token::{Algorithm, Key, Skipped};

type Answered = Result<Answer, Problem>;

pub(super) fn list(call: &Call) -> Answered {
    let snapshot = call.api.cell.snapshot();
    let now = Clock.now();
    let issuers = snapshot.issuers.iter().map(|found| issuer(found, now));
    Answer::ok(&json!({ "items": issuers.collect::<Vec<_>>() }))
}

pub(super) fn get(call: &Call) -> Answered {
    let snapshot = call.api.cell.snapshot();
    let name = call.parameter("name");
    let mut issuers = snapshot.issuers.iter();
    match issuers.find(|issuer| issuer.name.as_str() == name) {
        Some(found) => Answer::ok(&issuer(found, Clock.now())),
        None => Err(Problem::not_found("there is no such issuer")),
    }
}

fn issuer(issuer: &Issuer, now: UnixTime) -> Value {
    let held = issuer.ring.held();
    let attempt = issuer.ring.attempt();
    let is_fetched = matches!(issuer.source, KeySource::Jwks(_));
    // Of secrets not even a digest: one that is weak could be found by it.
    let is_secret = match &issuer.source {
        KeySource::Files(files) => files
            .iter()
            .any(|file| matches!(file.holds, KeyFileKind::Secret(_))),
        KeySource::Jwks(_) => false,
    };
    let fingerprint = held.as_ref().filter(|_| !is_secret);
    let keys = held.iter().flat_map(|held| {
        let keys = held.keys.keys().iter();
        keys.map(|found| key(issuer, held, found, is_fetched))
    });
    let skipped = held.iter().flat_map(|held| held.skipped.iter().map(skipped));
    json!({
        "name": issuer.name.as_str(),
        "usable": issuer.keys(now).is_some() || asked_only(issuer),
        "trouble": issuer.trouble(now).map(Trouble::word),
        "source": source(issuer),
        "introspection": introspection(issuer),
        "fingerprint": fingerprint.map(|held| held.keys.fingerprint().to_string()),
        "fetched_at": held.as_ref().filter(|_| is_fetched).map(|held| shown(held.fetched_at)),
        "last_fetch": attempt.as_deref().map(last_fetch),
        "next_fetch": attempt.as_deref().map(|attempt| shown(attempt.next)),
        "quarantined": attempt.as_deref().and_then(quarantined),
        "keys": keys.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
        "revocation_list": issuer.revocations.as_deref().map(|source| revocation_list(source, now)),
    })
}

/// What the issuer has taken back, as far as it is known, and whether tokens are judged at all.
fn revocation_list(source: &ListSource, now: UnixTime) -> Value {
    let held = source.list.held();
    json!({
        "url": source.schedule.url.to_string(),
        "usable": source.when.usable(held.as_deref(), now).is_ok(),
        "fetched_at": held.as_ref().map(|held| shown(held.fetched_at())),
        "entries": held.as_ref().map(|held| held.table().len()),
    })
}

/// Whether the issuer has no keys, and is there to be asked about tokens.
fn asked_only(issuer: &Issuer) -> bool {
    let no_keys = matches!(&issuer.source, KeySource::Files(files) if files.is_empty());
    issuer.introspection.is_some() && no_keys
}

/// How the issuer is asked about tokens, and what is kept of its answers; never as whom with which secret.
fn introspection(issuer: &Issuer) -> Option<Value> {
    let asked = issuer.introspection.as_ref()?;
    let [active, inactive] = asked.answers.len();
    Some(json!({
        "url": asked.url.to_string(),
        "client_id": asked.client.id,
        "answers": { "active": active, "inactive": inactive },
    }))
}

/// Where the keys come from.
fn source(issuer: &Issuer) -> Value {
    match &issuer.source {
        KeySource::Jwks(schedule) => {
            let url = schedule.address.url().to_string();
            let kind = match schedule.address {
                KeyAddress::Jwks(_) => "jwks_url",
                KeyAddress::Discovery(_) => "discovery",
            };
            json!({ "kind": kind, "url": url })
        }
        KeySource::Files(files) => match files.first().map(|file| (&file.holds, &file.path)) {
            Some((KeyFileKind::Jwks, path)) => {
                json!({ "kind": "jwks_file", "file": path.display().to_string() })
            }
            Some((KeyFileKind::Secret(_), _)) => json!({ "kind": "secrets" }),
            Some((KeyFileKind::Own(_), _)) => json!({ "kind": "token_service" }),
            None if asked_only(issuer) => json!({ "kind": "none" }),
            Some((KeyFileKind::PublicKey(_), _)) | None => json!({ "kind": "key_files" }),
        },
    }
}

fn key(issuer: &Issuer, held: &HeldKeys, key: &Key, is_fetched: bool) -> Value {
    let history = key.history();
    let secret = matches!(origin(issuer, key), Some(("secret", _)));
    json!({
        "kid": key.kid(),
        "fingerprint": (!secret).then(|| key.material().to_string()),
        "algorithms": key.algorithms().map(Algorithm::name).collect::<Vec<_>>(),
        "origin": origin(issuer, key).map(|(kind, place)| json!({ "kind": kind, "place": place })),
        "first_seen": history.first_seen().map(shown),
        "last_seen": is_fetched.then(|| shown(held.fetched_at)),
        "last_used": history.last_used().map(shown),
        "tokens_verified": history.tokens_verified(),
    })
}

/// Where one key is from: what kind of place, and which.
fn origin(issuer: &Issuer, key: &Key) -> Option<(&'static str, String)> {
    let files = match &issuer.source {
        KeySource::Jwks(schedule) => return Some(("url", schedule.address.url().to_string())),
        KeySource::Files(files) => files,
    };
    files.iter().find_map(|file| {
        let place = file.path.display().to_string();
        match &file.holds {
            KeyFileKind::Jwks => Some(("file", place)),
            KeyFileKind::Own(_) => None,
            KeyFileKind::PublicKey(kid) => (key.kid() == Some(kid)).then_some(("file", place)),
            KeyFileKind::Secret(kid) => (key.kid() == Some(kid)).then_some(("secret", place)),
        }
    })
}

fn last_fetch(attempt: &Attempt) -> Value {
    let (result, detail) = match &attempt.result {
        AttemptResult::Taken => ("success", None),
        AttemptResult::Quarantined(quarantined) => ("quarantined", Some(quarantined.suspicion.to_string())),
        AttemptResult::Failed { cause, detail } => (*cause, Some(detail.clone())),
    };
    json!({ "at": shown(attempt.at), "result": result, "detail": detail })
}

fn quarantined(attempt: &Attempt) -> Option<Value> {
    let AttemptResult::Quarantined(Quarantined {
        suspicion,
        fingerprint,
        held: _, // the issuer's `fingerprint`
    }) = &attempt.result
    else {
        return None;
    };
    Some(json!({
        "reason": suspicion.word(),
        "detail": suspicion.to_string(),
        "fingerprint": fingerprint.to_string(),
    }))
}

fn skipped(skipped: &Skipped) -> Value {
    json!({ "kid": skipped.kid, "reason": skipped.error.to_string() })
}

/// What is answered for one issuer.
pub(super) fn schema() -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    let nullable = |object: Value| json!({ "oneOf": [object, { "type": "null" }] });
    let keys = object(
        json!({
            "kid": maybe, "fingerprint": maybe,
            "algorithms": { "type": "array", "items": text, "minItems": 1 },
            "origin": nullable(object(
                json!({ "kind": { "enum": ["url", "file", "secret"] }, "place": text }),
                &["kind", "place"],
            )),
            "first_seen": time, "last_seen": time, "last_used": time,
            "tokens_verified": { "type": "integer", "minimum": 0 },
        }),
        &[
            "kid",
            "fingerprint",
            "algorithms",
            "origin",
            "first_seen",
            "last_seen",
            "last_used",
            "tokens_verified",
        ],
    );
    let fetch = object(
        json!({ "at": time, "result": text, "detail": maybe }),
        &["at", "result", "detail"],
    );
    let quarantined = object(
        json!({
            "reason": { "enum": ["no_usable_key", "kid_reused", "full_replacement", "bad_key"] },
            "detail": text, "fingerprint": text,
        }),
        &["reason", "detail", "fingerprint"],
    );
    let source = object(
        json!({
            "kind": { "enum": ["jwks_url", "discovery", "jwks_file", "key_files", "secrets", "none"] },
            "url": text, "file": text,
        }),
        &["kind"],
    );
    let list = object(
        json!({
            "url": text, "usable": { "type": "boolean" }, "fetched_at": time,
            "entries": { "type": ["integer", "null"], "minimum": 0 },
        }),
        &["url", "usable", "fetched_at", "entries"],
    );
    let count = json!({ "type": "integer", "minimum": 0 });
    let answers = object(
        json!({ "active": count, "inactive": count }),
        &["active", "inactive"],
    );
    let introspection = object(
        json!({ "url": text, "client_id": text, "answers": answers }),
        &["url", "client_id", "answers"],
    );
    let skipped = object(json!({ "kid": maybe, "reason": text }), &["kid", "reason"]);
    object(
        json!({
            "name": text, "usable": { "type": "boolean" },
            "trouble": { "enum": ["no_keys", "stale", "late", null] },
            "source": source, "introspection": nullable(introspection), "fingerprint": maybe, "fetched_at": time,
            "last_fetch": nullable(fetch), "next_fetch": time, "quarantined": nullable(quarantined),
            "keys": { "type": "array", "items": keys },
            "skipped": { "type": "array", "items": skipped },
            "revocation_list": nullable(list),
        }),
        &[
            "name",
            "usable",
            "trouble",
            "source",
            "introspection",
            "fingerprint",
            "fetched_at",
            "last_fetch",
            "next_fetch",
            "quarantined",
            "keys",
            "skipped",
            "revocation_list",
        ],
    )
}
