//! From records to changes of the index: the one place where what is kept becomes what decides.
//!
//! A record that makes no sense is an error, and whoever loads it stops: to leave it out would be to forget somebody.

use super::records::{
    self, ApiKeyRecord, ApplicationRecord, PlanStage, PlanStageRecord, RevocationRecord, SubscriptionRecord,
    SubscriptionStatus,
};
use super::store::{Key, Kind, StoreError, Versioned};
use crate::api::Stage;
use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::revocation::{ALWAYS, Digest, DigestKey, Named, Revocation};
use crate::subscription::{ApiKeyEntry, ApplicationEntry, Change, Status, SubscriptionEntry};
use crate::time::UnixTime;

/// What a record, or its absence, means for the index; nothing if it means nothing there.
///
/// # Errors
/// [`StoreError::Damaged`] when it makes no sense.
pub fn change(key: &Key, record: Option<&Versioned>) -> Result<Option<Change>, StoreError> {
    let what = key.to_string();
    let change = match key.kind {
        Kind::Application => Change::Application {
            id: ApplicationId::new(key.id.as_str()),
            entry: record
                .map(|record| records::read(&what, record).map(application))
                .transpose()?,
        },
        Kind::Subscription => {
            let parts = parts(key)?;
            let [owner, api, plan] = parts.as_slice() else {
                return Err(unreadable(key));
            };
            Change::Subscription {
                application: ApplicationId::new(*owner),
                plan: PlanId::of(api, plan),
                entry: record
                    .map(|record| records::read(&what, record).map(|record| subscription(&record)))
                    .transpose()?,
            }
        }
        Kind::ApiKey => {
            let parts = parts(key)?;
            let [owner, api, plan, _] = parts.as_slice() else {
                return Err(unreadable(key));
            };
            let entry = record
                .map(|record| {
                    let record: ApiKeyRecord = records::read(&what, record)?;
                    Ok::<_, StoreError>(ApiKeyEntry {
                        hash: hash(&record.hash).ok_or_else(|| unreadable(key))?,
                        application: ApplicationId::new(*owner),
                        plan: PlanId::of(api, plan),
                        expires_at: record.expires_at.map(UnixTime::from_millis),
                        revoked: record.revoked_at.is_some(),
                    })
                })
                .transpose()?;
            Change::ApiKey {
                id: key.id.as_str().into(),
                entry,
            }
        }
        // A plan's stage is for the plan's cell, a revocation for their set: see `moved_plan` and `revocation`.
        Kind::PlanStage | Kind::Revocation | Kind::Idempotency => return Ok(None),
    };
    Ok(Some(change))
}

/// Where an operator has moved a plan, and when; nothing if the record is of something else.
///
/// # Errors
/// [`StoreError::Damaged`] when it makes no sense.
pub fn moved_plan(key: &Key, record: &Versioned) -> Result<Option<(PlanId, Stage, UnixTime)>, StoreError> {
    if key.kind != Kind::PlanStage {
        return Ok(None);
    }
    let (api, plan) = key.id.split_once('/').ok_or_else(|| unreadable(key))?;
    let PlanStageRecord { stage, changed_at } = records::read(&key.to_string(), record)?;
    let stage = match stage {
        PlanStage::Staging => Stage::Staging,
        PlanStage::Published => Stage::Published,
        PlanStage::Deprecated => Stage::Deprecated,
        PlanStage::Closed => Stage::Closed,
    };
    Ok(Some((
        PlanId::of(api, plan),
        stage,
        UnixTime::from_millis(changed_at),
    )))
}

/// What a record of a revocation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationChange {
    /// It is there.
    Put(Named, Digest, Revocation),
    /// It is not there any more.
    Removed(Digest),
}

/// What a record says was revoked, or that nothing is any more; nothing if the record is of something else.
///
/// # Errors
/// [`StoreError::Damaged`] when it makes no sense, or is not about what it is found by.
pub fn revocation(
    key: &Key,
    record: Option<&Versioned>,
    digests: &DigestKey,
) -> Result<Option<RevocationChange>, StoreError> {
    if key.kind != Kind::Revocation {
        return Ok(None);
    }
    let digest: Digest = key.id.parse().map_err(|_| unreadable(key))?;
    let Some(record) = record else {
        return Ok(Some(RevocationChange::Removed(digest)));
    };
    let record: RevocationRecord = records::read(&key.to_string(), record)?;
    let (named, name) = record.named.parts();
    if digests.digest(named, &record.issuer, name) != digest {
        return Err(unreadable(key));
    }
    let revocation = Revocation {
        issued_before: record.issued_before.map_or(ALWAYS, UnixTime::from_millis),
        expires_at: UnixTime::from_millis(record.expires_at),
    };
    Ok(Some(RevocationChange::Put(named, digest, revocation)))
}

/// The status as decisions know it.
pub fn status(status: SubscriptionStatus) -> Status {
    match status {
        SubscriptionStatus::Pending => Status::Pending,
        SubscriptionStatus::Accepted => Status::Accepted,
        SubscriptionStatus::Rejected => Status::Rejected,
        SubscriptionStatus::Paused => Status::Paused,
        SubscriptionStatus::Closed => Status::Closed,
    }
}

fn application(record: ApplicationRecord) -> ApplicationEntry {
    let ApplicationRecord {
        name: _,  // for people
        owner: _, // for people
        client_ids,
        claim_sets,
        audience,
        suspended,
        created_at: _, // for people
        updated_at: _, // for people
    } = record;
    ApplicationEntry {
        clients: client_ids
            .into_iter()
            .map(|client| (client.issuer.map(IssuerName::new), client.id.into()))
            .collect(),
        claim_sets: claim_sets
            .into_iter()
            .map(|set| {
                set.into_iter()
                    .map(|(claim, value)| (claim.into(), value.into()))
                    .collect()
            })
            .collect(),
        audience: audience.map(Into::into),
        suspended,
    }
}

fn subscription(record: &SubscriptionRecord) -> SubscriptionEntry {
    let SubscriptionRecord {
        status: kept,
        from,
        until,
        created_at: _, // for people
        updated_at: _, // for people
    } = *record;
    SubscriptionEntry {
        status: status(kept),
        from: from.map(UnixTime::from_millis),
        until: until.map(UnixTime::from_millis),
    }
}

fn parts(key: &Key) -> Result<Vec<&str>, StoreError> {
    let parts: Vec<&str> = key.id.split(':').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(unreadable(key));
    }
    Ok(parts)
}

fn unreadable(key: &Key) -> StoreError {
    StoreError::Damaged(format!("{key} makes no sense"))
}

/// 32 bytes from 64 hexadecimal digits.
fn hash(digits: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = digits.as_bytes().try_into().ok()?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let text = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::super::Revision;
    use super::*;

    fn read(kind: Kind, id: &str, value: &str) -> Result<Option<Change>, StoreError> {
        let record = Versioned {
            version: Revision(1),
            value: value.as_bytes().to_vec(),
        };
        change(&Key::new(kind, id), Some(&record))
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let subscription = r#"{"status":"accepted","created_at":1,"updated_at":1}"#;
        let key = |hash: &str| format!(r#"{{"hash":"{hash}","prefix":"ab","created_at":1}}"#);
        for (kind, id, value, good) in [
            (Kind::Application, "a", r#"{"created_at":1,"updated_at":1}"#, true),
            (
                Kind::Application,
                "a",
                r#"{"created_at":1,"updated_at":1,"new":1}"#,
                false,
            ),
            (Kind::Application, "a", "", false),
            (Kind::Subscription, "a:b:c", subscription, true),
            (Kind::Subscription, "a:b", subscription, false),
            (Kind::Subscription, "a:b:c:d", subscription, false),
            (Kind::Subscription, "a::c", subscription, false),
            (
                Kind::Subscription,
                "a:b:c",
                r#"{"status":"maybe","created_at":1,"updated_at":1}"#,
                false,
            ),
            (Kind::ApiKey, "a:b:c:1", &key(&"0f".repeat(32)), true),
            (Kind::ApiKey, "a:b:c:1", &key(&"0f".repeat(31)), false),
            (Kind::ApiKey, "a:b:c:1", &key(&"zz".repeat(32)), false),
            (Kind::ApiKey, "a:b:c", &key(&"0f".repeat(32)), false),
        ] {
            assert_eq!(read(kind, id, value).is_ok(), good, "{kind:?} {id} {value}");
        }
    }
}
