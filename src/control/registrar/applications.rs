//! Applications: made, changed, suspended, removed.
//!
//! A client id identifies exactly one application, whether the store or the configuration knows it; an overlap is refused
//! when it is written. With an application go its subscriptions and keys: nobody who is made later under the same id
//! inherits them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::audit::{Note, value};
use super::kept::{Kept, read};
use super::owners::{meets, overlap};
use super::{
    Actor, Desk, Expected, Origin, Page, Refusal, Registrar, Repeatable, Ruling, Shown, remove, shown_time,
    write,
};
use crate::control::state::records::{ApplicationRecord, ClientIdRecord};
use crate::control::state::{Key, Kind, Revision, Write};
use crate::id::{IssuerName, parse_name};
use crate::snapshot::Snapshot;
use crate::subscription::{ClaimSet, DeclaredApplication};
use crate::time::{Clock, UnixTime};

/// The longest name, owner, audience, client id, claim or claim value, in bytes: it must fit a token, and a line.
const TEXT_BYTES_MAX: usize = 256;
/// Client ids of one application, and claim sets.
const CLIENTS_MAX: usize = 100;
/// Claims of one set.
const CLAIMS_MAX: usize = 20;
/// Records under one application that are removed with it in one batch.
const REMOVED_MAX: usize = 100_000;

/// What an application says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationInput {
    /// For people.
    #[serde(default)]
    pub name: Option<String>,
    /// For people.
    #[serde(default)]
    pub owner: Option<String>,
    /// Client ids that stand for it.
    #[serde(default)]
    pub client_ids: Vec<ClientIdInput>,
    /// Claims that stand for it: all of one set, any of the sets.
    #[serde(default)]
    pub claim_sets: Vec<BTreeMap<String, String>>,
    /// An audience of its own, instead of its id.
    #[serde(default)]
    pub audience: Option<String>,
}

/// A new application.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewApplication {
    /// Its id.
    pub id: String,
    /// For people.
    #[serde(default)]
    pub name: Option<String>,
    /// For people.
    #[serde(default)]
    pub owner: Option<String>,
    /// Client ids that stand for it.
    #[serde(default)]
    pub client_ids: Vec<ClientIdInput>,
    /// Claims that stand for it: all of one set, any of the sets.
    #[serde(default)]
    pub claim_sets: Vec<BTreeMap<String, String>>,
    /// An audience of its own, instead of its id.
    #[serde(default)]
    pub audience: Option<String>,
}

/// One client id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientIdInput {
    /// The client id, byte for byte.
    pub id: String,
    /// Only in tokens of this issuer; nothing: in tokens of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// An application as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationView {
    /// Its id.
    pub id: String,
    /// Where it was written.
    pub origin: Origin,
    /// The revision that wrote it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Client ids that stand for it.
    pub client_ids: Vec<ClientIdInput>,
    /// Claims that stand for it.
    pub claim_sets: Vec<BTreeMap<String, String>>,
    /// An audience of its own, instead of its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// None of its subscriptions is in force.
    pub suspended: bool,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

// === impl Registrar ===

impl Registrar {
    /// Makes an application.
    ///
    /// # Errors
    /// When a member breaks a rule, the id or a client id is taken, or the store fails.
    pub fn create_application(
        &self,
        actor: &Actor,
        new: &NewApplication,
        repeatable: Option<&Repeatable>,
    ) -> Result<ApplicationView, Refusal> {
        let NewApplication {
            id,
            name,
            owner,
            client_ids,
            claim_sets,
            audience,
        } = new.clone();
        let input = ApplicationInput {
            name,
            owner,
            client_ids,
            claim_sets,
            audience,
        };
        parse_name(&id).map_err(|error| Refusal::invalid("id", error.to_string()))?;
        self.change(actor, |desk| {
            if let Some((id, made)) = desk.made_before::<ApplicationRecord>(repeatable)? {
                return Ok(Ruling::unchanged("application.create", &id, made));
            }
            if desk.declared_application(&id).is_some()
                || desk
                    .store
                    .get(&Key::new(Kind::Application, id.as_str()))?
                    .is_some()
            {
                return Err(Refusal::Exists {
                    what: "an application",
                    id: id.clone(),
                });
            }
            desk.judge_application(&id, &input)?;
            let record = record(input.clone(), false, desk.now.millis(), desk.now.millis());
            let outcome = view(&id, None, record.clone());
            // Subscriptions that outlived an application of the configuration are not this one's.
            let mut writes = desk.below(&id)?;
            writes.push(write(Kind::Application, &id, &record)?);
            writes.extend(desk.remember(repeatable, &id)?);
            let note = Note::of("application.create", &id).after(value(&outcome));
            Ok(Ruling {
                writes,
                note,
                outcome,
            })
        })
    }

    /// Replaces what an application says of itself.
    ///
    /// # Errors
    /// As for making one; when it is another version, or the configuration's.
    pub fn replace_application(
        &self,
        actor: &Actor,
        id: &str,
        input: &ApplicationInput,
        expected: &Expected,
    ) -> Result<ApplicationView, Refusal> {
        self.revise(
            actor,
            id,
            "application.replace",
            expected,
            |desk, old: &ApplicationRecord| {
                desk.judge_application(id, input)?;
                let (created_at, now) = (old.created_at, desk.now.millis());
                Ok(Some(record(input.clone(), old.suspended, created_at, now)))
            },
        )
    }

    /// Suspends an application, or lets it resume.
    ///
    /// # Errors
    /// When it is so already, another version, or the configuration's.
    pub fn suspend_application(
        &self,
        actor: &Actor,
        id: &str,
        suspended: bool,
        expected: &Expected,
    ) -> Result<ApplicationView, Refusal> {
        let action = if suspended {
            "application.suspend"
        } else {
            "application.resume"
        };
        self.revise(actor, id, action, expected, |desk, old: &ApplicationRecord| {
            if old.suspended == suspended {
                let already = if suspended {
                    "is suspended already"
                } else {
                    "is not suspended"
                };
                return Err(Refusal::Conflict(format!("the application `{id}` {already}")));
            }
            Ok(Some(ApplicationRecord {
                suspended,
                updated_at: desk.now.millis(),
                ..old.clone()
            }))
        })
    }

    /// Removes an application with its subscriptions and keys.
    ///
    /// # Errors
    /// When it is not there, another version, or the configuration's.
    pub fn delete_application(&self, actor: &Actor, id: &str, expected: &Expected) -> Result<(), Refusal> {
        let gone = self.change(actor, |desk| {
            let (old, _) = desk.own::<ApplicationRecord>(id, expected)?;
            let mut writes = desk.below(id)?;
            writes.push(remove(Kind::Application, id));
            let note = Note::of("application.delete", id).before(value(&old));
            Ok(Ruling {
                writes,
                note,
                outcome: old,
            })
        });
        gone.map(|_| ())
    }

    /// One application.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn application(&self, id: &str) -> Result<ApplicationView, Refusal> {
        if let Some(record) = self.store.get(&Key::new(Kind::Application, id))? {
            return read::<ApplicationRecord>(id, &record, Clock.now());
        }
        let snapshot = self.cell.snapshot();
        let declared = snapshot.declared.applications.iter();
        let found = declared.into_iter().find(|declared| declared.id.as_str() == id);
        found
            .map(declared_view)
            .ok_or_else(|| Refusal::not_found("application", id))
    }

    /// At most `limit` applications whose ids come after `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn applications(&self, after: Option<&str>, limit: usize) -> Result<Page<ApplicationView>, Refusal> {
        let snapshot = self.cell.snapshot();
        let declared = snapshot.declared.applications.iter();
        let declared = declared.map(|application| (application.id.to_string(), declared_view(application)));
        self.page(
            (Kind::Application, ""),
            declared.collect(),
            (after, limit),
            |id, record| read::<ApplicationRecord>(id, record, Clock.now()),
            |_| true,
        )
    }
}

// === impl Desk ===

impl Desk<'_> {
    pub(super) fn declared_application(&self, id: &str) -> Option<&DeclaredApplication> {
        declared(self.snapshot, id)
    }

    /// Whether an application may say this of itself.
    fn judge_application(&self, id: &str, input: &ApplicationInput) -> Result<(), Refusal> {
        let ApplicationInput {
            name,
            owner,
            client_ids,
            claim_sets,
            audience,
        } = input;
        for (member, text) in [("name", name), ("owner", owner), ("audience", audience)] {
            if let Some(text) = text {
                judge_text(member, text)?;
            }
        }
        if client_ids.len() > CLIENTS_MAX || claim_sets.len() > CLIENTS_MAX {
            return Err(Refusal::invalid(
                "client_ids",
                "and claim sets are at most 100 each",
            ));
        }
        for (place, client) in client_ids.iter().enumerate() {
            let earlier = client_ids.iter().take(place);
            self.judge_client(id, client, earlier)?;
        }
        for (place, set) in claim_sets.iter().enumerate() {
            self.judge_claims(id, set)?;
            if claim_sets.iter().take(place).any(|earlier| earlier == set) {
                return Err(Refusal::invalid("claim_sets", "has the same set twice"));
            }
        }
        Ok(())
    }

    fn judge_client<'c>(
        &self,
        id: &str,
        client: &ClientIdInput,
        mut earlier: impl Iterator<Item = &'c ClientIdInput>,
    ) -> Result<(), Refusal> {
        judge_text("client_ids", &client.id)?;
        let issuer = client.issuer.as_deref();
        let known = |issuer: &str| {
            let issuers = &self.snapshot.issuers;
            issuers.iter().any(|known| known.name.as_str() == issuer)
        };
        if issuer.is_some_and(|issuer| !known(issuer)) {
            return Err(Refusal::invalid(
                "client_ids",
                "names an issuer that is not configured",
            ));
        }
        if earlier.any(|other| other.id == client.id && overlap(other.issuer.as_deref(), issuer)) {
            return Err(Refusal::invalid("client_ids", "has the same client id twice"));
        }
        let taken = |by: &str| {
            Err(Refusal::Conflict(format!(
                "the client id `{}` is that of the application `{by}`",
                client.id
            )))
        };
        if let Some(owner) = self.owners.of(issuer, &client.id).filter(|owner| *owner != id) {
            return taken(owner);
        }
        for declared in &self.snapshot.declared.applications {
            let overlaps = declared.clients.iter().any(|(own, declared)| {
                **declared == *client.id && overlap(own.as_ref().map(IssuerName::as_str), issuer)
            });
            if overlaps {
                return taken(declared.id.as_str());
            }
        }
        Ok(())
    }

    fn judge_claims(&self, id: &str, set: &BTreeMap<String, String>) -> Result<(), Refusal> {
        if set.is_empty() || set.len() > CLAIMS_MAX {
            return Err(Refusal::invalid("claim_sets", "must hold sets of 1 to 20 claims"));
        }
        for (claim, value) in set {
            judge_text("claim_sets", claim)?;
            judge_text("claim_sets", value)?;
        }
        let mut declared = self.snapshot.declared.applications.iter();
        let declared = declared.find(|declared| {
            let sets = declared.claim_sets.iter();
            let mut sets = sets.map(|own| {
                own.members()
                    .map(|(claim, value)| (claim.into(), value.into()))
                    .collect()
            });
            sets.any(|own| meets(&own, set))
        });
        let declared = declared.map(|declared| declared.id.as_str());
        match self.owners.of_claims(set, id).or(declared) {
            Some(owner) => Err(Refusal::Conflict(format!(
                "a claim set would identify the application `{owner}`, too"
            ))),
            None => Ok(()),
        }
    }

    /// Writes that remove every subscription and key of an application.
    fn below(&self, id: &str) -> Result<Vec<Write>, Refusal> {
        let mut writes = Vec::new();
        for kind in [Kind::Subscription, Kind::ApiKey] {
            let records = self.store.list(kind, &format!("{id}:"), None, REMOVED_MAX)?;
            writes.extend(records.into_iter().map(|(id, _)| remove(kind, &id)));
        }
        if writes.len() >= REMOVED_MAX {
            return Err(Refusal::Conflict(
                "the application has too many subscriptions to be removed at once".to_owned(),
            ));
        }
        Ok(writes)
    }
}

// === impl ApplicationRecord ===

impl Kept for ApplicationRecord {
    const KIND: Kind = Kind::Application;
    const WHAT: &'static str = "application";
    type View = ApplicationView;

    fn view(&self, id: &str, version: Option<Revision>, _: UnixTime) -> ApplicationView {
        view(id, version, self.clone())
    }

    fn created_at(&self) -> i64 {
        self.created_at
    }

    fn is_declared(snapshot: &Snapshot, id: &str) -> bool {
        declared(snapshot, id).is_some()
    }
}

// === impl ApplicationView ===

impl Shown for ApplicationView {
    fn written_by(&mut self, revision: Revision) {
        self.version = Some(revision.0);
    }
}

/// The application of this id that the configuration declares.
pub(super) fn declared<'s>(snapshot: &'s Snapshot, id: &str) -> Option<&'s DeclaredApplication> {
    let declared = &snapshot.declared.applications;
    declared.iter().find(|application| application.id.as_str() == id)
}

fn judge_text(member: &'static str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::invalid(member, "must hold texts of 1 to 256 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::invalid(member, "must not hold control characters"));
    }
    Ok(())
}

fn record(input: ApplicationInput, suspended: bool, created_at: i64, updated_at: i64) -> ApplicationRecord {
    let ApplicationInput {
        name,
        owner,
        client_ids,
        claim_sets,
        audience,
    } = input;
    ApplicationRecord {
        name,
        owner,
        client_ids: client_ids
            .into_iter()
            .map(|ClientIdInput { id, issuer }| ClientIdRecord { issuer, id })
            .collect(),
        claim_sets,
        audience,
        suspended,
        created_at,
        updated_at,
    }
}

fn view(id: &str, version: Option<Revision>, record: ApplicationRecord) -> ApplicationView {
    let ApplicationRecord {
        name,
        owner,
        client_ids,
        claim_sets,
        audience,
        suspended,
        created_at,
        updated_at,
    } = record;
    ApplicationView {
        id: id.to_owned(),
        origin: Origin::State,
        version: version.map(|version| version.0),
        name,
        owner,
        client_ids: client_ids
            .into_iter()
            .map(|ClientIdRecord { issuer, id }| ClientIdInput { id, issuer })
            .collect(),
        claim_sets,
        audience,
        suspended,
        created_at: Some(shown_time(created_at)),
        updated_at: Some(shown_time(updated_at)),
    }
}

fn declared_view(declared: &DeclaredApplication) -> ApplicationView {
    let client = |(issuer, id): &(Option<IssuerName>, Box<str>)| ClientIdInput {
        id: id.to_string(),
        issuer: issuer.as_ref().map(ToString::to_string),
    };
    let claims = |set: &ClaimSet| {
        let members = set.members();
        members
            .map(|(claim, value)| (claim.to_owned(), value.to_owned()))
            .collect()
    };
    ApplicationView {
        id: declared.id.to_string(),
        origin: Origin::Configuration,
        version: None,
        name: None,
        owner: None,
        client_ids: declared.clients.iter().map(client).collect(),
        claim_sets: declared.claim_sets.iter().map(claims).collect(),
        audience: declared.standing.audience.as_deref().map(ToOwned::to_owned),
        suspended: declared.standing.suspended,
        created_at: None,
        updated_at: None,
    }
}
