//! Who is calling: the caller's identity, read from verified claims through the issuer's mapping.
//!
//! Issuers name the same thing differently. A [`ClaimMapping`] renames remote claims to local ones, one to one, value
//! types kept unless it says how they change; what it does not name passes through. A local name that a mapping feeds
//! is fed by that mapping whenever its remote claim is present. Everything here is read through the mapping, the subject
//! included: nothing sees the token's own claim where another sees the mapped one. Only claims that something asks for
//! (a header, the access log) are kept, so a token's other kilobytes cost nothing after the check.

mod mapping;
mod path;
#[cfg(test)]
mod tests;
mod transformation;

use std::borrow::Cow;
use std::sync::Arc;

use mapping::Source;
pub use mapping::{ClaimMap, MappedClaim};
pub use path::ClaimPath;
pub use transformation::{PATTERN_BYTES_MAX, Pattern, PatternError, Transformation};

use crate::id::IssuerName;
use crate::token::Vouched;
use crate::token::json::{Object, Value};

/// The claim that says who is calling (RFC 7519 section 4.1.2).
const SUBJECT: &str = "sub";

/// How one issuer's claims become ours.
#[derive(Debug, Clone)]
pub struct ClaimMapping {
    /// The map for all issuers; empty where the issuer does without.
    pub default: ClaimMap,
    /// The issuer's own, which works on what the default map shows.
    pub own: ClaimMap,
    /// Where the scopes are: the first that is present.
    pub scopes: Vec<ClaimPath>,
    /// Where the client id is: the first that is present.
    pub client_ids: Vec<ClaimPath>,
    /// The local claims to keep, shared by all issuers of a snapshot.
    pub kept: Arc<[ClaimPath]>,
}

/// Who is calling, after mapping.
#[derive(Debug)]
pub struct Identity {
    /// Who vouches for the caller.
    pub issuer: IssuerName,
    /// The local claim `sub`, if there is one.
    pub subject: Option<Box<str>>,
    /// The client id, if the token has one.
    pub client_id: Option<Box<str>>,
    scopes: Scopes,
    claims: Vec<Option<Value<'static>>>,
    /// The values of the claims that were asked for, of those that are text.
    asked: Vec<Option<Box<str>>>,
}

/// Why verified claims cannot become an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityError {
    /// `sub` is no string.
    SubjectType,
    /// A mapping feeds `sub`, and the token has nothing to feed it with.
    SubjectMissing,
    /// The client id is no string.
    ClientIdType,
    /// The scopes are neither a string nor an array of strings.
    ScopesType,
    /// A claim has a type that its transformation does not work on.
    TransformationType,
    /// A transformation would make a claim longer than a token may be.
    TransformationTooLong,
    /// The members of a list could not be told apart once they are joined.
    JoinAmbiguous,
}

// === impl ClaimMapping ===

impl ClaimMapping {
    /// Reads the caller's identity, and its values for the local claims of the names in `asked`.
    ///
    /// # Errors
    /// When a claim that matters has the wrong type: a wrong type is a denial, never a guess.
    pub fn apply(
        &self,
        issuer: &IssuerName,
        token: &impl Vouched,
        asked: &[Box<str>],
    ) -> Result<Identity, IdentityError> {
        self.read(issuer, token.claims(), asked)
    }

    fn read(
        &self,
        issuer: &IssuerName,
        claims: &Object<'_>,
        asked: &[Box<str>],
    ) -> Result<Identity, IdentityError> {
        let token = Source::Token(claims);
        let default = self.default.above(token)?;
        let own = self.own.above(default.as_ref().map_or(token, Source::Layer))?;
        let local = own.as_ref().or(default.as_ref()).map_or(token, Source::Layer);
        let subject = match local.named(SUBJECT) {
            None if local.maps(SUBJECT) => return Err(IdentityError::SubjectMissing),
            None => None,
            Some(Value::String(subject)) => Some(subject.as_ref().into()),
            Some(_) => return Err(IdentityError::SubjectType),
        };
        let client_id = match self.client_ids.iter().find_map(|path| local.find(path)) {
            None => None,
            Some(Value::String(id)) => Some(id.as_ref().into()),
            Some(_) => return Err(IdentityError::ClientIdType),
        };
        let scopes = match self.scopes.iter().find_map(|path| local.find(path)) {
            None => Scopes::default(),
            Some(value) => Scopes::read(value)?,
        };
        let claims = self
            .kept
            .iter()
            .map(|path| local.find(path).map(Value::to_static))
            .collect();
        let asked = asked
            .iter()
            .map(|name| Some(local.named(name)?.as_str()?.into()))
            .collect();
        Ok(Identity {
            issuer: issuer.clone(),
            subject,
            client_id,
            scopes,
            claims,
            asked,
        })
    }
}

// === impl Identity ===

impl Identity {
    /// Whether the caller has exactly this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.has(scope)
    }

    /// The caller's scopes, in the token's order.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter()
    }

    /// About how many bytes it takes to keep it.
    pub fn weight(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let claims: usize = self.claims.iter().flatten().map(Value::weight).sum();
        let asked: usize = self.asked.iter().map(text).sum();
        size_of::<Self>()
            + text(&self.subject)
            + text(&self.client_id)
            + self.scopes.weight()
            + claims
            + asked
    }

    /// The text of the claim at this place of the names that were asked for.
    pub fn asked(&self, place: usize) -> Option<&str> {
        self.asked.get(place).and_then(Option::as_deref)
    }

    /// The kept claim at this place of [`ClaimMapping::kept`].
    pub fn claim(&self, index: usize) -> Option<&Value<'static>> {
        self.claims.get(index).and_then(Option::as_ref)
    }
}

// === impl IdentityError ===

impl IdentityError {
    /// Every reason there is.
    pub const ALL: [Self; 7] = [
        Self::SubjectType,
        Self::SubjectMissing,
        Self::ClientIdType,
        Self::ScopesType,
        Self::TransformationType,
        Self::TransformationTooLong,
        Self::JoinAmbiguous,
    ];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SubjectType => "subject_type_invalid",
            Self::SubjectMissing => "subject_missing",
            Self::ClientIdType => "client_id_type_invalid",
            Self::ScopesType => "scopes_type_invalid",
            Self::TransformationType => "transformation_type_invalid",
            Self::TransformationTooLong => "transformation_too_long",
            Self::JoinAmbiguous => "join_ambiguous",
        }
    }
}

/// Scopes, side by side in one text: a token with thousands of them takes no more memory than itself.
#[derive(Debug, Default)]
struct Scopes {
    text: String,
    /// Where each scope ends in the text.
    ends: Vec<u32>,
}

// === impl Scopes ===

impl Scopes {
    /// A space-separated string (RFC 6749 section 3.3) or an array of strings.
    fn read(value: &Value<'_>) -> Result<Self, IdentityError> {
        let mut scopes = Self::default();
        match value {
            Value::String(text) => text
                .split(' ')
                .filter(|scope| !scope.is_empty())
                .for_each(|scope| scopes.push(scope)),
            Value::Array(members) => {
                for member in members {
                    scopes.push(member.as_str().ok_or(IdentityError::ScopesType)?);
                }
            }
            _ => return Err(IdentityError::ScopesType),
        }
        scopes.text.shrink_to_fit();
        scopes.ends.shrink_to_fit();
        Ok(scopes)
    }

    fn push(&mut self, scope: &str) {
        self.text.push_str(scope);
        // A token has 16 KiB.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn weight(&self) -> usize {
        self.text.len() + size_of_val(self.ends.as_slice())
    }

    fn has(&self, scope: &str) -> bool {
        self.iter().any(|own| own == scope)
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().filter_map(move |end| {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let own = self.text.get(start..end);
            start = end;
            own
        })
    }
}

/// A claim as a header shows it.
#[derive(Debug, PartialEq, Eq)]
pub enum ClaimText<'v> {
    /// Scalars as they are, what is nested as compact JSON.
    One(Cow<'v, str>),
    /// The members of an array of scalars, `null` left out.
    Many(Vec<Cow<'v, str>>),
}

/// The text of a claim; `null` has none.
pub fn claim_text<'v>(value: &'v Value<'_>) -> Option<ClaimText<'v>> {
    match value {
        Value::Array(members) if members.iter().all(is_scalar) => {
            Some(ClaimText::Many(members.iter().filter_map(scalar_text).collect()))
        }
        Value::Array(_) | Value::Object(_) => serde_json::to_string(value)
            .ok()
            .map(|json| ClaimText::One(json.into())),
        scalar => scalar_text(scalar).map(ClaimText::One),
    }
}

fn scalar_text<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    match value {
        Value::Bool(true) => Some("true".into()),
        Value::Bool(false) => Some("false".into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::String(text) => Some(text.as_ref().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

const fn is_scalar(value: &Value<'_>) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}
