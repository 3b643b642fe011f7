//! What the limits of a request cost, beside the least that counting can cost: one compare-exchange of a word that nobody
//! else is at.
//!
//! A program of its own beside `access`: these take nanoseconds, and stand in no relation to a signature check. Only ratios
//! of one run mean anything.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be set up says so and ends"
)]

use std::cell::Cell;
use std::hash::RandomState;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use divan::{Bencher, black_box};
use tollgate::limit::{
    Alignment, Keyed, Level, LevelName, Limits, PLACES, Period, Quota, Rate, Tally, TallyRef, Terms, Zone,
    acquire,
};
use tollgate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
/// Enough for every sample of a bench.
const PLENTY: u64 = 10_000_000_000;

fn main() {
    let least = Duration::from_millis(500);
    divan::Divan::from_args().min_time(least).main();
}

/// What no counter can do without.
#[divan::bench(sample_size = 1000)]
fn raw_compare_exchange(bencher: Bencher<'_, '_>) {
    let word = AtomicU64::new(0);
    bencher.bench_local(|| {
        let seen = black_box(&word).load(Ordering::Relaxed);
        word.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    });
}

/// The limits of a subscription, one request each millisecond.
#[divan::bench(sample_size = 1000, args = ["none", "rate", "quota", "rolling", "concurrency", "rate, quota"])]
fn subscription(bencher: Bencher<'_, '_>, kinds: &str) {
    admitted(bencher, &[(limits(kinds), Arc::default())]);
}

/// A rate and a quota at each of so many levels.
#[divan::bench(sample_size = 1000, args = [1, 2, 4])]
fn levels(bencher: Bencher<'_, '_>, count: usize) {
    let parties: Vec<_> = (0..count)
        .map(|_| (limits("rate, quota"), Arc::default()))
        .collect();
    admitted(bencher, &parties);
}

/// A request that is denied.
#[divan::bench(sample_size = 1000)]
fn denied(bencher: Bencher<'_, '_>) {
    let limits = Arc::new(
        Limits::new(Terms {
            quotas: vec![daily(1)],
            ..Terms::default()
        })
        .unwrap(),
    );
    let tally = Arc::default();
    let level = level(&limits, &tally);
    acquire(&[level], NOW).unwrap();
    bencher.bench_local(|| acquire(&[black_box(level)], NOW).is_err());
}

/// The rate of an address, of so many in turn: as many as have a place, or more than that.
#[divan::bench(sample_size = 1000, args = [1, 10_000, 1_000_000])]
fn keyed(bencher: Bencher<'_, '_>, addresses: u32) {
    let limits = limits("rate");
    let table = Arc::new(Keyed::new(PLACES, RandomState::new()));
    let turn = Cell::new(0_u32);
    bencher.bench_local(|| {
        turn.set((turn.get() + 1) % addresses);
        let address = IpAddr::V4(Ipv4Addr::from_bits(turn.get().wrapping_mul(2_654_435_761)));
        let level = Level {
            name: LevelName::Client,
            limits: &limits,
            tally: TallyRef::Keyed(&table, table.client("orders/open", Some(black_box(address)))),
            requests: None,
        };
        acquire(&[level], at(turn.get())).is_ok()
    });
}

/// A quota and the requests in flight of one subscription, on threads at once: all are at the same two words.
#[divan::bench(sample_size = 1000, threads = [1, 2])]
fn together(bencher: Bencher<'_, '_>) {
    let (limits, tally) = (limits("quota, concurrency"), Arc::default());
    bencher.bench(|| acquire(&[black_box(level(&limits, &tally))], NOW).is_ok());
}

fn admitted(bencher: Bencher<'_, '_>, parties: &[(Arc<Limits>, Arc<Tally>)]) {
    let levels: Vec<Level<'_>> = parties
        .iter()
        .map(|(limits, tally)| level(limits, tally))
        .collect();
    let turn = Cell::new(0_u32);
    bencher.bench_local(|| {
        turn.set(turn.get().wrapping_add(1));
        acquire(black_box(&levels), at(turn.get())).is_ok()
    });
}

/// A millisecond for each request, a minute long: all windows are warm.
fn at(turn: u32) -> UnixTime {
    NOW.plus(Duration::from_millis(u64::from(turn >> 12)))
}

fn level<'l>(limits: &'l Arc<Limits>, tally: &'l Arc<Tally>) -> Level<'l> {
    Level {
        name: LevelName::Plan,
        limits,
        tally: TallyRef::Own(tally),
        requests: None,
    }
}

fn daily(requests: u64) -> Quota {
    let zone = Zone::named("Europe/Berlin").unwrap();
    Quota::new(requests, Period::Day, Alignment::Calendar(zone)).unwrap()
}

fn limits(kinds: &str) -> Arc<Limits> {
    let has = |kind| kinds.split(", ").any(|other| other == kind);
    let mut quotas = Vec::new();
    if has("quota") {
        quotas.push(daily(PLENTY));
    }
    if has("rolling") {
        quotas.push(Quota::new(PLENTY, Period::Day, Alignment::Rolling).unwrap());
    }
    let terms = Terms {
        rate: has("rate").then(|| Rate::new(999_999, Duration::from_millis(1), 999_999).unwrap()),
        quotas,
        concurrency: NonZeroU32::new(u32::from(has("concurrency")) * 1000),
        ..Terms::default()
    };
    Arc::new(Limits::new(terms).unwrap())
}
