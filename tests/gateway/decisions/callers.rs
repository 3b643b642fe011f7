//! Rows about who is calling: credentials and where they stand, applications, subscriptions, plans and scopes.
//!
//! Every token here is good; what differs is whose it is, and how it is presented.

use super::{Row, row};
use crate::harness::{Request, Token, get, request};
use crate::world::World;

/// A request that needs a token and nothing more.
fn today() -> Request {
    get("/orders/menu/today")
}

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = credentials(world);
    rows.extend(subscriptions(world));
    rows.extend(scopes(world));
    rows
}

fn credentials(world: &World) -> Vec<Row> {
    let token = world.token().text();
    let authorization = |value: &str| today().header("Authorization", value);
    let missing = |realm: &str| {
        format!("401 missing_credentials missing_credentials; WWW-Authenticate: Bearer realm=\"{realm}\"")
    };
    let malformed =
        "400 invalid_request credential_malformed; WWW-Authenticate: Bearer error=\"invalid_request\"";
    let several =
        "400 invalid_request several_credentials; WWW-Authenticate: Bearer error=\"invalid_request\"";
    let not_accepted = "401 invalid_token credential_not_accepted; WWW-Authenticate: Bearer \
                        error=\"invalid_token\", error_description=\"No plan of this API takes a bearer token\"";
    let served = "200 gold mobile /menu/today";
    vec![
        row("a token", today().bearer(&token), served),
        row(
            "the scheme in capitals",
            authorization(&format!("BEARER {token}")),
            served,
        ),
        row(
            "several spaces",
            authorization(&format!("Bearer   {token}")),
            served,
        ),
        row("no token", today(), &missing("orders")),
        row("no token at another API", get("/free/x"), &missing("free")),
        row(
            "another scheme",
            authorization("Basic YWxpY2U6c2VjcmV0"),
            &missing("orders"),
        ),
        row(
            "no space",
            authorization(&format!("Bearer{token}")),
            &missing("orders"),
        ),
        row("an empty field", authorization(""), &missing("orders")),
        row(
            "a token in the query",
            get(&format!("/orders/menu/today?access_token={token}")),
            &missing("orders"),
        ),
        row(
            "a token in a cookie",
            today().header("Cookie", &format!("token={token}")),
            &missing("orders"),
        ),
        row("a scheme alone", authorization("Bearer"), malformed),
        row("a scheme and a space", authorization("Bearer "), malformed),
        row(
            "two words",
            authorization(&format!("Bearer {token} {token}")),
            malformed,
        ),
        row(
            "bytes beyond ASCII",
            today().raw_header("Authorization", b"Bearer \xff\xfe"),
            malformed,
        ),
        row("two equal fields", today().bearer(&token).bearer(&token), several),
        row("two schemes", authorization("Basic YTpi").bearer(&token), several),
        row(
            "two fields, the first empty",
            authorization("").bearer(&token),
            several,
        ),
        row(
            "a list of two",
            authorization(&format!("Bearer {token}, Bearer {token}")),
            malformed,
        ),
        row(
            "keyless, nothing presented",
            get("/public/x"),
            "200 open - /public/x",
        ),
        row(
            "keyless, a token presented",
            get("/public/x").bearer(&token),
            not_accepted,
        ),
        row(
            "keyless, nonsense presented",
            get("/public/x").bearer("x"),
            not_accepted,
        ),
        row(
            "both plans, nothing presented",
            get("/mixed/"),
            "200 open - /mixed/",
        ),
        row(
            "both plans, a token presented",
            get("/mixed/").bearer(&token),
            "200 gold mobile /mixed/",
        ),
        row(
            "both plans, a bad token is not forgotten",
            get("/mixed/").bearer(&world.token().expired().text()),
            "401 invalid_token expired; WWW-Authenticate: Bearer error=\"invalid_token\", \
             error_description=\"The token is expired\"",
        ),
        row(
            "both plans, no subscription is not forgotten",
            get("/mixed/").bearer(&world.token().client("stranger-app").text()),
            "403 subscription_not_found subscription_not_found",
        ),
        row(
            "no keys yet",
            get("/dark").bearer(&world.dark.token().text()),
            "503 keys_unavailable keys_unavailable; Retry-After: 5",
        ),
        row(
            "no keys yet, whatever the token is worth",
            get("/dark").bearer(&world.dark.token().expired().text()),
            "503 keys_unavailable keys_unavailable; Retry-After: 5",
        ),
        row(
            "the other issuer of that API",
            get("/dark").bearer(&token),
            "200 gold mobile /dark",
        ),
        row(
            "the caller's token is passed on where that is configured",
            get("/passing").bearer(&token),
            "200 any mobile /passing",
        ),
    ]
}

fn subscriptions(world: &World) -> Vec<Row> {
    let as_client = |client: &str| today().bearer(&world.token().client(client).text());
    let with = |token: Token<'_>| today().bearer(&token.text());
    let refused = |code: &str| format!("403 {code} {code}");
    let not_found = refused("subscription_not_found");
    vec![
        row("accepted", as_client("mobile-app"), "200 gold mobile /menu/today"),
        row(
            "accepted for another plan",
            as_client("silver-app"),
            "200 silver silver /menu/today",
        ),
        row(
            "pending here, accepted there",
            as_client("climber-app"),
            "200 silver climber /menu/today",
        ),
        row("no such application", as_client("nobody"), &not_found),
        row("no subscription", as_client("stranger-app"), &not_found),
        row("a client id in capitals", as_client("Mobile-App"), &not_found),
        row(
            "a client id that looks alike",
            as_client("mobile\u{2010}app"),
            &not_found,
        ),
        row("a client id with a space", as_client("mobile-app "), &not_found),
        row("an empty client id", as_client(""), &not_found),
        row(
            "an application's id is no client id",
            as_client("mobile"),
            &not_found,
        ),
        row("no client id", with(world.token().without("azp")), &not_found),
        row(
            "client_id where azp is absent",
            with(world.token().without("azp").claim("client_id", "mobile-app")),
            "200 gold mobile /menu/today",
        ),
        row(
            "azp comes before client_id",
            with(
                world
                    .token()
                    .client("stranger-app")
                    .claim("client_id", "mobile-app"),
            ),
            &not_found,
        ),
        row(
            "pending",
            as_client("pending-app"),
            &refused("subscription_pending"),
        ),
        row("paused", as_client("paused-app"), &refused("subscription_paused")),
        row("closed", as_client("closed-app"), &refused("subscription_closed")),
        row(
            "rejected",
            as_client("rejected-app"),
            &refused("subscription_rejected"),
        ),
        row(
            "not begun",
            as_client("early-app"),
            &refused("subscription_not_started"),
        ),
        row("ended", as_client("late-app"), &refused("subscription_ended")),
        row(
            "suspended",
            as_client("suspended-app"),
            &refused("application_suspended"),
        ),
        row(
            "suspended where no subscription is needed",
            get("/free/x").bearer(&world.token().client("suspended-app").text()),
            &refused("application_suspended"),
        ),
        row(
            "nobody where no subscription is needed",
            get("/free/x").bearer(&world.token().without("azp").text()),
            "200 any - /free/x",
        ),
        row(
            "a client id of one issuer",
            as_client("acme-only"),
            "200 gold mobile /menu/today",
        ),
        row(
            "the same client id from another issuer",
            with(world.globex.token().client("acme-only")),
            &not_found,
        ),
        row(
            "a client id of every issuer",
            with(world.globex.token()),
            "200 gold mobile /menu/today",
        ),
        row(
            "a plan that does not take this issuer",
            with(world.globex.token().client("silver-app")),
            &not_found,
        ),
        row(
            "a plan with an audience of its own",
            with(
                world
                    .token()
                    .client("partner-app")
                    .claim("aud", "https://partner.example"),
            ),
            "200 partner partner /menu/today",
        ),
        row(
            "that plan without its audience",
            as_client("partner-app"),
            &not_found,
        ),
        row(
            "that audience without the plan",
            with(world.token().claim("aud", "https://partner.example")),
            &not_found,
        ),
    ]
}

fn scopes(world: &World) -> Vec<Row> {
    let holding = |scopes: &str| world.token().scopes(scopes).text();
    let read = |scopes: &str| get("/orders/menu/1").bearer(&holding(scopes));
    let write = |scopes: &str| request("PUT", "/orders/menu/1").bearer(&holding(scopes));
    let with = |token: Token<'_>| get("/orders/menu/1").bearer(&token.text());
    let lacking = |scopes: &str| {
        format!(
            "403 insufficient_scope insufficient_scope; WWW-Authenticate: Bearer \
             error=\"insufficient_scope\", scope=\"{scopes}\""
        )
    };
    let (any, all) = (lacking("menu:read menu:admin"), lacking("menu:write menu:admin"));
    let served = "200 gold mobile /menu/1";
    vec![
        row("any: the first", read("menu:read"), served),
        row("any: the second among others", read("x menu:admin y"), served),
        row("any: none", with(world.token()), &any),
        row("any: one that begins like it", read("menu:reader menu"), &any),
        row("any: in capitals", read("MENU:READ"), &any),
        row("any: separated by a tab", read("x\tmenu:read"), &any),
        row("all: both", write("menu:admin menu:write"), served),
        row("all: one", write("menu:write"), &all),
        row("all: twice the same", write("menu:write menu:write"), &all),
        row(
            "scopes as an array",
            with(world.token().claim("scope", vec!["menu:read"])),
            served,
        ),
        row(
            "an array with two in one",
            with(world.token().claim("scope", vec!["menu:read menu:admin"])),
            &any,
        ),
        row(
            "scp where scope is absent",
            with(world.token().claim("scp", vec!["menu:read"])),
            served,
        ),
        row(
            "scope comes before scp",
            with(world.token().scopes("").claim("scp", vec!["menu:read"])),
            &any,
        ),
        row(
            "scopes of a route, nobody calling",
            get("/mixed/scoped"),
            &lacking("menu:read"),
        ),
        row(
            "HEAD needs what GET needs",
            get("/orders/menu/1").bearer(&holding("")),
            &any,
        ),
        row(
            "the subscription comes before the scope",
            get("/orders/menu/1").bearer(&world.token().client("paused-app").text()),
            "403 subscription_paused subscription_paused",
        ),
    ]
}
