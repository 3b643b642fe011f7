//! From an issuer's names for claims to ours: two maps, one above the other.
//!
//! The default map, which is written once for all issuers, works on the token's claims; the issuer's own map works on
//! what the default map shows. What a map does not name passes through it. A plain rename hands out a reference to the
//! token's value and costs nothing else; what a map changes is made once, when the token is verified.

use std::sync::Arc;

use super::path::{ClaimPath, descend};
use super::transformation::Transformation;
use super::{IdentityError, SUBJECT};
use crate::token::json::{Object, Value};

/// Local claims, each with what it is made of, in the order written; no local name twice.
#[derive(Debug, Clone, Default)]
pub struct ClaimMap {
    /// See [`ClaimMap`].
    pub claims: Arc<[MappedClaim]>,
}

/// One local claim.
#[derive(Debug, Clone)]
pub struct MappedClaim {
    /// The issuer's name for it.
    pub remote: ClaimPath,
    /// Ours.
    pub local: Box<str>,
    /// What is done to its value.
    pub transformation: Transformation,
    /// Its value where the remote claim is absent or `null`, or its pattern does not match; as it is, not transformed.
    pub default: Option<Value<'static>>,
}

/// Claims as something sees them: as the token has them, or through a map.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'m, 't> {
    Token(&'m Object<'t>),
    Layer(&'m Layer<'m, 't>),
}

/// One map, above the claims that it works on.
#[derive(Debug)]
pub(super) struct Layer<'m, 't> {
    map: &'m ClaimMap,
    below: Source<'m, 't>,
    /// What each transformation made, by the claim's place in the map; nothing at all where the map has none.
    made: Vec<Option<Value<'static>>>,
}

// === impl MappedClaim ===

impl MappedClaim {
    /// A new name and nothing more.
    pub fn rename(remote: &str, local: &str) -> Self {
        Self {
            remote: ClaimPath::parse(remote),
            local: local.into(),
            transformation: Transformation::default(),
            default: None,
        }
    }
}

// === impl Source ===

impl<'m, 't> Source<'m, 't> {
    /// The claim at this path: literally by name first, then as a path.
    pub(super) fn find(self, path: &ClaimPath) -> Option<&'m Value<'t>> {
        if let Some(value) = path.literal().and_then(|name| self.named(name)) {
            return Some(value);
        }
        let (root, rest) = path.steps()?;
        descend(self.named(root)?, rest)
    }

    /// The claim of exactly this name.
    pub(super) fn named(self, name: &str) -> Option<&'m Value<'t>> {
        match self {
            Self::Token(claims) => claims.get(name),
            Self::Layer(layer) => layer.named(name),
        }
    }

    /// Whether a map says what `name` is; what the token calls so is then something else.
    pub(super) fn maps(self, name: &str) -> bool {
        match self {
            Self::Token(_) => false,
            Self::Layer(layer) => layer.map.place(name).is_some() || layer.below.maps(name),
        }
    }
}

// === impl Layer ===

impl<'m, 't> Layer<'m, 't> {
    fn new(map: &'m ClaimMap, below: Source<'m, 't>) -> Result<Self, IdentityError> {
        let mut made = Vec::new();
        for (place, claim) in map.claims.iter().enumerate() {
            if claim.transformation.is_empty() {
                continue;
            }
            made.resize(map.claims.len(), None);
            if let (Some(made), Some(value)) = (made.get_mut(place), below.find(&claim.remote)) {
                *made = claim.transformation.apply(value)?;
            }
        }
        Ok(Self { map, below, made })
    }

    /// The claim with this local name.
    fn named(&'m self, name: &str) -> Option<&'m Value<'t>> {
        let Some((place, claim)) = self.map.place(name) else {
            return self.below.named(name);
        };
        let default = claim.default.as_ref();
        match self.below.find(&claim.remote) {
            Some(Value::Null) if default.is_some() => default,
            Some(value) if claim.transformation.is_empty() => Some(value),
            Some(_) => self.made.get(place).and_then(Option::as_ref).or(default),
            None if default.is_some() => default,
            // Who is calling has one source: without it there is nobody, whatever else the token calls so.
            None if name == SUBJECT && !self.below.maps(name) => None,
            None => self.below.named(name),
        }
    }
}

// === impl ClaimMap ===

impl ClaimMap {
    /// Puts the map above claims; an empty one is not worth a layer.
    ///
    /// # Errors
    /// When a claim cannot be transformed as the map says.
    pub(super) fn above<'m, 't>(
        &'m self,
        below: Source<'m, 't>,
    ) -> Result<Option<Layer<'m, 't>>, IdentityError> {
        if self.claims.is_empty() {
            return Ok(None);
        }
        Layer::new(self, below).map(Some)
    }

    fn place(&self, local: &str) -> Option<(usize, &MappedClaim)> {
        let mut claims = self.claims.iter().enumerate();
        claims.find(|(_, claim)| *claim.local == *local)
    }
}
