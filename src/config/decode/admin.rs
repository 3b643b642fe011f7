//! `[state]` and `[admin]`: where that is kept which changes at run time, and where it is changed.
//! Neither path has a default: what lies on disk, and where a secret lies, is for an operator to say.

use crate::config::schema::{Admin, ServerTls, State, StateKind};
use crate::config::table::{Key, Shape};
use crate::config::value::Value;

pub(super) static ADMIN: Shape = Shape {
    path: "admin",
    title: "in [admin]",
    keys: &[
        Key::Value("address"),
        Key::Value("token_file"),
        Key::Value("hosts"),
        Key::Table("tls", &TLS),
        Key::Value("danger_allow_http"),
    ],
};

static TLS: Shape = Shape {
    path: "admin.tls",
    title: "in `tls` of [admin]",
    keys: &[
        Key::Value("certificate"),
        Key::Value("key"),
        Key::Value("client_ca"),
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
    let token_file = table.optional("token_file", Value::file);
    let hosts = table.or_default("hosts", Value::texts);
    let tls = table.optional("tls", tls);
    let danger_allow_http = table.or_default("danger_allow_http", Value::boolean);
    Some(Admin {
        place: value.place(),
        address: address?,
        token_file,
        hosts,
        tls,
        danger_allow_http,
    })
}

fn tls(value: Value<'_>) -> Option<ServerTls> {
    let table = value.table(&TLS)?;
    let certificate = table.required("certificate", Value::file);
    let key = table.required("key", Value::file);
    let client_ca = table.optional("client_ca", Value::file);
    Some(ServerTls {
        certificate: certificate?,
        key: key?,
        client_ca,
    })
}

pub(super) fn state(value: Value<'_>) -> Option<State> {
    let table = value.table(&STATE)?;
    let kind = table.word("kind", &[("embedded", Some(StateKind::Embedded))]);
    let path = table.required("path", Value::file);
    Some(State { kind, path: path? })
}
