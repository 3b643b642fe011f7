//! What plans and routes ask for beyond a credential: rules that select a plan, claims, audiences, resources. All of it
//! is asked every time; a remembered token has no advantage.

use std::net::IpAddr;

use http::HeaderName;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{ACME, Passed, Request, SECONDS, Stage, outcome};

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders", "payments"]
jwks.file = "acme.json"
[[issuer.claim_mapping]]
remote_claim = "https://acme.example/roles"
local_claim = "roles"
[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]

[[api]]
name = "routes"
context_path = "/routes"
upstream = "sample"
[[api.plan]]
name = "any"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
[[api.plan]]
name = "open"
security = "keyless"
[[api.route]]
path = "/claims"
claims = { "tenant" = "acme", "roles" = ["admin", "ops"] }
[[api.route]]
path = "/level"
claims = { "level" = [1, 2] }
[[api.route]]
path = "/audience"
audiences = ["payments"]
[[api.route]]
path = "/all"
scopes = ["s"]
claims = { "tenant" = "acme" }
audiences = ["payments"]

[[api]]
name = "chosen"
context_path = "/chosen"
upstream = "sample"
[[api.plan]]
name = "acme"
security = "jwt"
issuers = ["acme"]
selection_rule = 'claims.tenant == "acme" and claims.roles contains "admin"'
[[api.plan]]
name = "mobile"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
selection_rule = 'header("X-Channel") == "mobile" and path starts_with "/m/"'
[[api.plan]]
name = "payments"
security = "jwt"
issuers = ["acme"]
audiences = ["payments"]
subscription_validation = false
selection_rule = 'method == "GET"'

[[api]]
name = "anonymous"
context_path = "/anonymous"
upstream = "sample"
[[api.plan]]
name = "inside"
security = "keyless"
selection_rule = 'client_ip in "10.0.0.0/8"'
[[api.plan]]
name = "reading"
security = "keyless"
selection_rule = 'method in ["GET", "HEAD"]'

[[api]]
name = "either"
context_path = "/either"
upstream = "sample"
[[api.plan]]
name = "inside"
security = "keyless"
selection_rule = 'client_ip in "10.0.0.0/8"'
[[api.plan]]
name = "any"
security = "jwt"
issuers = ["acme"]
subscription_validation = false

[[api]]
name = "lists"
context_path = "/lists"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
claims = { "tenant" = "acme" }
resources = { allow = [{ path = "/menu/*", methods = ["GET"] }], deny = [{ path = "/menu/secret" }] }
[[api.plan]]
name = "open"
security = "keyless"
resources.deny = [{ path = "/menu", methods = ["PUT"] }]

[[application]]
id = "app"
client_ids = ["app"]
[[subscription]]
application = "app"
api = "lists"
plan = "gold"
[[subscription]]
application = "app"
api = "chosen"
plan = "acme"
"#;

/// Rows over one scene.
struct Terms(Scene);

// === impl Terms ===

impl Terms {
    fn set() -> Self {
        Self(Scene::set(CONFIGURATION))
    }

    /// The outcome, `Allow` and the challenge, in one line.
    fn ask(&self, request: &Request, client: Option<IpAddr>, passed: &mut Passed) -> String {
        let decided = self.0.decide(request, client, passed);
        let mut line = outcome(&self.0.snapshot, &decided);
        if let Err(denial) = &decided {
            let answer = denial.answer();
            line.extend(answer.allow.map(|allow| format!("; {allow}")));
            line.extend(
                answer
                    .challenge
                    .map(|challenge| format!("; {}", challenge.value())),
            );
        }
        line
    }

    /// Asks twice with a token; the second time it is remembered.
    #[track_caller]
    fn check(&self, request: &str, claims: Value, expected: &str) {
        let (method, path) = request.split_once(' ').unwrap();
        let request = Request::new(method, path).bearer(&token(claims));
        for _ in 0..2 {
            let found = self.ask(&request, None, &mut Passed::default());
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[track_caller]
    fn check_nobody(&self, request: &str, client: &str, expected: &str) {
        let (method, path) = request.split_once(' ').unwrap();
        let found = self.ask(
            &Request::new(method, path),
            client.parse().ok(),
            &mut Passed::default(),
        );
        assert_eq!(found, expected, "{request} from {client}");
    }
}

fn token(claims: Value) -> String {
    let mut all = json!({
        "iss": "acme", "sub": "alice", "azp": "app", "aud": "orders", "iat": SECONDS, "exp": SECONDS + 60,
    });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    ACME.mint(Some("k1"), &all).unwrap()
}

const CLAIM: &str = "403 claim_required; Bearer error=\"insufficient_scope\"";
const AUDIENCE: &str = "403 audience_required; Bearer error=\"insufficient_scope\"";

#[test]
fn a_route_demands_claims_after_mapping() {
    let scene = Terms::set();
    let permit = "permit routes/any";
    for (claims, expected) in [
        (json!({ "tenant": "acme", "roles": "ops" }), permit),
        (json!({ "tenant": "acme", "roles": ["x", "admin"] }), permit),
        (
            json!({ "tenant": "acme", "https://acme.example/roles": ["admin"] }),
            permit,
        ),
        // What the mapping feeds hides what the token calls so.
        (
            json!({ "tenant": "acme", "roles": "admin", "https://acme.example/roles": "guest" }),
            CLAIM,
        ),
        (json!({ "tenant": ["acme", "globex"], "roles": "ops" }), permit),
        (json!({ "tenant": "globex", "roles": "ops" }), CLAIM),
        (json!({ "tenant": "acme", "roles": [] }), CLAIM),
        (json!({ "tenant": "acme" }), CLAIM),
        (json!({ "tenant": null, "roles": "ops" }), CLAIM),
        (json!({}), CLAIM),
    ] {
        scene.check("GET /routes/claims", claims, expected);
    }
    for (level, expected) in [
        (json!(1), permit),
        (json!(2.0), permit),
        (json!(3), CLAIM),
        (json!("1"), CLAIM),
    ] {
        scene.check("GET /routes/level", json!({ "level": level }), expected);
    }
    scene.check_nobody("GET /routes/claims", "", CLAIM);
}

#[test]
fn a_route_demands_an_audience_of_its_own() {
    let scene = Terms::set();
    for (audience, expected) in [
        (json!("payments"), "permit routes/any"),
        (json!(["orders", "payments"]), "permit routes/any"),
        (json!("orders"), AUDIENCE),
    ] {
        scene.check("GET /routes/audience", json!({ "aud": audience }), expected);
    }
    scene.check_nobody("GET /routes/audience", "", AUDIENCE);
}

#[test]
fn scopes_come_before_claims_before_audiences() {
    let scene = Terms::set();
    for (claims, expected) in [
        (
            json!({}),
            "403 insufficient_scope; Bearer error=\"insufficient_scope\", scope=\"s\"",
        ),
        (json!({ "scope": "s" }), CLAIM),
        (json!({ "scope": "s", "tenant": "acme" }), AUDIENCE),
        (
            json!({ "scope": "s", "tenant": "acme", "aud": "payments" }),
            "permit routes/any",
        ),
    ] {
        scene.check("GET /routes/all", claims, expected);
    }
}

#[test]
fn the_first_plan_whose_rule_holds_is_the_callers() {
    let scene = Terms::set();
    let admin = json!({ "tenant": "acme", "roles": ["admin"] });
    scene.check("PUT /chosen/x", admin.clone(), "permit chosen/acme");
    // The rule comes before the subscription, which nobody else has.
    let stranger = json!({ "tenant": "acme", "roles": ["admin"], "azp": "nobody" });
    scene.check("PUT /chosen/x", stranger.clone(), "403 subscription_not_found");
    // A plan that is not for the request says nothing about it.
    scene.check("PUT /chosen/x", json!({}), "403 plan_not_selected");
    scene.check("GET /chosen/x", json!({}), "403 plan_not_selected");
    scene.check(
        "GET /chosen/x",
        json!({ "aud": "payments" }),
        "permit chosen/payments",
    );
    scene.check(
        "PUT /chosen/x",
        json!({ "aud": "payments" }),
        "403 plan_not_selected",
    );
    let mobile = HeaderName::from_static("x-channel");
    for (path, claims, expected) in [
        ("/chosen/m/x", json!({}), "permit chosen/mobile"),
        ("/chosen/m", json!({}), "403 plan_not_selected"),
        ("/chosen/m/x", admin, "permit chosen/acme"),
        ("/chosen/m/x", stranger, "permit chosen/mobile"),
    ] {
        let request = Request::new("PUT", path)
            .bearer(&token(claims))
            .field(mobile.clone(), b"mobile");
        let found = scene.ask(&request, None, &mut Passed::default());
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn nobody_gets_the_first_keyless_plan_whose_rule_holds() {
    let scene = Terms::set();
    scene.check_nobody("GET /anonymous/x", "10.1.1.1", "permit anonymous/inside");
    scene.check_nobody("PUT /anonymous/x", "10.1.1.1", "permit anonymous/inside");
    scene.check_nobody("GET /anonymous/x", "192.0.2.1", "permit anonymous/reading");
    scene.check_nobody("GET /anonymous/x", "", "permit anonymous/reading");
    scene.check_nobody("PUT /anonymous/x", "192.0.2.1", "403 plan_not_selected");
    scene.check_nobody("PUT /anonymous/x", "", "403 plan_not_selected");
    // Where a token would help, that is what is said.
    scene.check_nobody("GET /either/x", "10.1.1.1", "permit either/inside");
    scene.check_nobody(
        "GET /either/x",
        "192.0.2.1",
        "401 missing_credentials; Bearer realm=\"either\"",
    );
    // A rule lets nobody with a token in as an anonymous caller.
    let request = Request::new("GET", "/either/x").bearer("abc");
    let found = scene.ask(&request, "10.1.1.1".parse().ok(), &mut Passed::default());
    assert!(found.starts_with("401 invalid_token"), "{found}");
}

#[test]
fn a_plan_demands_claims_and_lets_callers_reach_what_it_lists() {
    let scene = Terms::set();
    let acme = json!({ "tenant": "acme" });
    for (request, expected) in [
        ("GET /lists/menu/1", "permit lists/gold"),
        ("HEAD /lists/menu/1/2", "permit lists/gold"),
        (
            "PUT /lists/menu/1",
            "405 method_not_allowed resource_method_not_allowed; GET, HEAD",
        ),
        ("GET /lists/menu", "403 resource_forbidden"),
        ("GET /lists/menu/", "403 resource_forbidden"),
        ("GET /lists", "403 resource_forbidden"),
        ("GET /lists/menu/secret", "403 resource_forbidden"),
        ("GET /lists/menu/secret/", "403 resource_forbidden"),
        ("PUT /lists/menu/secret", "403 resource_forbidden"),
    ] {
        scene.check(request, acme.clone(), expected);
    }
    scene.check("GET /lists/menu/1", json!({}), CLAIM);
    scene.check("GET /lists/other", json!({}), "403 resource_forbidden");
    // Who has no agreement learns nothing of what the plan includes.
    scene.check(
        "GET /lists/other",
        json!({ "azp": "nobody" }),
        "403 subscription_not_found",
    );
    for (request, expected) in [
        ("GET /lists/menu", "permit lists/open"),
        ("PUT /lists/menu", "403 resource_forbidden"),
        ("PUT /lists/menu/", "403 resource_forbidden"),
        ("PUT /lists/menu/1", "permit lists/open"),
        ("GET /lists/menu/secret", "permit lists/open"),
    ] {
        scene.check_nobody(request, "", expected);
    }
}

#[test]
fn what_a_plan_lists_is_judged_last() {
    let mut passed = Passed::default();
    let request = Request::new("GET", "/lists/other").bearer(&token(json!({})));
    Terms::set().ask(&request, None, &mut passed);
    use Stage::{Credential, Identity, Route, Subscription, Token};
    assert_eq!(passed.0, [Route, Credential, Token, Identity, Subscription]);
}
