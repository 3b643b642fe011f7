//! Asking an issuer about a token (RFC 7662): where, as whom, how long its answers count, and the answers that are here.
//!
//! Answers live as keys do: beside the snapshots, in a cell that belongs to the issuer *and* to all that is said of how it
//! is asked. An answer that was given to another client, or by another server, is never found again. The tables have a
//! fixed size. What is active and what is not lie apart, so that strangers with tokens of their own making push out each
//! other's and nobody else's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use super::{Authorities, Issuer, JwksUrl, KeyRing, Via};
use crate::id::IssuerName;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::token::{AnswerTerms, Cache, TokenDigest};

/// Answers about active tokens of one issuer: what was made of them is remembered elsewhere, so these are for the moments
/// in between. Full of the longest ones they take 128 MiB, full of usual ones 1.
const ACTIVE_MAX: usize = 2048;
/// Tokens that are not active take 100 bytes each.
const INACTIVE_MAX: usize = 4096;
/// A request may have begun so long before the answer came that it sees, and clocks are set.
const EARLIER: Duration = Duration::from_secs(5);

/// How an issuer is asked.
#[derive(Debug)]
pub struct Introspection {
    /// Where.
    pub url: JwksUrl,
    /// By what way; no redirect is ever followed, as what is sent is secret.
    pub via: Via,
    /// As whom.
    pub client: ClientCredentials,
    /// How long an answer counts that a token is active.
    pub cache_ttl: Duration,
    /// How long an answer counts that it is not.
    pub negative_ttl: Duration,
    /// How long a request waits for an answer, the wait for its turn included.
    pub timeout: Duration,
    /// How many questions may be open at one time.
    pub concurrency: usize,
    /// Members that an answer must have.
    pub required_claims: Vec<Box<str>>,
    /// What was answered.
    pub answers: Arc<Answers>,
    /// Of all that decides whose answers they are.
    pub fingerprint: Asked,
}

/// Who asks (RFC 6749 section 2.3.1).
#[derive(Debug)]
pub struct ClientCredentials {
    /// The gateway's client id at the issuer.
    pub id: Box<str>,
    /// Its secret.
    pub secret: Secret<Box<str>>,
    /// How they are sent.
    pub method: ClientMethod,
}

/// How a client says who it is, in the words of RFC 7591 section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMethod {
    /// `client_secret_basic`: in `Authorization`.
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

/// Whom and as whom: what answers belong to, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked([u8; 32]);

/// What an issuer has answered lately.
#[derive(Debug)]
pub struct Answers {
    active: Cache<Arc<Active>>,
    inactive: Cache<Inactive>,
}

/// A token is active.
#[derive(Debug)]
pub struct Active {
    /// The whole answer: a JSON object without a member twice, at most [`crate::token::ANSWER_BYTES_MAX`].
    pub body: Box<[u8]>,
    /// When it came.
    pub received_at: UnixTime,
    /// Until when it counts, whatever it says.
    until: UnixTime,
}

#[derive(Debug, Clone, Copy)]
struct Inactive {
    received_at: UnixTime,
    until: UnixTime,
}

/// What is known of a token.
#[derive(Debug)]
pub enum Answer {
    /// It was active, and this is what was said of it.
    Active(Arc<Active>),
    /// It was not.
    Inactive {
        /// When that was said.
        received_at: UnixTime,
    },
}

/// A token that its issuer must be asked about before anything can be said.
pub struct Inquiry {
    /// The issuer; it has an [`Introspection`].
    pub issuer: Arc<Issuer>,
    /// What the answer will be found by.
    pub digest: TokenDigest,
    /// The token.
    pub token: Secret<Box<str>>,
    /// Who showed it.
    pub client: Option<IpAddr>,
}

/// The cells of all issuers that are asked.
pub(super) type AnswersByIssuer = papaya::HashMap<(IssuerName, Asked), Arc<Answers>>;

// === impl Asked ===

impl Asked {
    /// From everything that decides who answers, and what.
    pub fn of(url: &JwksUrl, via: &Via, client: &ClientCredentials) -> Self {
        let Via {
            authorities,
            proxy,
            follow_redirects: _,  // none is followed
            danger_allow_http: _, // part of what the URL may be
        } = via;
        let ClientCredentials { id, secret, method } = client;
        let mut hash = Context::new(&SHA256);
        // Lengths stand between what operators choose.
        let mut add = |part: &[u8]| {
            hash.update(&part.len().to_le_bytes());
            hash.update(part);
        };
        add(url.as_url().as_str().as_bytes());
        add(proxy
            .as_ref()
            .map_or("", |proxy| proxy.as_url().as_str())
            .as_bytes());
        add(method.name().as_bytes());
        add(id.as_bytes());
        add(secret.expose().as_bytes());
        for certificate in authorities.iter().flat_map(Authorities::certificates) {
            add(certificate);
        }
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

// === impl ClientMethod ===

impl ClientMethod {
    /// The word in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Post => "post",
        }
    }
}

// === impl Introspection ===

impl Introspection {
    /// What an answer about this token is found by.
    pub fn digest(&self, token: &str) -> TokenDigest {
        TokenDigest::under(&self.fingerprint.0, token)
    }

    /// What an operator says of answers.
    pub fn terms(&self, answer: &Active) -> AnswerTerms<'_> {
        AnswerTerms {
            required: &self.required_claims,
            received_at: answer.received_at,
            ttl: self.cache_ttl,
        }
    }
}

// === impl Answers ===

impl Default for Answers {
    fn default() -> Self {
        Self {
            active: Cache::new(ACTIVE_MAX),
            inactive: Cache::new(INACTIVE_MAX),
        }
    }
}

impl Answers {
    /// What is known of a token at this moment.
    pub fn get(&self, digest: &TokenDigest, now: UnixTime) -> Option<Answer> {
        let tick = tick(now);
        if let Some(hit) = self.active.get(digest, tick)
            && let Some(answer) = hit.value()
            && counts(answer.received_at, answer.until, now)
        {
            return Some(Answer::Active(Arc::clone(answer)));
        }
        let hit = self.inactive.get(digest, tick)?;
        let Inactive { received_at, until } = *hit.value()?;
        counts(received_at, until, now).then_some(Answer::Inactive { received_at })
    }

    /// Notes that a token is active; `until` is what [`crate::token::read_answer`] says.
    pub fn note_active(&self, digest: TokenDigest, body: Vec<u8>, until: UnixTime, now: UnixTime) {
        let answer = Active {
            body: body.into(),
            received_at: now,
            until,
        };
        let is_over = |other: &Arc<Active>| now >= other.until;
        self.active.insert(digest, Arc::new(answer), tick(now), is_over);
    }

    /// Notes that a token is not active.
    pub fn note_inactive(&self, digest: TokenDigest, ttl: Duration, now: UnixTime) {
        let answer = Inactive {
            received_at: now,
            until: now.plus(ttl),
        };
        self.inactive
            .insert(digest, answer, tick(now), |other| now >= other.until);
    }

    /// How many answers are kept: of active tokens, and of others. Those that have run out are among them.
    pub fn len(&self) -> [usize; 2] {
        [self.active.len(), self.inactive.len()]
    }
}

fn counts(received_at: UnixTime, until: UnixTime, now: UnixTime) -> bool {
    received_at.minus(EARLIER) <= now && now < until
}

/// The time in the caches' measure: seconds, of which 32 bits last until 2106.
fn tick(now: UnixTime) -> u32 {
    u32::try_from(now.seconds()).unwrap_or(0)
}

// === impl KeyRing ===

impl KeyRing {
    /// What `issuer` has answered to whoever asks so; the same cell in every snapshot that says the same.
    pub fn answers(&self, issuer: &IssuerName, asked: Asked) -> Arc<Answers> {
        let key = (issuer.clone(), asked);
        Arc::clone(self.answers.pin().get_or_insert_with(key, Arc::default))
    }

    /// Drops the cells that no issuer uses any more.
    pub(super) fn retain_answers(&self, issuers: &[Arc<Issuer>]) {
        self.answers.pin().retain(|(name, asked), _| {
            issuers.iter().any(|issuer| {
                let introspection = issuer.introspection.as_ref();
                issuer.name == *name && introspection.is_some_and(|own| own.fingerprint == *asked)
            })
        });
    }
}

// === impl Inquiry ===

impl std::fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inquiry({})", self.issuer.name)
    }
}
