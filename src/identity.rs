//! Who is calling: the caller's identity, read from verified claims through the issuer's mapping.
//!
//! Issuers name the same thing differently. A [`ClaimMapping`] renames remote claims to local ones, one to one, value
//! types kept; what it does not name passes through. A local name that a mapping feeds is fed by that mapping whenever
//! its remote claim is present. Only claims that something asks for (a header, the access log) are kept, so a token's
//! other kilobytes cost nothing after the check.

mod path;

use std::borrow::Cow;
use std::sync::Arc;

pub use path::ClaimPath;

use crate::id::IssuerName;
use crate::token::VerifiedToken;
use crate::token::json::{Object, Value};

/// How one issuer's claims become ours.
#[derive(Debug, Clone)]
pub struct ClaimMapping {
    /// `(remote, local)`, in the order written; no local name twice.
    pub renames: Vec<(ClaimPath, Box<str>)>,
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
    /// `sub`, if the token has one.
    pub subject: Option<Box<str>>,
    /// The client id, if the token has one.
    pub client_id: Option<Box<str>>,
    scopes: Scopes,
    claims: Vec<Option<Value<'static>>>,
}

/// Why verified claims cannot become an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityError {
    /// `sub` is no string.
    SubjectType,
    /// The client id is no string.
    ClientIdType,
    /// The scopes are neither a string nor an array of strings.
    ScopesType,
}

/// Claims seen through a mapping.
struct Local<'m, 't> {
    mapping: &'m ClaimMapping,
    claims: &'m Object<'t>,
}

// === impl ClaimMapping ===

impl ClaimMapping {
    /// Reads the caller's identity.
    ///
    /// # Errors
    /// When a claim that matters has the wrong type: a wrong type is a denial, never a guess.
    pub fn apply(&self, issuer: &IssuerName, token: &VerifiedToken<'_>) -> Result<Identity, IdentityError> {
        self.read(issuer, token.claims())
    }

    fn read(&self, issuer: &IssuerName, claims: &Object<'_>) -> Result<Identity, IdentityError> {
        let local = Local {
            mapping: self,
            claims,
        };
        let subject = match claims.get("sub") {
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
        Ok(Identity {
            issuer: issuer.clone(),
            subject,
            client_id,
            scopes,
            claims,
        })
    }
}

// === impl Identity ===

impl Identity {
    /// Whether the caller has exactly this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.has(scope)
    }

    /// The kept claim at this place of [`ClaimMapping::kept`].
    pub fn claim(&self, index: usize) -> Option<&Value<'static>> {
        self.claims.get(index).and_then(Option::as_ref)
    }
}

// === impl IdentityError ===

impl IdentityError {
    /// Every reason there is.
    pub const ALL: [Self; 3] = [Self::SubjectType, Self::ClientIdType, Self::ScopesType];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SubjectType => "subject_type_invalid",
            Self::ClientIdType => "client_id_type_invalid",
            Self::ScopesType => "scopes_type_invalid",
        }
    }
}

// === impl Local ===

impl<'m, 't> Local<'m, 't> {
    /// Literally by name first, then as a path.
    fn find(&self, path: &ClaimPath) -> Option<&'m Value<'t>> {
        if let Some(value) = path.literal().and_then(|name| self.named(name)) {
            return Some(value);
        }
        let (root, rest) = path.steps()?;
        path::descend(self.named(root)?, rest)
    }

    /// The claim with this local name.
    fn named(&self, name: &str) -> Option<&'m Value<'t>> {
        let mut renames = self.mapping.renames.iter();
        let mapped = renames
            .find(|(_, local)| **local == *name)
            .and_then(|(remote, _)| remote.find(self.claims));
        mapped.or_else(|| self.claims.get(name))
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

    fn has(&self, scope: &str) -> bool {
        let mut start = 0;
        self.ends.iter().any(|end| {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let own = self.text.get(start..end);
            start = end;
            own == Some(scope)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::json::parse_object;

    fn mapping(renames: &[(&str, &str)], kept: &[&str]) -> ClaimMapping {
        ClaimMapping {
            renames: renames
                .iter()
                .map(|(remote, local)| (ClaimPath::parse(remote), (*local).into()))
                .collect(),
            scopes: ["scope", "scp"].map(ClaimPath::parse).into(),
            client_ids: ["azp", "client_id", "consumerKey"].map(ClaimPath::parse).into(),
            kept: kept.iter().map(|path| ClaimPath::parse(path)).collect(),
        }
    }

    fn identity(mapping: &ClaimMapping, claims: &str) -> Result<Identity, IdentityError> {
        mapping.read(
            &IssuerName::new("https://acme.example/"),
            &parse_object(claims.as_bytes()).unwrap(),
        )
    }

    #[test]
    fn claims_are_renamed_and_the_rest_passes_through() {
        let renames = [
            ("https://acme.example/roles", "roles"),
            ("realm.access", "access"),
            ("/a/b/0", "first"),
        ];
        for (claims, kept, expected) in [
            (
                r#"{"https://acme.example/roles":"admin"}"#,
                "roles",
                Some("admin"),
            ),
            (
                r#"{"https://acme.example/roles":"admin","roles":"guest"}"#,
                "roles",
                Some("admin"),
            ),
            (r#"{"roles":"guest"}"#, "roles", Some("guest")),
            (r#"{"realm":{"access":"yes"}}"#, "access", Some("yes")),
            (
                r#"{"realm.access":"literal","realm":{"access":"path"}}"#,
                "access",
                Some("literal"),
            ),
            (r#"{"a":{"b":["x","y"]}}"#, "first", Some("x")),
            (r#"{"name":{"given":"Ada"}}"#, "name.given", Some("Ada")),
            (r#"{"name.given":"literal"}"#, "name.given", Some("literal")),
            (r#"{"name":{"given":"Ada"}}"#, "/name/given", Some("Ada")),
            (r#"{"a/b":{"~":"x"}}"#, "/a~1b/~0", Some("x")),
            (r#"{"n":42}"#, "n", Some("42")),
            (r#"{"n":[1,true,"x",null]}"#, "n", Some("1|true|x")),
            (r#"{"n":[[1]]}"#, "n", Some("[[1]]")),
            (r#"{"n":{"a":1}}"#, "n", Some("{\"a\":1}")),
            (r#"{"n":null}"#, "n", None),
            (r#"{}"#, "n", None),
        ] {
            let identity = identity(&mapping(&renames, &[kept]), claims).unwrap();
            let text = identity.claim(0).and_then(claim_text).map(|text| match text {
                ClaimText::One(text) => text.into_owned(),
                ClaimText::Many(members) => members.join("|"),
            });
            assert_eq!(text.as_deref(), expected, "{claims} {kept}");
        }
    }

    #[test]
    fn scopes_are_exact_members() {
        for (claims, scope, expected) in [
            (r#"{"scope":"read write"}"#, "read", true),
            (r#"{"scope":"readonly"}"#, "read", false),
            (r#"{"scope":"read\twrite"}"#, "read", false),
            (r#"{"scope":"  read  "}"#, "read", true),
            (r#"{"scope":""}"#, "", false),
            (r#"{"scp":["read","write all"]}"#, "write all", true),
            (r#"{"scp":["read write"]}"#, "read", false),
            (r#"{"scope":"a","scp":["b"]}"#, "b", false),
        ] {
            assert_eq!(
                identity(&mapping(&[], &[]), claims).unwrap().has_scope(scope),
                expected,
                "{claims} {scope}"
            );
        }
    }

    #[test]
    fn the_first_client_id_decides_and_wrong_types_deny() {
        for (claims, expected) in [
            (r#"{"azp":"a","client_id":"b"}"#, Ok(Some("a"))),
            (r#"{"client_id":"b"}"#, Ok(Some("b"))),
            (r#"{"consumerKey":"c"}"#, Ok(Some("c"))),
            (r#"{"sub":"s"}"#, Ok(None)),
            (r#"{"azp":1}"#, Err(IdentityError::ClientIdType)),
            (
                r#"{"azp":null,"client_id":"b"}"#,
                Err(IdentityError::ClientIdType),
            ),
            (r#"{"sub":1}"#, Err(IdentityError::SubjectType)),
            (r#"{"scope":1}"#, Err(IdentityError::ScopesType)),
            (r#"{"scope":["a",1]}"#, Err(IdentityError::ScopesType)),
            (r#"{"scope":{}}"#, Err(IdentityError::ScopesType)),
        ] {
            let identity = identity(&mapping(&[], &[]), claims);
            assert_eq!(
                identity.as_ref().map(|i| i.client_id.as_deref()).map_err(|e| *e),
                expected,
                "{claims}"
            );
        }
    }
}
