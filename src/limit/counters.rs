//! Where tallies live, and what whoever keeps them promises.
//!
//! Subscriptions and applications have their own. What is left are subjects that a configuration names, whose number is
//! bounded by that, and strangers, for whom there is a table of fixed size.

use std::fmt;
use std::hash::RandomState;
use std::sync::{Arc, OnceLock};

use super::acquire::{Level, acquire};
use super::keyed::{Keyed, PLACES};
use super::tally::Tally;
use super::usage::{Exceeded, Usage};
use crate::id::{ApiName, PlanId};
use crate::time::UnixTime;

/// Who counts, of those that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// All callers of an API.
    Api(ApiName),
    /// All callers of a route, by the text of its path and methods.
    Route(ApiName, Arc<str>),
    /// All callers of a plan that nobody subscribes to.
    Plan(PlanId),
}

/// Whoever counts for a gateway. What the promise of a limit is worth depends on it:
///
/// * [`LocalCounters`] counts what this gateway admits, exactly: never more than promised, under any interleaving of
///   threads, and never less.
/// * One that is shared by several gateways must keep its answer free of waiting, so each admits by what it knows. It may
///   admit more by what the others have admitted since they told each other last, and no more than that. It never refuses
///   for what nobody has used.
///
/// A tally that was given out stays the subject's for the life of the process, over all reloads.
pub trait Counters: fmt::Debug + Send + Sync {
    /// The tally of a subject, made when it is first asked for. It is for when a configuration is compiled.
    fn tally(&self, subject: &Subject) -> Arc<Tally>;

    /// The table for callers whom no configuration names.
    fn keyed(&self) -> &Arc<Keyed>;

    /// Takes one request from each limit, or nothing.
    ///
    /// # Errors
    /// As [`acquire`].
    fn acquire(&self, levels: &[Level<'_>], now: UnixTime) -> Result<Usage, Exceeded>;
}

/// Counts what this process admits.
#[derive(Debug, Default)]
pub struct LocalCounters {
    tallies: papaya::HashMap<Subject, Arc<Tally>>,
    /// Made when it is first asked for: most who count have no strangers.
    keyed: OnceLock<Arc<Keyed>>,
}

// === impl LocalCounters ===

impl LocalCounters {
    /// Nothing was counted, and strangers have this table.
    pub fn new(keyed: Keyed) -> Self {
        Self {
            tallies: papaya::HashMap::default(),
            keyed: OnceLock::from(Arc::new(keyed)),
        }
    }

    /// How often a stranger was forgotten to make room for another.
    pub fn forgotten(&self) -> u64 {
        self.keyed.get().map_or(0, |keyed| keyed.forgotten())
    }

    /// How many requests of strangers were not counted, because others held all places that they could have.
    pub fn uncounted(&self) -> u64 {
        self.keyed.get().map_or(0, |keyed| keyed.uncounted())
    }

    /// Shows every tally that a configuration has asked for.
    pub fn for_each(&self, mut show: impl FnMut(&Subject, &Arc<Tally>)) {
        for (subject, tally) in &self.tallies.pin() {
            show(subject, tally);
        }
    }
}

impl Counters for LocalCounters {
    fn tally(&self, subject: &Subject) -> Arc<Tally> {
        let tallies = self.tallies.pin();
        Arc::clone(tallies.get_or_insert_with(subject.clone(), Arc::default))
    }

    fn keyed(&self) -> &Arc<Keyed> {
        self.keyed
            .get_or_init(|| Arc::new(Keyed::new(PLACES, RandomState::new())))
    }

    fn acquire(&self, levels: &[Level<'_>], now: UnixTime) -> Result<Usage, Exceeded> {
        acquire(levels, now)
    }
}
