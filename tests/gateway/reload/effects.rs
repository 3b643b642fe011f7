//! One change at a time, and what the first request after it gets; then back again.
//!
//! The tokens that are asked with were verified, and kept, before the change: a kept verdict must not outlive what it
//! was founded on.

use tollgate::token::Algorithm;

use super::{Log, MAIN};
use crate::harness::{Connection, Gateway, Issuer, Upstream, get};

const CONFIG: &str = r#"
[server]
audience = "https://gateway.example"

[[issuer]]
name = "https://acme.example/"
algorithms = ["ES256", "EdDSA"]
audiences = ["https://api.example.com"]
jwks.file = "acme.json"

[[issuer.claim_mapping]]
remote_claim = "app"
local_claim = "azp"
prefix = "mobile-"

[[issuer]]
name = "legacy"
algorithms = ["ES256"]
audiences = "danger-accept-any"
keys = { "l1" = { file = "legacy.pem" } }

[[upstream]]
name = "sample"
peers = ["UPSTREAM"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/", "legacy"]
stage = "published"

[[api.route]]
path = "/{id}"
methods = ["GET"]
scopes = []

[[application]]
id = "mobile"
client_ids = ["mobile-app"]
suspended = false

[[subscription]]
application = "mobile"
api = "orders"
plan = "gold"
status = "accepted"
"#;

/// Name; the first text becomes the second; what the caller then gets.
type Change = (&'static str, &'static str, &'static str, (u16, &'static str));

const CHANGES: [Change; 30] = [
    (
        "subscription pending",
        "\"accepted\"",
        "\"pending\"",
        (403, "subscription_pending"),
    ),
    (
        "subscription paused",
        "\"accepted\"",
        "\"paused\"",
        (403, "subscription_paused"),
    ),
    (
        "subscription closed",
        "\"accepted\"",
        "\"closed\"",
        (403, "subscription_closed"),
    ),
    (
        "subscription rejected",
        "\"accepted\"",
        "\"rejected\"",
        (403, "subscription_rejected"),
    ),
    (
        "subscription ended",
        "status = \"accepted\"",
        "until = 2020-01-01T00:00:00Z",
        (403, "subscription_ended"),
    ),
    (
        "subscription not begun",
        "status = \"accepted\"",
        "from = 2100-01-01T00:00:00Z",
        (403, "subscription_not_started"),
    ),
    (
        "subscription removed",
        "[[subscription]]\napplication = \"mobile\"\napi = \"orders\"\nplan = \"gold\"\nstatus = \"accepted\"\n",
        "",
        (403, "subscription_not_found"),
    ),
    (
        "application suspended",
        "suspended = false",
        "suspended = true",
        (403, "application_suspended"),
    ),
    (
        "client id taken away",
        "[\"mobile-app\"]",
        "[\"other-app\"]",
        (403, "subscription_not_found"),
    ),
    (
        "client id bound to another issuer",
        "[\"mobile-app\"]",
        "[{ issuer = \"legacy\", id = \"mobile-app\" }]",
        (403, "subscription_not_found"),
    ),
    ("plan deprecated", "\"published\"", "\"deprecated\"", (200, "")),
    (
        "plan hidden",
        "\"published\"",
        "\"staging\"",
        (404, "route_not_found"),
    ),
    (
        "scope added",
        "scopes = []",
        "scopes = [\"menu:read\"]",
        (403, "insufficient_scope"),
    ),
    (
        "method removed",
        "[\"GET\"]",
        "[\"PUT\"]",
        (405, "method_not_allowed"),
    ),
    (
        "route moved",
        "\"/{id}\"",
        "\"/elsewhere/{id}\"",
        (404, "route_not_found"),
    ),
    (
        "context path moved",
        "\"/orders\"",
        "\"/moved\"",
        (404, "route_not_found"),
    ),
    (
        "algorithm removed",
        "[\"ES256\", \"EdDSA\"]",
        "[\"EdDSA\"]",
        (401, "invalid_token"),
    ),
    (
        "audience changed",
        "[\"https://api.example.com\"]",
        "[\"https://other.example\"]",
        (401, "invalid_token"),
    ),
    (
        "audience of the plan",
        "stage = \"published\"",
        "audiences = [\"https://other.example\"]",
        (401, "invalid_token"),
    ),
    (
        "issuer no longer accepted",
        "[\"https://acme.example/\", \"legacy\"]",
        "[\"legacy\"]",
        (401, "invalid_token"),
    ),
    (
        "claim required",
        "jwks.file",
        "required_claims = [\"sub\", \"tenant\"]\njwks.file",
        (401, "invalid_token"),
    ),
    (
        "lifetime bounded",
        "jwks.file",
        "max_lifetime = \"1m\"\njwks.file",
        (401, "invalid_token"),
    ),
    (
        "token profile",
        "jwks.file",
        "token_profile = \"rfc9068\"\njwks.file",
        (401, "invalid_token"),
    ),
    (
        "prefix changed",
        "\"mobile-\"",
        "\"stolen-\"",
        (403, "subscription_not_found"),
    ),
    (
        "claim in small letters",
        "prefix = \"mobile-\"",
        "prefix = \"Mobile-\"\nlowercase = true",
        (403, "subscription_not_found"),
    ),
    (
        "claim that a pattern takes apart",
        "prefix = \"mobile-\"",
        "prefix = \"mobile-\"\nregex = \"^(.)\"",
        (403, "subscription_not_found"),
    ),
    (
        "claim that a step cannot work on",
        "prefix = \"mobile-\"",
        "prefix = \"mobile-\"\njoin = \",\"",
        (401, "invalid_token"),
    ),
    (
        "claim split into a list",
        "prefix = \"mobile-\"",
        "prefix = \"mobile-\"\nsplit = \",\"",
        (401, "invalid_token"),
    ),
    (
        "default map under the issuer's",
        "[[upstream]]",
        "[[claim_mapping]]\nremote_claim = \"sub\"\nlocal_claim = \"app\"\n\n[[upstream]]",
        (403, "subscription_not_found"),
    ),
    (
        "audience from elsewhere only",
        "stage = \"published\"",
        "audiences = [\"x\"]\naudience_from = [\"gateway\", \"application\"]",
        (401, "invalid_token"),
    ),
];

struct Scene {
    gateway: Gateway,
    _upstream: Upstream,
    config: String,
    acme: Issuer,
    legacy: Issuer,
}

impl Scene {
    fn set() -> Self {
        let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
        let modern = Issuer::new("https://acme.example/", "k2", Algorithm::Ed25519);
        let legacy = Issuer::new("legacy", "l1", Algorithm::Es256);
        let upstream = Upstream::start();
        let config = CONFIG.replace("UPSTREAM", &upstream.address().to_string());
        let keys = Issuer::jwks_of(&[&acme, &modern]);
        let gateway = Gateway::start_with(
            &config,
            &[("acme.json", &keys), ("legacy.pem", &legacy.key.public_pem())],
        );
        Self {
            gateway,
            _upstream: upstream,
            config,
            acme,
            legacy,
        }
    }
}

#[test]
fn every_change_binds_the_first_request_after_it_cached_tokens_included() {
    let scene = Scene::set();
    let Scene {
        gateway,
        config,
        acme,
        ..
    } = &scene;
    // The client is what the mapping makes of `app`; the token's own `azp` is nobody's.
    let token = acme.token().claim("app", "app").client("nobody");
    let request = get("/orders/1").bearer(&token.text());
    let mut connection = Connection::open(gateway.address());
    let mut ask = || {
        let answer = connection.ask(&request);
        (answer.status, answer.code())
    };
    let served = (200, String::new());
    let mut log = Log::of(gateway);
    for (name, from, to, (status, code)) in CHANGES {
        assert_eq!(ask(), served, "before: {name}");
        let changed = config.replace(from, to);
        assert_ne!(changed, *config, "{name}");
        gateway.write_config(&changed);
        log.applied();
        assert_eq!(ask(), (status, code.to_owned()), "{name}");
        gateway.write_config(config);
        log.applied();
        assert_eq!(ask(), served, "after: {name}");
    }
    // The one change that is not taken back.
    let absent = (404, "route_not_found".to_owned());
    for stage in ["\"closed\"", "\"published\""] {
        gateway.write_config(&config.replace("\"published\"", stage));
        log.applied();
        assert_eq!(ask(), absent, "plan closed, then {stage}");
    }
}

#[test]
fn a_key_file_that_changes_ends_the_tokens_of_the_former_key() {
    let scene = Scene::set();
    let Scene {
        gateway,
        acme,
        legacy,
        ..
    } = &scene;
    let other_acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let other_legacy = Issuer::new("legacy", "l1", Algorithm::Es256);
    let code = |token: &str| get("/orders/1").bearer(token).send(gateway.address()).code();
    let mut log = Log::of(gateway);
    for (file, issuer, other, former, new) in [
        ("acme.json", acme, &other_acme, acme.jwks(), other_acme.jwks()),
        (
            "legacy.pem",
            legacy,
            &other_legacy,
            legacy.key.public_pem(),
            other_legacy.key.public_pem(),
        ),
    ] {
        let (token, other_token) = (issuer.token().text(), other.token().text());
        let judged = || [code(&token), code(&other_token)];
        assert_eq!(judged(), ["", "invalid_token"], "{file}");
        gateway.write(file, &new);
        log.applied();
        assert_eq!(judged(), ["invalid_token", ""], "{file} replaced");
        gateway.write(file, "nothing of use");
        let mistakes = log.rejected();
        assert!(
            mistakes.iter().any(|mistake| mistake.contains(file)),
            "{mistakes:?}"
        );
        assert_eq!(judged(), ["invalid_token", ""], "{file} spoiled");
        gateway.write(file, &former);
        log.applied();
        assert_eq!(judged(), ["", "invalid_token"], "{file} restored");
    }
    assert!(gateway.directory().join(MAIN).exists());
}

#[test]
fn counters_and_connections_outlive_reloads() {
    let scene = Scene::set();
    let Scene {
        gateway,
        config,
        acme,
        ..
    } = &scene;
    let good = get("/orders/1").bearer(&acme.token().text());
    let bad = get("/orders/1").bearer(&acme.token().expired().text());
    let mut connections: Vec<_> = (0..8).map(|_| Connection::open(gateway.address())).collect();
    let mut log = Log::of(gateway);
    let mut decisions = 0.0;
    for round in 0..20_u32 {
        for connection in &mut connections {
            assert_eq!(connection.ask(&good).status, 200, "round {round}");
            assert_eq!(connection.ask(&bad).code(), "invalid_token", "round {round}");
        }
        let now = gateway.metric("tollgate_decisions_total", &[]);
        assert!(
            now >= decisions,
            "{now} after {decisions}: a counter has gone back"
        );
        decisions = now;
        // Another plan and another issuer in every second round: meters are made anew, counts must not be.
        let more = "\n[[api.plan]]\nname = \"silver\"\nsecurity = \"jwt\"\nissuers = [\"legacy\"]\n\n[[api.route]]\n";
        let next = if round % 2 == 0 {
            config.replace("\n[[api.route]]\n", more)
        } else {
            config.clone()
        };
        gateway.write_config(&next);
        assert_eq!(log.applied(), u64::from(round) + 2);
    }
    let expected = 20.0 * connections.len() as f64;
    crate::harness::wait_until("all decisions to be counted", || {
        let metrics = gateway.metrics();
        let all = metrics.sum("tollgate_decisions_total", &[]);
        (all == 2.0 * expected).then_some(())
    });
}
