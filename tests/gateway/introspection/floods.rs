//! Tokens that strangers make up: they cost the server little, and good callers nothing.
//! Connections and questions at the server are counted, not times.

use std::net::IpAddr;

use serde_json::json;

use super::{AuthServer, FROM_FILE, api, issuer, judged, questions};
use crate::harness::{Connection, Gateway, Upstream, get, wait_until};

const CALLER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 1, 1));

#[test]
fn made_up_tokens_of_one_network_are_asked_about_as_far_as_its_budget_goes() {
    const TOKENS: usize = 2000;
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let config =
        "[server]\nforgery_hold = \"0s\"\n".to_owned() + &issuer(&server, FROM_FILE) + &api(&upstream);
    let gateway = Gateway::start_with(&config, &[("secret.txt", super::SECRET)]);
    server.knows("good", json!({}));
    let mut flood = Connection::open(gateway.address());
    let mut refused = 0;
    for number in 0..TOKENS {
        let answer = flood.ask(&get("/orders/1").bearer(&format!("made-up-{number}")));
        match (answer.status, &*answer.code()) {
            (401, "invalid_token") => {}
            (503, "verification_overloaded") => {
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > TOKENS / 4, "{refused} of {TOKENS} were refused");
    assert_eq!(server.asked().len(), TOKENS - refused);
    // Somebody from another network is asked about at once.
    let answer = Connection::from(CALLER, gateway.address()).ask(&get("/orders/1").bearer("good"));
    assert_eq!(answer.status, 200);
    // And what is remembered was never in question.
    assert_eq!(judged(&gateway, "/orders/1", "good").0, 200);
}

#[test]
fn one_network_cannot_take_all_open_questions() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let asked = format!("{FROM_FILE}\nconcurrency = 8\ntimeout = \"20s\"");
    let config =
        "[server]\nforgery_budget = \"off\"\n".to_owned() + &issuer(&server, &asked) + &api(&upstream);
    let gateway = Gateway::start_with(&config, &[("secret.txt", super::SECRET)]);
    server.hold();
    let flood = (0..40).map(|number| {
        let mut caller = Connection::open(gateway.address());
        caller.write(&get("/orders/1").bearer(&format!("made-up-{number}")).bytes());
        caller
    });
    let mut flood: Vec<_> = flood.collect();
    let mut other = Connection::from(CALLER, gateway.address());
    wait_until("all of them to wait", || {
        (gateway.metric("tollgate_in_flight_requests", &[]) >= 40.0).then_some(())
    });
    server.knows("good", json!({}));
    other.write(&get("/orders/1").bearer("good").bytes());
    // Two questions of the flood are open, and this one: three connections and no more.
    wait_until("the good token to be asked about", || {
        (server.connections() == 3).then_some(())
    });
    server.release();
    assert_eq!(other.read().expect("an answer").status, 200);
    for caller in &mut flood {
        assert_eq!(caller.read().expect("an answer").status, 401);
    }
    assert_eq!(questions(&gateway, "inactive"), 40.0);
}
