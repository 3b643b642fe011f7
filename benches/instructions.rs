//! How many instructions a decision takes, held against the counts that are committed (`instructions.toml`).
//!
//! Times of a shared machine say nothing within a tenth; instructions under callgrind are the same to a part in a hundred,
//! whatever else runs and whatever the processor: valgrind shows programs a processor of its own. So this can be a check
//! and not only a picture. What it does not see is memory: a table that no longer fits the caches costs time, and no
//! instructions.
//!
//! The program runs itself under callgrind, once for each scenario, so that none leaves its memory behind to another;
//! inside of [`measured`] only is it counted. Every scenario decides many times, and one that depends on the seed of a hash
//! asks many different things.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what it is for"
)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up says so and ends"
)]

mod compiled;
mod scene;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;

use scene::{ALGORITHMS, CASES, Case, RawSignature, World};
use serde::{Deserialize, Serialize};
use tollgate::id::PlanId;
use tollgate::token::Algorithm;

/// As in the gateway itself: its instructions are among those that count.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the counts are held against, written by `make instructions UPDATE=1`.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.toml");
/// A count that is further off is a change. What chance there is (seeds of hashes) stays well below one in a hundred.
const TOLERANCE: f64 = 0.03;
/// What may cost this much more among many than among few, and no more.
const BARS: [(&str, &str, f64); 2] = [
    ("among_10000_routes", "among_10_routes", 1.10),
    ("among_100000_subscriptions", "among_1000_subscriptions", 1.10),
];
/// Decisions of a scenario, at the least.
const TURNS: usize = 200;
/// Where callgrind counts: [`measured`], however the compiler spells it.
const MEASURED: &str = "*instructions::measured*";
/// What was counted, and where.
#[derive(Serialize, Deserialize)]
struct Counts {
    environment: Environment,
    /// Instructions of one turn, by scenario.
    instructions: BTreeMap<String, u64>,
}

/// What is done in turn.
enum Scenario {
    Case(Case),
    RawSignature(Algorithm),
    Routes(usize),
    RouteFind(usize),
    Subscriptions(usize),
    SubscriptionFind(usize),
}

/// Where other counts may come from than from the code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Environment {
    rustc: String,
    valgrind: String,
    processor: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if let [task, name] = arguments.as_slice()
        && task == "count"
    {
        let mut all = scenarios().into_iter();
        let (_, scenario) = all.find(|(own, _)| own == name).unwrap();
        count(scenario);
        return ExitCode::SUCCESS;
    }
    // Anywhere else other instructions are counted, or none can be.
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        println!("NOT CHECKED: the recorded counts are those of Linux on x86-64, and hold for nothing else");
        return ExitCode::SUCCESS;
    }
    let done = counted().and_then(|now| match has("--update") {
        true => record(&now),
        false => compare(&now),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

// === under callgrind ===

/// Everything that is counted, by name.
fn scenarios() -> Vec<(String, Scenario)> {
    let mut all = Vec::new();
    for case in CASES {
        all.push((case.name.to_owned(), Scenario::Case(case)));
    }
    for algorithm in ALGORITHMS {
        let name = algorithm.name().to_lowercase();
        all.push((format!("raw_{name}"), Scenario::RawSignature(algorithm)));
    }
    for routes in [10, 10_000] {
        all.push((format!("among_{routes}_routes"), Scenario::Routes(routes)));
        all.push((format!("route_find_{routes}"), Scenario::RouteFind(routes)));
    }
    for count in [1_000, 100_000] {
        all.push((
            format!("among_{count}_subscriptions"),
            Scenario::Subscriptions(count),
        ));
        all.push((
            format!("subscription_find_{count}"),
            Scenario::SubscriptionFind(count),
        ));
    }
    all
}

/// Goes through one scenario.
fn count(scenario: Scenario) {
    println!("processor {}", features().join(" "));
    match scenario {
        Scenario::Case(case) => {
            let world = World::of(case);
            turns(TURNS, |turn| world.decide(turn));
        }
        Scenario::RawSignature(algorithm) => {
            let signature = RawSignature::of(algorithm);
            turns(TURNS, |_| signature.check());
        }
        Scenario::Routes(count) => {
            let world = World::with_routes(count);
            turns(10 * TURNS, |turn| world.decide(turn));
        }
        Scenario::RouteFind(count) => {
            let world = World::with_routes(count);
            turns(10 * TURNS, |turn| world.find_route(turn));
        }
        Scenario::Subscriptions(count) => {
            let world = World::with_subscriptions(count);
            turns(TURNS, |turn| world.decide(turn));
        }
        Scenario::SubscriptionFind(count) => {
            let world = World::with_subscriptions(count);
            let (clients, plan) = (scene::clients(count), PlanId::of("orders", "gold"));
            turns(10 * TURNS, |turn| {
                world.find_subscription(&clients[turn % clients.len()], &plan)
            });
        }
    }
}

/// What changes the way that aws-lc and memchr take.
#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let features = [
        ("adx", has!("adx")),
        ("aes", has!("aes")),
        ("avx", has!("avx")),
        ("avx2", has!("avx2")),
        ("avx512f", has!("avx512f")),
        ("bmi2", has!("bmi2")),
        ("rdrand", has!("rdrand")),
        ("sha", has!("sha")),
    ];
    let present = features.into_iter().filter(|(_, has)| *has);
    present.map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

/// Some turns before it counts: what is set up at first use is set up then.
fn turns(count: usize, decide: impl Fn(usize) -> bool) {
    for turn in 0..3 {
        black_box(decide(turn));
    }
    println!("turns {count}");
    measured(count, &decide);
}

#[inline(never)]
fn measured(turns: usize, decide: &impl Fn(usize) -> bool) {
    for turn in 0..turns {
        black_box(decide(black_box(turn)));
    }
}

// === around it ===

/// Runs this program under callgrind for every scenario, as many at once as there are processors.
fn counted() -> Result<Counts, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let left = Mutex::new(scenarios());
    let counted = Mutex::new(Ok(BTreeMap::new()));
    let processor = Mutex::new(String::new());
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some((name, _)) = left.lock().unwrap().pop() else {
                        return;
                    };
                    let one = counted_one(&name, &directory.path().join(&name));
                    let mut counted = counted.lock().unwrap();
                    match (one, &mut *counted) {
                        (Ok((own, count)), Ok(counts)) => {
                            counts.insert(name, count);
                            *processor.lock().unwrap() = own;
                        }
                        (Err(error), Ok(_)) => *counted = Err(format!("{name}: {error}")),
                        (_, Err(_)) => return,
                    }
                }
            });
        }
    });
    Ok(Counts {
        environment: Environment {
            rustc: version("rustc")?,
            valgrind: version("valgrind")?,
            processor: processor.into_inner().unwrap(),
        },
        instructions: counted.into_inner().unwrap()?,
    })
}

/// What the processor can that valgrind shows, and the instructions of one turn.
fn counted_one(name: &str, out: &Path) -> Result<(String, u64), String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(own)
        .args(["count", name])
        // The length of the environment moves the stack, and with it what is aligned how.
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}): make setup installs it on Debian"))?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let line = |key: &str| said.lines().find_map(|line| line.strip_prefix(key));
    let turns: Option<u64> = line("turns ").and_then(|turns| turns.parse().ok());
    match (ran.status.success(), line("processor "), turns) {
        (true, Some(processor), Some(turns)) => Ok((processor.to_owned(), total(out)? / turns)),
        _ => Err(format!(
            "callgrind failed ({}):\n{}",
            ran.status,
            String::from_utf8_lossy(&ran.stderr)
        )),
    }
}

/// The sum of all that a file of callgrind has.
fn total(path: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut lines = text.lines();
    let total = lines.find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    match total {
        Some(total) if total > 0 => Ok(total),
        _ => Err(format!(
            "callgrind has counted nothing: is there a function {MEASURED} in this program?"
        )),
    }
}

fn version(program: &str) -> Result<String, String> {
    let said = Command::new(program).arg("--version").output();
    let said = said.map_err(|error| format!("{program} cannot be run: {error}"))?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

fn record(now: &Counts) -> Result<(), String> {
    let text = toml::to_string(now).map_err(|error| error.to_string())?;
    let head = "# Instructions of one turn, by scenario (benches/scene.rs). Written by `make instructions UPDATE=1`.\n\n";
    fs::write(RECORDED, format!("{head}{text}")).map_err(|error| error.to_string())?;
    for (name, count) in &now.instructions {
        println!("{name:<28}  {count:>9}");
    }
    bars(now)
}

/// Holds the counts against those recorded; an error names all that are too far off.
fn compare(now: &Counts) -> Result<(), String> {
    let text = fs::read_to_string(RECORDED).map_err(|error| format!("{RECORDED}: {error}"))?;
    let recorded: Counts = toml::from_str(&text).map_err(|error| format!("{RECORDED}: {error}"))?;
    let mut wrong = Vec::new();
    println!("{:<28}  {:>9}  {:>9}", "scenario", "recorded", "now");
    for (name, count) in &now.instructions {
        let Some(before) = recorded.instructions.get(name) else {
            wrong.push(format!("{name}: not recorded"));
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        println!("{name:<28}  {before:>9}  {count:>9}  {:>+6.1} %", change * 100.0);
        if change > TOLERANCE {
            wrong.push(format!(
                "{name}: {count} instructions instead of {before}, {:.1} % more",
                change * 100.0
            ));
        } else if change < -TOLERANCE {
            wrong.push(format!(
                "{name}: {count} instructions instead of {before}, {:.1} % less: record it, so that it stays",
                -change * 100.0
            ));
        }
    }
    let gone = recorded.instructions.keys();
    let gone = gone.filter(|name| !now.instructions.contains_key(*name));
    wrong.extend(gone.map(|name| format!("{name}: recorded, but no longer a scenario")));
    if wrong.is_empty() {
        return bars(now);
    }
    let mut report = format!("{}\n", wrong.join("\n"));
    if now.environment != recorded.environment {
        report.push_str(&format!(
            "These counts and the recorded ones come from different surroundings, which alone may explain it:\n\
             recorded: {}\n     now: {}\n\
             Whether it does, the commit before tells: if its counts are off as well, record there first.\n",
            recorded.environment.line(),
            now.environment.line()
        ));
    }
    report.push_str(
        "If the change is meant: make instructions UPDATE=1, and commit benches/instructions.toml.",
    );
    Err(report)
}

/// What must not cost more among many.
fn bars(now: &Counts) -> Result<(), String> {
    for (many, few, bar) in BARS {
        let count = |name: &str| now.instructions.get(name).copied().unwrap_or_default() as f64;
        let ratio = count(many) / count(few);
        println!("{many} / {few} = {ratio:.3} (at most {bar:.2})");
        // What was not counted has no ratio, and none that is at most the bar.
        if ratio > bar || ratio.is_nan() {
            return Err(format!(
                "{many} costs {ratio:.3} of {few}: at most {bar:.2} is allowed"
            ));
        }
    }
    Ok(())
}

// === impl Environment ===

impl Environment {
    fn line(&self) -> String {
        format!("{}; {}; {}", self.rustc, self.valgrind, self.processor)
    }
}
