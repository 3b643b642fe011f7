//! What a million subscriptions cost: memory, loading, decisions, and how soon a change is obeyed.
//!
//! A program of its own, not a row of the other bench: resident memory can only be told of a process that holds nothing
//! else. Each size is measured in a fresh child, over a store in a file that another child has filled. Decisions are whole
//! ones (`access::evaluate`), of tokens that were verified before, by callers that are spread over the whole of the index.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up says so and ends"
)]

mod compiled;

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compiled::{NOW, SECONDS};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tollgate::access::{DataPlane, RequestView, Verdict, evaluate};
use tollgate::api::Stages;
use tollgate::control::Publish;
use tollgate::control::registrar::{Action, Actor, Registrar};
use tollgate::control::state::records::{
    self, ApiKeyRecord, ApplicationRecord, ClientIdRecord, SubscriptionRecord, SubscriptionStatus,
};
use tollgate::control::state::{Batch, Key, Kind, OpenState, Store as _, Write, open};
use tollgate::id::{ApplicationId, PlanId};
use tollgate::limit::Forgeries;
use tollgate::mint::SigningKey;
use tollgate::revocation::Revocations;
use tollgate::snapshot::Snapshot;
use tollgate::subscription::Index;
use tollgate::token::{Algorithm, Cache};

/// An application has this many, one to each plan.
const SUBSCRIPTIONS_EACH: usize = 10;
/// So many applications call; the same number whatever the size, so that what differs is the size alone.
const CALLERS: usize = 100;
const DECISIONS: usize = 400_000;
const CHANGES: usize = 200;
const BATCH: usize = 20_000;
/// No factor in common with the sizes: neighbours in time are no neighbours in memory.
const STRIDE: usize = 7_919;

struct Fixed(Arc<Snapshot>);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo passes `--bench`; only children are told what to do.
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["fill", count, directory] => fill(count.parse().unwrap(), Path::new(directory)),
        ["measure", count, directory] => measure(count.parse().unwrap(), Path::new(directory)),
        _ => return everything(),
    }
    ExitCode::SUCCESS
}

fn everything() -> ExitCode {
    let own = std::env::current_exe().unwrap();
    println!(
        "subscriptions  load    bytes/subscription  decision  by API key  all in turn  change: median, 9 of 10, longest"
    );
    for count in ["1000", "1000000"] {
        let directory = tempfile::tempdir().unwrap();
        for task in ["fill", "measure"] {
            let mut child = Command::new(&own);
            let status = child.args([task, count]).arg(directory.path()).status();
            if !status.is_ok_and(|status| status.success()) {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn api_key(application: usize) -> String {
    format!("key-of-application-{application}")
}

/// Writes the store: applications with one client id each, their subscriptions, half of them with a last day, and a key
/// for one in ten.
fn fill(count: usize, directory: &Path) {
    let state = open(&directory.join("tollgate.redb")).unwrap();
    let secret = state.api_key_secret().unwrap();
    let write = |kind, id: String, value| Write {
        key: Key::new(kind, id),
        value: Some(value),
    };
    let mut writes = Vec::new();
    for number in 0..count / SUBSCRIPTIONS_EACH {
        let application = ApplicationRecord {
            client_ids: vec![ClientIdRecord {
                issuer: None,
                id: format!("client-{number}"),
            }],
            ..ApplicationRecord::default()
        };
        let id = format!("application-{number}");
        writes.push(write(
            Kind::Application,
            id.clone(),
            records::write(&application).unwrap(),
        ));
        for plan in 0..SUBSCRIPTIONS_EACH {
            let subscription = SubscriptionRecord {
                status: SubscriptionStatus::Accepted,
                from: None,
                until: plan.is_multiple_of(2).then_some(2_000_000_000_000),
                created_at: 0,
                updated_at: 0,
            };
            let id = format!("{id}:orders:plan-{plan}");
            writes.push(write(
                Kind::Subscription,
                id,
                records::write(&subscription).unwrap(),
            ));
        }
        let hash = secret.hash(&api_key(number));
        let key = ApiKeyRecord {
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            prefix: "key-".to_owned(),
            expires_at: None,
            revoked_at: None,
            created_at: 0,
        };
        writes.push(write(
            Kind::ApiKey,
            format!("{id}:orders:plan-9:1"),
            records::write(&key).unwrap(),
        ));
    }
    for writes in writes.chunks(BATCH) {
        let batch = Batch {
            based_on: state.store.revision().unwrap(),
            writes: writes.to_vec(),
            note: Vec::new(),
        };
        state.store.commit(batch).unwrap();
    }
}

fn measure(count: usize, directory: &Path) {
    let signer = SigningKey::generate(Algorithm::Es256).unwrap();
    let snapshot = Arc::new(two_plans(&signer));
    let index = Arc::new(Index::default());
    let empty = resident_bytes();
    let begun = Instant::now();
    let state = open(&directory.join("tollgate.redb")).unwrap();
    index.set_key_secret(state.api_key_secret().unwrap());
    let OpenState { store, .. } = state;
    let cell = Arc::new(Fixed(Arc::clone(&snapshot)));
    let registrar = Registrar::begin(
        Box::new(store),
        Arc::clone(&index),
        cell,
        Arc::new(Stages::default()),
        Arc::default(),
    )
    .unwrap();
    let load = begun.elapsed();
    assert_eq!(
        index.counts(),
        (count / SUBSCRIPTIONS_EACH, count),
        "all of it is there"
    );
    let each = resident_bytes().saturating_sub(empty) / count;

    let applications = count / SUBSCRIPTIONS_EACH;
    let number = |place: usize| place * STRIDE % applications;
    let callers: Vec<usize> = (0..CALLERS.min(applications)).map(number).collect();
    let decisions = Decisions {
        snapshot: &snapshot,
        index: &index,
        verdicts: Cache::new((applications * 4).max(65_536)),
    };
    let bearer = |application: usize| {
        let claims = json!({
            "iss": "https://login.example.com/", "aud": "https://api.example.com", "sub": "alice",
            "azp": format!("client-{application}"), "iat": SECONDS - 60, "exp": SECONDS + 3600,
        });
        let token = signer.mint(Some("k1"), &claims).unwrap();
        fields(AUTHORIZATION, &format!("Bearer {token}"))
    };
    let shown = |application: usize| fields(HeaderName::from_static("x-api-key"), &api_key(application));
    let by_token = decisions.time(callers.iter().map(|caller| bearer(*caller)));
    let by_key = decisions.time(callers.iter().map(|caller| shown(*caller)));
    let in_turn = decisions.time((0..applications).map(number).map(bearer));

    // Paused and resumed: written, durable, and seen by the look-up that follows.
    let (actor, plan) = (Actor("bench".to_owned()), PlanId::of("orders", "plan-3"));
    let own = ApplicationId::new("application-0");
    let mut changes: Vec<Duration> = (0..CHANGES)
        .map(|change| {
            let action = if change % 2 == 0 {
                Action::Pause
            } else {
                Action::Resume
            };
            let begun = Instant::now();
            registrar
                .act_on_subscription(&actor, "application-0:orders:plan-3", action, &None)
                .unwrap();
            let found = index.subscription(&own, &plan).unwrap();
            let taken = begun.elapsed();
            assert_eq!(found.in_force(NOW).is_ok(), action == Action::Resume);
            taken
        })
        .collect();
    changes.sort_unstable();
    let [median, most, longest] = [CHANGES / 2, CHANGES * 9 / 10, CHANGES - 1]
        .map(|place| changes.get(place).copied().unwrap_or_default());
    let [by_token, by_key, in_turn] =
        [by_token, by_key, in_turn].map(|time| format!("{} ns", time.as_nanos()));
    println!(
        "{count:<13}  {load:<6.1?}  {each:<18}  {by_token:<8}  {by_key:<10}  {in_turn:<11}  {median:.1?}, {most:.1?}, {longest:.1?}"
    );
}

/// What decisions are made by.
struct Decisions<'d> {
    snapshot: &'d Snapshot,
    index: &'d Index,
    verdicts: Cache<Arc<Verdict>>,
}

// === impl Decisions ===

impl Decisions<'_> {
    /// The time of one decision, over all of these in turn; each must be a permit. The least of several rounds: what
    /// disturbs a round makes it longer.
    fn time(&self, headers: impl Iterator<Item = HeaderMap>) -> Duration {
        let headers: Vec<HeaderMap> = headers.collect();
        let plane = DataPlane {
            snapshot: self.snapshot,
            index: self.index,
            verdicts: &self.verdicts,
            forgeries: &Forgeries::default(),
            counting: tollgate::access::Counting::Takes(&tollgate::limit::LocalCounters::default()),
            revocations: &Revocations::default(),
        };
        let decide = |headers: &HeaderMap| {
            let request = RequestView {
                method: "GET",
                host: "api.example.com",
                path: "/orders/1",
                query: None,
                headers,
                client: None,
                body_bytes: None,
            };
            let permitted = evaluate(&plane, black_box(&request), NOW, &mut ()).is_ok();
            assert!(permitted, "every caller has a subscription");
        };
        headers.iter().for_each(decide);
        let round = || {
            let begun = Instant::now();
            headers.iter().cycle().take(DECISIONS).for_each(decide);
            begun.elapsed() / u32::try_from(DECISIONS).unwrap()
        };
        (0..5).map(|_| round()).min().unwrap()
    }
}

impl Publish for Fixed {
    fn publish(&self, _: Arc<Snapshot>) {}

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0)
    }
}

fn fields(name: HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
}

/// One API with a JWT plan that all tokens are for, and one for API keys.
fn two_plans(signer: &SigningKey) -> Snapshot {
    const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"

[[issuer]]
name = "https://login.example.com/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "jwks.json"

[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
[[api.plan]]
name = "plan-3"
security = "jwt"
issuers = ["https://login.example.com/"]
[[api.plan]]
name = "plan-9"
security = "api_key"
"#;
    let jwks = json!({ "keys": [signer.public_jwk("k1")] }).to_string();
    compiled::compiled(CONFIGURATION, &jwks)
}

/// What the process holds in memory (Linux, `proc(5)`); 0 elsewhere.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or_default();
    pages * 4096
}
