//! What can be wrong with a rule, said to the person who wrote it: one fault, and the byte at which it stands.
//! A rule is one line or a few, so the first fault is enough; a second one is often its echo.

/// The first mistake of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct RuleError {
    /// What is wrong.
    pub fault: RuleFault,
    /// Where, in bytes from the beginning of the rule; at most its length.
    pub at: usize,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each fault is its message")]
pub enum RuleFault {
    #[error("a rule has at most {} bytes", super::RULE_BYTES_MAX)]
    TooLong,
    #[error("parentheses and `not` are nested deeper than {}", super::RULE_DEPTH_MAX)]
    TooDeep,
    #[error("a rule makes at most {} tests", super::RULE_TESTS_MAX)]
    TestsExceeded,
    #[error("a list has at most {} members", super::RULE_MEMBERS_MAX)]
    MembersExceeded,
    #[error("a list has at least one member")]
    ListEmpty,
    #[error("`{}` has no meaning here", .0.escape_default())]
    Character(char),
    #[error("the text has no closing quote")]
    TextUnclosed,
    #[error("a number is a whole one of 64 bits")]
    Number,
    #[error("expected {expected}, found {found}")]
    Expected { expected: &'static str, found: String },
    #[error(
        "`{0}` is nothing that a rule can look at: known are `claims.NAME`, `claim(\"NAME\")`, `header(\"NAME\")`, \
         `method`, `path` and `client_ip`"
    )]
    Operand(String),
    #[error("a claim is named `claims.NAME` or `claim(\"NAME\")`")]
    ClaimName,
    #[error("claims cannot be asked for: callers of a keyless plan have shown none")]
    ClaimsAbsent,
    #[error("this is no name of a header field (RFC 9110 section 5.1)")]
    HeaderName,
    #[error("`{operand}` cannot be tested with `{test}`: {help}")]
    Test {
        operand: &'static str,
        test: &'static str,
        help: &'static str,
    },
    #[error("`{0}` is text: compare it with text")]
    TextOnly(&'static str),
    #[error("methods are written in upper case")]
    MethodLowerCase,
    #[error("a path starts with `/`")]
    PathNotAbsolute,
    #[error("this is neither an address nor a network such as \"10.0.0.0/8\"")]
    Network,
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
    #[error("the pattern is too large: let it have fewer repetitions, or write `[0-9A-Za-z_]` for `\\w`")]
    PatternTooLarge,
}

// === impl RuleFault ===

impl RuleFault {
    pub(super) const fn at(self, at: usize) -> RuleError {
        RuleError { fault: self, at }
    }
}

// === impl RuleError ===

impl RuleError {
    /// Line and column of the mistake in the rule's `text`, both from 1, the column in characters.
    pub fn position(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}
