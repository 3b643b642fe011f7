//! Keeps the keys of issuers fresh: one task an issuer, which fetches, parses and puts the new set into the issuer's
//! ring, or keeps the old one and says why.
//!
//! A fetch happens unprompted at each refresh interval, give or take a tenth, so that many gateways do not ask at the
//! same moment; earlier where the issuer's `Cache-Control` asks for it. A token that names an unknown key prompts one, at
//! most one each cooldown, however many such tokens come; requests with such tokens share it and wait for it, so a key
//! that was just published works at its first use. While an issuer has no usable keys its callers get 503, so it is
//! asked more often than once a second.
//!
//! A set that looks hijacked ([`crate::issuer::Suspicion`]) is put aside, and the present one stays, until the issuer
//! shows another or an operator approves it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::complaints::Complaints;
use super::fetch::Fetcher;
use super::lists::ListKeeper;
use crate::id::IssuerName;
use crate::issuer::{Attempt, AttemptResult, Issuer, JwksSchedule, KeySource, Quarantined, Taken, Via};
use crate::revocation::Revocations;
use crate::telemetry::Telemetry;
use crate::time::Clock;
use crate::token::{Fingerprint, Jwks, JwksError, Skipped, parse_jwks};

/// How often an issuer without usable keys is asked: its callers are served again within a second of its return.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_millis(800);
/// Requests that wait for one issuer's keys; more are refused at once. Each holds a connection and little else.
const WAITING_MAX: usize = 1024;

/// Keeps the keys of all issuers of the present snapshot.
pub struct Keeper {
    /// One for each way that issuers are asked by.
    clients: HashMap<Via, Client>,
    telemetry: Arc<Telemetry>,
    tasks: HashMap<IssuerName, Task>,
    /// Desks whose task has been replaced, and at which requests may still wait.
    closed: Vec<Arc<Desk>>,
    desks: Arc<Desks>,
    /// Their lists of what they have taken back.
    lists: ListKeeper,
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

/// What an operator has been told of one issuer.
#[derive(Default)]
struct Told {
    failures: Complaints<&'static str>,
    alarms: Complaints<(&'static str, Fingerprint)>,
}

/// What a fetch brought: a set, or what is as suspicious as an empty one; and how long it is fresh.
type Brought = (Result<Jwks, Quarantined>, Option<Duration>);

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
    pub fn new(telemetry: Arc<Telemetry>, revocations: Arc<Revocations>) -> (Self, Arc<Desks>) {
        let desks = Arc::new(Desks::default());
        (
            Self {
                clients: HashMap::new(),
                lists: ListKeeper::new(Arc::clone(&telemetry), revocations),
                telemetry,
                tasks: HashMap::new(),
                closed: Vec::new(),
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
                .is_some_and(|task| task.schedule == **schedule)
            {
                continue;
            }
            let task = self.start(issuer, schedule.as_ref().clone());
            new.push(task.desk.round.subscribe());
            self.desks
                .by_issuer
                .pin()
                .insert(issuer.name.clone(), Arc::clone(&task.desk));
            if let Some(task) = self.tasks.insert(issuer.name.clone(), task) {
                task.abort.abort();
                self.closed.push(task.desk);
            }
        }
        let lists = self.lists.take_on(issuers);
        let all = async {
            for mut ended in lists {
                let _ = ended.wait_for(|ended| *ended > 0).await;
            }
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

    /// Stops asking issuers that are not among these, once the snapshot that names them is in place.
    pub fn let_go(&mut self, issuers: &[Arc<Issuer>]) {
        self.lists.let_go(issuers);
        // Who waits at a desk that is closed is told to look again: what the new task has fetched is there by now.
        for desk in self.closed.drain(..) {
            desk.round
                .send_modify(|round| round.ended = round.ended.wrapping_add(1));
        }
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
        let tasks = &self.tasks;
        self.clients
            .retain(|via, _| tasks.values().any(|task| task.schedule.via == *via));
        let named = |name: &str| issuers.iter().any(|issuer| issuer.name.as_str() == name);
        let asked = |name: &str| tasks.keys().any(|issuer| issuer.as_str() == name);
        self.telemetry.jwks_age.retain(|[issuer]| asked(issuer));
        self.telemetry.jwks_quarantined.retain(|[issuer]| asked(issuer));
        self.telemetry.jwks_keys.retain(|[issuer]| named(issuer));
        self.telemetry
            .introspection_answers
            .retain(|[issuer, _]| named(issuer));
        self.telemetry.key_last_used.retain(|[issuer, _]| named(issuer));
    }

    fn start(&mut self, issuer: &Arc<Issuer>, schedule: JwksSchedule) -> Task {
        let client = self
            .clients
            .entry(schedule.via.clone())
            .or_insert_with_key(|via| Fetcher::new(via).map_err(|error| error.to_string().into()));
        let desk = Arc::new(Desk::new(schedule.wait));
        let fetching = Fetching {
            issuer: Arc::clone(issuer),
            schedule: schedule.clone(),
            fetcher: client.clone(),
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

// === impl Fetching ===

impl Fetching {
    async fn run(self) {
        let mut ended: u64 = 0;
        let mut told = Told::default();
        loop {
            let began = Instant::now();
            let (next, result) = self.refresh(&mut told).await;
            // Who asked meanwhile has waited for this fetch, and prompts no other.
            let _ = pin!(self.desk.prompt.notified()).enable();
            ended = ended.wrapping_add(1);
            // Well before the present keys grow stale, whatever was configured: a healthy issuer is never a stale one.
            let due = began + self.jittered(next, ended).min(self.schedule.stale_after / 2);
            // Prompts before the cooldown is over wait for its end; they are one prompt together.
            let allowed = began + self.schedule.cooldown;
            let at = Clock.now();
            self.issuer.ring.note_attempt(Attempt {
                at,
                result,
                next: at.plus(due.saturating_duration_since(Instant::now())),
            });
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

    /// Fetches once; returns when to do so again unprompted, and what came of it.
    async fn refresh(&self, told: &mut Told) -> (Duration, AttemptResult) {
        let (brought, max_age) = match self.fetch().await {
            Ok(brought) => brought,
            Err(failure) => {
                let next = self.failed(&failure, told);
                let Failure { cause, detail } = failure;
                return (next, AttemptResult::Failed { cause, detail });
            }
        };
        told.failures.end();
        let offered = brought.and_then(|jwks| {
            let (keys, skipped) = (jwks.keys.keys().len(), jwks.skipped.clone());
            let fingerprint = jwks.keys.fingerprint();
            let taken = self.issuer.ring.offer(jwks, &self.schedule.terms, Clock.now())?;
            self.taken(taken, keys, &skipped, fingerprint);
            Ok(())
        });
        match offered {
            Ok(()) => {
                if told.alarms.end() {
                    let issuer = &self.issuer.name;
                    tracing::info!(event = "keys_quarantine_ended", %issuer, "the issuer shows acceptable keys");
                }
                (self.fresh_for(max_age), AttemptResult::Taken)
            }
            Err(quarantined) => (
                self.quarantined(&quarantined, told),
                AttemptResult::Quarantined(quarantined),
            ),
        }
    }

    fn taken(&self, taken: Taken, keys: usize, skipped: &[Skipped], fingerprint: Fingerprint) {
        let name = &self.issuer.name;
        let Taken {
            keys_changed,
            skipped_changed,
            by_approval,
        } = taken;
        self.count("success");
        self.telemetry.jwks_quarantined.child(&[name.as_str()]).set(0);
        for skipped in skipped.iter().filter(|_| skipped_changed) {
            let kid = skipped.kid.as_deref().unwrap_or("");
            tracing::warn!(event = "key_skipped", issuer = %name, kid, reason = %skipped.error, "key not used");
        }
        if keys_changed || by_approval {
            tracing::info!(
                event = "keys_changed",
                issuer = %name,
                keys,
                %fingerprint,
                by_approval,
                "issuer's keys are here"
            );
        }
    }

    fn quarantined(&self, quarantined: &Quarantined, told: &mut Told) -> Duration {
        let name = &self.issuer.name;
        let Quarantined {
            suspicion,
            fingerprint,
            held,
        } = quarantined;
        self.count("quarantined");
        self.telemetry.jwks_quarantined.child(&[name.as_str()]).set(1);
        if told.alarms.is_due((suspicion.word(), *fingerprint)) {
            tracing::error!(
                event = "keys_quarantined",
                issuer = %name,
                reason = suspicion.word(),
                detail = %suspicion,
                %fingerprint,
                held_fingerprint = %held,
                "issuer's new keys look hijacked and are not used; see `tollgate keys --help`"
            );
        }
        self.soon(self.is_usable())
    }

    fn failed(&self, failure: &Failure, told: &mut Told) -> Duration {
        let Failure { cause, detail } = failure;
        self.count(cause);
        let usable = self.is_usable();
        if told.failures.is_due(cause) {
            tracing::warn!(
                event = "keys_not_refreshed",
                issuer = %self.issuer.name,
                cause,
                detail,
                last_good_kept = usable,
                "issuer's keys could not be refreshed"
            );
        }
        self.soon(usable)
    }

    fn count(&self, result: &str) {
        let name = self.issuer.name.as_str();
        self.telemetry.jwks_refreshes.child(&[name, result]).inc();
    }

    fn is_usable(&self) -> bool {
        self.issuer.keys(Clock.now()).is_some()
    }

    /// When to ask again after a fetch that brought nothing usable.
    fn soon(&self, usable: bool) -> Duration {
        if usable {
            self.schedule.cooldown.min(self.schedule.refresh_interval)
        } else {
            RETRY_WITHOUT_KEYS
        }
    }

    async fn fetch(&self) -> Result<Brought, Failure> {
        let fetcher = self.fetcher.as_ref().map_err(|error| Failure {
            cause: "client",
            detail: error.to_string(),
        })?;
        let fetched = fetcher.get(&self.issuer.name, &self.schedule.address).await;
        let fetched = fetched.map_err(|error| Failure {
            cause: error.cause(),
            detail: error.to_string(),
        })?;
        let parsed = match parse_jwks(&fetched.body) {
            Ok(jwks) => Ok(jwks),
            Err(error) => {
                let empty = matches!(error, JwksError::NoUsableKey(_));
                let suspicious = self.issuer.ring.offer_nothing().filter(|_| empty);
                Err(suspicious.ok_or_else(|| Failure {
                    cause: match error {
                        JwksError::TooLarge => "too_large",
                        JwksError::TooManyKeys => "too_many_keys",
                        JwksError::Json(_) => "json",
                        JwksError::NoUsableKey(_) => "no_usable_key",
                    },
                    detail: format!("{}: {error}", self.schedule.address.url()),
                })?)
            }
        };
        Ok((parsed, fetched.max_age))
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
