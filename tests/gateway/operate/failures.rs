//! What goes wrong on the way: each failure has its exit code.
//! And it says what may have happened and what to do next, which is all that an operator has at that moment.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{Desk, write_private};
use crate::admin::Scene;
use crate::harness::{Answer, Upstream, closed_port, respond};

/// The gateway says no.
const REFUSED: i32 = 1;
/// The command line is wrong.
const USAGE: i32 = 2;
/// `EX_UNAVAILABLE`
const NOT_REACHED: i32 = 69;
/// `EX_NOPERM`
const NO_TOKEN: i32 = 77;

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn a_gateway_that_is_not_there_and_one_that_is_none_are_told_apart() {
    let scene = Scene::start();
    for (address, says) in [
        (closed_port(), &["is not reached", "nothing was done"][..]),
        (scene.gateway.metrics_address(), &["is no admin API", "status 40"]),
        (scene.gateway.address(), &["is no admin API", "[[listener]]"]),
    ] {
        let desk = Desk::before(address);
        for line in ["app list", "app create x", "sub close x --yes", "status"] {
            let said = desk.types(line);
            assert_eq!(
                (said.code, said.out.as_str()),
                (NOT_REACHED, ""),
                "{line}: {said:?}"
            );
            for part in says {
                assert!(said.err.contains(part), "{line}: no `{part}` in {}", said.err);
            }
        }
    }
}

#[test]
fn without_the_right_token_nothing_is_done_and_the_file_is_named() {
    let scene = Scene::start();
    let mut desk = Desk::at(&scene);
    let right = std::fs::read_to_string(&desk.token_file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    desk.token_file = file.clone();
    let check = |code: i32, says: &str| {
        let said = desk.types("app create x");
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
        assert!(said.err.contains(says), "no `{says}` in {}", said.err);
        assert!(said.err.contains(file.to_str().unwrap()), "{}", said.err);
        assert!(!said.err.contains(right.trim()), "{}", said.err);
    };
    check(NO_TOKEN, "there is no token file");
    for (text, code, says) in [
        ("", NO_TOKEN, "too few"),
        ("two words that are long enough\n", NO_TOKEN, "visible"),
        (
            "another-token-that-is-long-enough\n",
            REFUSED,
            "401 Unauthorized, unauthorized",
        ),
    ] {
        write_private(&file, text);
        check(code, says);
    }
    write_private(&file, &right);
    for (mode, says) in [(0o644, "chmod 600"), (0o640, "chmod 600")] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        check(NO_TOKEN, says);
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    check(NO_TOKEN, "no regular file");
    let noted = Desk::at(&scene).json("audit --all");
    let actors = noted["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| &note["actor"]);
    assert!(
        actors.into_iter().all(|actor| actor == "configuration"),
        "{noted}"
    );
}

#[test]
fn the_token_goes_to_no_other_machine_in_the_clear_and_to_no_wrong_address() {
    let desk = |url: &str| Desk {
        url: url.to_owned(),
        ..Desk::before(closed_port())
    };
    for (url, code, says) in [
        ("http://192.0.2.1:9180", USAGE, "--danger-allow-http"),
        ("http://ops.example", USAGE, "http to another machine"),
        ("http://localhost.example:1", USAGE, "http to another machine"),
        ("ops.example:9180", USAGE, "--admin-url is no URL"),
        ("ftp://ops.example", USAGE, "is no URL"),
        ("http://me:pass@127.0.0.1:1", USAGE, "has a user"),
        ("http://127.0.0.1:1/?a=b", USAGE, "a query"),
        ("http://127.0.0.1:0", USAGE, "port 0"),
    ] {
        let said = desk(url).types("app list");
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{url}: {said:?}");
        assert!(said.err.contains(says), "{url}: no `{says}` in {}", said.err);
    }
    // The word for it is heard: the attempt is made.
    let said = desk("http://localhost.invalid:1").types("app list --danger-allow-http");
    assert_eq!(said.code, NOT_REACHED, "{said:?}");
}

#[test]
fn an_answer_that_is_none_is_no_success() {
    let elsewhere = Upstream::start();
    let location = format!("http://{}/v1/applications", elsewhere.address());
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..17 {
        endless.extend(b"100000\r\n");
        endless.extend(vec![b' '; 0x10_0000]);
        endless.extend(b"\r\n");
    }
    for (answer, says) in [
        (respond(200, &[JSON], "<html>hello"), "no JSON"),
        (respond(200, &[JSON], "{\"items\": [}"), "no JSON"),
        (respond(200, &[JSON], "{}"), "does not understand"),
        (respond(200, &[JSON], "[]"), "does not understand"),
        (
            respond(200, &[JSON], "{\"items\": [], \"next\": \"x\"}"),
            "does not understand",
        ),
        (respond(302, &[("Location", &location)], ""), "leads elsewhere"),
        (respond(307, &[("Location", &location)], ""), "leads elsewhere"),
        (
            respond(200, &[JSON, ("Content-Encoding", "gzip")], "{}"),
            "compressed",
        ),
        (
            respond(404, &[("Content-Type", "text/html")], "<h1>Not Found"),
            "no problem document",
        ),
        (respond(500, &[JSON], "{}"), "no problem document"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "has not answered"),
        (endless, "more than can be read"),
    ] {
        let gateway = Upstream::answering(move |_| Answer::BytesThenClose(answer.clone()));
        let said = Desk::before(gateway.address()).types("app list");
        assert_eq!(
            (said.code, said.out.as_str()),
            (NOT_REACHED, ""),
            "{says}: {said:?}"
        );
        assert!(said.err.contains(says), "no `{says}` in {}", said.err);
    }
    assert_eq!(elsewhere.take().len(), 0, "a redirect was followed");
}

#[test]
fn a_store_that_fails_is_no_refusal() {
    let problem = json!({
        "type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "store_unavailable",
        "detail": "the store failed; the log says how",
    });
    let answer = respond(
        503,
        &[("Content-Type", "application/problem+json")],
        &problem.to_string(),
    );
    let gateway = Upstream::answering(move |_| Answer::Bytes(answer.clone()));
    let said = Desk::before(gateway.address()).types("app suspend x");
    assert_eq!(said.code, NOT_REACHED, "{said:?}");
    assert!(said.err.contains("see the gateway's log"), "{}", said.err);
}

#[test]
fn a_lost_answer_is_asked_for_again_only_where_that_does_no_harm() {
    for (line, times, says) in [
        ("app list", 2, "try again"),
        ("app create x", 2, "--idempotency-key"),
        (
            "app create x --idempotency-key mine",
            2,
            "add --idempotency-key mine",
        ),
        ("sub create --app a --api b --plan c", 2, "--idempotency-key"),
        (
            "sub pause a:b:c",
            1,
            "it is not known whether it was done; see tollgate sub list",
        ),
        ("app delete x --yes", 1, "it is not known whether it was done"),
    ] {
        let gateway = Upstream::answering(|_| Answer::Reset);
        let said = Desk::before(gateway.address()).types(line);
        assert_eq!(
            (said.code, said.out.as_str()),
            (NOT_REACHED, ""),
            "{line}: {said:?}"
        );
        assert!(said.err.contains(says), "{line}: no `{says}` in {}", said.err);
        let received = gateway.take();
        assert_eq!(received.len(), times, "{line}");
        let keys: Vec<_> = received
            .iter()
            .flat_map(|request| request.values("idempotency-key"))
            .collect();
        assert_eq!(keys.len(), if line.contains("create") { 2 } else { 0 }, "{line}");
        assert!(
            keys.windows(2)
                .all(|pair| pair[0] == pair[1] && !pair[0].is_empty()),
            "{keys:?}"
        );
        // Whoever types the same again by hand is told the key that was used.
        assert!(
            keys.iter().all(|key| said.err.contains(key)),
            "{line}: {}",
            said.err
        );
    }
}
