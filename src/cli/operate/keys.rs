//! `tollgate key`: API keys of subscriptions. The gateway keeps no key, only a hash; so a new one is shown once, here,
//! and a key that could not be written out is said to be lost.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::operator::Operator;
use super::text::{Cell, Column, View, inline, json as json_text, printable};
use super::{Act, Again, Failure, Id, Outcome, Step, Sure, moment};
use crate::control::client::{Answer, Ask};
use crate::exit;
use crate::secret::Secret;

/// Where they are.
const KEYS: &str = "/v1/keys";

const KEY: View = View {
    look: "tollgate key list SUBSCRIPTION",
    noun: "API key",
    cursor: None,
    id: "id",
    columns: &[
        Column("ID", Cell::Whole("id")),
        Column("STATUS", Cell::Whole("status")),
        Column("PREFIX", Cell::Whole("prefix")),
        Column("EXPIRES", Cell::Whole("expires_at")),
        Column("CREATED", Cell::Whole("created_at")),
        Column("VERSION", Cell::Whole("version")),
    ],
    members: &[
        "id",
        "status",
        "subscription",
        "prefix",
        "expires_at",
        "revoked_at",
        "created_at",
        "version",
    ],
};

/// A key has at most 64 characters; a file with more holds something else.
const KEY_FILE_BYTES_MAX: u64 = 1024;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Action {
    /// The keys of a subscription, the oldest first.
    #[command(after_help = "Example:\n  tollgate key list mobile:orders:keyed")]
    List {
        /// application:api:plan
        subscription: Id,
    },
    /// One key, without its text.
    #[command(after_help = "Example:\n  tollgate key show mobile:orders:keyed:7")]
    Show {
        /// application:api:plan:number
        id: Id,
    },
    /// Give out a key. It is printed now, and never again.
    #[command(after_help = "Example:\n  tollgate key create mobile:orders:keyed --quiet > key.txt")]
    Create {
        /// application:api:plan
        subscription: Id,
        #[command(flatten)]
        new: New,
    },
    /// Give out a key in the place of another, which stays good for a while. It is printed now, and never again.
    #[command(
        after_help = "Example:\n  tollgate key renew mobile:orders:keyed:7 --grace 1d\n  \
                            tollgate key renew --all mobile:orders:keyed"
    )]
    Renew(Renew),
    /// Set until when a key is good.
    #[command(after_help = "Example:\n  tollgate key expire mobile:orders:keyed:7 --at 2027-01-01T00:00:00Z")]
    Expire {
        #[command(flatten)]
        step: Step,
        /// No longer good from then on.
        #[arg(long, value_name = "TIME", value_parser = moment, required_unless_present = "never")]
        at: Option<String>,
        /// Good for ever.
        #[arg(long, conflicts_with = "at")]
        never: bool,
    },
    /// Take a key back at once, for good.
    #[command(after_help = "Example:\n  tollgate key revoke mobile:orders:keyed:7 --yes")]
    Revoke {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// No longer good from then on; default: good for ever.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires: Option<String>,
    /// Take the text in this file as the key (8 to 64 characters of A-Z a-z 0-9 . _ ~ -) instead of making one; `-` is
    /// standard input.
    #[arg(long, value_name = "FILE|-")]
    text_from: Option<PathBuf>,
    #[command(flatten)]
    again: Again,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Renew {
    #[command(flatten)]
    step: Step,
    /// In the place of all good keys of a subscription; the id is the subscription's then.
    #[arg(long, conflicts_with = "if_version")]
    all: bool,
    /// How long what is replaced stays good, in whole seconds, such as 30m or 1d, at most 30d; default: the gateway's, 2h.
    #[arg(long, value_name = "DURATION", value_parser = whole_seconds)]
    grace: Option<u64>,
    #[command(flatten)]
    new: New,
    #[command(flatten)]
    sure: Sure,
}

// === impl Action ===

impl Act for Action {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List { subscription } => operator.list(&KEY, &of_subscription(&subscription), &[]),
            Self::Show { id } => operator.show(&KEY, &Ask::new(Method::GET, id.path(KEYS))),
            Self::Create { subscription, new } => {
                let ask = Ask::new(Method::POST, of_subscription(&subscription));
                new.run(&operator, ask, Map::new())
            }
            Self::Renew(renew) => renew.run(operator),
            Self::Expire { step, at, never: _ } => {
                operator.edit(&KEY, &step.id.path(KEYS), &step.version, |members| {
                    members.clear();
                    members.extend(at.map(|at| ("expires_at".to_owned(), Value::String(at))));
                    Ok(())
                })
            }
            Self::Revoke { step, sure } => {
                let operator = operator.sure(sure.yes);
                operator.confirm(&format!("Revoke the key `{}` for good?", step.id.shown))?;
                operator.show(&KEY, &step.ask(Method::POST, KEYS, "/revoke"))
            }
        }
    }
}

// === impl New ===

impl New {
    fn run(self, operator: &Operator, ask: Ask, mut members: Map<String, Value>) -> Outcome {
        if let Some(expires) = self.expires {
            members.insert("expires_at".to_owned(), json!(expires));
        }
        if let Some(file) = &self.text_from {
            members.insert("key".to_owned(), json!(own_text(file)?.expose()));
        }
        let ask = Ask {
            body: Some(Value::Object(members).to_string()),
            ..ask
        };
        let given = operator.make(&KEY, ask, self.again.idempotency_key.as_deref())?;
        give(operator, &given)
    }
}

// === impl Renew ===

impl Renew {
    fn run(self, operator: Operator) -> Outcome {
        let operator = operator.sure(self.sure.yes);
        let mut members = Map::new();
        if let Some(grace) = self.grace {
            members.insert("grace_seconds".to_owned(), json!(grace));
        }
        if self.grace == Some(0) {
            let id = &self.step.id.shown;
            operator.confirm(&match self.all {
                true => format!("Renew all keys of `{id}`, which are no longer good from now on?"),
                false => format!("Renew the key `{id}`, which is no longer good from now on?"),
            })?;
        }
        let ask = match self.all {
            true => Ask::new(Method::POST, of_subscription(&self.step.id) + "/renew"),
            false => self.step.ask(Method::POST, KEYS, "/renew"),
        };
        self.new.run(&operator, ask, members)
    }
}

/// As the gateway counts it. A fraction is refused: cut off, it would end what is to stay good for a moment.
fn whole_seconds(text: &str) -> Result<u64, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.subsec_nanos() == 0 {
        Ok(duration.as_secs())
    } else {
        Err("whole seconds are meant".to_owned())
    }
}

/// Shows a key, this once.
fn give(operator: &Operator, given: &Answer) -> Outcome {
    let mut value: Value = serde_json::from_str(&given.body).map_err(|_| operator.strange())?;
    let id = value.get("id").map(inline).unwrap_or_default();
    let text = match value.as_object_mut().and_then(|members| members.remove("key")) {
        Some(Value::String(text)) => Secret::new(text),
        _ => {
            // It was given out to whom no answer came.
            operator.tell(&KEY, &given.body)?;
            return Err(Failure::new(
                exit::FAILED,
                format!(
                    "the key `{id}` was given out before under this idempotency key, and is not shown again\n\
                     next: if it was lost, revoke it with tollgate key revoke {id}, and create another one"
                ),
            ));
        }
    };
    let shown = printable(text.expose());
    let told = match (operator.wants_json(), operator.is_for_people()) {
        (true, _) => json_text(&format!("{}\n", given.body.trim_end())),
        (_, true) => format!(
            "{shown}\n\nThis is the key. It is not kept, and will not be shown again.\n\n{}",
            KEY.members(&value)
        ),
        _ => format!("{shown}\n"),
    };
    operator.write_all(&told).map_err(|Failure { code, text }| {
        let next =
            format!("next: the key is lost; revoke it with tollgate key revoke {id}, and create another one");
        Failure::new(code, format!("{text}\n{next}"))
    })
}

/// A text that somebody has chosen, without the end of its line.
fn own_text(file: &Path) -> Result<Secret<String>, Failure> {
    let failed = |error: std::io::Error| Failure::new(exit::FAILED, format!("{}: {error}", file.display()));
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin()
            .take(KEY_FILE_BYTES_MAX)
            .read_to_string(&mut text),
        false => {
            let file = std::fs::File::open(file).map_err(failed)?;
            file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)
        }
    };
    read.map_err(failed)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(Secret::new(text))
}

fn of_subscription(id: &Id) -> String {
    id.path("/v1/subscriptions") + "/keys"
}
