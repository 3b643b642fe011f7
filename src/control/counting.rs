//! Keeping what callers have used of their quotas: once a second, all that has changed, in one commit.
//!
//! Requests count in memory and wait for nobody. Whoever has counted something for a caller says so, once until it is
//! written; so a sweep looks at those who called, and not at all who might. A process that is killed loses what was counted
//! since the last sweep, one that ends writes it. A store that fails loses nothing: what could not be written is written
//! with the next sweep.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::state::{CountKey, CountKind, CountStore, Row, StoreError};
use crate::api::Plan;
use crate::id::{ApplicationId, PlanId};
use crate::limit::{LocalCounters, Subject, Tally};
use crate::subscription::{Application, Index, Subscription};
use crate::telemetry::Telemetry;
use crate::time::Clock;

/// Between two commits: at most so much counting is lost.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// After a failure: opening a store anew means checking all of it.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Says who has counted something.
#[derive(Debug, Clone)]
pub struct Noting(Sender<Noted>);

#[derive(Debug)]
enum Noted {
    Subscription(Arc<Subscription>),
    Application(Arc<Application>),
}

/// The thread that writes.
pub struct Counting {
    /// Dropping it ends the thread.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

struct Sweeper {
    store: Arc<dyn CountStore>,
    counters: Arc<LocalCounters>,
    noted: Receiver<Noted>,
    telemetry: Arc<Telemetry>,
    /// What could not be written, by whose it is.
    pending: HashMap<CountKey, Arc<Tally>>,
    failing: bool,
}

/// Takes up what was counted before the start; nobody must call yet. What nobody has any more is forgotten.
///
/// # Errors
/// When the store cannot be read, or makes no sense.
pub fn restore(
    store: &dyn CountStore,
    index: &Index,
    counters: &LocalCounters,
    plans: &[Arc<Plan>],
) -> Result<usize, StoreError> {
    let mut subjects = HashMap::new();
    counters.for_each(|subject, tally| drop(subjects.insert(key(subject), Arc::clone(tally))));
    let rows = store.load_counts()?;
    let kept_keys: HashSet<CountKey> = rows.iter().map(|(key, _)| key.clone()).collect();
    let (mut restored, mut gone, mut moved) = (0, Vec::new(), Vec::new());
    for (key, kept) in rows {
        let tally = match key.kind {
            CountKind::Api | CountKind::Route => subjects.get(&key).map(Arc::clone),
            CountKind::Subscription => key.id.split_once(' ').and_then(|(application, plan)| {
                let (application, plan) = (ApplicationId::new(application), PlanId::new(plan));
                let subscription = index.subscription(&application, &plan)?;
                Some(Arc::clone(&subscription.counted.tally))
            }),
            CountKind::Application => index
                .application_of(&ApplicationId::new(key.id.as_str()))
                .map(|application| Arc::clone(&application.counted.tally)),
        };
        match tally {
            Some(tally) => {
                tally.restore(kept);
                restored += 1;
            }
            None => {
                // It may have been moved to another plan while nobody was here.
                if let Some(subscription) = successor(&key, index, plans)
                    && !kept_keys.contains(&of_subscription(&subscription))
                {
                    subscription.counted.tally.restore(kept.iter().copied());
                    moved.push((of_subscription(&subscription), kept));
                    restored += 1;
                }
                gone.push(key);
            }
        }
    }
    if !gone.is_empty() {
        store.write_counts(&moved, &gone)?;
    }
    Ok(restored)
}

/// The subscription of the same application to another plan of the same API.
fn successor(key: &CountKey, index: &Index, plans: &[Arc<Plan>]) -> Option<Arc<Subscription>> {
    let (application, plan) = key
        .id
        .split_once(' ')
        .filter(|_| key.kind == CountKind::Subscription)?;
    let (application, plan) = (ApplicationId::new(application), PlanId::new(plan));
    let mut others = plans.iter().filter(|other| other.id.api() == plan.api());
    others.find_map(|other| index.subscription(&application, &other.id))
}

// === impl Noting ===

impl Noting {
    /// This subscription has counted something.
    pub fn subscription(&self, subscription: &Arc<Subscription>) {
        if subscription.counted.note() {
            // Nobody listens once the process ends; what comes then is in the last sweep or lost with the process.
            let _ = self.0.send(Noted::Subscription(Arc::clone(subscription)));
        }
    }

    /// This application has counted something.
    pub fn application(&self, application: &Arc<Application>) {
        if application.counted.note() {
            let _ = self.0.send(Noted::Application(Arc::clone(application)));
        }
    }
}

// === impl Counting ===

impl Counting {
    /// Starts the thread.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn begin(
        store: Arc<dyn CountStore>,
        counters: Arc<LocalCounters>,
        telemetry: Arc<Telemetry>,
    ) -> std::io::Result<(Self, Noting)> {
        let (sender, noted) = channel();
        let (stop, stopped) = channel();
        let mut sweeper = Sweeper {
            store,
            counters,
            noted,
            telemetry,
            pending: HashMap::new(),
            failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("counting".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(sweeper.interval()) == Err(RecvTimeoutError::Timeout) {
                    sweeper.sweep();
                }
                sweeper.sweep();
            })?;
        Ok((Self { stop, thread }, Noting(sender)))
    }

    /// Writes what is left, and ends.
    pub fn finish(self) {
        drop(self.stop);
        // A sweep that panicked has said so.
        let _ = self.thread.join();
    }
}

// === impl Sweeper ===

impl Sweeper {
    const fn interval(&self) -> Duration {
        match self.failing {
            true => RETRY_INTERVAL,
            false => SWEEP_INTERVAL,
        }
    }

    fn sweep(&mut self) {
        let begun = Clock.now();
        let mut changed = std::mem::take(&mut self.pending);
        for noted in self.noted.try_iter() {
            let (key, counted) = match &noted {
                Noted::Subscription(subscription) => (of_subscription(subscription), &subscription.counted),
                Noted::Application(application) => (of_application(application), &application.counted),
            };
            if counted.look() {
                changed.insert(key, Arc::clone(&counted.tally));
            }
        }
        self.counters.for_each(|subject, tally| {
            if tally.take_changed() {
                changed.insert(key(subject), Arc::clone(tally));
            }
        });
        if changed.is_empty() {
            self.telemetry.counts_kept.set(begun.seconds());
            return;
        }
        let rows = changed.iter();
        let rows: Vec<Row> = rows
            .map(|(key, tally)| (key.clone(), tally.kept().collect()))
            .collect();
        match self.store.write_counts(&rows, &[]) {
            Ok(()) => {
                self.telemetry.counts_kept.set(begun.seconds());
                self.says(None);
            }
            Err(error) => {
                self.says(Some(&error));
                self.pending = changed;
            }
        }
    }

    /// Tells the operator once when it begins to fail, and once when it is over.
    fn says(&mut self, error: Option<&StoreError>) {
        match (error, self.failing) {
            (Some(error), false) => {
                tracing::error!(event = "counts_not_kept", %error, "counts of quotas cannot be written; they go on in memory");
            }
            (None, true) => tracing::info!(event = "counts_kept", "counts of quotas are written again"),
            _ => {}
        }
        self.failing = error.is_some();
    }
}

fn key(subject: &Subject) -> CountKey {
    match subject {
        Subject::Api(name) => CountKey {
            kind: CountKind::Api,
            id: name.to_string(),
        },
        Subject::Route(api, route) => CountKey {
            kind: CountKind::Route,
            id: format!("{api} {route}"),
        },
        // Nobody counts for a plan as such.
        Subject::Plan(id) => CountKey {
            kind: CountKind::Api,
            id: id.to_string(),
        },
    }
}

fn of_subscription(subscription: &Subscription) -> CountKey {
    CountKey {
        kind: CountKind::Subscription,
        id: format!("{} {}", subscription.application, subscription.plan),
    }
}

fn of_application(application: &Application) -> CountKey {
    CountKey {
        kind: CountKind::Application,
        id: application.id.to_string(),
    }
}
