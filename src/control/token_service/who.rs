//! A request as an endpoint sees it, and who it is that asks.
//!
//! Every look at a secret is paid for first, by the one that it is said to be and by where it comes from
//! ([`Attempts`](crate::limit::Attempts)), and takes the same work whether or not that one exists.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::Service;
use crate::issuing::{Authorization, Client, Credentials, Form, Refusal, TokenService, User};
use crate::limit::Attempt;
use crate::snapshot::{HttpSettings, Snapshot};
use crate::time::UnixTime;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request, read whole.
pub(super) struct Asked {
    pub(super) service: Arc<Service>,
    pub(super) snapshot: Arc<Snapshot>,
    /// The endpoint's word.
    pub(super) endpoint: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) body: Bytes,
    /// From where, as far as trusted proxies tell.
    pub(super) client: Option<IpAddr>,
    pub(super) now: UnixTime,
}

/// From where a request comes: the last address that no trusted proxy has written down for another one.
pub(super) fn client(http: &HttpSettings, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
    let mut client = peer?;
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    let hops: Vec<&str> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .collect();
    for hop in hops.into_iter().rev() {
        if !http.trusts(client) {
            break;
        }
        let Ok(address) = hop.trim().parse() else { break };
        client = address;
    }
    Some(client)
}

// === impl Asked ===

impl Asked {
    /// What is in force. A reload may have taken it away; the listener stays until a restart.
    pub(super) fn issuing(&self) -> Result<&TokenService, Refusal> {
        let service = self.snapshot.token_service.as_deref();
        service.ok_or(Refusal::NotConfigured("the token service is not configured"))
    }

    /// The one field `Authorization`.
    pub(super) fn authorization(&self) -> Result<Option<Authorization>, Refusal> {
        match self.only(&AUTHORIZATION)? {
            None => Ok(None),
            Some(value) => {
                Authorization::parse(value.to_str().map_err(|_| Refusal::InvalidClient)?).map(Some)
            }
        }
    }

    /// A field that may be there once.
    pub(super) fn only(&self, name: &HeaderName) -> Result<Option<&HeaderValue>, Refusal> {
        let mut fields = self.headers.get_all(name).iter();
        match (fields.next(), fields.next()) {
            (field, None) => Ok(field),
            (_, Some(_)) => Err(Refusal::InvalidRequest("a header field is there twice")),
        }
    }

    /// The body as a form. Nothing may be in the query: what is there ends up in logs.
    pub(super) fn form(&self) -> Result<Form, Refusal> {
        self.has_type("application/x-www-form-urlencoded", "the body must be a form")?;
        Form::parse(&self.body)
    }

    /// Whether the body has this type, and the query is empty.
    pub(super) fn has_type(&self, wanted: &str, otherwise: &'static str) -> Result<(), Refusal> {
        if !self.query.is_empty() {
            return Err(Refusal::InvalidRequest(
                "parameters belong into the body, not into the query",
            ));
        }
        let essence = self.only(&CONTENT_TYPE)?.and_then(|value| value.to_str().ok());
        let essence = essence.and_then(|value| value.split(';').next()).map(str::trim);
        match essence.is_some_and(|essence| essence.eq_ignore_ascii_case(wanted)) {
            true => Ok(()),
            false => Err(Refusal::InvalidRequest(otherwise)),
        }
    }

    /// Pays for one look at a secret.
    pub(super) fn attempt(&self, whose: Option<&str>) -> Result<Attempt<'_>, Refusal> {
        let attempt = self.service.attempts.begin(whose, self.client, self.now);
        attempt.map_err(Refusal::TooManyAttempts)
    }

    /// The application that asks, by its secret, and the client id that it uses.
    pub(super) fn client(&self, form: &Form) -> Result<(&Client, &str), Refusal> {
        let issuing = self.issuing()?;
        if !issuing.clients.have_secrets() {
            return Err(Refusal::NotConfigured("no application has a client secret"));
        }
        let shown = form.client(self.authorization()?)?;
        self.authenticated(issuing, &shown)
    }

    /// The application whose secret this is, by either reading of it.
    pub(super) fn authenticated<'a>(
        &'a self,
        issuing: &'a TokenService,
        (shown, otherwise): &(Credentials, Option<Credentials>),
    ) -> Result<(&'a Client, &'a str), Refusal> {
        let attempt = self.attempt(Some(&shown.id))?;
        let clients = &issuing.clients;
        let found = clients.authenticate(shown);
        let found = found.or_else(|| clients.authenticate(otherwise.as_ref()?));
        let found = found.ok_or(Refusal::InvalidClient)?;
        attempt.succeeded();
        self.judge_standing(found.0)?;
        Ok(found)
    }

    /// The user who asks, by the password.
    pub(super) fn user(&self) -> Result<&User, Refusal> {
        let issuing = self.issuing()?;
        if !issuing.clients.have_users() {
            return Err(Refusal::NotConfigured("no user is configured"));
        }
        let Some(Authorization::Basic(shown)) = self.authorization()? else {
            return Err(Refusal::InvalidClient);
        };
        // A user and a client of one name are two.
        let attempt = self.attempt(Some(&format!("user {}", shown.id)))?;
        let user = issuing.clients.user(&shown).ok_or(Refusal::InvalidClient)?;
        attempt.succeeded();
        Ok(user)
    }

    /// Whether an application may have tokens at all. What the index knows by the client id is the same application.
    pub(super) fn judge_standing(&self, client: &Client) -> Result<(), Refusal> {
        let issuer = self.issuing()?.issuer.as_str();
        let index = &self.service.api.index;
        let known = client
            .client_ids
            .first()
            .and_then(|id| index.application(issuer, id));
        let good =
            known.is_some_and(|known| known.id == client.application && known.in_good_standing().is_ok());
        match good {
            true => Ok(()),
            false => Err(Refusal::UnauthorizedClient("the application is suspended")),
        }
    }
}
