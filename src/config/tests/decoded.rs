//! What good configurations become.
//! An empty file, the reference with every key, files that are included, dates, and the list of keys itself.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Audiences, Located, SubscriptionStatus, known_keys};
use super::{Memory, main_file};

const ALL: &str = include_str!("../../../conf/tollgate.toml");

#[track_caller]
fn parsed(files: &Memory) -> super::Config {
    files.parse().unwrap_or_else(|mistakes| {
        assert_eq!(mistakes.to_string(), "");
        super::Config::default()
    })
}

fn values(list: &[Located<String>]) -> Vec<&str> {
    list.iter().map(|located| located.value.as_str()).collect()
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = parsed(&main_file(""));
    assert_eq!(
        format!("{:?}", config.server),
        format!("{:?}", super::super::Server::default())
    );
    assert!(config.listeners.is_empty() && config.metrics.is_none() && config.access_log.is_none());
    assert_eq!(config.files, [PathBuf::from("conf/t.toml")]);
}

#[test]
fn the_reference_is_read_in_full() {
    let config = parsed(&main_file(ALL));
    let [issuer] = config.issuers.as_slice() else {
        return assert_eq!(config.issuers.len(), 1);
    };
    assert_eq!(issuer.name.value, "https://login.example.com/");
    assert_eq!(
        values(&issuer.algorithms.as_ref().unwrap().value),
        ["RS256", "ES256"]
    );
    let audiences = issuer.audiences.as_ref().map(|audiences| &audiences.value);
    assert!(matches!(audiences, Some(Audiences::AnyOf(list)) if values(list) == ["https://api.example.com"]));
    let jwks = issuer.jwks.as_ref().map(|jwks| {
        (
            jwks.value.refresh_interval,
            jwks.value.cooldown,
            jwks.place.column,
        )
    });
    assert_eq!(jwks, Some((Duration::from_secs(300), Duration::from_secs(10), 1)));
    let peers: Vec<_> = config
        .upstreams
        .iter()
        .flat_map(|upstream| &upstream.peers.value)
        .map(|peer| (peer.address.value.port(), peer.weight))
        .collect();
    assert_eq!(peers, [(9000, 1), (9001, 2)]);
    let headers: Vec<_> = config
        .apis
        .iter()
        .flat_map(|api| &api.claim_headers)
        .map(|(name, claim)| (name.value.as_str(), claim.value.as_str()))
        .collect();
    assert_eq!(
        headers,
        [("X-User", "sub"), ("X-Roles", "roles")],
        "in the order written"
    );
    let ids: Vec<_> = config
        .applications
        .iter()
        .flat_map(|application| &application.client_ids)
        .map(|client| client.issuer.is_some())
        .collect();
    assert_eq!(ids, [false, true]);
}

#[test]
fn files_are_relative_to_the_one_that_names_them() {
    let issuer = "[[issuer]]\nname = \"a\"\nalgorithms = [\"RS256\"]\njwks.file = \"k.json\"\nkeys = { z = { file = \"/abs.pem\" }, a = { file = \"../b.pem\" } }\n";
    let config = parsed(&main_file("include = [\"d/i.toml\"]\n").file("conf/d/i.toml", issuer));
    let files: Vec<PathBuf> = config
        .issuers
        .iter()
        .flat_map(|issuer| {
            let jwks = issuer.jwks.iter().filter_map(|jwks| jwks.value.file.clone());
            jwks.chain(issuer.keys.iter().map(|key| key.file.clone()))
        })
        .map(|file| file.value)
        .collect();
    let expected = ["conf/d/k.json", "/abs.pem", "conf/d/../b.pem"];
    assert_eq!(files, expected.map(PathBuf::from));
}

#[test]
fn included_files_add_up_in_the_order_of_their_names_and_each_once() {
    let listener = |port: u16| format!("[[listener]]\naddress = \"127.0.0.1:{port}\"\n");
    let main = format!(
        "include = [\"z.toml\", \"*.toml\", \"d/*.toml\", \"none/*.toml\"]\n{}",
        listener(1)
    );
    let files = main_file(main)
        .file("conf/z.toml", listener(2))
        .file("conf/a.toml", listener(3))
        .file("conf/d/2.toml", listener(5))
        .file("conf/d/1.toml", listener(4))
        .file("conf/d/1.toml~", "not read");
    let config = parsed(&files);
    let ports: Vec<u16> = config
        .listeners
        .iter()
        .map(|listener| listener.address.value.port())
        .collect();
    assert_eq!(ports, [1, 2, 3, 4, 5]);
    let read = [
        "conf/t.toml",
        "conf/z.toml",
        "conf/a.toml",
        "conf/d/1.toml",
        "conf/d/2.toml",
    ];
    assert_eq!(config.files, read.map(PathBuf::from));
}

#[test]
fn times_are_unix_seconds() {
    for (time, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-01 00:00:00+01:00", 1_767_222_000),
        ("2026-01-01T00:00Z", 1_767_225_600),
        ("2026-01-01T00:00:00.999Z", 1_767_225_600),
        ("\"2026-01-01T00:00:00Z\"", 1_767_225_600),
        ("\"2026-01-01t00:00:00z\"", 1_767_225_600),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
    ] {
        let text = format!(
            "[[subscription]]\napplication = \"a\"\napi = \"b\"\nplan = \"c\"\nstatus = \"paused\"\nuntil = {time}\n"
        );
        let config = parsed(&main_file(text));
        let found: Vec<_> = config
            .subscriptions
            .iter()
            .map(|one| {
                (
                    one.until.as_ref().map(|until| until.value),
                    one.status.as_ref().map(|status| status.value),
                )
            })
            .collect();
        assert_eq!(
            found,
            [(Some(seconds), Some(SubscriptionStatus::Paused))],
            "{time}"
        );
    }
}

#[test]
fn every_key_is_known_once() {
    let mut keys = known_keys();
    for key in [
        ("", "include"),
        ("server", "threads"),
        ("issuer.jwks", "url"),
        ("issuer.claim_mapping", "local_claim"),
        ("api.plan", "security"),
    ] {
        assert!(keys.contains(&key), "{key:?}");
    }
    assert!(!keys.contains(&("api", "cors")));
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}
