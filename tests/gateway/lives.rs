//! Lives of plans, from outside: what is answered under a deprecated plan says so, a date counts without a reload, and what
//! a plan asks for stays.

use tollgate::time::Clock;
use tollgate::token::Algorithm;

use crate::harness::{
    Answer, Connection, Gateway, Issuer, Request, Upstream, closed_port, get, post, respond, wait_until,
};

const HEAD: &str = r#"
[[issuer]]
name = "https://acme.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "acme.json"

[[upstream]]
name = "sample"
peers = ["{UPSTREAM}"]

[[upstream]]
name = "nobody"
peers = ["{CLOSED}"]

[[application]]
id = "mobile"
client_ids = ["mobile-app"]

[[application]]
id = "paused"
client_ids = ["paused-app"]
"#;

const OLD: &str = r#"
[[api]]
name = "old"
context_path = "/old"
upstream = "sample"
body_bytes_max = 10

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/"]
deprecate_at = 2020-09-13T12:26:40.9Z
close_at = 2999-12-31T23:59:59+01:00

[[api.route]]
path = "/{*rest}"
[[api.route]]
path = "/scoped"
scopes = ["menu:read"]
[[api.route]]
path = "/refused"
upstream = "nobody"

[[api]]
name = "undated"
context_path = "/undated"
upstream = "sample"
[[api.plan]]
name = "open"
security = "keyless"
stage = "deprecated"

[[api]]
name = "present"
context_path = "/present"
upstream = "sample"
[[api.plan]]
name = "open"
security = "keyless"
deprecate_at = 2999-12-31T00:00:00Z
close_at = 2999-12-31T23:59:59Z

[[subscription]]
application = "mobile"
api = "old"
plan = "gold"

[[subscription]]
application = "paused"
api = "old"
plan = "gold"
status = "paused"
"#;

/// An upstream whose answers have these two fields already, below `/own`.
fn upstream() -> Upstream {
    Upstream::answering(|request| {
        let own = [("Deprecation", "@1"), ("Sunset", "Thu, 01 Jan 1970 00:00:00 GMT")];
        let fields = if request.target.ends_with("/own") {
            &own[..]
        } else {
            &[]
        };
        Answer::Bytes(respond(200, fields, ""))
    })
}

fn start(upstream: &Upstream, acme: &Issuer, more: &str) -> (Gateway, String) {
    let head = HEAD
        .replace("{UPSTREAM}", &upstream.address().to_string())
        .replace("{CLOSED}", &closed_port().to_string());
    let config = format!("{head}{more}");
    (
        Gateway::start_with(&config, &[("acme.json", &acme.jwks())]),
        config,
    )
}

fn acme() -> Issuer {
    Issuer::new("https://acme.example/", "k1", Algorithm::Es256)
}

#[test]
fn what_is_answered_under_a_deprecated_plan_says_so() {
    let (upstream, acme) = (upstream(), acme());
    let (gateway, _) = start(&upstream, &acme, OLD);
    let token = acme.token().text();
    let with = |request: Request| request.bearer(&token);
    let both = (Some("@1600000000"), Some("Tue, 31 Dec 2999 22:59:59 GMT"));
    let own = (Some("@1"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    let neither = (None, None);
    for (request, status, (deprecation, sunset)) in [
        (with(get("/old/x")), 200, both),
        (with(get("/old/own")), 200, both),
        // Refusals and failures, too, if it was the caller's plan.
        (with(get("/old/scoped")), 403, both),
        (with(get("/old/refused")), 502, both),
        (with(post("/old/x", "more than ten")), 413, both),
        (get("/old/x"), 401, neither),
        (
            get("/old/x").bearer(&acme.token().client("nobody").text()),
            403,
            neither,
        ),
        (
            get("/old/x").bearer(&acme.token().client("paused-app").text()),
            403,
            neither,
        ),
        (get("/undated/x"), 200, (Some("@0"), None)),
        (get("/undated/own"), 200, (Some("@0"), own.1)),
        (get("/present/x"), 200, neither),
        (get("/present/own"), 200, own),
        (get("/nowhere"), 404, neither),
    ] {
        for grpc in [false, true] {
            let request = match grpc {
                true => request.clone().header("Content-Type", "application/grpc"),
                false => request.clone(),
            };
            let answer = request.send(gateway.address());
            let what = format!("{} grpc {grpc}: {answer:?}", request.target());
            assert_eq!(answer.status, if grpc { 200 } else { status }, "{what}");
            assert_eq!(
                answer.headers_named("deprecation"),
                Vec::from_iter(deprecation),
                "{what}"
            );
            assert_eq!(answer.headers_named("sunset"), Vec::from_iter(sunset), "{what}");
        }
    }
}

fn millis() -> i64 {
    Clock.now().millis()
}

#[test]
fn a_date_counts_from_its_moment_on_without_a_reload() {
    let (upstream, acme) = (upstream(), acme());
    // Far enough away that the gateway answers before it.
    let moment = millis() + 4000;
    let date = jiff::Timestamp::from_millisecond(moment).unwrap();
    let api = |name: &str, life: &str| {
        format!(
            "[[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"sample\"\n\
             [[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n{life} = {date}\n"
        )
    };
    let apis = [
        api("coming", "publish_at"),
        api("going", "close_at"),
        api("ageing", "deprecate_at"),
    ]
    .concat();
    let (gateway, _) = start(&upstream, &acme, &apis);
    let mut connection = Connection::open(gateway.address());
    let mut ask = |path: &str| {
        let answer = connection.ask(&get(path));
        (answer.status, answer.header("deprecation").is_some())
    };
    let paths = ["/coming", "/going", "/ageing"];
    let before = [(404, false), (200, false), (200, false)];
    let from = [(200, false), (404, false), (200, true)];
    let mut seen_before = 0;
    wait_until("the date to come", || {
        let began = millis();
        let answers = paths.map(&mut ask);
        // The clock of both is the same; who asked before and was answered after may have got either.
        if millis() < moment {
            assert_eq!(answers, before);
            seen_before += 1;
        }
        if began >= moment {
            assert_eq!(answers, from);
        }
        (began >= moment).then_some(())
    });
    assert!(
        seen_before > 0,
        "the gateway was too slow to be asked before the date"
    );
    let log = gateway.log_lines();
    assert!(
        !log.iter().any(|line| line.contains("configuration_applied")),
        "{log:#?}"
    );
}

#[test]
fn what_a_plan_asks_for_stays_while_it_is_in_place() {
    let (upstream, acme) = (upstream(), acme());
    let api = |plan: &str, security: &str| {
        format!(
            "[[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\nupstream = \"sample\"\n\
             [[api.plan]]\nname = \"{plan}\"\n{security}\n"
        )
    };
    let jwt = "security = \"jwt\"\nissuers = [\"https://acme.example/\"]";
    let keyless = "security = \"keyless\"";
    let (gateway, config) = start(&upstream, &acme, &api("gold", jwt));
    let head = config.strip_suffix(&api("gold", jwt)).unwrap();
    let ask = || get("/orders").send(gateway.address()).status;
    assert_eq!(ask(), 401);
    gateway.write_config(&format!("{head}{}", api("gold", keyless)));
    let mistake = gateway.wait_for_log(|line| line["event"] == "configuration_mistake");
    let mistake = mistake["message"].as_str().unwrap();
    assert!(
        mistake.contains("`gold` is in place with `security = \"jwt\"`"),
        "{mistake}"
    );
    gateway.wait_for_log(|line| line["event"] == "configuration_rejected");
    assert_eq!(ask(), 401);
    // Another name is another plan.
    gateway.write_config(&format!("{head}{}", api("open", keyless)));
    gateway.wait_for_log(|line| line["event"] == "configuration_applied");
    assert_eq!(ask(), 200);
}

#[test]
fn what_was_closed_stays_closed_without_a_store_as_well() {
    let (upstream, acme) = (upstream(), acme());
    let api = |life: &str| {
        format!(
            "[[api]]\nname = \"lobby\"\ncontext_path = \"/lobby\"\nupstream = \"sample\"\n\
             [[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n{life}\n"
        )
    };
    let (gateway, config) = start(&upstream, &acme, &api("# nothing"));
    let head = config.strip_suffix(&api("# nothing")).unwrap();
    let ask = || get("/lobby").send(gateway.address()).status;
    assert_eq!(ask(), 200);
    for (generation, life, expected) in [
        (2, "stage = \"staging\"", 404),
        // Until it is closed, what is written holds.
        (3, "stage = \"deprecated\"", 200),
        (4, "stage = \"published\"", 200),
        (5, "close_at = 2020-01-01T00:00:00Z", 404),
        (6, "stage = \"published\"", 404),
        (7, "close_at = 2999-01-01T00:00:00Z", 404),
    ] {
        gateway.write_config(&format!("{head}{}", api(life)));
        gateway.wait_for_log(|line| {
            line["event"] == "configuration_applied" && line["generation"] == generation
        });
        assert_eq!(ask(), expected, "{life}");
    }
}
