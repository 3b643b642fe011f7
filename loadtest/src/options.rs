//! The command line.
//! What it asks for is checked before anything is built: a run takes minutes, and should not end for want of a program.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::failure::{Failure, Result};
use crate::machine::cores_allowed;
use crate::places;
use crate::scenario::Scenario;
use crate::sides::Side;

/// Measures what a request costs in the gateway, beside a bare Pingora hop and beside other proxies, in turns.
///
/// README.md of this package explains the method, and how to read what comes out.
#[derive(Debug, Parser)]
#[command(name = "loadtest", args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Counts the instructions that a request takes in user space, under valgrind.
    Instructions(Instructions),
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// One or more: plain, keyless, jwt-{rs256,es256,eddsa}-{warm,pool,cold,forged,forged-budget}, api-key, subscriptions-1m,
    /// reload-under-load, flood; or all.
    #[arg(long, num_args = 1.., value_name = "NAME", default_value = "jwt-rs256-warm", value_parser = scenarios)]
    pub(crate) scenario: Vec<Chosen>,
    /// The first is compared with each of the others: gateway, gateway-again, gateway-one-worker, gateway-limited, gateway-other,
    /// baseline, baseline-again, baseline-no-steal, haproxy, nginx, envoy, envoy-cache.
    #[arg(long, num_args = 1.., value_name = "SIDE", value_parser = side)]
    pub(crate) sides: Vec<Side>,
    /// Rounds of each side; below 6 there is no range.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Length of a round.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Seconds before the first round.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) warmup: u64,
    /// Kept alive by the sender.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// Requests per second, sent on time whatever becomes of earlier ones; without it, as many as can be answered.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Workers of the gateway and the bare proxy.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: u16,
    /// Where proxies run; several as 0,1.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    pub(crate) proxy_cores: Vec<usize>,
    /// Where the sender and the upstream run.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(crate) client_cores: Vec<usize>,
    /// How cargo builds what is measured.
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
    /// The gateway of the side gateway-other.
    #[arg(long, value_name = "FILE")]
    pub(crate) other: Option<PathBuf>,
    /// Takes the programs from there and builds nothing.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) binaries: Option<PathBuf>,
    /// Starts the sides and checks what they answer, and measures nothing.
    #[arg(long)]
    pub(crate) check: bool,
    /// Name of the directory below loadtest/results; default: the time.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Also writes the document and the picture of each scenario to docs/performance.
    #[arg(long)]
    pub(crate) publish: bool,
}

/// What one word names: a scenario, or all of them.
#[derive(Debug, Clone)]
pub(crate) struct Chosen(Vec<Scenario>);

#[derive(Debug, Args)]
pub(crate) struct Instructions {
    /// A scenario without a store.
    #[arg(long, default_value = "jwt-rs256-warm", value_parser = scenario)]
    pub(crate) scenario: Scenario,
    /// How many are counted.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests: u32,
    /// How cargo builds what is counted.
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
    /// Takes the programs from there and builds nothing.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) binaries: Option<PathBuf>,
    /// Another gateway than the one of this tree.
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// One side alone: gateway or baseline.
    #[arg(long, value_parser = side)]
    pub(crate) only: Option<Side>,
    /// Prints where the instructions of this side are.
    #[arg(long, value_parser = side)]
    pub(crate) profile_of: Option<Side>,
    /// Where to put callgrind's file of it.
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: Option<PathBuf>,
}

// === impl Options ===

impl Options {
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        self.scenario.iter().flat_map(|chosen| chosen.0.clone()).collect()
    }

    /// The sides, with those of the scenario if none are named.
    pub(crate) fn sides_of(&self, scenario: Scenario) -> Vec<Side> {
        let default: &[Side] = match scenario {
            Scenario::Reload => &[Side::Gateway, Side::GatewayAgain],
            Scenario::Limited => &[Side::GatewayLimited, Side::Gateway],
            Scenario::Flood => &[Side::Gateway],
            _ => &[Side::Gateway, Side::Baseline],
        };
        if self.sides.is_empty() {
            default.to_vec()
        } else {
            self.sides.clone()
        }
    }

    /// Says before anything is built what this machine or this command line lacks.
    pub(crate) fn check(&self) -> Result<()> {
        let mut seen = Vec::new();
        for side in &self.sides {
            if seen.contains(side) {
                return Err(Failure::new(format!("--sides names {} twice", side.name())));
            }
            seen.push(*side);
        }
        if seen.contains(&Side::GatewayOther) && self.other.is_none() {
            return Err(Failure::new("gateway-other needs --other FILE"));
        }
        for program in ["taskset", "setpriv"] {
            present(program, "util-linux")?;
        }
        if self.check {
            return Ok(());
        }
        let available = cores_allowed()?;
        if available.len() < 2 {
            return Err(Failure::new(
                "fewer than 2 cores: the load would run on the core that it measures",
            ));
        }
        if let Some(missing) = self
            .proxy_cores
            .iter()
            .chain(&self.client_cores)
            .find(|core| !available.contains(core))
        {
            return Err(Failure::new(format!(
                "core {missing} is not there; there are {available:?}"
            )));
        }
        // A flood, and many tokens at a fixed rate, are sent by ourselves.
        let scenarios = self.scenarios();
        let by_others = |scenario: &Scenario| {
            *scenario != Scenario::Flood && (self.rate.is_none() || scenario.tokens() == 1)
        };
        if !scenarios.iter().any(by_others) {
            return Ok(());
        }
        match self.rate {
            None => present("wrk", "wrk"),
            Some(_) if places::oha().is_some() => Ok(()),
            Some(_) => Err(Failure::new("oha is not installed: make load-tools")),
        }
    }
}

fn present(program: &str, package: &str) -> Result<()> {
    let found = places::program(program);
    found
        .map(drop)
        .ok_or_else(|| Failure::new(format!("{program} is not installed: apt-get install {package}")))
}

fn scenario(name: &str) -> std::result::Result<Scenario, String> {
    Scenario::parse(name).ok_or_else(|| "no such scenario".to_owned())
}

fn scenarios(name: &str) -> std::result::Result<Chosen, String> {
    if name == "all" {
        return Ok(Chosen(Scenario::all()));
    }
    scenario(name).map(|scenario| Chosen(vec![scenario]))
}

fn side(name: &str) -> std::result::Result<Side, String> {
    let known: Vec<&str> = Side::names().collect();
    Side::parse(name).ok_or_else(|| format!("there are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
