//! API keys over HTTP: the operations, and the functions that ask the registrar.
//! The text of a key leaves through [`given`] alone.

use serde::Serialize;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::operations::{Field, Operation, Verb};
use super::problem::Problem;
use super::subscribers::subscription_id;
use crate::control::registrar::{ApiKeyView, GivenApiKey};

type Answered = Result<Answer, Problem>;

/// A key with its text.
#[derive(Serialize)]
struct Given<'k> {
    #[serde(flatten)]
    view: &'k ApiKeyView,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'k str>,
}

/// What there is to do with API keys.
pub(super) fn operations() -> Vec<Operation> {
    use Field::{Etag, IdempotencyKey, IfMatch, IfMatchRequired};
    vec![
        Operation {
            verb: Verb::Get,
            path: "/v1/subscriptions/{id}/keys",
            id: "list_api_keys",
            summary: "The API keys of a subscription, the oldest first",
            query: &[],
            body: None,
            done: (200, Some("ApiKeys")),
            fields: &[],
            run: list,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/subscriptions/{id}/keys",
            id: "create_api_key",
            summary: "Give out an API key; only this answer has its text",
            query: &[],
            body: Some("NewApiKey"),
            done: (201, Some("GivenApiKey")),
            fields: &[Etag, IdempotencyKey],
            run: create,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/subscriptions/{id}/keys/renew",
            id: "renew_api_keys",
            summary: "Give out an API key in the place of all good ones of a subscription",
            query: &[],
            body: Some("ApiKeyRenewal"),
            done: (201, Some("GivenApiKey")),
            fields: &[Etag, IdempotencyKey],
            run: renew_all,
        },
        Operation {
            verb: Verb::Get,
            path: "/v1/keys/{id}",
            id: "get_api_key",
            summary: "One API key, without its text",
            query: &[],
            body: None,
            done: (200, Some("ApiKey")),
            fields: &[Etag],
            run: get,
        },
        Operation {
            verb: Verb::Put,
            path: "/v1/keys/{id}",
            id: "expire_api_key",
            summary: "Set until when an API key is good",
            query: &[],
            body: Some("ApiKeyExpiry"),
            done: (200, Some("ApiKey")),
            fields: &[Etag, IfMatchRequired],
            run: expire,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/keys/{id}/renew",
            id: "renew_api_key",
            summary: "Give out an API key in the place of this one",
            query: &[],
            body: Some("ApiKeyRenewal"),
            done: (201, Some("GivenApiKey")),
            fields: &[Etag, IfMatch, IdempotencyKey],
            run: renew,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/keys/{id}/revoke",
            id: "revoke_api_key",
            summary: "Take an API key back for good",
            query: &[],
            body: None,
            done: (200, Some("ApiKey")),
            fields: &[Etag, IfMatch],
            run: revoke,
        },
    ]
}

/// The schemas of API keys, by name.
pub(super) fn schemas() -> [(&'static str, Value); 6] {
    let time = json!({ "type": "string", "format": "date-time" });
    let text = json!({ "type": "string", "pattern": "^[A-Za-z0-9._~-]{8,64}$" });
    let view = json!({
        "id": { "type": "string" }, "version": { "type": "integer" }, "subscription": { "type": "string" },
        "status": { "enum": ["good", "expired", "revoked"] }, "prefix": { "type": "string" },
        "expires_at": time, "revoked_at": time, "created_at": time,
    });
    let mut given = view.clone();
    if let Some(members) = given.as_object_mut() {
        members.insert("key".to_owned(), text.clone());
    }
    let grace = json!({ "type": "integer", "minimum": 0, "maximum": 2_592_000, "default": 7_200 });
    let shown = ["id", "subscription", "status", "created_at"];
    let object = super::openapi::object;
    [
        ("ApiKey", object(view, &shown)),
        ("GivenApiKey", object(given, &shown)),
        (
            "ApiKeys",
            super::openapi::list(super::openapi::reference("ApiKey")),
        ),
        (
            "NewApiKey",
            object(json!({ "key": text, "expires_at": time }), &[]),
        ),
        (
            "ApiKeyRenewal",
            object(
                json!({ "key": text, "expires_at": time, "grace_seconds": grace }),
                &[],
            ),
        ),
        ("ApiKeyExpiry", object(json!({ "expires_at": time }), &[])),
    ]
}

fn list(call: &Call) -> Answered {
    Answer::ok(&call.api.registrar.api_keys(subscription_id(call)?)?)
}

fn create(call: &Call) -> Answered {
    let (id, repeatable) = (subscription_id(call)?, call.repeatable()?);
    let registrar = &call.api.registrar;
    given(&registrar.create_api_key(&call.api.actor, id, &call.json()?, repeatable.as_ref())?)
}

fn renew_all(call: &Call) -> Answered {
    let (id, repeatable) = (subscription_id(call)?, call.repeatable()?);
    let registrar = &call.api.registrar;
    given(&registrar.renew_api_keys(&call.api.actor, id, &call.json()?, repeatable.as_ref())?)
}

fn renew(call: &Call) -> Answered {
    let (id, expected, repeatable) = (id(call)?, call.expected()?, call.repeatable()?);
    let (registrar, actor) = (&call.api.registrar, &call.api.actor);
    given(&registrar.renew_api_key(actor, id, &call.json()?, &expected, repeatable.as_ref())?)
}

fn get(call: &Call) -> Answered {
    shown(&call.api.registrar.api_key(id(call)?)?)
}

fn expire(call: &Call) -> Answered {
    let (id, expected) = (id(call)?, call.required_version()?);
    let registrar = &call.api.registrar;
    shown(&registrar.expire_api_key(&call.api.actor, id, &call.json()?, &expected)?)
}

fn revoke(call: &Call) -> Answered {
    let (id, expected) = (id(call)?, call.expected()?);
    let registrar = &call.api.registrar;
    shown(&registrar.revoke_api_key(&call.api.actor, id, &expected)?)
}

/// The id of a key. What can be none may be a key that somebody has pasted there, and is not repeated.
fn id(call: &Call) -> Result<&str, Problem> {
    let id = call.parameter("id");
    if id.split(':').count() == 4 {
        Ok(id)
    } else {
        Err(Problem::not_found("there is no such API key"))
    }
}

fn shown(view: &ApiKeyView) -> Answered {
    Ok(Answer::ok(view)?.version(view.version))
}

/// The one answer that has the text of a key; when it is repeated, it has not.
fn given(given: &GivenApiKey) -> Answered {
    let GivenApiKey { view, key } = given;
    let body = Given {
        view,
        key: key.as_ref().map(|key| key.expose().as_str()),
    };
    let location = format!("/v1/keys/{}", view.id);
    Ok(Answer::ok(&body)?.version(view.version).created(location))
}
