//! A value that an operator writes and a claim is held against.
//!
//! There are only kinds of which everybody agrees when two are equal: text byte for byte, whole numbers by their value
//! (`1` and `1.0` are one number in JSON), booleans. What is of another kind is not unequal but beyond comparison, so
//! that "is not X" cannot be satisfied by sending a list or an object.

use super::json::{Number, Value};

/// Beyond 2^53 a double no longer tells one whole number from the next.
const EXACT_MAX: i64 = 1 << 53;

/// A value to compare claims with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Literal {
    /// A string.
    Text(Box<str>),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
}

// === impl Literal ===

impl Literal {
    /// Whether a value is this one; `None` if it is of another kind.
    pub fn compare(&self, value: &Value<'_>) -> Option<bool> {
        match (self, value) {
            (Self::Text(own), Value::String(text)) => Some(**own == **text),
            (Self::Integer(own), Value::Number(number)) => Some(is_integer(number, *own)),
            (Self::Boolean(own), Value::Bool(value)) => Some(own == value),
            _ => None,
        }
    }

    /// Whether a value is this one.
    pub fn is(&self, value: &Value<'_>) -> bool {
        self.compare(value) == Some(true)
    }

    /// Whether a value is this one, or a list that has it.
    pub fn is_in(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Array(members) => members.iter().any(|member| self.is(member)),
            single => self.is(single),
        }
    }
}

fn is_integer(number: &Number, own: i64) -> bool {
    if let Some(number) = number.as_i64() {
        return number == own;
    }
    let exact = (-EXACT_MAX..=EXACT_MAX).contains(&own);
    #[expect(
        clippy::float_cmp,
        reason = "a double that is meant to be a whole number is exactly that"
    )]
    let equal = || number.as_f64().is_some_and(|number| number == own as f64);
    exact && equal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::json::parse_object;

    #[test]
    fn values_are_compared_within_their_kind() {
        let text = |text: &str| Literal::Text(text.into());
        for (literal, json, expected) in [
            (text("a"), r#""a""#, Some(true)),
            (text("a"), r#""A""#, Some(false)),
            (text("a"), r#"["a"]"#, None),
            (text("1"), "1", None),
            (text("true"), "true", None),
            (Literal::Integer(1), "1", Some(true)),
            (Literal::Integer(1), "1.0", Some(true)),
            (Literal::Integer(1), "1e0", Some(true)),
            (Literal::Integer(1), "1.5", Some(false)),
            (Literal::Integer(1), "\"1\"", None),
            (Literal::Integer(1), "true", None),
            (Literal::Integer(-3), "-3", Some(true)),
            (Literal::Integer(i64::MAX), "9223372036854775807", Some(true)),
            (Literal::Integer(i64::MAX), "9223372036854775808", Some(false)),
            (Literal::Integer(i64::MAX), "9.223372036854775807e18", Some(false)),
            (Literal::Boolean(true), "true", Some(true)),
            (Literal::Boolean(true), "false", Some(false)),
            (Literal::Boolean(true), "1", None),
            (Literal::Boolean(false), "null", None),
            (text(""), "null", None),
            (text(""), "{}", None),
        ] {
            let object = format!("{{\"v\":{json}}}");
            let object = parse_object(object.as_bytes()).unwrap();
            let value = object.get("v").unwrap();
            assert_eq!(literal.compare(value), expected, "{literal:?} {json}");
            assert_eq!(literal.is(value), expected == Some(true));
        }
    }

    #[test]
    fn a_list_has_what_one_of_its_members_is() {
        for (json, expected) in [
            (r#"["x","ops"]"#, true),
            (r#""ops""#, true),
            (r#"[["ops"]]"#, false),
            (r#"["x ops"]"#, false),
            (r#""x ops""#, false),
            ("[]", false),
            ("null", false),
        ] {
            let object = format!("{{\"v\":{json}}}");
            let object = parse_object(object.as_bytes()).unwrap();
            let found = Literal::Text("ops".into()).is_in(object.get("v").unwrap());
            assert_eq!(found, expected, "{json}");
        }
    }
}
