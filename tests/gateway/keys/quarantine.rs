//! Key sets that look hijacked: the last good keys serve, the alarm names what came, and an operator may let it in.
//!
//! Each kind of suspicious set has an issuer of its own in one gateway, so that no alarm is due to another's.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, fleet, issuer, judged, refreshes, while_served};
use crate::harness::{Gateway, Issuer, Upstream, wait_until};

const ACME: &str = "https://acme.example/";

/// Every second.
const BRISK: &str = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"";

fn quarantined(gateway: &Gateway, issuer: &str) -> f64 {
    gateway.metric("tollgate_jwks_quarantined", &[("issuer", issuer)])
}

/// The alarm about an issuer with this reason.
fn alarm(gateway: &Gateway, issuer: &str, reason: &str) -> Value {
    gateway.wait_for_log(|line| {
        line["event"] == "keys_quarantined" && line["issuer"] == issuer && line["reason"] == reason
    })
}

fn set(keys: &[Value]) -> Page {
    Page::keys(&json!({ "keys": keys }).to_string())
}

fn keys_command(gateway: &Gateway, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("keys").args(args).arg("--config");
    command.arg(gateway.directory().join("tollgate.toml"));
    command.output().unwrap()
}

#[track_caller]
fn approve(gateway: &Gateway, issuer: &str, fingerprint: &str) {
    let output = keys_command(
        gateway,
        &["approve", "--issuer", issuer, "--fingerprint", fingerprint],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn what_looks_hijacked_is_put_aside_and_comes_in_only_if_an_operator_says_so() {
    let other = Issuer::new(ACME, "k1", Es256);
    let weak = json!({ "kty": "RSA", "kid": "weak", "n": "_".repeat(170) + "w", "e": "AQAB" });
    let secret = json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0" });
    let private = json!({ "kty": "EC", "crv": "P-256", "kid": "private", "x": "AQ", "y": "AQ", "d": "AQ" });
    // Reason; what is shown beside or in place of the key; whether an approval ends it.
    let rows: Vec<(&str, Vec<Value>, bool)> = vec![
        ("no_usable_key", vec![], false),
        ("no_usable_key", vec![secret.clone()], false),
        ("kid_reused", vec![other.key.public_jwk("k1")], true),
        ("full_replacement", vec![other.key.public_jwk("k2")], true),
        ("bad_key", vec![json!("own"), weak], true),
        ("bad_key", vec![json!("own"), secret], true),
        (
            "bad_key",
            vec![json!("own"), private, other.key.public_jwk("k2")],
            true,
        ),
    ];
    let (issuers, servers) = fleet(rows.len());
    let tables: Vec<_> = std::iter::zip(&issuers, &servers)
        .map(|(own, server)| (own.name.as_str(), issuer(&own.name, server.address(), BRISK)))
        .collect();
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, &tables));
    let tokens: Vec<String> = issuers.iter().map(|issuer| issuer.token().text()).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let calls = while_served(&gateway, &tokens, || {
        for ((own, server), (_, keys, _)) in std::iter::zip(std::iter::zip(&issuers, &servers), &rows) {
            let own = || own.key.public_jwk("k1");
            let shown: Vec<Value> = keys
                .iter()
                .map(|key| if key == "own" { own() } else { key.clone() })
                .collect();
            server.show(set(&shown));
        }
        for (own, (reason, ..)) in std::iter::zip(&issuers, &rows) {
            let alarm = alarm(&gateway, &own.name, reason);
            assert_eq!(alarm["level"], "ERROR");
            wait_until("the set to be put aside again and again", || {
                (refreshes(&gateway, &own.name, "quarantined") >= 2.0).then_some(())
            });
            assert_eq!(quarantined(&gateway, &own.name), 1.0);
        }
        let lines = gateway.log_lines();
        let alarms = lines
            .iter()
            .filter(|line| line.contains("keys_quarantined"))
            .count();
        assert_eq!(alarms, rows.len(), "one alarm a set, not one a fetch");
    });
    assert!(calls > 0, "the last good keys serve");

    // Of another issuer's approval, and of that of another set, nobody profits.
    let reused = alarm(&gateway, &issuers[2].name, "kid_reused")["fingerprint"].clone();
    approve(&gateway, &issuers[0].name, reused.as_str().unwrap());
    approve(&gateway, &issuers[2].name, &"ab".repeat(32));
    let forged = |name: &str, kid: &str| other.token().claim("iss", name).header("kid", kid).text();
    for (own, kid) in [(2, "k1"), (3, "k2"), (6, "k2")] {
        assert_eq!(judged(&gateway, &forged(&issuers[own].name, kid)).0, 401);
    }
    for (own, (reason, _, ends)) in std::iter::zip(&issuers, &rows) {
        let fingerprint = alarm(&gateway, &own.name, reason)["fingerprint"].clone();
        if *ends {
            approve(&gateway, &own.name, fingerprint.as_str().unwrap());
            wait_until("the approved set to be taken", || {
                (quarantined(&gateway, &own.name) == 0.0).then_some(())
            });
            gateway.wait_for_log(|line| line["by_approval"] == true && line["fingerprint"] == fingerprint);
        } else {
            let args = [
                "approve",
                "--issuer",
                &own.name,
                "--fingerprint",
                fingerprint.as_str().unwrap(),
            ];
            assert!(
                !keys_command(&gateway, &args).status.success(),
                "nothing is approved"
            );
            assert_eq!(quarantined(&gateway, &own.name), 1.0);
        }
    }
    for (own, kid) in [(2, "k1"), (3, "k2"), (6, "k2")] {
        assert_eq!(judged(&gateway, &forged(&issuers[own].name, kid)).0, 200);
    }
    for own in [2, 3] {
        assert_eq!(judged(&gateway, tokens[own]).0, 401, "the key is gone");
    }
    for own in [0, 1, 4, 5, 6] {
        assert_eq!(judged(&gateway, tokens[own]).0, 200);
    }
    // The issuer comes to itself.
    servers[0].show(Page::keys(&issuers[0].jwks()));
    wait_until("the quarantine to end", || {
        (quarantined(&gateway, &issuers[0].name) == 0.0).then_some(())
    });
    gateway.wait_for_log(|line| {
        line["event"] == "keys_quarantine_ended" && line["issuer"] == issuers[0].name.as_str()
    });
}

#[test]
fn staleness_is_no_way_round_and_a_setting_is() {
    let [first, second, third] = ["k1", "k2", "k3"].map(|kid| Issuer::new(ACME, kid, Es256));
    let keys = KeyServer::start(Page::keys(&first.jwks()));
    let upstream = Upstream::start();
    let timing = format!("{BRISK}\njwks.stale_after = \"3s\"");
    let text = |more: &str| {
        let table = issuer(ACME, keys.address(), &format!("{timing}\n{more}"));
        config(&upstream, &[(ACME, table)])
    };
    let gateway = Gateway::start(&text(""));
    assert_eq!(judged(&gateway, &first.token().text()).0, 200);
    keys.show(Page::keys(&second.jwks()));
    alarm(&gateway, ACME, "full_replacement");
    let began = Instant::now();
    wait_until("the last good keys to grow stale", || {
        (judged(&gateway, &first.token().text()).0 == 503).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(5));
    let before = refreshes(&gateway, ACME, "quarantined");
    wait_until("the set to be put aside, stale or not", || {
        (refreshes(&gateway, ACME, "quarantined") > before + 1.0).then_some(())
    });
    assert_eq!(judged(&gateway, &second.token().text()).0, 503);

    gateway.write_config(&text("jwks.allow_full_replacement = true"));
    wait_until("the set to be taken", || {
        (judged(&gateway, &second.token().text()).0 == 200).then_some(())
    });
    assert_eq!(quarantined(&gateway, ACME), 0.0);
    keys.show(Page::keys(&third.jwks()));
    wait_until("the next one to be taken", || {
        (judged(&gateway, &third.token().text()).0 == 200).then_some(())
    });
    assert_eq!(judged(&gateway, &second.token().text()).0, 401);
}

#[test]
fn a_restarted_gateway_trusts_the_first_set_and_skips_its_bad_keys() {
    let acme = Issuer::new(ACME, "k1", Es256);
    let secret = json!({ "kty": "oct", "kid": "secret", "k": "c2VjcmV0" });
    let keys = KeyServer::start(set(&[secret, acme.key.public_jwk("k1")]));
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, &[(ACME, issuer(ACME, keys.address(), BRISK))]));
    assert_eq!(judged(&gateway, &acme.token().text()).0, 200);
    gateway.wait_for_log(|line| line["event"] == "key_skipped" && line["kid"] == "secret");
    wait_until("it to be taken again and again", || {
        (refreshes(&gateway, ACME, "success") >= 3.0).then_some(())
    });
    assert_eq!(refreshes(&gateway, ACME, "quarantined"), 0.0);
    let lines = gateway.log_lines();
    assert_eq!(
        lines.iter().filter(|line| line.contains("key_skipped")).count(),
        1
    );
}

#[test]
fn the_command_shows_what_an_issuer_shows() {
    let acme = Issuer::new(ACME, "k1", Es256);
    let secret = json!({ "kty": "oct", "kid": "\u{1b}[2J", "k": "c2VjcmV0" });
    let keys = KeyServer::start(set(&[acme.key.public_jwk("k1"), secret]));
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, &[(ACME, issuer(ACME, keys.address(), BRISK))]));
    let shown = keys_command(&gateway, &["show"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success(), "{text}");
    let changed = gateway.wait_for_log(|line| line["event"] == "keys_changed");
    let fingerprint = changed["fingerprint"].as_str().unwrap();
    for part in [
        ACME,
        fingerprint,
        "k1: ES256",
        "private key material",
        "puts the set aside",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");

    approve(&gateway, ACME, fingerprint);
    let approved = keys_command(&gateway, &["show", "--issuer", ACME]);
    let text = String::from_utf8(approved.stdout).unwrap();
    assert!(text.contains("approved     this set"), "{text}");
    let file = std::fs::read_to_string(gateway.directory().join("tollgate.approvals")).unwrap();
    let line = file.lines().last().unwrap();
    assert!(line.starts_with(fingerprint) && line.ends_with(ACME), "{file}");

    for (args, says) in [
        (&["show", "--issuer", "nobody"][..], "no issuer `nobody`"),
        (
            &["approve", "--issuer", "nobody", "--fingerprint", fingerprint],
            "no issuer `nobody`",
        ),
        (
            &["approve", "--issuer", ACME, "--fingerprint", "abc"],
            "64 lower-case hexadecimal digits",
        ),
    ] {
        let refused = keys_command(&gateway, args);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(
            !refused.status.success() && said.contains(says),
            "{args:?}: {said}"
        );
    }
    keys.show(Page::Bytes(Vec::new()));
    let failed = keys_command(&gateway, &["show"]);
    assert!(!failed.status.success(), "nothing to show");
    assert_eq!(judged(&gateway, &acme.token().text()).0, 200);
}

#[test]
fn a_broken_file_of_approvals_approves_nothing_and_is_written_anew() {
    let [first, second] = ["k1", "k1"].map(|kid| Issuer::new(ACME, kid, Es256));
    let keys = KeyServer::start(Page::keys(&first.jwks()));
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, &[(ACME, issuer(ACME, keys.address(), BRISK))]));
    keys.show(Page::keys(&second.jwks()));
    alarm(&gateway, ACME, "kid_reused");
    gateway.write("tollgate.approvals", "yes, please\n");
    gateway.wait_for_log(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        line["event"] == "configuration_warning" && message.contains("approves nothing: line 1")
    });
    assert_eq!(judged(&gateway, &first.token().text()).0, 200);
    assert_eq!(judged(&gateway, &second.token().text()).0, 401);
    let shown = String::from_utf8(keys_command(&gateway, &["show"]).stdout).unwrap();
    let fingerprint = shown
        .split_whitespace()
        .find(|word| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .unwrap();
    let approved = keys_command(
        &gateway,
        &["approve", "--issuer", ACME, "--fingerprint", fingerprint],
    );
    assert!(approved.status.success());
    wait_until("the approved set to be taken", || {
        (judged(&gateway, &second.token().text()).0 == 200).then_some(())
    });
}
