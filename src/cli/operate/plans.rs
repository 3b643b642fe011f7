//! `tollgate plan`: the life of plans.
//! What a plan is stands in the configuration; only its stage moves here, onwards, so each step asks back.

use std::fmt;

use clap::{Args, Subcommand};
use http::Method;

use super::operator::Operator;
use super::text::{Cell, Column, View};
use super::{Act, Id, Outcome, Sure, Version};
use crate::control::client::Ask;

const PLAN: View = View {
    look: "tollgate plan list",
    noun: "plan",
    cursor: Some("after"),
    id: "id",
    columns: &[
        Column("API", Cell::Whole("api")),
        Column("PLAN", Cell::Whole("name")),
        Column("SECURITY", Cell::Whole("security")),
        Column("STAGE", Cell::Whole("stage")),
        Column("VALIDATION", Cell::Whole("validation")),
        Column("ORIGIN", Cell::Whole("origin")),
        Column("VERSION", Cell::Whole("version")),
    ],
    members: &[
        "id",
        "api",
        "name",
        "security",
        "stage",
        "validation",
        "origin",
        "version",
    ],
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Action {
    /// All plans, on offer or not.
    #[command(after_help = "Example:\n  tollgate plan list --api orders")]
    List {
        /// Of this API.
        #[arg(long, value_name = "API")]
        api: Option<String>,
    },
    /// One plan.
    #[command(after_help = "Example:\n  tollgate plan show orders/gold")]
    Show {
        /// API/PLAN
        #[arg(value_name = "PLAN")]
        target: Target,
    },
    /// Put a plan on offer.
    #[command(after_help = "Example:\n  tollgate plan publish orders/gold --yes")]
    Publish(Move),
    /// Take no new subscriptions to a plan; callers are told that it will end.
    #[command(after_help = "Example:\n  tollgate plan deprecate orders/gold --yes")]
    Deprecate(Move),
    /// Close a plan with its subscriptions, for good.
    #[command(after_help = "Example:\n  tollgate plan close orders/gold --yes")]
    Close(Move),
}

/// The id of a plan.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Target {
    api: Id,
    plan: Id,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Move {
    /// API/PLAN
    #[arg(value_name = "PLAN")]
    target: Target,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    sure: Sure,
}

// === impl Action ===

impl Act for Action {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List { api } => operator.list(&PLAN, "/v1/plans", &[("api", api.as_deref())]),
            Self::Show { target } => operator.show(&PLAN, &Ask::new(Method::GET, target.path())),
            Self::Publish(step) => {
                let question = format!("Publish the plan `{}`, which cannot be taken back?", step.target);
                step.run(operator, "publish", &question)
            }
            Self::Deprecate(step) => {
                let question = format!(
                    "Deprecate the plan `{}`, which cannot be taken back?",
                    step.target
                );
                step.run(operator, "deprecate", &question)
            }
            Self::Close(step) => {
                let question = format!(
                    "Close the plan `{}` for good, with all its subscriptions?",
                    step.target
                );
                step.run(operator, "close", &question)
            }
        }
    }
}

// === impl Target ===

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api.shown, self.plan.shown)
    }
}

impl std::str::FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (api, plan) = text.split_once('/').ok_or("a plan is API/PLAN")?;
        Ok(Self {
            api: api.parse()?,
            plan: plan.parse()?,
        })
    }
}

impl Target {
    fn path(&self) -> String {
        format!("/v1/plans/{}/{}", self.api.part, self.plan.part)
    }
}

// === impl Move ===

impl Move {
    fn run(&self, operator: Operator, step: &str, question: &str) -> Outcome {
        let operator = operator.sure(self.sure.yes);
        operator.confirm(question)?;
        let path = format!("{}/{step}", self.target.path());
        operator.show(&PLAN, &self.version.of(Ask::new(Method::POST, path)))
    }
}
