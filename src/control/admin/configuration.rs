//! The configuration in force, value by value, each with the place that it comes from. It is what the decoder noted
//! when it read the files, defaults included, and travels with the snapshot: so it cannot differ from what holds, and a
//! configuration that was refused is never shown.

use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use super::openapi::object;
use super::problem::Problem;
use crate::snapshot::Written;

/// What tells tables of one kind apart.
const NAMES: [&str; 5] = ["name", "id", "path", "local_claim", "address"];

pub(super) fn get(call: &Call) -> Result<Answer, Problem> {
    let snapshot = call.api.cell.snapshot();
    // The names of the tables that the present one is in, by the depth of their paths.
    let mut around: Vec<(&'static str, Option<String>)> = Vec::new();
    let tables = snapshot.places.tables.iter().map(|written| {
        around.retain(|(path, _)| is_in(written.table, path));
        around.push((written.table, name(written)));
        table(
            written,
            around.iter().filter_map(|(_, name)| name.as_deref()).collect(),
        )
    });
    let tables: Vec<Value> = tables.collect();
    Answer::ok(&json!({ "generation": snapshot.generation, "tables": tables }))
}

fn is_in(table: &str, other: &str) -> bool {
    table
        .strip_prefix(other)
        .is_some_and(|rest| rest.starts_with('.'))
}

fn name(written: &Written) -> Option<String> {
    let value = NAMES.iter().find_map(|key| written.value(key))?;
    let value: Value = serde_json::from_str(value).ok()?;
    value.as_str().map(ToOwned::to_owned)
}

fn table(written: &Written, names: Vec<&str>) -> Value {
    let settings = written.settings().map(|setting| {
        let value: Value = setting
            .value
            .map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_default());
        let origin = setting
            .spot
            .map_or_else(|| "default".to_owned(), |spot| spot.to_string());
        (
            setting.key.to_owned(),
            json!({ "value": value, "origin": origin }),
        )
    });
    json!({
        "table": written.table,
        "names": names,
        "origin": if written.is_written() { written.spot().to_string() } else { "default".to_owned() },
        "settings": settings.collect::<Map<_, _>>(),
    })
}

/// What is answered.
pub(super) fn schema() -> Value {
    let text = json!({ "type": "string" });
    let setting = object(json!({ "value": {}, "origin": text }), &["value", "origin"]);
    let table = object(
        json!({
            "table": text, "names": { "type": "array", "items": text }, "origin": text,
            "settings": { "type": "object", "additionalProperties": setting },
        }),
        &["table", "names", "origin", "settings"],
    );
    object(
        json!({
            "generation": { "type": "integer" },
            "tables": { "type": "array", "items": table },
        }),
        &["generation", "tables"],
    )
}
