//! Revocations: tokens of an issuer that are taken back, by their id or by what they have in common.
//!
//! One entry names one thing, and is found by it: whoever takes the same thing back again moves the times of the one entry
//! onwards, never back. An entry ends when no token that it names can be alive any more, and is then removed from the
//! store, and so from memory, a bounded number at a time ([`Registrar::sweep_revocations`]).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::audit::{Note, value};
use super::kept::{Kept, read};
use super::{
    Actor, Desk, Expected, Page, Refusal, Registrar, Repeatable, Ruling, Shown, read_time, remove,
    shown_time, write,
};
use crate::control::state::records::{self, RevocationRecord, RevokedName};
use crate::control::state::{Batch, CommitError, Key, Kind, Revision, StoreError, Versioned};
use crate::revocation::{Digest, DigestKey, NAME_BYTES_MAX, Revocations};
use crate::snapshot::Snapshot;
use crate::subscription::ApiKeySecret;
use crate::time::{Clock, UnixTime};

/// Revocations of one request.
pub const BATCH_MAX: usize = 1000;
/// How long a token may be alive of which nothing is known: where its issuer has no `max_lifetime`. As good as for ever:
/// the gateway takes such a token as long as it lives, so whoever took it back must not find it good again one day.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// The largest `leeway` of an issuer.
const LEEWAY_MAX: Duration = Duration::from_secs(5 * 60);
/// So far ahead times may be, at most.
const AHEAD_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
/// Entries that are removed in one batch when they are over.
const SWEPT_AT_ONCE: usize = 1000;
/// Entries that are looked up for a sweep at once.
const SWEPT_MAX: usize = 100_000;

const CREATE: &str = "revocation.create";

/// What is taken back. Exactly one of the first five members after the issuer is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRevocation {
    /// Whose tokens.
    pub issuer: String,
    /// The token with this `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Tokens of this subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Tokens of this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Tokens that the key of this id has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Every token of the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// Those that were issued before, RFC 3339; default: now. A `jti` needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<String>,
    /// The `exp` of the token with this `jti`, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When the entry may be forgotten, RFC 3339; default: when no token that it names can be alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Several at once, all or none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRevocations {
    /// 1 to [`BATCH_MAX`].
    pub revocations: Vec<NewRevocation>,
}

/// A revocation as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevocationView {
    /// Its id: what it names, hashed.
    pub id: String,
    /// The revision that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whose tokens.
    pub issuer: String,
    /// The token with this `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Tokens of this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Tokens of this client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Tokens that the key of this id has signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Every token of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// Those that were issued before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<String>,
    /// When it is forgotten.
    pub expires_at: String,
    /// When it was asked for last.
    pub revoked_at: String,
}

/// Several revocations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// In the order of ids, each once.
    pub items: Vec<RevocationView>,
}

/// Which revocations are asked for: those that have what is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members of a revocation")]
pub struct RevocationFilter {
    pub issuer: Option<String>,
    pub jti: Option<String>,
    pub subject: Option<String>,
    pub client: Option<String>,
    pub key_id: Option<String>,
    pub all: Option<bool>,
}

/// Entries by id, each with how it is kept already.
type Wanted = BTreeMap<String, (RevocationRecord, Option<Versioned>)>;

/// The key under which what revocations name is hashed, out of the store's secret: the same one after a restart, for it is
/// what their records are found by.
pub fn revocation_key(secret: &ApiKeySecret) -> DigestKey {
    // No API key holds a space.
    let hash = secret.hash("key of revocations");
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(hash) {
        *to = from;
    }
    DigestKey::new(bytes)
}

// === impl Registrar ===

impl Registrar {
    /// Takes something back.
    ///
    /// # Errors
    /// When a member breaks a rule, there are too many already, or the store fails.
    pub fn revoke(
        &self,
        actor: &Actor,
        new: &NewRevocation,
        repeatable: Option<&Repeatable>,
    ) -> Result<RevocationView, Refusal> {
        self.change(actor, |desk| {
            let wanted = self.wanted(desk, std::slice::from_ref(new))?;
            let Some((id, (record, kept))) = wanted.into_iter().next() else {
                return Err(StoreError::Bounds("nothing was taken back").into());
            };
            if let Some(outcome) = desk.made_before_now(repeatable, &id)? {
                return Ok(Ruling::unchanged(CREATE, &id, outcome));
            }
            let before = kept
                .as_ref()
                .map(|kept| read::<RevocationRecord>(&id, kept, desk.now));
            let before = before.transpose()?;
            let outcome = record.view(&id, None, desk.now);
            let mut writes = vec![write(Kind::Revocation, &id, &record)?];
            writes.extend(desk.remember(repeatable, &id)?);
            let note = Note::of(CREATE, &id);
            let note = note
                .before(before.as_ref().and_then(value))
                .after(value(&outcome));
            Ok(Ruling {
                writes,
                note,
                outcome,
            })
        })
    }

    /// Takes several things back, all or none.
    ///
    /// # Errors
    /// When there are none or too many, one breaks a rule, or the store fails.
    pub fn revoke_all(
        &self,
        actor: &Actor,
        new: &NewRevocations,
        repeatable: Option<&Repeatable>,
    ) -> Result<Revoked, Refusal> {
        let NewRevocations { revocations } = new;
        if revocations.is_empty() || revocations.len() > BATCH_MAX {
            let rule = format!("holds 1 to {BATCH_MAX} revocations");
            return Err(Refusal::invalid("revocations", rule));
        }
        self.change(actor, |desk| {
            let wanted = self.wanted(desk, revocations)?;
            let first = wanted.keys().next().cloned().unwrap_or_default();
            if desk.remembered(repeatable)?.is_some() {
                // The same request names the same things; what was removed since is not shown.
                let mut items = Vec::new();
                for id in wanted.keys() {
                    items.extend(desk.kept::<RevocationRecord>(id)?.map(|(view, _)| view));
                }
                return Ok(Ruling::unchanged(CREATE, &first, Revoked { items }));
            }
            let mut writes = Vec::with_capacity(wanted.len());
            let mut items = Vec::with_capacity(wanted.len());
            for (id, (record, _)) in &wanted {
                writes.push(write(Kind::Revocation, id, record)?);
                items.push(record.view(id, None, desk.now));
            }
            writes.extend(desk.remember(repeatable, &first)?);
            // What was asked for, which is no longer than a request.
            let note = Note::of(CREATE, &first).after(value(revocations));
            let outcome = Revoked { items };
            Ok(Ruling {
                writes,
                note,
                outcome,
            })
        })
    }

    /// Removes a revocation: what it named is good again.
    ///
    /// # Errors
    /// When it is not there, or is another version.
    pub fn delete_revocation(&self, actor: &Actor, id: &str, expected: &Expected) -> Result<(), Refusal> {
        self.change(actor, |desk| {
            let (before, _) = desk.own::<RevocationRecord>(id, expected)?;
            Ok(Ruling {
                writes: vec![remove(Kind::Revocation, id)],
                note: Note::of("revocation.delete", id).before(value(&before)),
                outcome: (),
            })
        })
    }

    /// One revocation.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn revocation(&self, id: &str) -> Result<RevocationView, Refusal> {
        let kept = self.store.get(&Key::new(Kind::Revocation, id))?;
        let kept = kept.ok_or_else(|| Refusal::not_found(RevocationRecord::WHAT, id))?;
        read::<RevocationRecord>(id, &kept, Clock.now())
    }

    /// At most `limit` revocations that the filter asks for, whose ids come after `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn revocations(
        &self,
        filter: &RevocationFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RevocationView>, Refusal> {
        // Whoever names an entry completely need not have all others looked through.
        let prefix = filter.names().map(|(issuer, named)| {
            let (kind, name) = named.parts();
            self.revocations.key().digest(kind, issuer, name).to_string()
        });
        self.page(
            (Kind::Revocation, &prefix.unwrap_or_default()),
            BTreeMap::new(),
            (after, limit),
            |id, record| read::<RevocationRecord>(id, record, Clock.now()),
            |view| filter.wants(view),
        )
    }

    /// Removes some of the revocations that are over; says how many. Callers come back until there are none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn sweep_revocations(&self) -> Result<usize, Refusal> {
        let now = Clock.now();
        let due = self.revocations.expired(now, SWEPT_MAX);
        let mut swept = 0;
        for some in due.chunks(SWEPT_AT_ONCE) {
            swept += self.sweep(some, now)?;
        }
        Ok(swept)
    }

    fn sweep(&self, due: &[Digest], now: UnixTime) -> Result<usize, Refusal> {
        let mut ledger = self.lock();
        self.catch_up(&mut ledger)?;
        let mut writes = Vec::new();
        for digest in due {
            let key = Key::new(Kind::Revocation, digest.to_string());
            let Some(kept) = self.store.get(&key)? else {
                continue;
            };
            // It may have been asked for again since.
            let record: RevocationRecord = records::read(&key.to_string(), &kept)?;
            if record.expires_at <= now.millis() {
                writes.push(remove(Kind::Revocation, &key.id));
            }
        }
        if writes.is_empty() {
            return Ok(0);
        }
        let swept = writes.len();
        let batch = Batch {
            based_on: ledger.applied,
            writes,
            // Nobody does this: each entry said from the beginning when it would end.
            note: Vec::new(),
        };
        match self.store.commit(batch) {
            Ok(_) => self.catch_up(&mut ledger)?,
            // Another gateway was here; the next round sees what is left.
            Err(CommitError::Conflict(_)) => return Ok(0),
            Err(CommitError::Store(error)) => {
                self.catch_up(&mut ledger)?;
                return Err(error.into());
            }
        }
        Ok(swept)
    }

    /// The entries that these come to, each judged, and put together with what is there.
    fn wanted(&self, desk: &Desk<'_>, new: &[NewRevocation]) -> Result<Wanted, Refusal> {
        let mut wanted = Wanted::new();
        for (place, new) in new.iter().enumerate() {
            let record = desk
                .judge_revocation(new)
                .map_err(|refusal| of_item(refusal, place, new))?;
            let (named, name) = record.named.parts();
            let digest = self.revocations.key().digest(named, &record.issuer, name);
            let id = digest.to_string();
            let (former, kept) = match wanted.remove(&id) {
                Some((former, kept)) => (Some(former), kept),
                None => {
                    let key = Key::new(Kind::Revocation, id.as_str());
                    let kept = desk.store.get(&key)?;
                    let former = kept.as_ref().map(|kept| records::read(&key.to_string(), kept));
                    (former.transpose()?, kept)
                }
            };
            let record = match former {
                Some(former) => and(record, &former),
                None => record,
            };
            wanted.insert(id, (record, kept));
        }
        let added = wanted.values().filter(|(_, kept)| kept.is_none()).count();
        if self.revocations.len().saturating_add(added) > Revocations::MAX {
            let most = Revocations::MAX;
            let rule = format!(
                "there are {most} revocations, and there is no room for more; take back what they have in common"
            );
            return Err(Refusal::Conflict(rule));
        }
        Ok(wanted)
    }
}

/// In a batch, which one.
fn of_item(refusal: Refusal, place: usize, new: &NewRevocation) -> Refusal {
    let _ = new;
    match refusal {
        Refusal::Invalid { member, rule } => Refusal::Invalid {
            member,
            rule: match place {
                0 => rule,
                place => format!("{rule} (revocation {})", place + 1),
            },
        },
        other => other,
    }
}

/// The later of both.
fn and(new: RevocationRecord, former: &RevocationRecord) -> RevocationRecord {
    RevocationRecord {
        issued_before: new.issued_before.max(former.issued_before),
        expires_at: new.expires_at.max(former.expires_at),
        ..new
    }
}

// === impl Desk ===

impl Desk<'_> {
    /// The entry that was made by this request before, as it is now.
    fn made_before_now(
        &self,
        repeatable: Option<&Repeatable>,
        id: &str,
    ) -> Result<Option<RevocationView>, Refusal> {
        if self.remembered(repeatable)?.is_none() {
            return Ok(None);
        }
        match self.kept::<RevocationRecord>(id)? {
            Some((view, _)) => Ok(Some(view)),
            None => Err(Refusal::Conflict(format!(
                "the revocation `{id}` was made under this `Idempotency-Key`, and is gone since"
            ))),
        }
    }

    fn judge_revocation(&self, new: &NewRevocation) -> Result<RevocationRecord, Refusal> {
        let NewRevocation {
            issuer,
            jti: _,     // see `named`
            subject: _, // see `named`
            client: _,  // see `named`
            key_id: _,  // see `named`
            all: _,     // see `named`
            issued_before,
            exp,
            expires_at,
        } = new;
        let known = self
            .snapshot
            .issuers
            .iter()
            .find(|known| known.name.as_str() == issuer);
        // A name with a slip would take nothing back, and say that it had.
        let known = known.ok_or_else(|| Refusal::invalid("issuer", "is no issuer of the configuration"))?;
        let named = new.named()?;
        let is_token = matches!(named, RevokedName::Jti(_));
        if is_token && issued_before.is_some() {
            return Err(Refusal::invalid(
                "issued_before",
                "says nothing of one token; leave it out",
            ));
        }
        if exp.is_some() && (!is_token || expires_at.is_some()) {
            let rule = "is the end of the token with this `jti`, and stands instead of `expires_at`";
            return Err(Refusal::invalid("exp", rule));
        }
        let issued_before = match issued_before {
            Some(text) => Some(read_time("issued_before", text)?),
            None => (!is_token).then(|| self.now.millis()),
        };
        let last = issued_before.map_or(self.now, |before| UnixTime::from_millis(before).max(self.now));
        let alive = known.rules.max_lifetime.unwrap_or(LIFETIME);
        let expires_at = match (expires_at, exp) {
            (Some(text), _) => UnixTime::from_millis(read_time("expires_at", text)?),
            (None, Some(exp)) => UnixTime::from_seconds(*exp).plus(LEEWAY_MAX),
            // The issuer's clock may be ahead by a leeway, and then its tokens live for another one.
            (None, None) => last.plus(alive).plus(LEEWAY_MAX.saturating_mul(2)),
        };
        let furthest = self.now.plus(AHEAD_MAX);
        if issued_before.is_some_and(|before| before > furthest.millis()) {
            return Err(Refusal::invalid("issued_before", "is more than ten years ahead"));
        }
        let member = if exp.is_some() { "exp" } else { "expires_at" };
        if expires_at > furthest.plus(AHEAD_MAX) {
            return Err(Refusal::invalid(member, "is more than twenty years ahead"));
        }
        if expires_at <= self.now {
            return Err(Refusal::invalid(member, "is over: there is nothing to take back"));
        }
        Ok(RevocationRecord {
            issuer: issuer.clone(),
            named,
            issued_before,
            expires_at: expires_at.millis(),
            revoked_at: self.now.millis(),
        })
    }
}

// === impl NewRevocation ===

impl NewRevocation {
    /// The one thing that it names.
    fn named(&self) -> Result<RevokedName, Refusal> {
        if self.all == Some(false) {
            return Err(Refusal::invalid("all", "is `true`, or left out"));
        }
        let named = [
            ("jti", self.jti.clone().map(RevokedName::Jti)),
            ("subject", self.subject.clone().map(RevokedName::Subject)),
            ("client", self.client.clone().map(RevokedName::Client)),
            ("key_id", self.key_id.clone().map(RevokedName::KeyId)),
            ("all", self.all.map(|_| RevokedName::All)),
        ];
        let mut named = named
            .into_iter()
            .filter_map(|(member, named)| Some((member, named?)));
        let rule = "or one of `subject`, `client`, `key_id`, `all` is there, and only one: one entry names one thing";
        let (member, first) = named.next().ok_or_else(|| Refusal::invalid("jti", rule))?;
        if named.next().is_some() {
            return Err(Refusal::invalid("jti", rule));
        }
        let (_, name) = first.parts();
        if first != RevokedName::All && (name.is_empty() || name.len() > NAME_BYTES_MAX) {
            return Err(Refusal::invalid(
                member,
                format!("has 1 to {NAME_BYTES_MAX} bytes"),
            ));
        }
        Ok(first)
    }
}

// === impl RevocationFilter ===

impl RevocationFilter {
    /// The one entry that is asked for, if it is one.
    fn names(&self) -> Option<(&str, RevokedName)> {
        let new = NewRevocation {
            issuer: self.issuer.clone()?,
            jti: self.jti.clone(),
            subject: self.subject.clone(),
            client: self.client.clone(),
            key_id: self.key_id.clone(),
            all: self.all.filter(|all| *all),
            issued_before: None,
            exp: None,
            expires_at: None,
        };
        Some((self.issuer.as_deref()?, new.named().ok()?))
    }

    fn wants(&self, view: &RevocationView) -> bool {
        let Self {
            issuer,
            jti,
            subject,
            client,
            key_id,
            all,
        } = self;
        let wants = |wanted: &Option<String>, own: &Option<String>| wanted.is_none() || wanted == own;
        issuer.as_ref().is_none_or(|issuer| *issuer == view.issuer)
            && wants(jti, &view.jti)
            && wants(subject, &view.subject)
            && wants(client, &view.client)
            && wants(key_id, &view.key_id)
            && all.is_none_or(|all| all == view.all.is_some())
    }
}

// === impl RevocationRecord ===

impl Kept for RevocationRecord {
    const KIND: Kind = Kind::Revocation;
    const WHAT: &'static str = "revocation";
    type View = RevocationView;

    fn view(&self, id: &str, version: Option<Revision>, _: UnixTime) -> RevocationView {
        let Self {
            issuer,
            named,
            issued_before,
            expires_at,
            revoked_at,
        } = self;
        let mut view = RevocationView {
            id: id.to_owned(),
            version: version.map(|version| version.0),
            issuer: issuer.clone(),
            jti: None,
            subject: None,
            client: None,
            key_id: None,
            all: None,
            issued_before: issued_before.map(shown_time),
            expires_at: shown_time(*expires_at),
            revoked_at: shown_time(*revoked_at),
        };
        match named {
            RevokedName::Jti(jti) => view.jti = Some(jti.clone()),
            RevokedName::Subject(subject) => view.subject = Some(subject.clone()),
            RevokedName::Client(client) => view.client = Some(client.clone()),
            RevokedName::KeyId(kid) => view.key_id = Some(kid.clone()),
            RevokedName::All => view.all = Some(true),
        }
        view
    }

    fn created_at(&self) -> i64 {
        self.revoked_at
    }

    fn is_declared(_: &Snapshot, _: &str) -> bool {
        false
    }
}

impl Shown for RevocationView {
    fn written_by(&mut self, revision: Revision) {
        self.version = Some(revision.0);
    }
}

impl Shown for Revoked {
    fn written_by(&mut self, revision: Revision) {
        for item in &mut self.items {
            item.written_by(revision);
        }
    }
}
