//! Where the time of one decision goes.
//!
//! Whole decisions (`evaluate`) stand beside the one part of them that cannot be made cheaper, the bare signature check
//! (`raw_signature`), measured in the same run: on a machine whose speed changes, only ratios of one run mean anything.
//! No sockets, no threads: what a hop costs is measured by the load test.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up says so and ends"
)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use divan::{Bencher, black_box};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use tollgate::access::{DataPlane, RequestView, Verdict, evaluate};
use tollgate::api::Stages;
use tollgate::config::{Files, parse};
use tollgate::id::{ApplicationId, PlanId};
use tollgate::issuer::KeyRing;
use tollgate::limit::Forgeries;
use tollgate::mint::SigningKey;
use tollgate::snapshot::{Inputs, Snapshot, compile};
use tollgate::subscription::{
    Declared, DeclaredApplication, DeclaredSubscription, Index, Standing, Status, Terms,
};
use tollgate::time::UnixTime;
use tollgate::token::{Algorithm, Cache, Scratch, UnverifiedToken};

const SECONDS: i64 = 1_800_000_000;
const NOW: UnixTime = UnixTime::from_seconds(SECONDS);
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519];

/// A JWT plan with a subscription, a scope and a claim header, and a keyless API.
/// The forgery budget is drawn on and never spent: time stands still here, and forged tokens come in millions.
const CONFIGURATION: &str = r#"
[server]
forgery_budget = "10000%"
forgery_budget_per_source = "9999%"
forgery_burst = "1m"

[[listener]]
address = "127.0.0.1:0"

[[issuer]]
name = "https://login.example.com/"
algorithms = ["RS256", "ES256", "EdDSA"]
audiences = ["https://api.example.com"]
jwks.file = "jwks.json"

[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
claim_headers = { "X-User" = "sub" }
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://login.example.com/"]
[[api.route]]
path = "/menu/{id}"
methods = ["GET"]
scopes = ["menu:read"]

[[api]]
name = "status"
context_path = "/status"
upstream = "sample"
[[api.plan]]
name = "public"
security = "keyless"

[[application]]
id = "mobile"
client_ids = ["mobile-app"]
[[subscription]]
application = "mobile"
api = "orders"
plan = "gold"
"#;

static FIXTURE: LazyLock<Fixture> = LazyLock::new(Fixture::new);

/// Everything that a decision reads, and a token for each algorithm.
struct Fixture {
    snapshot: Snapshot,
    index: Index,
    off: Cache<Arc<Verdict>>,
    remembering: Cache<Arc<Verdict>>,
    keys: Vec<SigningKey>,
    tokens: Vec<String>,
}

struct Memory(BTreeMap<PathBuf, String>);

impl Fixture {
    fn new() -> Self {
        let keys: Vec<SigningKey> = ALGORITHMS
            .iter()
            .map(|algorithm| SigningKey::generate(*algorithm).unwrap())
            .collect();
        let jwks: Vec<_> = keys
            .iter()
            .map(|key| key.public_jwk(key.algorithm().name()))
            .collect();
        let snapshot = compiled(CONFIGURATION, &json!({ "keys": jwks }).to_string());
        let claims = json!({
            "iss": "https://login.example.com/", "aud": "https://api.example.com", "sub": "alice",
            "azp": "mobile-app", "scope": "menu:read menu:write openid", "jti": "2a5f9b0e-8b1c-4c7e-9a44-6c1f0f0d6a11",
            "iat": SECONDS - 60, "exp": SECONDS + 3600,
        });
        let tokens = keys
            .iter()
            .map(|key| key.mint(Some(key.algorithm().name()), &claims).unwrap())
            .collect();
        let index = Index::default();
        index.admit(&snapshot.declared);
        Self {
            snapshot,
            index,
            off: Cache::new(0),
            remembering: Cache::new(65_536),
            keys,
            tokens,
        }
    }

    fn token(&self, algorithm: Algorithm) -> &str {
        self.tokens.get(place(algorithm)).unwrap()
    }

    fn key(&self, algorithm: Algorithm) -> &SigningKey {
        self.keys.get(place(algorithm)).unwrap()
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

fn place(algorithm: Algorithm) -> usize {
    ALGORITHMS.iter().position(|own| *own == algorithm).unwrap()
}

fn compiled(configuration: &str, jwks: &str) -> Snapshot {
    let files = [("t.toml", configuration), ("jwks.json", jwks)];
    let files = Memory(files.map(|(path, text)| (path.into(), text.to_owned())).into());
    let inputs = Inputs {
        files: &files,
        key_ring: &KeyRing::default(),
        stages: &Stages::default(),
        now: NOW,
        generation: 1,
    };
    let config = parse(Path::new("t.toml"), &files).map_err(|mistakes| mistakes.to_string());
    let snapshot = compile(config.unwrap(), inputs).map_err(|mistakes| mistakes.to_string());
    snapshot.unwrap()
}

/// Measures the decision on one request, after making sure that it is the expected one.
fn decide(
    bencher: Bencher<'_, '_>,
    cache: &Cache<Arc<Verdict>>,
    path: &str,
    token: Option<&str>,
    expected: &str,
) {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static("bench"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    if let Some(token) = token {
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
    }
    let plane = DataPlane {
        snapshot: &FIXTURE.snapshot,
        index: &FIXTURE.index,
        verdicts: cache,
        forgeries: &Forgeries::default(),
    };
    let request = RequestView {
        method: "GET",
        host: "api.example.com",
        path,
        query: None,
        headers: &headers,
        client: None,
    };
    let decided =
        evaluate(&plane, &request, NOW, &mut ()).map_or_else(|denial| denial.reason(), |_| "permit");
    assert_eq!(decided, expected);
    bencher.bench_local(|| evaluate(&plane, black_box(&request), NOW, &mut ()).is_ok());
}

fn main() {
    // Long enough for a busy neighbour to come and go.
    let least = Duration::from_millis(500);
    divan::Divan::from_args().min_time(least).main();
}

/// What no gateway can do without: the library's check of one signature by a key that is parsed already.
#[divan::bench(args = ALGORITHMS)]
fn raw_signature(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let token = FIXTURE.token(algorithm);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let der = pem::parse(FIXTURE.key(algorithm).public_pem())
        .unwrap()
        .into_contents();
    let key = match algorithm {
        Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der),
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der),
        _ => ParsedPublicKey::new(&ED25519, der),
    };
    let key = key.unwrap();
    assert!(key.verify_sig(signed.as_bytes(), &signature).is_ok());
    bencher.bench_local(|| {
        key.verify_sig(black_box(signed.as_bytes()), black_box(&signature))
            .is_ok()
    });
}

/// A token that is seen for the first time.
#[divan::bench(args = ALGORITHMS)]
fn evaluate_first(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let token = FIXTURE.token(algorithm);
    decide(bencher, &FIXTURE.off, "/orders/menu/1", Some(token), "permit");
}

/// A token that was verified before.
#[divan::bench(args = ALGORITHMS)]
fn evaluate_remembered(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let token = FIXTURE.token(algorithm);
    decide(
        bencher,
        &FIXTURE.remembering,
        "/orders/menu/1",
        Some(token),
        "permit",
    );
}

#[divan::bench]
fn evaluate_keyless(bencher: Bencher<'_, '_>) {
    decide(bencher, &FIXTURE.remembering, "/status", None, "permit");
}

/// Another key's signature under an honest token's header and claims.
#[divan::bench]
fn evaluate_forged_rs256(bencher: Bencher<'_, '_>) {
    let (signed, _) = FIXTURE.token(Algorithm::Rs256).rsplit_once('.').unwrap();
    let stranger = SigningKey::generate(Algorithm::Rs256).unwrap();
    let other = stranger.mint(None, &json!({})).unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{signature}");
    decide(
        bencher,
        &FIXTURE.remembering,
        "/orders/menu/1",
        Some(&forged),
        "signature_invalid",
    );
}

#[divan::bench]
fn evaluate_malformed_token(bencher: Bencher<'_, '_>) {
    decide(
        bencher,
        &FIXTURE.remembering,
        "/orders/menu/1",
        Some("abc.def"),
        "parts_malformed",
    );
}

#[divan::bench]
fn evaluate_missing_credentials(bencher: Bencher<'_, '_>) {
    decide(
        bencher,
        &FIXTURE.remembering,
        "/orders/menu/1",
        None,
        "missing_credentials",
    );
}

#[divan::bench]
fn evaluate_unknown_route(bencher: Bencher<'_, '_>) {
    decide(
        bencher,
        &FIXTURE.remembering,
        "/nowhere/at/all",
        None,
        "route_not_found",
    );
}

/// Taking a token apart: base64url and JSON of header and claims, nothing judged.
#[divan::bench]
fn token_parse(bencher: Bencher<'_, '_>) {
    let token = FIXTURE.token(Algorithm::Es256);
    bencher.bench_local(|| {
        let mut scratch = Scratch::default();
        UnverifiedToken::parse(black_box(token), &mut scratch).is_ok()
    });
}

/// The route of a request among this many APIs, another one each time.
#[divan::bench(args = [10, 1_000])]
fn route_find(bencher: Bencher<'_, '_>, apis: usize) {
    let mut configuration = String::from(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[[upstream]]\nname = \"u\"\npeers = [\"127.0.0.1:9000\"]\n",
    );
    for api in 0..apis {
        configuration.push_str(&format!(
            "[[api]]\nname = \"a{api}\"\ncontext_path = \"/group/a{api}\"\nupstream = \"u\"\n\
             [[api.plan]]\nname = \"p\"\nsecurity = \"keyless\"\n\
             [[api.route]]\npath = \"/menu\"\n[[api.route]]\npath = \"/menu/{{id}}\"\n"
        ));
    }
    let snapshot = compiled(&configuration, "{}");
    let paths: Vec<String> = (0..apis).map(|api| format!("/group/a{api}/menu/17")).collect();
    let mut paths = paths.iter().cycle();
    bencher
        .with_inputs(|| paths.next().map_or("", String::as_str))
        .bench_local_values(|path| snapshot.routes.find("api.example.com", path, "GET").is_ok());
}

/// Application by client id, then subscription by application and plan, among this many, another one each time.
#[divan::bench(args = [1_000, 100_000])]
fn subscription_lookup(bencher: Bencher<'_, '_>, count: usize) {
    let plan = PlanId::of("orders", "gold");
    let mut declared = Declared::default();
    for number in 0..count {
        let id = ApplicationId::new(format!("application-{number}"));
        declared.subscriptions.push(DeclaredSubscription {
            application: id.clone(),
            plan: plan.clone(),
            terms: Terms {
                status: Status::Accepted,
                from: None,
                until: None,
            },
        });
        declared.applications.push(DeclaredApplication {
            id,
            clients: vec![(None, format!("client-{number}").into())],
            claim_sets: Vec::new(),
            standing: Standing::default(),
        });
    }
    let index = Index::default();
    index.admit(&declared);
    // A stride that has no factor in common with the counts: neighbours in time are no neighbours in memory.
    let clients: Vec<String> = (0..count)
        .map(|number| format!("client-{}", number * 7_919 % count))
        .collect();
    let mut clients = clients.iter().cycle();
    bencher
        .with_inputs(|| clients.next().map_or("", String::as_str))
        .bench_local_values(|client| {
            let application = index.application("https://login.example.com/", client)?;
            let subscription = index.subscription(&application.id, &plan)?;
            subscription.in_force(NOW).ok()
        });
}
