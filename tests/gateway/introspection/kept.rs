//! How long answers count, and how often is asked.
//! The server holds answers back until all who ask are there, and counts questions.

use serde_json::json;

use super::{AuthServer, Says, active, gateway, judged, questions};
use crate::harness::{Connection, Upstream, get, now, wait_until};

#[test]
fn a_thousand_requests_with_one_token_are_one_question() {
    const CALLERS: usize = 1000;
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "timeout = \"20s\"");
    server.knows("one", json!({}));
    server.hold();
    let mut callers: Vec<_> = (0..CALLERS)
        .map(|_| Connection::open(gateway.address()))
        .collect();
    for caller in &mut callers {
        caller.write(&get("/orders/1").bearer("one").bytes());
    }
    wait_until("all of them to wait", || {
        (gateway.metric("tollgate_in_flight_requests", &[]) >= CALLERS as f64).then_some(())
    });
    server.release();
    for caller in &mut callers {
        let answer = caller.read().expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(server.asked(), ["one"]);
    assert_eq!(questions(&gateway, "active"), 1.0);
    // And as many that are nothing.
    server.hold();
    for caller in &mut callers {
        caller.write(&get("/orders/1").bearer("nothing").bytes());
    }
    wait_until("all of them to wait", || {
        (gateway.metric("tollgate_in_flight_requests", &[]) >= CALLERS as f64).then_some(())
    });
    server.release();
    for caller in &mut callers {
        assert_eq!(caller.read().expect("an answer").status, 401);
    }
    assert_eq!(server.asked(), ["nothing"]);
}

#[test]
fn an_answer_counts_until_the_token_ends_or_the_answer_is_old() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "cache_ttl = \"1s\"\nnegative_ttl = \"1s\"");
    let twice = |token: &str| {
        server.take();
        let asked = wait_until("a second question", || {
            let found = judged(&gateway, "/orders/1", token);
            let asked = server.take().len();
            (asked > 0).then_some((found.0, asked))
        });
        assert_eq!(asked.1, 1);
        asked.0
    };
    // Taken back at the server: that bites when the answer is old.
    server.knows("taken_back", json!({ "exp": null }));
    assert_eq!(judged(&gateway, "/orders/1", "taken_back").0, 200);
    server.says("taken_back", Says::json(&json!({ "active": false })));
    assert_eq!(twice("taken_back"), 401);
    // Not known yet, and then it is.
    assert_eq!(judged(&gateway, "/orders/1", "later").0, 401);
    server.knows("later", json!({}));
    assert_eq!(twice("later"), 200);
}

#[test]
fn an_answer_counts_no_longer_than_its_token() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "cache_ttl = \"1h\"");
    server.says("short", Says::json(&active(json!({ "exp": now() + 2 }))));
    assert_eq!(judged(&gateway, "/orders/1", "short").0, 200);
    assert_eq!(server.asked(), ["short"]);
    server.says("short", Says::json(&json!({ "active": false })));
    wait_until("the token to end", || {
        (judged(&gateway, "/orders/1", "short").0 == 401).then_some(())
    });
    assert_eq!(server.asked(), ["short"]);
    // The same is remembered for as long as it may be.
    server.knows("long", json!({}));
    for _ in 0..20 {
        assert_eq!(judged(&gateway, "/orders/1", "long").0, 200);
    }
    assert_eq!(server.asked(), ["long"]);
    let hits = gateway.metric("tollgate_token_cache_hits_total", &[]);
    assert!(hits >= 19.0, "{hits}");
    let kept = |state| {
        let labels = [("issuer", super::ISSUER), ("state", state)];
        gateway.metric("tollgate_introspection_answers", &labels)
    };
    assert_eq!((kept("active"), kept("inactive")), (2.0, 1.0));
}
