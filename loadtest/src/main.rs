//! The load test: puts the same load on the gateway and on other proxies, in turns, and tells what differs.
//! README.md of this package says how, and how to read what comes out.

mod chart;
mod failure;
mod flood;
mod gateway;
mod http;
mod instructions;
mod load;
mod machine;
mod oha;
mod options;
mod paced;
mod peers;
mod places;
mod process;
mod programs;
mod report;
mod round;
mod runner;
mod scenario;
mod sides;
mod statistics;
mod store;
mod summary;
mod table;
mod terminal;
mod tokens;
mod wrk;

use std::process::ExitCode;

use clap::Parser as _;

use options::{Cli, Command};

fn main() -> ExitCode {
    let Cli { command, options } = Cli::parse();
    let done = match command {
        None => runner::run(&options),
        Some(Command::Instructions(instructions)) => instructions::run(&instructions),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::note(&format!("loadtest: {failure}"));
            ExitCode::FAILURE
        }
    }
}
