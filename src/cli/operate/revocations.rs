//! `tollgate revoke` and `tollgate revocations`: tokens that are taken back before their time.
//! One token, or those of one subject, is a small thing, and can be undone; what takes back the tokens of everybody asks
//! back first.

use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::operator::Operator;
use super::text::{Cell, Column, View, inline};
use super::{Act, Again, Common, Outcome, Step, Sure, moment};
use crate::control::client::Ask;

/// Where they are.
const REVOCATIONS: &str = "/v1/revocations";

const REVOCATION: View = View {
    look: "tollgate revocations list",
    noun: "revocation",
    cursor: Some("after"),
    id: "id",
    columns: &[
        Column("ID", Cell::Whole("id")),
        Column("ISSUER", Cell::Short("issuer")),
        Column("NAMES", Cell::Of(names)),
        Column("ISSUED BEFORE", Cell::Whole("issued_before")),
        Column("EXPIRES", Cell::Whole("expires_at")),
        Column("VERSION", Cell::Whole("version")),
    ],
    members: &[
        "id",
        "issuer",
        "jti",
        "subject",
        "client",
        "key_id",
        "all",
        "issued_before",
        "expires_at",
        "revoked_at",
        "version",
    ],
};

/// Take tokens back: the next request with one of them is refused.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true),
    after_help = "Example:\n  tollgate revoke --issuer https://login.example.com/ --jti 0d9c8b7a\n  \
                  tollgate revoke --issuer https://login.example.com/ --subject alice\n  \
                  tollgate revoke --issuer https://login.example.com/ --all --issued-before 2026-01-31T12:00:00Z --yes"
)]
pub(in crate::cli) struct Revoke {
    #[command(flatten)]
    common: Common,
    /// Whose tokens: the name of an issuer of the configuration, exactly.
    #[arg(long, value_name = "ISSUER")]
    issuer: String,
    /// The token with this `jti`.
    #[arg(long, value_name = "JTI", group = "what", conflicts_with = "issued_before")]
    jti: Option<String>,
    /// Tokens of this subject.
    #[arg(long, value_name = "SUBJECT", group = "what")]
    subject: Option<String>,
    /// Tokens of this client.
    #[arg(long, value_name = "CLIENT", group = "what")]
    client: Option<String>,
    /// Tokens that the key of this id has signed; asks back.
    #[arg(long, value_name = "KID", group = "what")]
    key_id: Option<String>,
    /// Every token of the issuer; asks back.
    #[arg(long, group = "what")]
    all: bool,
    /// Those that were issued before; default: now. Tokens that are issued later are good.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    issued_before: Option<String>,
    /// Forget the revocation then; default: when no token that it names can be alive.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires: Option<String>,
    #[command(flatten)]
    again: Again,
    #[command(flatten)]
    sure: Sure,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Action {
    /// All revocations, or some.
    #[command(
        after_help = "Example:\n  tollgate revocations list --issuer https://login.example.com/ --subject alice"
    )]
    List(List),
    /// One revocation.
    #[command(after_help = "Example:\n  tollgate revocations show 5846a1d686df6c8049a18b6a31a6f876")]
    Show {
        /// Its id, as `list` shows it.
        id: super::Id,
    },
    /// Remove a revocation: what it names is good again.
    #[command(after_help = "Example:\n  tollgate revocations delete 5846a1d686df6c8049a18b6a31a6f876 --yes")]
    Delete {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Of this issuer.
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// That names the token with this `jti`.
    #[arg(long, value_name = "JTI")]
    jti: Option<String>,
    /// That names tokens of this subject.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// That names tokens of this client.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// That names tokens of the key of this id.
    #[arg(long, value_name = "KID")]
    key_id: Option<String>,
    /// That names every token of an issuer.
    #[arg(long)]
    all: bool,
}

// === impl Revoke ===

impl Revoke {
    pub(in crate::cli) fn run(self) -> ExitCode {
        let Self {
            common,
            issuer,
            jti,
            subject,
            client,
            key_id,
            all,
            issued_before,
            expires,
            again,
            sure,
        } = self;
        common.run(|operator| {
            let operator = operator.sure(sure.yes);
            let before = issued_before.as_deref().unwrap_or("now");
            if all {
                operator.confirm(&format!("Revoke every token of `{issuer}` issued before {before}?"))?;
            }
            if let Some(kid) = &key_id {
                let question = format!(
                    "Revoke every token of `{issuer}` that the key `{kid}` has signed, issued before {before}?"
                );
                operator.confirm(&question)?;
            }
            let mut members = Map::new();
            members.insert("issuer".to_owned(), json!(issuer));
            let texts = [
                ("jti", jti),
                ("subject", subject),
                ("client", client),
                ("key_id", key_id),
                ("issued_before", issued_before),
                ("expires_at", expires),
            ];
            let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
            members.extend(texts.map(|(name, text)| (name.to_owned(), json!(text))));
            if all {
                members.insert("all".to_owned(), json!(true));
            }
            let ask = Ask {
                body: Some(Value::Object(members).to_string()),
                ..Ask::new(Method::POST, REVOCATIONS)
            };
            let made = operator.make(&REVOCATION, ask, again.idempotency_key.as_deref())?;
            operator.tell(&REVOCATION, &made.body)
        })
    }
}

// === impl Action ===

impl Act for Action {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List(list) => list.run(&operator),
            Self::Show { id } => operator.show(&REVOCATION, &Ask::new(Method::GET, id.path(REVOCATIONS))),
            Self::Delete { step, sure } => {
                let operator = operator.sure(sure.yes);
                let question = format!(
                    "Remove the revocation `{}`, so that what it names is good again?",
                    step.id.shown
                );
                operator.confirm(&question)?;
                operator.ask(&REVOCATION, &step.ask(Method::DELETE, REVOCATIONS, ""))?;
                operator.say(&format!("the revocation `{}` is removed", step.id.shown))
            }
        }
    }
}

// === impl List ===

impl List {
    fn run(&self, operator: &Operator) -> Outcome {
        let filters = [
            ("issuer", self.issuer.as_deref()),
            ("jti", self.jti.as_deref()),
            ("subject", self.subject.as_deref()),
            ("client", self.client.as_deref()),
            ("key_id", self.key_id.as_deref()),
            ("all", self.all.then_some("true")),
        ];
        operator.list(&REVOCATION, REVOCATIONS, &filters)
    }
}

/// `subject alice`
fn names(revocation: &Value) -> String {
    let kinds = ["jti", "subject", "client", "key_id"];
    let named = kinds
        .into_iter()
        .find_map(|kind| Some((kind, revocation.get(kind)?)));
    match named {
        Some((kind, name)) => format!("{kind} {}", inline(name)),
        None => "all".to_owned(),
    }
}
