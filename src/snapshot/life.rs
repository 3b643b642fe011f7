//! A plan's life as it is written: `stage` says where the plan begins, each date when it goes on.
//!
//! So a date is only for a stage that comes after `stage`, and the dates rise in the order of the stages. What would have
//! to be guessed (which of two contradicting keys counts) is a mistake, whatever the time is: a configuration that is
//! accepted today is accepted tomorrow. What an operator has moved on by hand is therefore judged apart, beside what is
//! written ([`Snapshot::keyless_meetings`]).

use super::{Snapshot, shown};
use crate::api::{Plan, Schedule, Security, Stage, Stages};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::id::PlanId;
use crate::time::UnixTime;

/// The keys of `[[api.plan]]` that are about its life.
pub(super) struct Written {
    pub(super) stage: Option<Located<config::Stage>>,
    pub(super) publish_at: Option<Located<i64>>,
    pub(super) deprecate_at: Option<Located<i64>>,
    pub(super) close_at: Option<Located<i64>>,
}

pub(super) fn compile(written: Written, mistakes: &mut Mistakes) -> Schedule {
    let Written {
        stage,
        publish_at,
        deprecate_at,
        close_at,
    } = written;
    let begins = match stage.as_ref().map(|stage| stage.value) {
        Some(config::Stage::Staging) => Stage::Staging,
        Some(config::Stage::Published) => Stage::Published,
        Some(config::Stage::Deprecated) => Stage::Deprecated,
        Some(config::Stage::Closed) => Stage::Closed,
        // Who says when a plan is to be published says that it is not yet.
        None if publish_at.is_some() => Stage::Staging,
        None => Stage::Published,
    };
    let dates = [
        ("publish_at", Stage::Published, &publish_at),
        ("deprecate_at", Stage::Deprecated, &deprecate_at),
        ("close_at", Stage::Closed, &close_at),
    ];
    let mut last: Option<(&str, &Located<i64>)> = None;
    for (key, stage, date) in dates {
        let Some(date) = date else { continue };
        if stage <= begins {
            mistakes.push(passed(key, stage, begins, date));
            continue;
        }
        if stage == Stage::Deprecated && begins == Stage::Staging && publish_at.is_none() {
            let message =
                "the plan is in staging, and nothing says when it is published before it is deprecated";
            mistakes.push(Mistake::new(date.place.clone(), message).help("say so in `publish_at`"));
        }
        if let Some((earlier, earlier_date)) = last.filter(|(_, earlier)| earlier.value >= date.value) {
            let message = format!(
                "`{key}` must be later than `{earlier}`; that is at {}",
                earlier_date.place
            );
            mistakes.push(Mistake::new(date.place.clone(), message));
        }
        last = Some((key, date));
    }
    let moment = |date: Option<Located<i64>>| date.map(|date| UnixTime::from_millis(date.value));
    Schedule {
        begins,
        publish_at: moment(publish_at),
        deprecate_at: moment(deprecate_at),
        close_at: moment(close_at),
    }
}

/// A date for what `stage` says the plan is, or is beyond.
fn passed(key: &str, stage: Stage, begins: Stage, date: &Located<i64>) -> Mistake {
    let message = format!(
        "`{key}` says nothing: the plan is {} from the beginning",
        begins.name()
    );
    let before = match stage {
        Stage::Staging | Stage::Published => Stage::Staging,
        Stage::Deprecated | Stage::Closed => Stage::Published,
    };
    let help = format!(
        "write `stage = \"{}\"`: the date says when that ends",
        before.name()
    );
    Mistake::new(date.place.clone(), message).help(help)
}

/// What a plan asks for stays as long as the plan does: subscriptions were made to that, and by another kind of credential
/// somebody else may be taken for the subscriber.
pub(super) fn judge_security(apis: &[config::Api], stages: &Stages, mistakes: &mut Mistakes) {
    for (api, plan) in apis
        .iter()
        .flat_map(|api| api.plans.iter().map(move |plan| (api, plan)))
    {
        let security = match plan.security.value {
            config::Security::Jwt => Security::Jwt,
            config::Security::OAuth2 => Security::OAuth2,
            config::Security::ApiKey => Security::ApiKey,
            config::Security::Keyless => Security::Keyless,
        };
        let former = stages.security(&PlanId::of(&api.name.value, &plan.name.value));
        if let Some(former) = former.filter(|former| *former != security) {
            let message = format!(
                "the plan `{}` is in place with `security = \"{}\"`, which never changes",
                shown(&plan.name.value),
                former.name()
            );
            let help = "give the plan with other security another name, and close this one";
            mistakes.push(Mistake::new(plan.security.place.clone(), message).help(help));
        }
    }
}

/// Since plans of which one is closed before the other is published never meet, neither is in the other's way.
pub(super) fn meet(one: &Schedule, other: &Schedule) -> bool {
    let (Some((one_from, one_until)), Some((other_from, other_until))) = (one.offer(), other.offer()) else {
        return false;
    };
    let is_over = |until: Option<UnixTime>, from: Option<UnixTime>| match (until, from) {
        (Some(until), Some(from)) => until <= from,
        // On offer since ever, or for ever.
        _ => false,
    };
    !is_over(one_until, other_from) && !is_over(other_until, one_from)
}

impl Snapshot {
    /// Keyless plans of one API that are for every caller and would be on offer at the same time, since operators have
    /// moved plans on that are written to be later or never; a sentence for each such pair.
    pub fn keyless_meetings(&self) -> Vec<String> {
        let is_for_all = |plan: &&Plan| plan.security == Security::Keyless && plan.selection_rule.is_none();
        let mut meetings = Vec::new();
        for api in &self.catalogue {
            let plans = api.plans.iter().filter_map(|listed| self.plan(&listed.id));
            let plans: Vec<&Plan> = plans.map(|plan| &**plan).filter(is_for_all).collect();
            for (place, plan) in plans.iter().enumerate() {
                let earlier = plans.iter().take(place);
                let met = earlier.filter(|earlier| meet(&earlier.life.ahead(), &plan.life.ahead()));
                meetings.extend(met.map(|earlier| {
                    format!(
                        "the plans `{}` and `{}` are keyless and for every caller, and an operator has moved one of \
                         them on; close one, or give it a `selection_rule`",
                        earlier.id, plan.id
                    )
                }));
            }
        }
        meetings
    }
}
