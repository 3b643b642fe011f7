//! Advice about tokens: what the token says beside what the issuer's table says.
//! Each reason of [`TokenError`] is here, so a new one does not come without its line of configuration.

use serde_json::Value;

use super::{Advice, Case};
use crate::api::Security;
use crate::explain::cite::KEY_SOURCES;
use crate::explain::report::Cite;
use crate::explain::{token, words};
use crate::issuer::{Issuer, KeySource};
use crate::limit::{Bucket, Overdrawn};
use crate::token::{AcceptedAudiences, Algorithm, TokenError};

// === impl Case ===

impl Case<'_> {
    pub(super) fn of_token(&self, error: TokenError) -> Advice {
        if self.record.said.is_some() {
            return self.of_opaque(error);
        }
        match error {
            TokenError::IssuerMissing => {
                let iss = self.shown.claims.get("iss");
                let iss = iss.map_or_else(|| "absent".to_owned(), Value::to_string);
                Advice::new(self.accepting(), format!("`iss` is {iss}"))
            }
            TokenError::IssuerUnknown => self.of_unknown_issuer(),
            TokenError::TooLong
            | TokenError::Encrypted
            | TokenError::Parts
            | TokenError::Base64
            | TokenError::HeaderJson
            | TokenError::ClaimsJson
            | TokenError::DuplicateMember
            | TokenError::TooDeep
            | TokenError::HeaderType
            | TokenError::CriticalExtension
            | TokenError::Characters => self.of_form(error),
            TokenError::AlgorithmNotAllowed
            | TokenError::TypeNotAllowed
            | TokenError::KeyUnknown
            | TokenError::KeyAmbiguous
            | TokenError::SignatureInvalid
            | TokenError::ExpirationMissing
            | TokenError::TimeMalformed
            | TokenError::Expired
            | TokenError::NotYetValid
            | TokenError::IssuedInFuture
            | TokenError::LifetimeTooLong
            | TokenError::ClaimMissing
            | TokenError::ClaimType
            | TokenError::AudienceMissing
            | TokenError::AudienceMalformed
            | TokenError::AudienceMismatch
            | TokenError::ProofMissing
            | TokenError::Inactive => match self.issuer() {
                Some(issuer) => self.of_rules(error, issuer),
                // A type that no issuer may allow is refused before the issuer is known.
                None => self.of_form(error),
            },
        }
    }

    pub(super) fn of_keys(&self) -> Advice {
        let Some(issuer) = self.issuer() else {
            return Advice::default();
        };
        let hint = match &issuer.source {
            KeySource::Files(_) => "the issuer's keys are not here".to_owned(),
            _ => "the issuer's keys are fetched, and they are not here or too old".to_owned(),
        };
        Advice::new(self.cites.issuer_any(issuer.name.as_str(), &KEY_SOURCES), hint)
    }

    /// A token that says nothing itself.
    pub(super) fn of_no_answer(&self) -> Advice {
        let Some(issuer) = self.issuer() else {
            return Advice::default();
        };
        let hint = "the issuer would be asked about the token; nothing is known of it here";
        Advice::new(self.cites.issuer(issuer.name.as_str(), "introspection"), hint)
    }

    pub(super) fn of_overload(&self, overdrawn: Overdrawn) -> Advice {
        let budget = &self.plane.snapshot.forgery_budget;
        let (key, whose, share) = match overdrawn.bucket {
            Bucket::Issuer => ("forgery_budget", "of this issuer", budget.issuer),
            Bucket::Source => ("forgery_budget_per_source", "from this network", budget.source),
        };
        let share = share.map_or_else(|| "off".to_owned(), |share| share.to_string());
        let hint = format!(
            "{share} of a core may go into bad tokens {whose}, and it is spent; there is enough for one more in {} ms, if \
             nobody else takes it. Tokens that are remembered are not concerned",
            overdrawn.wait.as_millis().max(1)
        );
        Advice::new(self.cites.server(key), hint)
    }

    fn of_form(&self, error: TokenError) -> Advice {
        let Some(token) = &self.record.token else {
            return Advice::default();
        };
        let token = token.expose();
        let hint = match error {
            TokenError::TooLong => format!("it has {} bytes", token.len()),
            TokenError::Parts => format!("it has {} parts", token.split('.').count()),
            TokenError::CriticalExtension | TokenError::HeaderType | TokenError::TypeNotAllowed => {
                format!("the header is {}", Value::Object(self.shown.header.clone()))
            }
            _ => return Advice::default(),
        };
        Advice::new(None, hint)
    }

    /// The `issuers` of the first plan on offer that takes tokens.
    fn accepting(&self) -> Option<Cite> {
        let api = self.api();
        let mut taking = self.on_offer().filter(|plan| plan.security != Security::Keyless);
        self.cites.plan(api, taking.next()?.name.as_str(), "issuers")
    }

    fn of_unknown_issuer(&self) -> Advice {
        let Some(iss) = self.shown.text("iss") else {
            return Advice::place(self.accepting());
        };
        let Some(api) = &self.record.api else {
            return Advice::default();
        };
        let issuers = self.plane.snapshot.issuers.iter();
        let accepted: Vec<&str> = issuers
            .map(|issuer| issuer.name.as_str())
            .filter(|name| api.plans.for_issuer(name, self.now).is_some())
            .collect();
        let hint = if let Some(place) = self.cites.issuer(iss, "name") {
            format!(
                "the issuer is known ({}), but no plan on offer accepts it",
                place.spot
            )
        } else if let Some(meant) = words::similar(iss, accepted.iter().copied()) {
            format!("`iss` is {iss}; did you mean issuer {meant}? Names are compared byte for byte")
        } else {
            format!("`iss` is {iss}; accepted are {}", words::list(&accepted))
        };
        Advice::new(self.accepting(), hint)
    }

    fn of_rules(&self, error: TokenError, issuer: &Issuer) -> Advice {
        let name = issuer.name.as_str();
        let rules = &issuer.rules;
        let at = |key: &str| self.cites.issuer(name, key);
        let keys = self.cites.issuer_any(name, &KEY_SOURCES);
        let leeway = words::length(rules.leeway);
        let alg = self.shown.parameter("alg").unwrap_or("absent");
        match error {
            TokenError::AlgorithmNotAllowed => Advice::new(
                at("algorithms"),
                format!(
                    "`alg` is {alg}; accepted are {}",
                    words::list(token::allowed(issuer))
                ),
            ),
            TokenError::TypeNotAllowed => {
                let typ = self.shown.parameter("typ").unwrap_or("absent");
                let types = words::list(rules.token_types.names());
                Advice::new(
                    self.cites.issuer_any(name, &["token_types", "token_profile"]),
                    format!("`typ` is {typ}; accepted are {types}"),
                )
            }
            TokenError::KeyUnknown => Advice::new(keys, self.unknown_key(issuer)),
            TokenError::KeyAmbiguous => {
                let here = words::list(token::keys(issuer));
                Advice::new(
                    keys,
                    format!("the token names no key of its own, and several fit: {here}"),
                )
            }
            TokenError::SignatureInvalid => {
                let kid = self.record.checks.key.clone().flatten();
                let kid = kid.unwrap_or_else(|| "without id".to_owned());
                let hint = format!(
                    "the key {kid} has not made it: the token was altered, or its issuer has another key of this id{}",
                    match alg.starts_with("HS") {
                        true => ", or `encoding` of `secrets` is not how the secret is written",
                        false => "",
                    }
                );
                Advice::new(keys, hint)
            }
            TokenError::ExpirationMissing => Advice::new(at("name"), "every token must have `exp`"),
            TokenError::TimeMalformed => {
                let claims = ["exp", "nbf", "iat"].into_iter().filter_map(|claim| {
                    let value = self.shown.claims.get(claim)?;
                    Some(format!("{claim} {value}"))
                });
                Advice::new(at("name"), words::list(claims))
            }
            TokenError::Expired => {
                let over = self.shown.time("exp").map(|exp| exp.plus(rules.leeway));
                let over = over
                    .map(|over| words::length(self.now.since(over)))
                    .unwrap_or_default();
                let hint = format!("the token was expired for {over}, the leeway of {leeway} counted in");
                Advice::new(at("leeway"), hint)
            }
            TokenError::NotYetValid => Advice::new(at("leeway"), self.ahead("nbf", &leeway)),
            TokenError::IssuedInFuture => Advice::new(at("leeway"), self.ahead("iat", &leeway)),
            TokenError::LifetimeTooLong => {
                let times = self.shown.time("exp").zip(self.shown.time("iat"));
                let lifetime = times
                    .map(|(exp, iat)| words::length(exp.since(iat)))
                    .unwrap_or_default();
                let max = rules.max_lifetime.map(words::length).unwrap_or_default();
                Advice::new(
                    at("max_lifetime"),
                    format!("it lives for {lifetime}; at most {max} is accepted"),
                )
            }
            TokenError::ClaimMissing => {
                let missing = self.shown.missing(issuer);
                let without_lifetime = rules.max_lifetime.is_some() && self.shown.time("iat").is_none();
                match missing.is_empty() {
                    _ if without_lifetime => {
                        Advice::new(at("max_lifetime"), "without `iat` the lifetime cannot be told")
                    }
                    true => Advice::place(at("token_profile")),
                    false => {
                        let hint = format!("absent: {}", words::list(missing));
                        Advice::new(at("required_claims"), hint)
                    }
                }
            }
            TokenError::ClaimType => Advice::place(at("token_profile")),
            TokenError::AudienceMissing | TokenError::AudienceMalformed | TokenError::AudienceMismatch => {
                self.of_audience(issuer)
            }
            TokenError::ProofMissing => Advice::new(at("name"), "`cnf` is not checked in this version"),
            _ => Advice::default(),
        }
    }

    fn unknown_key(&self, issuer: &Issuer) -> String {
        let here = words::list(token::keys(issuer));
        let alg = self.shown.parameter("alg").unwrap_or_default();
        let Some(kid) = self.shown.key_name() else {
            return format!("the token names no key, and none is for {alg}: {here}");
        };
        let held = issuer.ring.held();
        let mut known = held.iter().flat_map(|held| held.keys.keys());
        match known.find(|key| key.kid() == Some(kid)) {
            Some(key) => {
                let algorithms = words::list(key.algorithms().map(Algorithm::name));
                format!("the key {kid} is not for {alg}, but for {algorithms}")
            }
            None if self.shown.parameter("kid").is_none() => {
                format!("no key has the thumbprint {kid}; here are {here}")
            }
            None => format!("kid {kid} is not among {here}"),
        }
    }

    fn ahead(&self, claim: &str, leeway: &str) -> String {
        let ahead = self
            .shown
            .time(claim)
            .map(|time| words::length(time.since(self.now)));
        format!(
            "`{claim}` is {} ahead, the leeway is {leeway}",
            ahead.unwrap_or_default()
        )
    }

    fn of_audience(&self, issuer: &Issuer) -> Advice {
        let Some(api) = &self.record.api else {
            return Advice::default();
        };
        let name = issuer.name.as_str();
        let plans = api.plans.for_issuer(name, self.now).into_iter();
        let plans = plans.flat_map(|accepted| accepted.on_offer(self.now));
        let accepted = plans.map(|offered| {
            let audiences = match &offered.audiences.accepted {
                AcceptedAudiences::DangerAny => "any".to_owned(),
                AcceptedAudiences::AnyOf(list) if offered.audiences.of_application => {
                    words::list(list.iter().map(|own| &**own).chain(["the application's own"]))
                }
                AcceptedAudiences::AnyOf(list) => words::list(list),
            };
            format!("{audiences} (plan {})", offered.plan.name)
        });
        let aud = self.shown.claims.get("aud");
        let aud = aud.map_or_else(|| "absent".to_owned(), Value::to_string);
        let hint = format!(
            "`aud` of the token is {aud}, accepted are {}",
            words::list(accepted)
        );
        Advice::new(self.audiences(name), hint)
    }
}
