//! The command line: flags in, an exit code out. What a command does is done elsewhere; what people read is written
//! here.

mod demo;
mod explain;
mod hash_password;
mod key_sets;
mod keys;
mod operate;
mod reference;
mod run;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use reference::{describe, describe_common};

/// An edge API gateway: verifies tokens, finds the caller's subscription to a plan, proxies.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve.
    Run(ConfigFile),
    /// Validate the configuration, show every error with its place, and serve nothing.
    Check(ConfigFile),
    /// Say what would become of a request, stage by stage, and which lines of the configuration decided it.
    Explain(explain::Explain),
    /// Quick start: a gateway, a sample upstream, a token, and the curl lines to try.
    Demo(demo::Demo),
    /// Make a signing key.
    Keygen(keys::Keygen),
    /// Look at the key sets of issuers; approve one that was put aside.
    Keys(key_sets::Keys),
    /// Mint a test token.
    Token(keys::Token),
    /// Hash a password or a client secret for [[user]] and [[application]]; it is read from standard input.
    #[command(
        after_help = "Example:\n  printf %s \"$SECRET\" | tollgate hash-password\n  tollgate hash-password --generate"
    )]
    HashPassword(hash_password::HashPassword),
    /// Applications at run time: registered callers, known by client ids, claims or API keys.
    #[command(
        after_help = "Example:\n  tollgate app create mobile --client-id mobile-app\n  tollgate app list"
    )]
    App(operate::App),
    /// Subscriptions of applications to plans, at run time. Each is named by application:api:plan.
    #[command(
        after_help = "Example:\n  tollgate sub create --app mobile --api orders --plan gold\n  \
                            tollgate sub pause mobile:orders:gold"
    )]
    Sub(operate::Sub),
    /// API keys of subscriptions (for the key sets of issuers see keys). Each is named by application:api:plan:number.
    #[command(after_help = "Example:\n  tollgate key create mobile:orders:keyed")]
    Key(operate::Key),
    /// Plans of a running gateway, and their stages. Each is named by API/PLAN.
    #[command(after_help = "Example:\n  tollgate plan deprecate orders/gold --yes")]
    Plan(operate::Plan),
    /// Take tokens back before their time: the next request with one of them is refused.
    Revoke(operate::Revoke),
    /// What was taken back, at run time.
    #[command(after_help = "Example:\n  tollgate revocations list")]
    Revocations(operate::Revocations),
    /// APIs of a running gateway, with their plans.
    #[command(after_help = "Example:\n  tollgate api list")]
    Api(operate::Api),
    /// Issuers of a running gateway with their keys, as it holds them now (for those that they show see keys).
    #[command(after_help = "Example:\n  tollgate issuer show https://login.example.com/")]
    Issuer(operate::Issuer),
    /// What was changed at run time, and by whom.
    Audit(operate::Audit),
    /// What a running gateway runs by.
    Status(operate::Status),
    /// Have a running gateway read its configuration anew.
    Reload(operate::Reload),
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The main configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/tollgate/tollgate.toml")]
    config: PathBuf,
}

/// Runs the command that `args` name.
pub fn main(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not failures; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(crate::exit::FAILED));
        }
    };
    match cli.command {
        Command::Run(ConfigFile { config }) => run::run(config),
        Command::Check(ConfigFile { config }) => run::check(&config),
        Command::Explain(explain) => explain.run(),
        Command::Demo(demo) => demo.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Keys(keys) => keys.run(),
        Command::Token(token) => token.run(),
        Command::HashPassword(hash) => hash.run(),
        Command::App(app) => app.run(),
        Command::Sub(sub) => sub.run(),
        Command::Key(key) => key.run(),
        Command::Plan(plan) => plan.run(),
        Command::Revoke(revoke) => revoke.run(),
        Command::Revocations(revocations) => revocations.run(),
        Command::Api(api) => api.run(),
        Command::Issuer(issuer) => issuer.run(),
        Command::Audit(audit) => audit.run(),
        Command::Status(status) => status.run(),
        Command::Reload(reload) => reload.run(),
    }
}

/// Writes to standard output. A reader who has gone away is no error of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes to standard error and fails.
fn fail(code: u8, text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}
