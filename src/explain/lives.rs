//! Where plans are in their lives, and which line says so.
//! A stage is a matter of the moment that is asked about; dates that are still to come are told beside it.

use serde_json::json;

use super::advice::{Advice, Case};
use super::report::{Cite, Line, StoreRecord};
use super::words;
use crate::api::{Api, Plan, Stage};
use crate::time::UnixTime;

// === impl Case ===

impl Case<'_> {
    /// A plan of the API, on offer or not.
    pub(super) fn offered(&self, api: &Api, plan: &Plan) -> Line {
        let schedule = &plan.life.schedule;
        let stage = plan.life.at(self.now);
        let mut text = format!("{}, {}, {}", plan.name, plan.security.name(), stage.name());
        if let (Stage::Deprecated, Some(since)) = (stage, plan.life.deprecated_since(self.now)) {
            text.push_str(&format!(" since {}", words::moment_from_now(since, self.now)));
        }
        for (stage, date) in self.to_come(plan) {
            let date = words::moment_from_now(date, self.now);
            text.push_str(&format!(", {} from {date}", stage.name()));
        }
        let date = |date: Option<UnixTime>| date.map(words::moment);
        let value = json!({
            "plan": plan.name.as_str(),
            "security": plan.security.name(),
            "stage": stage.name(),
            "on_offer": stage.is_on_offer(),
            "publish_at": date(schedule.publish_at),
            "deprecate_at": date(schedule.deprecate_at),
            "close_at": date(schedule.close_at),
        });
        let place = self.cites.plan(api.name.as_str(), plan.name.as_str(), "security");
        Line::new("plan", text, value)
            .at(place)
            .of(self.plan_record(plan))
    }

    /// The dates that will move the plan on.
    fn to_come<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = (Stage, UnixTime)> + use<'p> {
        let schedule = &plan.life.schedule;
        let (now, reached) = (self.now, plan.life.at(self.now));
        let dates = [
            (Stage::Published, schedule.publish_at),
            (Stage::Deprecated, schedule.deprecate_at),
            (Stage::Closed, schedule.close_at),
        ];
        let dates = dates.into_iter().filter_map(|(stage, date)| Some((stage, date?)));
        dates.filter(move |(stage, date)| *stage > reached && *date > now)
    }

    /// A plan that was moved on by hand is where the store says.
    pub(super) fn plan_record(&self, plan: &Plan) -> Option<StoreRecord> {
        let moved = plan.life.schedule.at(self.now) != plan.life.at(self.now);
        moved.then(|| StoreRecord {
            kind: "plan",
            id: plan.id.as_str().to_owned(),
        })
    }

    /// The key that has brought the plan to the stage at which it is.
    pub(super) fn stage_place(&self, api: &str, plan: &Plan) -> Option<Cite> {
        if self.plan_record(plan).is_some() {
            return None;
        }
        let keys: &[&str] = match plan.life.at(self.now) {
            stage if stage == plan.life.schedule.begins => &["stage"],
            Stage::Staging => &["stage"],
            Stage::Published => &["publish_at", "stage"],
            Stage::Deprecated => &["deprecate_at", "stage"],
            Stage::Closed => &["close_at", "stage"],
        };
        self.cites.plan_any(api, plan.name.as_str(), keys)
    }

    /// An API whose plans nobody may use answers as if it were not there.
    pub(super) fn of_no_plan(&self, api: &Api) -> Advice {
        let name = api.name.as_str();
        let plans = api.plans.all();
        let Some(first) = plans.first() else {
            let place = self.cites.api(name, "plan");
            return Advice::new(place, format!("the API {name} has no plan"));
        };
        let stages = plans
            .iter()
            .map(|plan| format!("{} is {}", plan.name, plan.life.at(self.now).name()));
        let mut hint = format!("the API {name} has no plan on offer: {}", words::list(stages));
        let mut coming: Vec<(UnixTime, &Plan)> = plans
            .iter()
            .filter_map(|plan| {
                let published = self.to_come(plan).find(|(stage, _)| *stage == Stage::Published);
                Some((published?.1, &**plan))
            })
            .collect();
        coming.sort_by_key(|(date, _)| *date);
        let Some((date, plan)) = coming.first() else {
            return Advice::new(self.stage_place(name, first), hint);
        };
        let date = words::moment_from_now(*date, self.now);
        hint.push_str(&format!("; plan {} is published from {date}", plan.name));
        Advice::new(self.cites.plan(name, plan.name.as_str(), "publish_at"), hint)
    }
}
