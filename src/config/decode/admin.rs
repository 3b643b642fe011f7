//! `[state]` and `[admin]`: where that is kept which changes at run time, and where it is changed.
//! Neither path has a default: what lies on disk, and where a secret lies, is for an operator to say.

use crate::config::schema::{Admin, State, StateKind};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static ADMIN: Shape = Shape {
    path: "admin",
    title: "in [admin]",
    keys: &[
        Key::Value("address"),
        Key::Value("token_file"),
        Key::Value("hosts"),
    ],
};

pub(super) static STATE: Shape = Shape {
    path: "state",
    title: "in [state]",
    keys: &[Key::Value("kind"), Key::Value("path")],
};

pub(super) fn admin(value: Value<'_>) -> Option<Admin> {
    let table = value.table(&ADMIN)?;
    let address = table.required("address", Value::address);
    let token_file = table.required("token_file", Value::file);
    let hosts = table.optional("hosts", Value::texts).unwrap_or_default();
    Some(Admin {
        place: value.place(),
        address: address?,
        token_file: token_file?,
        hosts,
    })
}

pub(super) fn state(value: Value<'_>) -> Option<State> {
    let table = value.table(&STATE)?;
    let kind = table
        .optional("kind", |value| {
            value.word(&[("embedded", Some(StateKind::Embedded))])
        })
        .unwrap_or_default();
    let path = table.required("path", Value::file);
    Some(State { kind, path: path? })
}
