//! `tollgate api`, `issuer`, `audit`, `status`, `reload`: what the gateway runs by, and what was done to it.
//! All of it is there to be looked at, and nothing here changes a caller's rights: no command asks back.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::operator::Operator;
use super::text::{Cell, Column, View, inline};
use super::{Act, Common, Id, Outcome};
use crate::control::client::Ask;

const API: View = View {
    look: "tollgate api list",
    noun: "API",
    cursor: None,
    id: "name",
    columns: &[
        Column("API", Cell::Whole("name")),
        Column("PLANS", Cell::Of(plans)),
    ],
    members: &["name"],
};

const ISSUER: View = View {
    look: "tollgate issuer list",
    noun: "issuer",
    cursor: None,
    id: "name",
    columns: &[
        Column("ISSUER", Cell::Whole("name")),
        Column("USABLE", Cell::Whole("usable")),
        Column("TROUBLE", Cell::Whole("trouble")),
        Column("KEYS", Cell::Of(count_keys)),
        Column("FETCHED", Cell::Whole("fetched_at")),
    ],
    members: &[
        "name",
        "usable",
        "trouble",
        "source",
        "fetched_at",
        "fingerprint",
        "keys",
    ],
};

const AUDIT: View = View {
    look: "tollgate audit",
    noun: "entry",
    cursor: Some("before"),
    id: "revision",
    columns: &[
        Column("REVISION", Cell::Whole("revision")),
        Column("AT", Cell::Whole("at")),
        Column("ACTOR", Cell::Whole("actor")),
        Column("ACTION", Cell::Whole("action")),
        Column("TARGET", Cell::Whole("target")),
    ],
    members: &[],
};

const SNAPSHOT: View = View {
    look: "tollgate status",
    noun: "snapshot",
    cursor: None,
    id: "generation",
    columns: &[],
    members: &["generation", "revision"],
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ApiAction {
    /// All APIs with their plans, on offer or not.
    #[command(after_help = "Example:\n  tollgate api list --json")]
    List,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IssuerAction {
    /// All issuers.
    #[command(after_help = "Example:\n  tollgate issuer list")]
    List,
    /// One issuer with its keys.
    #[command(after_help = "Example:\n  tollgate issuer show https://login.example.com/")]
    Show {
        /// Its name, exactly.
        name: Id,
    },
}

/// Read what was changed at run time, by whom, the newest first.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tollgate audit --limit 10\n  tollgate audit --all --json | jq '.items[].after'"
)]
pub(in crate::cli) struct Audit {
    #[command(flatten)]
    common: Common,
    /// So many entries.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// All entries.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Entries before this revision.
    #[arg(long, value_name = "REVISION")]
    before: Option<u64>,
}

/// Say what the gateway runs by: the generation of its configuration, the revision of its store, and how much there is.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tollgate status --admin-url https://edge.example:9180 --admin-token-file token"
)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    common: Common,
}

/// Have the configuration read anew, as on SIGHUP.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tollgate reload")]
pub(in crate::cli) struct Reload {
    #[command(flatten)]
    common: Common,
}

// === impl ApiAction ===

impl Act for ApiAction {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List => operator.list(&API, "/v1/apis", &[]),
        }
    }
}

// === impl IssuerAction ===

impl Act for IssuerAction {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List => operator.list(&ISSUER, "/v1/issuers", &[]),
            Self::Show { name } => operator.show(&ISSUER, &Ask::new(Method::GET, name.path("/v1/issuers"))),
        }
    }
}

// === impl Audit ===

impl Audit {
    pub(in crate::cli) fn run(self) -> ExitCode {
        self.common.run(|operator| {
            let limit = (!self.all).then_some(self.limit);
            let before = self.before.map(|revision| revision.to_string());
            let entries = operator.gather(&AUDIT, "/v1/audit", &[("before", before.as_deref())], limit)?;
            operator.tell_all(&AUDIT, &entries)
        })
    }
}

// === impl Status ===

impl Status {
    pub(in crate::cli) fn run(self) -> ExitCode {
        self.common
            .run(|operator| operator.show(&SNAPSHOT, &Ask::new(Method::GET, "/v1/snapshot")))
    }
}

// === impl Reload ===

impl Reload {
    pub(in crate::cli) fn run(self) -> ExitCode {
        self.common.run(|operator| {
            let before = operator.ask(&SNAPSHOT, &Ask::new(Method::POST, "/v1/reload"))?;
            if operator.is_for_people() {
                let value: Value = serde_json::from_str(&before.body).map_err(|_| operator.strange())?;
                return operator.say(&format!(
                    "asked for; until now it ran by generation {}, and its log says whether the next one is in force",
                    value.get("generation").map(inline).unwrap_or_default()
                ));
            }
            operator.tell(&SNAPSHOT, &before.body)
        })
    }
}

/// `gold (jwt, published), open (keyless, published)`
fn plans(api: &Value) -> String {
    let plans = api.get("plans").and_then(Value::as_array);
    let told = plans.into_iter().flatten().map(|plan| {
        let word = |name| plan.get(name).map(inline).unwrap_or_default();
        format!("{} ({}, {})", word("name"), word("security"), word("stage"))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn count_keys(issuer: &Value) -> String {
    let keys = issuer.get("keys").and_then(Value::as_array);
    keys.map_or(0, Vec::len).to_string()
}
