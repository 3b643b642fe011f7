//! Tokens that their issuer is asked about: what it said of one, when, and what became of that.
//!
//! Nobody is asked for an explanation. What a running gateway was told is shown, and a command that starts none knows nothing.

use serde_json::{Map, Value, json};

use super::advice::{Advice, Case};
use super::report::Line;
use super::words;
use crate::access;
use crate::issuer::{Answer, Issuer};
use crate::time::UnixTime;
use crate::token::TokenError;

/// What an issuer said of a token.
#[derive(Debug)]
pub(super) enum Said {
    Nothing,
    Inactive {
        received_at: UnixTime,
    },
    Active {
        received_at: UnixTime,
        claims: Map<String, Value>,
    },
}

// === impl Said ===

impl Said {
    pub(super) fn of(answer: Option<&Answer>) -> Self {
        match answer {
            None => Self::Nothing,
            Some(Answer::Inactive { received_at }) => Self::Inactive {
                received_at: *received_at,
            },
            Some(Answer::Active(answer)) => Self::Active {
                received_at: answer.received_at,
                claims: serde_json::from_slice(&answer.body).unwrap_or_default(),
            },
        }
    }

    /// The members of the answer, if the token was active.
    pub(super) fn claims(&self) -> Map<String, Value> {
        match self {
            Self::Active { claims, .. } => claims.clone(),
            Self::Nothing | Self::Inactive { .. } => Map::new(),
        }
    }
}

// === impl Case ===

impl Case<'_> {
    /// The stage of the token, if its issuer is asked about it.
    pub(super) fn opaque(&self, issuer: &Issuer, said: &Said) -> Vec<Line> {
        let name = issuer.name.as_str();
        let introspection = || self.cites.issuer(name, "introspection");
        let mut lines = vec![
            Line::new("kind", "opaque: its issuer is asked about it", "opaque"),
            Line::plain("issuer", name).at(self.cites.issuer(name, "name")),
        ];
        let when = |time: UnixTime| words::moment_from_now(time, self.now);
        match said {
            Said::Nothing => {
                lines.push(Line::new("answer", "none is known here", Value::Null).at(introspection()));
            }
            Said::Inactive { received_at } => {
                let text = format!("not active, as the issuer said {}", when(*received_at));
                let value = json!({ "active": false, "received_at": words::moment(*received_at) });
                lines.push(Line::new("answer", text, value).at(introspection()));
            }
            Said::Active { received_at, claims } => {
                let text = format!("active, as the issuer said {}", when(*received_at));
                let value = json!({ "active": true, "received_at": words::moment(*received_at) });
                lines.push(Line::new("answer", text, value).at(introspection()));
                let value = Value::Object(claims.clone());
                lines.push(Line::new("claims", value.to_string(), value));
                lines.extend(self.counts(name, claims));
            }
        }
        lines
    }

    fn counts(&self, issuer: &str, claims: &Map<String, Value>) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some((_, until)) = self.record.checks.times {
            let text = format!("until {}", words::moment_from_now(until, self.now));
            let place = self.cites.issuer(issuer, "introspection");
            lines.push(Line::new("counts", text, words::moment(until)).at(place));
            let audience = claims.get("aud").cloned().unwrap_or_default();
            let accepted = match self.record.passed.contains(&access::Stage::Token) {
                true => "accepted by a plan",
                false => "accepted by no plan",
            };
            let text = format!("{audience}, {accepted}");
            lines.push(Line::new("audience", text, audience).at(self.audiences(issuer)));
        }
        lines
    }

    /// What decided against it.
    pub(super) fn of_opaque(&self, error: TokenError) -> Advice {
        let Some(issuer) = self.issuer() else {
            return Advice::default();
        };
        let name = issuer.name.as_str();
        let claim = |claim: &str| self.shown.claims.get(claim).cloned().unwrap_or_default();
        let place = || self.cites.issuer(name, "introspection");
        let leeway = words::length(issuer.rules.leeway);
        match error {
            TokenError::Inactive => Advice::new(
                place(),
                "the issuer does not know the token, or it has expired or was taken back; other clients' tokens may be \
                 hidden from the gateway's `client_id`, too",
            ),
            TokenError::TypeNotAllowed => Advice::new(
                place(),
                format!(
                    "`token_type` is {}, `token_use` {}, `typ` {}; only access tokens for their bearer are taken",
                    claim("token_type"),
                    claim("token_use"),
                    claim("typ")
                ),
            ),
            TokenError::IssuerUnknown => Advice::new(
                self.cites.issuer(name, "name"),
                format!("the answer says that `iss` is {}", claim("iss")),
            ),
            TokenError::ClaimMissing => {
                let required = issuer.introspection.iter();
                let required = required.flat_map(|asked| &asked.required_claims);
                let absent = required.filter(|name| claim(name).is_null());
                Advice::new(place(), format!("absent: {}", words::list(absent)))
            }
            TokenError::AudienceMissing | TokenError::AudienceMalformed | TokenError::AudienceMismatch => {
                Advice::new(self.audiences(name), format!("`aud` is {}", claim("aud")))
            }
            TokenError::ProofMissing => Advice::new(None, format!("`cnf` is {}", claim("cnf"))),
            TokenError::LifetimeTooLong | TokenError::ExpirationMissing => Advice::new(
                self.cites.issuer(name, "max_lifetime"),
                format!("`iat` is {}, `exp` {}", claim("iat"), claim("exp")),
            ),
            _ => Advice::new(
                self.cites.issuer(name, "leeway"),
                format!(
                    "`exp` is {}, `nbf` {}, `iat` {}, leeway {leeway}",
                    claim("exp"),
                    claim("nbf"),
                    claim("iat")
                ),
            ),
        }
    }
}
