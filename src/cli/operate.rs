//! Commands over the admin API, for people and for scripts: `tollgate app`, `sub`, `key`, `plan`, `revoke`,
//! `revocations`, `api`, `issuer`, `audit`, `status`, `reload`.
//!
//! No rule is here: the gateway judges, and these commands bring it the question and show its answer. A command is a
//! variant with its flags and one line that makes a request of them; how a kind of thing is shown is a table of columns.

mod advice;
mod applications;
mod door;
mod keys;
mod operator;
mod plans;
mod revocations;
mod subscriptions;
mod text;
mod views;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;

pub(super) use revocations::Revoke;
pub(super) use views::{Audit, Reload, Status};

use super::fail;
use crate::control::client::{Ask, path_part};
use operator::Operator;

pub(super) type App = Noun<applications::Action>;
pub(super) type Sub = Noun<subscriptions::Action>;
pub(super) type Key = Noun<keys::Action>;
pub(super) type Plan = Noun<plans::Action>;
pub(super) type Revocations = Noun<revocations::Action>;
pub(super) type Api = Noun<views::ApiAction>;
pub(super) type Issuer = Noun<views::IssuerAction>;

/// A kind of thing, and what can be done with it.
#[derive(Debug, Args)]
pub(super) struct Noun<A: Subcommand> {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: A,
}

/// One of the things that can be done.
pub(super) trait Act {
    /// Does it.
    fn act(self, operator: Operator) -> Outcome;
}

/// What every one of these commands takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    door: door::Door,
    /// Print what the gateway answers, as JSON; a list is whole.
    #[arg(long, global = true, help_heading = "What is printed")]
    json: bool,
    /// Print only what names things, one on a line; of a new key, only the key.
    #[arg(
        long,
        short,
        global = true,
        help_heading = "What is printed",
        conflicts_with = "json"
    )]
    quiet: bool,
}

/// For which version a change is meant.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// Only if it is still this version, as `show` says.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// Whether to ask back.
#[derive(Debug, Args)]
pub(super) struct Sure {
    /// Do not ask; needed where nobody can be asked.
    #[arg(long, short)]
    yes: bool,
}

/// How to try again.
#[derive(Debug, Args)]
pub(super) struct Again {
    /// Under this key the same request is obeyed once, however often it is sent within a day; default: a random one.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A thing, and for which version of it a change is meant.
#[derive(Debug, Args)]
pub(super) struct Step {
    /// Its id, as `list` shows it.
    id: Id,
    #[command(flatten)]
    version: Version,
}

/// What names a thing, as a part of a path.
#[derive(Debug, Clone)]
pub(super) struct Id {
    shown: String,
    part: String,
}

/// Why a command did not do what it was told, and its exit code.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    text: String,
}

pub(super) type Outcome = Result<(), Failure>;

// === impl Noun ===

impl<A: Subcommand + Act> Noun<A> {
    pub(super) fn run(self) -> ExitCode {
        let Self { common, action } = self;
        common.run(|operator| action.act(operator))
    }
}

// === impl Common ===

impl Common {
    fn run(&self, act: impl FnOnce(Operator) -> Outcome) -> ExitCode {
        match Operator::new(self).and_then(act) {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure { code, text }) => fail(code, &text),
        }
    }
}

// === impl Step ===

impl Step {
    /// A change of the thing itself, or a step in its life (`/pause`).
    fn ask(&self, method: Method, things: &str, step: &str) -> Ask {
        let path = self.id.path(things) + step;
        self.version.of(Ask::new(method, path))
    }
}

// === impl Version ===

impl Version {
    /// `If-Match` of this version, or of the one that was read.
    fn condition(&self) -> Option<String> {
        self.if_version.map(|version| format!("\"{version}\""))
    }

    fn of(&self, ask: Ask) -> Ask {
        Ask {
            if_match: self.condition(),
            ..ask
        }
    }
}

// === impl Id ===

impl Id {
    /// Where one of these things is.
    fn path(&self, things: &str) -> String {
        format!("{things}/{}", self.part)
    }
}

impl std::str::FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = path_part(text).ok_or("that names nothing")?;
        Ok(Self {
            shown: text.to_owned(),
            part,
        })
    }
}

// === impl Failure ===

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

/// A moment as RFC 3339 writes it, with its offset from UTC.
fn moment(text: &str) -> Result<String, &'static str> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| time.to_string())
        .map_err(|_| "a time is 2026-01-31T12:00:00Z, or with another offset than Z")
}
