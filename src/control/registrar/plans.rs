//! Plans, which the configuration declares, and their stages, which an operator moves on: published, deprecated, closed.
//!
//! A step that is acknowledged is on disk and holds after a restart, also when the configuration still says less. What is
//! closed by hand, by date or by `stage` closes its subscriptions with it: they are shown as closed, and none comes back.
//! So a plan that is found closed is recorded as closed ([`Registrar::record_closed`]), whoever has closed it. The records
//! of its subscriptions stay as they are, for a plan may have a million of them.

use std::collections::HashSet;

use serde::Serialize;

use super::audit::{Note, value};
use super::{
    Actor, Desk, Expected, Origin, Page, Refusal, Registrar, Ruling, Shown, judge_version, shown_time, write,
};
use crate::api::{Plan, Security, Stage};
use crate::control::state::records::{self, PlanStage, PlanStageRecord};
use crate::control::state::{Key, Kind, Revision, Store, StoreError, Versioned};
use crate::id::PlanId;
use crate::snapshot::{ListedPlan, Snapshot};
use crate::time::{Clock, UnixTime};

/// A plan as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanView {
    /// Its id: `api/plan`.
    pub id: String,
    /// Of which API.
    pub api: String,
    /// Its name there.
    pub name: String,
    /// The kind of credential that it asks for.
    pub security: &'static str,
    /// Whether a new subscription waits for an operator: `auto` or `manual`.
    pub validation: &'static str,
    /// Where it is in its life, at this moment.
    pub stage: &'static str,
    /// What has brought it there: the configuration with its dates, or an operator.
    pub origin: Origin,
    /// The revision that moved it last, if an operator ever did or it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When an operator moved it last, or it was first found closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<String>,
    /// When the configuration has it published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish_at: Option<String>,
    /// When the configuration has it deprecated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecate_at: Option<String>,
    /// When the configuration has it closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_at: Option<String>,
}

// === impl Registrar ===

impl Registrar {
    /// One plan.
    ///
    /// # Errors
    /// When the configuration has none of this name, or the store cannot be read.
    pub fn plan(&self, api: &str, plan: &str) -> Result<PlanView, Refusal> {
        let snapshot = self.cell.snapshot();
        let (listed, found) = find(&snapshot, api, plan)?;
        let kept = self.store.get(&key(&listed.id))?;
        view(api, listed, found, kept.as_ref(), Clock.now())
    }

    /// At most `limit` plans, of one API or of all, whose ids come after `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn plans(
        &self,
        api: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<PlanView>, Refusal> {
        let snapshot = self.cell.snapshot();
        let now = Clock.now();
        let wanted = snapshot
            .catalogue
            .iter()
            .filter(|listed| api.is_none_or(|api| listed.name.as_str() == api));
        let mut plans: Vec<_> = wanted
            .flat_map(|api| api.plans.iter().map(move |plan| (api.name.as_str(), plan)))
            .filter(|(_, plan)| after.is_none_or(|after| plan.id.as_str() > after))
            .collect();
        plans.sort_unstable_by_key(|(_, plan)| plan.id.as_str());
        let more = plans.len() > limit;
        plans.truncate(limit);
        let mut items = Vec::with_capacity(plans.len());
        for (api, listed) in plans {
            let Some(found) = snapshot.plan(&listed.id) else {
                continue;
            };
            let kept = self.store.get(&key(&listed.id))?;
            items.push(view(api, listed, found, kept.as_ref(), now)?);
        }
        let next = items.last().filter(|_| more).map(|last| last.id.clone());
        Ok(Page { items, next })
    }

    /// Moves a plan on.
    ///
    /// # Errors
    /// When there is none, its life has no such step, it is another version, or two plans would be open to the same
    /// anonymous callers.
    pub fn move_plan(
        &self,
        actor: &Actor,
        (api, plan): (&str, &str),
        to: Stage,
        expected: &Expected,
    ) -> Result<PlanView, Refusal> {
        self.change(actor, |desk| {
            let (listed, found) = find(desk.snapshot, api, plan)?;
            let kept = desk.store.get(&key(&listed.id))?;
            match (&kept, expected) {
                (Some(kept), expected) => judge_version(kept, expected)?,
                (None, Some(_)) => return Err(Refusal::Stale),
                (None, None) => {}
            }
            found
                .life
                .judge(to, desk.now)
                .map_err(|error| Refusal::Conflict(error.to_string()))?;
            if to == Stage::Published {
                desk.judge_anonymous(api, found)?;
            }
            let before = view(api, listed, found, kept.as_ref(), desk.now)?;
            let record = PlanStageRecord {
                stage: kept_stage(to),
                changed_at: desk.now.millis(),
            };
            let outcome = PlanView {
                stage: to.name(),
                origin: Origin::State,
                moved_at: Some(shown_time(record.changed_at)),
                ..before.clone()
            };
            let id = listed.id.as_str();
            let note = Note::of(noted(to), id)
                .before(value(&before))
                .after(value(&outcome));
            Ok(Ruling {
                writes: vec![write(Kind::PlanStage, id, &record)?],
                note,
                outcome,
            })
        })
    }
}

impl Registrar {
    /// Records of those of these plans that are closed by now that they are. What cannot be written is closed all the
    /// same until the process ends, and is for the log and the next call.
    pub fn record_closed(&self, snapshot: &Snapshot) {
        let now = Clock.now();
        for api in &snapshot.catalogue {
            for listed in &api.plans {
                let plan = snapshot.plan(&listed.id);
                if let Some(plan) = plan.filter(|plan| plan.life.at(now) == Stage::Closed)
                    && let Err(error) = self.record_as_closed(api.name.as_str(), listed, plan)
                {
                    tracing::error!(
                        event = "plan_not_recorded",
                        plan = %listed.id,
                        %error,
                        "the plan is closed, and the store does not know it yet"
                    );
                }
            }
        }
    }

    fn record_as_closed(&self, api: &str, listed: &ListedPlan, plan: &Plan) -> Result<(), Refusal> {
        let is_recorded = |desk: &dyn Store| {
            let kept = desk.get(&key(&listed.id))?;
            let record: Option<PlanStageRecord> = kept
                .map(|kept| records::read(&key(&listed.id).to_string(), &kept))
                .transpose()?;
            Ok::<_, StoreError>(record.is_some_and(|record| record.stage == PlanStage::Closed))
        };
        if is_recorded(&*self.store)? {
            return Ok(());
        }
        let by = Actor("configuration".to_owned());
        let done = self.change(&by, |desk| {
            let id = listed.id.as_str();
            let record = PlanStageRecord {
                stage: PlanStage::Closed,
                changed_at: desk.now.millis(),
            };
            let outcome = PlanView {
                moved_at: Some(shown_time(record.changed_at)),
                ..view(api, listed, plan, None, desk.now)?
            };
            // Another gateway on the same store may have been here first.
            if is_recorded(desk.store)? {
                return Ok(Ruling::unchanged(noted(Stage::Closed), id, outcome));
            }
            Ok(Ruling {
                writes: vec![write(Kind::PlanStage, id, &record)?],
                note: Note::of(noted(Stage::Closed), id).after(value(&outcome)),
                outcome,
            })
        });
        done.map(|_| ())
    }
}

// === impl Desk ===

impl Desk<'_> {
    /// Of keyless plans without a selection rule, an API has one on offer at a time.
    fn judge_anonymous(&self, api: &str, plan: &Plan) -> Result<(), Refusal> {
        let is_for_all = |plan: &Plan| plan.security == Security::Keyless && plan.selection_rule.is_none();
        if !is_for_all(plan) {
            return Ok(());
        }
        let listed = self
            .snapshot
            .catalogue
            .iter()
            .find(|listed| listed.name.as_str() == api);
        let others = listed.into_iter().flat_map(|listed| &listed.plans);
        let rival = others
            .filter(|other| other.id != plan.id)
            .filter_map(|other| self.snapshot.plan(&other.id))
            .filter(|other| is_for_all(other))
            .find(|other| match other.life.at(self.now) {
                Stage::Staging => other.life.schedule.publish_at.is_some(),
                Stage::Published | Stage::Deprecated => true,
                Stage::Closed => false,
            });
        match rival {
            None => Ok(()),
            Some(rival) => Err(Refusal::Conflict(format!(
                "the plan `{}` is keyless, too, and for every caller; close it first",
                rival.id
            ))),
        }
    }
}

impl Shown for PlanView {
    fn written_by(&mut self, revision: Revision) {
        self.version = Some(revision.0);
    }
}

/// The plans that are closed at `now`: by hand, by date or from the beginning.
pub(super) fn closed(snapshot: &Snapshot, now: UnixTime) -> HashSet<PlanId> {
    let plans = snapshot.plans.iter();
    plans
        .filter(|plan| plan.life.at(now) == Stage::Closed)
        .map(|plan| plan.id.clone())
        .collect()
}

fn find<'s>(snapshot: &'s Snapshot, api: &str, plan: &str) -> Result<(&'s ListedPlan, &'s Plan), Refusal> {
    let listed = snapshot.catalogue.iter().find(|own| own.name.as_str() == api);
    listed
        .and_then(|api| api.plans.iter().find(|own| own.name.as_str() == plan))
        .and_then(|listed| Some((listed, &**snapshot.plan(&listed.id)?)))
        .ok_or_else(|| Refusal::not_found("plan", &format!("{api}/{plan}")))
}

fn key(plan: &PlanId) -> Key {
    Key::new(Kind::PlanStage, plan.as_str())
}

fn view(
    api: &str,
    listed: &ListedPlan,
    plan: &Plan,
    kept: Option<&Versioned>,
    now: UnixTime,
) -> Result<PlanView, Refusal> {
    let record: Option<PlanStageRecord> = kept
        .map(|kept| records::read(&key(&listed.id).to_string(), kept))
        .transpose()?;
    let schedule = &plan.life.schedule;
    let stage = plan.life.at(now);
    let moment = |date: Option<UnixTime>| date.map(|date| shown_time(date.millis()));
    Ok(PlanView {
        id: listed.id.as_str().to_owned(),
        api: api.to_owned(),
        name: listed.name.as_str().to_owned(),
        security: listed.security.name(),
        validation: if listed.accepts_by_itself {
            "auto"
        } else {
            "manual"
        },
        stage: stage.name(),
        origin: if stage > schedule.at(now) {
            Origin::State
        } else {
            Origin::Configuration
        },
        version: kept.map(|kept| kept.version.0),
        moved_at: record.map(|record| shown_time(record.changed_at)),
        publish_at: moment(schedule.publish_at),
        deprecate_at: moment(schedule.deprecate_at),
        close_at: moment(schedule.close_at),
    })
}

const fn noted(to: Stage) -> &'static str {
    match to {
        Stage::Staging => "plan.stage",
        Stage::Published => "plan.publish",
        Stage::Deprecated => "plan.deprecate",
        Stage::Closed => "plan.close",
    }
}

const fn kept_stage(stage: Stage) -> PlanStage {
    match stage {
        Stage::Staging => PlanStage::Staging,
        Stage::Published => PlanStage::Published,
        Stage::Deprecated => PlanStage::Deprecated,
        Stage::Closed => PlanStage::Closed,
    }
}
