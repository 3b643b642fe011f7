//! Rows about what a plan or a route asks for besides a token and an agreement: the rule that selects the plan, claims
//! and audiences, and the resources that the plan includes.

use super::{Row, row};
use crate::harness::{Request, Token, get, request};
use crate::world::World;

const CLAIM: &str =
    "403 claim_required claim_required; WWW-Authenticate: Bearer error=\"insufficient_scope\"";
const AUDIENCE: &str =
    "403 audience_required audience_required; WWW-Authenticate: Bearer error=\"insufficient_scope\"";
const NO_PLAN: &str = "403 plan_not_selected plan_not_selected";
const FORBIDDEN: &str = "403 resource_forbidden resource_forbidden";

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = selection(world);
    rows.extend(claims(world));
    rows.extend(resources(world));
    rows.extend(anonymous());
    rows
}

/// A token that the first plan is for, and that has what it demands.
fn acme(world: &World) -> Token<'_> {
    world
        .token()
        .claim("tenant", "acme")
        .claim("email_verified", true)
}

fn partner(world: &World) -> Token<'_> {
    world.token().claim("https://acme.example/roles", vec!["partner"])
}

fn selection(world: &World) -> Vec<Row> {
    let with = |token: Token<'_>| get("/terms/menu/1").bearer(&token.text());
    vec![
        row("a rule that holds", with(acme(world)), "200 acme mobile /menu/1"),
        row(
            "a rule over a header that is not there",
            with(acme(world)).header("X-Channel", "mobile"),
            "200 acme mobile /menu/1",
        ),
        row(
            "a header that the rule excludes",
            with(acme(world)).header("X-Channel", "web"),
            NO_PLAN,
        ),
        row(
            "the next plan whose rule holds",
            with(partner(world)),
            "200 partner mobile /menu/1",
        ),
        row(
            "the first of two",
            with(
                partner(world)
                    .claim("tenant", "acme")
                    .claim("email_verified", true),
            ),
            "200 acme mobile /menu/1",
        ),
        row(
            "the second where a header takes the first away",
            with(partner(world).claim("tenant", "acme")).header("X-Channel", "web"),
            "200 partner mobile /menu/1",
        ),
        row(
            "a method that no rule is for",
            request("PUT", "/terms/menu/1").bearer(&partner(world).text()),
            NO_PLAN,
        ),
        row("no rule holds", with(world.token()), NO_PLAN),
        row(
            "a list is not its member",
            with(world.token().claim("tenant", vec!["acme"])),
            NO_PLAN,
        ),
        row(
            "in capitals",
            with(world.token().claim("tenant", "ACME")),
            NO_PLAN,
        ),
        row(
            "a role by its own name is not mapped away",
            with(world.token().claim("roles", vec!["partner"])),
            "200 partner mobile /menu/1",
        ),
        row(
            "no token where plans have rules",
            get("/terms/menu/1"),
            "401 missing_credentials missing_credentials; WWW-Authenticate: Bearer realm=\"terms\"",
        ),
        row(
            "a token that expired is no matter of rules",
            with(acme(world).expired()),
            "401 invalid_token expired; WWW-Authenticate: Bearer error=\"invalid_token\", \
             error_description=\"The token is expired\"",
        ),
    ]
}

fn claims(world: &World) -> Vec<Row> {
    let to = |path: &str, token: Token<'_>| get(&format!("/terms/{path}")).bearer(&token.text());
    let roles = |roles: Vec<&str>, level: i64| {
        acme(world)
            .claim("https://acme.example/roles", roles)
            .claim("level", level)
    };
    let audience = |audience: Vec<&str>| acme(world).claim("aud", audience);
    vec![
        row(
            "a claim of the plan, absent",
            to("menu/1", acme(world).without("email_verified")),
            CLAIM,
        ),
        row(
            "a claim of the plan, false",
            to("menu/1", acme(world).claim("email_verified", false)),
            CLAIM,
        ),
        row(
            "a claim of the plan, of another type",
            to("menu/1", acme(world).claim("email_verified", "true")),
            CLAIM,
        ),
        row(
            "claims of the route, mapped",
            to("claims", roles(vec!["waiter", "cook"], 3)),
            "200 acme mobile /claims",
        ),
        row("one of two claims", to("claims", roles(vec!["cook"], 4)), CLAIM),
        row(
            "none of the values",
            to("claims", roles(vec!["waiter"], 3)),
            CLAIM,
        ),
        row("no claim at all", to("claims", acme(world)), CLAIM),
        row(
            "an audience of the route",
            to(
                "audience",
                audience(vec!["https://api.example.com", "https://payments.example.com"]),
            ),
            "200 acme mobile /audience",
        ),
        row("the plan's audience alone", to("audience", acme(world)), AUDIENCE),
        row(
            "the route's audience alone",
            to("audience", audience(vec!["https://payments.example.com"])),
            "401 invalid_token audience_mismatch; WWW-Authenticate: Bearer error=\"invalid_token\", \
             error_description=\"The token is not for this audience\"",
        ),
    ]
}

fn resources(world: &World) -> Vec<Row> {
    let ask = |method: &str, path: &str| -> Request {
        request(method, &format!("/terms{path}")).bearer(&acme(world).text())
    };
    let other = |allow: &str| format!("405 method_not_allowed resource_method_not_allowed; Allow: {allow}");
    vec![
        row(
            "an allowed method",
            ask("PUT", "/menu/1"),
            "200 acme mobile /menu/1",
        ),
        row(
            "another entry that has the path",
            ask("POST", "/menu/1"),
            "200 acme mobile /menu/1",
        ),
        row(
            "an allowed path, another method",
            ask("DELETE", "/menu/1"),
            &other("GET, HEAD, POST, PUT"),
        ),
        row("deeper, another method", ask("GET", "/menu/1/2"), &other("POST")),
        row("a path that is not allowed", ask("GET", "/other"), FORBIDDEN),
        row("a slash more", ask("GET", "/menu/1/"), &other("POST")),
        row("a denied path", ask("GET", "/menu/secret"), FORBIDDEN),
        row("a denied path, encoded", ask("GET", "/menu/%73ecret"), FORBIDDEN),
        row(
            "a denied path by way of another",
            ask("GET", "/menu/x/../secret"),
            FORBIDDEN,
        ),
        row(
            "a denied path and a slash",
            ask("POST", "/menu/secret/"),
            FORBIDDEN,
        ),
        row(
            "a denied path, no method of which is left",
            ask("DELETE", "/menu/secret"),
            FORBIDDEN,
        ),
        row(
            "another plan includes it",
            get("/terms/menu/secret").bearer(&partner(world).text()),
            "200 partner mobile /menu/secret",
        ),
    ]
}

fn anonymous() -> Vec<Row> {
    let mobile = |method: &str| request(method, "/anonymous/admin").header("X-Channel", "mobile");
    vec![
        row(
            "the first keyless plan",
            mobile("GET"),
            "200 mobile - /anonymous/admin",
        ),
        row(
            "the first keyless plan, another method",
            mobile("DELETE"),
            "200 mobile - /anonymous/admin",
        ),
        row(
            "the second keyless plan",
            get("/anonymous/x"),
            "200 reading - /anonymous/x",
        ),
        row(
            "the second keyless plan where a header is there twice",
            mobile("GET").header("X-Channel", "mobile"),
            FORBIDDEN,
        ),
        row("what it denies", get("/anonymous/admin/x/"), FORBIDDEN),
        row("no keyless plan", request("DELETE", "/anonymous/x"), NO_PLAN),
    ]
}
