//! Refusals for the sake of a plan's life: the line that is cited is that of the date which has come, or is to come.
//! What is said of plans that are on offer is asked here, too.

use serde_json::Value;

use super::explained;
use super::refusals::Cited;
use crate::harness::get;
use crate::world::World;

pub(super) fn refused(world: &World) -> Vec<Cited> {
    vec![
        (
            "a plan to come",
            get("/coming"),
            "route route_not_found",
            "api.plan.publish_at",
            "publish_at = 2999-01-01T00:00:00Z",
            "open is staging; plan open is published from 2999-01-01T00:00:00Z, in ",
        ),
        (
            "a plan that was",
            get("/gone"),
            "route route_not_found",
            "api.plan.close_at",
            "close_at = 2020-01-01T00:00:00Z",
            "open is closed",
        ),
        (
            "the plan closed",
            get("/leaving").bearer(&world.token().text()),
            "subscription subscription_closed",
            "api.plan.close_at",
            "close_at = 2020-01-01T00:00:00Z",
            "the plan gold is closed",
        ),
    ]
}

#[test]
fn a_plan_is_shown_as_it_is_at_the_moment_that_is_asked_about() {
    let world = World::start();
    for (path, at, expected) in [
        (
            "/coming",
            "2999-01-01T00:00:00Z",
            &["open, keyless, published"][..],
        ),
        (
            "/leaving",
            "2018-12-31T00:00:00Z",
            &[
                "gold, jwt, published, deprecated from 2019-01-01T00:00:00Z, in 1 d, closed from \
                 2020-01-01T00:00:00Z, in 366 d",
                "silver, jwt, published",
            ],
        ),
        (
            "/leaving",
            "2019-01-02T00:00:00Z",
            &[
                "gold, jwt, deprecated since 2019-01-01T00:00:00Z, 1 d ago, closed from 2020-01-01T00:00:00Z, in 364 d",
                "silver, jwt, published",
            ],
        ),
        (
            "/leaving",
            "2020-01-01T00:00:00Z",
            &["gold, jwt, closed", "silver, jwt, published"],
        ),
    ] {
        let args = ["--url", path, "--at", at, "--offline"].map(ToOwned::to_owned);
        let (explanation, _) = explained(world.gateway.directory(), &args, "");
        let stages = explanation["stages"].as_array().unwrap();
        let credential = stages
            .iter()
            .find(|stage| stage["stage"] == "credential")
            .unwrap();
        let facts = credential["facts"].as_array().unwrap().iter();
        let plans: Vec<&Value> = facts.filter(|fact| fact["fact"] == "plan").collect();
        let texts: Vec<&str> = plans.iter().map(|plan| plan["text"].as_str().unwrap()).collect();
        assert_eq!(texts, expected, "{path} at {at}");
        for plan in plans {
            let closes = plan["value"]["close_at"].as_str();
            let dated = plan["value"]["plan"] == "gold";
            assert_eq!(closes, dated.then_some("2020-01-01T00:00:00Z"), "{path} at {at}");
        }
    }
}
