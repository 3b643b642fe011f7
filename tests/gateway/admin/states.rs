//! Every state of plan, application and subscription, under every kind of credential: what exactly is answered.
//!
//! The subscriptions are made and led to their states by the admin API, each by an application of its own, and the plans
//! are moved after that. Beside the lone plan of each stage stand two that have a published plan as neighbour: an API of
//! which nothing is on offer does not exist, and that would hide what is said of one plan.

use serde_json::json;

use super::Scene;
use crate::harness::{Connection, get};

/// The APIs, each named for the stage of the plan `gold` in it; the last two have another plan beside it.
const STAGES: [&str; 6] = ["staging", "published", "deprecated", "closed", "hidden", "ended"];

/// Application, subscription, credential; then what is answered by the API of each stage.
const TABLE: &str = "
active     none         token      | route_not_found  subscription_not_found    subscription_not_found    route_not_found  subscription_not_found  subscription_not_found
active     pending      token      | route_not_found  subscription_pending      subscription_pending      route_not_found  subscription_not_found  subscription_closed
active     accepted     token      | route_not_found  ok                        ok                        route_not_found  subscription_not_found  subscription_closed
active     rejected     token      | route_not_found  subscription_rejected     subscription_rejected     route_not_found  subscription_not_found  subscription_closed
active     paused       token      | route_not_found  subscription_paused       subscription_paused       route_not_found  subscription_not_found  subscription_closed
active     closed       token      | route_not_found  subscription_closed       subscription_closed       route_not_found  subscription_not_found  subscription_closed
active     not_started  token      | route_not_found  subscription_not_started  subscription_not_started  route_not_found  subscription_not_found  subscription_closed
active     ended        token      | route_not_found  subscription_ended        subscription_ended        route_not_found  subscription_not_found  subscription_closed
suspended  none         token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  pending      token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  accepted     token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  rejected     token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  paused       token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  closed       token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  not_started  token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
suspended  ended        token      | route_not_found  application_suspended     application_suspended     route_not_found  application_suspended   application_suspended
active     accepted     expired    | route_not_found  invalid_token             invalid_token             route_not_found  invalid_token           invalid_token
active     paused       expired    | route_not_found  invalid_token             invalid_token             route_not_found  invalid_token           invalid_token
suspended  accepted     expired    | route_not_found  invalid_token             invalid_token             route_not_found  invalid_token           invalid_token
active     accepted     nothing    | route_not_found  missing_credentials       missing_credentials       route_not_found  missing_credentials     missing_credentials
";

fn configuration(staging: &str) -> String {
    let mut text = String::new();
    for stage in STAGES {
        let kept_back = if matches!(stage, "staging" | "hidden") {
            staging
        } else {
            ""
        };
        text.push_str(&format!(
            r#"
[[api]]
name = "{stage}"
context_path = "/{stage}"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
validation = "manual"
issuers = ["https://acme.example/"]
{kept_back}
"#
        ));
        if matches!(stage, "hidden" | "ended") {
            text.push_str(
                "[[api.plan]]\nname = \"silver\"\nsecurity = \"jwt\"\nissuers = [\"https://acme.example/\"]\n",
            );
        }
    }
    text
}

/// Leads a new subscription to where the table wants it.
fn subscribe(scene: &Scene, application: &str, api: &str, state: &str) {
    let mut new = json!({ "application": application, "api": api, "plan": "gold" });
    let steps: &[&str] = match state {
        "none" => return,
        "pending" => &[],
        "accepted" => &["accept"],
        "rejected" => &["reject"],
        "paused" => &["accept", "pause"],
        "closed" => &["accept", "close"],
        "not_started" => {
            new["from"] = json!("2999-01-01T00:00:00Z");
            &["accept"]
        }
        "ended" => {
            new["until"] = json!("2020-01-01T00:00:00Z");
            &["accept"]
        }
        other => panic!("no state: {other}"),
    };
    let made = scene.post("/v1/subscriptions", &new);
    assert_eq!(made.status, 201, "{}", made.text());
    for step in steps {
        let done = scene.act(&format!("/v1/subscriptions/{application}:{api}:gold/{step}"));
        assert_eq!(done.status, 200, "{}", done.text());
    }
}

#[test]
fn every_state_of_plan_application_and_subscription_has_its_answer() {
    let scene = Scene::start_with(&configuration(""));
    let rows: Vec<Vec<&str>> = TABLE
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.split([' ', '|']).filter(|word| !word.is_empty()).collect())
        .collect();
    let mut known = std::collections::BTreeSet::new();
    for row in &rows {
        let (standing, state) = (row[0], row[1]);
        let application = format!("{standing}-{state}");
        if !known.insert(application.clone()) {
            continue;
        }
        assert_eq!(scene.application(&application).status, 201);
        for api in STAGES {
            subscribe(&scene, &application, api, state);
        }
        if standing == "suspended" {
            let path = format!("/v1/applications/{application}/suspend");
            assert_eq!(scene.act(&path).status, 200);
        }
    }
    let staged = super::config(&scene.upstream, &configuration("stage = \"staging\""));
    scene.gateway.write_config(&staged);
    scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_applied" && line["generation"] == 2);
    for (api, step) in [
        ("deprecated", "deprecate"),
        ("closed", "close"),
        ("ended", "close"),
    ] {
        assert_eq!(scene.act(&format!("/v1/plans/{api}/gold/{step}")).status, 200);
    }

    let mut caller = Connection::open(scene.gateway.address());
    let mut asked = 0;
    let mut wrong = Vec::new();
    for row in &rows {
        let [standing, state, credential, expected @ ..] = row.as_slice() else {
            panic!("a row has three states first: {row:?}");
        };
        assert_eq!(expected.len(), STAGES.len(), "{row:?}");
        let application = format!("{standing}-{state}");
        for (api, expected) in STAGES.iter().zip(expected) {
            let request = get(&format!("/{api}/1"));
            let token = scene.acme.token().client(&format!("{application}-app"));
            let request = match *credential {
                "token" => request.bearer(&token.text()),
                "expired" => request.bearer(&token.expired().text()),
                "nothing" => request,
                other => panic!("no credential: {other}"),
            };
            let answer = caller.ask(&request);
            let status = match *expected {
                "ok" => 200,
                "route_not_found" => 404,
                "invalid_token" | "missing_credentials" => 401,
                _ => 403,
            };
            let code = if answer.status == 200 {
                "ok".to_owned()
            } else {
                answer.code()
            };
            asked += 1;
            if (answer.status, code.as_str()) != (status, expected) {
                wrong.push(format!(
                    "{standing} {state} {credential} at {api}: {expected}, and not {} {code}",
                    answer.status
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{asked} rows");
    assert!(asked >= 120);
}
