//! What a million subscriptions cost: memory, loading, look-ups, and how soon a change is seen.
//!
//! A program of its own, not a row of the other bench: resident memory can only be told of a process that holds nothing
//! else. Each size is measured in a fresh child.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use tollgate::id::{ApplicationId, PlanId};
use tollgate::subscription::{
    ApiKeyEntry, ApiKeySecret, ApplicationEntry, Change, Index, Status, SubscriptionEntry,
};
use tollgate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
/// An application has this many.
const SUBSCRIPTIONS_EACH: usize = 10;
const LOOKUPS: usize = 1_000_000;
/// No factor in common with the sizes: neighbours in time are no neighbours in memory.
const STRIDE: usize = 7_919;

fn main() -> ExitCode {
    // Cargo passes `--bench`; only the child is given a number.
    if let Some(count) = std::env::args().find_map(|argument| argument.parse().ok()) {
        measure(count);
        return ExitCode::SUCCESS;
    }
    let Ok(own) = std::env::current_exe() else {
        return ExitCode::FAILURE;
    };
    println!("subscriptions  bytes/subscription  load        resync      by client   by key      change");
    for count in ["1000", "1000000"] {
        let status = Command::new(&own).arg(count).status();
        if !status.is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn application(number: usize) -> Change {
    Change::Application {
        id: ApplicationId::new(format!("application-{number}")),
        entry: Some(ApplicationEntry {
            clients: vec![(None, format!("client-{number}").into())],
            ..ApplicationEntry::default()
        }),
    }
}

/// One of an application's subscriptions, each to another plan; half of them with a last day.
fn subscription(number: usize, status: Status) -> Change {
    let last_day = UnixTime::from_seconds(2_000_000_000);
    Change::Subscription {
        application: ApplicationId::new(format!("application-{}", number / SUBSCRIPTIONS_EACH)),
        plan: PlanId::of("orders", &format!("plan-{}", number % SUBSCRIPTIONS_EACH)),
        entry: Some(SubscriptionEntry {
            status,
            from: None,
            until: number.is_multiple_of(2).then_some(last_day),
        }),
    }
}

fn everything(count: usize) -> impl Iterator<Item = Change> {
    let applications = (0..count / SUBSCRIPTIONS_EACH).map(application);
    applications.chain((0..count).map(|number| subscription(number, Status::Accepted)))
}

fn measure(count: usize) {
    let empty = resident_bytes();
    let index = Index::default();
    let begun = Instant::now();
    everything(count).for_each(|change| index.change(change));
    let load = begun.elapsed();
    let each = resident_bytes().saturating_sub(empty) / count;
    let begun = Instant::now();
    index.resync(everything(count));
    let resync = begun.elapsed();

    let applications = count / SUBSCRIPTIONS_EACH;
    let clients: Vec<String> = (0..applications)
        .map(|number| format!("client-{}", number * STRIDE % applications))
        .collect();
    let plan = PlanId::of("orders", "plan-3");
    let by_client = average(clients.iter().cycle().take(LOOKUPS), |client| {
        let application = index.application("https://login.example.com/", client)?;
        index.subscription(&application.id, &plan)?.in_force(NOW).ok()
    });

    let secret = ApiKeySecret::new(&[7; 32]);
    let keys: Vec<String> = (0..applications)
        .map(|number| format!("key-number-{number}"))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        index.change(Change::ApiKey {
            id: format!("key-{number}").into(),
            entry: Some(ApiKeyEntry {
                hash: secret.hash(key),
                application: ApplicationId::new(format!("application-{number}")),
                plan: plan.clone(),
                expires_at: None,
                revoked: false,
            }),
        });
    }
    index.set_key_secret(secret);
    let by_key = average(keys.iter().cycle().take(LOOKUPS), |key| {
        let (key, application) = index.api_key(key, NOW).ok()?;
        index.subscription(&application.id, &key.plan)?.in_force(NOW).ok()
    });

    // A change is seen by the look-up that follows it: the time is that of both.
    let own = ApplicationId::new("application-0");
    let statuses = [Status::Paused, Status::Accepted];
    let change = average(statuses.iter().cycle().take(10_000), |status| {
        index.change(subscription(3, *status));
        let seen = index.subscription(&own, &plan)?.in_force(NOW).is_ok();
        (seen == (*status == Status::Accepted)).then_some(())
    });
    println!(
        "{count:<13}  {each:<18}  {load:<10.1?}  {resync:<10.1?}  {by_client:<10.1?}  {by_key:<10.1?}  {change:.1?}"
    );
}

/// The time of one, over all of them; each must succeed.
fn average<T>(over: impl Iterator<Item = T>, mut each: impl FnMut(T) -> Option<()>) -> Duration {
    let begun = Instant::now();
    let mut count = 0;
    for item in over {
        assert!(black_box(each(item)).is_some(), "a look-up finds what is there");
        count += 1;
    }
    begun.elapsed() / count
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
