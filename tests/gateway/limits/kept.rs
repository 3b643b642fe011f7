//! What was used stays used: over reloads, over changes of what is promised, over restarts and `kill -9`.
//! Numbers are exact where everything is on disk, and have the bound that is promised where it is not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::{get, now, wait_until};
use crate::limits::{Scene, api, application, keyless};

const STATE: &str = "[state]\npath = \"state/t.redb\"\n";

fn tables(quota: u32) -> String {
    let month = |requests: u32| format!("quota = {{ requests = {requests}, per = \"month\" }}");
    [
        STATE.to_owned(),
        api("orders", &month(1000), &month(quota)),
        application("mobile", &month(1000), &["orders"]),
        application("other", "", &["orders"]),
        keyless("open", &month(20)),
    ]
    .concat()
}

#[test]
fn a_reload_changes_no_count_and_a_new_promise_holds_for_what_was_used() {
    let scene = Scene::start(&tables(10));
    let mobile = scene.request("/orders/", "mobile");
    let open = get("/open/");
    assert_eq!(scene.passing(10, &mobile).0, 10);
    assert_eq!(scene.passing(15, &open).0, 15);
    assert_eq!(scene.send(&mobile).status, 429);
    // Ten more than were used.
    scene.reload(&tables(20));
    assert_eq!(scene.count(&mobile), (10, "quota_exceeded".to_owned()));
    // Fewer than were used.
    scene.reload(&tables(5));
    let refused = scene.send(&mobile);
    assert_eq!(
        (
            refused.status,
            refused.header("ratelimit-limit"),
            refused.header("ratelimit-remaining")
        ),
        (429, Some("5"), Some("0"))
    );
    for round in 0..100 {
        scene.reload(&format!("{}\n# {round}\n", tables(21)));
    }
    assert_eq!(scene.count(&mobile), (1, "quota_exceeded".to_owned()));
    assert_eq!(scene.count(&open), (5, "quota_exceeded".to_owned()));
}

#[test]
fn another_plan_goes_on_with_what_was_used_under_the_first() {
    let plans = "[[api.plan]]\nname = \"silver\"\nsecurity = \"jwt\"\nissuers = [\"https://acme.example/\"]\n\
                 quota = { requests = 5, per = \"month\" }\n";
    let tables = |plan: &str| {
        api("orders", "", "quota = { requests = 8, per = \"month\" }")
            + plans
            + &application("mobile", "", &["orders"]).replace("\"gold\"", plan)
    };
    let scene = Scene::start(&tables("\"silver\""));
    let mobile = scene.request("/orders/", "mobile");
    assert_eq!(scene.count(&mobile), (5, "quota_exceeded".to_owned()));
    scene.reload(&tables("\"gold\""));
    assert_eq!(scene.count(&mobile), (3, "quota_exceeded".to_owned()));
}

#[test]
fn reloads_under_load_admit_exactly_the_quota() {
    const QUOTA: u32 = 300;
    let scene = Scene::start(&tables(QUOTA));
    let (mobile, done) = (scene.request("/orders/", "mobile"), AtomicBool::new(false));
    let (address, generation) = (scene.gateway.address(), || {
        scene.gateway.metric("tollgate_config_generation", &[])
    });
    let passed: usize = thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = crate::harness::Connection::open(address);
                    let mut passed = 0;
                    while !done.load(Ordering::Relaxed) {
                        match connection.ask(&mobile).status {
                            200 => passed += 1,
                            429 => {}
                            other => panic!("{other}"),
                        }
                    }
                    passed
                })
            })
            .collect();
        for round in 0..100 {
            let before = generation();
            scene.gateway.write_config(&crate::limits::config(
                &scene.upstream,
                &format!("{}\n# {round}\n", tables(QUOTA)),
            ));
            wait_until("the reload", || (generation() > before).then_some(()));
        }
        wait_until("the quota to be used", || {
            (scene.send(&mobile).status == 429).then_some(())
        });
        done.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    // What this thread has used while it waited counts, too.
    let all = scene.upstream.take().len();
    assert_eq!(all, QUOTA as usize);
    assert!(passed <= all);
}

#[test]
fn a_restart_forgets_nothing_and_a_kill_a_second_at_most() {
    let mut scene = Scene::start(&tables(100));
    let mobile = scene.request("/orders/", "mobile");
    let left = |scene: &Scene| -> u64 {
        let answer = scene.send(&mobile);
        answer.header("ratelimit-remaining").unwrap().parse().unwrap()
    };
    assert_eq!(scene.passing(20, &mobile).0, 20);
    scene.gateway.restart("TERM");
    assert_eq!(left(&scene), 79, "twenty, and this one");
    // What is older than a sweep is on disk, whatever happens.
    let used = now();
    wait_until("all to be kept", || {
        let kept = scene
            .gateway
            .metric("tollgate_counts_kept_timestamp_seconds", &[]);
        (kept > used as f64).then_some(())
    });
    assert_eq!(scene.passing(10, &mobile).0, 10);
    scene.gateway.restart("KILL");
    let after = left(&scene);
    assert!(
        (68..=78).contains(&after),
        "{after}: of the last ten all may be lost, and no other"
    );
}

#[test]
fn without_a_store_the_operator_is_warned_of_quotas() {
    let scene = Scene::start(&tables(5).replace(STATE, ""));
    let warning = scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_warning");
    assert!(warning.to_string().contains("[state]"), "{warning}");
}
