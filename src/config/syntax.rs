//! What can be understood of a file that is not TOML.
//!
//! The parser goes on after most errors, but takes everything below a broken header, up to the next bracket, for part
//! of it: one missing `]` would have the next table reported as wrong. So once a file has errors, its headers are
//! looked at one by one, and what stands below a broken one is left out, together with it.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, Error};

/// More broken headers than this are left to the parser: it is no longer a configuration that somebody mistyped.
const BROKEN_HEADERS_MAX: usize = 100;

/// An error's span, where it has one, and what it says.
type SyntaxError = (Option<Range<usize>>, String);

/// A file's text, without what stands below broken headers.
pub(super) struct Syntax<'s> {
    text: Cow<'s, str>,
    header_errors: Vec<SyntaxError>,
}

// === impl Syntax ===

impl<'s> Syntax<'s> {
    pub(super) fn read(text: &'s str) -> Self {
        let mut syntax = Self {
            text: Cow::Borrowed(text),
            header_errors: Vec::new(),
        };
        if DeTable::parse(text).is_err() {
            syntax.leave_out_broken_headers(text);
        }
        syntax
    }

    /// The document as far as it is understood, and every error.
    pub(super) fn parse(&self) -> (Spanned<DeTable<'_>>, Vec<SyntaxError>) {
        let (document, errors) = DeTable::parse_recoverable(&self.text);
        let errors = errors.iter().map(|error| syntax_error(error, 0));
        (
            document,
            self.header_errors.iter().cloned().chain(errors).collect(),
        )
    }

    fn leave_out_broken_headers(&mut self, text: &str) {
        // What is left out becomes spaces, so that every span still holds.
        let mut left = String::with_capacity(text.len());
        let mut below_broken = false;
        for line in text.split_inclusive('\n') {
            if line.trim_start().starts_with('[') {
                let error = DeTable::parse(line)
                    .err()
                    .filter(|_| self.header_errors.len() < BROKEN_HEADERS_MAX);
                below_broken = error.is_some();
                self.header_errors
                    .extend(error.map(|error| syntax_error(&error, left.len())));
            }
            match below_broken {
                true => left.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' })),
                false => left.push_str(line),
            }
        }
        self.text = Cow::Owned(left);
    }
}

fn syntax_error(error: &Error, line_start: usize) -> SyntaxError {
    let span = error.span().map(|span| {
        let moved = |offset: usize| offset.saturating_add(line_start);
        moved(span.start)..moved(span.end)
    });
    (span, error.message().to_owned())
}
