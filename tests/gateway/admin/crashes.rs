//! A process that ends at any moment loses nothing that it has acknowledged; a store that cannot be used is an exit code.
//! Half a store must never look like an empty one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::{Scene, config, json_body, passes};
use crate::harness::{Connection, post};

/// The exit code of a state that cannot be used.
const STATE_UNUSABLE: i32 = 74;

/// Writes as fast as it can until the connection breaks; each acknowledged id, in order.
fn write_until_killed(scene: &Scene, round: usize, acknowledged: &AtomicUsize, over: &AtomicBool) {
    let address = scene.gateway.admin_address();
    let (token, host) = (scene.token(), address.to_string());
    let mut connection = Connection::open(address);
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let new = json!({ "id": format!("r{round}-{number}"), "client_ids": [{ "id": format!("r{round}-{number}-app") }] });
        let request = json_body(post("/v1/applications", new.to_string()))
            .host(&host)
            .bearer(&token);
        let Ok(answer) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| connection.ask(&request)))
        else {
            return;
        };
        assert_eq!(answer.status, 201, "{}", answer.text());
        acknowledged.store(number + 1, Ordering::SeqCst);
    }
}

fn survives_kills(rounds: usize) {
    let mut scene = Scene::start();
    let mut before = 1; // the declared one
    for round in 0..rounds {
        let acknowledged = AtomicUsize::new(0);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_until_killed(&scene, round, &acknowledged, &over));
            crate::harness::wait_until("some writes", || {
                (acknowledged.load(Ordering::SeqCst) > 3 + round % 7).then_some(())
            });
            scene.gateway.signal("KILL");
            over.store(true, Ordering::Relaxed);
            let _ = writer.join();
        });
        scene.gateway.restart_after_end();
        let acknowledged = acknowledged.load(Ordering::SeqCst);
        let mut found = 0;
        let mut after = String::new();
        loop {
            let page = scene.show(&format!("/v1/applications?limit=1000{after}")).json();
            found += page["items"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        for number in 0..acknowledged {
            let shown = scene.show(&format!("/v1/applications/r{round}-{number}"));
            assert_eq!(shown.status, 200, "round {round}: {number} of {acknowledged}");
        }
        // The one that was under way may be there as well, whole.
        let new = found - before;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&new),
            "round {round}: {new} of {acknowledged}"
        );
        before = found;
        assert_eq!(scene.subscription(&format!("r{round}-0"), "gold").status, 201);
        assert_eq!(scene.call(&format!("r{round}-0")), passes());
    }
}

#[test]
fn no_acknowledged_write_is_lost_by_a_hundred_kills() {
    survives_kills(100);
}

#[test]
fn a_state_that_cannot_be_used_is_an_exit_code_and_is_left_as_it_is() {
    let mut scene = Scene::start();
    scene.application("mobile");
    scene.subscription("mobile", "gold");
    let in_use = start(scene.gateway.directory());
    assert!(in_use.1.contains("another process has it open"), "{}", in_use.1);
    assert_eq!(in_use.0, Some(STATE_UNUSABLE));
    scene.gateway.signal("TERM");
    scene.gateway.wait_for_exit();
    let directory = scene.gateway.directory().to_owned();
    let (store, secret) = (
        directory.join("state/tollgate.redb"),
        directory.join("state/tollgate.redb.secret"),
    );
    let (whole, kept) = (std::fs::read(&store).unwrap(), std::fs::read(&secret).unwrap());
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("zeroes", vec![0; whole.len()]),
        ("another file", b"SQLite format 3\0".repeat(100)),
    ] {
        std::fs::write(&store, &bytes).unwrap();
        let (code, says) = start(&directory);
        assert_eq!(code, Some(STATE_UNUSABLE), "{what}: {says}");
        assert!(says.contains("tollgate.redb"), "{what}: {says}");
    }
    std::fs::remove_file(&store).unwrap();
    assert_eq!(start(&directory).0, Some(STATE_UNUSABLE));
    assert!(!store.exists());
    std::fs::write(&store, &whole).unwrap();
    std::fs::remove_file(&secret).unwrap();
    assert_eq!(start(&directory).0, Some(STATE_UNUSABLE));
    std::fs::write(&secret, &kept).unwrap();
    let readable = start(&directory);
    assert_eq!(
        readable.0,
        Some(STATE_UNUSABLE),
        "written anew, it is readable by others"
    );
    assert!(readable.1.contains("chmod 600"), "{}", readable.1);
    use std::os::unix::fs::PermissionsExt as _;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&secret, private.clone()).unwrap();
    let token = directory.join("admin.token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(start(&directory).0, Some(STATE_UNUSABLE));
    std::fs::set_permissions(&token, private).unwrap();
    let taken = "[[application]]\nid = \"mobile\"\nclient_ids = [\"other\"]\n";
    scene.gateway.write_config(&config(&scene.upstream, taken));
    let (code, says) = start(&directory);
    assert_eq!(
        (
            code,
            says.contains("the application `mobile` is in the store, too")
        ),
        (Some(78), true),
        "{says}"
    );
    scene.gateway.write_config(&config(&scene.upstream, ""));
    scene.gateway.restart_after_end();
    assert_eq!(scene.call("mobile"), passes());
}

/// Starts on this directory; the exit code, and what was said.
pub(super) fn start(directory: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["run", "--config"])
        .arg(directory.join("tollgate.toml"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
