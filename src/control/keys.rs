//! Keeps the keys of issuers fresh: one task an issuer, which fetches, parses and puts the new set into the issuer's
//! ring, or keeps the old one and says why.
//!
//! A fetch happens unprompted at each refresh interval, give or take a tenth, so that many gateways do not ask at the
//! same moment; earlier where the issuer's `Cache-Control` asks for it. A token that names an unknown key prompts one, at
//! most one each cooldown, however many such tokens come; requests with such tokens share it and wait for it, so a key
//! that was just published works at its first use. While an issuer has no usable keys its callers get 503, so it is
//! asked more often than once a second.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::fetch::Fetcher;
use crate::id::IssuerName;
use crate::issuer::{Issuer, JwksSchedule, KeySource};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use crate::token::{Jwks, JwksError, parse_jwks};

/// How often an issuer without usable keys is asked: its callers are served again within a second of its return.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_millis(800);
/// How often an operator is told of the same failure.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);
/// Requests that wait for one issuer's keys; more are refused at once. Each holds a connection and little else.
const WAITING_MAX: usize = 1024;

/// Keeps the keys of all issuers of the present snapshot.
pub struct Keeper {
    fetcher: Client,
    telemetry: Arc<Telemetry>,
    tasks: HashMap<IssuerName, Task>,
    desks: Arc<Desks>,
}

/// What fetches; or why nothing can be fetched. A machine without trusted roots can still serve issuers whose keys are
/// files.
type Client = Result<Fetcher, Arc<str>>;

/// Where requests ask for keys that are not here. Lock-free, as requests come through it.
#[derive(Default)]
pub struct Desks {
    by_issuer: papaya::HashMap<IssuerName, Arc<Desk>>,
}

/// Where requests ask for one issuer's keys.
struct Desk {
    /// How long a request may wait.
    wait: Duration,
    /// Tells the task that somebody asked.
    prompt: Notify,
    /// The task's progress.
    round: watch::Sender<Round>,
    waiting: AtomicUsize,
}

/// Where the task of an issuer is.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Fetches that have ended, with either result.
    ended: u64,
    /// Before this moment no fetch is prompted; `None` while one is under way.
    resting_until: Option<Instant>,
}

struct Task {
    schedule: JwksSchedule,
    desk: Arc<Desk>,
    abort: AbortHandle,
}

struct Fetching {
    issuer: Arc<Issuer>,
    schedule: JwksSchedule,
    fetcher: Client,
    telemetry: Arc<Telemetry>,
    desk: Arc<Desk>,
    chance: RandomState,
}

/// An issuer that is down fails every second; the operator is told when it begins, when the cause changes, and each
/// minute.
#[derive(Default)]
struct Complaints {
    last: Option<(&'static str, Instant)>,
}

/// Why keys were not refreshed: a word for the metric and a sentence for the operator.
struct Failure {
    cause: &'static str,
    detail: String,
}

// === impl Desks ===

impl Desks {
    /// Whether the issuer's keys have been fetched anew since the call. Waits for a fetch that is under way or allowed,
    /// as long as the issuer's `wait` says; says no at once while it is too early for another.
    pub async fn ask(&self, issuer: &IssuerName) -> bool {
        let desk = self.by_issuer.pin().get(issuer).cloned();
        match desk {
            Some(desk) => desk.ask().await,
            None => false,
        }
    }
}

// === impl Desk ===

impl Desk {
    fn new(wait: Duration) -> Self {
        let (round, _) = watch::channel(Round {
            ended: 0,
            resting_until: None,
        });
        Self {
            wait,
            prompt: Notify::new(),
            round,
            waiting: AtomicUsize::new(0),
        }
    }

    async fn ask(&self) -> bool {
        let mut rounds = self.round.subscribe();
        let Round { ended, resting_until } = *rounds.borrow_and_update();
        // Also when it is too early: then the fetch happens as soon as it is not.
        self.prompt.notify_one();
        if resting_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let _place = match Waiting::new(&self.waiting) {
            Some(place) => place,
            None => return false,
        };
        let fetched = rounds.wait_for(|round| round.ended > ended);
        matches!(timeout(self.wait, fetched).await, Ok(Ok(_)))
    }
}

/// A place among those who wait.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn new(count: &'w AtomicUsize) -> Option<Self> {
        if count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX {
            return Some(Self(count));
        }
        count.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Keeper ===

impl Keeper {
    /// A keeper without issuers, and where requests ask it for keys.
    pub fn new(telemetry: Arc<Telemetry>) -> (Self, Arc<Desks>) {
        let fetcher = Fetcher::new().map_err(|error| error.to_string().into());
        let desks = Arc::new(Desks::default());
        (
            Self {
                fetcher,
                telemetry,
                tasks: HashMap::new(),
                desks: Arc::clone(&desks),
            },
            desks,
        )
    }

    /// Takes on these issuers and waits until each new one has been asked once, at most for `wait`. Those that are no
    /// longer there are let go only by [`Keeper::let_go`].
    pub async fn take_on(&mut self, issuers: &[Arc<Issuer>], wait: Duration) {
        let mut new = Vec::new();
        for issuer in issuers {
            let KeySource::Jwks(schedule) = &issuer.source else {
                continue;
            };
            if self
                .tasks
                .get(&issuer.name)
                .is_some_and(|task| task.schedule == *schedule)
            {
                continue;
            }
            let task = self.start(issuer, schedule.clone());
            new.push(task.desk.round.subscribe());
            self.desks
                .by_issuer
                .pin()
                .insert(issuer.name.clone(), Arc::clone(&task.desk));
            if let Some(former) = self.tasks.insert(issuer.name.clone(), task) {
                former.abort.abort();
            }
        }
        let all = async {
            for mut rounds in new {
                // An error means that the task has ended; there is nothing to wait for.
                let _ = rounds.wait_for(|round| round.ended > 0).await;
            }
        };
        if timeout(wait, all).await.is_err() {
            tracing::warn!(
                event = "keys_late",
                "not all issuers answered in time; theirs get 503 until they do"
            );
        }
    }

    /// Stops asking issuers that are not among these.
    pub fn let_go(&mut self, issuers: &[Arc<Issuer>]) {
        self.tasks.retain(|name, task| {
            let kept = issuers
                .iter()
                .any(|issuer| issuer.name == *name && matches!(issuer.source, KeySource::Jwks(_)));
            if !kept {
                task.abort.abort();
                self.desks.by_issuer.pin().remove(name);
            }
            kept
        });
        let named = |name: &str| issuers.iter().any(|issuer| issuer.name.as_str() == name);
        self.telemetry.jwks_age.retain(|[issuer]| named(issuer));
        self.telemetry.jwks_keys.retain(|[issuer]| named(issuer));
        self.telemetry.key_last_used.retain(|[issuer, _]| named(issuer));
    }

    fn start(&self, issuer: &Arc<Issuer>, schedule: JwksSchedule) -> Task {
        let desk = Arc::new(Desk::new(schedule.wait));
        let fetching = Fetching {
            issuer: Arc::clone(issuer),
            schedule: schedule.clone(),
            fetcher: self.fetcher.clone(),
            telemetry: Arc::clone(&self.telemetry),
            desk: Arc::clone(&desk),
            chance: RandomState::new(),
        };
        let abort = tokio::spawn(fetching.run()).abort_handle();
        Task {
            schedule,
            desk,
            abort,
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort.abort();
        }
    }
}

// === impl Complaints ===

impl Complaints {
    /// Whether the operator is to be told of this failure.
    fn is_due(&mut self, cause: &'static str) -> bool {
        let told = self
            .last
            .is_some_and(|(last, when)| last == cause && when.elapsed() < COMPLAINT_INTERVAL);
        if !told {
            self.last = Some((cause, Instant::now()));
        }
        !told
    }

    /// It works again.
    fn end(&mut self) {
        self.last = None;
    }
}

// === impl Fetching ===

impl Fetching {
    async fn run(self) {
        let mut ended: u64 = 0;
        let mut complaints = Complaints::default();
        loop {
            let began = Instant::now();
            let next = self.refresh(&mut complaints).await;
            ended = ended.wrapping_add(1);
            // Well before the present keys grow stale, whatever was configured: a healthy issuer is never a stale one.
            let due = began + self.jittered(next, ended).min(self.schedule.stale_after / 2);
            // Prompts before the cooldown is over wait for its end; they are one prompt together.
            let allowed = began + self.schedule.cooldown;
            self.desk.round.send_replace(Round {
                ended,
                resting_until: Some(allowed),
            });
            tokio::select! {
                () = sleep_until(due) => {}
                () = async { self.desk.prompt.notified().await; sleep_until(allowed).await; } => {}
            }
            self.desk.round.send_replace(Round {
                ended,
                resting_until: None,
            });
        }
    }

    /// Fetches once; returns when to do so again unprompted.
    async fn refresh(&self, complaints: &mut Complaints) -> Duration {
        let name = &self.issuer.name;
        let counter = |result: &str| self.telemetry.jwks_refreshes.child(&[name.as_str(), result]);
        match self.fetch().await {
            Ok((jwks, max_age)) => {
                complaints.end();
                let changed = self.changed(&jwks);
                for skipped in jwks.skipped.iter().filter(|_| changed) {
                    let kid = skipped.kid.as_deref().unwrap_or("");
                    tracing::warn!(event = "key_skipped", issuer = %name, kid, reason = %skipped.error, "key not used");
                }
                let keys = jwks.keys.keys().len();
                self.issuer.ring.replace(jwks.keys, Clock.now());
                counter("success").inc();
                if changed {
                    tracing::info!(event = "keys_changed", issuer = %name, keys, "issuer's keys are here");
                }
                self.fresh_for(max_age)
            }
            Err(Failure { cause, detail }) => {
                counter(cause).inc();
                let usable = self.issuer.keys(Clock.now()).is_some();
                if complaints.is_due(cause) {
                    tracing::warn!(
                        event = "keys_not_refreshed",
                        issuer = %name,
                        cause,
                        detail,
                        last_good_kept = usable,
                        "issuer's keys could not be refreshed"
                    );
                }
                if usable {
                    self.schedule.cooldown.min(self.schedule.refresh_interval)
                } else {
                    RETRY_WITHOUT_KEYS
                }
            }
        }
    }

    async fn fetch(&self) -> Result<(Jwks, Option<Duration>), Failure> {
        let fetcher = self.fetcher.as_ref().map_err(|error| Failure {
            cause: "client",
            detail: error.to_string(),
        })?;
        let fetched = fetcher.get(&self.schedule.url).await;
        let fetched = fetched.map_err(|error| Failure {
            cause: error.cause(),
            detail: error.to_string(),
        })?;
        let jwks = parse_jwks(&fetched.body).map_err(|error| Failure {
            cause: match error {
                JwksError::TooLarge => "too_large",
                JwksError::TooManyKeys => "too_many_keys",
                JwksError::Json(_) => "json",
                JwksError::NoUsableKey(_) => "no_usable_key",
            },
            detail: format!("{}: {error}", self.schedule.url),
        })?;
        Ok((jwks, fetched.max_age))
    }

    /// Whether other keys come than are held.
    fn changed(&self, jwks: &Jwks) -> bool {
        let Some(held) = self.issuer.ring.held() else {
            return true;
        };
        let (old, new) = (held.keys.keys(), jwks.keys.keys());
        old.len() != new.len() || !old.iter().zip(new).all(|(old, new)| old.is_same(new))
    }

    /// The operator's interval; the issuer's `max-age` may shorten it, but never below the cooldown.
    fn fresh_for(&self, max_age: Option<Duration>) -> Duration {
        let interval = self.schedule.refresh_interval;
        let shortest = self.schedule.cooldown.min(interval);
        max_age.map_or(interval, |max_age| max_age.clamp(shortest, interval))
    }

    /// Give or take a tenth.
    fn jittered(&self, duration: Duration, round: u64) -> Duration {
        let permille = 900 + u32::try_from(self.chance.hash_one(round) % 201).unwrap_or(100);
        duration.saturating_mul(permille) / 1000
    }
}
