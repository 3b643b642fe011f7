//! `[[claim_mapping]]`, for all issuers, and `[[issuer.claim_mapping]]`, for one: the same keys in two places.
//! What steps may stand together is judged in the snapshot; here is only what each key holds.

use crate::config::schema::{ClaimDefault, ClaimMapping};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static DEFAULT: Shape = Shape {
    path: "claim_mapping",
    title: "in [[claim_mapping]]",
    keys: &KEYS,
};

pub(super) static OF_ISSUER: Shape = Shape {
    path: "issuer.claim_mapping",
    title: "in [[issuer.claim_mapping]]",
    keys: &KEYS,
};

static KEYS: [Key; 8] = [
    Key::Value("remote_claim"),
    Key::Value("local_claim"),
    Key::Value("regex"),
    Key::Value("split"),
    Key::Value("lowercase"),
    Key::Value("prefix"),
    Key::Value("join"),
    Key::Value("default"),
];

pub(super) fn default_claim_mapping(value: Value<'_>) -> Option<ClaimMapping> {
    claim_mapping(value, &DEFAULT)
}

pub(super) fn claim_mapping_of_issuer(value: Value<'_>) -> Option<ClaimMapping> {
    claim_mapping(value, &OF_ISSUER)
}

fn claim_mapping(value: Value<'_>, shape: &'static Shape) -> Option<ClaimMapping> {
    let table = value.table(shape)?;
    let remote_claim = table.required("remote_claim", Value::text);
    let local_claim = table.required("local_claim", Value::text);
    Some(ClaimMapping {
        regex: table.optional("regex", Value::text),
        split: table.optional("split", Value::text),
        lowercase: table.or_default("lowercase", Value::boolean),
        prefix: table.optional("prefix", Value::text),
        join: table.optional("join", Value::text),
        default: table.optional("default", |value| Some(value.located(default(value)?))),
        remote_claim: remote_claim?,
        local_claim: local_claim?,
    })
}

fn default(value: Value<'_>) -> Option<ClaimDefault> {
    if value.as_str().is_some() {
        Some(ClaimDefault::Text(value.text_or_empty()?.value))
    } else if value.is_boolean() {
        Some(ClaimDefault::Boolean(value.boolean()?))
    } else if value.is_integer() {
        Some(ClaimDefault::Integer(value.integer(i64::MIN..=i64::MAX)?))
    } else if value.is_list() {
        let texts = value.texts()?.into_iter().map(|text| text.value);
        Some(ClaimDefault::Texts(texts.collect()))
    } else {
        value.expected("a string, an integer, a boolean or an array of strings")
    }
}
