//! Tokens taken back at the command line: what is printed, what is asked back, and what the next request meets.
//! What the gateway makes of each request is in `revocations.rs`.

use serde_json::json;

use super::Desk;
use crate::admin::{Scene, passes};
use crate::harness::get;

const ACME: &str = "https://acme.example/";

#[test]
fn what_is_typed_is_refused_by_the_next_request_and_pardoned_by_the_one_after() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    let token = scene
        .acme
        .token()
        .client("declared-app")
        .claim("jti", "j1")
        .claim("iat", crate::harness::now() - 60);
    let token = token.text();
    let ask = || {
        let answer = get("/orders/1").bearer(&token).send(scene.gateway.address());
        (answer.status, answer.code())
    };
    assert_eq!(ask(), passes());
    for (flags, shown, row) in [
        ("--jti j1", "jti         j1", "jti j1"),
        ("--subject alice", "subject        alice", "subject alice"),
        (
            "--client declared-app",
            "client         declared-app",
            "client declared-app",
        ),
        ("--key-id k1 --yes", "key_id         k1", "key_id k1"),
        ("--all --yes", "all            yes", "all"),
        (
            "--all --issued-before 2999-01-01T00:00:00Z --expires 2030-01-01T00:00:00Z --yes",
            "all",
            "all",
        ),
    ] {
        if flags.contains("2999") {
            let refused = desk.types(&format!("revoke --issuer {ACME} {flags}"));
            assert!(
                refused.code == 1 && refused.err.contains("more than ten years ahead"),
                "{refused:?}"
            );
            continue;
        }
        let said = desk.types(&format!("revoke --issuer {ACME} {flags}"));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{flags}");
        assert!(said.out.contains(shown), "{flags}: {}", said.out);
        assert_eq!(ask(), (401, "invalid_token".to_owned()), "{flags}");
        let listed = desk.types(&format!("revocations list --issuer {ACME}"));
        assert!(
            listed.out.contains(row) && listed.out.contains(ACME),
            "{}",
            listed.out
        );
        let flag = flags.split(" --").next().unwrap_or_default();
        let id = desk
            .types(&format!("revocations list --issuer {ACME} {flag} --quiet"))
            .out;
        let id = id.trim();
        assert_eq!(
            desk.json(&format!("revocations show {id}")),
            scene.show(&format!("/v1/revocations/{id}")).json()
        );
        let removed = desk.types(&format!("revocations delete {id} --yes"));
        assert_eq!(
            (removed.code, removed.out.as_str()),
            (0, format!("the revocation `{id}` is removed\n").as_str()),
            "{removed:?}"
        );
        assert_eq!(ask(), passes(), "{flags}");
    }
    assert_eq!(desk.json("revocations list"), json!({ "items": [] }));
}

#[test]
fn what_cannot_be_meant_is_refused_before_it_is_asked() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    for (line, code, says) in [
        ("revoke --jti a", 2, "--issuer"),
        (&format!("revoke --issuer {ACME}")[..], 2, "--jti"),
        (
            &format!("revoke --issuer {ACME} --jti a --subject b"),
            2,
            "cannot be used with",
        ),
        (
            &format!("revoke --issuer {ACME} --jti a --issued-before 2026-01-01T00:00:00Z"),
            2,
            "cannot be used with",
        ),
        (
            &format!("revoke --issuer {ACME} --subject a --issued-before yesterday"),
            2,
            "a time is",
        ),
        (
            &format!("revoke --issuer {ACME} --all"),
            2,
            "say --yes if this is meant",
        ),
        (
            &format!("revoke --issuer {ACME} --key-id k1"),
            2,
            "say --yes if this is meant",
        ),
        (
            "revoke --issuer nobody --jti a",
            1,
            "is no issuer of the configuration",
        ),
        ("revocations delete 00 --yes", 1, "there is no such revocation"),
        ("revocations delete 00", 2, "say --yes if this is meant"),
    ] {
        let said = desk.types(line);
        assert_eq!(said.code, code, "{line}: {said:?}");
        assert!(said.err.contains(says), "{line}: {}", said.err);
    }
    assert_eq!(desk.json("revocations list"), json!({ "items": [] }));
}
