//! API keys: given out, renewed, taken back.
//!
//! The text of a key is in the answer that gives it out, and nowhere else: what is kept is its hash under the store's
//! secret. Four characters of a key that was made here are kept besides, so that people can tell keys apart: 232 bits
//! remain. Of a key that somebody chose nothing is kept, for nobody knows how much of it can be guessed.
//!
//! A key belongs to a subscription, also to one that the configuration declares, and is worth what that is worth at the
//! moment. What was given out once is not given out again while any record of it is left, whoever had it.

use serde::{Deserialize, Deserializer, Serialize};

use super::audit::{Note, value};
use super::kept::{Kept, read};
use super::subscriptions::{find, is_id, keys_of, status_name};
use super::{
    Actor, Desk, Expected, Page, Refusal, Registrar, Repeatable, Ruling, Shown, read_time, remove,
    shown_time, write,
};
use crate::api::Security;
use crate::control::private_file::random_text;
use crate::control::state::records::{self, ApiKeyRecord, SubscriptionStatus};
use crate::control::state::{Kind, Revision, StoreError};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::subscription::is_api_key;
use crate::time::{Clock, UnixTime};

/// Good keys of one subscription: one for each place that calls, and a spare one for each while they are renewed.
const GOOD_MAX: usize = 20;
/// Keys of one subscription of which there is a record. The oldest that are over are forgotten beyond that.
const KEPT_MAX: usize = 100;
/// Characters that are kept of a key that was made here: 24 of its 256 bits.
const PREFIX_CHARACTERS: usize = 4;
/// How long the old keys stay good after a renewal that does not say.
const GRACE_SECONDS: u32 = 2 * 60 * 60;
/// How long they may: whoever needs longer wants two keys.
const GRACE_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// A new key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// The key itself, 8 to 64 characters; nothing: one is made.
    #[serde(default, deserialize_with = "secret")]
    pub key: Option<Secret<String>>,
    /// No longer good from then on, RFC 3339; nothing: for ever.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// A new key in the place of old ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRenewal {
    /// The key itself, 8 to 64 characters; nothing: one is made.
    #[serde(default, deserialize_with = "secret")]
    pub key: Option<Secret<String>>,
    /// No longer good from then on, RFC 3339; nothing: for ever.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// How long the old keys stay good: 0 to 2,592,000 seconds; nothing: 7,200.
    #[serde(default)]
    pub grace_seconds: Option<u32>,
}

/// Until when.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyExpiry {
    /// No longer good from then on, RFC 3339; nothing: for ever.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// A key as it is shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKeyView {
    /// Its id: `application:api:plan:number`.
    pub id: String,
    /// The revision that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The id of its subscription.
    pub subscription: String,
    /// What is left of it, whatever its subscription is.
    pub status: ApiKeyStatus,
    /// Its first characters, if it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// No longer good from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// When it was given out.
    pub created_at: String,
}

/// What is left of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the key's life")]
pub enum ApiKeyStatus {
    Good,
    Expired,
    Revoked,
}

/// A key that is given out, this once.
#[derive(Debug)]
pub struct GivenApiKey {
    /// As it is shown from now on.
    pub view: ApiKeyView,
    /// Itself; nothing: it was given out before.
    pub key: Option<Secret<String>>,
}

/// A key that is to be.
struct Draft {
    text: Secret<String>,
    prefix: String,
    expires_at: Option<i64>,
}

/// Which keys are to end for a new one.
#[derive(Clone, Copy)]
enum Replaced<'r> {
    None,
    /// All good ones of the subscription.
    All,
    /// One of them, in this version.
    One(&'r str, &'r Expected),
}

// === impl Registrar ===

impl Registrar {
    /// Gives out a key.
    ///
    /// # Errors
    /// When the subscription takes none, the key is malformed or in use, there are too many, or the store fails.
    pub fn create_api_key(
        &self,
        actor: &Actor,
        subscription: &str,
        new: &NewApiKey,
        repeatable: Option<&Repeatable>,
    ) -> Result<GivenApiKey, Refusal> {
        let NewApiKey { key, expires_at } = new;
        let draft = Draft::of(key.as_ref(), expires_at.as_deref())?;
        self.give(actor, subscription, &draft, (Replaced::None, 0), repeatable)
    }

    /// Gives out a key in the place of all good ones of the subscription, which stay good for a while.
    ///
    /// # Errors
    /// As for giving one out; when the while is too long.
    pub fn renew_api_keys(
        &self,
        actor: &Actor,
        subscription: &str,
        renewal: &ApiKeyRenewal,
        repeatable: Option<&Repeatable>,
    ) -> Result<GivenApiKey, Refusal> {
        self.renew(actor, subscription, renewal, Replaced::All, repeatable)
    }

    /// Gives out a key in the place of one, which stays good for a while.
    ///
    /// # Errors
    /// As for giving one out; when the while is too long, the old key was taken back, or is another version.
    pub fn renew_api_key(
        &self,
        actor: &Actor,
        id: &str,
        renewal: &ApiKeyRenewal,
        expected: &Expected,
        repeatable: Option<&Repeatable>,
    ) -> Result<GivenApiKey, Refusal> {
        let replaced = Replaced::One(id, expected);
        self.renew(actor, subscription_of(id), renewal, replaced, repeatable)
    }

    /// Takes a key back for good. One that was taken back before stays as it is.
    ///
    /// # Errors
    /// When it is not there, or another version.
    pub fn revoke_api_key(
        &self,
        actor: &Actor,
        id: &str,
        expected: &Expected,
    ) -> Result<ApiKeyView, Refusal> {
        self.revise(
            actor,
            id,
            "api_key.revoke",
            expected,
            |desk, old: &ApiKeyRecord| {
                Ok(old.revoked_at.is_none().then(|| ApiKeyRecord {
                    revoked_at: Some(desk.now.millis()),
                    ..old.clone()
                }))
            },
        )
    }

    /// Sets until when a key is good: also one that is over already, or to a moment that is.
    ///
    /// # Errors
    /// When it is no date, the key was taken back, or is another version, or there would be too many good ones.
    pub fn expire_api_key(
        &self,
        actor: &Actor,
        id: &str,
        expiry: &ApiKeyExpiry,
        expected: &Expected,
    ) -> Result<ApiKeyView, Refusal> {
        let expires_at = read_expiry(expiry.expires_at.as_deref())?;
        self.revise(
            actor,
            id,
            "api_key.expire",
            expected,
            |desk, old: &ApiKeyRecord| {
                judge_kept(old)?;
                let record = ApiKeyRecord {
                    expires_at,
                    ..old.clone()
                };
                if is_good(&record, desk.now) && !is_good(old, desk.now) {
                    let keys = desk.api_keys(subscription_of(id))?;
                    judge_number(keys.iter().filter(|(_, key)| is_good(key, desk.now)).count())?;
                }
                Ok(Some(record))
            },
        )
    }

    /// One key.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn api_key(&self, id: &str) -> Result<ApiKeyView, Refusal> {
        let record = self.store.get(&super::Key::new(Kind::ApiKey, id))?;
        let record = record.ok_or_else(|| Refusal::not_found("API key", id))?;
        read::<ApiKeyRecord>(id, &record, Clock.now())
    }

    /// All keys of a subscription of which there is a record, the oldest first; also if only they are left of it.
    ///
    /// # Errors
    /// When there is no such subscription, or they cannot be read.
    pub fn api_keys(&self, subscription: &str) -> Result<Page<ApiKeyView>, Refusal> {
        if !is_id(subscription) {
            // As the beginning of ids it would have the keys of several.
            return Err(Refusal::not_found("subscription", subscription));
        }
        let now = Clock.now();
        let mut keys = keys_of(&*self.store, subscription)?;
        if keys.is_empty() {
            find(&*self.store, &self.cell.snapshot(), subscription)?;
        }
        keys.sort_by_key(|(id, _)| number_of(id));
        let items = keys.iter().map(|(id, kept)| read::<ApiKeyRecord>(id, kept, now));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next: None,
        })
    }

    fn renew(
        &self,
        actor: &Actor,
        subscription: &str,
        renewal: &ApiKeyRenewal,
        replaced: Replaced<'_>,
        repeatable: Option<&Repeatable>,
    ) -> Result<GivenApiKey, Refusal> {
        let ApiKeyRenewal {
            key,
            expires_at,
            grace_seconds,
        } = renewal;
        let grace_seconds = grace_seconds.unwrap_or(GRACE_SECONDS);
        if grace_seconds > GRACE_SECONDS_MAX {
            return Err(Refusal::invalid(
                "grace_seconds",
                "is at most 2592000, which is 30 days",
            ));
        }
        let draft = Draft::of(key.as_ref(), expires_at.as_deref())?;
        self.give(actor, subscription, &draft, (replaced, grace_seconds), repeatable)
    }

    fn give(
        &self,
        actor: &Actor,
        subscription: &str,
        draft: &Draft,
        (replaced, grace_seconds): (Replaced<'_>, u32),
        repeatable: Option<&Repeatable>,
    ) -> Result<GivenApiKey, Refusal> {
        let action = match replaced {
            Replaced::None => "api_key.create",
            Replaced::All | Replaced::One(..) => "api_key.renew",
        };
        self.change(actor, |desk| {
            if let Some((id, view)) = desk.made_before::<ApiKeyRecord>(repeatable)? {
                return Ok(Ruling::unchanged(action, &id, GivenApiKey { view, key: None }));
            }
            if let Replaced::One(id, expected) = replaced {
                judge_kept(&desk.own::<ApiKeyRecord>(id, expected)?.1)?;
            }
            desk.judge_keyed(subscription)?;
            let record = desk.api_key_record(draft)?;
            let mut keys = desk.api_keys(subscription)?;
            let mut writes = desk.room(&keys);
            let end = desk
                .now
                .millis()
                .saturating_add(i64::from(grace_seconds).saturating_mul(1000));
            let mut ended = Vec::new();
            for (id, key) in &mut keys {
                let meant = match replaced {
                    Replaced::None => false,
                    Replaced::All => true,
                    Replaced::One(one, _) => one == id,
                };
                // What ends sooner stays as it is.
                if meant && is_good(key, desk.now) && key.expires_at.is_none_or(|own| own > end) {
                    ended.push(key.view(id, None, desk.now));
                    key.expires_at = Some(end);
                    writes.push(write(Kind::ApiKey, id, key)?);
                }
            }
            judge_number(keys.iter().filter(|(_, key)| is_good(key, desk.now)).count())?;
            // At most one batch is based on this revision, so the number is no other key's, in the past neither.
            let id = format!("{subscription}:{}", desk.based_on.0.saturating_add(1));
            writes.push(write(Kind::ApiKey, &id, &record)?);
            writes.extend(desk.remember(repeatable, &id)?);
            let view = record.view(&id, None, desk.now);
            let note = Note::of(action, &id)
                .before(value(&ended).filter(|_| !ended.is_empty()))
                .after(value(&view));
            Ok(Ruling {
                writes,
                note,
                outcome: GivenApiKey {
                    view,
                    key: Some(draft.text.clone()),
                },
            })
        })
    }
}

// === impl Desk ===

impl Desk<'_> {
    /// The keys of a subscription, the oldest first.
    fn api_keys(&self, subscription: &str) -> Result<Vec<(String, ApiKeyRecord)>, Refusal> {
        let kept = self.keys_of(subscription)?.into_iter();
        let keys = kept.map(|(id, kept)| records::read(&id, &kept).map(|record| (id, record)));
        let mut keys: Vec<(String, ApiKeyRecord)> = keys.collect::<Result<_, _>>()?;
        keys.sort_by_key(|(id, _)| number_of(id));
        Ok(keys)
    }

    /// Whether keys may be given out for this subscription.
    fn judge_keyed(&self, id: &str) -> Result<(), Refusal> {
        let subscription = find(self.store, self.snapshot, id)?;
        let (api, plan) = (&subscription.api, &subscription.plan);
        if let Some(listed) = self.plan(api, plan)
            && listed.security != Security::ApiKey
        {
            return Err(Refusal::Conflict(format!(
                "the plan `{api}/{plan}` does not ask for API keys"
            )));
        }
        self.judge_living_plan(id)?;
        match subscription.status {
            SubscriptionStatus::Accepted | SubscriptionStatus::Paused => Ok(()),
            status @ (SubscriptionStatus::Pending
            | SubscriptionStatus::Rejected
            | SubscriptionStatus::Closed) => Err(Refusal::Conflict(format!(
                "the subscription is {}: it has no keys",
                status_name(status)
            ))),
        }
    }

    /// What is kept of a new key.
    fn api_key_record(&self, draft: &Draft) -> Result<ApiKeyRecord, Refusal> {
        let Draft {
            text,
            prefix,
            expires_at,
        } = draft;
        if expires_at.is_some_and(|end| end <= self.now.millis()) {
            return Err(Refusal::invalid("expires_at", "is over already"));
        }
        if self.index.knows_key(text.expose()) {
            return Err(Refusal::Conflict(
                "the key is or was in use; give another one".to_owned(),
            ));
        }
        Ok(ApiKeyRecord {
            hash: self.hash(text.expose())?,
            prefix: prefix.clone(),
            expires_at: *expires_at,
            revoked_at: None,
            created_at: self.now.millis(),
        })
    }

    /// Writes that forget the oldest keys that are over, where one more would be too many.
    fn room(&self, keys: &[(String, ApiKeyRecord)]) -> Vec<super::Write> {
        let over = keys.len().saturating_add(1).saturating_sub(KEPT_MAX);
        let past = keys.iter().filter(|(_, key)| !is_good(key, self.now));
        past.take(over).map(|(id, _)| remove(Kind::ApiKey, id)).collect()
    }
}

// === impl Draft ===

impl Draft {
    fn of(given: Option<&Secret<String>>, expires_at: Option<&str>) -> Result<Self, Refusal> {
        let expires_at = read_expiry(expires_at)?;
        if let Some(text) = given {
            if !is_api_key(text.expose()) {
                let rule = "must be 8 to 64 letters, digits, `-`, `.`, `_` or `~`";
                return Err(Refusal::invalid("key", rule));
            }
            return Ok(Self {
                text: text.clone(),
                prefix: String::new(),
                expires_at,
            });
        }
        let text = random_text().map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self {
            prefix: text.expose().chars().take(PREFIX_CHARACTERS).collect(),
            text,
            expires_at,
        })
    }
}

// === impl ApiKeyRecord ===

impl Kept for ApiKeyRecord {
    const KIND: Kind = Kind::ApiKey;
    const WHAT: &'static str = "API key";
    type View = ApiKeyView;

    fn view(&self, id: &str, version: Option<Revision>, now: UnixTime) -> ApiKeyView {
        let Self {
            hash: _, // whoever has it can try guesses, if the secret is known, too
            prefix,
            expires_at,
            revoked_at,
            created_at,
        } = self;
        ApiKeyView {
            id: id.to_owned(),
            version: version.map(|version| version.0),
            subscription: subscription_of(id).to_owned(),
            status: match (revoked_at, is_good(self, now)) {
                (Some(_), _) => ApiKeyStatus::Revoked,
                (None, true) => ApiKeyStatus::Good,
                (None, false) => ApiKeyStatus::Expired,
            },
            prefix: Some(prefix.clone()).filter(|prefix| !prefix.is_empty()),
            expires_at: expires_at.map(shown_time),
            revoked_at: revoked_at.map(shown_time),
            created_at: shown_time(*created_at),
        }
    }

    fn created_at(&self) -> i64 {
        self.created_at
    }

    fn is_declared(_: &Snapshot, _: &str) -> bool {
        false
    }
}

// === impl GivenApiKey ===

impl Shown for ApiKeyView {
    fn written_by(&mut self, revision: Revision) {
        self.version = Some(revision.0);
    }
}

impl Shown for GivenApiKey {
    fn written_by(&mut self, revision: Revision) {
        self.view.written_by(revision);
    }
}

fn is_good(record: &ApiKeyRecord, now: UnixTime) -> bool {
    record.revoked_at.is_none() && record.expires_at.is_none_or(|end| now.millis() < end)
}

fn judge_kept(record: &ApiKeyRecord) -> Result<(), Refusal> {
    match record.revoked_at {
        Some(_) => Err(Refusal::Conflict(
            "the key was revoked, which is for good; make a new one".to_owned(),
        )),
        None => Ok(()),
    }
}

/// Whether there may be one more good key than these.
fn judge_number(good: usize) -> Result<(), Refusal> {
    if good >= GOOD_MAX {
        return Err(Refusal::Conflict(format!(
            "the subscription has {GOOD_MAX} good keys; revoke one first"
        )));
    }
    Ok(())
}

/// The id of the subscription in that of a key.
fn subscription_of(id: &str) -> &str {
    id.rsplit_once(':').map_or("", |(subscription, _)| subscription)
}

/// What a key is ordered by; as text, 10 would come before 9.
pub(super) fn number_of(id: &str) -> u64 {
    let number = id.rsplit_once(':').map(|(_, number)| number);
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn read_expiry(text: Option<&str>) -> Result<Option<i64>, Refusal> {
    text.map(|text| read_time("expires_at", text)).transpose()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}
