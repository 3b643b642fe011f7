//! What is sent, and what the proxies are to do about it.
//!
//! The scenarios with tokens differ in one thing: whether whoever checks a token has seen it before. What is remembered
//! costs a look-up, what is new a signature check, and what is forged a signature check for nothing.

use std::fmt;

use tollgate::token::Algorithm;

use crate::sides::Side;

/// Tokens of a pool: more than any processor keeps in its own caches, fewer than every cache of tokens holds.
const POOL_TOKENS: usize = 10_000;
/// Ten times what the caches hold in that scenario: a token has been forgotten long before its turn comes again.
const COLD_TOKENS: usize = 50_000;
const COLD_CACHE_ENTRIES: usize = 4_096;
/// Failed checks are remembered by nobody.
const FORGED_TOKENS: usize = 4_000;
/// Callers of the scenario with a million subscriptions, each with a token.
pub(crate) const CALLERS: usize = 1_000;
/// What that store holds.
pub(crate) const SUBSCRIPTIONS: usize = 1_000_000;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// No token, no check.
    Plain,
    /// The same of the gateway and bare proxies alone: a plan that asks for nothing.
    Keyless,
    /// A plan for tokens.
    Jwt(Algorithm, Tokens),
    /// `jwt-rs256-warm`, beside a gateway whose plan has limits.
    Limited,
    /// A plan for API keys.
    ApiKey,
    /// Tokens of a thousand callers among a million subscriptions.
    Subscriptions,
    /// `jwt-rs256-warm`, while the configuration changes five times a second.
    Reload,
    /// Good callers while forged tokens pour in.
    Flood,
}

/// Which tokens are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// One.
    Warm,
    /// Many, all remembered.
    Pool,
    /// So many that each is new.
    Cold,
    /// Of good form, with a random signature, each checked.
    Forged,
    /// The same, met by the gateway's budget for such tokens.
    ForgedBudget,
}

const ALGORITHMS: [(Algorithm, &str); 3] = [
    (Algorithm::Rs256, "rs256"),
    (Algorithm::Es256, "es256"),
    (Algorithm::Ed25519, "eddsa"),
];
const TOKENS: [(Tokens, &str); 5] = [
    (Tokens::Warm, "warm"),
    (Tokens::Pool, "pool"),
    (Tokens::Cold, "cold"),
    (Tokens::Forged, "forged"),
    (Tokens::ForgedBudget, "forged-budget"),
];

// === impl Scenario ===

impl Scenario {
    pub(crate) fn all() -> Vec<Self> {
        let jwt = ALGORITHMS
            .iter()
            .flat_map(|(algorithm, _)| TOKENS.iter().map(|(tokens, _)| Self::Jwt(*algorithm, *tokens)));
        let mut all = vec![Self::Plain, Self::Keyless];
        all.extend(jwt);
        all.extend([Self::Limited, Self::ApiKey, Self::Subscriptions]);
        all.extend([Self::Reload, Self::Flood]);
        all
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::all()
            .into_iter()
            .find(|scenario| scenario.to_string() == name)
    }

    /// The algorithm of the tokens that are sent.
    pub(crate) fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Plain | Self::Keyless | Self::ApiKey => None,
            Self::Jwt(algorithm, _) => Some(algorithm),
            Self::Limited | Self::Reload => Some(Algorithm::Rs256),
            Self::Subscriptions | Self::Flood => Some(Algorithm::Es256),
        }
    }

    /// Whether a side that can verify tokens does.
    pub(crate) fn verifies_tokens(self) -> bool {
        match self {
            Self::Plain | Self::Keyless | Self::ApiKey => false,
            Self::Jwt(..) | Self::Limited | Self::Subscriptions | Self::Reload | Self::Flood => true,
        }
    }

    /// How many different tokens are sent.
    pub(crate) fn tokens(self) -> usize {
        match self {
            Self::Jwt(_, Tokens::Pool) => POOL_TOKENS,
            Self::Jwt(_, Tokens::Cold) | Self::Flood => COLD_TOKENS,
            Self::Jwt(_, Tokens::Forged | Tokens::ForgedBudget) => FORGED_TOKENS,
            Self::Subscriptions => CALLERS,
            Self::Plain | Self::Keyless | Self::Jwt(_, Tokens::Warm) => 1,
            Self::Limited | Self::ApiKey | Self::Reload => 1,
        }
    }

    /// How many tokens the gateway remembers, and Envoy with its cache.
    pub(crate) fn cache_entries(self) -> usize {
        match self {
            Self::Jwt(_, Tokens::Cold) | Self::Flood => COLD_CACHE_ENTRIES,
            _ => 65_536,
        }
    }

    pub(crate) fn is_forged(self) -> bool {
        matches!(self, Self::Jwt(_, Tokens::Forged | Tokens::ForgedBudget))
    }

    /// What the gateway is told of its budget for bad tokens. `forged` measures the checks that it would spare, in
    /// `forged-budget` the refusals that take their place are not held back, as who waits sends nothing; a flood is to
    /// meet it as it comes.
    pub(crate) fn forgery_settings(self) -> &'static str {
        match self {
            Self::Jwt(_, Tokens::Forged) => "forgery_budget = \"off\"\nforgery_budget_per_source = \"off\"",
            Self::Jwt(_, Tokens::ForgedBudget) => "forgery_hold = \"0s\"",
            _ => "",
        }
    }

    pub(crate) fn is_cold(self) -> bool {
        matches!(self, Self::Jwt(_, Tokens::Cold))
    }

    /// Whether all tokens are such as the gateway has seen before. Where the configuration changes, it begins anew.
    pub(crate) fn remembers_all(self) -> bool {
        matches!(
            self,
            Self::Jwt(_, Tokens::Warm | Tokens::Pool) | Self::Limited | Self::Subscriptions
        )
    }

    /// Why a side has no part in it.
    pub(crate) fn excludes(self, side: Side) -> Option<&'static str> {
        let peer = matches!(side, Side::Haproxy | Side::Envoy | Side::EnvoyCache);
        match self {
            Self::Jwt(Algorithm::Ed25519, _) if side == Side::Haproxy => {
                Some("its jwt_verify knows no EdDSA")
            }
            Self::ApiKey if peer => Some("it is given no API keys here"),
            Self::Subscriptions if peer => Some("it knows no subscriptions"),
            Self::Keyless if side.is_peer() => Some("it has no plans; see `plain`"),
            Self::Plain if side == Side::EnvoyCache => Some("without tokens it is envoy"),
            Self::Flood if !side.can_verify() => Some("it verifies nothing"),
            _ => None,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |algorithm: &Algorithm| ALGORITHMS.iter().find(|(known, _)| known == algorithm);
        let which = |tokens: &Tokens| TOKENS.iter().find(|(known, _)| known == tokens);
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Keyless => f.write_str("keyless"),
            Self::Jwt(algorithm, tokens) => {
                let algorithm = named(algorithm).map_or("other", |(_, name)| name);
                let tokens = which(tokens).map_or("other", |(_, name)| name);
                write!(f, "jwt-{algorithm}-{tokens}")
            }
            Self::Limited => f.write_str("jwt-rs256-limited"),
            Self::ApiKey => f.write_str("api-key"),
            Self::Subscriptions => f.write_str("subscriptions-1m"),
            Self::Reload => f.write_str("reload-under-load"),
            Self::Flood => f.write_str("flood"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scenario;

    #[test]
    fn every_scenario_is_found_by_its_name() {
        let all = Scenario::all();
        for scenario in &all {
            assert_eq!(Scenario::parse(&scenario.to_string()), Some(*scenario));
        }
        assert_eq!(all.len(), 22);
        assert_eq!(Scenario::parse("jwt-rs256-other"), None);
    }

    #[test]
    fn tokens_are_all_remembered_or_none_is() {
        for scenario in Scenario::all() {
            let (tokens, entries) = (scenario.tokens(), scenario.cache_entries());
            assert!(
                tokens * 4 < entries || tokens > entries * 10,
                "{scenario}: {tokens} tokens, {entries} remembered"
            );
        }
    }
}
