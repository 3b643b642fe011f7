//! Refusals and failures as a caller of gRPC gets them: 200, no body, and a status that its library understands.
//!
//! Each row is a request as it would be sent without gRPC, too: the answer there says which fields must be here as well.

use crate::harness::{Connection, Request, get, post, request};
use crate::world::World;

/// Fields that both answers have.
const CONTRACT: [&str; 4] = ["WWW-Authenticate", "Allow", "Retry-After", "Cache-Control"];

fn grpc(request: Request) -> Request {
    request.header("Content-Type", "application/grpc+proto")
}

/// What is asked, and the status of gRPC's.
fn rows(world: &World) -> Vec<(Request, &'static str)> {
    let token = world.token().text();
    let many = (0..120).fold(post("/public/x", ""), |request, n| {
        request.header(&format!("X-{n}"), "1")
    });
    vec![
        // invalid_request, missing_credentials, invalid_token: UNAUTHENTICATED
        (post("/free/x", "").bearer(&token).bearer(&token), "16"),
        (post("/free/x", ""), "16"),
        (post("/free/x", "").bearer("nonsense"), "16"),
        (
            post("/sources/x?access_token=nonsense", "").header("X-Access-Token", "x"),
            "16",
        ),
        // invalid_api_key: UNAUTHENTICATED, too
        (post("/keyed/x", "").header("X-Api-Key", "no-such-key"), "16"),
        // subscription_not_found, insufficient_scope: PERMISSION_DENIED
        (
            post("/orders/", "").bearer(&world.token().client("stranger-app").text()),
            "7",
        ),
        (get("/orders/menu/1").bearer(&token), "7"),
        // route_not_found: NOT_FOUND
        (post("/nowhere", ""), "5"),
        // method_not_allowed, method_refused: UNIMPLEMENTED
        (post("/orders/menu/1", "").bearer(&token), "12"),
        (request("TRACE", "/public/x"), "12"),
        // body_too_large, announced and found out; target_too_long, fields_too_large: RESOURCE_EXHAUSTED
        (post("/free/x", [b'x'; 101]).bearer(&token), "8"),
        (
            request("POST", "/free/x").bearer(&token).chunked(&[b'x'; 101]),
            "8",
        ),
        (post(&format!("/public/{}", "x".repeat(8200)), ""), "8"),
        (many, "8"),
        // bad_request: INTERNAL, as for every 400 that is not understood
        (post("/orders//", ""), "13"),
        // request_timeout: DEADLINE_EXCEEDED
        (request("POST", "/mixed/").header("Content-Length", "5"), "4"),
        // keys_unavailable, upstream_error, upstream_timeout: UNAVAILABLE
        (post("/dark", "").bearer(&world.dark.token().text()), "14"),
        (post("/refused/x", ""), "14"),
        (post("/public/reset", ""), "14"),
        (post("/impatient/silent", ""), "14"),
    ]
}

#[test]
fn a_refusal_says_in_fields_what_a_problem_says_in_its_body() {
    let world = World::start();
    for (request, expected) in rows(&world) {
        let problem = world.send(&request);
        let code = problem.code();
        let detail = problem.json()["detail"].as_str().unwrap().to_owned();
        let answer = world.send(&grpc(request.clone()));
        let what = format!("{} {code}: {answer:?}", request.target());
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{what}");
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("content-length", "0"),
            ("grpc-status", expected),
            // The sentences have nothing that must be encoded.
            ("grpc-message", &detail),
            ("x-problem-code", &code),
        ] {
            assert_eq!(answer.header(name), Some(value), "{what}");
        }
        for name in CONTRACT {
            assert_eq!(answer.header(name), problem.header(name), "{what}");
        }
        assert_eq!(answer.header("x-problem-reason"), None, "{what}");
        let line = world.gateway.access_line(&answer);
        let plain = world.gateway.access_line(&problem);
        assert_eq!(line["status"], 200, "{what}");
        assert_eq!(line["grpc_status"].to_string(), expected, "{what}");
        for name in ["outcome", "reason", "api", "plan"] {
            assert_eq!(line[name], plain[name], "{what}");
        }
        assert!(plain["grpc_status"].is_null(), "{plain}");
    }
}

#[test]
fn a_refusal_is_counted_as_one_whatever_status_it_was_told_with() {
    let world = World::start();
    let refused = [
        ("4xx", post("/free/x", "")),
        ("4xx", post("/nowhere", "")),
        ("5xx", post("/public/reset", "")),
    ];
    for (_, request) in &refused {
        world.send(&grpc(request.clone()));
        world.send(request);
    }
    assert_eq!(world.send(&grpc(post("/public/x", ""))).status, 200);
    let count = |class| {
        world
            .gateway
            .metric("tollgate_requests_total", &[("status_class", class)])
    };
    // The line is written after the count.
    crate::harness::wait_until("the access log", || {
        (world.gateway.access_lines().len() == 7).then_some(())
    });
    assert_eq!((count("2xx"), count("4xx"), count("5xx")), (1.0, 4.0, 2.0));
    let denied = |code| {
        world
            .gateway
            .metric("tollgate_decisions_total", &[("outcome", code)])
    };
    assert_eq!(
        (denied("missing_credentials"), denied("route_not_found")),
        (2.0, 2.0)
    );
}

#[test]
fn only_grpc_is_answered_so_and_the_upstream_answers_for_itself() {
    let world = World::start();
    for kind in [
        "application/grpc-web",
        "application/json",
        "application/grpcs",
        "",
    ] {
        let answer = world.send(&post("/free/x", "").header("Content-Type", kind));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "missing_credentials"),
            "{kind}"
        );
        assert_eq!(answer.header("grpc-status"), None, "{kind}");
    }
    for kind in [
        "application/grpc",
        "Application/GRPC;v=1",
        "application/grpc+json",
    ] {
        let answer = world.send(&post("/free/x", "").header("Content-Type", kind));
        assert_eq!(answer.header("grpc-status"), Some("16"), "{kind}");
        let answer = world.send(&post("/public/x", "").header("Content-Type", kind));
        assert_eq!(
            (answer.status, answer.header("grpc-status")),
            (200, None),
            "{kind}"
        );
    }
    let answer = world.send(&grpc(post("/public/failing", "")));
    assert_eq!((answer.status, answer.header("grpc-status")), (500, None));
}

#[test]
fn a_refusal_keeps_the_connection_and_tells_the_reason_where_that_is_wanted() {
    let world = World::start_with("verbose_errors = true\n");
    let mut connection = Connection::open(world.gateway.address());
    for _ in 0..3 {
        let answer = connection.ask(&grpc(get("/free/x").bearer("nonsense")));
        assert_eq!(answer.header("grpc-status"), Some("16"));
        assert_eq!(answer.header("x-problem-reason"), Some("parts_malformed"));
    }
}
