//! Processes of a run: held to their cores, ended with the run, and nothing else is ever stopped.
//!
//! `taskset` and `setpriv` (util-linux) replace themselves by the command, so its process id and CPU time are those of the
//! child that was started; and the kernel ends it should the runner die without cleaning up.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::{Failure, Result, While as _};

/// Until a process takes connections. A store of a million subscriptions is read before that.
const START_MAX: Duration = Duration::from_secs(60);
/// After SIGINT; then it is killed.
const STOP_MAX: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);
/// Of a log, when its process has failed.
const LINES_SHOWN: usize = 20;

/// A process that ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// A command line, in words.
pub(crate) type Words = Vec<String>;

/// What runs a command on some cores, and no longer than its parent lives.
pub(crate) fn held(words: &[String], cores: &[usize]) -> Command {
    let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
    let mut command = Command::new("taskset");
    command.args(["-c", &cores.join(","), "setpriv", "--pdeathsig", "KILL", "--"]);
    command.args(words).stdin(Stdio::null());
    command
}

/// Runs a command to its end, on some cores; it is killed when it takes too long.
pub(crate) fn run(
    words: &[String],
    cores: &[usize],
    time_max: Duration,
    out: &Path,
) -> Result<(ExitStatus, String)> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let sink = File::create(out).during(out.display())?;
    let errors = sink.try_clone().during(out.display())?;
    let mut child = held(words, cores)
        .stdout(sink)
        .stderr(errors)
        .spawn()
        .during(name)?;
    let deadline = Instant::now() + time_max;
    loop {
        if let Some(status) = child.try_wait().during(name)? {
            let text = fs::read(out).during(out.display())?;
            return Ok((status, String::from_utf8_lossy(&text).into_owned()));
        }
        if Instant::now() > deadline {
            child.kill().during(name)?;
            child.wait().during(name)?;
            return Err(Failure::new(format!(
                "{name} did not end within {} s",
                time_max.as_secs()
            )));
        }
        thread::sleep(PAUSE);
    }
}

// === impl Process ===

impl Process {
    /// Starts a command whose output goes to `log`.
    pub(crate) fn start(name: &str, words: &[String], cores: &[usize], log: &Path) -> Result<Self> {
        let sink = File::create(log).during(log.display())?;
        let errors = sink.try_clone().during(log.display())?;
        let mut command = held(words, cores);
        if let Some(directory) = log.parent() {
            command.current_dir(directory);
        }
        let child = command.stdout(sink).stderr(errors).spawn().during(name)?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Polls `found`, which is given the log, until it returns something.
    pub(crate) fn wait_until<T>(&mut self, mut found: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            let log = fs::read(&self.log).during(self.log.display())?;
            if let Some(found) = found(&String::from_utf8_lossy(&log)) {
                return Ok(found);
            }
            self.must_run()?;
            thread::sleep(PAUSE);
        }
        Err(self.failed("is not ready"))
    }

    /// Fails if the process has ended.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait().during(&self.name)? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended ({status})"))),
        }
    }

    fn failed(&self, how: &str) -> Failure {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(LINES_SHOWN)..)
            .unwrap_or_default();
        Failure::new(format!(
            "{} {how}; the end of its log:\n{}",
            self.name,
            last.join("\n")
        ))
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // To Pingora: at once, without a grace period. It may have ended by itself.
        let _ = pid.map(|pid| kill_process(pid, Signal::INT));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        self.interrupt();
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
