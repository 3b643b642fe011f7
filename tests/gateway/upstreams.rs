//! Upstreams that are down, dying or strange: a request goes to another peer when nothing was sent yet, and whatever an
//! upstream does, the caller gets one final answer, which is also the one that is logged and counted.

use crate::harness::{Answer, Gateway, Upstream, closed_port, get, post, request, respond};

fn config(peers: &str, more: &str) -> String {
    format!(
        "[[upstream]]\nname = \"sample\"\npeers = [{peers}]\n{more}\n\
         [[api]]\nname = \"open\"\ncontext_path = \"/\"\nupstream = \"sample\"\nbody_bytes_max = 1000\n\
         [[api.plan]]\nname = \"free\"\nsecurity = \"keyless\"\n"
    )
}

#[test]
fn a_dead_peer_costs_nobody_a_request() {
    let (dead, alive) = (closed_port(), Upstream::start());
    let peers = format!("{{ address = \"{dead}\", weight = 3 }}, \"{}\"", alive.address());
    let gateway = Gateway::start(&config(&peers, ""));
    for _ in 0..20 {
        // Nothing was sent to the dead peer, so a POST may be tried again as well.
        assert_eq!(get("/echo").send(gateway.address()).status, 200);
        assert_eq!(post("/echo", "tea").send(gateway.address()).status, 200);
    }
    assert_eq!(alive.take().len(), 40);
    let gateway = Gateway::start(&config(&peers, "retries = 0"));
    let refused = (0..8)
        .filter(|_| get("/echo").send(gateway.address()).status == 502)
        .count();
    assert_eq!(
        refused, 6,
        "without retries each peer answers for itself: three turns of four are lost"
    );
}

#[test]
fn peers_take_turns_by_weight() {
    let (light, heavy) = (Upstream::start(), Upstream::start());
    let peers = format!(
        "\"{}\", {{ address = \"{}\", weight = 3 }}",
        light.address(),
        heavy.address()
    );
    let gateway = Gateway::start(&config(&peers, ""));
    for _ in 0..40 {
        assert_eq!(get("/echo").send(gateway.address()).status, 200);
    }
    assert_eq!((light.take().len(), heavy.take().len()), (10, 30));
}

#[test]
fn an_interim_answer_is_no_answer() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    let upstream = Upstream::answering(move |received| {
        let last = respond(200, &[], "done");
        match received.target.as_str() {
            "/hints" => Answer::Bytes([early.as_bytes(), &last].concat()),
            "/dies" => Answer::BytesThenClose(early.as_bytes().to_vec()),
            "/storm" => Answer::BytesThenClose([early.repeat(200).as_bytes(), &last].concat()),
            _ => Answer::Bytes(last),
        }
    });
    let gateway = Gateway::start(&config(&format!("\"{}\"", upstream.address()), ""));
    for (path, status) in [("/hints", 200), ("/dies", 502), ("/storm", 502), ("/", 200)] {
        let answer = get(path).header("Connection", "close").send(gateway.address());
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(gateway.access_line(&answer)["status"], status, "{path}");
    }
    let counted = |class| {
        gateway.metric(
            "tollgate_requests_total",
            &[("api", "open"), ("plan", "free"), ("status_class", class)],
        )
    };
    assert_eq!((counted("2xx"), counted("5xx")), (2.0, 2.0));
    // The last word of a request that is told to go on and then goes on too long.
    let answer = request("POST", "/")
        .header("Expect", "100-continue")
        .chunked("x".repeat(1600).as_bytes())
        .send(gateway.address());
    assert_eq!((answer.status, answer.code()), (413, "body_too_large".to_owned()));
}
