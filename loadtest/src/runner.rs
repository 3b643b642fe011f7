//! The course of a run: prepare, start, check, warm up, and rounds in turns.
//! Sides take turns because a shared machine changes its speed within minutes; neighbouring rounds see about the same one.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result, While as _};
use crate::flood;
use crate::load::Load;
use crate::machine::{Machine, cores_allowed, stay_on};
use crate::options::Options;
use crate::peers;
use crate::places;
use crate::process::Process;
use crate::programs::programs;
use crate::report::{Document, Setting};
use crate::round::{self, Row};
use crate::scenario::Scenario;
use crate::sides::{self, Binaries, Credentials, Running, Side, Stage};
use crate::summary::Summary;
use crate::table;
use crate::terminal::{note, progress, say};
use crate::tokens::{BareCheck, Keys, Kind};

/// A fixed rate may be too low to show a whole pool before the first round.
const WARM_UP_PER_SECOND_MIN: u32 = 5_000;
/// How often a configuration changes under load.
const RELOAD_EVERY: Duration = Duration::from_millis(200);
/// A pool is warm when all of it has been seen; a slow machine is given so many times the warm-up.
const WARM_UPS_MAX: usize = 20;

/// What one scenario gave.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// Which sides are divided by which.
    pub(crate) compared: Vec<(String, String)>,
}

/// All that takes part in a scenario, running.
#[derive(Debug)]
pub(crate) struct Ground<'g> {
    pub(crate) scenario: Scenario,
    pub(crate) options: &'g Options,
    pub(crate) credentials: &'g Credentials,
    pub(crate) directory: &'g Path,
    pub(crate) origin: Process,
    pub(crate) sides: Vec<Running>,
}

/// A directory of this run alone.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

pub(crate) fn run(options: &Options) -> Result<()> {
    options.check()?;
    let binaries = programs(
        &options.profile,
        options.binaries.as_deref(),
        options.other.as_deref(),
    )?;
    let command: Vec<String> = std::env::args().skip(1).collect();
    let machine = Machine::here(&options.profile, format!("loadtest {}", command.join(" ")));
    let name = options.name.clone().unwrap_or_else(|| {
        let digits = |c: &char| c.is_ascii_digit() || *c == 'T';
        machine.time.chars().filter(digits).collect()
    });
    let results = places::repository().join("loadtest/results").join(name);
    let Machine {
        cpu,
        cores,
        kernel,
        rustc,
        profile,
        commit,
        load_average,
        ..
    } = &machine;
    say(&format!(
        "{cpu}, {cores} cores, Linux {kernel}, {rustc}, profile {profile}, {commit}, load average {load_average}"
    ));
    let cores = cores_allowed()?;
    let mut faults = Vec::new();
    for scenario in options.scenarios() {
        let found = one(scenario, options, &binaries, &machine, &results);
        // Tokens of the next scenario are signed on all cores.
        stay_on(&cores)?;
        faults.extend(found?.into_iter().map(|fault| format!("{scenario}: {fault}")));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "some figures above do not count:\n{}",
        faults.join("\n")
    )))
}

/// One scenario, from its tokens to its document. What speaks against its figures.
fn one(
    scenario: Scenario,
    options: &Options,
    binaries: &Binaries,
    machine: &Machine,
    results: &Path,
) -> Result<Vec<String>> {
    let (sides, left_out) = taking_part(scenario, options)?;
    let (credentials, good) = credentials(scenario)?;
    let scratch = Scratch::new(scenario)?;
    if !options.check {
        stay_on(&options.client_cores)?;
    }
    let mut ground = start(scenario, options, binaries, &sides, &credentials, &scratch.0)?;
    sides::check(&ground.sides, scenario, &credentials, &good)?;
    let names: Vec<&str> = sides.iter().map(|side| side.name()).collect();
    say(&format!("\n{scenario}: {}", names.join(", ")));
    left_out.iter().for_each(|line| say(&format!("  without {line}")));
    if options.check {
        say("  each answers as it should");
        return Ok(Vec::new());
    }
    let measured = match scenario {
        Scenario::Flood => flood::measure(&mut ground),
        _ => in_turns(&mut ground),
    };
    drop(ground);
    scratch.keep(&results.join(format!("{scenario}-raw")))?;
    let Measured { rows, compared } = measured?;

    let saturated = options.rate.is_none() && scenario != Scenario::Flood;
    let summary = Summary::of(&rows, &compared, saturated);
    table::summary(&summary);
    let faults: Vec<String> = rows.iter().flat_map(|row| row.faults(scenario)).collect();
    let versions = sides.iter().filter(|side| side.is_peer());
    let document = Document {
        scenario: scenario.to_string(),
        machine,
        versions: versions
            .map(|side| (side.name(), peers::version(*side)))
            .collect::<BTreeMap<_, _>>(),
        setting: Setting::of(options, scenario),
        summary: &summary,
        faults: &faults,
        left_out: &left_out,
        rounds: &rows,
    };
    document.write(options, results)?;
    Ok(faults)
}

/// The sides of a scenario, and why others that were named are not among them.
fn taking_part(scenario: Scenario, options: &Options) -> Result<(Vec<Side>, Vec<String>)> {
    let (mut sides, mut left_out) = (Vec::new(), Vec::new());
    for side in options.sides_of(scenario) {
        let missing = || {
            let found = side.is_peer().then(|| peers::executable(side));
            found.and_then(Result::err).map(|failure| failure.to_string())
        };
        match scenario.excludes(side).map(str::to_owned).or_else(missing) {
            Some(reason) => left_out.push(format!("{}: {reason}", side.name())),
            None => sides.push(side),
        }
    }
    if sides.is_empty() {
        return Err(Failure::new(format!(
            "{scenario} has no side: {}",
            left_out.join("; ")
        )));
    }
    Ok((sides, left_out))
}

/// What is sent, and the header lines of a request that all sides accept.
pub(crate) fn credentials(scenario: Scenario) -> Result<(Credentials, String)> {
    let Some(algorithm) = scenario.algorithm() else {
        return Ok(match scenario {
            Scenario::ApiKey => {
                let key = tollgate::control::private_file::random_text().during("an API key")?;
                let credentials = Credentials::ApiKey(key.expose().clone());
                let good = credentials.fields(0);
                (credentials, good)
            }
            _ => (Credentials::None, String::new()),
        });
    };
    let kind = match scenario {
        Scenario::Subscriptions => Kind::Callers,
        _ if scenario.is_forged() => Kind::Forged,
        _ => Kind::Subjects,
    };
    let keys = Keys::of(algorithm)?;
    let tokens = keys.tokens(kind, scenario.tokens())?;
    let good = match kind {
        Kind::Forged => keys.tokens(Kind::Subjects, 1)?,
        Kind::Subjects | Kind::Callers => tokens.clone(),
    };
    let good = sides::bearer(good.first().map_or("", String::as_str));
    Ok((Credentials::Tokens { keys, tokens }, good))
}

fn start<'g>(
    scenario: Scenario,
    options: &'g Options,
    binaries: &Binaries,
    sides: &[Side],
    credentials: &'g Credentials,
    directory: &'g Path,
) -> Result<Ground<'g>> {
    let (origin, upstream) = origin(binaries, &options.client_cores, directory)?;
    let stage = Stage {
        scenario,
        binaries,
        credentials,
        upstream,
        threads: options.threads.into(),
        proxy_cores: &options.proxy_cores,
        directory,
    };
    let started = sides.iter().map(|side| {
        progress(&format!("starting {}", side.name()));
        Running::start(*side, &stage)
    });
    Ok(Ground {
        scenario,
        options,
        credentials,
        directory,
        sides: started.collect::<Result<_>>()?,
        origin,
    })
}

/// The upstream, and where it is.
pub(crate) fn origin(
    binaries: &Binaries,
    cores: &[usize],
    directory: &Path,
) -> Result<(Process, SocketAddr)> {
    let words = [
        binaries.origin.display().to_string(),
        "--listen=127.0.0.1:0".to_owned(),
    ];
    let mut origin = Process::start("origin", &words, cores, &directory.join("origin.log"))?;
    let upstream = origin.wait_until(|log| log.strip_suffix('\n')?.parse().ok())?;
    Ok((origin, upstream))
}

/// A B C, A B C, and what each said.
fn in_turns(ground: &mut Ground<'_>) -> Result<Measured> {
    let Ground {
        scenario,
        options,
        credentials,
        directory,
        origin,
        sides,
    } = ground;
    let (scenario, options) = (*scenario, *options);
    let count = credentials.count();
    let bare_check = bare_check(scenario, credentials)?;
    let mut starts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for round in 0..=options.rounds {
        if round == 1 {
            table::header();
        }
        for running in sides.iter_mut() {
            let side = running.side.name();
            let start = starts.entry(side).or_default();
            let name = format!("{side}-{round}");
            let (seconds, rate) = if round == 0 {
                let rate = options.rate.map(|rate| rate.max(WARM_UP_PER_SECOND_MIN));
                let rate = rate.filter(|_| scenario.remembers_all()).or(options.rate);
                (options.warmup, rate)
            } else {
                (options.seconds, options.rate)
            };
            for _ in 0..WARM_UPS_MAX {
                progress(&format!(
                    "{scenario}, round {round} of {}: {side}",
                    options.rounds
                ));
                let load = Load {
                    address: running.address,
                    credentials,
                    start: *start,
                    connections: options.connections.into(),
                    seconds,
                    rate,
                    cores: &options.client_cores,
                    directory,
                    name: &name,
                };
                let mut row = one_round(running, origin, scenario, &load, options)?;
                // Those that were under way at the end, and those that were prepared, are not counted.
                let unfinished = 2 * usize::from(options.connections);
                *start += usize::try_from(row.requests).during("requests")? + unfinished;
                if round > 0 {
                    row.round = round;
                    row.bare_check_us = bare_check_on(bare_check.as_ref(), options)?;
                    table::row(&row);
                    rows.push(row);
                    break;
                }
                // What is to be remembered has been seen.
                if scenario.is_cold() || scenario.is_forged() || *start > count + 2 * unfinished {
                    break;
                }
            }
        }
    }
    let mut names = sides.iter().map(|running| running.side.name().to_owned());
    let first = names.next().unwrap_or_default();
    Ok(Measured {
        rows,
        compared: names.map(|other| (first.clone(), other)).collect(),
    })
}

/// One load; where it belongs to the scenario, the first side's configuration changes meanwhile.
fn one_round(
    running: &mut Running,
    origin: &mut Process,
    scenario: Scenario,
    load: &Load<'_>,
    options: &Options,
) -> Result<Row> {
    let configuration = running.configuration.clone();
    let changes = scenario == Scenario::Reload && running.side == Side::Gateway;
    let Some(configuration) = configuration.filter(|_| changes) else {
        return round::measure(running, origin, scenario, load, options);
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let changing = scope.spawn(|| change(&configuration, &done));
        let row = round::measure(running, origin, scenario, load, options);
        done.store(true, Ordering::Relaxed);
        changing
            .join()
            .unwrap_or_else(|_| Err(Failure::new("the thread that changes the configuration has died")))?;
        row
    })
}

fn change(configuration: &Path, done: &AtomicBool) -> Result<()> {
    let mut next = Instant::now();
    for number in 0.. {
        sides::reconfigure(configuration, number)?;
        next += RELOAD_EVERY;
        while Instant::now() < next {
            if done.load(Ordering::Relaxed) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// For scenarios in which tokens are new: what the least would be.
fn bare_check(scenario: Scenario, credentials: &Credentials) -> Result<Option<BareCheck>> {
    match credentials {
        Credentials::Tokens { keys, tokens } if scenario.is_cold() => keys.bare_check(tokens).map(Some),
        _ => Ok(None),
    }
}

/// Measured on the proxy's core, whose proxies are idle now.
pub(crate) fn bare_check_on(bare_check: Option<&BareCheck>, options: &Options) -> Result<Option<f64>> {
    let Some(bare_check) = bare_check else {
        return Ok(None);
    };
    stay_on(&options.proxy_cores)?;
    let measured = bare_check.cpu_us();
    stay_on(&options.client_cores)?;
    measured.map(Some)
}

// === impl Scratch ===

impl Scratch {
    pub(crate) fn new(scenario: Scenario) -> Result<Self> {
        let runs = places::kept("runs")?;
        remove_left_over(&runs);
        let path = runs.join(format!("{}-{scenario}", std::process::id()));
        places::private_directory(&path).map(Self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Copies logs and what senders printed.
    fn keep(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory).during(directory.display())?;
        for entry in fs::read_dir(&self.0).during(self.0.display())? {
            let path = entry.during(self.0.display())?.path();
            let kept = path
                .extension()
                .is_some_and(|kind| kind == "log" || kind == "txt" || kind == "json");
            if let Some(name) = path.file_name().filter(|_| kept) {
                fs::copy(&path, directory.join(name)).during(path.display())?;
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            note(&format!("{}: {error}", self.0.display()));
        }
    }
}

/// A run that was interrupted leaves its directory behind.
fn remove_left_over(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let process = name.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
