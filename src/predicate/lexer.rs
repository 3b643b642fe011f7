//! The words of a rule. Text has no escapes: it is everything between two quotes of one kind, so a pattern reads as it
//! is and a rule fits into either kind of TOML string without doubling anything.

use super::error::{RuleError, RuleFault};

/// One word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'r> {
    /// Letters, digits, `_`, `-` and `.`, beginning with a letter or `_`.
    Word(&'r str),
    /// What stands between quotes.
    Text(&'r str),
    Integer(i64),
    /// `(`, `)`, `[`, `]`, `,`, `==`, `!=`.
    Sign(&'static str),
    End,
}

/// Hands out words with one of look-ahead.
#[derive(Debug)]
pub(super) struct Lexer<'r> {
    text: &'r str,
    /// Where the next word is looked for.
    rest: usize,
    next: Token<'r>,
    /// Where `next` begins.
    at: usize,
}

const SIGNS: [&str; 7] = ["==", "!=", "(", ")", "[", "]", ","];

// === impl Lexer ===

impl<'r> Lexer<'r> {
    pub(super) fn new(text: &'r str) -> Result<Self, RuleError> {
        let mut lexer = Self {
            text,
            rest: 0,
            next: Token::End,
            at: 0,
        };
        lexer.advance()?;
        Ok(lexer)
    }

    /// The next word.
    pub(super) const fn peek(&self) -> Token<'r> {
        self.next
    }

    /// Where the next word begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Takes the next word.
    pub(super) fn take(&mut self) -> Result<Token<'r>, RuleError> {
        let taken = self.next;
        self.advance()?;
        Ok(taken)
    }

    /// Takes the next word if it is this sign or keyword.
    pub(super) fn take_if(&mut self, token: Token<'_>) -> Result<bool, RuleError> {
        let is_it = self.next == token;
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    /// What was found instead of something expected.
    pub(super) fn unexpected(&self, expected: &'static str) -> RuleError {
        let found = match self.next {
            Token::Word(word) => format!("`{}`", shown(word)),
            Token::Text(text) => format!("the text \"{}\"", shown(text)),
            Token::Integer(number) => format!("the number {number}"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::End => "the end".to_owned(),
        };
        RuleFault::Expected { expected, found }.at(self.at)
    }

    fn advance(&mut self) -> Result<(), RuleError> {
        let rest = self.text.get(self.rest..).unwrap_or_default();
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at = self.text.len() - trimmed.len();
        let (token, length) = read(trimmed).map_err(|fault| fault.at(self.at))?;
        (self.next, self.rest) = (token, self.at + length);
        Ok(())
    }
}

/// The first word of a text without leading blanks, and its length in bytes.
fn read(text: &str) -> Result<(Token<'_>, usize), RuleFault> {
    let Some(first) = text.chars().next() else {
        return Ok((Token::End, 0));
    };
    if let Some(sign) = SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let run = |is_part: fn(char) -> bool| {
        let length = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
        text.get(..length).unwrap_or_default()
    };
    match first {
        '"' | '\'' => {
            let inner = text.get(1..).unwrap_or_default();
            let (inner, _) = inner.split_once(first).ok_or(RuleFault::TextUnclosed)?;
            Ok((Token::Text(inner), inner.len() + 2))
        }
        '-' | '0'..='9' => {
            // Letters as well, so that `12ab` is one wrong number and not two words.
            let digits = run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            let number = digits.parse().map_err(|_| RuleFault::Number)?;
            Ok((Token::Integer(number), digits.len()))
        }
        'a'..='z' | 'A'..='Z' | '_' => {
            let word = run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            Ok((Token::Word(word), word.len()))
        }
        other => Err(RuleFault::Character(other)),
    }
}

/// At most 40 characters of the operator's own words.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
