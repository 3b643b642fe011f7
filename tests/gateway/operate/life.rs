//! Each command with its exit code, what it prints, and what the next request meets: rows in the order in which an
//! operator would type them.

use super::{Desk, Said};
use crate::admin::{Scene, passes, refused};

/// A line, its exit code, what is in its output (or, if it fails, in its complaint), and who calls then with which result.
type Row = (
    &'static str,
    i32,
    &'static [&'static str],
    &'static str,
    &'static str,
);

const ROWS: &[Row] = &[
    (
        "app create mobile --name 'Mobile app' --owner 'Team Blue' --client-id mobile-app",
        0,
        &[
            "id          mobile",
            "name        Mobile app",
            "client_ids  mobile-app",
            "suspended   no",
        ],
        "mobile",
        "subscription_not_found",
    ),
    (
        "app create mobile",
        1,
        &["409 Conflict, exists", "next: see tollgate app list"],
        "",
        "",
    ),
    ("app create 'no good'", 1, &["422", "invalid", "`id`"], "", ""),
    (
        "app create other --client-id-of https://acme.example/ other-app --claim-set tenant=acme,region=eu",
        0,
        &[
            "other-app (issuer=https://acme.example/)",
            "claim_sets  region=eu, tenant=acme",
        ],
        "other",
        "subscription_not_found",
    ),
    (
        "app list",
        0,
        &[
            "ID ",
            "CLIENT IDS",
            "declared",
            "configuration",
            "mobile",
            "Team Blue",
        ],
        "",
        "",
    ),
    ("app show mobile", 0, &["owner       Team Blue"], "", ""),
    (
        "app show nobody",
        1,
        &["404 Not Found, not_found", "`nobody`", "tollgate app list"],
        "",
        "",
    ),
    (
        "sub create --app mobile --api orders --plan gold",
        0,
        &["mobile:orders:gold", "accepted"],
        "mobile",
        "",
    ),
    (
        "sub create --app mobile --api orders --plan gold",
        1,
        &["409 Conflict, exists"],
        "",
        "",
    ),
    (
        "sub create --app mobile --api orders --plan gone",
        1,
        &["409 Conflict, conflict"],
        "",
        "",
    ),
    (
        "sub pause mobile:orders:gold",
        0,
        &["paused"],
        "mobile",
        "subscription_paused",
    ),
    (
        "sub pause mobile:orders:gold",
        1,
        &["409 Conflict, conflict", "tollgate sub list"],
        "mobile",
        "subscription_paused",
    ),
    ("sub resume mobile:orders:gold", 0, &["accepted"], "mobile", ""),
    (
        "sub pause mobile:orders:gold --if-version 1",
        1,
        &["412", "stale"],
        "mobile",
        "",
    ),
    (
        "sub dates mobile:orders:gold --from 2999-01-01T01:00:00+01:00",
        0,
        &["2999-01-01T00:00:00Z"],
        "mobile",
        "subscription_not_started",
    ),
    (
        "sub dates mobile:orders:gold --until 2999-06-01T00:00:00Z",
        0,
        &[
            "from         2999-01-01T00:00:00Z",
            "until        2999-06-01T00:00:00Z",
        ],
        "mobile",
        "subscription_not_started",
    ),
    (
        "sub dates mobile:orders:gold --clear from",
        0,
        &["until        2999-06-01T00:00:00Z"],
        "mobile",
        "",
    ),
    (
        "sub dates mobile:orders:gold --until tomorrow",
        2,
        &["2026-01-31T12:00:00Z"],
        "mobile",
        "",
    ),
    (
        "app suspend mobile",
        0,
        &["suspended   yes"],
        "mobile",
        "application_suspended",
    ),
    ("app resume mobile", 0, &["suspended   no"], "mobile", ""),
    (
        "sub create --app other --api orders --plan manual",
        0,
        &["pending"],
        "other",
        "subscription_pending",
    ),
    ("sub list --status pending", 0, &["other:orders:manual"], "", ""),
    ("sub accept other:orders:manual", 0, &["accepted"], "other", ""),
    (
        "sub move other:orders:manual --plan gold",
        0,
        &["other:orders:gold"],
        "other",
        "",
    ),
    (
        "sub close other:orders:gold",
        2,
        &["for good?", "--yes"],
        "other",
        "",
    ),
    (
        "sub close other:orders:gold --yes",
        0,
        &["closed"],
        "other",
        "subscription_closed",
    ),
    (
        "sub create --app other --api orders --plan manual",
        0,
        &["pending"],
        "",
        "",
    ),
    (
        "sub reject other:orders:manual",
        2,
        &["Reject the subscription `other:orders:manual` for good?", "--yes"],
        "",
        "",
    ),
    (
        "sub reject other:orders:manual --yes",
        0,
        &["rejected"],
        "other",
        "subscription_closed",
    ),
    // A part is changed, the rest stays.
    (
        "app update mobile --owner 'Team Red' --add-client-id mobile-beta --remove-client-id mobile-app",
        0,
        &[
            "owner       Team Red",
            "name        Mobile app",
            "client_ids  mobile-beta",
        ],
        "mobile",
        "subscription_not_found",
    ),
    (
        "app update mobile --remove-client-id mobile-app",
        1,
        &["nothing was done", "mobile-app"],
        "",
        "",
    ),
    (
        "app update mobile --add-client-id mobile-app --clear name --clear owner",
        0,
        &["mobile-beta", "mobile-app"],
        "mobile",
        "",
    ),
    (
        "app update mobile --owner x --if-version 1",
        1,
        &["412", "stale"],
        "",
        "",
    ),
    (
        "app update mobile --add-client-id declared-app",
        1,
        &["409"],
        "mobile",
        "",
    ),
    (
        "app update declared --owner x",
        1,
        &["409 Conflict, read_only", "configuration files"],
        "declared",
        "",
    ),
    ("app delete declared --yes", 1, &["read_only"], "declared", ""),
    (
        "app delete mobile",
        2,
        &["with all its subscriptions and keys?", "--yes"],
        "mobile",
        "",
    ),
    (
        "app delete mobile --if-version 1 --yes",
        1,
        &["stale"],
        "mobile",
        "",
    ),
    (
        "app delete mobile --yes",
        0,
        &["`mobile` is deleted"],
        "mobile",
        "subscription_not_found",
    ),
    ("app delete mobile --yes", 1, &["404"], "", ""),
    (
        "plan list --api orders",
        0,
        &["API ", "gold", "jwt", "staging", "deprecated", "closed"],
        "",
        "",
    ),
    ("plan show orders/next", 0, &["orders/next", "staging"], "", ""),
    ("plan show orders/none", 1, &["404", "tollgate plan list"], "", ""),
    ("plan show orders", 2, &["API/PLAN"], "", ""),
    (
        "plan publish orders/next",
        2,
        &["which cannot be taken back?", "--yes"],
        "",
        "",
    ),
    ("plan publish orders/next --yes", 0, &["published"], "", ""),
    ("plan publish orders/next --yes", 1, &["409", "conflict"], "", ""),
    (
        "plan deprecate orders/gold",
        2,
        &["which cannot be taken back?", "--yes"],
        "",
        "",
    ),
    ("plan show orders/gold", 0, &["published"], "", ""),
    (
        "plan deprecate orders/gold --yes",
        0,
        &["deprecated"],
        "declared",
        "",
    ),
    (
        "plan close orders/gold",
        2,
        &["for good, with all its subscriptions?"],
        "declared",
        "",
    ),
    (
        "plan close orders/gold --yes",
        0,
        &["closed"],
        "declared",
        "subscription_closed",
    ),
    (
        "api list",
        0,
        &["orders", "public", "open (keyless, published)"],
        "",
        "",
    ),
    ("issuer list", 0, &["https://acme.example/", "yes", "1"], "", ""),
    ("issuer show https://acme.example/", 0, &["usable", "k1"], "", ""),
    (
        "issuer show https://acme.example",
        1,
        &["there is no such issuer", "tollgate issuer list"],
        "",
        "",
    ),
    ("status", 0, &["generation", "revision"], "", ""),
    ("audit --limit 3", 0, &["REVISION", "admin:"], "", ""),
    ("reload", 0, &["generation 1"], "", ""),
];

#[test]
fn commands_do_what_they_say_and_the_next_request_obeys() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    for (line, code, parts, caller, result) in ROWS {
        let said = desk.types(line);
        check(line, &said, *code, parts);
        if !caller.is_empty() {
            let expected = if result.is_empty() {
                passes()
            } else {
                refused(result)
            };
            assert_eq!(scene.call(caller), expected, "{line}");
        }
    }
    // Whatever was refused or only asked about has changed nothing.
    let audit = desk.json("audit --all");
    let actions = audit["items"].as_array().unwrap().len();
    let changes = ROWS.iter().filter(|(line, code, ..)| {
        let looks = ["list", "show", "status", "audit", "reload"];
        *code == 0 && !line.split(' ').take(2).any(|word| looks.contains(&word))
    });
    // Closing a plan closes subscriptions with it, each with an entry or none.
    assert!(actions >= changes.count(), "{audit}");
}

fn check(line: &str, said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, code, "{line}: {said:?}");
    let (speaks, silent) = match code {
        0 => (&said.out, &said.err),
        _ => (&said.err, &said.out),
    };
    assert_eq!(silent, "", "{line}");
    for part in parts {
        assert!(speaks.contains(part), "{line}: no `{part}` in\n{speaks}");
    }
}

#[test]
fn what_is_made_twice_under_one_key_is_made_once() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    let line = "app create mobile --client-id mobile-app --idempotency-key k1";
    let first = desk.types(line);
    assert_eq!(first.code, 0, "{first:?}");
    let again = desk.types(line);
    assert_eq!((again.code, &again.out), (0, &first.out), "{again:?}");
    let other = desk.types("app create third --idempotency-key k1");
    check(
        "third",
        &other,
        1,
        &["idempotency_key_reused", "another --idempotency-key"],
    );
    assert_eq!(desk.json("app list")["items"].as_array().unwrap().len(), 2);
}
