//! Subscriptions: made, judged, paused, moved, closed.
//!
//! ```text
//! (new) --> pending --> accepted <--> paused
//!               \--> rejected    \       /
//!                                 closed          pending is closed, too
//! ```
//! Nothing else is a way from one to the other. A closed or rejected subscription stays so; a new one may take its place.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::audit::{Note, value};
use super::kept::{Kept, read};
use super::{
    Actor, Desk, Expected, Origin, Page, Refusal, Registrar, Repeatable, Ruling, Shown, plans, read_time,
    remove, shown_time, write,
};
use crate::api::{Security, Stage};
use crate::control::state::records::{self, SubscriptionRecord, SubscriptionStatus};
use crate::control::state::{Key, Kind, Revision, Store, Versioned};
use crate::id::{ApplicationId, PlanId};
use crate::snapshot::{ListedPlan, Snapshot};
use crate::subscription::{DeclaredSubscription, Status};
use crate::time::{Clock, UnixTime};

/// A new subscription.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Whose.
    pub application: String,
    /// To which API.
    pub api: String,
    /// To which of its plans.
    pub plan: String,
    /// Not in force before, RFC 3339.
    #[serde(default)]
    pub from: Option<String>,
    /// Not in force at or after, RFC 3339.
    #[serde(default)]
    pub until: Option<String>,
}

/// From when and until when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// Not in force before, RFC 3339.
    #[serde(default)]
    pub from: Option<String>,
    /// Not in force at or after, RFC 3339.
    #[serde(default)]
    pub until: Option<String>,
}

/// To which other plan of the same API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// Its name.
    pub plan: String,
}

/// What an operator does with a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the subscription's life cycle")]
pub enum Action {
    Accept,
    Reject,
    Pause,
    Resume,
    Close,
}

/// Which subscriptions are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Of this application.
    #[serde(default)]
    pub application: Option<String>,
    /// To this API.
    #[serde(default)]
    pub api: Option<String>,
    /// To plans of this name.
    #[serde(default)]
    pub plan: Option<String>,
    /// In this part of their lives.
    #[serde(default)]
    pub status: Option<SubscriptionStatus>,
}

/// A subscription as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionView {
    /// Its id: `application:api:plan`.
    pub id: String,
    /// Where it was written.
    pub origin: Origin,
    /// The revision that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whose.
    pub application: String,
    /// To which API.
    pub api: String,
    /// To which of its plans.
    pub plan: String,
    /// Where it is in its life.
    pub status: SubscriptionStatus,
    /// Not in force before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Not in force at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

// === impl Action ===

impl Action {
    /// Every action there is.
    pub const ALL: [Self; 5] = [Self::Accept, Self::Reject, Self::Pause, Self::Resume, Self::Close];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Close => "close",
        }
    }

    const fn noted(self) -> &'static str {
        match self {
            Self::Accept => "subscription.accept",
            Self::Reject => "subscription.reject",
            Self::Pause => "subscription.pause",
            Self::Resume => "subscription.resume",
            Self::Close => "subscription.close",
        }
    }

    /// Where it leads from there; nothing: nowhere.
    const fn leads(self, from: SubscriptionStatus) -> Option<SubscriptionStatus> {
        use SubscriptionStatus::{Accepted, Closed, Paused, Pending, Rejected};
        match (self, from) {
            (Self::Accept, Pending) | (Self::Resume, Paused) => Some(Accepted),
            (Self::Reject, Pending) => Some(Rejected),
            (Self::Pause, Accepted) => Some(Paused),
            (Self::Close, Pending | Accepted | Paused) => Some(Closed),
            (Self::Accept, Accepted | Rejected | Paused | Closed)
            | (Self::Resume, Pending | Accepted | Rejected | Closed)
            | (Self::Reject, Accepted | Rejected | Paused | Closed)
            | (Self::Pause, Pending | Rejected | Paused | Closed)
            | (Self::Close, Rejected | Closed) => None,
        }
    }
}

// === impl Registrar ===

impl Registrar {
    /// Subscribes an application to a plan.
    ///
    /// # Errors
    /// When a member breaks a rule, the plan takes no subscriptions, there is one already, or the store fails.
    pub fn create_subscription(
        &self,
        actor: &Actor,
        new: &NewSubscription,
        repeatable: Option<&Repeatable>,
    ) -> Result<SubscriptionView, Refusal> {
        let NewSubscription {
            application,
            api,
            plan,
            from,
            until,
        } = new;
        let dates = read_dates(from.as_deref(), until.as_deref())?;
        self.change(actor, |desk| {
            if let Some((id, made)) = desk.made_before::<SubscriptionRecord>(repeatable)? {
                return Ok(Ruling::unchanged("subscription.create", &id, made));
            }
            if !desk.knows_application(application)? {
                return Err(Refusal::invalid("application", "is no application's id"));
            }
            let listed = desk.open_plan(api, plan)?;
            let id = format!("{application}:{api}:{plan}");
            desk.judge_place(&id)?;
            let record = SubscriptionRecord {
                status: if listed.accepts_by_itself {
                    SubscriptionStatus::Accepted
                } else {
                    SubscriptionStatus::Pending
                },
                from: dates.0,
                until: dates.1,
                created_at: desk.now.millis(),
                updated_at: desk.now.millis(),
            };
            let outcome = view(&id, None, &record);
            let mut writes = vec![write(Kind::Subscription, &id, &record)?];
            // Keys of a subscription that was closed before are not this one's.
            writes.extend(
                desk.keys_of(&id)?
                    .into_iter()
                    .map(|(key, _)| remove(Kind::ApiKey, &key)),
            );
            writes.extend(desk.remember(repeatable, &id)?);
            let note = Note::of("subscription.create", &id).after(value(&outcome));
            Ok(Ruling {
                writes,
                note,
                outcome,
            })
        })
    }

    /// Takes a step in a subscription's life.
    ///
    /// # Errors
    /// When there is no such way, it is another version, or the configuration's.
    pub fn act_on_subscription(
        &self,
        actor: &Actor,
        id: &str,
        action: Action,
        expected: &Expected,
    ) -> Result<SubscriptionView, Refusal> {
        self.revise(
            actor,
            id,
            action.noted(),
            expected,
            |desk, old: &SubscriptionRecord| {
                let status = action.leads(old.status).ok_or_else(|| {
                    let status = status_name(old.status);
                    Refusal::Conflict(format!(
                        "a {status} subscription cannot be told to {}",
                        action.name()
                    ))
                })?;
                if status == SubscriptionStatus::Accepted {
                    desk.judge_living_plan(id)?;
                }
                Ok(Some(SubscriptionRecord {
                    status,
                    updated_at: desk.now.millis(),
                    ..old.clone()
                }))
            },
        )
    }

    /// Sets from when and until when a subscription is in force.
    ///
    /// # Errors
    /// When they are no dates, it is over, another version, or the configuration's.
    pub fn date_subscription(
        &self,
        actor: &Actor,
        id: &str,
        dates: &Dates,
        expected: &Expected,
    ) -> Result<SubscriptionView, Refusal> {
        let (from, until) = read_dates(dates.from.as_deref(), dates.until.as_deref())?;
        self.revise(
            actor,
            id,
            "subscription.dates",
            expected,
            |desk, old: &SubscriptionRecord| {
                judge_living(old)?;
                Ok(Some(SubscriptionRecord {
                    from,
                    until,
                    updated_at: desk.now.millis(),
                    ..old.clone()
                }))
            },
        )
    }

    /// Moves a subscription to another plan of the same API and kind of credential; its keys go with it.
    ///
    /// # Errors
    /// When the plan is of another kind or takes no subscriptions, there is one already, the subscription is over, or its
    /// plan is not configured any more.
    pub fn move_subscription(
        &self,
        actor: &Actor,
        id: &str,
        to: &Move,
        expected: &Expected,
    ) -> Result<SubscriptionView, Refusal> {
        self.change(actor, |desk| {
            let (before, old) = desk.own::<SubscriptionRecord>(id, expected)?;
            judge_living(&old)?;
            let listed = desk.open_plan(&before.api, &to.plan)?;
            let Some(present) = desk.plan(&before.api, &before.plan) else {
                return Err(Refusal::Conflict(format!(
                    "the plan `{}/{}` is not configured any more, so what credential it asked for cannot be told",
                    before.api, before.plan
                )));
            };
            if present.security != listed.security {
                return Err(Refusal::Conflict(format!(
                    "the plan `{}` asks for another kind of credential",
                    to.plan
                )));
            }
            let next = format!("{}:{}:{}", before.application, before.api, to.plan);
            desk.judge_place(&next)?;
            let record = SubscriptionRecord {
                updated_at: desk.now.millis(),
                ..old
            };
            let outcome = view(&next, None, &record);
            let mut writes = vec![
                remove(Kind::Subscription, id),
                write(Kind::Subscription, &next, &record)?,
            ];
            for (key, _) in desk.keys_of(&next)? {
                writes.push(remove(Kind::ApiKey, &key));
            }
            for (key, kept) in desk.keys_of(id)? {
                let number = key.rsplit(':').next().unwrap_or_default();
                writes.push(super::Write {
                    key: Key::new(Kind::ApiKey, format!("{next}:{number}")),
                    value: Some(kept.value),
                });
                writes.push(remove(Kind::ApiKey, &key));
            }
            let note = Note::of("subscription.move", id)
                .before(value(&before))
                .after(value(&outcome));
            Ok(Ruling {
                writes,
                note,
                outcome,
            })
        })
    }

    /// One subscription.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn subscription(&self, id: &str) -> Result<SubscriptionView, Refusal> {
        find(&*self.store, &self.cell.snapshot(), id)
    }

    /// At most `limit` subscriptions that the filter asks for, whose ids come after `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn subscriptions(
        &self,
        filter: &Filter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<SubscriptionView>, Refusal> {
        let Filter {
            application,
            api,
            plan,
            status,
        } = filter;
        let wanted = |view: &SubscriptionView| {
            application
                .as_ref()
                .is_none_or(|wanted| view.application == *wanted)
                && api.as_ref().is_none_or(|wanted| view.api == *wanted)
                && plan.as_ref().is_none_or(|wanted| view.plan == *wanted)
                && status.is_none_or(|wanted| view.status == wanted)
        };
        let prefix = application
            .as_ref()
            .map_or_else(String::new, |id| format!("{id}:"));
        let snapshot = self.cell.snapshot();
        let closed = plans::closed(&snapshot, Clock.now());
        let declared = snapshot.declared.subscriptions.iter();
        let declared = declared.map(|own| declared_view(own).under(&closed));
        self.page(
            (Kind::Subscription, &prefix),
            declared.map(|view| (view.id.clone(), view)).collect(),
            (after, limit),
            |id, record| Ok(read::<SubscriptionRecord>(id, record, Clock.now())?.under(&closed)),
            wanted,
        )
    }
}

// === impl Desk ===

impl Desk<'_> {
    /// The keys of a subscription.
    pub(super) fn keys_of(&self, id: &str) -> Result<Vec<(String, Versioned)>, Refusal> {
        keys_of(self.store, id)
    }

    /// A plan as it is written down.
    pub(super) fn plan(&self, api: &str, plan: &str) -> Option<&ListedPlan> {
        let listed = self
            .snapshot
            .catalogue
            .iter()
            .find(|listed| listed.name.as_str() == api)?;
        listed.plans.iter().find(|listed| listed.name.as_str() == plan)
    }

    /// Where a plan is in its life at this moment, by its dates or by hand.
    fn stage(&self, plan: &PlanId) -> Option<Stage> {
        let plan = self.snapshot.plan(plan)?;
        Some(plan.life.at(self.now))
    }

    fn knows_application(&self, id: &str) -> Result<bool, Refusal> {
        let key = Key::new(Kind::Application, id);
        Ok(self.declared_application(id).is_some() || self.store.get(&key)?.is_some())
    }

    /// Whether a new subscription may have this id.
    fn judge_place(&self, id: &str) -> Result<(), Refusal> {
        let taken = match self.store.get(&Key::new(Kind::Subscription, id))? {
            Some(kept) => {
                let record: SubscriptionRecord = records::read(id, &kept)?;
                judge_living(&record).is_ok()
            }
            None => SubscriptionRecord::is_declared(self.snapshot, id),
        };
        if taken {
            return Err(Refusal::Exists {
                what: "a subscription",
                id: id.to_owned(),
            });
        }
        Ok(())
    }

    /// A plan that takes new subscriptions.
    fn open_plan(&self, api: &str, plan: &str) -> Result<&ListedPlan, Refusal> {
        if !self
            .snapshot
            .catalogue
            .iter()
            .any(|listed| listed.name.as_str() == api)
        {
            return Err(Refusal::invalid("api", "is no API's name"));
        }
        let listed = self
            .plan(api, plan)
            .ok_or_else(|| Refusal::invalid("plan", "is no plan of this API"))?;
        let no = match (listed.security, self.stage(&listed.id)) {
            (Security::Keyless, _) => "is keyless: there is nothing to subscribe to",
            (_, None | Some(Stage::Staging)) => "is not published yet",
            (_, Some(Stage::Deprecated)) => "is deprecated: it takes no new subscriptions",
            (_, Some(Stage::Closed)) => "is closed",
            (_, Some(Stage::Published)) => return Ok(listed),
        };
        Err(Refusal::Conflict(format!("the plan `{api}/{plan}` {no}")))
    }

    /// Whether the plan of this subscription still serves anybody.
    pub(super) fn judge_living_plan(&self, id: &str) -> Result<(), Refusal> {
        let plan = plan_of(id);
        match self.stage(&plan) {
            Some(Stage::Staging | Stage::Published | Stage::Deprecated) => Ok(()),
            Some(Stage::Closed) => Err(Refusal::Conflict(format!("the plan `{plan}` is closed"))),
            None => Err(Refusal::Conflict(format!("there is no plan `{plan}` any more"))),
        }
    }
}

// === impl SubscriptionRecord ===

impl Kept for SubscriptionRecord {
    const KIND: Kind = Kind::Subscription;
    const WHAT: &'static str = "subscription";
    type View = SubscriptionView;

    fn view(&self, id: &str, version: Option<Revision>, _: UnixTime) -> SubscriptionView {
        view(id, version, self)
    }

    /// Closed, if its plan is.
    fn at(self, id: &str, desk: &Desk<'_>) -> Self {
        if is_living(self.status) && desk.stage(&plan_of(id)) == Some(Stage::Closed) {
            return Self {
                status: SubscriptionStatus::Closed,
                ..self
            };
        }
        self
    }

    fn created_at(&self) -> i64 {
        self.created_at
    }

    fn is_declared(snapshot: &Snapshot, id: &str) -> bool {
        declared(snapshot, id).is_some()
    }
}

// === impl SubscriptionView ===

impl SubscriptionView {
    /// Closed, if its plan is among these.
    fn under(mut self, closed: &HashSet<PlanId>) -> Self {
        if is_living(self.status) && closed.contains(&PlanId::of(&self.api, &self.plan)) {
            self.status = SubscriptionStatus::Closed;
        }
        self
    }
}

impl Shown for SubscriptionView {
    fn written_by(&mut self, revision: Revision) {
        self.version = Some(revision.0);
    }
}

/// The id of a subscription: names hold no colon, and a plan's id is `api/plan`.
pub(super) fn id_of(application: &ApplicationId, plan: &PlanId) -> String {
    format!("{application}:{}", plan.as_str().replace('/', ":"))
}

/// Whether a subscription can have this id.
pub fn is_id(id: &str) -> bool {
    id.split(':').count() == 3 && id.split(':').all(|part| !part.is_empty())
}

/// The plan in an id of a subscription.
fn plan_of(id: &str) -> PlanId {
    let mut parts = id.split(':').skip(1);
    let (api, plan) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    PlanId::of(api, plan)
}

pub(super) fn judge_living(record: &SubscriptionRecord) -> Result<(), Refusal> {
    if is_living(record.status) {
        return Ok(());
    }
    Err(Refusal::Conflict(format!(
        "the subscription is {}",
        status_name(record.status)
    )))
}

/// Whether anything can still become of it.
const fn is_living(status: SubscriptionStatus) -> bool {
    match status {
        SubscriptionStatus::Pending | SubscriptionStatus::Accepted | SubscriptionStatus::Paused => true,
        SubscriptionStatus::Rejected | SubscriptionStatus::Closed => false,
    }
}

pub(super) const fn status_name(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Pending => "pending",
        SubscriptionStatus::Accepted => "accepted",
        SubscriptionStatus::Rejected => "rejected",
        SubscriptionStatus::Paused => "paused",
        SubscriptionStatus::Closed => "closed",
    }
}

fn read_dates(from: Option<&str>, until: Option<&str>) -> Result<(Option<i64>, Option<i64>), Refusal> {
    let from = from.map(|text| read_time("from", text)).transpose()?;
    let until = until.map(|text| read_time("until", text)).transpose()?;
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(Refusal::invalid("until", "is not after `from`"));
    }
    Ok((from, until))
}

/// A subscription of either origin.
///
/// # Errors
/// When it is not there, or cannot be read.
pub(super) fn find(store: &dyn Store, snapshot: &Snapshot, id: &str) -> Result<SubscriptionView, Refusal> {
    let closed = plans::closed(snapshot, Clock.now());
    if let Some(record) = store.get(&Key::new(Kind::Subscription, id))? {
        return Ok(read::<SubscriptionRecord>(id, &record, Clock.now())?.under(&closed));
    }
    let found = declared(snapshot, id).map(|own| declared_view(own).under(&closed));
    found.ok_or_else(|| Refusal::not_found("subscription", id))
}

/// The API keys of a subscription, in the order of ids.
///
/// # Errors
/// When they cannot be read.
pub(super) fn keys_of(store: &dyn Store, id: &str) -> Result<Vec<(String, Versioned)>, Refusal> {
    Ok(store.list(Kind::ApiKey, &format!("{id}:"), None, usize::MAX)?)
}

fn declared<'s>(snapshot: &'s Snapshot, id: &str) -> Option<&'s DeclaredSubscription> {
    let mut declared = snapshot.declared.subscriptions.iter();
    declared.find(|own| id_of(&own.application, &own.plan) == id)
}

fn view(id: &str, version: Option<Revision>, record: &SubscriptionRecord) -> SubscriptionView {
    let SubscriptionRecord {
        status,
        from,
        until,
        created_at,
        updated_at,
    } = *record;
    let mut parts = id.splitn(3, ':').map(ToOwned::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    SubscriptionView {
        id: id.to_owned(),
        origin: Origin::State,
        version: version.map(|version| version.0),
        application: part(),
        api: part(),
        plan: part(),
        status,
        from: from.map(shown_time),
        until: until.map(shown_time),
        created_at: Some(shown_time(created_at)),
        updated_at: Some(shown_time(updated_at)),
    }
}

fn declared_view(declared: &DeclaredSubscription) -> SubscriptionView {
    let (api, plan) = declared.plan.as_str().split_once('/').unwrap_or_default();
    SubscriptionView {
        id: id_of(&declared.application, &declared.plan),
        origin: Origin::Configuration,
        version: None,
        application: declared.application.to_string(),
        api: api.to_owned(),
        plan: plan.to_owned(),
        status: match declared.terms.status {
            Status::Pending => SubscriptionStatus::Pending,
            Status::Accepted => SubscriptionStatus::Accepted,
            Status::Rejected => SubscriptionStatus::Rejected,
            Status::Paused => SubscriptionStatus::Paused,
            Status::Closed => SubscriptionStatus::Closed,
        },
        from: declared.terms.from.map(|from| shown_time(from.millis())),
        until: declared.terms.until.map(|until| shown_time(until.millis())),
        created_at: None,
        updated_at: None,
    }
}
