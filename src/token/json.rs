//! JSON as tokens may use it: one value, borrowed from its bytes, no member twice, no deeper than [`DEPTH_MAX`].
//!
//! A duplicate member means that two readers of the same token may see two different claims (RFC 7519 section 4 lets
//! a verifier refuse it; this one does, at every depth). `serde_json` does the syntax and UTF-8; what it would
//! silently accept (duplicates, depth up to its own bound of 128) is refused here while it parses.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
pub use serde_json::Number;

/// Nesting of objects and arrays: claims with more than a handful of levels do not occur, stack overflows do.
pub const DEPTH_MAX: u32 = 16;
/// Up to this many members, names are compared pairwise as they come; above it they are sorted once.
const MEMBERS_PAIRWISE_MAX: usize = 24;

/// A JSON value whose strings are borrowed from the text where they hold no escapes.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the kinds of values of RFC 8259 section 3")]
pub enum Value<'t> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'t, str>),
    Array(Vec<Self>),
    Object(Object<'t>),
}

/// A JSON object in the order of its text, no name twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object<'t> {
    members: Vec<(Cow<'t, str>, Value<'t>)>,
}

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonError {
    /// Not one JSON object, or not UTF-8, or a number beyond what a double can hold.
    Syntax,
    /// A member name occurs twice in one object, escapes resolved.
    Duplicate,
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
}

/// Parses `text`, all of it, as one object.
///
/// # Errors
/// See [`JsonError`]. Never panics and never recurses deeper than [`DEPTH_MAX`], whatever the text.
pub fn parse_object(text: &[u8]) -> Result<Object<'_>, JsonError> {
    let fault = Cell::new(JsonError::Syntax);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let seed = ValueSeed {
        depth: 0,
        fault: &fault,
    };
    let value = seed.deserialize(&mut deserializer).map_err(|_| fault.get())?;
    deserializer.end().map_err(|_| JsonError::Syntax)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::Syntax),
    }
}

#[derive(Clone, Copy)]
struct ValueSeed<'f> {
    depth: u32,
    fault: &'f Cell<JsonError>,
}

// === impl Value ===

impl<'t> Value<'t> {
    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub const fn as_object(&self) -> Option<&Object<'t>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// About how many bytes it takes to keep it.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Bool(_) | Self::Number(_) => 0,
                Self::String(text) => text.len(),
                Self::Array(members) => members.iter().map(Value::weight).sum(),
                Self::Object(object) => {
                    let members = object.members.iter();
                    members
                        .map(|(name, value)| size_of_val(name) + name.len() + value.weight())
                        .sum()
                }
            }
    }

    /// The same value, free of the text it came from.
    pub fn to_static(&self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::String(text) => Value::String(Cow::Owned(text.as_ref().to_owned())),
            Self::Array(values) => Value::Array(values.iter().map(Value::to_static).collect()),
            Self::Object(object) => Value::Object(Object {
                members: object
                    .members
                    .iter()
                    .map(|(name, value)| (Cow::Owned(name.as_ref().to_owned()), value.to_static()))
                    .collect(),
            }),
        }
    }
}

impl serde::Serialize for Value<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => number.serialize(serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(values) => serializer.collect_seq(values),
            Value::Object(object) => serializer.collect_map(object.iter()),
        }
    }
}

// === impl Object ===

impl<'t> Object<'t> {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value<'t>> {
        self.members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// All members in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'t>)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn has_duplicates(&self) -> bool {
        let mut names: Vec<&str> = self.members.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }
}

// === impl ValueSeed ===

impl ValueSeed<'_> {
    /// Notes a fault; the error itself only ends the reading.
    fn fail<E: serde::de::Error>(&self, fault: JsonError) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }

    /// For what is inside.
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.fail(JsonError::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..*self
        })
    }
}

impl<'t> DeserializeSeed<'t> for ValueSeed<'_> {
    type Value = Value<'t>;

    fn deserialize<D: serde::Deserializer<'t>>(self, deserializer: D) -> Result<Value<'t>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for ValueSeed<'_> {
    type Value = Value<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'t>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'t>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'t>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'t>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value<'t>, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not finite"))
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<Value<'t>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'t>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut sequence: A) -> Result<Value<'t>, A::Error> {
        let seed = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(seed)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Value<'t>, A::Error> {
        let seed = self.deeper()?;
        let mut object = Object {
            members: Vec::with_capacity(8),
        };
        while let Some(name) = map.next_key_seed(seed)? {
            let Value::String(name) = name else {
                return Err(A::Error::custom("a name is a string"));
            };
            if object.members.len() < MEMBERS_PAIRWISE_MAX && object.get(&name).is_some() {
                return Err(self.fail(JsonError::Duplicate));
            }
            let value = map.next_value_seed(seed)?;
            object.members.push((name, value));
        }
        if object.members.len() > MEMBERS_PAIRWISE_MAX && object.has_duplicates() {
            return Err(self.fail(JsonError::Duplicate));
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<usize, JsonError>) {
        let parsed = parse_object(text.as_bytes()).map(|object| object.len());
        assert_eq!(parsed, expected, "{}", text.chars().take(80).collect::<String>());
    }

    #[test]
    fn objects_are_read_and_everything_else_is_refused() {
        check("{}", Ok(0));
        check(r#"{"a":1,"b":[{"c":null}]}"#, Ok(2));
        check(" \n{\"a\":1}\t ", Ok(1));
        for text in [
            "",
            "[]",
            "1",
            "\"a\"",
            "null",
            "{",
            "{}}",
            "{} {}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{\"a\":01}",
            "{\"a\":1e400}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":0x1}",
            "{a:1}",
            "/**/{}",
            "\u{feff}{}",
            "{\"a\":\"\n\"}",
        ] {
            check(text, Err(JsonError::Syntax));
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
        assert_eq!(parse_object(b"\xff\xfe{\0}\0"), Err(JsonError::Syntax));
    }

    #[test]
    fn a_member_twice_is_refused_however_it_is_spelled() {
        check(r#"{"sub":"a","sub":"b"}"#, Err(JsonError::Duplicate));
        check(r#"{"sub":"a","s\u0075b":"b"}"#, Err(JsonError::Duplicate));
        check(r#"{"a":{"b":1,"b":2}}"#, Err(JsonError::Duplicate));
        check(r#"{"a":[{"b":1,"b":2}]}"#, Err(JsonError::Duplicate));
        check(r#"{"a":{"b":1},"c":{"b":1}}"#, Ok(2));
        let many = |extra: &str| {
            let members: Vec<String> = (0..100).map(|i| format!("\"m{i}\":{i}")).collect();
            format!("{{{}{extra}}}", members.join(","))
        };
        check(&many(""), Ok(100));
        check(&many(",\"m0\":0"), Err(JsonError::Duplicate));
        check(&many(",\"m99\":0"), Err(JsonError::Duplicate));
    }

    #[test]
    fn depth_is_bounded_at_sixteen() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        check(&nested(15), Ok(1));
        check(&nested(16), Err(JsonError::TooDeep));
        check(&nested(10_000), Err(JsonError::TooDeep));
        check(&"{\"a\":".repeat(5_000), Err(JsonError::TooDeep));
    }

    #[test]
    fn strings_are_borrowed_unless_escaped() {
        let object = parse_object(br#"{"plain":"x","escaped":"\u0078"}"#).unwrap();
        assert!(matches!(
            object.get("plain"),
            Some(Value::String(Cow::Borrowed("x")))
        ));
        assert!(matches!(object.get("escaped"), Some(Value::String(Cow::Owned(text))) if text == "x"));
    }

    #[test]
    fn a_value_written_out_reads_back_the_same() {
        let text = r#"{"a":[1,-2,1.5,true,null,"é\n"],"b":{"c":"d"}}"#;
        let object = parse_object(text.as_bytes()).unwrap();
        let written = serde_json::to_string(&Value::Object(object.clone())).unwrap();
        assert_eq!(written, text);
        assert_eq!(Value::Object(object.clone()).to_static(), Value::Object(object));
    }
}
