//! Where the time of one decision goes.
//!
//! Whole decisions (`evaluate`) stand beside the one part of them that cannot be made cheaper, the bare signature check
//! (`raw_signature`), measured in the same run: on a machine whose speed changes, only ratios of one run mean anything.
//! No sockets: what a hop costs is measured by the load test. Threads only in `evaluate_together`, which shows whether
//! they are in each other's way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up says so and ends"
)]

mod compiled;
mod scene;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divan::{Bencher, black_box};
use scene::{ALGORITHMS, CASES, Case, RawSignature, Signed, Tokens, World};
use tollgate::id::PlanId;
use tollgate::mint::SigningKey;
use tollgate::telemetry::{Counter, Telemetry};
use tollgate::token::{Algorithm, Cache, Scratch, TokenDigest, UnverifiedToken};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "mint") {
        return mint();
    }
    // Long enough for a busy neighbour to come and go.
    let least = Duration::from_millis(500);
    divan::Divan::from_args().min_time(least).main();
}

/// What no gateway can do without: the library's check of one signature by a key that is parsed already.
#[divan::bench(args = ALGORITHMS)]
fn raw_signature(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let signature = RawSignature::of(algorithm);
    bencher.bench_local(|| black_box(&signature).check());
}

/// A whole decision of each kind.
#[divan::bench(args = CASES)]
fn evaluate(bencher: Bencher<'_, '_>, case: Case) {
    in_turn(bencher, &World::of(case));
}

/// A remembered token's decision among this many routes, another one each time.
#[divan::bench(args = [10, 10_000])]
fn evaluate_among_routes(bencher: Bencher<'_, '_>, routes: usize) {
    in_turn(bencher, &World::with_routes(routes));
}

/// The same among so many routes, of which one is asked for.
#[divan::bench(args = [10, 10_000])]
fn evaluate_one_of_routes(bencher: Bencher<'_, '_>, routes: usize) {
    let world = World::with_routes(routes);
    bencher.bench_local(|| world.decide(black_box(0)));
}

/// A remembered token's decision among this many subscriptions, of a hundred callers in turn.
#[divan::bench(args = [1_000, 100_000])]
fn evaluate_among_subscriptions(bencher: Bencher<'_, '_>, subscriptions: usize) {
    in_turn(bencher, &World::with_subscriptions(subscriptions));
}

/// Decisions on threads at once, each counted as the proxy counts it. What two threads take longer than one is what they
/// are in each other's way: all ask with one token for one route. A sample is a thousand decisions, as the threads wait for each
/// other before each, and what comes after a wait is slow for other reasons.
#[divan::bench(threads = [1, 2], sample_size = 1000, args = ["remembered_es256", "api_key", "keyless"])]
fn evaluate_together(bencher: Bencher<'_, '_>, name: &str) {
    let case = CASES.into_iter().find(|case| case.name == name).unwrap();
    let world = World::of(case);
    let counted = Counted::new();
    bencher.bench(|| {
        counted.count();
        world.decide(black_box(0))
    });
}

/// The same, but each thread asks for another caller, with a token, an application and a subscription of its own.
#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn evaluate_together_of_other_callers(bencher: Bencher<'_, '_>) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static CALLER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    let world = World::with_subscriptions(1_000);
    let counted = Counted::new();
    bencher.bench(|| {
        counted.count();
        world.decide(black_box(CALLER.with(|caller| *caller)))
    });
}

/// The counting alone: what every request moves.
#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn count_together(bencher: Bencher<'_, '_>) {
    let counted = Counted::new();
    bencher.bench(|| counted.count());
}

/// Taking a token apart: base64url and JSON of header and claims, nothing judged.
#[divan::bench]
fn token_parse(bencher: Bencher<'_, '_>) {
    let tokens = Tokens::read();
    let token = tokens.token(Algorithm::Es256);
    bencher.bench_local(|| {
        let mut scratch = Scratch::default();
        UnverifiedToken::parse(black_box(token), &mut scratch).is_ok()
    });
}

/// The digest of a token and the look into a cache that has it.
#[divan::bench]
fn cache_hit(bencher: Bencher<'_, '_>) {
    let tokens = Tokens::read();
    let token = tokens.token(Algorithm::Es256);
    let cache = Cache::new(65_536);
    cache.insert(TokenDigest::of(token), Arc::new(1), 0, |_| false);
    bencher.bench_local(|| cache.get(&TokenDigest::of(black_box(token)), 0).is_some());
}

/// The route of a request among this many, another one each time.
#[divan::bench(args = [10, 10_000])]
fn route_find(bencher: Bencher<'_, '_>, routes: usize) {
    let world = World::with_routes(routes);
    let turn = Cell::new(0);
    bencher.bench_local(|| world.find_route(next(&turn)));
}

/// Application by client id, then subscription by application and plan, among this many, another one each time.
#[divan::bench(args = [1_000, 100_000])]
fn subscription_find(bencher: Bencher<'_, '_>, count: usize) {
    let world = World::with_subscriptions(count);
    let clients = scene::clients(count);
    let mut clients = clients.iter().cycle();
    let plan = PlanId::of("orders", "gold");
    bencher
        .with_inputs(|| clients.next().map_or("", String::as_str))
        .bench_local_values(|client| world.find_subscription(client, &plan));
}

/// What the proxy moves for every request that passes.
struct Counted(Telemetry, [Arc<Counter>; 2]);

// === impl Counted ===

impl Counted {
    fn new() -> Self {
        let telemetry = Telemetry::new("bench").unwrap();
        let counters = [
            telemetry.requests.child(&["orders", "gold", "2xx"]),
            telemetry.decisions.child(&["orders", "permit"]),
        ];
        Self(telemetry, counters)
    }

    fn count(&self) {
        self.0.in_flight_requests.inc();
        self.0.token_cache_hits.inc();
        self.1.iter().for_each(|counter| counter.inc());
        self.0.in_flight_requests.dec();
    }
}

/// Writes new tokens of new keys (`cargo bench --bench access -- mint`); counts of instructions begin anew with them.
fn mint() {
    let sign = |algorithm: Algorithm| {
        let key = SigningKey::generate(algorithm).unwrap();
        let token = key.mint(Some(algorithm.name()), &scene::claims("mobile-app"));
        Signed {
            token: token.unwrap(),
            public_jwk: key.public_jwk(algorithm.name()),
            public_pem: key.public_pem(),
        }
    };
    let signed: Vec<Signed> = ALGORITHMS.map(sign).into();
    let stranger = sign(Algorithm::Rs256).token;
    let (honest, _) = signed[0].token.rsplit_once('.').unwrap();
    let (_, signature) = stranger.rsplit_once('.').unwrap();
    // A number that is too large is refused unread: with its first byte 0, it takes as long as a good one.
    let tokens = Tokens {
        forged_rs256: format!("{honest}.AA{}", &signature[2..]),
        signed,
    };
    let text = serde_json::to_string_pretty(&tokens).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/tokens.json");
    std::fs::write(path, text + "\n").unwrap();
}

fn in_turn(bencher: Bencher<'_, '_>, world: &World) {
    let turn = Cell::new(0);
    bencher.bench_local(|| world.decide(black_box(next(&turn))));
}

fn next(turn: &Cell<usize>) -> usize {
    turn.replace(turn.get().wrapping_add(1))
}
