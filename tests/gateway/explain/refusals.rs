//! Refusals, each with the key that is cited for it, the text of the cited line, and a part of the hint.
//!
//! The line is looked up in the file: a place that leads anywhere but to the key that decided is wrong.

use serde_json::json;

use super::{explained, lives};
use crate::harness::{Request, Token, get, now, request};
use crate::world::World;

/// `(what, request, "stage reason", key, what the cited line holds, what the hint holds)`
pub(super) type Cited = (
    &'static str,
    Request,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

fn of_requests() -> Vec<Cited> {
    let slashes = get("/orders//menu");
    let long = get(&format!("/public/{}", "x".repeat(8200)));
    vec![
        (
            "no API",
            get("/order/menu/1"),
            "route route_not_found",
            "",
            "",
            "did you mean /orders?",
        ),
        (
            "another host",
            get("/hosted"),
            "route route_not_found",
            "api.hosts",
            "hosts = [\"api.example.com\", \"*.wild.example\"]",
            "for other hosts: api.example.com",
        ),
        (
            "no route",
            get("/orders/nothing"),
            "route route_not_found",
            "api.route.path",
            "path = \"/\"",
            "no route for this path",
        ),
        (
            "no plan on offer",
            get("/staging/only-get"),
            "route route_not_found",
            "api.plan.stage",
            "stage = \"staging\"",
            "open is staging",
        ),
        (
            "no plan at all",
            get("/planless"),
            "route route_not_found",
            "api.plan, its default",
            "[[api]]",
            "has no plan",
        ),
        (
            "another method",
            request("POST", "/orders/menu/1"),
            "route method_not_allowed",
            "api.route.methods",
            "methods = [",
            "DELETE, GET",
        ),
        (
            "a body",
            request("POST", "/free/x").header("Content-Length", "101"),
            "credential missing_credentials",
            "api.plan.security",
            "security = \"jwt\"",
            "any",
        ),
        (
            "slashes",
            slashes,
            "request path_duplicate_slash",
            "server.duplicate_slashes, its default",
            "[server]",
            "",
        ),
        (
            "long",
            long,
            "request target_too_long",
            "server.target_bytes_max, its default",
            "[server]",
            "8192",
        ),
        (
            "nothing presented",
            get("/orders/menu/today"),
            "credential missing_credentials",
            "api.plan.security",
            "security = \"jwt\"",
            "gold, silver, partner",
        ),
        (
            "another scheme",
            get("/orders/menu/today").header("Authorization", "Basic abc"),
            "credential missing_credentials",
            "api.plan.security",
            "security = \"jwt\"",
            "not of the scheme Bearer",
        ),
        (
            "a token too many",
            get("/public/x").bearer("x"),
            "credential credential_not_accepted",
            "api.plan.security",
            "security = \"keyless\"",
            "send no token",
        ),
        (
            "scopes of nobody",
            get("/mixed/scoped"),
            "authorization insufficient_scope",
            "api.route.scopes",
            "scopes = [\"menu:read\"]",
            "menu:read",
        ),
    ]
}

fn of_tokens(world: &World) -> Vec<Cited> {
    let ask = |token: Token<'_>| get("/orders/menu/today").bearer(&token.text());
    let strict = || world.strict.token().header("typ", "at+jwt").claim("jti", "1");
    let acme = || world.token();
    let at = now();
    let name = "name = \"https://acme.example/\"";
    vec![
        (
            "a slash is lacking",
            ask(acme().claim("iss", "https://acme.example")),
            "token issuer_unknown",
            "api.plan.issuers",
            "issuers = [",
            "did you mean issuer https://acme.example/?",
        ),
        (
            "capitals",
            ask(acme().claim("iss", "https://ACME.example/")),
            "token issuer_unknown",
            "api.plan.issuers",
            "issuers = [",
            "did you mean issuer https://acme.example/?",
        ),
        (
            "an issuer of other APIs",
            ask(world.dark.token()),
            "token issuer_unknown",
            "api.plan.issuers",
            "issuers = [",
            "no plan on offer accepts it",
        ),
        (
            "no issuer",
            ask(acme().claim("iss", 7)),
            "token issuer_missing",
            "api.plan.issuers",
            "issuers",
            "`iss` is 7",
        ),
        (
            "another algorithm",
            ask(acme().header("alg", "HS256")),
            "token algorithm_not_allowed",
            "issuer.algorithms",
            "algorithms = [\"ES256\", \"RS256\"]",
            "`alg` is HS256; accepted are RS256, ES256",
        ),
        (
            "another type",
            ask(world.strict.token().claim("jti", "1")),
            "token type_not_allowed",
            "issuer.token_types",
            "token_types = [\"at+jwt\"]",
            "`typ` is JWT; accepted are at+jwt",
        ),
        (
            "an unknown key",
            ask(acme().header("kid", "k9")),
            "token key_unknown",
            "issuer.jwks",
            "jwks.file = \"acme.json\"",
            "kid k9 is not among k1 (ES256), r1",
        ),
        (
            "a key of another algorithm",
            ask(acme().header("kid", "r1")),
            "token key_unknown",
            "issuer.jwks",
            "jwks.file = \"acme.json\"",
            "the key r1 is not for ES256",
        ),
        (
            "no key is named",
            ask(world.strict.token().header("typ", "at+jwt").without_header("kid")),
            "token key_ambiguous",
            "issuer.jwks",
            "jwks.file = \"strict.json\"",
            "s1 (ES256), s2 (ES256)",
        ),
        (
            "somebody else's signature",
            ask(acme().signed_by(&world.globex)),
            "token signature_invalid",
            "issuer.jwks",
            "jwks.file = \"acme.json\"",
            "the key k1 has not made it",
        ),
        (
            "keys in files",
            ask(world.legacy.token().signed_by(&world.acme_rsa)),
            "token signature_invalid",
            "issuer.keys",
            "keys = { default",
            "default",
        ),
        (
            "an hour ago",
            ask(acme().expired()),
            "token expired",
            "issuer.leeway, its default",
            "[[issuer]]",
            "was expired for 59 min",
        ),
        (
            "no leeway",
            ask(strict().claim("exp", at - 60)),
            "token expired",
            "issuer.leeway",
            "leeway = \"0s\"",
            "was expired for",
        ),
        (
            "tomorrow",
            ask(acme().claim("nbf", at + 86_400)),
            "token not_yet_valid",
            "issuer.leeway, its default",
            "[[issuer]]",
            "the leeway is 30 s",
        ),
        (
            "issued tomorrow",
            ask(acme().claim("iat", at + 86_400).claim("exp", at + 90_000)),
            "token issued_in_future",
            "issuer.leeway, its default",
            "[[issuer]]",
            "`iat` is",
        ),
        (
            "a long life",
            ask(strict().claim("exp", at + 7200)),
            "token lifetime_too_long",
            "issuer.max_lifetime",
            "max_lifetime = \"1h\"",
            "it lives for 2 h; at most 1 h",
        ),
        (
            "no jti",
            ask(world.strict.token().header("typ", "at+jwt")),
            "token claim_missing",
            "issuer.required_claims",
            "required_claims = [",
            "absent: jti",
        ),
        (
            "no exp",
            ask(acme().without("exp")),
            "token expiration_missing",
            "issuer.name",
            name,
            "`exp`",
        ),
        (
            "a word for a time",
            ask(acme().claim("exp", "soon")),
            "token time_malformed",
            "issuer.name",
            name,
            "exp \"soon\"",
        ),
        (
            "bound",
            ask(acme().claim("cnf", json!({}))),
            "token proof_missing",
            "issuer.name",
            name,
            "cnf",
        ),
        (
            "for somebody else",
            ask(acme().claim("aud", json!(["https://other.example"]))),
            "token audience_mismatch",
            "issuer.audiences",
            "audiences = [\"https://api.example.com\"]",
            "`aud` of the token is [\"https://other.example\"], accepted are https://api.example.com (plan gold)",
        ),
        (
            "for nobody",
            ask(acme().without("aud")),
            "token audience_missing",
            "issuer.audiences",
            "audiences",
            "absent",
        ),
        (
            "no token",
            get("/orders/menu/today").bearer("a.b"),
            "token parts_malformed",
            "",
            "",
            "it has 2 parts",
        ),
        (
            "keys that are not here",
            get("/dark").bearer(&world.dark.token().text()),
            "token keys_unavailable",
            "issuer.jwks",
            "jwks.url = \"http://",
            "not here",
        ),
    ]
}

fn of_callers(world: &World) -> Vec<Cited> {
    let ask = |token: Token<'_>| get("/orders/menu/today").bearer(&token.text());
    let client = |id: &str| ask(world.token().client(id));
    let subscription = "subscription.status";
    vec![
        (
            "a number",
            ask(world.token().claim("sub", 7)),
            "identity subject_type_invalid",
            "issuer.name",
            "name",
            "`sub` is 7",
        ),
        (
            "a client that is a number",
            ask(world.token().claim("azp", 7)),
            "identity client_id_type_invalid",
            "issuer.client_id_claims, its default",
            "[[issuer]]",
            "",
        ),
        (
            "no client",
            ask(world.token().without("azp")),
            "subscription subscription_not_found",
            "issuer.client_id_claims, its default",
            "[[issuer]]",
            "no client id",
        ),
        (
            "a typing error",
            client("mobile-ap"),
            "subscription subscription_not_found",
            "",
            "",
            "did you mean mobile-app?",
        ),
        (
            "no agreement",
            client("stranger-app"),
            "subscription subscription_not_found",
            "application.id",
            "id = \"stranger\"",
            "stranger has no subscription to gold, silver; it has: none; the token's audience rules out partner",
        ),
        (
            "suspended",
            client("suspended-app"),
            "subscription application_suspended",
            "application.suspended",
            "suspended = true",
            "suspended",
        ),
        (
            "paused",
            client("paused-app"),
            "subscription subscription_paused",
            subscription,
            "status = \"paused\"",
            "is paused",
        ),
        (
            "closed",
            client("closed-app"),
            "subscription subscription_closed",
            subscription,
            "status = \"closed\"",
            "is closed",
        ),
        (
            "rejected",
            client("rejected-app"),
            "subscription subscription_rejected",
            subscription,
            "\"rejected\"",
            "is rejected",
        ),
        (
            "pending",
            client("pending-app"),
            "subscription subscription_pending",
            subscription,
            "\"pending\"",
            "accepted",
        ),
        (
            "early",
            client("early-app"),
            "subscription subscription_not_started",
            "subscription.from",
            "from = 2999-01-01T00:00:00Z",
            "begins at 2999-01-01T00:00:00Z",
        ),
        (
            "late",
            client("late-app"),
            "subscription subscription_ended",
            "subscription.until",
            "until = 2020-01-01T00:00:00Z",
            "ended at 2020-01-01T00:00:00Z",
        ),
        (
            "half of the scopes",
            request("PUT", "/orders/menu/1").bearer(&world.token().scopes("menu:write").text()),
            "authorization insufficient_scope",
            "api.route.scopes",
            "scopes = [\"menu:write\", \"menu:admin\"]",
            "these are lacking: menu:admin",
        ),
        (
            "none of the scopes",
            get("/orders/menu/1").bearer(&world.token().text()),
            "authorization insufficient_scope",
            "api.route.scopes",
            "scopes = [\"menu:read\", \"menu:admin\"]",
            "one of these is needed: menu:read, menu:admin",
        ),
        (
            "a claim that cannot be sent",
            get("/careful").bearer(&world.token().claim("name", "a\nb").text()),
            "headers claim_unsendable",
            "api.claim_header_encoding",
            "claim_header_encoding = \"refuse\"",
            "",
        ),
        (
            "a body that is too large",
            request("POST", "/free/x")
                .bearer(&world.token().text())
                .header("Content-Length", "101"),
            "request body_too_large",
            "api.body_bytes_max",
            "body_bytes_max = 100",
            "at most 100 bytes",
        ),
    ]
}

fn of_terms(world: &World) -> Vec<Cited> {
    let acme = || world.token().claim("tenant", "acme");
    let verified = || acme().claim("email_verified", true);
    vec![
        (
            "no rule holds",
            get("/terms/menu/1").bearer(&world.token().text()),
            "subscription plan_not_selected",
            "api.plan.selection_rule",
            "claims.tenant == \"acme\"",
            "do not hold: acme, partner",
        ),
        (
            "no rule of a keyless plan holds",
            request("DELETE", "/anonymous/x"),
            "credential plan_not_selected",
            "api.plan.selection_rule",
            "client_ip in",
            "mobile, reading",
        ),
        (
            "a claim of the plan",
            get("/terms/menu/1").bearer(&acme().text()),
            "authorization claim_required",
            "api.plan.claims",
            "email_verified",
            "email_verified",
        ),
        (
            "a claim of the route",
            get("/terms/claims").bearer(&verified().claim("level", 3).text()),
            "authorization claim_required",
            "api.route.claims",
            "\"level\" = 3",
            "that are asked for: roles",
        ),
        (
            "an audience of the route",
            get("/terms/audience").bearer(&verified().text()),
            "authorization audience_required",
            "api.route.audiences",
            "https://payments.example.com",
            "https://payments.example.com",
        ),
        (
            "a resource that the plan does not include",
            get("/terms/other").bearer(&verified().text()),
            "authorization resource_forbidden",
            "api.plan.resources",
            "resources.allow",
            "the plan acme does not include",
        ),
        (
            "a resource with another method",
            request("DELETE", "/terms/menu/1").bearer(&verified().text()),
            "authorization resource_method_not_allowed",
            "api.plan.resources",
            "resources.allow",
            "includes GET, HEAD, POST, PUT",
        ),
    ]
}

#[test]
fn each_refusal_cites_the_line_that_decided_it() {
    let world = World::start();
    let directory = world.gateway.directory();
    let config = std::fs::read_to_string(directory.join("tollgate.toml")).unwrap();
    let lines: Vec<&str> = config.lines().collect();
    let rows = [
        of_requests(),
        of_tokens(&world),
        of_callers(&world),
        of_terms(&world),
        lives::refused(&world),
    ]
    .concat();
    let mut wrong = Vec::new();
    for (what, request, refused, key, text, hint) in rows {
        let mut args = request.explain_args().unwrap();
        args.push("--offline".to_owned());
        let (explanation, exit) = explained(directory, &args, "");
        let denial = &explanation["denial"];
        let word = |name: &str| denial[name].as_str().unwrap_or_default();
        let place = &denial["place"];
        let default = place["default"] == true;
        let cited = format!(
            "{}{}",
            place["key"].as_str().unwrap_or_default(),
            if default { ", its default" } else { "" }
        );
        let observed = format!("{exit} {} {}: {cited}", word("stage"), word("reason"));
        if observed != format!("1 {refused}: {key}") {
            wrong.push(format!(
                "{what}\n  expected 1 {refused}: {key}\n  observed {observed}"
            ));
            continue;
        }
        if !word("hint").contains(hint) || word("meaning").is_empty() {
            wrong.push(format!(
                "{what}\n  hint {}\n  meaning {}",
                word("hint"),
                word("meaning")
            ));
        }
        let stages = explanation["stages"].as_array().unwrap().iter();
        let outcomes: Vec<&str> = stages.map(|stage| stage["outcome"].as_str().unwrap()).collect();
        let denied = outcomes.iter().filter(|outcome| **outcome == "denied").count();
        if denied != 1 || outcomes.ends_with(&["passed"]) {
            wrong.push(format!("{what}\n  stages {outcomes:?}"));
        }
        if key.is_empty() {
            continue;
        }
        let number = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
        let line = lines[number("line") - 1];
        let at = &line[number("column") - 1..];
        let name = key.rsplit('.').next().unwrap();
        if place["file"] != "tollgate.toml" || !line.contains(text) || !(default || at.starts_with(name)) {
            wrong.push(format!("{what}\n  cites {place}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
