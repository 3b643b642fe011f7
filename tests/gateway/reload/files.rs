//! Files as operators treat them: included, removed, restored, unreadable, written a hundred times a second.
//!
//! And the few keys that only a restart can change, of which a reload says so.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::{Log, MAIN, seen_by_upstream};
use crate::harness::{Connection, Gateway, Upstream, get, wait_until};

/// A keyless API whose upstream sees nothing of interest.
fn api(name: &str) -> String {
    format!(
        "\n[[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"sample\"\n\
         \n[[api.plan]]\nname = \"public\"\nsecurity = \"keyless\"\n"
    )
}

fn base(upstream: &Upstream) -> String {
    format!(
        "[[upstream]]\nname = \"sample\"\npeers = [\"{}\"]\n{}",
        upstream.address(),
        api("status")
    )
}

#[test]
fn files_of_an_included_directory_come_and_go() {
    let upstream = Upstream::start();
    let config = format!("include = [\"apis.d/*.toml\"]\n{}", base(&upstream));
    let gateway = Gateway::start_with(&config, &[("apis.d/one.toml", &api("one"))]);
    let mut connection = Connection::open(gateway.address());
    let mut statuses = || ["/status", "/one", "/two"].map(|path| connection.ask(&get(path)).status);
    let mut log = Log::of(&gateway);
    assert_eq!(statuses(), [200, 200, 404]);
    gateway.write("apis.d/two.toml", &api("two"));
    log.applied();
    assert_eq!(statuses(), [200, 200, 200]);
    std::fs::remove_file(gateway.directory().join("apis.d/one.toml")).unwrap();
    log.applied();
    assert_eq!(statuses(), [200, 404, 200]);
    // A name that exists in another file is found there, too.
    gateway.write("apis.d/three.toml", &api("two"));
    let mistakes = log.rejected();
    let twice = |mistake: &&String| mistake.contains("is defined twice");
    let mistake = mistakes.iter().find(twice).expect("a mistake about the name");
    for place in ["apis.d/two.toml:3:8", "apis.d/three.toml:3:8"] {
        assert!(mistake.contains(place), "{mistake}");
    }
    assert_eq!(statuses(), [200, 404, 200]);
    std::fs::remove_file(gateway.directory().join("apis.d/three.toml")).unwrap();
    log.applied();
    // What is no TOML by name is nobody's business: no reload, the next one is for what follows.
    gateway.write("apis.d/two.toml~", "garbage");
    gateway.write("apis.d/one.toml", &api("one"));
    log.applied();
    assert_eq!(statuses(), [200, 200, 200]);
}

#[test]
fn what_needs_a_restart_is_said_and_does_not_change() {
    let upstream = Upstream::start();
    let usual = "[[listener]]\naddress = \"127.0.0.1:0\"\n[metrics]\naddress = \"127.0.0.1:0\"\n";
    let config = base(&upstream);
    let gateway = Gateway::start(&format!("{config}{usual}"));
    let mut connection = Connection::open(gateway.address());
    let mut log = Log::of(&gateway);
    for (key, from, to) in [
        (
            "listener",
            "[[listener]]\naddress = \"127.0.0.1:0\"",
            "[[listener]]\naddress = \"127.0.0.2:0\"",
        ),
        (
            "metrics.address",
            "[metrics]\naddress = \"127.0.0.1:0\"",
            "[metrics]\naddress = \"127.0.0.2:0\"",
        ),
        ("server.threads", "[metrics]", "[server]\nthreads = 7\n[metrics]"),
        (
            "server.grace_period",
            "[metrics]",
            "[server]\ngrace_period = \"1s\"\n[metrics]",
        ),
        (
            "access_log.path",
            "[metrics]",
            "[access_log]\npath = \"other.log\"\n[metrics]",
        ),
    ] {
        let changed = format!("{config}{usual}").replace(from, to);
        gateway.write_config(&changed);
        let reload = log.next_reload();
        assert_eq!(reload.event, "configuration_applied", "{key}");
        let said: Vec<_> = reload
            .before
            .iter()
            .filter(|line| line["event"] == "restart_required")
            .map(|line| line["key"].as_str().unwrap())
            .collect();
        assert_eq!(said, [key]);
        // The old connection and new ones are served where they were, the rest of the change is in place.
        assert_eq!(connection.ask(&get("/status")).status, 200, "{key}");
        assert_eq!(get("/status").send(gateway.address()).status, 200, "{key}");
        assert_eq!(gateway.status_page("/ready").status, 200, "{key}");
        gateway.write_config(&format!("{config}{usual}"));
        log.applied();
    }
    assert!(!gateway.directory().join("other.log").exists());
}

#[test]
fn a_configuration_that_vanishes_changes_nothing_and_is_taken_up_again_when_it_is_back() {
    let upstream = Upstream::start();
    let config = base(&upstream);
    let gateway = Gateway::start(&config);
    let main = gateway.directory().join(MAIN);
    let status = |path: &str| get(path).send(gateway.address()).status;
    let mut log = Log::of(&gateway);

    std::fs::remove_file(&main).unwrap();
    let mistakes = log.rejected();
    assert!(mistakes[0].contains(MAIN), "{mistakes:?}");
    assert_eq!(status("/status"), 200);
    gateway.write_config(&format!("{config}{}", api("more")));
    assert_eq!(log.applied(), 2);
    assert_eq!(status("/more"), 200);

    let permit = |mode| std::fs::set_permissions(&main, Permissions::from_mode(mode)).unwrap();
    permit(0o000);
    // The superuser reads what nobody may read.
    if std::fs::read(&main).is_err() {
        let mistakes = log.rejected();
        assert!(mistakes[0].contains(MAIN), "{mistakes:?}");
        assert_eq!(status("/more"), 200);
        permit(0o644);
        assert_eq!(log.applied(), 3);
    }
    assert_eq!(status("/more"), 200);
}

#[test]
fn of_a_hundred_rapid_writes_the_last_one_stands() {
    let upstream = Upstream::start();
    let config = base(&upstream);
    let gateway = Gateway::start(&config);
    let main = gateway.directory().join(MAIN);
    let usual = std::fs::read_to_string(&main).unwrap();
    for write in 1..=100 {
        let text = format!("{usual}{}", api(&format!("write-{write}")));
        if write % 2 == 0 {
            std::fs::write(&main, text).unwrap();
        } else {
            gateway.write(MAIN, &text);
        }
    }
    let answer = wait_until("the last write to be in place", || {
        let answer = get("/write-100").send(gateway.address());
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(seen_by_upstream(&answer, "host").as_deref(), Some("gateway.test"));
    assert_eq!(get("/write-99").send(gateway.address()).status, 404);
    // It is counted when it is complete, which is a little later.
    let reloads = wait_until("the reload to be counted", || {
        let applied = gateway.metric("tollgate_config_generation", &[]);
        (applied > 1.0).then(|| gateway.metric("tollgate_config_reloads_total", &[]))
    });
    assert!((1.0..20.0).contains(&reloads), "{reloads} reloads for one change");
}
