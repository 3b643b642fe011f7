//! Keeps the keys of issuers fresh: one task an issuer, which fetches, parses and puts the new set into the issuer's
//! ring, or keeps the old one and says why.
//!
//! A fetch happens unprompted at each refresh interval, give or take a tenth, so that many gateways do not ask at the
//! same moment; earlier where the issuer's `Cache-Control` asks for it. A token that names an unknown key prompts one,
//! at most one each cooldown, however many such tokens come. While an issuer has no usable keys its callers get 503, so
//! it is asked more often than once a second.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
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
/// Unknown keys that wait to be looked for; more are forgotten, the next token asks again.
const MISSES_MAX: usize = 256;

/// Keeps the keys of all issuers of the present snapshot.
pub struct Keeper {
    fetcher: Fetcher,
    telemetry: Arc<Telemetry>,
    tasks: HashMap<IssuerName, Task>,
    misses: mpsc::Receiver<IssuerName>,
}

/// Tells the keeper of tokens that name unknown keys. Cheap to clone, never waits.
#[derive(Clone)]
pub struct KeyMisses {
    sender: mpsc::Sender<IssuerName>,
}

struct Task {
    schedule: JwksSchedule,
    prompt: Arc<Notify>,
    first_try: watch::Receiver<bool>,
    abort: AbortHandle,
}

struct Fetching {
    issuer: Arc<Issuer>,
    schedule: JwksSchedule,
    fetcher: Fetcher,
    telemetry: Arc<Telemetry>,
    prompt: Arc<Notify>,
    chance: RandomState,
}

/// Why keys were not refreshed: a word for the metric and a sentence for the operator.
struct Failure {
    cause: &'static str,
    detail: String,
}

/// A channel for unknown keys.
pub fn key_misses() -> (KeyMisses, mpsc::Receiver<IssuerName>) {
    let (sender, receiver) = mpsc::channel(MISSES_MAX);
    (KeyMisses { sender }, receiver)
}

// === impl KeyMisses ===

impl KeyMisses {
    /// A token of this issuer names a key that is not here.
    pub fn tell(&self, issuer: &IssuerName) {
        // A full channel means that the keeper knows enough.
        let _ = self.sender.try_send(issuer.clone());
    }
}

// === impl Keeper ===

impl Keeper {
    /// A keeper without issuers.
    pub fn new(fetcher: Fetcher, telemetry: Arc<Telemetry>, misses: mpsc::Receiver<IssuerName>) -> Self {
        Self {
            fetcher,
            telemetry,
            tasks: HashMap::new(),
            misses,
        }
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
            new.push(task.first_try.clone());
            if let Some(former) = self.tasks.insert(issuer.name.clone(), task) {
                former.abort.abort();
            }
        }
        let all = async {
            for mut first_try in new {
                // An error means that the task has ended; there is nothing to wait for.
                let _ = first_try.wait_for(|tried| *tried).await;
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
            }
            kept
        });
        let named = |name: &str| issuers.iter().any(|issuer| issuer.name.as_str() == name);
        self.telemetry.jwks_age.retain(|[issuer]| named(issuer));
        self.telemetry.jwks_keys.retain(|[issuer]| named(issuer));
        self.telemetry.key_last_used.retain(|[issuer, _]| named(issuer));
    }

    /// Passes on the unknown keys that have come in; resolves after each. Cancel-safe.
    pub async fn mind(&mut self) {
        match self.misses.recv().await {
            Some(issuer) => {
                if let Some(task) = self.tasks.get(&issuer) {
                    task.prompt.notify_one();
                }
            }
            None => std::future::pending().await,
        }
    }

    fn start(&self, issuer: &Arc<Issuer>, schedule: JwksSchedule) -> Task {
        let prompt = Arc::new(Notify::new());
        let (tried, first_try) = watch::channel(false);
        let fetching = Fetching {
            issuer: Arc::clone(issuer),
            schedule: schedule.clone(),
            fetcher: self.fetcher.clone(),
            telemetry: Arc::clone(&self.telemetry),
            prompt: Arc::clone(&prompt),
            chance: RandomState::new(),
        };
        let abort = tokio::spawn(fetching.run(tried)).abort_handle();
        Task {
            schedule,
            prompt,
            first_try,
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
    async fn run(self, tried: watch::Sender<bool>) {
        let mut round: u64 = 0;
        loop {
            let began = Instant::now();
            let next = self.refresh().await;
            tried.send_replace(true);
            round = round.wrapping_add(1);
            let due = began + self.jittered(next, round);
            // Prompts before the cooldown is over wait for its end; they are one prompt together.
            let allowed = began + self.schedule.cooldown;
            tokio::select! {
                () = sleep_until(due) => {}
                () = async { self.prompt.notified().await; sleep_until(allowed).await; } => {}
            }
        }
    }

    /// Fetches once; returns when to do so again unprompted.
    async fn refresh(&self) -> Duration {
        let name = &self.issuer.name;
        let counter = |result: &str| self.telemetry.jwks_refreshes.child(&[name.as_str(), result]);
        match self.fetch().await {
            Ok((jwks, max_age)) => {
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
                tracing::warn!(
                    event = "keys_not_refreshed",
                    issuer = %name,
                    cause,
                    detail,
                    last_good_kept = usable,
                    "issuer's keys could not be refreshed"
                );
                if usable {
                    self.schedule.cooldown.min(self.schedule.refresh_interval)
                } else {
                    RETRY_WITHOUT_KEYS
                }
            }
        }
    }

    async fn fetch(&self) -> Result<(Jwks, Option<Duration>), Failure> {
        let fetched = self.fetcher.get(&self.schedule.url).await;
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

    /// Whether other keys come than are held, judged by their ids.
    fn changed(&self, jwks: &Jwks) -> bool {
        let kids = |keys: &[Arc<crate::token::Key>]| -> Vec<Option<String>> {
            keys.iter().map(|key| key.kid().map(ToOwned::to_owned)).collect()
        };
        self.issuer
            .ring
            .held()
            .is_none_or(|held| kids(held.keys.keys()) != kids(jwks.keys.keys()))
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
