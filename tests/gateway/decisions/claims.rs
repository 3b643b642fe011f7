//! Which header fields a token's claims become, value by value.
//!
//! The upstream believes these fields, so a value is one field line whatever the claim holds, and a claim that is
//! absent gives no field at all.

use serde_json::{Value, json};

use crate::harness::{Request, get};
use crate::world::World;

/// The fields that the API `claims` sets, in the order in which rows list them.
pub(super) const HEADERS: [&str; 8] = [
    "X-User", "X-Client", "X-Roles", "X-Level", "X-Admin", "X-Name", "X-City", "X-Tags",
];

type Row = (&'static str, Request, Vec<String>);

pub(super) fn rows(world: &World) -> Vec<Row> {
    let claim = |what, name: &str, value: Value, field: &str| {
        let token = world.token().claim(name, value).text();
        row(what, &token, &[field])
    };
    let plain = world.token().text();
    let spoofed = get("/claims/x")
        .bearer(&plain)
        .header("X-User", "root")
        .header("x_roles", "admin")
        .header("X.Level", "9");
    let from_legacy = world
        .legacy
        .token()
        .without_header("kid")
        .claim("https://acme.example/roles", "admin")
        .text();
    vec![
        row("subject and client", &plain, &[]),
        ("a caller's own are gone", spoofed, expected(&[])),
        claim("a text", "roles", json!("waiter"), "X-Roles: waiter"),
        claim(
            "a list",
            "roles",
            json!(["waiter", "cook"]),
            "X-Roles: waiter|cook",
        ),
        claim(
            "a mixed list",
            "roles",
            json!(["a", 1, true, null]),
            "X-Roles: a|1|true",
        ),
        claim(
            "a list of lists",
            "roles",
            json!([["a"], "b"]),
            "X-Roles: [[\"a\"],\"b\"]",
        ),
        claim("an object", "roles", json!({ "a": 1 }), "X-Roles: {\"a\":1}"),
        claim("an empty text", "roles", json!(""), "X-Roles: "),
        claim("null", "roles", json!(null), ""),
        claim(
            "a renamed claim",
            "https://acme.example/roles",
            json!("admin"),
            "X-Roles: admin",
        ),
        row(
            "a renamed claim comes before one of that name",
            &world
                .token()
                .claim("https://acme.example/roles", "admin")
                .claim("roles", "guest")
                .text(),
            &["X-Roles: admin"],
        ),
        row("another issuer's claim is not renamed", &from_legacy, &[]),
        claim("a number", "level", json!(42), "X-Level: 42"),
        claim("a fraction", "level", json!(1.5), "X-Level: 1.5"),
        claim(
            "a large number",
            "level",
            json!(u64::MAX),
            "X-Level: 18446744073709551615",
        ),
        claim("false", "admin", json!(false), "X-Admin: false"),
        claim(
            "visible ASCII",
            "name",
            json!("O'Hara, J. <j@x>"),
            "X-Name: O'Hara, J. <j@x>",
        ),
        claim("letters beyond ASCII", "name", json!("Zoë"), "X-Name: Zo%C3%AB"),
        claim(
            "beyond the basic plane",
            "name",
            json!("\u{1f511}"),
            "X-Name: %F0%9F%94%91",
        ),
        claim("a percent sign", "name", json!("100%41"), "X-Name: 100%2541"),
        claim(
            "a line break",
            "name",
            json!("a\r\nX-User: root"),
            "X-Name: a%0D%0AX-User: root",
        ),
        claim("NUL and DEL", "name", json!("a\0b\u{7f}"), "X-Name: a%00b%7F"),
        claim("spaces at the ends", "name", json!(" a "), "X-Name: %20a%20"),
        claim(
            "a nested claim",
            "address",
            json!({ "city": "Ulm" }),
            "X-City: Ulm",
        ),
        claim(
            "a claim that is literally so named",
            "address.city",
            json!("Bonn"),
            "X-City: Bonn",
        ),
        claim("nothing there", "address", json!({ "town": "Ulm" }), ""),
        claim(
            "a name that is a URL",
            "https://acme.example/tags",
            json!(["a", "b"]),
            "X-Tags: a|b",
        ),
    ]
}

fn row(what: &'static str, token: &str, further: &[&str]) -> Row {
    (what, get("/claims/x").bearer(token), expected(further))
}

/// Subject and client, and what a row adds.
fn expected(further: &[&str]) -> Vec<String> {
    let further = further.iter().filter(|field| !field.is_empty());
    ["X-User: alice", "X-Client: mobile-app"]
        .iter()
        .chain(further)
        .map(|field| (*field).to_owned())
        .collect()
}
