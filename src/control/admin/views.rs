//! What there is to look at: what the gateway runs by, read off its cells at this moment, and what was done to it.
//! Nothing here waits for an issuer, and no key is shown but by its id.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::problem::Problem;
use crate::control::state::Revision;
use crate::time::{Clock, UnixTime};

type Answered = Result<Answer, Problem>;

pub(super) fn apis(call: &Call) -> Answered {
    let snapshot = call.api.cell.snapshot();
    let now = Clock.now();
    let apis = snapshot.catalogue.iter().map(|api| {
        let plans = api.plans.iter().map(|plan| {
            json!({
                "name": plan.name.as_str(),
                "security": plan.security.name(),
                "stage": snapshot.plan(&plan.id).map(|plan| plan.life.at(now).name()),
                "validation": if plan.accepts_by_itself { "auto" } else { "manual" },
            })
        });
        json!({ "name": api.name.as_str(), "plans": plans.collect::<Vec<_>>() })
    });
    Answer::ok(&json!({ "items": apis.collect::<Vec<_>>() }))
}

pub(super) fn snapshot(call: &Call) -> Answered {
    Answer::ok(&in_force(call)?)
}

pub(super) fn audit(call: &Call) -> Answered {
    let (_, limit) = call.page()?;
    let before = call.query("before").map(|text| {
        let number = text.parse().map(Revision);
        number.map_err(|_| Problem::bad_request("`before` is the number of an entry"))
    });
    let entries = call.api.registrar.audit(before.transpose()?, limit)?;
    // A page may be short because its entries are long; the first entry of all has the number 1.
    let next = entries
        .last()
        .map(|entry| entry.revision)
        .filter(|last| *last > 1);
    Answer::ok(&match next {
        Some(next) => json!({ "items": entries, "next": next }),
        None => json!({ "items": entries }),
    })
}

pub(super) fn reload(call: &Call) -> Answered {
    // One that waits says as much as two.
    let _ = call.api.reload.try_send("admin");
    Ok(Answer::ok(&in_force(call)?)?.accepted())
}

fn in_force(call: &Call) -> Result<Value, Problem> {
    let snapshot = call.api.cell.snapshot();
    let revision = call
        .api
        .registrar
        .revision()
        .map_err(crate::control::registrar::Refusal::from)?;
    Ok(json!({
        "generation": snapshot.generation,
        "revision": revision.0,
        "apis": snapshot.apis.len(),
        "issuers": snapshot.issuers.len(),
        "upstreams": snapshot.upstreams.len(),
    }))
}

/// As RFC 3339 writes it.
pub(super) fn shown(time: UnixTime) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(time.millis()).ok()?;
    Some(time.to_string())
}
