//! Keeps issuers' lists of what they have taken back: one task an issuer, which fetches, parses and puts the new list in
//! place, or keeps the last good one and says why.
//!
//! A list is fetched at each refresh interval, give or take a tenth; after a failure sooner, and where tokens are refused
//! for want of it about once a second. What is no list, or too long, takes nobody's place. How long the last good one
//! counts is the operator's word (`fail`), and judged where tokens are.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::complaints::Complaints;
use super::fetch::{FetchedList, Fetcher, Validator};
use crate::id::IssuerName;
use crate::issuer::{Issuer, LIST_FETCH_TIMEOUT, ListSchedule, ListSource};
use crate::revocation::{ListWhen, Revocations, parse_list};
use crate::telemetry::Telemetry;
use crate::time::Clock;

/// How often an issuer is asked whose tokens are refused for want of its list.
const RETRY_WITHOUT_LIST: Duration = Duration::from_millis(800);
/// How often after another failure, at the most.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps the lists of all issuers of the present snapshot.
pub(super) struct ListKeeper {
    revocations: Arc<Revocations>,
    telemetry: Arc<Telemetry>,
    tasks: HashMap<IssuerName, Task>,
}

struct Task {
    schedule: ListSchedule,
    when: ListWhen,
    abort: AbortHandle,
}

struct Fetching {
    issuer: Arc<Issuer>,
    fetcher: Result<Fetcher, String>,
    revocations: Arc<Revocations>,
    telemetry: Arc<Telemetry>,
    chance: RandomState,
    /// What was taken last.
    last: Option<Last>,
    told: Complaints<&'static str>,
}

/// A list that was taken.
struct Last {
    validator: Option<Validator>,
    hash: Vec<u8>,
}

/// Why a list was not refreshed: a word for the metric and a sentence for the operator.
struct Failure {
    cause: &'static str,
    detail: String,
}

// === impl ListKeeper ===

impl ListKeeper {
    pub(super) fn new(telemetry: Arc<Telemetry>, revocations: Arc<Revocations>) -> Self {
        Self {
            revocations,
            telemetry,
            tasks: HashMap::new(),
        }
    }

    /// Takes on these issuers; what is returned counts the fetches of those that are new.
    pub(super) fn take_on(&mut self, issuers: &[Arc<Issuer>]) -> Vec<watch::Receiver<u64>> {
        let mut new = Vec::new();
        for issuer in issuers {
            let Some(ListSource { when, schedule, .. }) = issuer.revocations.as_deref() else {
                continue;
            };
            let present = self.tasks.get(&issuer.name);
            if present.is_some_and(|task| task.schedule == *schedule && task.when == *when) {
                continue;
            }
            let (ended, rounds) = watch::channel(0);
            let fetching = Fetching {
                issuer: Arc::clone(issuer),
                fetcher: Fetcher::with_timeout(&schedule.via, LIST_FETCH_TIMEOUT)
                    .map_err(|error| error.to_string()),
                revocations: Arc::clone(&self.revocations),
                telemetry: Arc::clone(&self.telemetry),
                chance: RandomState::new(),
                last: None,
                told: Complaints::default(),
            };
            let task = Task {
                schedule: schedule.clone(),
                when: *when,
                abort: tokio::spawn(fetching.run(ended)).abort_handle(),
            };
            new.push(rounds);
            if let Some(former) = self.tasks.insert(issuer.name.clone(), task) {
                former.abort.abort();
            }
        }
        new
    }

    /// Stops asking issuers that are not among these, or publish no list any more.
    pub(super) fn let_go(&mut self, issuers: &[Arc<Issuer>]) {
        let keeps = |name: &str| {
            let mut publishing = issuers.iter().filter(|issuer| issuer.revocations.is_some());
            publishing.any(|issuer| issuer.name.as_str() == name)
        };
        self.tasks.retain(|name, task| {
            let kept = keeps(name.as_str());
            if !kept {
                task.abort.abort();
            }
            kept
        });
        // Those of a configuration that was refused in the end have taken the place of others.
        self.take_on(issuers);
        self.telemetry
            .revocation_list_age
            .retain(|[issuer]| keeps(issuer));
        self.telemetry
            .revocation_list_entries
            .retain(|[issuer]| keeps(issuer));
    }
}

impl Drop for ListKeeper {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort.abort();
        }
    }
}

// === impl Fetching ===

impl Fetching {
    async fn run(mut self, ended: watch::Sender<u64>) {
        let mut round: u64 = 0;
        while let Some(source) = self.issuer.revocations.as_deref() {
            let (interval, when) = (source.schedule.refresh_interval, source.when);
            let next = match self.refresh().await {
                Ok(result) => {
                    self.count(result);
                    if self.told.end() {
                        let issuer = &self.issuer.name;
                        tracing::info!(event = "revocation_list_back", %issuer, "the issuer's revocation list is here again");
                    }
                    self.jittered(interval, round)
                }
                Err(failure) => {
                    let usable = self.is_usable(when);
                    self.failed(&failure, usable);
                    if usable {
                        RETRY.min(interval)
                    } else {
                        RETRY_WITHOUT_LIST
                    }
                }
            };
            round = round.wrapping_add(1);
            ended.send_replace(round);
            sleep(next).await;
        }
    }

    /// Fetches once; says in a word what came of it.
    async fn refresh(&mut self) -> Result<&'static str, Failure> {
        let Some(source) = self.issuer.revocations.as_deref() else {
            return Ok("unchanged");
        };
        let fetcher = self.fetcher.as_ref().map_err(|detail| Failure {
            cause: "client",
            detail: detail.clone(),
        })?;
        let known = self.last.as_ref().and_then(|last| last.validator.as_ref());
        let fetched = fetcher.list(&source.schedule, known).await;
        let FetchedList { body, validator } = fetched.map_err(|error| Failure {
            cause: error.cause(),
            detail: error.to_string(),
        })?;
        let Some(body) = body else {
            source.list.confirm(Clock.now());
            return Ok("unchanged");
        };
        let (issuer, format) = (self.issuer.name.clone(), source.schedule.format);
        let revocations = Arc::clone(&self.revocations);
        let former = self.last.as_ref().map(|last| last.hash.clone());
        // A list of a million entries takes its time, and this thread has other tasks.
        let parsed = tokio::task::spawn_blocking(move || {
            let hash = digest(&SHA256, &body).as_ref().to_vec();
            if former.as_ref() == Some(&hash) {
                return Ok((hash, None));
            }
            let table = parse_list(format, &body, issuer.as_str(), revocations.key(), Clock.now())?;
            Ok((hash, Some(table)))
        });
        let parsed = parsed.await.map_err(|error| Failure {
            cause: "failed",
            detail: error.to_string(),
        })?;
        let (hash, table) = parsed.map_err(|error: crate::revocation::DocumentError| Failure {
            cause: error.word(),
            detail: format!("{}: {error}", source.schedule.url),
        })?;
        self.last = Some(Last { validator, hash });
        match table {
            Some(table) => {
                tracing::debug!(
                    event = "revocation_list_changed",
                    issuer = %self.issuer.name,
                    entries = table.len(),
                    "the issuer's revocation list is here"
                );
                source.list.replace(table, Clock.now());
                Ok("success")
            }
            None => {
                source.list.confirm(Clock.now());
                Ok("unchanged")
            }
        }
    }

    fn is_usable(&self, when: ListWhen) -> bool {
        let Some(source) = self.issuer.revocations.as_deref() else {
            return true;
        };
        when.usable(source.list.held().as_deref(), Clock.now()).is_ok()
    }

    fn failed(&mut self, failure: &Failure, usable: bool) {
        let Failure { cause, detail } = failure;
        self.count(cause);
        if self.told.is_due(cause) {
            tracing::warn!(
                event = "revocation_list_not_refreshed",
                issuer = %self.issuer.name,
                cause,
                detail,
                tokens_are_judged = usable,
                "issuer's revocation list could not be refreshed"
            );
        }
    }

    fn count(&self, result: &str) {
        let name = self.issuer.name.as_str();
        let refreshes = &self.telemetry.revocation_list_refreshes;
        refreshes.child(&[name, result]).inc();
    }

    /// Give or take a tenth.
    fn jittered(&self, duration: Duration, round: u64) -> Duration {
        let permille = 900 + u32::try_from(self.chance.hash_one(round) % 201).unwrap_or(100);
        duration.saturating_mul(permille) / 1000
    }
}
