//! Values as JSON, for whoever asks what is in force: those that were written, and the defaults that took their place.
//! They are shown in the operator's words: a duration has its unit, a word is the one that would be written.

use std::time::Duration;

use serde_json::{Map, Value};
use toml::de::DeValue;

/// What can be a default.
pub(super) trait Plain {
    /// As an operator would write it.
    fn plain(&self) -> Value;
}

impl Plain for bool {
    fn plain(&self) -> Value {
        (*self).into()
    }
}

impl Plain for Duration {
    fn plain(&self) -> Value {
        humantime::format_duration(*self).to_string().into()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => { $(impl Plain for $number {
        fn plain(&self) -> Value {
            (*self).into()
        }
    })* };
}

numbers!(u8 u16 u32 u64 usize);

/// As a default, a list has nothing in it.
impl<T> Plain for Vec<T> {
    fn plain(&self) -> Value {
        Value::Array(Vec::new())
    }
}

/// What was written, as JSON text.
pub(super) fn json(written: &DeValue<'_>) -> Box<str> {
    value(written).to_string().into()
}

fn value(written: &DeValue<'_>) -> Value {
    match written {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.to_string().into(), Value::from),
        DeValue::Float(number) => number.as_str().to_owned().into(),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(members) => members.iter().map(|member| value(member.get_ref())).collect(),
        DeValue::Table(table) => {
            let members = table.iter();
            let members = members.map(|(key, member)| (key.get_ref().to_string(), value(member.get_ref())));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}
