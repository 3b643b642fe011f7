//! How every limit stands that a request comes by, and which line says so: the level's own, or that of its tier.
//! Asking takes nothing, so what is told is what the next request would find.

use serde_json::json;

use super::advice::{Advice, Case};
use super::report::{Cite, Line};
use super::words;
use crate::access::Denial;
use crate::api::Plan;
use crate::limit::{Exceeded, LevelName, LimitKind, OnExceed, Standing};

// === impl Case ===

impl Case<'_> {
    /// Every limit, in the order in which they are asked.
    pub(super) fn limits(&self, plan: Option<&Plan>) -> Vec<Line> {
        let limits = self.record.limits.iter();
        limits.map(|standing| self.limit(standing, plan)).collect()
    }

    fn limit(&self, standing: &Standing, plan: Option<&Plan>) -> Line {
        let Standing {
            level,
            kind,
            period,
            limit,
            remaining,
            reset,
            wait,
            on_exceed,
        } = *standing;
        let (level_name, kind_name) = (level.name(), kind.name());
        let per = period.map_or_else(String::new, |period| format!(" per {}", period.name()));
        let mut text = format!("{level_name} {kind_name}{per}: {remaining} of {limit} left");
        if !reset.is_zero() {
            text.push_str(&format!(", all again in {}", words::length(reset)));
        }
        if let Some(wait) = wait {
            text.push_str(match on_exceed {
                OnExceed::Deny => "; exceeded",
                OnExceed::Report => "; exceeded, which is only reported",
            });
            if !wait.is_zero() {
                text.push_str(&format!(", room again in {}", words::length(wait)));
            }
        }
        let value = json!({
            "level": level_name,
            "kind": kind_name,
            "period": period.map(|period| period.name()),
            "limit": limit,
            "remaining": remaining,
            "reset_seconds": reset.as_secs(),
            "exceeded": wait.is_some(),
            "on_exceed": match on_exceed {
                OnExceed::Deny => "deny",
                OnExceed::Report => "report",
            },
        });
        Line::new("limit", text, value).at(self.limit_place(level, kind, plan))
    }

    fn limit_place(&self, level: LevelName, kind: LimitKind, plan: Option<&Plan>) -> Option<Cite> {
        let api = self.record.api.as_ref()?.name.as_str();
        let (table, tier) = match level {
            LevelName::Api => {
                let places = self.cites.api_places(api)?;
                (&places.table, &places.tier)
            }
            LevelName::Route => {
                let index = self.record.route.as_ref()?.index?;
                let places = self.cites.api_places(api)?.routes.get(index)?;
                (&places.table, &places.tier)
            }
            LevelName::Plan | LevelName::Client | LevelName::Claim => {
                let places = self.cites.plan_places(api, plan?.name.as_str())?;
                (&places.table, &places.tier)
            }
            LevelName::Application => {
                let application = self.record.application.as_ref()?.as_ref()?;
                let places = self.cites.application_places(application.id.as_str())?;
                (&places.table, &places.tier)
            }
        };
        Some(self.cites.limit(table, tier.as_deref(), kind.name()))
    }

    pub(super) fn of_limit(&self, exceeded: Exceeded, denial: &Denial) -> Advice {
        let Exceeded {
            level, kind, limit, ..
        } = exceeded;
        let place = self.limit_place(level, kind, denial.plan.as_deref());
        let whose = match level {
            LevelName::Api => "of all callers of the API",
            LevelName::Route => "of all callers of the route",
            LevelName::Plan => "of the subscription, or of the caller where the plan asks for none",
            LevelName::Application => "of the application in all APIs",
            LevelName::Client => "of the caller's address",
            LevelName::Claim => "of all who have the same value of the claim",
        };
        Advice::new(
            place,
            format!("nothing is left of the {} {whose}: {limit}", kind.name()),
        )
    }

    pub(super) fn of_limit_claim(&self, denial: &Denial) -> Advice {
        let plan = denial.plan.as_deref();
        let place = plan.and_then(|plan| self.limit_place(LevelName::Plan, LimitKind::Rate, Some(plan)));
        Advice::new(
            place,
            "`key_from` takes texts, numbers and booleans, `requests_from` positive integers",
        )
    }
}
