//! `[server]`, the forgery budget: how much CPU time may go into tokens that turn out to be no good.
//!
//! It is on unless somebody turns it off. A source's share is smaller than an issuer's, or else one network could use up
//! what is there for everybody; where it is not written it follows the issuer's.

use super::Written;
use crate::config::{self, Located, Mistake, Mistakes, Percent};
use crate::limit::{ForgeryBudget, Share};

/// A quarter of a core: some 4,500 forged ES256 tokens a second.
const BUDGET: Percent = Percent::Of(25);
/// What a source has of that, where nothing is written.
const SOURCES: u32 = 5;

pub(super) fn compile(server: &config::Server, mistakes: &mut Mistakes) -> ForgeryBudget {
    let (issuer, source) = percents(server);
    if let (
        Percent::Of(issuer),
        Some(Located {
            value: Percent::Of(source),
            place,
        }),
    ) = (issuer, &server.forgery_budget_per_source)
        && *source >= issuer
    {
        let message = format!(
            "`forgery_budget_per_source` must be less than `forgery_budget`, which is {issuer}%: one network could use up \
             what all have"
        );
        mistakes.push(Mistake::new(place.clone(), message).help("a fifth of it, or less"));
    }
    ForgeryBudget {
        issuer: share(issuer),
        source: share(source),
        burst: server.forgery_burst,
        hold: server.forgery_hold,
    }
}

/// The defaults that are decided here.
pub(super) fn fill(server: &config::Server, written: &mut Written) {
    let (issuer, source) = percents(server);
    written.fill("forgery_budget", &shown(issuer).into());
    written.fill("forgery_budget_per_source", &shown(source).into());
}

fn percents(server: &config::Server) -> (Percent, Percent) {
    let written = |value: &Option<Located<Percent>>| value.as_ref().map(|value| value.value);
    let issuer = written(&server.forgery_budget).unwrap_or(BUDGET);
    let follows = || match issuer {
        Percent::Of(percent) => Percent::Of(percent.div_ceil(SOURCES)),
        Percent::Off => Percent::Off,
    };
    let source = written(&server.forgery_budget_per_source).unwrap_or_else(follows);
    (issuer, source)
}

fn share(percent: Percent) -> Option<Share> {
    match percent {
        Percent::Of(percent) => Some(Share::of_core(percent)),
        Percent::Off => None,
    }
}

fn shown(percent: Percent) -> String {
    share(percent).map_or_else(|| "off".to_owned(), |share| share.to_string())
}
