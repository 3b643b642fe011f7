//! From words to a tree: `or` binds weaker than `and`, `and` weaker than `not`; a test is an operand, a verb and what
//! the verb asks for. The parser descends once for each parenthesis and each `not`, and stops at [`RULE_DEPTH_MAX`].

use super::compiled::Check;
use super::error::{RuleError, RuleFault};
use super::lexer::{Lexer, Token, shown};
use super::{RULE_BYTES_MAX, RULE_DEPTH_MAX, RULE_MEMBERS_MAX, RULE_TESTS_MAX};
use crate::token::Literal;

/// A tree of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression<T> {
    /// One of them holds; at least two.
    Any(Vec<Self>),
    /// Each of them holds; at least two.
    All(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    Test(T),
}

/// One test as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) operand: Operand,
    pub(super) verb: Verb,
    /// Where the operand begins.
    pub(super) operand_at: usize,
    /// Where what is compared with begins; the verb, if it asks for nothing.
    pub(super) verb_at: usize,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    Claim(String),
    Header(String),
    Method,
    Path,
    ClientIp,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verb {
    Equals(Literal),
    Differs(Literal),
    /// At least one.
    In(Vec<Literal>),
    Contains(Literal),
    StartsWith(String),
    Matches(String),
    Exists,
}

struct Parser<'r> {
    lexer: Lexer<'r>,
    depth: usize,
    tests: usize,
}

/// Reads a rule.
pub(super) fn parse(text: &str) -> Result<Expression<Comparison>, RuleError> {
    if text.len() > RULE_BYTES_MAX {
        return Err(RuleFault::TooLong.at(0));
    }
    let mut parser = Parser {
        lexer: Lexer::new(text)?,
        depth: 0,
        tests: 0,
    };
    let rule = parser.any()?;
    match parser.lexer.peek() {
        Token::End => Ok(rule),
        _ => Err(parser.lexer.unexpected("`and`, `or` or the end")),
    }
}

// === impl Expression ===

impl Expression<Comparison> {
    /// Gives every test its meaning.
    pub(super) fn compile(
        self,
        claim: &mut dyn FnMut(&str) -> Option<usize>,
    ) -> Result<Expression<Check>, RuleError> {
        let mut each = |list: Vec<Self>| -> Result<Vec<_>, _> {
            list.into_iter().map(|one| one.compile(claim)).collect()
        };
        Ok(match self {
            Self::Any(list) => Expression::Any(each(list)?),
            Self::All(list) => Expression::All(each(list)?),
            Self::Not(inner) => Expression::Not(Box::new(inner.compile(claim)?)),
            Self::Test(comparison) => Expression::Test(Check::compile(comparison, claim)?),
        })
    }
}

impl<T> Expression<T> {
    /// Judges the tree, each test by `holds`, from left to right and no further than needed.
    pub(super) fn judge(&self, holds: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::Any(list) => list.iter().any(|one| one.judge(holds)),
            Self::All(list) => list.iter().all(|one| one.judge(holds)),
            Self::Not(inner) => !inner.judge(holds),
            Self::Test(test) => holds(test),
        }
    }
}

// === impl Operand ===

impl Operand {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Claim(_) => "claim",
            Self::Header(_) => "header",
            Self::Method => "method",
            Self::Path => "path",
            Self::ClientIp => "client_ip",
        }
    }
}

// === impl Verb ===

impl Verb {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Equals(_) => "==",
            Self::Differs(_) => "!=",
            Self::In(_) => "in",
            Self::Contains(_) => "contains",
            Self::StartsWith(_) => "starts_with",
            Self::Matches(_) => "matches",
            Self::Exists => "exists",
        }
    }
}

// === impl Parser ===

impl<'r> Parser<'r> {
    fn any(&mut self) -> Result<Expression<Comparison>, RuleError> {
        let mut list = vec![self.all()?];
        while self.lexer.take_if(Token::Word("or"))? {
            list.push(self.all()?);
        }
        Ok(one_or(list, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression<Comparison>, RuleError> {
        let mut list = vec![self.negated()?];
        while self.lexer.take_if(Token::Word("and"))? {
            list.push(self.negated()?);
        }
        Ok(one_or(list, Expression::All))
    }

    fn negated(&mut self) -> Result<Expression<Comparison>, RuleError> {
        let at = self.lexer.at();
        if self.lexer.take_if(Token::Word("not"))? {
            let inner = self.deeper(at, Self::negated)?;
            return Ok(Expression::Not(Box::new(inner)));
        }
        if self.lexer.take_if(Token::Sign("("))? {
            let inner = self.deeper(at, Self::any)?;
            self.sign(")", "`)`")?;
            return Ok(inner);
        }
        self.comparison().map(Expression::Test)
    }

    fn deeper<T>(
        &mut self,
        at: usize,
        read: impl FnOnce(&mut Self) -> Result<T, RuleError>,
    ) -> Result<T, RuleError> {
        if self.depth == RULE_DEPTH_MAX {
            return Err(RuleFault::TooDeep.at(at));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn comparison(&mut self) -> Result<Comparison, RuleError> {
        let operand_at = self.lexer.at();
        if self.tests == RULE_TESTS_MAX {
            return Err(RuleFault::TestsExceeded.at(operand_at));
        }
        self.tests += 1;
        let operand = self.operand()?;
        let (verb, verb_at) = self.verb(&operand)?;
        Ok(Comparison {
            operand,
            verb,
            operand_at,
            verb_at,
        })
    }

    fn operand(&mut self) -> Result<Operand, RuleError> {
        let at = self.lexer.at();
        let Token::Word(word) = self.lexer.peek() else {
            return Err(self.lexer.unexpected("something to test, `not` or `(`"));
        };
        self.lexer.take()?;
        if let Some(name) = word.strip_prefix("claims.") {
            let is_path = name.split('.').all(|step| !step.is_empty());
            return match is_path {
                true => Ok(Operand::Claim(name.to_owned())),
                false => Err(RuleFault::ClaimName.at(at)),
            };
        }
        match word {
            "claim" => match self.named()? {
                "" => Err(RuleFault::ClaimName.at(at)),
                name => Ok(Operand::Claim(name.to_owned())),
            },
            "header" => Ok(Operand::Header(self.named()?.to_owned())),
            "method" => Ok(Operand::Method),
            "path" => Ok(Operand::Path),
            "client_ip" => Ok(Operand::ClientIp),
            "claims" => Err(RuleFault::ClaimName.at(at)),
            other => Err(RuleFault::Operand(shown(other)).at(at)),
        }
    }

    /// `("NAME")`
    fn named(&mut self) -> Result<&'r str, RuleError> {
        self.sign("(", "`(` and a name in quotes")?;
        let Token::Text(name) = self.lexer.peek() else {
            return Err(self.lexer.unexpected("a name in quotes"));
        };
        self.lexer.take()?;
        self.sign(")", "`)`")?;
        Ok(name)
    }

    fn verb(&mut self, operand: &Operand) -> Result<(Verb, usize), RuleError> {
        const VERBS: &str = "`==`, `!=`, `in`, `contains`, `starts_with`, `matches` or `exists`";
        let at = self.lexer.at();
        let unexpected = self.lexer.unexpected(VERBS);
        let word = match self.lexer.peek() {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
            _ => return Err(unexpected),
        };
        if !["==", "!=", "in", "contains", "starts_with", "matches", "exists"].contains(&word) {
            return Err(unexpected);
        }
        self.lexer.take()?;
        let value_at = self.lexer.at();
        let verb = match word {
            "==" => Verb::Equals(self.literal()?),
            "!=" => Verb::Differs(self.literal()?),
            "contains" => Verb::Contains(self.literal()?),
            "starts_with" => Verb::StartsWith(self.text()?),
            "matches" => Verb::Matches(self.text()?),
            "exists" => return Ok((Verb::Exists, at)),
            // One network needs no list.
            _ if *operand == Operand::ClientIp && self.lexer.peek() != Token::Sign("[") => {
                Verb::In(vec![self.literal()?])
            }
            _ => Verb::In(self.list()?),
        };
        Ok((verb, value_at))
    }

    fn list(&mut self) -> Result<Vec<Literal>, RuleError> {
        let at = self.lexer.at();
        self.sign("[", "a list in brackets")?;
        let mut members = Vec::new();
        while self.lexer.peek() != Token::Sign("]") {
            if members.len() == RULE_MEMBERS_MAX {
                return Err(RuleFault::MembersExceeded.at(self.lexer.at()));
            }
            members.push(self.literal()?);
            if !self.lexer.take_if(Token::Sign(","))? {
                break;
            }
        }
        self.sign("]", "`,` or `]`")?;
        match members.is_empty() {
            true => Err(RuleFault::ListEmpty.at(at)),
            false => Ok(members),
        }
    }

    fn literal(&mut self) -> Result<Literal, RuleError> {
        let literal = match self.lexer.peek() {
            Token::Text(text) => Literal::Text(text.into()),
            Token::Integer(number) => Literal::Integer(number),
            Token::Word("true") => Literal::Boolean(true),
            Token::Word("false") => Literal::Boolean(false),
            _ => {
                return Err(self
                    .lexer
                    .unexpected("text in quotes, a whole number, `true` or `false`"));
            }
        };
        self.lexer.take()?;
        Ok(literal)
    }

    fn text(&mut self) -> Result<String, RuleError> {
        let Token::Text(text) = self.lexer.peek() else {
            return Err(self.lexer.unexpected("text in quotes"));
        };
        self.lexer.take()?;
        Ok(text.to_owned())
    }

    fn sign(&mut self, sign: &'static str, what: &'static str) -> Result<(), RuleError> {
        match self.lexer.take_if(Token::Sign(sign))? {
            true => Ok(()),
            false => Err(self.lexer.unexpected(what)),
        }
    }
}

fn one_or<T>(mut list: Vec<Expression<T>>, many: fn(Vec<Expression<T>>) -> Expression<T>) -> Expression<T> {
    match list.pop() {
        Some(only) if list.is_empty() => only,
        last => {
            list.extend(last);
            many(list)
        }
    }
}
