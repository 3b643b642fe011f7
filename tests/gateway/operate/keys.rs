//! API keys from the command that prints one to the request that it opens, and to the end of it.
//! A key exists in one answer only, so what becomes of that answer is tested as much as what becomes of the key.

use std::fs::File;
use std::process::Stdio;

use super::{Desk, Said, tollgate, words};
use crate::admin::Scene;
use crate::harness::get;

const KEYED: &str = r#"
[[api]]
name = "keyed"
context_path = "/keyed"
upstream = "sample"

[[api.plan]]
name = "keys"
security = "api_key"
"#;

const SUBSCRIPTION: &str = "mobile:keyed:keys";

fn start() -> (Scene, Desk) {
    let scene = Scene::start_with(KEYED);
    let desk = Desk::at(&scene);
    for line in [
        "app create mobile",
        "sub create --app mobile --api keyed --plan keys",
    ] {
        assert_eq!(desk.types(line).code, 0, "{line}");
    }
    (scene, desk)
}

fn opens(scene: &Scene, key: &str) -> u16 {
    get("/keyed/1")
        .header("X-Api-Key", key)
        .send(scene.gateway.address())
        .status
}

/// The ids of all keys, the oldest first.
fn ids(desk: &Desk) -> Vec<String> {
    let listed = desk.types(&format!("key list {SUBSCRIPTION} --quiet"));
    listed.out.lines().map(ToOwned::to_owned).collect()
}

/// The one line that is there.
fn only_line(said: &Said) -> &str {
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let line = said.out.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n') && line.len() >= 8, "{said:?}");
    line
}

#[test]
fn a_key_is_printed_once_and_opens_until_it_is_revoked() {
    let (scene, desk) = start();
    let made = desk.types(&format!("key create {SUBSCRIPTION}"));
    assert_eq!(made.code, 0, "{made:?}");
    let first = made.out.lines().next().unwrap().to_owned();
    assert!(made.out.contains("will not be shown again"), "{}", made.out);
    assert_eq!(made.out.matches(&first).count(), 1, "{}", made.out);
    let quiet = desk.types(&format!("key create {SUBSCRIPTION} --quiet"));
    let second = only_line(&quiet).to_owned();
    let json = desk.json(&format!("key create {SUBSCRIPTION}"));
    let third = json["key"].as_str().unwrap();
    let ids = ids(&desk);
    assert_eq!(ids.len(), 3);
    assert_eq!(json["id"], ids[2].as_str());
    for key in [&first, &second, third] {
        assert_eq!(opens(&scene, key), 200, "{key}");
    }
    // No other answer has a key in it.
    for line in [
        format!("key list {SUBSCRIPTION}"),
        format!("key list {SUBSCRIPTION} --json"),
        format!("key show {}", ids[0]),
        format!("key show {} --json", ids[0]),
        "audit --all --json".to_owned(),
    ] {
        let said = desk.types(&line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        for key in [&first, &second, third] {
            assert!(!said.out.contains(key), "{line}: {}", said.out);
        }
    }
    let asked = desk.types(&format!("key revoke {}", ids[0]));
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(
        asked.err.contains("Revoke the key") && asked.err.contains("--yes"),
        "{}",
        asked.err
    );
    assert_eq!(opens(&scene, &first), 200);
    let revoked = desk.types(&format!("key revoke {} --yes", ids[0]));
    assert!(
        revoked.code == 0 && revoked.out.contains("revoked"),
        "{revoked:?}"
    );
    assert_eq!((opens(&scene, &first), opens(&scene, &second)), (401, 200));
}

#[test]
fn a_key_is_renewed_with_and_without_grace_and_ends_when_it_is_told() {
    let (scene, desk) = start();
    let create = |more: &str| {
        let said = desk.types(&format!("key create {SUBSCRIPTION} --quiet {more}"));
        only_line(&said).to_owned()
    };
    let old = create("");
    let renewed = desk.types(&format!("key renew {} --quiet", ids(&desk)[0]));
    let new = only_line(&renewed).to_owned();
    assert_eq!((opens(&scene, &old), opens(&scene, &new)), (200, 200));
    let renewed = desk.types(&format!("key renew {} --grace 0s --yes --quiet", ids(&desk)[1]));
    let newer = only_line(&renewed).to_owned();
    assert_eq!((opens(&scene, &new), opens(&scene, &newer)), (401, 200));
    let all = desk.types(&format!(
        "key renew --all {SUBSCRIPTION} --grace 0s --yes --quiet"
    ));
    let newest = only_line(&all).to_owned();
    assert_eq!(
        [&old, &new, &newer, &newest].map(|key| opens(&scene, key)),
        [401, 401, 401, 200]
    );
    let last = ids(&desk).pop().unwrap();
    let until = desk.json(&format!("key expire {last} --at 2999-01-01T00:00:00Z"));
    assert_eq!(until["expires_at"], "2999-01-01T00:00:00Z");
    let forever = desk.json(&format!("key expire {last} --never"));
    assert!(
        forever.get("expires_at").is_none_or(serde_json::Value::is_null),
        "{forever}"
    );
    let dated = desk.json(&format!(
        "key create {SUBSCRIPTION} --expires 2999-01-01T00:00:00Z"
    ));
    assert_eq!(dated["expires_at"], "2999-01-01T00:00:00Z");
    for (line, code) in [
        (format!("key expire {last}"), 2),
        (format!("key renew {last} --grace 31d"), 1),
        (format!("key renew {last} --grace soon"), 2),
        (format!("key renew {last} --grace 900ms --yes"), 2),
        (format!("key renew {last} --grace 1s500ms --yes"), 2),
        (format!("key renew {last} --grace 0s"), 2),
        (format!("key renew --all {SUBSCRIPTION} --grace 0s"), 2),
        (format!("key revoke {SUBSCRIPTION}:999 --yes"), 1),
        (format!("key show {SUBSCRIPTION}:999"), 1),
        ("key create nobody:keyed:keys".to_owned(), 1),
        ("key list nobody:keyed:keys".to_owned(), 1),
    ] {
        let said = desk.types(&line);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{line}: {said:?}");
    }
    assert_eq!(opens(&scene, &newest), 200);
}

#[test]
fn a_text_of_ones_own_comes_from_a_file_and_never_from_the_command_line() {
    let (scene, desk) = start();
    let file = scene.gateway.directory().join("own.txt");
    std::fs::write(&file, "my-very-own-key-0001\n").unwrap();
    let made = desk.types(&format!(
        "key create {SUBSCRIPTION} --quiet --text-from {}",
        file.display()
    ));
    assert_eq!(only_line(&made), "my-very-own-key-0001");
    let mut command = tollgate(&words(&format!(
        "key create {SUBSCRIPTION} --quiet --text-from -"
    )));
    command
        .args(["--admin-url", &desk.url, "--admin-token-file"])
        .arg(&desk.token_file);
    std::fs::write(&file, "my-very-own-key-0002").unwrap();
    let piped = super::said(&command.stdin(File::open(&file).unwrap()).output().unwrap());
    assert_eq!(only_line(&piped), "my-very-own-key-0002");
    for key in ["my-very-own-key-0001", "my-very-own-key-0002"] {
        assert_eq!(opens(&scene, key), 200, "{key}");
    }
    for (text, code) in [
        ("short", 1),
        ("no good, with blanks", 1),
        ("my-very-own-key-0001", 1),
    ] {
        std::fs::write(&file, text).unwrap();
        let said = desk.types(&format!(
            "key create {SUBSCRIPTION} --text-from {}",
            file.display()
        ));
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{text}: {said:?}");
        assert!(!said.err.contains(text), "{text}: {}", said.err);
    }
    let none = desk.types(&format!("key create {SUBSCRIPTION} --text-from /nonexistent"));
    assert_eq!(none.code, 1, "{none:?}");
}

#[test]
fn a_key_that_was_lost_is_said_to_be_lost() {
    let (scene, desk) = start();
    let line = format!("key create {SUBSCRIPTION} --quiet --idempotency-key once");
    let first = only_line(&desk.types(&line)).to_owned();
    let again = desk.types(&line);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again.err.contains("not shown again")
            && again
                .err
                .contains(&format!("tollgate key revoke {}", ids(&desk)[0])),
        "{}",
        again.err
    );
    assert_eq!(
        desk.json(&format!("key list {SUBSCRIPTION}"))["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(opens(&scene, &first), 200);
    // A disk that is full, a reader who has gone away: the key is gone, and somebody must know.
    let full = Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let (reader, broken) = std::io::pipe().unwrap();
    drop(reader);
    let outs = [full, Stdio::from(broken)];
    for (flag, out) in ["--quiet", "--json"].into_iter().zip(outs) {
        let mut command = tollgate(&words(&format!("key create {SUBSCRIPTION} {flag}")));
        command
            .args(["--admin-url", &desk.url, "--admin-token-file"])
            .arg(&desk.token_file);
        let said = super::said(&command.stdout(out).output().unwrap());
        assert_eq!(said.code, 74, "{flag}: {said:?}");
        assert!(
            said.err
                .contains("the key is lost; revoke it with tollgate key revoke"),
            "{}",
            said.err
        );
    }
}
