//! What a mapping may do to a claim's value: a handful of steps in one fixed order, and no script.
//!
//! A step works on texts and lists of texts. What it cannot work on, or could only join so that nobody can tell the
//! members apart again, is an error and never a guess: a group that an issuer spells as a number must not become a
//! role by accident. Patterns run in time linear in the text (the `regex` crate knows no backtracking), and their
//! programs have a bound.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::{IdentityError, scalar_text};
use crate::token::json::Value;

/// Longer patterns are refused: what does not fit on two lines is a script.
pub const PATTERN_BYTES_MAX: usize = 256;
/// The compiled program of a pattern, in bytes; `\w` alone takes some 50 KiB, Unicode being what it is.
const PROGRAM_BYTES_MAX: usize = 512 * 1024;
/// The cache with which a pattern is matched, in bytes, per thread.
const MATCHER_BYTES_MAX: usize = 256 * 1024;
/// Groups within groups within groups: patterns that people can read have few.
const NESTED_MAX: u32 = 32;
/// A claim that steps make longer than this is refused: no claim is longer as it comes, since no token is.
const CLAIM_BYTES_MAX: usize = 16 * 1024;
/// The capture group that counts where a pattern has several.
const GROUP: &str = "value";

/// The steps, in the order in which they are taken; none of them: the value stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Transformation {
    /// A text becomes what is captured; of a list, the members that match do, and the others are left out.
    pub pattern: Option<Pattern>,
    /// A text becomes the list of its pieces between separators, empty pieces left out.
    pub split: Option<Box<str>>,
    /// ASCII letters become small. Others stay: `K` (the Kelvin sign) must not become the `k` of somebody's name.
    pub lowercase: bool,
    /// Put before the text, or before each member of a list.
    pub prefix: Option<Box<str>>,
    /// A list of scalars becomes one text, with this in between.
    pub join: Option<Box<str>>,
}

/// A pattern with the one group whose capture counts.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    group: usize,
}

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than [`PATTERN_BYTES_MAX`].
    #[error("is longer than 256 bytes")]
    TooLong,
    /// Compiled, it is larger than 512 KiB, or nested too deep.
    #[error("is too large when it is compiled, or nested too deep")]
    TooLarge,
    /// The syntax is not that of the `regex` crate, which says why.
    #[error("is no pattern: {0}")]
    Syntax(String),
    /// No group, or several and none of them named `value`.
    #[error("needs exactly one capture group, or one that is named `value`: `(?<value>…)`")]
    Groups,
}

/// What the steps work on.
enum Texts<'v> {
    One(Cow<'v, str>),
    Many(Vec<Cow<'v, str>>),
}

// === impl Pattern ===

impl Pattern {
    /// Compiles a pattern. It matches anywhere in a text unless it is anchored with `^` and `$`.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let regex = RegexBuilder::new(text)
            .size_limit(PROGRAM_BYTES_MAX)
            .dfa_size_limit(MATCHER_BYTES_MAX)
            .nest_limit(NESTED_MAX)
            .build()
            .map_err(|error| match error {
                // The last line of the parser's drawing says what is wrong.
                regex::Error::Syntax(drawing) => PatternError::Syntax(
                    drawing
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                        .to_owned(),
                ),
                _ => PatternError::TooLarge,
            })?;
        let named = regex.capture_names().position(|name| name == Some(GROUP));
        let group = match (named, regex.captures_len()) {
            (Some(group), _) => group,
            // The whole match is the first.
            (None, 2) => 1,
            (None, _) => return Err(PatternError::Groups),
        };
        Ok(Self { regex, group })
    }

    fn capture(&self, text: &str) -> Option<String> {
        let captures = self.regex.captures(text)?;
        captures
            .get(self.group)
            .map(|captured| captured.as_str().to_owned())
    }
}

// === impl Transformation ===

impl Transformation {
    /// Whether there is no step at all.
    pub const fn is_empty(&self) -> bool {
        !self.works_on_texts() && self.join.is_none()
    }

    /// Whether a step needs texts; joining takes other scalars, too.
    const fn works_on_texts(&self) -> bool {
        self.pattern.is_some() || self.split.is_some() || self.lowercase || self.prefix.is_some()
    }

    /// The value after all steps; nothing, if the pattern did not match. `null` has nothing to work on and stays.
    ///
    /// # Errors
    /// [`IdentityError::TransformationType`], [`IdentityError::TransformationTooLong`] and
    /// [`IdentityError::JoinAmbiguous`].
    pub(super) fn apply(&self, value: &Value<'_>) -> Result<Option<Value<'static>>, IdentityError> {
        if matches!(value, Value::Null) {
            return Ok(Some(Value::Null));
        }
        let mut texts = Texts::read(value, !self.works_on_texts())?;
        if let Some(pattern) = &self.pattern {
            match texts.captured(pattern) {
                Some(captured) => texts = captured,
                None => return Ok(None),
            }
        }
        if let Some(separator) = &self.split {
            texts = texts.split(separator)?;
        }
        if self.lowercase {
            texts.each(|text| text.to_mut().make_ascii_lowercase());
        }
        if let Some(prefix) = &self.prefix {
            if texts.bytes(prefix.len()) > CLAIM_BYTES_MAX {
                return Err(IdentityError::TransformationTooLong);
            }
            texts.each(|text| text.to_mut().insert_str(0, prefix));
        }
        if let Some(separator) = &self.join {
            if texts.bytes(separator.len()) > CLAIM_BYTES_MAX {
                return Err(IdentityError::TransformationTooLong);
            }
            texts = texts.joined(separator)?;
        }
        Ok(Some(texts.into_value()))
    }
}

// === impl Texts ===

impl<'v> Texts<'v> {
    fn read(value: &'v Value<'_>, any_scalar: bool) -> Result<Self, IdentityError> {
        match value {
            Value::String(text) => Ok(Self::One(text.as_ref().into())),
            Value::Array(members) => {
                let mut texts = Vec::with_capacity(members.len());
                for member in members {
                    match member {
                        Value::String(text) => texts.push(text.as_ref().into()),
                        Value::Bool(_) | Value::Number(_) if any_scalar => texts.extend(scalar_text(member)),
                        // As in a header.
                        Value::Null if any_scalar => {}
                        _ => return Err(IdentityError::TransformationType),
                    }
                }
                Ok(Self::Many(texts))
            }
            _ => Err(IdentityError::TransformationType),
        }
    }

    fn captured(&self, pattern: &Pattern) -> Option<Self> {
        match self {
            Self::One(text) => pattern.capture(text).map(|captured| Self::One(captured.into())),
            Self::Many(members) => {
                let captured: Vec<_> = members
                    .iter()
                    .filter_map(|member| pattern.capture(member).map(Into::into))
                    .collect();
                (!captured.is_empty()).then_some(Self::Many(captured))
            }
        }
    }

    fn split(self, separator: &str) -> Result<Self, IdentityError> {
        let Self::One(text) = self else {
            return Err(IdentityError::TransformationType);
        };
        let pieces = text.split(separator).filter(|piece| !piece.is_empty());
        Ok(Self::Many(pieces.map(|piece| piece.to_owned().into()).collect()))
    }

    /// How long all texts are together, with so many more bytes each.
    fn bytes(&self, more: usize) -> usize {
        let texts = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(members) => members,
        };
        texts.iter().map(|text| text.len() + more).sum()
    }

    fn each(&mut self, change: impl Fn(&mut Cow<'v, str>)) {
        match self {
            Self::One(text) => change(text),
            Self::Many(members) => members.iter_mut().for_each(change),
        }
    }

    /// One text that comes apart into the same members again.
    fn joined(self, separator: &str) -> Result<Self, IdentityError> {
        let Self::Many(members) = self else {
            return Err(IdentityError::TransformationType);
        };
        let joined = members.join(separator);
        let distinct = members.is_empty() || joined.split(separator).eq(members.iter().map(Cow::as_ref));
        if distinct {
            Ok(Self::One(joined.into()))
        } else {
            Err(IdentityError::JoinAmbiguous)
        }
    }

    fn into_value(self) -> Value<'static> {
        let text = |text: Cow<'_, str>| Value::String(Cow::Owned(text.into_owned()));
        match self {
            Self::One(one) => text(one),
            Self::Many(members) => Value::Array(members.into_iter().map(text).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::json::parse_object;

    fn steps(pattern: &str, split: &str, lowercase: bool, prefix: &str, join: &str) -> Transformation {
        let some = |text: &str| (!text.is_empty()).then(|| text.into());
        Transformation {
            pattern: (!pattern.is_empty()).then(|| Pattern::parse(pattern).unwrap()),
            split: some(split),
            lowercase,
            prefix: some(prefix),
            join: some(join),
        }
    }

    /// The value as JSON, `-` where nothing was captured.
    #[track_caller]
    fn check(steps: &Transformation, claim: &str, expected: Result<&str, IdentityError>) {
        let text = format!("{{\"c\":{claim}}}");
        let object = parse_object(text.as_bytes()).unwrap();
        let result = steps.apply(object.get("c").unwrap()).map(|value| match value {
            Some(value) => serde_json::to_string(&value).unwrap(),
            None => "-".to_owned(),
        });
        assert_eq!(
            result.as_deref().map_err(|error| *error),
            expected,
            "{steps:?} on {claim}"
        );
    }

    #[test]
    fn each_step_works_on_what_it_is_for_and_refuses_the_rest() {
        use IdentityError::{JoinAmbiguous, TransformationType};
        let split = steps("", ",", false, "", "");
        check(&split, r#""a,b""#, Ok(r#"["a","b"]"#));
        check(&split, r#"",a,,b c,""#, Ok(r#"["a","b c"]"#));
        check(&split, r#""""#, Ok("[]"));
        check(&split, "null", Ok("null"));
        let join = steps("", "", false, "", " ");
        check(&join, r#"["a","b"]"#, Ok(r#""a b""#));
        check(&join, r#"["a",1,true,null,1.5]"#, Ok(r#""a 1 true 1.5""#));
        check(&join, "[]", Ok(r#""""#));
        check(&join, r#"["a b"]"#, Err(JoinAmbiguous));
        check(&join, r#"["a","b c"]"#, Err(JoinAmbiguous));
        check(&join, r#"["a",["b"]]"#, Err(TransformationType));
        check(&join, r#"["a",{}]"#, Err(TransformationType));
        // A separator that begins in a member and ends behind it.
        check(
            &steps("", "", false, "", "||"),
            r#"["a|","b"]"#,
            Err(JoinAmbiguous),
        );
        check(&steps("", "", false, "", "||"), r#"["a","b|"]"#, Ok(r#""a||b|""#));
        let prefix = steps("", "", false, "acme:", "");
        check(&prefix, r#""a""#, Ok(r#""acme:a""#));
        check(&prefix, r#"["a","b"]"#, Ok(r#"["acme:a","acme:b"]"#));
        check(&prefix, "[]", Ok("[]"));
        let lowercase = steps("", "", true, "", "");
        check(&lowercase, r#""AbC""#, Ok(r#""abc""#));
        check(
            &lowercase,
            r#"["AbC","\u212a\u00c4"]"#,
            Ok("[\"abc\",\"\u{212a}Ä\"]"),
        );
        let pattern = steps("^app-(.+)$", "", false, "", "");
        check(&pattern, r#""app-x""#, Ok(r#""x""#));
        check(&pattern, r#""xapp-x""#, Ok("-"));
        check(&pattern, r#"["app-x","other","app-y"]"#, Ok(r#"["x","y"]"#));
        check(&pattern, r#"["other"]"#, Ok("-"));
        check(&pattern, "[]", Ok("-"));
        for steps in [&split, &prefix, &lowercase, &pattern] {
            for claim in ["1", "true", "{}", r#"["a",1]"#, r#"["a",null]"#, r#"[["a"]]"#] {
                check(steps, claim, Err(TransformationType));
            }
        }
        for claim in ["1", "true", "{}", r#""a""#] {
            check(&join, claim, Err(TransformationType));
        }
        check(&split, r#"["a,b"]"#, Err(TransformationType));
    }

    #[test]
    fn the_steps_are_taken_in_one_order() {
        for (steps, claim, expected) in [
            (
                steps("^groups=(.*)$", ";", true, "g:", " "),
                r#""groups=Cook;WAITER""#,
                Ok(r#""g:cook g:waiter""#),
            ),
            // The prefix is not in small letters, the pattern sees large ones.
            (steps("(B+)", "", true, "A", ""), r#""aBBc""#, Ok(r#""Abb""#)),
            // Split comes before prefix, so each piece has one.
            (
                steps("", " ", false, "p ", ""),
                r#""a b""#,
                Ok(r#"["p a","p b"]"#),
            ),
            (
                steps("", ",", false, "p ", " "),
                r#""a,b""#,
                Err(IdentityError::JoinAmbiguous),
            ),
            (
                steps("(?:x(?<value>.)|(.))$", "", false, "", ""),
                r#""xy""#,
                Ok(r#""y""#),
            ),
            (
                steps("(?:x(?<value>.)|(.))$", "", false, "", ""),
                r#""zz""#,
                Ok("-"),
            ),
            (steps("a(.*)b", "", false, "", ""), r#""ab""#, Ok(r#""""#)),
        ] {
            check(&steps, claim, expected);
        }
    }

    #[test]
    fn patterns_have_bounds_and_one_group() {
        let long = format!("({})", "a".repeat(PATTERN_BYTES_MAX));
        let nested = format!("{}a{}", "(?:".repeat(40), ")".repeat(40));
        for (text, expected) in [
            ("(a)", None),
            (r"^CN=([\w ]+),", None),
            ("(a)(?<value>b)(c)", None),
            ("a", Some(PatternError::Groups)),
            ("(a)(b)", Some(PatternError::Groups)),
            ("(?:a)", Some(PatternError::Groups)),
            ("(?<other>a)", None),
            ("(a", Some(PatternError::Syntax("unclosed group".to_owned()))),
            (&*long, Some(PatternError::TooLong)),
            ("((?:a{1000}){1000})", Some(PatternError::TooLarge)),
        ] {
            assert_eq!(Pattern::parse(text).err(), expected, "{text}");
        }
        assert!(Pattern::parse(&nested).is_err());
        let backwards = Pattern::parse(r"(a)\1").unwrap_err();
        assert_eq!(
            backwards.to_string(),
            "is no pattern: backreferences are not supported"
        );
    }
}
