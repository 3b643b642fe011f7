//! Where the secret comes from, that nobody sees it, and what `explain` and the admin API say.
//! Everything that the gateway prints is searched.

use std::process::Command;

use serde_json::json;

use super::{AuthServer, FROM_FILE, ISSUER, SECRET, api, issuer, judged};
use crate::harness::{Gateway, Upstream, get};

#[test]
fn the_secret_comes_from_a_file_or_the_environment_and_is_never_shown() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    server.knows("opaque", json!({}));
    // A variable that every test has.
    let variable = std::env::var("CARGO_PKG_NAME").unwrap();
    for (source, expected) in [
        // "gate%20way:" and the secret, encoded.
        (
            FROM_FILE,
            "Basic Z2F0ZSUyMHdheTpzM2NyM3QlM0ElMjB3aXRoJTJGYWxsJTIwa2luZHMlMkJvZiUyMCUyNWJ5dGVz",
        ),
        (
            "client_secret_env = \"CARGO_PKG_NAME\"",
            "Basic Z2F0ZSUyMHdheTp0b2xsZ2F0ZQ==",
        ),
    ] {
        assert_eq!(variable, "tollgate");
        let config = issuer(&server, source) + &api(&upstream);
        let gateway = Gateway::start_with(&config, &[("secret.txt", SECRET)]);
        assert_eq!(judged(&gateway, "/orders/1", "opaque").0, 200);
        assert_eq!(server.take().remove(0).values("authorization"), [expected]);
        let check = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["check", "--config"])
            .arg(gateway.directory().join("tollgate.toml"))
            .output()
            .unwrap();
        let said = [
            gateway.log_lines().join("\n"),
            gateway.access_lines().join("\n"),
            gateway.status_page("/metrics").text(),
            String::from_utf8_lossy(&check.stdout).into_owned(),
            String::from_utf8_lossy(&check.stderr).into_owned(),
        ]
        .join("\n");
        for secret in [SECRET, "s3cr3t", &expected[6..]] {
            assert!(!said.contains(secret), "{secret}:\n{said}");
        }
    }
}

#[test]
fn a_command_asks_nobody_and_says_so() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    server.knows("opaque", json!({}));
    let config = issuer(&server, FROM_FILE) + &api(&upstream);
    let gateway = Gateway::start_with(&config, &[("secret.txt", SECRET)]);
    let explain = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["explain", "--token", "opaque", "--url", "/orders/1", "--config"])
        .arg(gateway.directory().join("tollgate.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&explain.stdout);
    for expected in [
        "introspection_unavailable",
        "opaque: its issuer is asked about it",
        "none is known here",
        ISSUER,
    ] {
        assert!(said.contains(expected), "{expected}:\n{said}");
    }
    assert_eq!(explain.status.code(), Some(1));
    assert_eq!(server.asked(), [""; 0]);
    let answer = get("/orders/1").send(gateway.address());
    assert_eq!((answer.status, &*answer.code()), (401, "missing_credentials"));
}
