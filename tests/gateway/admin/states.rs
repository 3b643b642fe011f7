//! Every state of plan, application and subscription, under every kind of credential: what exactly is answered.
//!
//! The subscriptions are made and led to their states by the admin API, each by an application of its own, and the plans
//! are moved after that. Beside the lone plan of each stage stand two that have a published plan as neighbour: an API of
//! which nothing is on offer does not exist, and that would hide what is said of one plan.

use serde_json::json;

use super::{Scene, json_body};
use crate::harness::{Connection, get, request};

/// The APIs, each named for the stage of its plans `gold`, for tokens, and `partner`, for API keys; the last two have
/// another plan beside them.
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
active     accepted     key        | route_not_found  ok                        ok                        route_not_found  missing_credentials     missing_credentials
active     paused       key        | route_not_found  subscription_paused       subscription_paused       route_not_found  missing_credentials     missing_credentials
active     closed       key        | route_not_found  subscription_closed       subscription_closed       route_not_found  missing_credentials     missing_credentials
active     not_started  key        | route_not_found  subscription_not_started  subscription_not_started  route_not_found  missing_credentials     missing_credentials
active     ended        key        | route_not_found  subscription_ended        subscription_ended        route_not_found  missing_credentials     missing_credentials
suspended  accepted     key        | route_not_found  application_suspended     application_suspended     route_not_found  missing_credentials     missing_credentials
suspended  paused       key        | route_not_found  application_suspended     application_suspended     route_not_found  missing_credentials     missing_credentials
suspended  closed       key        | route_not_found  application_suspended     application_suspended     route_not_found  missing_credentials     missing_credentials
active     accepted     revoked    | route_not_found  invalid_api_key           invalid_api_key           route_not_found  missing_credentials     missing_credentials
active     paused       revoked    | route_not_found  invalid_api_key           invalid_api_key           route_not_found  missing_credentials     missing_credentials
suspended  accepted     revoked    | route_not_found  invalid_api_key           invalid_api_key           route_not_found  missing_credentials     missing_credentials
active     accepted     over       | route_not_found  invalid_api_key           invalid_api_key           route_not_found  missing_credentials     missing_credentials
active     accepted     elsewhere  | route_not_found  invalid_api_key           invalid_api_key           route_not_found  missing_credentials     missing_credentials
active     accepted     unknown    | route_not_found  invalid_api_key           invalid_api_key           route_not_found  missing_credentials     missing_credentials
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
[[api.plan]]
name = "partner"
security = "api_key"
validation = "manual"
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
fn subscribe(scene: &Scene, application: &str, (api, plan): (&str, &str), state: &str) {
    let mut new = json!({ "application": application, "api": api, "plan": plan });
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
    let id = format!("{application}:{api}:{plan}");
    for step in steps {
        let done = scene.act(&format!("/v1/subscriptions/{id}/{step}"));
        assert_eq!(done.status, 200, "{}", done.text());
        // Keys are given out as long as there is a subscription that they can be for.
        if (plan, *step) == ("partner", "accept") {
            give_keys(scene, &id);
        }
    }
}

/// Which plan a credential is for.
fn plan(credential: &str) -> &'static str {
    match credential {
        "token" | "expired" | "nothing" => "gold",
        _ => "partner",
    }
}

/// A good key, one that was taken back, and one whose time is over.
fn give_keys(scene: &Scene, subscription: &str) {
    for kind in ["key", "revoked", "over"] {
        let mut new = json!({ "key": key(kind, subscription) });
        if kind == "over" {
            new["expires_at"] = json!("2999-01-01T00:00:00Z");
        }
        let made = scene.post(&format!("/v1/subscriptions/{subscription}/keys"), &new);
        assert_eq!(made.status, 201, "{}", made.text());
        let path = format!("/v1/keys/{}", made.json()["id"].as_str().unwrap());
        let ended = match kind {
            "revoked" => scene.act(&format!("{path}/revoke")),
            "over" => {
                let end = request("PUT", &path).body(r#"{"expires_at":"2020-01-01T00:00:00Z"}"#);
                scene.tell(json_body(end).header("If-Match", "*"))
            }
            _ => continue,
        };
        assert_eq!(ended.status, 200, "{}", ended.text());
    }
}

/// The text of a key: a given one, so that the table can name it.
fn key(kind: &str, subscription: &str) -> String {
    format!("{kind}-{}", subscription.replace(':', "."))
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
        let plan = plan(row[2]);
        let application = format!("{standing}-{state}-{plan}");
        if !known.insert(application.clone()) {
            continue;
        }
        assert_eq!(scene.application(&application).status, 201);
        for api in STAGES {
            subscribe(&scene, &application, (api, plan), state);
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
        for plan in ["gold", "partner"] {
            assert_eq!(scene.act(&format!("/v1/plans/{api}/{plan}/{step}")).status, 200);
        }
    }

    let mut caller = Connection::open(scene.gateway.address());
    let mut asked = 0;
    let mut wrong = Vec::new();
    for row in &rows {
        let [standing, state, credential, expected @ ..] = row.as_slice() else {
            panic!("a row has three states first: {row:?}");
        };
        assert_eq!(expected.len(), STAGES.len(), "{row:?}");
        let plan = plan(credential);
        let application = format!("{standing}-{state}-{plan}");
        for (api, expected) in STAGES.iter().zip(expected) {
            let request = get(&format!("/{api}/1"));
            let token = scene.acme.token().client(&format!("{application}-app"));
            let request = match *credential {
                "token" => request.bearer(&token.text()),
                "expired" => request.bearer(&token.expired().text()),
                "nothing" => request,
                "unknown" => request.header("X-Api-Key", "a-key-that-nobody-has"),
                "elsewhere" => {
                    let other = STAGES.iter().find(|other| *other != api).unwrap();
                    request.header("X-Api-Key", &key("key", &format!("{application}:{other}:{plan}")))
                }
                kind @ ("key" | "revoked" | "over") => {
                    request.header("X-Api-Key", &key(kind, &format!("{application}:{api}:{plan}")))
                }
                other => panic!("no credential: {other}"),
            };
            let answer = caller.ask(&request);
            let status = match *expected {
                "ok" => 200,
                "route_not_found" => 404,
                "invalid_token" | "invalid_api_key" | "missing_credentials" => 401,
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
    assert!(asked >= 200);
}
