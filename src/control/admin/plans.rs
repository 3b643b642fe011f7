//! Plans over HTTP, apart from subscribers: an operator moves what the configuration declares, and makes nothing.
//! Each function takes a call apart, asks the registrar, and shows the result; no rule is here.

use super::call::{Answer, Call};
use super::problem::Problem;
use crate::api::Stage;
use crate::control::registrar::PlanView;

type Answered = Result<Answer, Problem>;

pub(super) fn list(call: &Call) -> Answered {
    let (after, limit) = call.page()?;
    Answer::ok(&call.api.registrar.plans(call.query("api"), after, limit)?)
}

pub(super) fn get(call: &Call) -> Answered {
    let (api, plan) = which(call);
    shown(&call.api.registrar.plan(api, plan)?)
}

pub(super) fn publish(call: &Call) -> Answered {
    advance(call, Stage::Published)
}

pub(super) fn deprecate(call: &Call) -> Answered {
    advance(call, Stage::Deprecated)
}

pub(super) fn close(call: &Call) -> Answered {
    advance(call, Stage::Closed)
}

fn advance(call: &Call, to: Stage) -> Answered {
    let expected = call.expected()?;
    let registrar = &call.api.registrar;
    shown(&registrar.move_plan(&call.api.actor, which(call), to, &expected)?)
}

fn which(call: &Call) -> (&str, &str) {
    (call.parameter("api"), call.parameter("plan"))
}

fn shown(view: &PlanView) -> Answered {
    Ok(Answer::ok(view)?.version(view.version))
}
