//! What a decision allocates, held to a written budget: allocations are what a busy gateway pays for first, and they
//! come back unnoticed with the smallest change.
//!
//! A cold token is parsed, verified and kept; a warm one is only looked up. What remains for a warm one is what goes
//! upstream: the list of claim headers and each value in it. Rules, required claims and lists of resources add nothing.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::HeaderMap;
use serde_json::json;
use tollgate::access::{Counting, DataPlane, RequestView, Verdict, evaluate};
use tollgate::api::Stages;
use tollgate::config::{Files, Mistakes, parse};
use tollgate::id::{ApplicationId, PlanId};
use tollgate::issuer::KeyRing;
use tollgate::limit::{
    Alignment, Bandwidth, Forgeries, Keyed, Level, LevelName, Limits, LocalCounters, OnExceed, Period, Quota,
    Rate, SpikeArrest, TallyRef, Terms, Zone, acquire,
};
use tollgate::mint::SigningKey;
use tollgate::revocation::{ALWAYS, Named, Revocation, Revocations};
use tollgate::snapshot::{Inputs, Snapshot, compile};
use tollgate::subscription::{ApiKeyEntry, ApiKeySecret, Change, Index};
use tollgate::time::UnixTime;
use tollgate::token::{Algorithm, Cache};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// The list of two headers, and two values.
const WARM_BUDGET: u64 = 3;
/// Nothing goes upstream: a remembered token leads to its subscription without any, and comes by its limits without any.
const PLAIN_BUDGET: u64 = 0;
/// What is kept of a token of usual size, its place in the table included.
const REMEMBERED_BYTES: u64 = 672;
/// A million revocations, and what is there besides while they come one after the other.
const MILLION_REVOCATIONS_BYTES: u64 = 100 * 1024 * 1024;
/// Claims, identity, verdict and cache entry, besides.
const COLD_BUDGET: u64 = 24;
/// The denial itself.
const MISSING_BUDGET: u64 = 1;

/// An API key leads to its subscription without any.
const KEY_BUDGET: u64 = 0;

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "acme.json"
[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]
[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
claim_headers = { X-User = "sub", X-Role = "role" }
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
rate = { requests = 1_000_000, per = "1s" }
quota = [{ requests = 1_000_000, per = "day", timezone = "Europe/Paris" }, { requests = 1_000_000, per = "month" }]
spike_arrest = { requests = 1_000_000, per = "1s" }
bandwidth = { bytes = 1_000_000_000, per = "month" }
concurrency = 1000
token_from = { header = "X-Access-Token", cookie = "session", query = "access_token" }
claims = { "role" = ["waiter", "cook"] }
selection_rule = """
claims.role matches "[a-z]+" and not (claims.role contains "guest" or header("X-Channel") in ["web", "tv"])
and path starts_with "/menu/" and method == "GET" and not client_ip in "10.0.0.0/8"
"""
resources.allow = [{ path = "/menu/{id}", methods = ["GET"] }, { path = "/menu/*" }]
resources.deny = [{ path = "/menu/secret" }]
[[api.route]]
path = "/menu/{id}"
methods = ["GET"]
scopes = ["menu:read"]
claims = { "role" = "cook" }
audiences = ["orders"]
[[application]]
id = "mobile"
client_ids = ["mobile-app"]
quota = { requests = 1_000_000, per = "day" }
[[subscription]]
application = "mobile"
api = "orders"
plan = "gold"
[[api]]
name = "plain"
context_path = "/plain"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
rate = { requests = 1_000_000, per = "1s" }
quota = [{ requests = 1_000_000, per = "day", timezone = "Europe/Paris" }, { requests = 1_000_000, per = "month" }]
spike_arrest = { requests = 1_000_000, per = "1s" }
bandwidth = { bytes = 1_000_000_000, per = "month" }
concurrency = 1000
[[api.route]]
path = "/menu/{id}"
scopes = ["menu:read"]
[[subscription]]
application = "mobile"
api = "plain"
plan = "gold"
[[issuer]]
name = "auth"
audiences = ["orders"]
introspection = { url = "https://auth.example/", client_id = "gateway", client_secret_file = "secret.txt" }
[[api]]
name = "asked"
context_path = "/asked"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "oauth2"
issuers = ["auth"]
rate = { requests = 1_000_000, per = "1s" }
[[api.plan]]
name = "signed"
security = "jwt"
issuers = ["acme"]
[[api.route]]
path = "/menu/{id}"
scopes = ["menu:read"]
[[subscription]]
application = "mobile"
api = "asked"
plan = "gold"
[[api]]
name = "keys"
context_path = "/keys"
upstream = "sample"
claim_headers = { X-User = "sub" }
[[api.plan]]
name = "keys"
security = "api_key"
rate = { requests = 1_000_000, per = "1s", burst = 1_000_000 }
quota = [{ requests = 1_000_000, per = "day", timezone = "Europe/Paris" }, { requests = 1_000_000, per = "month" }]
spike_arrest = { requests = 1_000_000, per = "1s" }
bandwidth = { bytes = 1_000_000_000, per = "month" }
concurrency = 1000
[[api.route]]
path = "/menu/{id}"
[[application]]
id = "desktop"
[[subscription]]
application = "desktop"
api = "keys"
plan = "keys"
"#;

/// As in a gateway that has seen a token of the issuer before: an issuer's bucket is made once.
static FORGERIES: LazyLock<Forgeries> = LazyLock::new(Forgeries::default);
static COUNTERS: LazyLock<LocalCounters> = LazyLock::new(LocalCounters::default);
/// Of others: a gateway in which something was revoked looks at more than one that never had to.
static REVOCATIONS: LazyLock<Revocations> = LazyLock::new(|| {
    let set = Revocations::default();
    let always = Revocation {
        issued_before: ALWAYS,
        expires_at: ALWAYS,
    };
    for named in Named::ALL {
        let digest = set.key().digest(named, "somebody else", "x");
        set.change().put(named, digest, always);
    }
    set
});

struct Memory(BTreeMap<PathBuf, Vec<u8>>);

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

fn snapshot(jwks: &serde_json::Value) -> Result<Snapshot, Mistakes> {
    snapshot_of(CONFIGURATION, jwks)
}

fn snapshot_of(text: &str, jwks: &serde_json::Value) -> Result<Snapshot, Mistakes> {
    let files = Memory(BTreeMap::from([
        (PathBuf::from("t.toml"), text.as_bytes().to_vec()),
        (PathBuf::from("acme.json"), jwks.to_string().into_bytes()),
        (PathBuf::from("secret.txt"), b"secret".to_vec()),
    ]));
    let inputs = Inputs {
        files: &files,
        key_ring: &KeyRing::default(),
        stages: &Stages::default(),
        counters: &*COUNTERS,
        now: NOW,
        generation: 1,
    };
    compile(parse(Path::new("t.toml"), &files)?, inputs)
}

/// Allocations of one decision.
fn allocations(
    snapshot: &Snapshot,
    index: &Index,
    verdicts: &Cache<Arc<Verdict>>,
    headers: &HeaderMap,
    query: Option<&str>,
) -> u64 {
    allocations_at("/orders/menu/1", snapshot, index, verdicts, headers, query)
}

fn allocations_at(
    path: &str,
    snapshot: &Snapshot,
    index: &Index,
    verdicts: &Cache<Arc<Verdict>>,
    headers: &HeaderMap,
    query: Option<&str>,
) -> u64 {
    let plane = DataPlane {
        snapshot,
        index,
        verdicts,
        forgeries: &FORGERIES,
        counting: Counting::Takes(&*COUNTERS),
        revocations: &REVOCATIONS,
    };
    let view = RequestView {
        method: "GET",
        host: "api.example",
        path,
        query,
        headers,
        client: None,
        body_bytes: None,
    };
    let mut decided = None;
    let counted = allocation_counter::measure(|| decided = Some(evaluate(&plane, &view, NOW, &mut ())));
    assert!(decided.is_some());
    counted.count_total
}

#[test]
fn a_remembered_opaque_token_allocates_no_more_than_a_signed_one() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let snapshot = snapshot(&json!({ "keys": [key.public_jwk("k1")] })).unwrap();
    let (index, verdicts) = (Index::default(), Cache::new(64));
    index.admit(&snapshot.declared);
    let mut issuers = snapshot.issuers.iter();
    let asked = issuers.find_map(|issuer| issuer.introspection.as_ref()).unwrap();
    let answer = json!({
        "active": true, "aud": "orders", "sub": "alice", "client_id": "mobile-app", "scope": "menu:read",
    });
    for token in ["2YotnFZFEjr1zCsicMWpAA", "2Yotn.FZFEjr1z.CsicMWpAA"] {
        let until = NOW.plus(Duration::from_secs(60));
        asked
            .answers
            .note_active(asked.digest(token), answer.to_string().into_bytes(), until, NOW);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let ask = || allocations_at("/asked/menu/1", &snapshot, &index, &verdicts, &headers, None);
        let before = verdicts.len();
        let cold = ask();
        assert_eq!(verdicts.len(), before + 1, "{token} passes");
        assert!(cold <= COLD_BUDGET, "{token}: {cold} allocations");
        let warm = ask();
        println!("opaque token: cold {cold}, warm {warm} allocations");
        // One that looks like a signed token is taken apart to see whose it is.
        let budget = if token.contains('.') { 3 } else { PLAIN_BUDGET };
        assert!(warm <= budget, "{token}: {warm} allocations");
    }
}

#[test]
fn a_decision_allocates_no_more_than_its_budget() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    // The rate asks claims, which each remembered token then keeps.
    let asking = CONFIGURATION.replace(
        "per = \"1s\" }\nquota",
        "per = \"1s\", requests_from = \"most\", key_from = \"tenant\" }\nquota",
    );
    let snapshot = snapshot_of(&asking, &json!({ "keys": [key.public_jwk("k1")] })).unwrap();
    let index = Index::default();
    index.admit(&snapshot.declared);
    let verdicts = Cache::new(64);
    let seconds = NOW.seconds();
    let claims = json!({
        "iss": "acme", "aud": "orders", "sub": "alice", "azp": "mobile-app", "scope": "menu:read", "role": "cook",
        "tenant": "acme", "most": 1000, "iat": seconds, "exp": seconds + 60,
    });
    let mut headers = HeaderMap::new();
    assert!(
        allocations(&snapshot, &index, &verdicts, &headers, None) <= MISSING_BUDGET,
        "no credential"
    );
    let token = key.mint(Some("k1"), &claims).unwrap();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let _ = allocations(&snapshot, &index, &Cache::new(64), &headers, None);
    let cold = allocations(&snapshot, &index, &verdicts, &headers, None);
    assert_eq!(verdicts.len(), 1, "the token passes");
    assert!(cold <= COLD_BUDGET, "a cold token allocates {cold} times");
    // The token in every place in turn, each time alone.
    for (place, value) in [
        ("authorization", format!("Bearer {token}")),
        ("x-access-token", token.clone()),
        ("cookie", format!("a=1; session={token}; b=2")),
        ("the query", format!("a=1&access_token={token}")),
    ] {
        let mut headers = HeaderMap::new();
        let mut query = None;
        match place {
            "the query" => query = Some(value.as_str()),
            field => drop(headers.insert(field, value.parse().unwrap())),
        }
        for _ in 0..3 {
            let warm = allocations(&snapshot, &index, &verdicts, &headers, query);
            assert!(
                warm <= WARM_BUDGET,
                "a warm token in {place} allocates {warm} times"
            );
        }
        assert_eq!(verdicts.len(), 1, "the token in {place} is the same");
    }
}

#[test]
fn an_api_key_that_passes_allocates_nothing() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let snapshot = snapshot(&json!({ "keys": [key.public_jwk("k1")] })).unwrap();
    let (index, verdicts) = (Index::default(), Cache::new(64));
    index.admit(&snapshot.declared);
    let secret = ApiKeySecret::new(&[7; 32]);
    index.change(Change::ApiKey {
        id: "k1".into(),
        entry: Some(ApiKeyEntry {
            hash: secret.hash("good-key-1"),
            application: ApplicationId::new("desktop"),
            plan: PlanId::of("keys", "keys"),
            expires_at: None,
            revoked: false,
        }),
    });
    index.set_key_secret(secret);
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", "good-key-1".parse().unwrap());
    let ask = || allocations_at("/keys/menu/1", &snapshot, &index, &verdicts, &headers, None);
    // When a calendar quota's day ends is computed once a day.
    ask();
    for _ in 0..3 {
        let counted = ask();
        assert_eq!(counted, KEY_BUDGET, "an API key allocates {counted} times");
    }
    let plane = DataPlane {
        snapshot: &snapshot,
        index: &index,
        verdicts: &verdicts,
        forgeries: &FORGERIES,
        counting: Counting::Takes(&*COUNTERS),
        revocations: &REVOCATIONS,
    };
    let view = RequestView {
        method: "GET",
        host: "api.example",
        path: "/keys/menu/1",
        query: None,
        headers: &headers,
        client: None,
        body_bytes: None,
    };
    assert!(evaluate(&plane, &view, NOW, &mut ()).is_ok(), "the key passes");
}

#[test]
fn a_remembered_token_that_sends_nothing_upstream_allocates_nothing() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let snapshot = snapshot(&json!({ "keys": [key.public_jwk("k1")] })).unwrap();
    let (index, verdicts) = (Index::default(), Cache::new(64));
    index.admit(&snapshot.declared);
    let headers = shown(&key, "a");
    let ask = || allocations_at("/plain/menu/1", &snapshot, &index, &verdicts, &headers, None);
    ask();
    assert_eq!(verdicts.len(), 1, "the token passes");
    for _ in 0..3 {
        let warm = ask();
        assert_eq!(warm, PLAIN_BUDGET, "a warm token allocates {warm} times");
    }
}

#[test]
fn what_is_kept_of_a_token_is_no_more_than_its_budget() {
    const TOKENS: u64 = 64;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let snapshot = snapshot(&json!({ "keys": [key.public_jwk("k1")] })).unwrap();
    let index = Index::default();
    index.admit(&snapshot.declared);
    // What is made once, by whichever token comes first, is made before.
    let first = Cache::new(64);
    allocations(&snapshot, &index, &first, &shown(&key, "first"), None);
    let shown: Vec<HeaderMap> = (0..TOKENS)
        .map(|number| shown(&key, &format!("{number:032}")))
        .collect();
    let mut remembering = Cache::new(0);
    // A table has as many places as a power of two, eight to a bucket; so large that no token makes room for another.
    let places = 16 * TOKENS;
    let table = allocation_counter::measure(|| remembering = Cache::new(usize::try_from(places).unwrap()));
    let each = table.bytes_current.unsigned_abs() / places;
    let kept = allocation_counter::measure(|| {
        for headers in &shown {
            let plane = DataPlane {
                snapshot: &snapshot,
                index: &index,
                verdicts: &remembering,
                forgeries: &FORGERIES,
                counting: Counting::Takes(&*COUNTERS),
                revocations: &REVOCATIONS,
            };
            let view = RequestView {
                method: "GET",
                host: "api.example",
                path: "/orders/menu/1",
                query: None,
                headers,
                client: None,
                body_bytes: None,
            };
            assert!(evaluate(&plane, &view, NOW, &mut ()).is_ok());
        }
    });
    assert_eq!(remembering.len() as u64, TOKENS, "all are remembered");
    let bytes = kept.bytes_current.unsigned_abs() / TOKENS + each;
    assert!(
        (each + 64..=REMEMBERED_BYTES).contains(&bytes),
        "a remembered token takes {bytes} bytes, {each} of them its place"
    );
}

/// A token of usual size: ten claims, about 700 bytes.
fn shown(key: &SigningKey, id: &str) -> HeaderMap {
    let seconds = NOW.seconds();
    let claims = json!({
        "iss": "acme", "aud": "orders", "sub": "5f0c2b7e-6b1f-4a7e-9c1d-0a2b3c4d5e6f", "azp": "mobile-app",
        "scope": "menu:read menu:write openid profile email offline_access", "role": "cook", "jti": id,
        "email": "alice.liddell@example.com", "session": "0d9c8b7a-1234-4cde-8f01-23456789abcd-0d9c8b7a-1234-4cde-8f01",
        "iat": seconds, "exp": seconds + 3600,
    });
    // What cannot be minted or sent does not pass, and whoever asks sees that.
    let token = key.mint(Some("k1"), &claims).unwrap_or_default();
    let value = format!("Bearer {token}").parse().ok();
    HeaderMap::from_iter(value.map(|value| (http::header::AUTHORIZATION, value)))
}

#[test]
fn limits_of_all_kinds_allocate_nothing_but_a_rolling_quota_once() {
    let calendar = |period| Quota::new(100, period, Alignment::Calendar(Zone::utc())).unwrap();
    let terms = Terms {
        rate: Some(Rate::new(100, Duration::from_secs(1), 100).unwrap()),
        spike_arrest: Some(SpikeArrest::new(100, Duration::from_secs(1), 2).unwrap()),
        quotas: vec![calendar(Period::Hour), calendar(Period::Month)],
        bandwidth: Some(Bandwidth::new(1000, Period::Day, Zone::utc()).unwrap()),
        concurrency: NonZeroU32::new(100),
        on_exceed: OnExceed::Deny,
    };
    let limits = Arc::new(Limits::new(terms).unwrap());
    let rolling = Quota::new(100, Period::Day, Alignment::Rolling).unwrap();
    let rolling = Terms {
        quotas: vec![rolling],
        ..Terms::default()
    };
    let rolling = Arc::new(Limits::new(rolling).unwrap());
    let (own, rolled, table) = (
        Arc::default(),
        Arc::default(),
        Arc::new(Keyed::new(64, RandomState::new())),
    );
    let ask = |number: u64| {
        let level = |limits, tally| Level {
            name: LevelName::Plan,
            limits,
            tally,
            requests: None,
        };
        let address = Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into();
        let levels = [
            level(&limits, TallyRef::Own(&own)),
            level(&rolling, TallyRef::Own(&rolled)),
            level(
                &limits,
                TallyRef::Keyed(&table, table.client("open", Some(address))),
            ),
        ];
        let mut passed = false;
        let counted = allocation_counter::measure(|| passed = acquire(&levels, NOW).is_ok());
        assert_eq!(passed, number < 50, "the fiftieth is one too many for its slice");
        counted.count_total
    };
    assert!(ask(0) <= 2, "what a rolling quota counts in");
    // Strangers among more than have a place, and one who is denied.
    for number in 1..51 {
        assert_eq!(ask(number), 0, "request {number}");
    }
}

#[test]
fn a_million_revocations_take_no_more_than_their_budget() {
    const COUNT: usize = 1_000_000;
    let set = Revocations::default();
    let entry = Revocation {
        issued_before: NOW,
        expires_at: NOW,
    };
    let added = allocation_counter::measure(|| {
        let mut changing = set.change();
        for number in 0..COUNT {
            let jti = format!("0d9c8b7a-1234-4cde-8f01-{number:012}");
            changing.put(Named::Token, set.key().digest(Named::Token, "acme", &jti), entry);
        }
    });
    assert_eq!(set.len(), COUNT);
    let bytes = added.bytes_current.unsigned_abs();
    assert!(
        (32_000_000..=MILLION_REVOCATIONS_BYTES).contains(&bytes),
        "a million revocations take {bytes} bytes"
    );
    // Tables that are outgrown are let go by and by.
    let most = added.bytes_max;
    assert!(most <= MILLION_REVOCATIONS_BYTES, "{most} bytes while they come");
}
