//! Applications and subscriptions over HTTP: each function takes a call apart, asks the registrar, and shows the result.
//! No rule is here but one: what cannot be the id of a subscription is not asked for, and not repeated ([`subscription_id`]).

use super::call::{Answer, Call};
use super::problem::Problem;
use crate::control::registrar::{Action, ApplicationView, Filter, SubscriptionView, is_subscription_id};

type Answered = Result<Answer, Problem>;

pub(super) fn list_applications(call: &Call) -> Answered {
    let (after, limit) = call.page()?;
    Answer::ok(&call.api.registrar.applications(after, limit)?)
}

pub(super) fn create_application(call: &Call) -> Answered {
    let repeatable = call.repeatable()?;
    let registrar = &call.api.registrar;
    let made = registrar.create_application(&call.api.actor, &call.json()?, repeatable.as_ref())?;
    let location = format!("/v1/applications/{}", made.id);
    Ok(application(&made)?.created(location))
}

pub(super) fn get_application(call: &Call) -> Answered {
    application(&call.api.registrar.application(call.parameter("id"))?)
}

pub(super) fn replace_application(call: &Call) -> Answered {
    let (id, expected) = (call.parameter("id"), call.required_version()?);
    let registrar = &call.api.registrar;
    application(&registrar.replace_application(&call.api.actor, id, &call.json()?, &expected)?)
}

pub(super) fn delete_application(call: &Call) -> Answered {
    let (id, expected) = (call.parameter("id"), call.expected()?);
    call.api
        .registrar
        .delete_application(&call.api.actor, id, &expected)?;
    Ok(Answer::nothing())
}

pub(super) fn suspend_application(call: &Call) -> Answered {
    suspend(call, true)
}

pub(super) fn resume_application(call: &Call) -> Answered {
    suspend(call, false)
}

pub(super) fn list_subscriptions(call: &Call) -> Answered {
    let (after, limit) = call.page()?;
    let status = call.query("status").map(|word| {
        serde_json::from_value(word.into())
            .map_err(|_| Problem::bad_request("`status` is no status of a subscription"))
    });
    let text = |name| call.query(name).map(ToOwned::to_owned);
    let filter = Filter {
        application: text("application"),
        api: text("api"),
        plan: text("plan"),
        status: status.transpose()?,
    };
    Answer::ok(&call.api.registrar.subscriptions(&filter, after, limit)?)
}

pub(super) fn create_subscription(call: &Call) -> Answered {
    let repeatable = call.repeatable()?;
    let registrar = &call.api.registrar;
    let made = registrar.create_subscription(&call.api.actor, &call.json()?, repeatable.as_ref())?;
    let location = format!("/v1/subscriptions/{}", made.id);
    Ok(subscription(&made)?.created(location))
}

pub(super) fn get_subscription(call: &Call) -> Answered {
    subscription(&call.api.registrar.subscription(subscription_id(call)?)?)
}

pub(super) fn date_subscription(call: &Call) -> Answered {
    let (id, expected) = (subscription_id(call)?, call.required_version()?);
    let registrar = &call.api.registrar;
    subscription(&registrar.date_subscription(&call.api.actor, id, &call.json()?, &expected)?)
}

pub(super) fn accept(call: &Call) -> Answered {
    act(call, Action::Accept)
}

pub(super) fn reject(call: &Call) -> Answered {
    act(call, Action::Reject)
}

pub(super) fn pause(call: &Call) -> Answered {
    act(call, Action::Pause)
}

pub(super) fn resume(call: &Call) -> Answered {
    act(call, Action::Resume)
}

pub(super) fn close(call: &Call) -> Answered {
    act(call, Action::Close)
}

pub(super) fn move_subscription(call: &Call) -> Answered {
    let (id, expected) = (subscription_id(call)?, call.expected()?);
    let registrar = &call.api.registrar;
    subscription(&registrar.move_subscription(&call.api.actor, id, &call.json()?, &expected)?)
}

/// The id of a subscription: `application:api:plan`. Part of one names nothing, not even what begins with it; and what can
/// be none may be a key that somebody has pasted there, and is not repeated.
pub(super) fn subscription_id(call: &Call) -> Result<&str, Problem> {
    let id = call.parameter("id");
    is_subscription_id(id)
        .then_some(id)
        .ok_or_else(|| Problem::not_found("there is no such subscription"))
}

fn suspend(call: &Call, suspended: bool) -> Answered {
    let (id, expected) = (call.parameter("id"), call.expected()?);
    let registrar = &call.api.registrar;
    application(&registrar.suspend_application(&call.api.actor, id, suspended, &expected)?)
}

fn act(call: &Call, action: Action) -> Answered {
    let (id, expected) = (subscription_id(call)?, call.expected()?);
    let registrar = &call.api.registrar;
    subscription(&registrar.act_on_subscription(&call.api.actor, id, action, &expected)?)
}

fn application(view: &ApplicationView) -> Answered {
    Ok(Answer::ok(view)?.version(view.version))
}

fn subscription(view: &SubscriptionView) -> Answered {
    Ok(Answer::ok(view)?.version(view.version))
}
