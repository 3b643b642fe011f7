//! `tollgate plan`: the life of plans.
//! What a plan is stands in the configuration; only its stage moves here, onwards, so its end asks back.

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
    #[command(after_help = "Example:\n  tollgate plan publish orders/gold")]
    Publish(Move),
    /// Take no new subscriptions to a plan; callers are told that it will end.
    #[command(after_help = "Example:\n  tollgate plan deprecate orders/gold")]
    Deprecate(Move),
    /// Close a plan with its subscriptions, for good.
    #[command(after_help = "Example:\n  tollgate plan close orders/gold --yes")]
    Close {
        #[command(flatten)]
        step: Move,
        #[command(flatten)]
        sure: Sure,
    },
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
}

// === impl Action ===

impl Act for Action {
    fn act(self, operator: Operator) -> Outcome {
        match self {
            Self::List { api } => operator.list(&PLAN, "/v1/plans", &[("api", api.as_deref())]),
            Self::Show { target } => operator.show(&PLAN, &Ask::new(Method::GET, target.path())),
            Self::Publish(step) => operator.show(&PLAN, &step.ask("publish")),
            Self::Deprecate(step) => operator.show(&PLAN, &step.ask("deprecate")),
            Self::Close { step, sure } => {
                let operator = operator.sure(sure.yes);
                let Target { api, plan } = &step.target;
                let (api, plan) = (&api.shown, &plan.shown);
                operator.confirm(&format!(
                    "Close the plan `{api}/{plan}` for good, with all its subscriptions?"
                ))?;
                operator.show(&PLAN, &step.ask("close"))
            }
        }
    }
}

// === impl Target ===

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
    fn ask(&self, step: &str) -> Ask {
        let path = format!("{}/{step}", self.target.path());
        self.version.of(Ask::new(Method::POST, path))
    }
}
