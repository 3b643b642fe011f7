//! A plan's life: staging, published, deprecated, closed; onwards only.
//!
//! Two hands move a plan. The configuration says where it begins and, by dates, when it goes on ([`Schedule`]); whoever
//! operates the running gateway may move it on at once ([`Life::advance`]). The further of the two counts. Both only ever
//! add, so at a later moment a plan is never at an earlier stage.
//!
//! What was moved by hand is kept in a cell that outlives snapshots ([`Stages`]), as keys are: a reload forgets nothing. So
//! is that a plan was found closed ([`Stages::seal`]), by whichever hand: its subscriptions are over, and no later
//! configuration and no clock brings them back.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Plan, Security};
use crate::id::PlanId;
use crate::time::UnixTime;

/// Where a plan is in its life; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Invisible, unusable.
    Staging,
    /// Usable.
    Published,
    /// Usable by those who have a subscription; nobody should begin with it.
    Deprecated,
    /// Unusable for ever; all its subscriptions are closed.
    Closed,
}

/// What the configuration says of a plan's life: where it begins, and from when on it is further. Dates rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Where it is if no date has come.
    pub begins: Stage,
    /// Published from then on.
    pub publish_at: Option<UnixTime>,
    /// Deprecated from then on.
    pub deprecate_at: Option<UnixTime>,
    /// Closed from then on.
    pub close_at: Option<UnixTime>,
}

/// A plan's life in one snapshot.
#[derive(Debug)]
pub struct Life {
    /// What the configuration says.
    pub schedule: Schedule,
    moved: Arc<Moved>,
}

/// What is known of a plan beyond any one snapshot.
#[derive(Debug)]
pub struct Moved {
    /// How far it was moved by hand; closed, too, if it was found so.
    stage: AtomicU8,
    /// When it was first deprecated by hand; the end of time: never.
    deprecated_millis: AtomicI64,
    /// The kind of credential that it asks for since it was put in place.
    security: OnceLock<Security>,
}

/// The cells of all plans, over all reloads.
#[derive(Debug, Default)]
pub struct Stages {
    cells: papaya::HashMap<PlanId, Arc<Moved>>,
}

/// A step that a plan's life does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plan that is {} cannot become {}", from.name(), to.name())]
pub struct StageError {
    /// Where it is.
    pub from: Stage,
    /// Where it was to go.
    pub to: Stage,
}

// === impl Stage ===

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 4] = [Self::Staging, Self::Published, Self::Deprecated, Self::Closed];

    /// The word for configuration and explanations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Published => "published",
            Self::Deprecated => "deprecated",
            Self::Closed => "closed",
        }
    }

    /// Whether callers may use a plan at this stage.
    pub const fn is_on_offer(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }

    /// Whether this is one step of a plan's life.
    const fn leads_to(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Staging, Self::Published | Self::Closed)
                | (Self::Published, Self::Deprecated | Self::Closed)
                | (Self::Deprecated, Self::Closed)
        )
    }

    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Staging,
            1 => Self::Published,
            2 => Self::Deprecated,
            _ => Self::Closed,
        }
    }
}

// === impl Schedule ===

impl Schedule {
    /// A life without dates.
    pub const fn fixed(stage: Stage) -> Self {
        Self {
            begins: stage,
            publish_at: None,
            deprecate_at: None,
            close_at: None,
        }
    }

    /// Where the plan is at `now`; a date counts from its very millisecond on.
    pub fn at(&self, now: UnixTime) -> Stage {
        let has_come = |date: Option<UnixTime>| date.is_some_and(|date| date <= now);
        let dated = if has_come(self.close_at) {
            Stage::Closed
        } else if has_come(self.deprecate_at) {
            Stage::Deprecated
        } else if has_come(self.publish_at) {
            Stage::Published
        } else {
            Stage::Staging
        };
        dated.max(self.begins)
    }

    /// When it is on offer: from the first moment until before the second, as far as there are any. Nothing if never. A
    /// plan that begins on offer counts as having been so since ever.
    pub fn offer(&self) -> Option<(Option<UnixTime>, Option<UnixTime>)> {
        match self.begins {
            Stage::Staging => self.publish_at.map(|from| (Some(from), self.close_at)),
            Stage::Published | Stage::Deprecated => Some((None, self.close_at)),
            Stage::Closed => None,
        }
    }
}

// === impl Life ===

impl Life {
    /// The life of a plan whose cell this is.
    pub const fn new(schedule: Schedule, moved: Arc<Moved>) -> Self {
        Self { schedule, moved }
    }

    /// Where the plan is at `now`.
    pub fn at(&self, now: UnixTime) -> Stage {
        self.schedule.at(now).max(self.moved.stage())
    }

    /// What the configuration says, from where the plan was moved by hand.
    pub fn ahead(&self) -> Schedule {
        Schedule {
            begins: self.schedule.begins.max(self.moved.stage()),
            ..self.schedule
        }
    }

    /// Since when it is deprecated, if that is known: by date or by hand, whichever came first.
    pub fn deprecated_since(&self, now: UnixTime) -> Option<UnixTime> {
        let dated = self.schedule.deprecate_at.filter(|date| *date <= now);
        let by_hand = self.moved.deprecated_since();
        match (dated, by_hand) {
            (Some(dated), Some(by_hand)) => Some(dated.min(by_hand)),
            (dated, by_hand) => dated.or(by_hand),
        }
    }

    /// Whether the plan may be moved to `to` at `now`.
    ///
    /// # Errors
    /// [`StageError`]: its life has no such step.
    pub fn judge(&self, to: Stage, now: UnixTime) -> Result<(), StageError> {
        let from = self.at(now);
        match from.leads_to(to) {
            true => Ok(()),
            false => Err(StageError { from, to }),
        }
    }

    /// Moves the plan on, from the next decision on. Whoever keeps a record of it writes that first, after
    /// [`Self::judge`].
    ///
    /// # Errors
    /// [`StageError`]: its life has no such step; nothing has changed.
    pub fn advance(&self, to: Stage, now: UnixTime) -> Result<(), StageError> {
        self.judge(to, now)?;
        self.moved.advance(to, now);
        Ok(())
    }

    /// If the plan is closed at `now`, it is closed for good.
    fn seal(&self, now: UnixTime) {
        if self.at(now) == Stage::Closed {
            self.moved.advance(Stage::Closed, now);
        }
    }
}

// === impl Moved ===

impl Moved {
    fn stage(&self) -> Stage {
        Stage::from_number(self.stage.load(Ordering::Acquire))
    }

    fn deprecated_since(&self) -> Option<UnixTime> {
        match self.deprecated_millis.load(Ordering::Relaxed) {
            i64::MAX => None,
            millis => Some(UnixTime::from_millis(millis)),
        }
    }

    /// Onwards, or nothing: two hands at once leave the further stage.
    fn advance(&self, to: Stage, since: UnixTime) {
        if to == Stage::Deprecated {
            self.deprecated_millis
                .fetch_min(since.millis(), Ordering::Relaxed);
        }
        // After the date, so that who sees the stage sees the date.
        self.stage.fetch_max(to as u8, Ordering::AcqRel);
    }
}

impl Default for Moved {
    fn default() -> Self {
        Self {
            stage: AtomicU8::new(Stage::Staging as u8),
            deprecated_millis: AtomicI64::new(i64::MAX),
            security: OnceLock::new(),
        }
    }
}

// === impl Stages ===

impl Stages {
    /// The cell of a plan; the same one in every snapshot.
    pub fn cell(&self, plan: &PlanId) -> Arc<Moved> {
        Arc::clone(self.cells.pin().get_or_insert_with(plan.clone(), Arc::default))
    }

    /// The kind of credential that the plan asks for where it is in place.
    pub fn security(&self, plan: &PlanId) -> Option<Security> {
        self.cells.pin().get(plan)?.security.get().copied()
    }

    /// Puts back what was recorded: the plan was moved to `stage` at `since`. What it has since passed, it has passed.
    pub fn restore(&self, plan: &PlanId, stage: Stage, since: UnixTime) {
        self.cell(plan).advance(stage, since);
    }

    /// Those of these plans that are closed at `now` are closed for good.
    pub fn seal(&self, plans: &[Arc<Plan>], now: UnixTime) {
        for plan in plans {
            plan.life.seal(now);
        }
    }

    /// These plans are in place: their kinds of credential stay. Forgets all other plans that nobody has moved, and that
    /// were not closed.
    pub fn retain(&self, plans: &[Arc<Plan>]) {
        let cells = self.cells.pin();
        for plan in plans {
            plan.life.moved.security.get_or_init(|| plan.security);
        }
        let named: HashSet<&str> = plans.iter().map(|plan| plan.id.as_str()).collect();
        // Whoever writes a plan of that name again must not find it open that was closed.
        cells.retain(|id, cell| named.contains(id.as_str()) || cell.stage() > Stage::Staging);
    }
}

#[cfg(test)]
mod tests;
