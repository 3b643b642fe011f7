//! Regular expressions of rules, compiled to a table at load.
//!
//! A table takes more memory than the machines that the `regex` crate chooses from, and its size has a bound; for that,
//! matching is one look-up a byte, with no cache to fill, share or lock. A pattern matches the whole text: who writes
//! `acme` does not mean `not-acme`.

use std::error::Error;
use std::fmt;

use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};

use super::error::RuleFault;

/// The largest table, in bytes. `\w{1,5}` takes 800 KiB of it for all of Unicode; what is in ASCII takes a few.
const TABLE_BYTES_MAX: usize = 1 << 20;

/// The most memory that making a table may take, in bytes. It bounds the time as well: a pattern whose
/// table would grow without end is given up after some tens of milliseconds.
const MAKING_BYTES_MAX: usize = 8 << 20;

/// A compiled pattern.
pub(super) struct Pattern {
    text: Box<str>,
    table: dense::DFA<Vec<u32>>,
}

// === impl Pattern ===

impl Pattern {
    pub(super) fn compile(text: &str) -> Result<Self, RuleFault> {
        let table = dense::Builder::new()
            .configure(
                dense::Config::new()
                    // All: the longest match is found, so whether it is the whole text is seen from its end.
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(TABLE_BYTES_MAX))
                    .determinize_size_limit(Some(MAKING_BYTES_MAX)),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(TABLE_BYTES_MAX)))
            .build(text)
            .map_err(|error| fault(&error))?;
        Ok(Self {
            text: text.into(),
            table,
        })
    }

    /// Whether it matches all of the text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let input = Input::new(text).anchored(Anchored::Yes);
        let found = self.table.try_search_fwd(&input);
        matches!(found, Ok(Some(end)) if end.offset() == text.len())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

/// The innermost cause, on one line: syntax errors draw a picture first.
fn fault(error: &dense::BuildError) -> RuleFault {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let program = innermost.downcast_ref::<thompson::BuildError>();
    if error.is_size_limit_exceeded() || program.is_some_and(|error| error.size_limit().is_some()) {
        return RuleFault::PatternTooLarge;
    }
    let text = innermost.to_string();
    let line = text.lines().last().unwrap_or_default();
    RuleFault::Pattern(line.trim_start_matches("error: ").to_owned())
}
