//! What the kernel and the tools tell about this machine: CPU time, memory, and what it is.
//!
//! CPU time is read from `/proc`, as text: the kernel keeps the sums exactly and shows them in ticks of 10 ms.

use std::fs;
use std::process::Command;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use crate::failure::{Failure, Result, While as _};
use crate::places;

/// User and system time, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ticks {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

/// Work done on some cores by everybody, and time that the hypervisor gave to another machine, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CoreTicks {
    pub(crate) busy: u64,
    pub(crate) stolen: u64,
}

/// What figures depend on; kept beside them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) time: String,
    pub(crate) command: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    pub(crate) profile: String,
    pub(crate) load_average: String,
    pub(crate) wrk: String,
    pub(crate) oha: String,
}

// === impl Ticks ===

impl Ticks {
    /// Of a process, all its threads together, those that have ended included.
    pub(crate) fn of_process(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).during(&path)?;
        Self::in_stat(&text, 11).ok_or_else(|| Failure::new(format!("{path} cannot be read")))
    }

    /// Of this process, and of those of its children that have ended.
    pub(crate) fn of_us() -> Result<u64> {
        let text = fs::read_to_string("/proc/self/stat").during("/proc/self/stat")?;
        let (own, children) = (Self::in_stat(&text, 11), Self::in_stat(&text, 13));
        let total = own
            .zip(children)
            .map(|(own, children)| own.sum() + children.sum());
        total.ok_or_else(|| Failure::new("/proc/self/stat cannot be read"))
    }

    pub(crate) fn sum(self) -> u64 {
        self.user + self.system
    }

    /// Two fields of `/proc/PID/stat`. The name in parentheses may contain anything, so they are counted from its end
    /// (`proc_pid_stat(5)`).
    fn in_stat(text: &str, place: usize) -> Option<Self> {
        let (_, after) = text.rsplit_once(')')?;
        let mut fields = after.split_ascii_whitespace().skip(place).map(str::parse);
        Some(Self {
            user: fields.next()?.ok()?,
            system: fields.next()?.ok()?,
        })
    }
}

// === impl CoreTicks ===

impl CoreTicks {
    pub(crate) fn of(cores: &[usize]) -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").during("/proc/stat")?;
        Ok(Self::in_stat(&text, cores))
    }

    fn in_stat(text: &str, cores: &[usize]) -> Self {
        let mut sum = Self::default();
        for line in text.lines() {
            let mut fields = line.split_ascii_whitespace();
            let core = fields
                .next()
                .and_then(|name| name.strip_prefix("cpu"))
                .and_then(|number| number.parse().ok());
            if !core.is_some_and(|core: usize| cores.contains(&core)) {
                continue;
            }
            let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
            if let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks.as_slice() {
                sum.busy += user + nice + system + irq + softirq;
                sum.stolen += steal;
            }
        }
        sum
    }
}

// === impl Machine ===

impl Machine {
    pub(crate) fn here(profile: &str, command: String) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model
            .and_then(|line| line.split_once(':'))
            .map(|(_, model)| model.trim());
        let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let oha = places::oha().map(|oha| first_line(&oha.to_string_lossy(), &["--version"]));
        let seconds = jiff::Timestamp::now().as_second();
        Self {
            time: jiff::Timestamp::from_second(seconds)
                .map_or_else(|_| String::new(), |time| time.to_string()),
            command,
            cpu: model.unwrap_or(std::env::consts::ARCH).to_owned(),
            cores: fs::read_to_string("/proc/stat").map_or(0, |text| cores_in(&text)),
            kernel: kernel.trim().to_owned(),
            rustc: first_line("rustc", &["--version"]),
            commit: first_line("git", &["describe", "--always", "--dirty"]),
            profile: profile.to_owned(),
            load_average: averages.split(' ').next().unwrap_or_default().to_owned(),
            wrk: first_line("wrk", &["--version"]),
            oha: oha.unwrap_or_default(),
        }
    }
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

/// The cores that this process may use.
pub(crate) fn cores_allowed() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).during("sched_getaffinity")?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Holds the calling thread, and the threads and processes that it starts from now on, to some cores.
pub(crate) fn stay_on(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).during("sched_setaffinity")
}

/// The first line that a program says; empty if it cannot be run.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program)
        .args(arguments)
        .current_dir(places::repository())
        .output();
    let Ok(done) = done else { return String::new() };
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default().to_owned()
}

fn cores_in(stat: &str) -> usize {
    let numbered = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(numbered).count()
}

#[cfg(test)]
mod tests {
    use super::{CoreTicks, Ticks, cores_in};

    #[test]
    fn cpu_time_is_found_whatever_a_process_is_called() {
        let rest = "S 1 7 7 0 -1 4194304 159 12 0 0 21 34 55 89 20 0 3 0 100 1 2";
        for name in ["tollgate", "a) S 1 (b", "", "x y z"] {
            let text = format!("42 ({name}) {rest}\n");
            let expected = Ticks { user: 21, system: 34 };
            assert_eq!(Ticks::in_stat(&text, 11), Some(expected), "{name}");
            let children = Ticks { user: 55, system: 89 };
            assert_eq!(Ticks::in_stat(&text, 13), Some(children), "{name}");
        }
        assert_eq!(Ticks::in_stat("42 (x) S 1", 11), None);
        assert!(Ticks::of_process(std::process::id()).is_ok());
        assert!(Ticks::of_us().is_ok());
    }

    #[test]
    fn only_the_named_cores_are_counted() {
        let text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 100 50 4 5 6 0 0\ncpu1 10 0 0 0 0 0 0 7 0 0\ncpu10 500 0 0 0 0 0 0 0 0 0\nintr 1\n";
        let ticks = |cores: &[usize]| {
            let CoreTicks { busy, stolen } = CoreTicks::in_stat(text, cores);
            (busy, stolen)
        };
        assert_eq!(ticks(&[0]), (15, 6));
        assert_eq!(ticks(&[1]), (10, 7));
        assert_eq!(ticks(&[0, 1]), (25, 13));
        assert_eq!(ticks(&[]), (0, 0));
        assert_eq!(cores_in(text), 3);
    }
}
