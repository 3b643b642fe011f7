//! `[[application]]` and `[[subscription]]`: who may call what.
//! Dates must carry their offset from UTC: a local one would begin and end with the machine's time zone.

use super::limits::{OF_APPLICATION, limits};
use crate::config::place::Located;
use crate::config::schema::{Application, ClaimSet, ClientId, Subscription, SubscriptionStatus};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static APPLICATION: Shape = Shape {
    path: "application",
    title: "in [[application]]",
    keys: &[
        Key::Value("id"),
        Key::Value("name"),
        Key::Value("owner"),
        Key::Table("client_ids", &CLIENT_ID),
        Key::Value("audience"),
        Key::Value("suspended"),
        Key::Value("claim_sets"),
        Key::Value("tier"),
        Key::Table("rate", &OF_APPLICATION.rate),
        Key::Table("quota", &OF_APPLICATION.quota),
        Key::Table("spike_arrest", &OF_APPLICATION.spike_arrest),
        Key::Table("bandwidth", &OF_APPLICATION.bandwidth),
        Key::Value("concurrency"),
        Key::Value("on_exceed"),
        Key::Value("client_secret_hash"),
        Key::Value("scopes"),
        Key::Later("api_keys"),
    ],
};

static CLIENT_ID: Shape = Shape {
    path: "application.client_ids",
    title: "in an entry of `client_ids` of [[application]]",
    keys: &[Key::Value("issuer"), Key::Value("id")],
};

pub(super) static SUBSCRIPTION: Shape = Shape {
    path: "subscription",
    title: "in [[subscription]]",
    keys: &[
        Key::Value("application"),
        Key::Value("api"),
        Key::Value("plan"),
        Key::Value("status"),
        Key::Value("from"),
        Key::Value("until"),
    ],
};

pub(super) fn application(value: Value<'_>) -> Option<Application> {
    let table = value.table(&APPLICATION)?;
    let id = table.required("id", Value::text);
    Some(Application {
        name: table.optional("name", Value::text),
        owner: table.optional("owner", Value::text),
        client_ids: table.optional("client_ids", client_ids).unwrap_or_default(),
        claim_sets: table.optional("claim_sets", claim_sets).unwrap_or_default(),
        audience: table.optional("audience", Value::text),
        suspended: table.optional("suspended", Value::boolean).unwrap_or_default(),
        limits: limits(&table, &OF_APPLICATION),
        client_secret_hash: table.optional("client_secret_hash", Value::text),
        scopes: table.optional("scopes", Value::texts).unwrap_or_default(),
        id: id?,
    })
}

fn client_ids(value: Value<'_>) -> Option<Vec<ClientId>> {
    let client_ids = value.list(client_id)?;
    value.each_once(client_ids.iter().map(|ClientId { issuer, id }| {
        let issuer = issuer.as_ref().map(|issuer| issuer.value.as_str());
        ((issuer, id.value.as_str()), &id.place, id.value.clone())
    }));
    Some(client_ids)
}

/// `[{ claim = "value", ... }, ...]`
fn claim_sets(value: Value<'_>) -> Option<Vec<Located<ClaimSet>>> {
    value.list_not_empty(|member| {
        let entries = member.entries()?;
        if entries.is_empty() {
            return member.wrong("no claim is named");
        }
        let members = entries
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.text()?)));
        Some(member.located(members.collect()))
    })
}

/// `"id"`, or a table when only one issuer may vouch for it.
fn client_id(value: Value<'_>) -> Option<ClientId> {
    if value.as_str().is_some() {
        return Some(ClientId {
            issuer: None,
            id: value.text()?,
        });
    }
    if !value.is_table() {
        return value.expected("a client id or a table");
    }
    let table = value.table(&CLIENT_ID)?;
    let issuer = table.optional("issuer", Value::text);
    let id = table.required("id", Value::text);
    Some(ClientId { issuer, id: id? })
}

pub(super) fn subscription(value: Value<'_>) -> Option<Subscription> {
    let table = value.table(&SUBSCRIPTION)?;
    let application = table.required("application", Value::text);
    let api = table.required("api", Value::text);
    let plan = table.required("plan", Value::text);
    let status = table.optional("status", |value| Some(value.located(status(value)?)));
    let from = table.optional("from", Value::time);
    let until = table.optional("until", Value::time);
    Some(Subscription {
        application: application?,
        api: api?,
        plan: plan?,
        status,
        from,
        until,
    })
}

fn status(value: Value<'_>) -> Option<SubscriptionStatus> {
    value.word(&[
        ("pending", Some(SubscriptionStatus::Pending)),
        ("accepted", Some(SubscriptionStatus::Accepted)),
        ("rejected", Some(SubscriptionStatus::Rejected)),
        ("paused", Some(SubscriptionStatus::Paused)),
        ("closed", Some(SubscriptionStatus::Closed)),
    ])
}
