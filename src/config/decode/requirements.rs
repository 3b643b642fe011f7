//! What plans and routes demand and allow: claims with their values, and lists of resources.
//! A list that is there and empty is refused, as everywhere: it would be read as "none" or as "no limit".

use crate::config::place::Located;
use crate::config::schema::{ClaimValue, RequiredClaim, Resource, Resources};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static RESOURCES: Shape = Shape {
    path: "api.plan.resources",
    title: "in resources of [[api.plan]]",
    keys: &[Key::Table("allow", &ALLOW), Key::Table("deny", &DENY)],
};

static ALLOW: Shape = Shape {
    path: "api.plan.resources.allow",
    title: "in an allowed resource",
    keys: RESOURCE_KEYS,
};

static DENY: Shape = Shape {
    path: "api.plan.resources.deny",
    title: "in a denied resource",
    keys: RESOURCE_KEYS,
};

const RESOURCE_KEYS: &[Key] = &[Key::Value("path"), Key::Value("methods")];

/// `{ allow = [...], deny = [...] }`
pub(super) fn resources(value: Value<'_>) -> Option<Resources> {
    let table = value.table(&RESOURCES)?;
    let allow = table.optional("allow", |value| {
        value.list_not_empty(|member| resource(member, &ALLOW))
    });
    let deny = table.optional("deny", |value| {
        value.list_not_empty(|member| resource(member, &DENY))
    });
    if !table.has("allow") && !table.has("deny") {
        table.missing("`allow` or `deny`");
    }
    Some(Resources { allow, deny })
}

fn resource(value: Value<'_>, shape: &'static Shape) -> Option<Resource> {
    let table = value.table(shape)?;
    let path = table.required("path", Value::text);
    Some(Resource {
        methods: table.or_default("methods", Value::texts_not_empty),
        path: path?,
    })
}

/// `{ "claim" = value, "claim" = [values] }`
pub(super) fn claims(value: Value<'_>) -> Option<Vec<RequiredClaim>> {
    let entries = value.entries()?;
    if entries.is_empty() {
        return value.wrong("no claim is named");
    }
    Some(
        entries
            .into_iter()
            .filter_map(|(name, value)| {
                let any_of = if value.is_list() {
                    value.list_not_empty(claim_value)?
                } else {
                    vec![claim_value(value)?]
                };
                Some(RequiredClaim { name, any_of })
            })
            .collect(),
    )
}

fn claim_value(value: Value<'_>) -> Option<Located<ClaimValue>> {
    let read = if value.is_integer() {
        ClaimValue::Integer(value.integer(i64::MIN..=i64::MAX)?)
    } else if value.is_boolean() {
        ClaimValue::Boolean(value.boolean()?)
    } else if value.as_str().is_some() {
        ClaimValue::Text(value.text()?.value)
    } else {
        return value.expected("a string, an integer or a boolean");
    };
    Some(value.located(read))
}
