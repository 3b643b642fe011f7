//! What a token says of itself, read for display and for nothing else.
//!
//! Whether any of it is true is known from the notes of the decision. So this reader may be lenient: of a token that is
//! refused for its form, whatever can be read is shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::cite::{Cites, KEY_SOURCES};
use super::record::Checks;
use super::report::{Cite, Line};
use super::words;
use crate::issuer::{Issuer, KeySource};
use crate::time::UnixTime;
use crate::token::{Algorithm, TOKEN_BYTES_MAX};

/// Header and claims, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

// === impl Shown ===

impl Shown {
    pub(super) fn of(token: &str) -> Self {
        if token.len() > TOKEN_BYTES_MAX {
            return Self::default();
        }
        let mut parts = token.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice(&bytes).ok()
        });
        let mut object = || parts.next().flatten().unwrap_or_default();
        Self {
            header: object(),
            claims: object(),
        }
    }

    /// What an issuer that was asked says of a token.
    pub(super) fn of_answer(claims: Map<String, Value>) -> Self {
        let header = Map::new();
        Self { header, claims }
    }

    /// A member of the header, if it is a string.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }

    /// What the token calls its key: `kid`, or else the thumbprint of a certificate (RFC 7515 section 4.1).
    pub(super) fn key_name(&self) -> Option<&str> {
        let names = ["kid", "x5t#S256", "x5t"];
        names.into_iter().find_map(|name| self.parameter(name))
    }

    /// A claim, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// A claim, if it is a number of seconds.
    pub(super) fn time(&self, name: &str) -> Option<UnixTime> {
        const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;
        let seconds = self.claims.get(name)?.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 2^53 * 1000, which an i64 holds"
        )]
        (0.0..=SECONDS_MAX)
            .contains(&seconds)
            .then(|| UnixTime::from_millis((seconds * 1000.0).floor() as i64))
    }

    /// Header and claims, whole; whether the signature vouches for them.
    pub(super) fn lines(&self, verified: bool) -> Vec<Line> {
        let whole = |name: &'static str, object: &Map<String, Value>| {
            let value = Value::Object(object.clone());
            let doubt = if verified { "" } else { "not verified: " };
            (!object.is_empty()).then(|| Line::new(name, format!("{doubt}{value}"), value))
        };
        [whole("header", &self.header), whole("claims", &self.claims)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What the token was held against, check by check, as far as it came; the check that failed is the last.
    pub(super) fn checked(
        &self,
        issuer: &Issuer,
        checks: &Checks,
        now: UnixTime,
        cites: Cites<'_>,
        audiences: Option<Cite>,
    ) -> Vec<Line> {
        let name = issuer.name.as_str();
        let says = |parameter: &str| self.parameter(parameter).unwrap_or("absent").to_owned();
        let mut lines = vec![Line::plain("issuer", name).at(cites.issuer(name, "name"))];
        let algorithm = format!("{}, of {}", says("alg"), words::list(allowed(issuer)));
        lines.push(Line::new("algorithm", algorithm, says("alg")).at(cites.issuer(name, "algorithms")));
        if checks.algorithm.is_none() {
            return lines;
        }
        let types = words::list(issuer.rules.token_types.names());
        let typ = format!("{}, of {types}", says("typ"));
        lines.push(
            Line::new("type", typ, says("typ")).at(cites.issuer_any(name, &["token_types", "token_profile"])),
        );
        if !checks.token_type {
            return lines;
        }
        let place = cites.issuer_any(name, &KEY_SOURCES);
        let Some(key) = &checks.key else {
            let text = format!(
                "none for {}, of {}",
                self.key_name().unwrap_or("a token that names no key"),
                words::list(keys(issuer))
            );
            lines.push(Line::new("key", text, Value::Null).at(place));
            return lines;
        };
        let id = key.as_deref().unwrap_or("without id");
        let how = match self.key_name() {
            Some(_) => "named by the token",
            None if matches!(issuer.source, KeySource::Files(_)) && id == "default" => "the default key",
            None => "the only one for the algorithm",
        };
        lines.push(Line::new("key", format!("{id}, {how}"), key.clone()).at(place.clone()));
        if !checks.signature {
            lines.push(Line::new("signature", "is not the key's", false).at(place));
            return lines;
        }
        lines.push(Line::new("signature", "is the key's", true).at(place));
        lines.extend(self.times(issuer, now, cites));
        if checks.times.is_none() {
            return lines;
        }
        let audience = self.claims.get("aud").cloned().unwrap_or_default();
        let accepted = match checks.audience {
            true => "accepted by a plan",
            false => "accepted by no plan",
        };
        lines.push(Line::new("audience", format!("{audience}, {accepted}"), audience).at(audiences));
        lines
    }

    /// The times, as far from now as they are, and the claims that must be there.
    fn times(&self, issuer: &Issuer, now: UnixTime, cites: Cites<'_>) -> Vec<Line> {
        let name = issuer.name.as_str();
        let rules = &issuer.rules;
        let leeway = words::length(rules.leeway);
        let mut lines = Vec::new();
        for (line, claim) in [("expires", "exp"), ("not_before", "nbf"), ("issued", "iat")] {
            if let Some(time) = self.time(claim) {
                let text = format!("{claim} {}, leeway {leeway}", words::moment_from_now(time, now));
                lines.push(Line::new(line, text, words::moment(time)).at(cites.issuer(name, "leeway")));
            }
        }
        if let (Some(max), Some(issued), Some(expires)) =
            (rules.max_lifetime, self.time("iat"), self.time("exp"))
        {
            let lifetime = expires.since(issued);
            let text = format!("{}, at most {}", words::length(lifetime), words::length(max));
            lines
                .push(Line::new("lifetime", text, lifetime.as_secs()).at(cites.issuer(name, "max_lifetime")));
        }
        let missing = self.missing(issuer);
        let required = words::list(&rules.required_claims);
        let text = match missing.is_empty() {
            true => required,
            false => format!("{required}; absent: {}", missing.join(", ")),
        };
        lines.push(Line::new("required_claims", text, missing).at(cites.issuer(name, "required_claims")));
        lines
    }

    /// Claims that the issuer's tokens must have, and this one has not.
    pub(super) fn missing(&self, issuer: &Issuer) -> Vec<String> {
        let absent = |name: &str| self.claims.get(name).is_none_or(Value::is_null);
        let required = issuer.rules.required_claims.iter();
        required
            .filter(|name| absent(name))
            .map(|name| name.to_string())
            .collect()
    }
}

/// The issuer's algorithms.
pub(super) fn allowed(issuer: &Issuer) -> Vec<&'static str> {
    let all = Algorithm::ALL.into_iter();
    all.filter(|algorithm| issuer.rules.algorithms.contains(*algorithm))
        .map(Algorithm::name)
        .collect()
}

/// The issuer's keys that are here, each with its algorithms.
pub(super) fn keys(issuer: &Issuer) -> Vec<String> {
    let Some(held) = issuer.ring.held() else {
        return Vec::new();
    };
    let shown = held.keys.keys().iter().map(|key| {
        let algorithms: Vec<&str> = key.algorithms().map(Algorithm::name).collect();
        let id = key.kid().unwrap_or("without id");
        format!("{id} ({})", algorithms.join(" "))
    });
    shown.collect()
}
