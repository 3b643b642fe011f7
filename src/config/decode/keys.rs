//! `[keys]`: what concerns the keys of all issuers.
//! Where approvals are is a setting because a directory of configuration may be one that nobody can write to.

use crate::config::schema::Keys;
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static KEYS: Shape = Shape {
    path: "keys",
    title: "in [keys]",
    keys: &[Key::Value("approvals")],
};

pub(super) fn keys(value: Value<'_>) -> Option<Keys> {
    let table = value.table(&KEYS)?;
    Some(Keys {
        approvals: table.optional("approvals", Value::file),
    })
}
