//! Revocations over HTTP: the operations, and the functions that ask the registrar.
//! Several things are taken back by an operation of their own, so that each operation answers with one shape.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::operations::{Field, Operation, Verb};
use super::problem::Problem;
use crate::control::registrar::{BATCH_MAX, RevocationFilter, RevocationView};
use crate::revocation::{Digest, NAME_BYTES_MAX};

type Answered = Result<Answer, Problem>;

const FILTERS: &[&str] = &[
    "after", "limit", "issuer", "jti", "subject", "client", "key_id", "all",
];

/// What there is to do with revocations.
pub(super) fn operations() -> Vec<Operation> {
    use Field::{Etag, IdempotencyKey, IfMatch};
    vec![
        Operation {
            verb: Verb::Get,
            path: "/v1/revocations",
            id: "list_revocations",
            summary: "Revocations, in the order of ids",
            query: FILTERS,
            body: None,
            done: (200, Some("Revocations")),
            fields: &[],
            run: list,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/revocations",
            id: "revoke",
            summary: "Take back a token, or all of a subject, client, key or issuer; the next request obeys",
            query: &[],
            body: Some("NewRevocation"),
            done: (201, Some("Revocation")),
            fields: &[Etag, IdempotencyKey],
            run: revoke,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/revocations/batch",
            id: "revoke_several",
            summary: "Take back several, all or none",
            query: &[],
            body: Some("NewRevocations"),
            done: (200, Some("Revoked")),
            fields: &[IdempotencyKey],
            run: revoke_all,
        },
        Operation {
            verb: Verb::Get,
            path: "/v1/revocations/{id}",
            id: "get_revocation",
            summary: "One revocation",
            query: &[],
            body: None,
            done: (200, Some("Revocation")),
            fields: &[Etag],
            run: get,
        },
        Operation {
            verb: Verb::Delete,
            path: "/v1/revocations/{id}",
            id: "delete_revocation",
            summary: "Remove a revocation: what it names is good again",
            query: &[],
            body: None,
            done: (204, None),
            fields: &[IfMatch],
            run: delete,
        },
    ]
}

/// The schemas of revocations, by name.
pub(super) fn schemas() -> [(&'static str, Value); 5] {
    use super::openapi::{list, object, page, reference};
    let time = json!({ "type": "string", "format": "date-time" });
    let name = json!({ "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX });
    let names = json!({
        "issuer": { "type": "string", "minLength": 1 },
        "jti": name, "subject": name, "client": name, "key_id": name, "all": { "const": true },
        "issued_before": time, "expires_at": time,
    });
    let with = |more: Value| {
        let mut all = names.as_object().cloned().unwrap_or_default();
        all.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(all)
    };
    let mut new = object(
        with(json!({ "exp": { "type": "integer", "minimum": 0 } })),
        &["issuer"],
    );
    let one = ["jti", "subject", "client", "key_id", "all"].map(|name| json!({ "required": [name] }));
    if let Some(new) = new.as_object_mut() {
        new.insert("oneOf".to_owned(), json!(one));
    }
    let view = with(json!({
        "id": { "type": "string", "pattern": "^[0-9a-f]{32}$" }, "version": { "type": "integer" }, "revoked_at": time,
    }));
    let several = json!({
        "revocations": {
            "type": "array", "minItems": 1, "maxItems": BATCH_MAX, "items": reference("NewRevocation"),
        },
    });
    [
        ("NewRevocation", new),
        ("NewRevocations", object(several, &["revocations"])),
        (
            "Revocation",
            object(view, &["id", "issuer", "expires_at", "revoked_at"]),
        ),
        ("Revocations", page("Revocation")),
        ("Revoked", list(reference("Revocation"))),
    ]
}

fn list(call: &Call) -> Answered {
    let (after, limit) = call.page()?;
    let text = |name| call.query(name).map(ToOwned::to_owned);
    let all = match call.query("all") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(Problem::bad_request("`all` is `true` or `false`")),
    };
    let filter = RevocationFilter {
        issuer: text("issuer"),
        jti: text("jti"),
        subject: text("subject"),
        client: text("client"),
        key_id: text("key_id"),
        all,
    };
    Answer::ok(&call.api.registrar.revocations(&filter, after, limit)?)
}

fn revoke(call: &Call) -> Answered {
    let repeatable = call.repeatable()?;
    let registrar = &call.api.registrar;
    let made = registrar.revoke(&call.api.actor, &call.json()?, repeatable.as_ref())?;
    let location = format!("/v1/revocations/{}", made.id);
    Ok(shown(&made)?.created(location))
}

fn revoke_all(call: &Call) -> Answered {
    let repeatable = call.repeatable()?;
    let registrar = &call.api.registrar;
    Answer::ok(&registrar.revoke_all(&call.api.actor, &call.json()?, repeatable.as_ref())?)
}

fn get(call: &Call) -> Answered {
    shown(&call.api.registrar.revocation(id(call)?)?)
}

fn delete(call: &Call) -> Answered {
    let (id, expected) = (id(call)?, call.expected()?);
    let registrar = &call.api.registrar;
    registrar.delete_revocation(&call.api.actor, id, &expected)?;
    Ok(Answer::nothing())
}

/// The id of a revocation. What can be none may be a token that somebody has pasted there, and is not repeated.
fn id(call: &Call) -> Result<&str, Problem> {
    let id = call.parameter("id");
    match id.parse::<Digest>() {
        Ok(_) => Ok(id),
        Err(_) => Err(Problem::not_found("there is no such revocation")),
    }
}

fn shown(view: &RevocationView) -> Answered {
    Ok(Answer::ok(view)?.version(view.version))
}
