//! Rows about claims that a mapping changes, tokens that follow RFC 9068, and audiences that come from elsewhere.
//!
//! Every stage must see what the mapping makes and never what the token calls so: so each row has both.

use serde_json::{Value, json};

use super::{Row, row};
use crate::harness::{Request, Token, get};
use crate::world::World;

type HeaderRow = (&'static str, Request, Vec<String>);

const CLAIMS: &str = "The token's claims are not acceptable";
const AUDIENCE: &str = "The token is not for this audience";
const SIGNATURE: &str = "The token's signature is not acceptable";

/// A token whose every claim has another name, and namesakes that must not count.
fn mapped(world: &World) -> Token<'_> {
    world
        .mapped
        .token()
        .claim("uid", "alice")
        .claim("app", "Mobile-App")
        .claim("sub", "root")
        .claim("azp", "suspended-app")
        .claim("scope", "menu:admin")
        .claim("permissions", "menu:read;menu:list")
}

fn refusal(reason: &str, description: &str) -> String {
    format!(
        "401 invalid_token {reason}; WWW-Authenticate: Bearer error=\"invalid_token\", \
         error_description=\"{description}\""
    )
}

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = mappings(world);
    rows.extend(access_tokens(world));
    rows.extend(audiences(world));
    rows
}

fn mappings(world: &World) -> Vec<Row> {
    let scoped = |token: Token<'_>| get("/mapped/scoped").bearer(&token.text());
    let refused = |what, token: Token<'_>, reason| row(what, scoped(token), &refusal(reason, CLAIMS));
    let lacking = "403 insufficient_scope insufficient_scope; WWW-Authenticate: Bearer \
                   error=\"insufficient_scope\", scope=\"menu:read\"";
    vec![
        row(
            "scopes and client id are the mapped ones",
            scoped(mapped(world)),
            "200 any mobile /mapped/scoped",
        ),
        row(
            "mapped scopes leave no other",
            scoped(
                mapped(world)
                    .claim("scope", "menu:read")
                    .claim("permissions", "menu:list"),
            ),
            lacking,
        ),
        row(
            "an issuer without the mapping",
            scoped(world.token().claim("permissions", "menu:read")),
            lacking,
        ),
        refused(
            "a list where a text is split",
            mapped(world).claim("permissions", json!(["menu:read"])),
            "transformation_type_invalid",
        ),
        refused(
            "a number in small letters",
            mapped(world).claim("app", 7),
            "transformation_type_invalid",
        ),
        refused(
            "pieces that a prefix makes too long",
            mapped(world).claim("pieces", "a,".repeat(1000)),
            "transformation_too_long",
        ),
        refused(
            "a text where a list is joined",
            mapped(world).claim("labels", "a"),
            "transformation_type_invalid",
        ),
        refused(
            "a list with a number where texts are matched",
            mapped(world).claim("org", json!({ "groups": ["CN=a,", 1] })),
            "transformation_type_invalid",
        ),
        refused(
            "a member that holds the separator",
            mapped(world).claim("labels", json!(["a b", "c"])),
            "join_ambiguous",
        ),
        refused(
            "nothing to make the subject of",
            mapped(world).without("uid"),
            "subject_missing",
        ),
    ]
}

/// A good access token, with an `azp` that must not count.
fn access(world: &World) -> Token<'_> {
    world
        .access
        .token()
        .header("typ", "at+jwt")
        .claim("aud", "https://gateway.example")
        .claim("client_id", "mobile-app")
        .claim("azp", "suspended-app")
        .claim("jti", "1")
}

fn access_tokens(world: &World) -> Vec<Row> {
    let with = |token: Token<'_>| get("/sourced/x").bearer(&token.text());
    let refused =
        |what, token: Token<'_>, reason, description| row(what, with(token), &refusal(reason, description));
    let missing = |what, name: &str| refused(what, access(world).without(name), "claim_missing", CLAIMS);
    let wrong = |what, name: &str, value: Value| {
        refused(
            what,
            access(world).claim(name, value),
            "claim_type_invalid",
            CLAIMS,
        )
    };
    vec![
        row(
            "an access token",
            with(access(world)),
            "200 gateway mobile /sourced/x",
        ),
        row(
            "an access token by its long name",
            with(access(world).header("typ", "application/AT+jwt")),
            "200 gateway mobile /sourced/x",
        ),
        refused(
            "an access token that is a JWT",
            access(world).header("typ", "JWT"),
            "type_not_allowed",
            SIGNATURE,
        ),
        refused(
            "an access token without a type",
            access(world).without_header("typ"),
            "type_not_allowed",
            SIGNATURE,
        ),
        missing("an access token without client_id", "client_id"),
        missing("an access token without jti", "jti"),
        missing("an access token without sub", "sub"),
        missing("an access token without iat", "iat"),
        wrong("jti is a number", "jti", json!(1)),
        wrong("client_id is a list", "client_id", json!(["mobile-app"])),
        wrong("sub is empty", "sub", json!("")),
        refused(
            "an access token without aud",
            access(world).without("aud"),
            "audience_missing",
            AUDIENCE,
        ),
        refused(
            "an access token for the application",
            access(world).claim("aud", "mobile"),
            "audience_mismatch",
            AUDIENCE,
        ),
    ]
}

fn audiences(world: &World) -> Vec<Row> {
    let with = |client: &str, audience: Value| {
        get("/sourced/x").bearer(&world.token().client(client).claim("aud", audience).text())
    };
    let mismatch = refusal("audience_mismatch", AUDIENCE);
    let uri = "https://api.example.com/sourced";
    vec![
        row(
            "the API's URI",
            with("mobile-app", json!(uri)),
            "200 uri mobile /sourced/x",
        ),
        row(
            "the issuer's audience still counts",
            with("mobile-app", json!("https://api.example.com")),
            "200 uri mobile /sourced/x",
        ),
        row(
            "the API's URI and a slash",
            with("mobile-app", json!(format!("{uri}/"))),
            &mismatch,
        ),
        row(
            "the application's id",
            with("mobile-app", json!("mobile")),
            "200 own mobile /sourced/x",
        ),
        row(
            "the application's id among others",
            with("mobile-app", json!(["x", "mobile"])),
            "200 own mobile /sourced/x",
        ),
        row(
            "the client id is not the application's",
            with("mobile-app", json!("mobile-app")),
            &mismatch,
        ),
        row(
            "another application's id",
            with("mobile-app", json!("silver")),
            &mismatch,
        ),
        row(
            "an application's own audience",
            with("stranger-app", json!("https://stranger.example")),
            "200 own stranger /sourced/x",
        ),
        row(
            "its id then counts no more",
            with("stranger-app", json!("stranger")),
            &mismatch,
        ),
        row(
            "an application that nobody knows",
            with("nobody", json!("nobody")),
            &mismatch,
        ),
        row(
            "a plan's own audience",
            with("nobody", json!("https://own.example")),
            "200 own - /sourced/x",
        ),
        row(
            "the gateway, where only another issuer's tokens are for it",
            with("mobile-app", json!("https://gateway.example")),
            &mismatch,
        ),
        row(
            "a suspended application's id",
            with("suspended-app", json!("suspended")),
            "403 application_suspended application_suspended",
        ),
        row(
            "no agreement to the plan of this audience",
            with("stranger-app", json!(uri)),
            "403 subscription_not_found subscription_not_found",
        ),
        row(
            "no audience, whatever the application",
            get("/sourced/x").bearer(&world.token().without("aud").text()),
            &refusal("audience_missing", AUDIENCE),
        ),
    ]
}

/// What arrives at the upstream of the API `mapped`.
pub(super) fn header_rows(world: &World) -> Vec<HeaderRow> {
    let arrives = |what, token: Token<'_>, user: &str, further: &[&str]| {
        let mut expected = vec![format!("X-User: {user}"), "X-Client: mobile-app".to_owned()];
        expected.extend(further.iter().map(|field| (*field).to_owned()));
        (what, get("/mapped/x").bearer(&token.text()), expected)
    };
    let groups = json!({ "groups": ["CN=Cooks,O=x", "other", "CN=Waiters,O=y"], "tags": ["a", "b"] });
    vec![
        arrives("a default", mapped(world), "m/alice", &["X-Roles: m:guest"]),
        arrives(
            "the default map, then the issuer's on what it made",
            mapped(world).claim("org", groups.clone()),
            "m/alice",
            &[
                "X-Roles: m:cooks|m:waiters",
                "X-Level: CN=Cooks,O=x|other|CN=Waiters,O=y",
                "X-Tags: a|b",
            ],
        ),
        arrives(
            "the issuer's map before the default map",
            mapped(world)
                .claim("org", groups.clone())
                .claim("labels", json!(["x", 1])),
            "m/alice",
            &[
                "X-Roles: m:cooks|m:waiters",
                "X-Level: CN=Cooks,O=x|other|CN=Waiters,O=y",
                "X-Tags: x 1",
            ],
        ),
        arrives(
            "one text",
            mapped(world).claim("groups", "CN=Cooks,O=x"),
            "m/alice",
            &["X-Roles: m:cooks", "X-Level: CN=Cooks,O=x"],
        ),
        arrives(
            "no match, and a namesake",
            mapped(world).claim("groups", "other").claim("roles", "admin"),
            "m/alice",
            &["X-Roles: m:guest", "X-Level: other"],
        ),
        arrives(
            "another issuer has the default map only",
            world.token().claim("org", groups.clone()),
            "alice",
            &["X-Level: CN=Cooks,O=x|other|CN=Waiters,O=y", "X-Tags: a|b"],
        ),
        arrives(
            "an issuer that does without the default map",
            world.globex.token().claim("org", groups),
            "alice",
            &[],
        ),
    ]
}
