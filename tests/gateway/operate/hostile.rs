//! Names and texts that would rather be something else: steps in a path, parameters, orders to a terminal.
//! Whoever may register an application chooses what an operator's screen shows later.

use serde_json::json;

use super::{Desk, words};
use crate::admin::Scene;
use crate::harness::{Answer, Upstream, respond};

/// Everything that a terminal could obey, or that hides or turns what is written.
const NASTY: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}\r\nb\u{9b}31m\u{7f}\u{202e}c\u{2028}\u{200b}d";

#[test]
fn an_id_never_leaves_its_part_of_the_path() {
    let gateway = Upstream::answering(|_| Answer::Bytes(respond(200, &[], "{}")));
    let desk = Desk::before(gateway.address());
    for (id, path) in [
        ("mobile", "/v1/applications/mobile"),
        ("../snapshot", "/v1/applications/..%2Fsnapshot"),
        ("..%2fsnapshot", "/v1/applications/..%252fsnapshot"),
        ("%2e%2e", "/v1/applications/%252e%252e"),
        ("a?limit=1#x", "/v1/applications/a%3Flimit%3D1%23x"),
        ("a b", "/v1/applications/a%20b"),
        ("ünï", "/v1/applications/%C3%BCn%C3%AF"),
        ("a\r\nX-Evil: 1", "/v1/applications/a%0D%0AX-Evil:%201"),
    ] {
        let said = desk.runs(&["app".to_owned(), "show".to_owned(), id.to_owned()]);
        assert_eq!(said.code, 0, "{id}: {said:?}");
        assert_eq!(gateway.take_one().target, path, "{id}");
    }
    for id in ["", ".", ".."] {
        let said = desk.runs(&["app".to_owned(), "show".to_owned(), id.to_owned()]);
        assert_eq!(said.code, 2, "{id}: {said:?}");
        assert!(said.err.contains("names nothing"), "{}", said.err);
    }
    let filters = ["sub", "list", "--app", "a&limit=1", "--status", "x=y#z"].map(ToOwned::to_owned);
    let _ = desk.runs(&filters);
    let target = gateway.take_one().target;
    assert_eq!(
        target,
        "/v1/subscriptions?application=a%26limit%3D1&status=x%3Dy%23z&limit=100"
    );
}

#[test]
fn odd_names_are_kept_and_shown_as_they_are() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    let name = "O\"Brien & Söhne \\ 漢字";
    let mut line = words("app create odd --client-id");
    line.extend([
        "client $(id) `x`; --yes".to_owned(),
        "--name".to_owned(),
        name.to_owned(),
    ]);
    let made = desk.runs(&line);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.out.contains(name) && made.out.contains("client $(id) `x`; --yes"),
        "{}",
        made.out
    );
    assert_eq!(desk.json("app show odd")["name"], name);
    assert!(desk.types("app list").out.contains(name));
    let unknown = desk.runs(&["app".to_owned(), "show".to_owned(), NASTY.to_owned()]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert_plain(&unknown.err);
}

#[test]
fn no_text_of_the_gateway_gives_orders_to_a_terminal() {
    let thing = json!({
        "id": NASTY, "name": NASTY, "owner": NASTY, "client_ids": [{ "id": NASTY, "issuer": NASTY }],
        "claim_sets": [{ NASTY: NASTY }], "origin": NASTY, "version": NASTY, NASTY: NASTY,
        "status": NASTY, "from": NASTY, "api": NASTY, "plan": NASTY, "plans": [{ "name": NASTY, "stage": NASTY }],
        "keys": [{ "kid": NASTY }], "actor": NASTY, "action": NASTY, "target": NASTY, "revision": NASTY, "generation": NASTY,
    });
    let list = json!({ "items": [thing] });
    let whole = thing.clone();
    let gateway = Upstream::answering(move |request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let one = path.matches('/').count() > 2 || request.method == "POST" || path == "/v1/snapshot";
        let body = if one { &whole } else { &list };
        Answer::Bytes(respond(200, &[], &body.to_string()))
    });
    let desk = Desk::before(gateway.address());
    for line in [
        "app list",
        "app show x",
        "app create x",
        "app suspend x",
        "sub list",
        "sub show x",
        "plan list",
        "plan show a/b",
        "api list",
        "issuer list",
        "audit",
        "status",
        "reload",
    ] {
        for flag in ["", "--quiet", "--json"] {
            let said = desk.types(&format!("{line} {flag}"));
            assert_eq!(said.code, 0, "{line} {flag}: {said:?}");
            assert_plain(&said.out);
            // Written out, not cut off.
            assert!(said.out.contains("owned"), "{line} {flag}: {said:?}");
        }
    }
    assert_eq!(desk.json("app show x"), thing, "the same value");
    let problem = json!({
        "type": "about:blank", "title": NASTY, "status": 409, "code": NASTY, "detail": NASTY,
    });
    let refusing = Upstream::answering(move |_| Answer::Bytes(respond(409, &[], &problem.to_string())));
    let said = Desk::before(refusing.address()).types("app suspend x");
    assert_eq!(said.code, 1, "{said:?}");
    assert_plain(&said.err);
}

#[test]
fn a_number_that_no_type_holds_comes_through_in_json() {
    let text = r#"{"version":123456789012345678901234567890,"id":"a","z":1.10}"#;
    let gateway = Upstream::answering(move |_| Answer::Bytes(respond(200, &[], text)));
    let said = Desk::before(gateway.address()).types("app show a --json");
    assert_eq!((said.code, said.out.trim_end()), (0, text), "byte for byte");
    let list = format!(r#"{{"items":[{text}]}}"#);
    let gateway = Upstream::answering(move |_| Answer::Bytes(respond(200, &[], &list)));
    let said = Desk::before(gateway.address()).types("app list --json");
    assert_eq!(said.out.trim_end(), format!(r#"{{"items":[{text}]}}"#));
}

fn assert_plain(text: &str) {
    let bad = |c: &char| (c.is_control() && *c != '\n') || "\u{202e}\u{2028}\u{200b}".contains(*c);
    assert_eq!(text.chars().find(bad), None, "{text:?}");
}
