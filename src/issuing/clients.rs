//! Who may ask for tokens: applications by their client ids, and users by their names.
//!
//! Whoever guesses must not learn who exists. So a name that nobody has is checked as well, against somebody's hash: which
//! one depends on the name alone, so that asking twice takes the same time twice, as it would if the name were somebody's.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use super::password::PasswordHash;
use super::request::Credentials;
use crate::id::ApplicationId;

/// Everybody.
#[derive(Debug, Default)]
pub struct Clients {
    clients: Vec<Client>,
    by_client_id: HashMap<Box<str>, (usize, usize)>,
    by_application: HashMap<Box<str>, usize>,
    with_secret: Vec<usize>,
    users: Vec<User>,
    by_name: HashMap<Box<str>, usize>,
    /// Which hash stands in for the one that nobody has.
    chance: RandomState,
}

/// An application, as far as tokens are concerned.
#[derive(Debug)]
pub struct Client {
    /// Which it is.
    pub application: ApplicationId,
    /// Under which ids it is known in tokens of this issuer.
    pub client_ids: Vec<Box<str>>,
    /// What it proves itself with; `None`: not at all.
    pub secret: Option<PasswordHash>,
    /// What it may have.
    pub scopes: Vec<Box<str>>,
}

/// Somebody who may ask for tokens.
#[derive(Debug)]
pub struct User {
    /// The `sub` of its tokens.
    pub name: Box<str>,
    /// Of its password.
    pub password: PasswordHash,
    /// For which it may ask, at least one.
    pub applications: Vec<ApplicationId>,
}

// === impl Clients ===

impl Clients {
    /// These; client ids, applications and names are unique already.
    pub fn new(clients: Vec<Client>, users: Vec<User>) -> Self {
        let mut all = Self::default();
        for (index, client) in clients.iter().enumerate() {
            for (place, id) in client.client_ids.iter().enumerate() {
                all.by_client_id.insert(id.clone(), (index, place));
            }
            all.by_application
                .insert(client.application.as_str().into(), index);
            if client.secret.is_some() {
                all.with_secret.push(index);
            }
        }
        for (index, user) in users.iter().enumerate() {
            all.by_name.insert(user.name.clone(), index);
        }
        Self {
            clients,
            users,
            ..all
        }
    }

    /// Whether any application has a secret.
    pub const fn have_secrets(&self) -> bool {
        !self.with_secret.is_empty()
    }

    /// Whether there are users.
    pub const fn have_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// The application that proves itself with these, and the client id that it used. It costs the work of one hash,
    /// whoever asks.
    pub fn authenticate(&self, shown: &Credentials) -> Option<(&Client, &str)> {
        let found = self.by_client_id.get(shown.id.as_str());
        let found = found.and_then(|(index, place)| {
            let client = self.clients.get(*index)?;
            Some((client, client.client_ids.get(*place)?))
        });
        let own = found.and_then(|(client, _)| client.secret.as_ref());
        let somebodys = || {
            let index = self
                .with_secret
                .get(self.place(&shown.id, self.with_secret.len())?)?;
            self.clients.get(*index)?.secret.as_ref()
        };
        let is_right = own.or_else(somebodys)?.is_of(shown.secret.as_bytes());
        let (client, id) = found?;
        (is_right && own.is_some()).then_some((client, &**id))
    }

    /// The user who proves himself with these; at the same cost.
    pub fn user(&self, shown: &Credentials) -> Option<&User> {
        let own = self
            .by_name
            .get(shown.id.as_str())
            .and_then(|index| self.users.get(*index));
        let somebody = || self.users.get(self.place(&shown.id, self.users.len())?);
        let is_right = own.or_else(somebody)?.password.is_of(shown.secret.as_bytes());
        own.filter(|_| is_right)
    }

    /// What is known of an application.
    pub fn of(&self, application: &ApplicationId) -> Option<&Client> {
        self.clients.get(*self.by_application.get(application.as_str())?)
    }

    fn place(&self, name: &str, places: usize) -> Option<usize> {
        let hash = self.chance.hash_one(name);
        usize::try_from(hash.checked_rem(u64::try_from(places).ok()?)?).ok()
    }
}
