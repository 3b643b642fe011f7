//! Every operation of the admin API: one list, of which the router and the OpenAPI document are made.
//! What is not in it is 404; what is in it is described.

use axum::routing::MethodFilter;

use super::call::{Answer, Call};
use super::problem::Problem;
use super::{configuration, explaining, issuers, keys, openapi, plans, revocations, subscribers, views};

/// One operation.
pub(super) struct Operation {
    pub(super) verb: Verb,
    /// With its parameters in braces, as axum and OpenAPI both write them.
    pub(super) path: &'static str,
    /// Unique.
    pub(super) id: &'static str,
    /// What it does, in a line.
    pub(super) summary: &'static str,
    /// Parameters of the query.
    pub(super) query: &'static [&'static str],
    /// The schema of its body; nothing: it takes none.
    pub(super) body: Option<&'static str>,
    /// The status when it is done, and the schema of what is answered then.
    pub(super) done: (u16, Option<&'static str>),
    /// What it says about versions and repetition.
    pub(super) fields: &'static [Field],
    pub(super) run: fn(&Call) -> Result<Answer, Problem>,
}

/// What is done to a path. There is no other method, and none for which there would be no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// Header fields that an operation understands, or sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// It answers with the version of what it shows.
    Etag,
    /// It may be told for which version it is meant.
    IfMatch,
    /// It must be told.
    IfMatchRequired,
    /// It may be sent again under the same key.
    IdempotencyKey,
}

// === impl Verb ===

impl Verb {
    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// As OpenAPI writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes something.
    pub(super) const fn changes(self) -> bool {
        match self {
            Self::Get => false,
            Self::Post | Self::Put | Self::Delete => true,
        }
    }
}

const PAGE: &[&str] = &["after", "limit"];

/// The list.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = most();
    all.extend(keys::operations());
    all.extend(revocations::operations());
    all
}

fn most() -> Vec<Operation> {
    use Field::{Etag, IdempotencyKey, IfMatch, IfMatchRequired};
    vec![
        Operation {
            verb: Verb::Get,
            path: "/v1/applications",
            id: "list_applications",
            summary: "Applications, in the order of ids",
            query: PAGE,
            body: None,
            done: (200, Some("Applications")),
            fields: &[],
            run: subscribers::list_applications,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/applications",
            id: "create_application",
            summary: "Make an application",
            query: &[],
            body: Some("NewApplication"),
            done: (201, Some("Application")),
            fields: &[Etag, IdempotencyKey],
            run: subscribers::create_application,
        },
        Operation {
            verb: Verb::Get,
            path: "/v1/applications/{id}",
            id: "get_application",
            summary: "One application",
            query: &[],
            body: None,
            done: (200, Some("Application")),
            fields: &[Etag],
            run: subscribers::get_application,
        },
        Operation {
            verb: Verb::Put,
            path: "/v1/applications/{id}",
            id: "replace_application",
            summary: "Replace what an application says of itself",
            query: &[],
            body: Some("ApplicationInput"),
            done: (200, Some("Application")),
            fields: &[Etag, IfMatchRequired],
            run: subscribers::replace_application,
        },
        Operation {
            verb: Verb::Delete,
            path: "/v1/applications/{id}",
            id: "delete_application",
            summary: "Remove an application with its subscriptions and keys",
            query: &[],
            body: None,
            done: (204, None),
            fields: &[IfMatch],
            run: subscribers::delete_application,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/applications/{id}/suspend",
            id: "suspend_application",
            summary: "Put all subscriptions of an application out of force",
            query: &[],
            body: None,
            done: (200, Some("Application")),
            fields: &[Etag, IfMatch],
            run: subscribers::suspend_application,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/applications/{id}/resume",
            id: "resume_application",
            summary: "End the suspension of an application",
            query: &[],
            body: None,
            done: (200, Some("Application")),
            fields: &[Etag, IfMatch],
            run: subscribers::resume_application,
        },
        Operation {
            verb: Verb::Get,
            path: "/v1/subscriptions",
            id: "list_subscriptions",
            summary: "Subscriptions, in the order of ids",
            query: &["after", "limit", "application", "api", "plan", "status"],
            body: None,
            done: (200, Some("Subscriptions")),
            fields: &[],
            run: subscribers::list_subscriptions,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/subscriptions",
            id: "create_subscription",
            summary: "Subscribe an application to a plan",
            query: &[],
            body: Some("NewSubscription"),
            done: (201, Some("Subscription")),
            fields: &[Etag, IdempotencyKey],
            run: subscribers::create_subscription,
        },
        Operation {
            verb: Verb::Get,
            path: "/v1/subscriptions/{id}",
            id: "get_subscription",
            summary: "One subscription",
            query: &[],
            body: None,
            done: (200, Some("Subscription")),
            fields: &[Etag],
            run: subscribers::get_subscription,
        },
        Operation {
            verb: Verb::Put,
            path: "/v1/subscriptions/{id}",
            id: "date_subscription",
            summary: "Set from when and until when a subscription is in force",
            query: &[],
            body: Some("Dates"),
            done: (200, Some("Subscription")),
            fields: &[Etag, IfMatchRequired],
            run: subscribers::date_subscription,
        },
        action(
            "/v1/subscriptions/{id}/accept",
            "accept_subscription",
            "Accept a pending subscription",
            subscribers::accept,
        ),
        action(
            "/v1/subscriptions/{id}/reject",
            "reject_subscription",
            "Reject a pending subscription",
            subscribers::reject,
        ),
        action(
            "/v1/subscriptions/{id}/pause",
            "pause_subscription",
            "Pause an accepted subscription",
            subscribers::pause,
        ),
        action(
            "/v1/subscriptions/{id}/resume",
            "resume_subscription",
            "Resume a paused subscription",
            subscribers::resume,
        ),
        action(
            "/v1/subscriptions/{id}/close",
            "close_subscription",
            "Close a subscription for good",
            subscribers::close,
        ),
        Operation {
            verb: Verb::Post,
            path: "/v1/subscriptions/{id}/move",
            id: "move_subscription",
            summary: "Move a subscription to another plan of its API",
            query: &[],
            body: Some("Move"),
            done: (200, Some("Subscription")),
            fields: &[Etag, IfMatch],
            run: subscribers::move_subscription,
        },
        Operation {
            query: &["after", "limit", "api"],
            ..view(
                "/v1/plans",
                "list_plans",
                "Plans, in the order of ids",
                "Plans",
                plans::list,
            )
        },
        Operation {
            fields: &[Etag],
            ..view(
                "/v1/plans/{api}/{plan}",
                "get_plan",
                "One plan",
                "Plan",
                plans::get,
            )
        },
        plan_step(
            "/v1/plans/{api}/{plan}/publish",
            "publish_plan",
            "Put a plan on offer",
            plans::publish,
        ),
        plan_step(
            "/v1/plans/{api}/{plan}/deprecate",
            "deprecate_plan",
            "Take no new subscriptions to a plan",
            plans::deprecate,
        ),
        plan_step(
            "/v1/plans/{api}/{plan}/close",
            "close_plan",
            "Close a plan with its subscriptions, for good",
            plans::close,
        ),
        view(
            "/v1/apis",
            "list_apis",
            "APIs with their plans, on offer or not",
            "Apis",
            views::apis,
        ),
        view(
            "/v1/issuers",
            "list_issuers",
            "Issuers with their keys",
            "Issuers",
            issuers::list,
        ),
        view(
            "/v1/issuers/{name}",
            "get_issuer",
            "One issuer with its keys; its name percent-encoded",
            "Issuer",
            issuers::get,
        ),
        view(
            "/v1/configuration",
            "get_configuration",
            "Every setting in force, and where it comes from",
            "Configuration",
            configuration::get,
        ),
        view(
            "/v1/snapshot",
            "get_snapshot",
            "What is in force",
            "Snapshot",
            views::snapshot,
        ),
        Operation {
            query: &["before", "limit"],
            ..view(
                "/v1/audit",
                "list_audit",
                "Changes, the newest first",
                "Audit",
                views::audit,
            )
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/reload",
            id: "reload",
            summary: "Read the configuration anew, as on SIGHUP",
            query: &[],
            body: None,
            done: (202, Some("Snapshot")),
            fields: &[],
            run: views::reload,
        },
        Operation {
            verb: Verb::Post,
            path: "/v1/explain",
            id: "explain",
            summary: "What would become of a request, and what decides it",
            query: &[],
            body: Some("Question"),
            done: (200, Some("Explanation")),
            fields: &[],
            run: explaining::run,
        },
        Operation {
            done: (200, None),
            ..view("/openapi.json", "get_openapi", "This description", "", |_| {
                Answer::ok(&openapi::document())
            })
        },
    ]
}

/// A step in a subscription's life.
fn action(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    run: fn(&Call) -> Result<Answer, Problem>,
) -> Operation {
    Operation {
        verb: Verb::Post,
        done: (200, Some("Subscription")),
        fields: &[Field::Etag, Field::IfMatch],
        ..view(path, id, summary, "", run)
    }
}

/// A step in a plan's life.
fn plan_step(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    run: fn(&Call) -> Result<Answer, Problem>,
) -> Operation {
    Operation {
        done: (200, Some("Plan")),
        ..action(path, id, summary, run)
    }
}

/// Something to look at.
fn view(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    schema: &'static str,
    run: fn(&Call) -> Result<Answer, Problem>,
) -> Operation {
    Operation {
        verb: Verb::Get,
        path,
        id,
        summary,
        query: &[],
        body: None,
        done: (200, Some(schema)),
        fields: &[],
        run,
    }
}
