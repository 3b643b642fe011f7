//! Tests with their meaning: names resolved, patterns and networks compiled, and what makes no sense refused.
//!
//! Every operand but the client's address becomes a claim's kind of value without being copied, so there is one meaning
//! of each test. A header field is comparable if it is there once and is text; as a list it is what RFC 9110 section
//! 5.6.1 says, whether it came in one field or in several.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::Facts;
use super::error::{RuleError, RuleFault};
use super::pattern::Pattern;
use super::syntax::{Comparison, Operand, Verb};
use crate::token::Literal;
use crate::token::json::Value;

/// One test.
#[derive(Debug)]
pub(super) enum Check {
    /// The claim at this place.
    Claim(usize, Test),
    /// A field of this name.
    Header(HeaderName, Test),
    Method(Test),
    Path(Test),
    /// The client is in one of these networks, or, if that is `false`, is known and in none.
    Client(Vec<IpNet>, bool),
    /// The client is known.
    ClientKnown,
}

/// What is asked of a value.
#[derive(Debug)]
pub(super) enum Test {
    Equals(Literal),
    Differs(Literal),
    In(Vec<Literal>),
    Contains(Literal),
    StartsWith(Box<str>),
    Matches(Box<Pattern>),
    Exists,
}

// === impl Check ===

impl Check {
    pub(super) fn compile(
        comparison: Comparison,
        claim: &mut dyn FnMut(&str) -> Option<usize>,
    ) -> Result<Self, RuleError> {
        let Comparison {
            operand,
            verb,
            operand_at,
            verb_at,
        } = comparison;
        if !matches!(operand, Operand::Claim(_)) {
            judge_text(&operand, &verb).map_err(|fault| fault.at(verb_at))?;
        }
        match operand {
            Operand::Claim(name) => {
                let place = claim(&name).ok_or_else(|| RuleFault::ClaimsAbsent.at(operand_at))?;
                Ok(Self::Claim(place, Test::compile(verb, verb_at)?))
            }
            Operand::Header(name) => {
                let name = HeaderName::from_bytes(name.as_bytes());
                let name = name.map_err(|_| RuleFault::HeaderName.at(operand_at))?;
                Ok(Self::Header(name, Test::compile(verb, verb_at)?))
            }
            Operand::Method => Ok(Self::Method(Test::compile(verb, verb_at)?)),
            Operand::Path => Ok(Self::Path(Test::compile(verb, verb_at)?)),
            Operand::ClientIp => client(verb).map_err(|fault| fault.at(verb_at)),
        }
    }

    pub(super) fn holds<'f, C>(&self, facts: &Facts<'f, C>) -> bool
    where
        C: Fn(usize) -> Option<&'f Value<'static>>,
    {
        match self {
            Self::Claim(place, test) => (facts.claim)(*place).is_some_and(|value| test.holds(value)),
            Self::Header(name, test) => test.holds_of_field(name, facts.headers),
            Self::Method(test) => test.holds_of_text(facts.method),
            Self::Path(test) => test.holds_of_text(facts.path),
            Self::Client(networks, inside) => facts.client.is_some_and(|client| {
                let client = client.to_canonical();
                networks.iter().any(|network| network.contains(&client)) == *inside
            }),
            Self::ClientKnown => facts.client.is_some(),
        }
    }
}

/// What is always text is compared with text, and with such as it can be.
fn judge_text(operand: &Operand, verb: &Verb) -> Result<(), RuleFault> {
    let literals = match verb {
        Verb::Equals(literal) | Verb::Differs(literal) | Verb::Contains(literal) => {
            std::slice::from_ref(literal)
        }
        Verb::In(literals) => literals,
        Verb::StartsWith(_) | Verb::Matches(_) | Verb::Exists => &[],
    };
    let is_one = matches!(operand, Operand::Method | Operand::Path);
    let refused = |help| {
        Err(RuleFault::Test {
            operand: operand.word(),
            test: verb.word(),
            help,
        })
    };
    match verb {
        Verb::Contains(_) if is_one => return refused("it is no list; write `starts_with` or `matches`"),
        Verb::Exists if is_one => return refused("every request has one"),
        _ => {}
    }
    for literal in literals {
        let Literal::Text(text) = literal else {
            return Err(RuleFault::TextOnly(operand.word()));
        };
        match operand {
            Operand::Method if text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                return Err(RuleFault::MethodLowerCase);
            }
            Operand::Path if !text.starts_with('/') => return Err(RuleFault::PathNotAbsolute),
            _ => {}
        }
    }
    match (operand, verb) {
        (Operand::Path, Verb::StartsWith(text)) if !text.starts_with('/') => Err(RuleFault::PathNotAbsolute),
        _ => Ok(()),
    }
}

fn client(verb: Verb) -> Result<Check, RuleFault> {
    let (literals, inside) = match verb {
        Verb::Equals(literal) => (vec![literal], true),
        Verb::Differs(literal) => (vec![literal], false),
        Verb::In(literals) => (literals, true),
        Verb::Exists => return Ok(Check::ClientKnown),
        Verb::Contains(_) | Verb::StartsWith(_) | Verb::Matches(_) => {
            return Err(RuleFault::Test {
                operand: Operand::ClientIp.word(),
                test: verb.word(),
                help: "write `in` and networks",
            });
        }
    };
    let networks: Option<Vec<IpNet>> = literals.iter().map(network).collect();
    Ok(Check::Client(networks.ok_or(RuleFault::Network)?, inside))
}

/// A network, or an address as a network of one.
fn network(literal: &Literal) -> Option<IpNet> {
    let Literal::Text(text) = literal else {
        return None;
    };
    let address = || {
        text.parse::<IpAddr>()
            .map(|address| IpNet::from(address.to_canonical()))
    };
    text.parse::<IpNet>().or_else(|_| address()).ok()
}

// === impl Test ===

impl Test {
    fn compile(verb: Verb, at: usize) -> Result<Self, RuleError> {
        Ok(match verb {
            Verb::Equals(literal) => Self::Equals(literal),
            Verb::Differs(literal) => Self::Differs(literal),
            Verb::In(literals) => Self::In(literals),
            Verb::Contains(literal) => Self::Contains(literal),
            Verb::StartsWith(text) => Self::StartsWith(text.into()),
            Verb::Matches(text) => {
                Self::Matches(Box::new(Pattern::compile(&text).map_err(|fault| fault.at(at))?))
            }
            Verb::Exists => Self::Exists,
        })
    }

    /// False for every value of a kind that the test is not about.
    fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Equals(literal) => literal.is(value),
            Self::Differs(literal) => literal.compare(value) == Some(false),
            Self::In(literals) => literals.iter().any(|literal| literal.is(value)),
            Self::Contains(literal) => literal.is_in(value),
            Self::StartsWith(text) => value.as_str().is_some_and(|value| value.starts_with(&**text)),
            Self::Matches(pattern) => value.as_str().is_some_and(|value| pattern.matches(value)),
            Self::Exists => !matches!(value, Value::Null),
        }
    }

    fn holds_of_text(&self, text: &str) -> bool {
        self.holds(&Value::String(Cow::Borrowed(text)))
    }

    fn holds_of_field(&self, name: &HeaderName, headers: &HeaderMap) -> bool {
        match self {
            Self::Exists => headers.contains_key(name),
            Self::Contains(literal) => headers.get_all(name).iter().any(|field| {
                let members = field.as_bytes().split(|byte| *byte == b',');
                members
                    .filter_map(|member| str::from_utf8(member).ok())
                    .map(|member| member.trim_matches([' ', '\t']))
                    .any(|member| literal.is(&Value::String(Cow::Borrowed(member))))
            }),
            _ => {
                let mut fields = headers.get_all(name).iter();
                let (Some(field), None) = (fields.next(), fields.next()) else {
                    return false;
                };
                str::from_utf8(field.as_bytes()).is_ok_and(|text| self.holds_of_text(text))
            }
        }
    }
}
