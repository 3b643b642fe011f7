//! The OpenAPI 3.1 description of the admin API, made of the list of operations: none can be forgotten in it.
//! The schemas stand here by hand; tests compare them with what is answered.

use serde_json::{Map, Value, json};

use super::keys;
use super::operations::{Field, Operation, operations};
use super::problem::CODES;
use super::{configuration, explaining, issuers, revocations};
use crate::api::{Security, Stage};

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(operation.verb.name().to_owned(), described(&operation));
        }
    }
    let mut codes: Vec<&str> = CODES.iter().map(|(_, code)| *code).collect();
    codes.sort_unstable();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate admin API",
            "version": "1",
            "description": "Applications, subscriptions and API keys at run time, and what the gateway runs by.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:9180" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Problem": {
                    "description": "Refused",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                },
            },
            "schemas": all_schemas(&codes),
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut parameters = Vec::new();
    for part in operation.path.split('/') {
        if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            parameters.push(json!({
                "name": name, "in": "path", "required": true, "schema": { "type": "string" },
            }));
        }
    }
    for name in operation.query {
        parameters.push(json!({ "name": name, "in": "query", "schema": query_schema(name) }));
    }
    let mut sent = json!({});
    for field in operation.fields {
        let text = json!({ "type": "string" });
        match field {
            Field::Etag => {
                sent = json!({ "ETag": { "schema": text, "description": "The version of what is shown" } })
            }
            Field::IfMatch => parameters.push(json!({ "name": "If-Match", "in": "header", "schema": text })),
            Field::IfMatchRequired => {
                parameters
                    .push(json!({ "name": "If-Match", "in": "header", "required": true, "schema": text }));
            }
            Field::IdempotencyKey => parameters.push(json!({
                "name": "Idempotency-Key", "in": "header",
                "schema": { "type": "string", "pattern": "^[!-~]{1,128}$" },
            })),
        }
    }
    let (status, schema) = operation.done;
    let mut done = json!({ "description": "Done" });
    if let Some(done) = done.as_object_mut() {
        if sent != json!({}) {
            done.insert("headers".to_owned(), sent);
        }
        if status != 204 {
            let schema = schema.map_or_else(|| json!({ "type": "object" }), reference);
            done.insert(
                "content".to_owned(),
                json!({ "application/json": { "schema": schema } }),
            );
        }
    }
    let mut responses = Map::new();
    responses.insert(status.to_string(), done);
    for status in refusals(operation) {
        let problem = json!({ "$ref": "#/components/responses/Problem" });
        responses.insert(status.to_string(), problem);
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let (Some(body), Some(described)) = (operation.body, described.as_object_mut()) {
        described.insert(
            "requestBody".to_owned(),
            json!({ "required": true, "content": { "application/json": { "schema": reference(body) } } }),
        );
    }
    described
}

/// The statuses with which the operation may be refused, each of them in `CODES`.
fn refusals(operation: &Operation) -> Vec<u16> {
    let has = |wanted: &[Field]| operation.fields.iter().any(|field| wanted.contains(field));
    let changes = has(&[Field::IfMatch, Field::IfMatchRequired, Field::IdempotencyKey]);
    let when = [
        (400, true),
        (401, true),
        (403, operation.verb.changes()),
        (404, operation.path.contains('{')),
        (408, true),
        (409, changes),
        (412, has(&[Field::IfMatch, Field::IfMatchRequired])),
        (413, true),
        (415, operation.body.is_some()),
        (421, true),
        (422, operation.body.is_some()),
        (428, has(&[Field::IfMatchRequired])),
        (500, true),
        (503, true),
    ];
    let may = when.iter().filter(|(_, may)| *may);
    may.map(|(status, _)| *status).collect()
}

pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn query_schema(name: &str) -> Value {
    match name {
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
        "before" => json!({ "type": "integer", "minimum": 0 }),
        "status" => reference("Status"),
        "all" => json!({ "enum": ["true", "false"] }),
        _ => json!({ "type": "string" }),
    }
}

fn all_schemas(codes: &[&str]) -> Value {
    let mut all = schemas(codes);
    if let Some(all) = all.as_object_mut() {
        let more = keys::schemas().into_iter().chain(revocations::schemas());
        all.extend(more.map(|(name, schema)| (name.to_owned(), schema)));
    }
    all
}

fn schemas(codes: &[&str]) -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" });
    let time = json!({ "type": "string", "format": "date-time" });
    let clients = json!({ "type": "array", "maxItems": 100, "items": reference("ClientId") });
    let sets = json!({
        "type": "array", "maxItems": 100,
        "items": { "type": "object", "minProperties": 1, "maxProperties": 20, "additionalProperties": text },
    });
    let input = json!({
        "name": text, "owner": text, "client_ids": clients, "claim_sets": sets, "audience": text,
    });
    let with = |base: &Value, more: Value| {
        let mut all = base.as_object().cloned().unwrap_or_default();
        all.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(all)
    };
    let kept = json!({
        "origin": { "enum": ["state", "configuration"] },
        "version": { "type": "integer" },
        "created_at": time, "updated_at": time,
    });
    let dates = json!({ "from": time, "until": time });
    let agreement = with(&dates, json!({ "application": name, "api": name, "plan": name }));
    let application = with(
        &with(&input, kept.clone()),
        json!({ "id": name, "suspended": { "type": "boolean" } }),
    );
    let subscription = with(
        &with(&agreement, kept),
        json!({ "id": { "type": "string" }, "status": reference("Status") }),
    );
    json!({
        "Problem": object(json!({
            "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
            "code": { "enum": codes }, "detail": { "type": "string" },
        }), &["type", "title", "status", "code", "detail"]),
        "ClientId": object(json!({ "id": text, "issuer": text }), &["id"]),
        "ApplicationInput": object(input.clone(), &[]),
        "NewApplication": object(with(&input, json!({ "id": name })), &["id"]),
        "Application": object(application, &["id", "origin", "client_ids", "claim_sets", "suspended"]),
        "Applications": page("Application"),
        "Status": { "enum": ["pending", "accepted", "rejected", "paused", "closed"] },
        "Dates": object(dates, &[]),
        "Move": object(json!({ "plan": name }), &["plan"]),
        "NewSubscription": object(agreement, &["application", "api", "plan"]),
        "Subscription": object(subscription, &["id", "origin", "application", "api", "plan", "status"]),
        "Subscriptions": page("Subscription"),
        "Plan": object(json!({
            "id": { "type": "string" }, "api": name, "name": name,
            "security": { "enum": Security::ALL.map(Security::name) },
            "validation": { "enum": ["auto", "manual"] },
            "stage": reference("Stage"), "origin": { "enum": ["state", "configuration"] },
            "version": { "type": "integer" }, "moved_at": time,
            "publish_at": time, "deprecate_at": time, "close_at": time,
        }), &["id", "api", "name", "security", "validation", "stage", "origin"]),
        "Plans": page("Plan"),
        "Stage": { "enum": Stage::ALL.map(Stage::name) },
        "Apis": list(object(json!({
            "name": name,
            "plans": { "type": "array", "items": object(json!({
                "name": name, "security": { "type": "string" },
                "stage": reference("Stage"),
                "validation": { "enum": ["auto", "manual"] },
            }), &["name", "security", "stage", "validation"]) },
        }), &["name", "plans"])),
        "Issuer": issuers::schema(),
        "Issuers": list(reference("Issuer")),
        "Configuration": configuration::schema(),
        "Question": explaining::question_schema(),
        "Explanation": explaining::schema(),
        "Snapshot": object(json!({
            "generation": { "type": "integer" }, "revision": { "type": "integer" }, "apis": { "type": "integer" },
            "issuers": { "type": "integer" }, "upstreams": { "type": "integer" },
        }), &["generation", "revision", "apis", "issuers", "upstreams"]),
        "Along": object(json!({
            "subscriptions": { "type": "integer" }, "api_keys": { "type": "integer" },
            "ids": { "type": "array", "items": { "type": "string" }, "maxItems": 100 },
        }), &["subscriptions", "api_keys", "ids"]),
        "Audit": object(json!({
            "items": { "type": "array", "items": object(json!({
                "revision": { "type": "integer" }, "at": time, "actor": { "type": "string" },
                "action": { "type": "string" }, "target": { "type": "string" }, "before": {}, "after": {},
                "removed": reference("Along"), "moved": reference("Along"),
            }), &["revision", "at", "actor", "action", "target"]) },
            "next": { "type": "integer" },
        }), &["items"]),
    })
}

pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    })
}

pub(super) fn list(items: Value) -> Value {
    object(
        json!({ "items": { "type": "array", "items": items } }),
        &["items"],
    )
}

pub(super) fn page(schema: &str) -> Value {
    object(
        json!({
            "items": { "type": "array", "items": reference(schema) },
            "next": { "type": "string" },
        }),
        &["items"],
    )
}
