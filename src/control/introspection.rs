//! Asks issuers about tokens (RFC 7662) for requests that cannot be decided before: one question a token, however many
//! requests bring it, and a bounded number at a time.
//!
//! An answer is put into the issuer's cell first, and only then those who wait are told: they decide again and find it
//! there. Who comes late finds it, too, because it is looked for once more under the lock under which questions begin and
//! end. So a thousand requests with one token are one question.
//!
//! Strangers can make up tokens. Each that turns out to be nothing is paid for out of the forgery budget of its network and
//! of the issuer. And a network has a quarter of an issuer's open questions at the most: behind the others it
//! queues alone.

mod exchange;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use reqwest::Client;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use self::exchange::{Answered, ExchangeError};
use super::complaints::Complaints;
use super::fetch::FetchError;
use crate::id::IssuerName;
use crate::issuer::{Asked, Inquiry, Introspection, Via};
use crate::limit::{Charge, Forgeries, ForgeryBudget, INTROSPECTION_PRICE, prefix};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use crate::token::TokenDigest;

/// Requests that wait for one issuer's answers; more are refused at once. Each holds a connection and little else.
const WAITING_MAX: usize = 4096;
/// Questions to one issuer that are open or wait for their turn.
const QUESTIONS_MAX: usize = 1024;
/// Of these, from one network.
const QUESTIONS_OF_SOURCE_MAX: usize = 256;
/// A network's part of the open questions.
const SOURCES: usize = 4;
/// More desks or clients are not kept for what reloads have left behind.
const KEPT_MAX: usize = 64;

/// Asks. One for the life of the process.
pub struct Introspector {
    /// Where questions are asked: a thread of its own, so that connections are not shared by the threads of requests.
    runtime: OnceLock<Handle>,
    forgeries: Arc<Forgeries>,
    telemetry: Arc<Telemetry>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    questions: HashMap<TokenDigest, watch::Receiver<()>>,
    /// By whom they are for, and how many questions may be open.
    desks: HashMap<(Asked, usize), Arc<Desk>>,
    clients: HashMap<Via, Client>,
    complaints: HashMap<IssuerName, Complaints<&'static str>>,
}

/// Where one issuer's questions queue.
struct Desk {
    waiting: AtomicUsize,
    /// Those that may be open.
    open: Semaphore,
    /// Those that are open or queue.
    questions: AtomicUsize,
    sources: Mutex<HashMap<Option<IpAddr>, Arc<Source>>>,
    /// What one network may have open.
    share: usize,
}

/// One network's part of a desk.
struct Source {
    open: Semaphore,
    questions: AtomicUsize,
}

/// A place in a bounded number; dropping it makes room.
struct Place<'c>(&'c AtomicUsize);

// === impl Introspector ===

impl Introspector {
    /// Asks nobody until it has a runtime.
    pub fn new(forgeries: Arc<Forgeries>, telemetry: Arc<Telemetry>) -> Self {
        Self {
            runtime: OnceLock::new(),
            forgeries,
            telemetry,
            state: Mutex::default(),
        }
    }

    /// Asks on this runtime from now on. The first one stays.
    pub fn run_on(&self, runtime: Handle) {
        let _ = self.runtime.set(runtime);
    }

    /// Whether something is known of the token now. Waits as long as the issuer's `timeout` says; says no at once where
    /// too many wait.
    pub async fn ask(self: Arc<Self>, inquiry: Arc<Inquiry>, budget: ForgeryBudget) -> bool {
        let Some(asked) = &inquiry.issuer.introspection else {
            return false;
        };
        let desk = self.desk(asked);
        let Some(_place) = Place::of(&desk.waiting, WAITING_MAX) else {
            self.count(&inquiry, "overloaded");
            return false;
        };
        let Some(mut end) = self.question(&inquiry, asked, &desk, budget) else {
            return asked.answers.get(&inquiry.digest, Clock.now()).is_some();
        };
        // The question has an end of its own; it is dropped with it.
        let _ = end.changed().await;
        asked.answers.get(&inquiry.digest, Clock.now()).is_some()
    }

    /// The end of the question about this token, which begins now if nobody has asked. Nothing if there is no question: it
    /// is answered already, or cannot be asked.
    fn question(
        self: &Arc<Self>,
        inquiry: &Arc<Inquiry>,
        asked: &Introspection,
        desk: &Arc<Desk>,
        budget: ForgeryBudget,
    ) -> Option<watch::Receiver<()>> {
        let mut state = self.state();
        if let Some(end) = state.questions.get(&inquiry.digest) {
            return Some(end.clone());
        }
        if asked.answers.get(&inquiry.digest, Clock.now()).is_some() {
            return None;
        }
        let runtime = self.runtime.get()?;
        let (tell, end) = watch::channel(());
        state.questions.insert(inquiry.digest, end.clone());
        let question = Question {
            introspector: Arc::clone(self),
            inquiry: Arc::clone(inquiry),
            desk: Arc::clone(desk),
            tell,
        };
        drop(state);
        runtime.spawn(question.run(budget));
        Some(end)
    }

    fn desk(&self, asked: &Introspection) -> Arc<Desk> {
        let mut state = self.state();
        if state.desks.len() > KEPT_MAX {
            state.desks.retain(|_, desk| Arc::strong_count(desk) > 1);
        }
        let key = (asked.fingerprint, asked.concurrency);
        let desk = state.desks.entry(key).or_insert_with(|| {
            Arc::new(Desk {
                waiting: AtomicUsize::new(0),
                open: Semaphore::new(asked.concurrency),
                questions: AtomicUsize::new(0),
                sources: Mutex::default(),
                share: asked.concurrency.div_ceil(SOURCES),
            })
        });
        Arc::clone(desk)
    }

    fn client(&self, via: &Via) -> Result<Client, FetchError> {
        if let Some(client) = self.state().clients.get(via) {
            return Ok(client.clone());
        }
        // It reads the machine's authorities: not under the lock.
        let client = exchange::client(via)?;
        let mut state = self.state();
        if state.clients.len() >= KEPT_MAX {
            state.clients.clear();
        }
        state.clients.insert(via.clone(), client.clone());
        Ok(client)
    }

    fn count(&self, inquiry: &Inquiry, result: &str) {
        let issuer = inquiry.issuer.name.as_str();
        self.telemetry.introspections.child(&[issuer, result]).inc();
    }

    /// The operator hears of what begins, what changes and what ends.
    fn tell(&self, inquiry: &Inquiry, failure: Option<&ExchangeError>) {
        let issuer = &inquiry.issuer.name;
        let mut state = self.state();
        let Some(error) = failure else {
            if state.complaints.get_mut(issuer).is_some_and(Complaints::end) {
                tracing::info!(event = "introspection_restored", %issuer, "the issuer answers again");
            }
            return;
        };
        let complaints = state.complaints.entry(issuer.clone()).or_default();
        if complaints.is_due(error.cause()) {
            tracing::warn!(
                event = "introspection_failed",
                %issuer,
                cause = error.cause(),
                detail = %error,
                "the issuer could not be asked about a token"
            );
        }
    }

    /// Whatever is in it is whole at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question on its way. When it is dropped it is over, whatever came of it.
struct Question {
    introspector: Arc<Introspector>,
    inquiry: Arc<Inquiry>,
    desk: Arc<Desk>,
    /// Dropped last, after the question is off the list.
    #[expect(dead_code, reason = "dropping it tells those who wait")]
    tell: watch::Sender<()>,
}

// === impl Question ===

impl Question {
    async fn run(self, budget: ForgeryBudget) {
        let Some(asked) = &self.inquiry.issuer.introspection else {
            return;
        };
        let Some(_place) = Place::of(&self.desk.questions, QUESTIONS_MAX) else {
            self.introspector.count(&self.inquiry, "overloaded");
            return;
        };
        let source = self.desk.source(self.inquiry.client);
        let Some(_own_place) = Place::of(&source.questions, QUESTIONS_OF_SOURCE_MAX) else {
            self.introspector.count(&self.inquiry, "overloaded");
            return;
        };
        let begun = Instant::now();
        let mut charge = None;
        let answer = self.answer(asked, &source, budget, &mut charge);
        let answered = timeout(asked.timeout, answer).await;
        let answered = answered.unwrap_or_else(|_| {
            Err(ExchangeError::Timeout {
                url: asked.url.to_string(),
            })
        });
        // What is no answer is nobody's fault who showed a token.
        if !matches!(answered, Ok(false)) {
            charge.into_iter().for_each(Charge::refund);
        }
        let issuer = self.inquiry.issuer.name.as_str();
        let telemetry = &self.introspector.telemetry;
        telemetry
            .introspection_duration
            .child(&[issuer])
            .observe(begun.elapsed());
        match answered {
            Ok(active) => {
                let result = if active { "active" } else { "inactive" };
                self.introspector.count(&self.inquiry, result);
                self.introspector.tell(&self.inquiry, None);
            }
            Err(error) => {
                self.introspector.count(&self.inquiry, error.cause());
                if !matches!(error, ExchangeError::Overdrawn) {
                    self.introspector.tell(&self.inquiry, Some(&error));
                }
            }
        }
    }

    /// Waits for its turn, asks, and notes the answer; whether the token is active.
    async fn answer<'q>(
        &'q self,
        asked: &Introspection,
        source: &Source,
        budget: ForgeryBudget,
        charge: &mut Option<Charge<'q>>,
    ) -> Result<bool, ExchangeError> {
        let Inquiry {
            issuer,
            digest,
            token,
            client,
        } = &*self.inquiry;
        // Nobody closes them.
        let _own_turn = source.open.acquire().await;
        let _turn = self.desk.open.acquire().await;
        let forgeries = &self.introspector.forgeries;
        let charged = forgeries.charge(&budget, &issuer.name, *client, INTROSPECTION_PRICE, Clock.now());
        *charge = Some(charged.map_err(|_| ExchangeError::Overdrawn)?);
        let http = self.introspector.client(&asked.via);
        let http = http.map_err(ExchangeError::Fetch)?;
        match exchange::ask(&http, asked, token.expose()).await? {
            Answered::Active {
                body,
                received_at,
                until,
            } => {
                asked.answers.note_active(*digest, body, until, received_at);
                Ok(true)
            }
            Answered::Inactive { received_at } => {
                asked
                    .answers
                    .note_inactive(*digest, asked.negative_ttl, received_at);
                Ok(false)
            }
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.introspector.state().questions.remove(&self.inquiry.digest);
    }
}

// === impl Desk ===

impl Desk {
    fn source(&self, client: Option<IpAddr>) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() > QUESTIONS_MAX {
            sources.retain(|_, source| Arc::strong_count(source) > 1);
        }
        let source = sources.entry(client.map(prefix)).or_insert_with(|| {
            Arc::new(Source {
                open: Semaphore::new(self.share),
                questions: AtomicUsize::new(0),
            })
        });
        Arc::clone(source)
    }
}

// === impl Place ===

impl<'c> Place<'c> {
    fn of(count: &'c AtomicUsize, max: usize) -> Option<Self> {
        if count.fetch_add(1, Ordering::Relaxed) < max {
            return Some(Self(count));
        }
        count.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
