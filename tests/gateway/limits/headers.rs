//! What callers are told of their limits, on every answer, and when to come again; and what operators read of it.
//! A month's reset depends on the day of the test, so it has bounds; everything else is exact.

use crate::harness::{Answer, Request, Response, Upstream, get, post, respond};
use crate::limits::{Scene, api, application, config, keyless};

/// Limit, remaining, reset.
fn told(answer: &Response) -> (Option<String>, Option<String>, Option<u64>) {
    let field = |name: &str| answer.header(name).map(ToOwned::to_owned);
    (
        field("ratelimit-limit"),
        field("ratelimit-remaining"),
        field("ratelimit-reset").map(|seconds| seconds.parse().unwrap()),
    )
}

fn numbers(answer: &Response) -> (u64, u64) {
    let (limit, remaining, _) = told(answer);
    (
        limit.unwrap().parse().unwrap(),
        remaining.unwrap().parse().unwrap(),
    )
}

#[test]
fn every_answer_under_a_limit_says_what_is_left() {
    let month = "quota = { requests = 100, per = \"month\" }";
    let tables = [
        api("orders", "", month),
        api(
            "tight",
            "quota = { requests = 50, per = \"month\" }",
            "rate = { requests = 9, per = \"1m\" }",
        ),
        api("down", "", month).replace("\"sample\"", "\"nobody\""),
        api("free", "", ""),
        application("mobile", "", &["orders", "tight", "down", "free"]),
    ];
    let scene = Scene::start(&tables.concat());
    let token = scene.acme.token().client("mobile-app").text();
    let with = |request: Request| scene.send(&request.bearer(&token));
    // Whichever way an answer comes: the short one, the long one, an upstream's error, our own.
    let mut left = 100;
    for (request, status) in [
        (get("/orders/x"), 200),
        (crate::harness::request("HEAD", "/orders/x"), 200),
        (post("/orders/x", "body"), 200),
        (get("/orders/failing"), 500),
        (get("/orders/reset"), 502),
        (post("/orders/reset", ""), 502),
    ] {
        left -= 1;
        let answer = with(request.clone());
        assert_eq!(answer.status, status);
        assert_eq!(numbers(&answer), (100, left), "{} {answer:?}", request.target());
        let (_, _, reset) = told(&answer);
        assert!((1..=31 * 86_400).contains(&reset.unwrap()), "{answer:?}");
        assert_eq!(answer.header("retry-after"), None);
    }
    assert_eq!(numbers(&with(get("/down/x"))), (100, 99));
    // Of several limits it is the tightest.
    for remaining in (0..9).rev() {
        assert_eq!(numbers(&with(get("/tight/x"))), (9, remaining));
    }
    let refused = with(get("/tight/x"));
    assert_eq!((refused.status, numbers(&refused)), (429, (9, 0)));
    let retry: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=7).contains(&retry), "one in 6.7 seconds: {retry}");
    let (_, _, reset) = told(&refused);
    assert!((54..=60).contains(&reset.unwrap()), "{reset:?}");
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.json()["status"], 429);
    assert_eq!(refused.json()["title"], "Too Many Requests");
    // Nothing where there is no limit, or nobody came to it.
    let none = (None, None, None);
    assert_eq!(told(&with(get("/free/x"))), none);
    assert_eq!(told(&scene.send(&get("/orders/x"))), none);
}

#[test]
fn what_an_upstream_says_of_its_own_limits_is_replaced_where_there_is_one() {
    let upstream = Upstream::answering(|_| {
        let fields = [
            ("RateLimit-Limit", "7"),
            ("RateLimit-Remaining", "7"),
            ("RateLimit", "limit=7"),
            ("RateLimit-Policy", "7;w=1"),
            ("X-RateLimit-Limit", "7"),
        ];
        Answer::Bytes(respond(200, &fields, "{}"))
    });
    let tables = [
        keyless("free", ""),
        keyless("open", "rate = { requests = 5, per = \"1m\" }"),
    ]
    .concat();
    let gateway = crate::harness::Gateway::start_with(
        &config(&upstream, &tables),
        &[(
            "acme.json",
            &crate::harness::Issuer::new("https://acme.example/", "k1", tollgate::token::Algorithm::Es256)
                .jwks(),
        )],
    );
    for request in [get("/open/x"), post("/open/x", "")] {
        let answer = request.send(gateway.address());
        assert_eq!(answer.headers_named("ratelimit-limit"), ["5"]);
        assert_eq!(answer.headers_named("ratelimit-remaining").len(), 1);
        assert_eq!(
            (answer.header("ratelimit"), answer.header("ratelimit-policy")),
            (None, None)
        );
        assert_eq!(answer.header("x-ratelimit-limit"), Some("7"));
    }
    let answer = get("/free/x").send(gateway.address());
    assert_eq!(
        (answer.header("ratelimit-limit"), answer.header("ratelimit")),
        (Some("7"), Some("limit=7"))
    );
}

#[test]
fn grpc_callers_read_that_their_resources_are_exhausted() {
    let tables = [
        keyless("rate", "rate = { requests = 1, per = \"1m\" }"),
        keyless("quota", "quota = { requests = 1, per = \"month\" }"),
    ];
    let scene = Scene::start(&tables.concat());
    for (api, code, detail) in [
        ("rate", "rate_limited", "Too many requests in a short time."),
        ("quota", "quota_exceeded", "The quota of this period is used up."),
    ] {
        let ask = || scene.send(&post(&format!("/{api}/x"), "").header("Content-Type", "application/grpc"));
        let passed = ask();
        assert_eq!((passed.status, passed.header("grpc-status")), (200, None));
        let refused = ask();
        assert_eq!((refused.status, refused.text().as_str()), (200, ""));
        for (name, value) in [
            ("grpc-status", "8"),
            ("grpc-message", detail),
            ("x-problem-code", code),
            ("ratelimit-limit", "1"),
            ("ratelimit-remaining", "0"),
        ] {
            assert_eq!(refused.header(name), Some(value), "{api}: {refused:?}");
        }
        assert!(refused.header("retry-after").is_some());
        let line = scene.line(&refused);
        assert_eq!(
            (&line["outcome"], &line["limit_level"]),
            (&code.into(), &"client".into())
        );
    }
}

#[test]
fn what_limits_said_is_counted_and_recorded() {
    let tables = [
        api(
            "orders",
            "concurrency = 100",
            "rate = { requests = 3, per = \"1m\" }\nquota = { requests = 50, per = \"month\" }",
        ),
        api(
            "soft",
            "",
            "quota = { requests = 2, per = \"month\" }\non_exceed = \"report\"",
        ),
        application("mobile", "", &["orders", "soft"]),
    ];
    let scene = Scene::start(&tables.concat());
    let orders = scene.request("/orders/", "mobile");
    assert_eq!(scene.count(&orders), (3, "rate_limited".to_owned()));
    let soft = scene.request("/soft/", "mobile");
    assert_eq!(scene.passing(4, &soft).0, 4);
    let last = scene.send(&soft);
    assert_eq!((last.status, numbers(&last)), (200, (2, 0)));
    let line = scene.line(&last);
    assert_eq!(
        (&line["outcome"], &line["limit_level"], &line["limit_kind"]),
        (&"permit".into(), &"plan".into(), &"quota".into())
    );
    let count = |api: &str, kind: &str, outcome: &str| {
        let labels = [
            ("api", api),
            ("plan", "gold"),
            ("kind", kind),
            ("outcome", outcome),
        ];
        scene.gateway.metric("tollgate_limit_decisions_total", &labels)
    };
    for (api, kind, outcome, expected) in [
        ("orders", "rate", "admitted", 3.0),
        ("orders", "rate", "denied", 1.0),
        ("orders", "quota", "admitted", 3.0),
        ("orders", "quota", "denied", 0.0),
        ("orders", "concurrency", "admitted", 3.0),
        ("soft", "quota", "admitted", 2.0),
        ("soft", "quota", "reported", 3.0),
    ] {
        assert_eq!(count(api, kind, outcome), expected, "{api} {kind} {outcome}");
    }
}
