//! Exactly so many pass, at every level and of every kind, and who is refused has used nothing elsewhere.
//! Who is in flight is counted as long as it is, however it ends.

use crate::harness::{Connection, get, post, wait_until};
use crate::limits::{Scene, api, application, keyless};

#[test]
fn every_kind_and_level_admits_exactly_what_it_promises() {
    let month = |requests: u32| format!("quota = {{ requests = {requests}, per = \"month\" }}");
    let minute = |requests: u32| format!("rate = {{ requests = {requests}, per = \"1m\" }}");
    let route = format!(
        "[[api.route]]\npath = \"/limited\"\n{}\n[[api.route]]\npath = \"/free\"\n",
        month(3)
    );
    let tables = [
        api("rate", "", &minute(5)),
        api("burst", "", "rate = { requests = 6, per = \"1m\", burst = 2 }"),
        api("quota", "", &month(7)),
        api(
            "rolling",
            "",
            "quota = { requests = 4, per = \"day\", rolling = true }",
        ),
        api(
            "spike",
            "",
            "spike_arrest = { requests = 6, per = \"1m\", slices = 2 }",
        ),
        api("both", "", &format!("{}\n{}", minute(5), month(3))),
        api(
            "list",
            "",
            "quota = [{ requests = 9, per = \"month\" }, { requests = 2, per = \"month\", rolling = true }]",
        ),
        api("whole", &month(6), ""),
        api("routed", "", "") + &route,
        api("one", "", ""),
        api("two", "", ""),
        api("reported", "", &format!("{}\non_exceed = \"report\"", month(2))),
        api("tiered", "", "tier = \"bronze\""),
        api("own", "", &format!("tier = \"bronze\"\n{}", month(2))),
        "[[tier]]\nname = \"bronze\"\nquota = { requests = 4, per = \"month\" }\n".to_owned(),
        application(
            "mobile",
            "",
            &[
                "rate", "burst", "quota", "rolling", "spike", "both", "list", "whole", "routed", "reported",
                "tiered", "own",
            ],
        ),
        application("desktop", "", &["rate", "quota", "whole", "routed"]),
        application("limited", &month(5), &["one", "two"]),
    ];
    let scene = Scene::start(&tables.concat());
    let count = |path: &str, application: &str| {
        let (passed, code) = scene.count(&scene.request(path, application));
        format!("{passed} {code}")
    };
    for (path, application, expected) in [
        ("/rate/", "mobile", "5 rate_limited"),
        // Each subscription has its own.
        ("/rate/", "desktop", "5 rate_limited"),
        ("/burst/", "mobile", "2 rate_limited"),
        ("/quota/", "mobile", "7 quota_exceeded"),
        ("/quota/", "desktop", "7 quota_exceeded"),
        ("/rolling/", "mobile", "4 quota_exceeded"),
        ("/spike/", "mobile", "3 rate_limited"),
        // The tightest decides.
        ("/both/", "mobile", "3 quota_exceeded"),
        ("/list/", "mobile", "2 quota_exceeded"),
        // All callers of the API together: four of six, and then what is left.
        ("/whole/", "mobile", "6 quota_exceeded"),
        ("/whole/", "desktop", "0 quota_exceeded"),
        ("/routed/limited", "mobile", "3 quota_exceeded"),
        ("/routed/limited", "desktop", "0 quota_exceeded"),
        ("/tiered/", "mobile", "4 quota_exceeded"),
        ("/own/", "mobile", "2 quota_exceeded"),
    ] {
        assert_eq!(count(path, application), expected, "{path} {application}");
    }
    // What has no limit, or only reports, lets everything pass.
    for path in ["/routed/free", "/reported/"] {
        assert_eq!(scene.passing(20, &scene.request(path, "mobile")).0, 20, "{path}");
    }
    // The application's is for both APIs.
    assert_eq!(scene.passing(3, &scene.request("/one/", "limited")).0, 3);
    assert_eq!(count("/two/", "limited"), "2 quota_exceeded");
    assert_eq!(count("/one/", "limited"), "0 quota_exceeded");
}

#[test]
fn who_is_refused_uses_nothing() {
    let tables = [
        // The API has three, the plan one: of ten that the plan refuses none is the API's.
        api(
            "orders",
            "quota = { requests = 3, per = \"month\" }\nbody_bytes_max = 10",
            "quota = { requests = 1, per = \"month\" }\nclaims = { good = \"yes\" }",
        ) + "[[api.route]]\npath = \"/\"\n[[api.route]]\npath = \"/scoped\"\nscopes = [\"a\"]\n",
        application("one", "", &["orders"]),
        application("two", "", &["orders"]),
        application("three", "", &["orders"]),
        application("four", "", &["orders"]),
    ];
    let scene = Scene::start(&tables.concat());
    let token = |application: &str| scene.acme.token().client(&format!("{application}-app"));
    let good = |application: &str| get("/orders/").bearer(&token(application).claim("good", "yes").text());
    // Refused for another reason, whatever it is.
    for _ in 0..5 {
        let claim = token("one").claim("good", "yes").text();
        for (request, status) in [
            (get("/orders/"), 401),
            (get("/orders/none").bearer(&claim), 404),
            (get("/orders/").bearer(&token("one").text()), 403),
            (get("/orders/").bearer(&token("nobody").text()), 403),
            (get("/orders/scoped").bearer(&claim), 403),
            (
                get("/orders/").bearer(&token("one").claim("good", "yes").expired().text()),
                401,
            ),
            (post("/orders/", [b'x'; 11]).bearer(&claim), 413),
        ] {
            assert_eq!(scene.send(&request).status, status, "{}", request.target());
        }
    }
    for application in ["one", "two"] {
        assert_eq!(scene.count(&good(application)), (1, "quota_exceeded".to_owned()));
        for _ in 0..5 {
            assert_eq!(scene.send(&good(application)).status, 429);
        }
    }
    assert_eq!(scene.count(&good("three")), (1, "quota_exceeded".to_owned()));
    // Now the API has nothing left, and the fourth keeps its own.
    let refused = scene.send(&good("four"));
    let line = scene.line(&refused);
    assert_eq!(
        (refused.status, &line["limit_level"], &line["limit_kind"]),
        (429, &"api".into(), &"quota".into())
    );
    assert_eq!(scene.upstream.take().len(), 3);
}

#[test]
fn requests_in_flight_are_counted_until_they_end_however_they_end() {
    let tables = [
        keyless("public", "concurrency = 1"),
        keyless("refused", "concurrency = 1").replace("\"sample\"", "\"nobody\""),
    ];
    let scene = Scene::start(&tables.concat());
    let address = scene.gateway.address();
    let in_time = |path: &str, expected: u16| {
        wait_until("room for one more", || {
            (scene.send(&get(path)).status == expected).then_some(())
        });
    };
    // One after the other there is always room, whatever way it takes and however it ends.
    for path in [
        "/public/x",
        "/public/chunked",
        "/public/slow",
        "/public/close",
        "/public/failing",
    ] {
        for _ in 0..20 {
            assert_ne!(scene.send(&get(path)).status, 429, "{path}");
        }
    }
    for _ in 0..20 {
        assert_eq!(scene.send(&post("/public/x", "body")).status, 200);
        assert_eq!(
            scene.send(&crate::harness::request("HEAD", "/public/x")).status,
            200
        );
        assert_eq!(scene.send(&get("/refused/x")).status, 502);
        assert_eq!(scene.send(&get("/public/reset")).status, 502);
    }
    // While one waits for its upstream, a second has no place.
    for request in [get("/public/silent"), post("/public/silent", "body")] {
        let mut waiting = Connection::open(address);
        waiting.write(&request.bytes());
        wait_until("the first at its upstream", || {
            (scene.gateway.metric("tollgate_in_flight_requests", &[]) >= 1.0).then_some(())
        });
        let refused = wait_until("a refusal", || {
            let answer = scene.send(&get("/public/x"));
            (answer.status == 429).then_some(answer)
        });
        assert_eq!(refused.code(), "concurrency_exceeded");
        assert_eq!(refused.header("retry-after"), Some("1"));
        // Another address has its own place.
        let other = get("/public/x").header("X-Forwarded-For", "192.0.2.9");
        assert_eq!(scene.send(&other).status, 200);
        // The caller hangs up.
        drop(waiting);
        in_time("/public/x", 200);
    }
}

#[test]
fn bytes_are_counted_both_ways() {
    let tables = [
        keyless("up", "bandwidth = { bytes = 1000, per = \"month\" }"),
        keyless("down", "bandwidth = { bytes = 1000, per = \"month\" }"),
    ];
    let scene = Scene::start(&tables.concat());
    // What is sent is echoed, so each takes more than its body.
    let answer = scene.send(&post("/up/x", vec![b'x'; 600]));
    assert_eq!(answer.status, 200);
    let passed = wait_until("the bytes to be counted", || {
        let answer = scene.send(&post("/up/x", vec![b'x'; 600]));
        (answer.status == 429).then_some(answer)
    });
    assert_eq!(passed.code(), "quota_exceeded");
    let line = scene.line(&passed);
    assert_eq!(
        (&line["limit_kind"], &line["reason"]),
        (&"bandwidth".into(), &"bandwidth_exceeded".into())
    );
    let one = scene.send(&get("/down/x"));
    let size = scene.line(&one)["bytes_out"].as_u64().unwrap();
    assert!(size < 1000, "the first leaves something: {size}");
    let (passed, refused) = scene.passing(100, &get("/down/x"));
    // All that began while bytes were left passed: so many as fit, and the one that goes beyond.
    assert!(
        refused.is_some() && passed as u64 + 1 >= 1000 / size,
        "{passed} of {size} bytes each"
    );
}
