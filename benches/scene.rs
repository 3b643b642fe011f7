//! What the benches decide upon: a gateway's data and the requests that it is asked, the same for times
//! (`benches/access.rs`) and for instructions (`benches/instructions.rs`).
//!
//! The tokens are in `tokens.json`, with the keys that vouch for them and without those that signed them: signatures are
//! made by chance, and a count of instructions must not be. Whoever wants others mints all of them anew.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate::access::{DataPlane, RequestView, Verdict, evaluate};
use tollgate::id::{ApplicationId, PlanId};
use tollgate::limit::Forgeries;
use tollgate::mint::SigningKey;
use tollgate::revocation::Revocations;
use tollgate::snapshot::Snapshot;
use tollgate::subscription::{
    ApiKeyEntry, ApiKeySecret, Change, Declared, DeclaredApplication, DeclaredSubscription, Index, Standing,
    Status, Terms,
};
use tollgate::token::{Algorithm, Cache};

use crate::compiled::{NOW, SECONDS, compiled};

/// Those that issuers commonly sign with.
pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519];
/// Routes of every API of [`World::with_routes`].
const ROUTES_EACH: usize = 10;
/// So many applications call in [`World::with_subscriptions`]; the same number whatever the size, so that what differs is
/// the size alone.
const CALLERS: usize = 100;
/// No factor in common with the sizes: neighbours in time are no neighbours in memory.
const STRIDE: usize = 7_919;

const BASE: &str = r#"
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

# Drawn on and never spent: time stands still here, and forged tokens come in millions.
[server]
forgery_budget = "10000%"
forgery_budget_per_source = "9999%"
forgery_burst = "1m"

[[application]]
id = "mobile"
client_ids = ["mobile-app"]
"#;

/// A JWT plan with a subscription, a scope and a claim header; the same with a rate and a quota; a plan for API keys; a
/// keyless API.
const THREE_APIS: &str = r#"
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
[[subscription]]
application = "mobile"
api = "orders"
plan = "gold"

[[api]]
name = "limited"
context_path = "/limited"
upstream = "sample"
claim_headers = { "X-User" = "sub" }
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://login.example.com/"]
rate = { requests = 1_000_000, per = "1s" }
quota = { requests = 1_000_000_000_000, per = "month", timezone = "Europe/Paris" }
[[api.route]]
path = "/menu/{id}"
methods = ["GET"]
scopes = ["menu:read"]
[[subscription]]
application = "mobile"
api = "limited"
plan = "gold"

[[api]]
name = "keys"
context_path = "/keys"
upstream = "sample"
[[api.plan]]
name = "keys"
security = "api_key"
[[api.route]]
path = "/menu/{id}"
[[subscription]]
application = "mobile"
api = "keys"
plan = "keys"

[[api]]
name = "status"
context_path = "/status"
upstream = "sample"
[[api.plan]]
name = "public"
security = "keyless"
"#;

const API_KEY: &str = "good-key-1";

/// What a request shows.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Nothing,
    Key,
    Token(Algorithm),
    /// Another key's signature under an honest token's header and claims.
    Forged,
    Malformed,
}

/// One kind of request, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// As the committed counts and the output name it.
    pub(crate) name: &'static str,
    shown: Shown,
    path: &'static str,
    /// Whether verified tokens are remembered. If not, every request is a token's first.
    remembering: bool,
    expected: &'static str,
}

/// Everything that decisions read, and the requests that take turns.
pub(crate) struct World {
    snapshot: Snapshot,
    index: Index,
    verdicts: Cache<Arc<Verdict>>,
    forgeries: Forgeries,
    counters: tollgate::limit::LocalCounters,
    revocations: Revocations,
    requests: Vec<Request>,
}

struct Request {
    path: String,
    headers: HeaderMap,
}

/// The contents of `tokens.json`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// In the order of [`ALGORITHMS`].
    pub(crate) signed: Vec<Signed>,
    /// Another key's signature under an honest token's header and claims.
    pub(crate) forged_rs256: String,
}

/// A token and the key that vouches for it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Signed {
    pub(crate) token: String,
    pub(crate) public_jwk: Value,
    pub(crate) public_pem: String,
}

/// A signature and what is checked of it, for the library alone.
pub(crate) struct RawSignature {
    key: ParsedPublicKey,
    signed: String,
    signature: Vec<u8>,
}

/// Every kind of request.
pub(crate) const CASES: [Case; 13] = [
    Case::token("remembered_rs256", Algorithm::Rs256, true),
    Case::token("remembered_es256", Algorithm::Es256, true),
    Case::token("remembered_eddsa", Algorithm::Ed25519, true),
    Case {
        path: "/limited/menu/1",
        ..Case::token("limited_rs256", Algorithm::Rs256, true)
    },
    Case::token("first_rs256", Algorithm::Rs256, false),
    Case::token("first_es256", Algorithm::Es256, false),
    Case::token("first_eddsa", Algorithm::Ed25519, false),
    Case {
        shown: Shown::Forged,
        expected: "signature_invalid",
        ..Case::token("forged_rs256", Algorithm::Rs256, true)
    },
    Case {
        shown: Shown::Malformed,
        expected: "parts_malformed",
        ..Case::token("malformed_token", Algorithm::Rs256, true)
    },
    Case {
        path: "/keys/menu/1",
        ..Case::other("api_key", Shown::Key)
    },
    Case {
        path: "/status",
        ..Case::other("keyless", Shown::Nothing)
    },
    Case {
        expected: "missing_credentials",
        ..Case::other("missing_credentials", Shown::Nothing)
    },
    Case {
        path: "/nowhere/at/all",
        expected: "route_not_found",
        ..Case::other("unknown_route", Shown::Nothing)
    },
];

// === impl Case ===

impl Case {
    const fn token(name: &'static str, algorithm: Algorithm, remembering: bool) -> Self {
        Self {
            name,
            shown: Shown::Token(algorithm),
            path: "/orders/menu/1",
            remembering,
            expected: "permit",
        }
    }

    const fn other(name: &'static str, shown: Shown) -> Self {
        Self {
            name,
            shown,
            path: "/orders/menu/1",
            remembering: true,
            expected: "permit",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

// === impl World ===

impl World {
    /// The data and the one request of a case.
    pub(crate) fn of(case: Case) -> Self {
        let tokens = Tokens::read();
        let snapshot = compiled(&format!("{BASE}{THREE_APIS}"), &tokens.jwks());
        let index = Index::default();
        index.admit(&snapshot.declared);
        let secret = ApiKeySecret::new(&[7; 32]);
        index.change(Change::ApiKey {
            id: "k1".into(),
            entry: Some(ApiKeyEntry {
                hash: secret.hash(API_KEY),
                application: ApplicationId::new("mobile"),
                plan: PlanId::of("keys", "keys"),
                expires_at: None,
                revoked: false,
            }),
        });
        index.set_key_secret(secret);
        let shown = match case.shown {
            Shown::Nothing => None,
            Shown::Key => Some((HeaderName::from_static("x-api-key"), API_KEY.to_owned())),
            Shown::Token(algorithm) => Some(bearer(tokens.token(algorithm))),
            Shown::Forged => Some(bearer(&tokens.forged_rs256)),
            Shown::Malformed => Some(bearer("abc.def")),
        };
        let world = Self {
            snapshot,
            index,
            verdicts: Cache::new(if case.remembering { 1024 } else { 0 }),
            forgeries: Forgeries::default(),
            counters: tollgate::limit::LocalCounters::default(),
            revocations: Revocations::default(),
            requests: vec![Request::new(case.path.to_owned(), shown)],
        };
        world.rehearsed(case.expected)
    }

    /// So many routes, ten of each API, asked for in turn with one remembered token.
    pub(crate) fn with_routes(count: usize) -> Self {
        let tokens = Tokens::read();
        let apis = count / ROUTES_EACH;
        let mut configuration = BASE.to_owned();
        for api in 0..apis {
            configuration.push_str(&format!(
                "[[api]]\nname = \"api-{api}\"\ncontext_path = \"/group/api-{api}\"\nupstream = \"sample\"\n\
                 [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"https://login.example.com/\"]\n"
            ));
            for route in 0..ROUTES_EACH {
                configuration.push_str(&format!(
                    "[[api.route]]\npath = \"/menu-{route}/{{id}}\"\nmethods = [\"GET\"]\nscopes = [\"menu:read\"]\n"
                ));
            }
            configuration.push_str(&format!(
                "[[subscription]]\napplication = \"mobile\"\napi = \"api-{api}\"\nplan = \"gold\"\n"
            ));
        }
        let snapshot = compiled(&configuration, &tokens.jwks());
        let index = Index::default();
        index.admit(&snapshot.declared);
        let token = tokens.token(Algorithm::Es256);
        let requests = (0..count)
            .map(|turn| turn * STRIDE % count)
            .map(|route| {
                let (api, route) = (route / ROUTES_EACH, route % ROUTES_EACH);
                Request::new(format!("/group/api-{api}/menu-{route}/17"), Some(bearer(token)))
            })
            .collect();
        let world = Self {
            snapshot,
            index,
            verdicts: Cache::new(1024),
            forgeries: Forgeries::default(),
            counters: tollgate::limit::LocalCounters::default(),
            revocations: Revocations::default(),
            requests,
        };
        world.rehearsed("permit")
    }

    /// So many subscriptions, each of another application; a hundred of these call in turn, with tokens that are
    /// remembered.
    pub(crate) fn with_subscriptions(count: usize) -> Self {
        let signer = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let jwks = json!({ "keys": [signer.public_jwk("k1")] });
        let snapshot = compiled(&format!("{BASE}{THREE_APIS}"), &jwks.to_string());
        let mut declared = Declared::default();
        for number in 0..count {
            let id = ApplicationId::new(format!("application-{number}"));
            declared.subscriptions.push(DeclaredSubscription {
                application: id.clone(),
                plan: PlanId::of("orders", "gold"),
                terms: Terms {
                    status: Status::Accepted,
                    from: None,
                    until: None,
                },
            });
            declared.applications.push(DeclaredApplication {
                id,
                clients: vec![(None, client(number).into())],
                claim_sets: Vec::new(),
                standing: Standing::default(),
            });
        }
        let index = Index::default();
        index.admit(&declared);
        let requests = (0..CALLERS)
            .map(|turn| {
                let token = signer.mint(Some("k1"), &claims(&client(turn * STRIDE % count)));
                Request::new("/orders/menu/1".to_owned(), Some(bearer(&token.unwrap())))
            })
            .collect();
        let world = Self {
            snapshot,
            index,
            verdicts: Cache::new(16 * CALLERS),
            forgeries: Forgeries::default(),
            counters: tollgate::limit::LocalCounters::default(),
            revocations: Revocations::default(),
            requests,
        };
        world.rehearsed("permit")
    }

    /// Only the route of the request whose turn it is.
    #[inline]
    pub(crate) fn find_route(&self, turn: usize) -> bool {
        let request = self.requests.get(turn % self.requests.len());
        request.is_some_and(|request| {
            let view = request.view();
            let found = self.snapshot.routes.find(view.host, view.path, view.method);
            found.is_ok()
        })
    }

    /// Only the application of this client id, and its subscription.
    #[inline]
    pub(crate) fn find_subscription(&self, client: &str, plan: &PlanId) -> bool {
        let application = self.index.application("https://login.example.com/", client);
        let subscription = application.and_then(|application| self.index.subscription(&application.id, plan));
        subscription.is_some_and(|subscription| subscription.in_force(NOW).is_ok())
    }

    /// Decides upon the request whose turn it is.
    #[inline]
    pub(crate) fn decide(&self, turn: usize) -> bool {
        self.requests
            .get(turn % self.requests.len())
            .is_some_and(|request| evaluate(&self.plane(), &request.view(), NOW, &mut ()).is_ok())
    }

    /// Every request decided once, as expected: from here on tokens are remembered, if they are at all.
    fn rehearsed(self, expected: &str) -> Self {
        for request in &self.requests {
            let decided = evaluate(&self.plane(), &request.view(), NOW, &mut ());
            let decided = decided.map_or_else(|denial| denial.reason(), |_| "permit");
            assert_eq!(decided, expected, "{}", request.path);
        }
        self
    }

    fn plane(&self) -> DataPlane<'_> {
        DataPlane {
            snapshot: &self.snapshot,
            index: &self.index,
            verdicts: &self.verdicts,
            forgeries: &self.forgeries,
            counting: tollgate::access::Counting::Takes(&self.counters),
            revocations: &self.revocations,
        }
    }
}

// === impl RawSignature ===

impl RawSignature {
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        let tokens = Tokens::read();
        let own = tokens.signed(algorithm);
        let (signed, signature) = own.token.rsplit_once('.').unwrap();
        let der = pem::parse(&own.public_pem).unwrap().into_contents();
        let key = match algorithm {
            Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der),
            Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der),
            _ => ParsedPublicKey::new(&ED25519, der),
        };
        let own = Self {
            key: key.unwrap(),
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).unwrap(),
        };
        assert!(own.check());
        own
    }

    #[inline]
    pub(crate) fn check(&self) -> bool {
        let checked = self.key.verify_sig(self.signed.as_bytes(), &self.signature);
        checked.is_ok()
    }
}

// === impl Request ===

impl Request {
    fn new(path: String, shown: Option<(HeaderName, String)>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("bench"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        if let Some((name, value)) = shown {
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
        }
        Self { path, headers }
    }

    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: "GET",
            host: "api.example.com",
            path: &self.path,
            query: None,
            headers: &self.headers,
            client: None,
            body_bytes: None,
        }
    }
}

// === impl Tokens ===

impl Tokens {
    /// Those that are committed.
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("tokens.json")).unwrap()
    }

    /// The token of this algorithm.
    pub(crate) fn token(&self, algorithm: Algorithm) -> &str {
        &self.signed(algorithm).token
    }

    fn signed(&self, algorithm: Algorithm) -> &Signed {
        let place = ALGORITHMS.iter().position(|own| *own == algorithm);
        &self.signed[place.unwrap()]
    }

    fn jwks(&self) -> String {
        let keys: Vec<&Value> = self.signed.iter().map(|signed| &signed.public_jwk).collect();
        json!({ "keys": keys }).to_string()
    }
}

/// The client ids of [`World::with_subscriptions`], in an order in which neighbours in time are no neighbours in memory.
pub(crate) fn clients(count: usize) -> Vec<String> {
    (0..count).map(|turn| client(turn * STRIDE % count)).collect()
}

/// The claims of every token, about 220 bytes.
pub(crate) fn claims(client: &str) -> Value {
    json!({
        "iss": "https://login.example.com/", "aud": "https://api.example.com", "sub": "alice",
        "azp": client, "scope": "menu:read menu:write openid", "jti": "2a5f9b0e-8b1c-4c7e-9a44-6c1f0f0d6a11",
        "iat": SECONDS - 60, "exp": SECONDS + 3600,
    })
}

fn client(number: usize) -> String {
    format!("client-{number}")
}

fn bearer(token: &str) -> (HeaderName, String) {
    (AUTHORIZATION, format!("Bearer {token}"))
}
