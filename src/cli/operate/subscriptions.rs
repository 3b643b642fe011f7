//! `tollgate sub`: agreements of applications to plans, through their life.
//! The gateway replaces both dates at once, so `dates` reads them first: one that is not named stays.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::operator::Operator;
use super::text::{Cell, Column, View};
use super::{Act, Again, Id, Outcome, Step, Sure, moment};
use crate::control::client::Ask;

/// Where they are.
const SUBSCRIPTIONS: &str = "/v1/subscriptions";

const SUBSCRIPTION: View = View {
    look: "tollgate sub list",
    noun: "subscription",
    cursor: Some("after"),
    id: "id",
    columns: &[
        Column("ID", Cell::Whole("id")),
        Column("STATUS", Cell::Whole("status")),
        Column("FROM", Cell::Whole("from")),
        Column("UNTIL", Cell::Whole("until")),
        Column("ORIGIN", Cell::Whole("origin")),
        Column("VERSION", Cell::Whole("version")),
    ],
    members: &[
        "id",
        "status",
        "application",
        "api",
        "plan",
        "from",
        "until",
        "origin",
        "version",
    ],
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Action {
    /// All subscriptions, or some.
    #[command(after_help = "Example:\n  tollgate sub list --status pending")]
    List(List),
    /// One subscription.
    #[command(after_help = "Example:\n  tollgate sub show mobile:orders:gold")]
    Show {
        /// application:api:plan
        id: Id,
    },
    /// Subscribe an application to a plan: accepted at once, or pending where the plan says so.
    #[command(
        after_help = "Example:\n  tollgate sub create --app mobile --api orders --plan gold --until 2027-01-01T00:00:00Z"
    )]
    Create(Create),
    /// Accept a pending subscription.
    #[command(after_help = "Example:\n  tollgate sub accept mobile:orders:manual")]
    Accept(Step),
    /// Reject a pending subscription, for good.
    #[command(after_help = "Example:\n  tollgate sub reject mobile:orders:manual --yes")]
    Reject {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        sure: Sure,
    },
    /// Put an accepted subscription out of force.
    #[command(after_help = "Example:\n  tollgate sub pause mobile:orders:gold")]
    Pause(Step),
    /// Put a paused subscription in force again.
    #[command(after_help = "Example:\n  tollgate sub resume mobile:orders:gold")]
    Resume(Step),
    /// Close a subscription, for good.
    #[command(after_help = "Example:\n  tollgate sub close mobile:orders:gold --yes")]
    Close {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        sure: Sure,
    },
    /// Move a subscription to another plan of its API.
    #[command(after_help = "Example:\n  tollgate sub move mobile:orders:gold --plan silver")]
    Move {
        #[command(flatten)]
        step: Step,
        /// To which.
        #[arg(long, value_name = "PLAN")]
        plan: String,
    },
    /// Set from when and until when a subscription is in force; what is not named stays.
    #[command(
        after_help = "Example:\n  tollgate sub dates mobile:orders:gold --until 2027-01-01T00:00:00Z\n  tollgate sub dates mobile:orders:gold --clear until"
    )]
    Dates(Dates),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Of this application.
    #[arg(long, value_name = "APPLICATION")]
    app: Option<String>,
    /// To plans of this API.
    #[arg(long, value_name = "API")]
    api: Option<String>,
    /// To plans of this name.
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// pending, accepted, rejected, paused or closed.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Whose.
    #[arg(long, value_name = "APPLICATION")]
    app: String,
    /// To a plan of which API.
    #[arg(long, value_name = "API")]
    api: String,
    /// To which of its plans.
    #[arg(long, value_name = "PLAN")]
    plan: String,
    /// Not in force before.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<String>,
    /// Not in force from then on.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
    #[command(flatten)]
    again: Again,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Dates {
    #[command(flatten)]
    step: Step,
    /// Not in force before.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<String>,
    /// Not in force from then on.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
    /// Without this date from now on; may be given several times.
    #[arg(long, value_name = "DATE")]
    clear: Vec<Date>,
}

/// A date that can be taken away.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Date {
    From,
    Until,
}

// === impl Action ===

impl Act for Action {
    fn act(self, operator: Operator) -> Outcome {
        let show = |ask: Ask| operator.show(&SUBSCRIPTION, &ask);
        match self {
            Self::List(list) => list.run(&operator),
            Self::Show { id } => show(Ask::new(Method::GET, id.path(SUBSCRIPTIONS))),
            Self::Create(create) => create.run(&operator),
            Self::Accept(step) => show(step.ask(Method::POST, SUBSCRIPTIONS, "/accept")),
            Self::Reject { step, sure } => end(operator, &step, &sure, "reject"),
            Self::Pause(step) => show(step.ask(Method::POST, SUBSCRIPTIONS, "/pause")),
            Self::Resume(step) => show(step.ask(Method::POST, SUBSCRIPTIONS, "/resume")),
            Self::Close { step, sure } => end(operator, &step, &sure, "close"),
            Self::Move { step, plan } => {
                let body = Some(json!({ "plan": plan }).to_string());
                show(Ask {
                    body,
                    ..step.ask(Method::POST, SUBSCRIPTIONS, "/move")
                })
            }
            Self::Dates(dates) => dates.run(&operator),
        }
    }
}

// === impl List ===

impl List {
    fn run(&self, operator: &Operator) -> Outcome {
        let filters = [
            ("application", self.app.as_deref()),
            ("api", self.api.as_deref()),
            ("plan", self.plan.as_deref()),
            ("status", self.status.as_deref()),
        ];
        operator.list(&SUBSCRIPTION, SUBSCRIPTIONS, &filters)
    }
}

// === impl Create ===

impl Create {
    fn run(self, operator: &Operator) -> Outcome {
        let mut body = json!({ "application": self.app, "api": self.api, "plan": self.plan });
        if let Value::Object(members) = &mut body {
            put(members, "from", self.from);
            put(members, "until", self.until);
        }
        let ask = Ask {
            body: Some(body.to_string()),
            ..Ask::new(Method::POST, SUBSCRIPTIONS)
        };
        let made = operator.make(&SUBSCRIPTION, ask, self.again.idempotency_key.as_deref())?;
        operator.tell(&SUBSCRIPTION, &made.body)
    }
}

// === impl Dates ===

impl Dates {
    fn run(self, operator: &Operator) -> Outcome {
        let Self {
            step,
            from,
            until,
            clear,
        } = self;
        operator.edit(
            &SUBSCRIPTION,
            &step.id.path(SUBSCRIPTIONS),
            &step.version,
            |members| {
                members.retain(|name, _| name == "from" || name == "until");
                for date in clear {
                    members.remove(match date {
                        Date::From => "from",
                        Date::Until => "until",
                    });
                }
                put(members, "from", from);
                put(members, "until", until);
                Ok(())
            },
        )
    }
}

/// A step after which nothing more becomes of a subscription.
fn end(operator: Operator, step: &Step, sure: &Sure, how: &str) -> Outcome {
    let operator = operator.sure(sure.yes);
    let (first, rest) = how.split_at(1);
    operator.confirm(&format!(
        "{}{rest} the subscription `{}` for good?",
        first.to_ascii_uppercase(),
        step.id.shown
    ))?;
    operator.show(
        &SUBSCRIPTION,
        &step.ask(Method::POST, SUBSCRIPTIONS, &format!("/{how}")),
    )
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), Value::String(value));
    }
}
