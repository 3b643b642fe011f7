//! Decisions as a table; what holds for every request is in `tests/properties.rs`.
//!
//! No server, no socket, no clock: a configuration in memory, keys made on the spot, a moment that stands still.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::{CacheResult, DataPlane, Denial, Observer, Permit, RequestView, Stage, Verdict, evaluate};
use crate::api::Stages;
use crate::config::{Files, parse};
use crate::issuer::KeyRing;
use crate::mint::SigningKey;
use crate::snapshot::{Inputs, Snapshot, compile};
use crate::subscription::Index;
use crate::time::UnixTime;
use crate::token::{Algorithm, Cache, Probe};

mod api_keys;
mod audiences;
mod claim_sets;
mod forgeries;
mod lives;
mod outage;
mod properties;
mod remembered;
mod request;
mod scene;
mod terms;

use request::Request;

const SECONDS: i64 = 1_800_000_000;
const NOW: UnixTime = UnixTime::from_seconds(SECONDS);

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"

[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "acme.json"

[[issuer]]
name = "absent"                 # whose keys have not come yet
algorithms = ["ES256"]
audiences = ["orders"]
jwks.url = "https://absent.example/jwks"

[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
claim_headers = { X-User = "sub", X-Note = "note" }
claim_header_encoding = "refuse"
[[api.plan]]
name = "free"
security = "jwt"
issuers = ["acme", "absent"]
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
[[api.plan]]
name = "partners"
security = "jwt"
issuers = ["acme"]
audiences = ["partners"]
[[api.route]]
path = "/menu/{id}"
methods = ["GET", "PUT"]
[[api.route]]
path = "/menu/{id}"
methods = ["DELETE"]
scopes = ["menu:write", "menu:admin"]

[[api]]
name = "mixed"
context_path = "/mixed"
upstream = "sample"
[[api.plan]]
name = "members"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
token_from = { header = "X-Access-Token", cookie = "session", query = "access_token" }
[[api.plan]]
name = "everybody"
security = "keyless"
[[api.route]]
path = "/"
[[api.route]]
path = "/private"
scopes = ["private"]

[[api]]
name = "open"
context_path = "/open"
upstream = "sample"
[[api.plan]]
name = "everybody"
security = "keyless"

[[api]]
name = "hidden"
context_path = "/hidden"
upstream = "sample"
[[api.plan]]
name = "later"
security = "keyless"
stage = "staging"

[[application]]
id = "free"
client_ids = ["free"]
[[subscription]]
application = "free"
api = "orders"
plan = "free"

[[application]]
id = "gold"
client_ids = ["gold"]
[[subscription]]
application = "gold"
api = "orders"
plan = "gold"

[[application]]
id = "partner"
client_ids = ["partner"]
[[subscription]]
application = "partner"
api = "orders"
plan = "partners"

[[application]]
id = "paused"
client_ids = ["paused"]
[[subscription]]
application = "paused"
api = "orders"
plan = "gold"
status = "paused"

[[application]]
id = "waiting"
client_ids = ["waiting"]
[[subscription]]
application = "waiting"
api = "orders"
plan = "free"
status = "pending"

[[application]]
id = "rejected"
client_ids = ["rejected"]
[[subscription]]
application = "rejected"
api = "orders"
plan = "free"
status = "rejected"

[[application]]
id = "closed"
client_ids = ["closed"]
[[subscription]]
application = "closed"
api = "orders"
plan = "free"
status = "closed"

[[application]]
id = "early"
client_ids = ["early"]
[[subscription]]
application = "early"
api = "orders"
plan = "free"
from = 2027-01-15T08:00:01Z         # a second after NOW

[[application]]
id = "late"
client_ids = ["late"]
[[subscription]]
application = "late"
api = "orders"
plan = "free"
until = 2027-01-15T08:00:00Z        # NOW

[[application]]
id = "suspended"
client_ids = ["suspended"]
suspended = true
[[subscription]]
application = "suspended"
api = "orders"
plan = "free"
"#;

static ACME: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());
static STRANGER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());
static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// What decisions read.
struct World {
    snapshot: Snapshot,
    index: Index,
    /// Shared by all tests of a process, so that it holds what other requests left behind.
    verdicts: Cache<Arc<Verdict>>,
}

struct Memory(BTreeMap<PathBuf, Vec<u8>>);

/// Writes down the stages that were passed.
#[derive(Default)]
struct Passed(Vec<Stage>, Vec<CacheResult>);

// === impl World ===

impl World {
    fn new() -> Self {
        let jwks = json!({ "keys": [ACME.public_jwk("k1")] }).to_string();
        let files = [("t.toml", CONFIGURATION.to_owned()), ("acme.json", jwks)];
        let files = Memory(files.map(|(path, text)| (path.into(), text.into_bytes())).into());
        let inputs = Inputs {
            files: &files,
            key_ring: &KeyRing::default(),
            stages: &Stages::default(),
            counters: &crate::limit::LocalCounters::default(),
            now: NOW,
            generation: 1,
        };
        let config = parse(Path::new("t.toml"), &files).map_err(|mistakes| mistakes.to_string());
        let snapshot = compile(config.unwrap(), inputs).map_err(|mistakes| mistakes.to_string());
        let (snapshot, index) = (snapshot.unwrap(), Index::default());
        index.admit(&snapshot.declared);
        Self {
            snapshot,
            index,
            verdicts: Cache::new(64),
        }
    }

    /// Decides without a memory of tokens, then twice with one: it must make no difference.
    fn decide(
        &self,
        request: &Request,
        host: &str,
        observer: &mut impl Observer,
    ) -> Result<Permit, Box<Denial>> {
        let decided = self.decide_with(&Cache::new(0), request, host, observer);
        for _ in 0..2 {
            let again = self.decide_with(&self.verdicts, request, host, &mut ());
            assert_eq!(outcome(&self.snapshot, &again), outcome(&self.snapshot, &decided));
        }
        decided
    }

    fn decide_with(
        &self,
        verdicts: &Cache<Arc<Verdict>>,
        request: &Request,
        host: &str,
        observer: &mut impl Observer,
    ) -> Result<Permit, Box<Denial>> {
        let plane = DataPlane {
            snapshot: &self.snapshot,
            index: &self.index,
            verdicts,
            forgeries: &crate::limit::Forgeries::default(),
            counting: crate::access::Counting::Takes(&crate::limit::LocalCounters::default()),
            revocations: &crate::revocation::Revocations::default(),
        };
        let view = RequestView {
            method: &request.method,
            host,
            path: &request.path,
            query: request.query.as_deref(),
            headers: &request.headers,
            client: None,
            body_bytes: None,
        };
        evaluate(&plane, &view, NOW, observer)
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

// === impl Passed ===

impl Probe for Passed {}

impl Observer for Passed {
    fn stage(&mut self, stage: Stage) {
        self.0.push(stage);
    }

    fn cache(&mut self, result: CacheResult) {
        self.1.push(result);
    }
}

/// Claims of a good token for the application `gold`, with some changed; `null` takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "acme", "aud": "orders", "sub": "alice", "azp": "gold",
        "iat": SECONDS - 60, "exp": SECONDS + 600,
    });
    let (Some(claims_map), Value::Object(changes)) = (claims.as_object_mut(), changes) else {
        panic!("both are objects");
    };
    for (name, value) in changes {
        if value.is_null() {
            claims_map.remove(&name);
        } else {
            claims_map.insert(name, value);
        }
    }
    claims
}

fn token(changes: Value) -> String {
    ACME.mint(Some("k1"), &claims(changes)).unwrap()
}

fn get() -> Request {
    Request::new("GET", "/orders/menu/1")
}

/// `permit API/PLAN`, or status, code and, where it says more, reason.
fn outcome(snapshot: &Snapshot, decided: &Result<Permit, Box<Denial>>) -> String {
    match decided {
        Ok(permit) => format!("permit {}", permit.under(snapshot).unwrap().plan.id),
        Err(denial) => {
            let (code, reason) = (denial.answer().code, denial.reason());
            match reason == code.word() {
                true => format!("{} {}", code.status(), code.word()),
                false => format!("{} {} {reason}", code.status(), code.word()),
            }
        }
    }
}

#[track_caller]
fn check(request: Request, expected: &str) {
    let decided = WORLD.decide(&request, "a.example", &mut ());
    assert_eq!(
        outcome(&WORLD.snapshot, &decided),
        expected,
        "{} {}",
        request.method,
        request.path
    );
}

#[track_caller]
fn check_token(changes: Value, expected: &str) {
    check(get().bearer(&token(changes)), expected);
}

#[test]
fn where_there_is_nothing() {
    for path in [
        "/",
        "/order",
        "/ordersx",
        "/orders",
        "/orders/menu",
        "/orders/menu/1/2",
        "/hidden",
        "/hidden/x",
    ] {
        check(Request::new("GET", path), "404 route_not_found");
        // The same with and without a token.
        check(
            Request::new("GET", path).bearer(&token(json!({}))),
            "404 route_not_found",
        );
    }
    check(Request::new("POST", "/orders/menu/1"), "405 method_not_allowed");
    check(Request::new("get", "/orders/menu/1"), "405 method_not_allowed");
    let denial = WORLD
        .decide(&Request::new("POST", "/orders/menu/1"), "", &mut ())
        .unwrap_err();
    assert_eq!(denial.answer().allow, Some("DELETE, GET, HEAD, PUT"));
}

#[test]
fn credentials() {
    let good = token(json!({}));
    check(get(), "401 missing_credentials");
    check(get().authorization("Basic abc"), "401 missing_credentials");
    check(
        get().authorization("Bearer"),
        "400 invalid_request credential_malformed",
    );
    check(
        get().authorization("Bearer a b"),
        "400 invalid_request credential_malformed",
    );
    check(
        get().bearer(&good).bearer(&good),
        "400 invalid_request several_credentials",
    );
    check(
        get().bearer(&good).authorization("Basic abc"),
        "400 invalid_request several_credentials",
    );
    check(
        Request::new("GET", "/open").bearer(&good),
        "401 invalid_token credential_not_accepted",
    );
}

#[test]
fn keyless() {
    check(Request::new("GET", "/open"), "permit open/everybody");
    check(Request::new("DELETE", "/open/whatever"), "permit open/everybody");
    check(
        Request::new("GET", "/open").authorization("Basic abc"),
        "permit open/everybody",
    );
    check(Request::new("GET", "/mixed/"), "permit mixed/everybody");
    check(
        Request::new("GET", "/mixed/").bearer(&token(json!({}))),
        "permit mixed/members",
    );
    // A token that is not good is no reason to forget that there was one.
    check(
        Request::new("GET", "/mixed/").bearer("abc"),
        "401 invalid_token parts_malformed",
    );
    check(
        Request::new("GET", "/mixed/").bearer(&token(json!({ "exp": 1 }))),
        "401 invalid_token expired",
    );
    // Who is nobody has no scopes.
    check(Request::new("GET", "/mixed/private"), "403 insufficient_scope");
}

#[test]
fn tokens() {
    check_token(json!({}), "permit orders/gold");
    check_token(json!({ "aud": ["x", "orders"] }), "permit orders/gold");
    check_token(json!({ "exp": SECONDS - 29 }), "permit orders/gold");
    check_token(json!({ "exp": SECONDS - 30 }), "401 invalid_token expired");
    check_token(json!({ "nbf": SECONDS + 31 }), "401 invalid_token not_yet_valid");
    check_token(
        json!({ "iat": SECONDS + 31 }),
        "401 invalid_token issued_in_future",
    );
    check_token(json!({ "exp": "tomorrow" }), "401 invalid_token time_malformed");
    check_token(json!({ "exp": null }), "401 invalid_token expiration_missing");
    check_token(json!({ "iat": null }), "401 invalid_token claim_missing");
    check_token(json!({ "iss": null }), "401 invalid_token issuer_missing");
    check_token(json!({ "iss": "globex" }), "401 invalid_token issuer_unknown");
    check_token(json!({ "iss": "acme " }), "401 invalid_token issuer_unknown");
    check_token(json!({ "iss": "absent" }), "503 keys_unavailable");
    check_token(json!({ "aud": null }), "401 invalid_token audience_missing");
    check_token(json!({ "aud": "Orders" }), "401 invalid_token audience_mismatch");
    check_token(json!({ "aud": 1 }), "401 invalid_token audience_malformed");
    check_token(json!({ "cnf": {} }), "401 invalid_token proof_missing");
    check_token(json!({ "sub": 1 }), "401 invalid_token subject_type_invalid");
    check_token(json!({ "azp": 1 }), "401 invalid_token client_id_type_invalid");
    check_token(json!({ "scope": 1 }), "401 invalid_token scopes_type_invalid");
    check_token(json!({ "note": "a\nb" }), "401 invalid_token claim_unsendable");
    check_token(
        json!({ "note": "x".repeat(5000) }),
        "401 invalid_token claim_too_long",
    );
}

#[test]
fn forgeries() {
    let good = claims(json!({}));
    let forged = STRANGER.mint(Some("k1"), &good).unwrap();
    check(get().bearer(&forged), "401 invalid_token signature_invalid");
    let other_key = ACME.mint(Some("k2"), &good).unwrap();
    check(get().bearer(&other_key), "401 invalid_token key_unknown");
    // The only key serves tokens that name none.
    check(
        get().bearer(&ACME.mint(None, &good).unwrap()),
        "permit orders/gold",
    );
    for algorithm in ["none", "HS256", "RS256", "es256"] {
        let header = json!({ "alg": algorithm, "kid": "k1" }).to_string();
        let token = ACME.sign(header.as_bytes(), good.to_string().as_bytes()).unwrap();
        check(get().bearer(&token), "401 invalid_token algorithm_not_allowed");
    }
    let typed = json!({ "alg": "ES256", "kid": "k1", "typ": "id+jwt" }).to_string();
    let typed = ACME.sign(typed.as_bytes(), good.to_string().as_bytes()).unwrap();
    check(get().bearer(&typed), "401 invalid_token type_not_allowed");
    let twice = br#"{"iss":"acme","iss":"globex"}"#;
    let twice = ACME.sign(br#"{"alg":"ES256","kid":"k1"}"#, twice).unwrap();
    check(get().bearer(&twice), "401 invalid_token duplicate_member");
}

#[test]
fn subscriptions() {
    check_token(json!({ "azp": "free" }), "permit orders/free");
    check_token(json!({ "azp": "gold" }), "permit orders/gold");
    check_token(
        json!({ "azp": "partner", "aud": "partners" }),
        "permit orders/partners",
    );
    // Its plan does not accept this audience, the others are not its own.
    check_token(json!({ "azp": "partner" }), "403 subscription_not_found");
    check_token(
        json!({ "azp": "gold", "aud": "partners" }),
        "403 subscription_not_found",
    );
    check_token(json!({ "azp": "nobody" }), "403 subscription_not_found");
    check_token(json!({ "azp": "Gold" }), "403 subscription_not_found");
    check_token(json!({ "azp": null }), "403 subscription_not_found");
    check_token(json!({ "azp": "paused" }), "403 subscription_paused");
    check_token(json!({ "azp": "waiting" }), "403 subscription_pending");
    check_token(json!({ "azp": "rejected" }), "403 subscription_rejected");
    check_token(json!({ "azp": "closed" }), "403 subscription_closed");
    check_token(json!({ "azp": "early" }), "403 subscription_not_started");
    check_token(json!({ "azp": "late" }), "403 subscription_ended");
    check_token(json!({ "azp": "suspended" }), "403 application_suspended");
    // Suspended is suspended, also where no subscription is asked for.
    check(
        Request::new("GET", "/mixed/").bearer(&token(json!({ "azp": "suspended" }))),
        "403 application_suspended",
    );
}

#[test]
fn scopes() {
    let delete = |changes| Request::new("DELETE", "/orders/menu/1").bearer(&token(changes));
    check(delete(json!({})), "403 insufficient_scope");
    check(
        delete(json!({ "scope": "menu:read menu:writes" })),
        "403 insufficient_scope",
    );
    check(
        delete(json!({ "scope": "menu:read menu:admin" })),
        "permit orders/gold",
    );
    check(delete(json!({ "scp": ["menu:write"] })), "permit orders/gold");
    let denial = WORLD.decide(&delete(json!({})), "", &mut ()).unwrap_err();
    let challenge = denial.answer().challenge.unwrap().value();
    assert_eq!(
        challenge,
        "Bearer error=\"insufficient_scope\", scope=\"menu:write menu:admin\""
    );
}

#[test]
fn a_permit_says_who_calls_and_what_the_upstream_is_told() {
    let request = get().bearer(&token(json!({ "note": [1, true] })));
    let permit = WORLD.decide(&request, "", &mut ()).unwrap();
    let caller = permit.caller().unwrap();
    assert_eq!(caller.identity().unwrap().subject.as_deref(), Some("alice"));
    assert_eq!(caller.identity().unwrap().client_id.as_deref(), Some("gold"));
    assert_eq!(caller.application.as_ref().unwrap().id.as_str(), "gold");
    assert_eq!(caller.subscription.as_ref().unwrap().plan.as_str(), "orders/gold");
    let told: Vec<(&str, &str)> = permit
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(told, [("x-user", "alice"), ("x-note", "1,true")]);
}

#[test]
fn stages_are_passed_in_their_order_up_to_the_one_that_refuses() {
    use Stage::{Authorization, Credential, Identity, Limits, Route, Subscription, Token};
    let all = [
        Route,
        Credential,
        Token,
        Identity,
        Subscription,
        Authorization,
        Limits,
    ];
    let delete = Request::new("DELETE", "/orders/menu/1");
    for (request, passed) in [
        (Request::new("GET", "/nowhere"), 0),
        (get(), 1),
        (get().bearer("abc"), 2),
        (get().bearer(&token(json!({ "sub": 1 }))), 3),
        (get().bearer(&token(json!({ "azp": "nobody" }))), 4),
        (delete.bearer(&token(json!({}))), 5),
        (get().bearer(&token(json!({}))), 7),
    ] {
        let mut observed = Passed::default();
        let decided = WORLD.decide(&request, "", &mut observed);
        assert_eq!(
            observed.0,
            all.get(..passed).unwrap(),
            "{}",
            outcome(&WORLD.snapshot, &decided)
        );
    }
}

#[test]
fn only_a_token_that_passed_every_check_is_remembered() {
    use CacheResult::{Hit, Miss};
    for (request, second) in [
        (get().bearer(&token(json!({}))), Hit),
        (get().bearer(&token(json!({ "azp": "paused" }))), Hit), // whose subscription is looked at every time
        (get().bearer(&token(json!({ "exp": 1 }))), Miss),
        (get().bearer(&token(json!({ "aud": "elsewhere" }))), Miss),
        (get().bearer(&token(json!({ "sub": 1 }))), Miss),
        (
            get().bearer(&STRANGER.mint(Some("k1"), &claims(json!({}))).unwrap()),
            Miss,
        ),
    ] {
        let (verdicts, mut passed) = (Cache::new(8), Passed::default());
        for _ in 0..2 {
            let _ = WORLD.decide_with(&verdicts, &request, "", &mut passed);
        }
        assert_eq!(passed.1, [Miss, second]);
    }
}

#[test]
fn every_denial_of_401_has_a_challenge_and_nobody_else_but_for_scopes_and_form() {
    let good = token(json!({}));
    for request in [
        get(),
        get().bearer("abc"),
        get().bearer(&good).bearer(&good),
        get().bearer(&token(json!({ "sub": 1 }))),
        get().bearer(&token(json!({ "note": "\n" }))),
        get().bearer(&token(json!({ "azp": "paused" }))),
        get().bearer(&token(json!({ "iss": "absent" }))),
        Request::new("DELETE", "/orders/menu/1").bearer(&good),
        Request::new("GET", "/open").bearer(&good),
        Request::new("GET", "/nowhere"),
    ] {
        let denial = WORLD.decide(&request, "", &mut ()).unwrap_err();
        let answer = denial.answer();
        let expected = matches!(answer.code.word(), "insufficient_scope" | "invalid_request");
        assert_eq!(
            answer.challenge.is_some(),
            answer.code.status() == 401 || expected,
            "{}",
            denial.reason()
        );
    }
}
