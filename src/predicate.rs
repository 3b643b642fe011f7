//! Selection rules: a small language in which an operator says which requests a plan is for.
//!
//! `docs/selection-rules.md` has the grammar and what each test means. A rule is compiled when the configuration is
//! loaded; what could never hold, or could not be compared, is a mistake then and not a silent "no" later. Judging is
//! total: what is absent or of another kind compares false, whichever way it is asked, and nothing is allocated, locked
//! or recursed into deeper than the rule itself, whose size has bounds.
//!
//! The language knows no claims by place and no plans: whoever compiles a rule says where a claim will be found, and
//! whether claims may be asked for at all.

mod compiled;
mod error;
mod lexer;
mod pattern;
mod syntax;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::HeaderMap;

pub use error::{RuleError, RuleFault};

use crate::token::json::Value;
use compiled::Check;
use syntax::Expression;

/// Rules are written by people, and a page is more than anybody reads at a glance.
pub const RULE_BYTES_MAX: usize = 4096;

/// How deep parentheses and `not` may be nested: parsing and judging recurse that far.
pub const RULE_DEPTH_MAX: usize = 16;

/// How many tests a rule may make; each costs at most one look at one value.
pub const RULE_TESTS_MAX: usize = 64;

/// How many members a list may have.
pub const RULE_MEMBERS_MAX: usize = 256;

/// A compiled rule.
#[derive(Debug)]
pub struct Predicate {
    text: Box<str>,
    root: Expression<Check>,
}

/// What a rule is judged over.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f, C> {
    /// The method, byte for byte.
    pub method: &'f str,
    /// The path below the context path, in canonical form.
    pub path: &'f str,
    /// The header fields.
    pub headers: &'f HeaderMap,
    /// Who is calling, if that is known.
    pub client: Option<IpAddr>,
    /// The claim at a place that the compiler was given; `None` if there is no such claim.
    pub claim: C,
}

// === impl Predicate ===

impl Predicate {
    /// Compiles a rule. `claim` says where a claim of this name will be found, or `None` if claims may not be asked for.
    ///
    /// # Errors
    /// The first mistake, and where it is.
    pub fn compile(text: &str, mut claim: impl FnMut(&str) -> Option<usize>) -> Result<Self, RuleError> {
        let root = syntax::parse(text)?.compile(&mut claim)?;
        Ok(Self {
            text: text.into(),
            root,
        })
    }

    /// As the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds.
    pub fn holds<'f, C>(&self, facts: &Facts<'f, C>) -> bool
    where
        C: Fn(usize) -> Option<&'f Value<'static>>,
    {
        self.root.judge(&|check| check.holds(facts))
    }
}
