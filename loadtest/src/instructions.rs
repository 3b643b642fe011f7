//! Counts the instructions that one request takes in user space: of the gateway, and of a bare Pingora hop.
//!
//! On a machine that is shared, times move by tens of per cent from minute to minute; the number of instructions does not.
//! So this answers what a change has saved, and the load test what that is worth. Both proxies run under callgrind
//! (valgrind), one after the other, and get the same requests one at a time over one connection. What the kernel does is not
//! counted.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result, While as _};
use crate::gateway::{self, PATH};
use crate::http::{self, Connection};
use crate::machine::cores_allowed;
use crate::options::Instructions;
use crate::places;
use crate::process::{Process, Words};
use crate::programs::programs;
use crate::runner::{Scratch, credentials, origin};
use crate::scenario::Scenario;
use crate::sides::{Credentials, Side, Stage, bare_proxy, free_address, setting};
use crate::terminal::{note, say};

/// Sent before the counting begins: connections are there, and what is remembered is remembered.
const WARM: u32 = 300;
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(options: &Instructions) -> Result<()> {
    if places::program("valgrind").is_none() {
        return Err(Failure::new(
            "valgrind is not installed: apt-get install valgrind",
        ));
    }
    let mut binaries = programs(&options.profile, options.binaries.as_deref(), None)?;
    if let Some(binary) = &options.binary {
        binaries.tollgate = binary.canonicalize().during(binary.display())?;
    }
    let scenario = options.scenario;
    let (credentials, good) = credentials(scenario)?;
    if matches!(credentials, Credentials::ApiKey(_)) {
        return Err(Failure::new("this scenario needs a store, and is not counted"));
    }
    let scratch = Scratch::new(scenario)?;
    let cores = cores_allowed()?;
    let (_origin, upstream) = origin(&binaries, &cores, scratch.path())?;
    let stage = Stage {
        scenario,
        binaries: &binaries,
        credentials: &credentials,
        upstream,
        threads: 1,
        proxy_cores: &cores,
        directory: scratch.path(),
    };
    let request = http::request(PATH, &good);
    let mut counts = Vec::new();
    for side in [Side::Gateway, Side::Baseline] {
        if options.only.is_none_or(|only| only == side) {
            note(&format!("counting {}", side.name()));
            counts.push((side, counted(side, &stage, &request, options)?));
        }
    }
    say(&format!(
        "{scenario}, instructions in user space of each request ({} over one connection):",
        options.requests
    ));
    for (side, count) in &counts {
        say(&format!("  {:9} {count:10.0}", side.name()));
    }
    if let [(_, gateway), (_, baseline)] = counts.as_slice() {
        say(&format!("  gateway / baseline {:.3}", gateway / baseline));
    }
    Ok(())
}

/// Instructions of each request.
fn counted(side: Side, stage: &Stage<'_>, request: &[u8], options: &Instructions) -> Result<f64> {
    let directory = places::private_directory(&stage.directory.join(side.name()))?;
    let (own, address) = command(side, stage, &directory)?;
    let out = directory.join("callgrind");
    let mut words: Words = [
        "valgrind",
        "--tool=callgrind",
        "--compress-strings=no",
        "--compress-pos=no",
    ]
    .map(str::to_owned)
    .into();
    words.push(format!("--callgrind-out-file={}", out.display()));
    words.extend(own);
    let log = directory.join("log");
    let mut process = Process::start(side.name(), &words, stage.proxy_cores, &log)?;
    let address = process.wait_until(|log| {
        let found = address.or_else(|| gateway::addresses(log)?.callers.parse().ok())?;
        Connection::open(&found.to_string()).ok().map(|_| found)
    })?;
    ask(address, request, WARM)?;
    control(&process, "--zero")?;
    ask(address, request, options.requests)?;
    control(&process, "--dump")?;
    let dump = PathBuf::from(format!("{}.1", out.display()));
    let total = total(&dump)?;
    if options.profile_of == Some(side) {
        let mut annotate = Command::new("callgrind_annotate");
        annotate.args(["--auto=no", "--threshold=97"]).arg(&dump);
        annotate.status().during("callgrind_annotate")?;
        if let Some(keep) = &options.keep {
            fs::copy(&dump, keep).during(keep.display())?;
        }
    }
    Ok(total as f64 / f64::from(options.requests))
}

/// What starts a side, and where it will be if that is known before.
fn command(side: Side, stage: &Stage<'_>, directory: &Path) -> Result<(Words, Option<SocketAddr>)> {
    if side == Side::Gateway {
        let path = places::private_directory(&directory.join("etc"))?.join("tollgate.toml");
        let setting = gateway::Setting {
            limited: stage.scenario == Scenario::Limited,
            ..setting(stage, None)
        };
        fs::write(&path, gateway::configuration(&setting)).during(path.display())?;
        return Ok((gateway::command(&stage.binaries.tollgate, &path), None));
    }
    let listen = free_address()?;
    Ok((bare_proxy(side, stage, listen), Some(listen)))
}

/// Sends so many requests, each after the answer to the one before.
fn ask(address: SocketAddr, request: &[u8], count: u32) -> Result<()> {
    let mut connection = Connection::open(&address.to_string()).during(address)?;
    for _ in 0..count {
        let answer = connection.ask(request).during(address)?;
        if answer.status != 200 {
            return Err(Failure::new(format!(
                "a request is answered with {}",
                answer.status
            )));
        }
    }
    Ok(())
}

fn control(process: &Process, what: &str) -> Result<()> {
    let id = process.id().to_string();
    let done = Command::new("callgrind_control").args([&id, what]).output();
    let done = done.during("callgrind_control")?;
    if done.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "callgrind_control {what}: {}",
        String::from_utf8_lossy(&done.stderr)
    )))
}

/// Waits for the file, and for its last line.
fn total(dump: &Path) -> Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let text = fs::read(dump).unwrap_or_default();
        if let Some(total) = total_in(&String::from_utf8_lossy(&text)) {
            return Ok(total);
        }
        thread::sleep(PAUSE);
    }
    Err(Failure::new("callgrind has written nothing"))
}

fn total_in(text: &str) -> Option<u64> {
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "))?;
    totals.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total_in;

    #[test]
    fn the_total_is_there_when_the_file_is_whole() {
        assert_eq!(total_in("fn=main\n1 2\n"), None);
        assert_eq!(
            total_in("summary: 12\nfn=main\n\ntotals: 123456\n"),
            Some(123_456)
        );
    }
}
