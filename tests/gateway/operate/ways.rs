//! How the gateway is found: on its own host by its configuration, from elsewhere by flags or the environment.
//! Where two of them disagree a command could change the wrong gateway, so their order is tested row by row.

use std::path::Path;

use super::{Desk, Said, said, tollgate, words, write_private};
use crate::admin::{Scene, config};
use crate::harness::{Gateway, Issuer, Upstream, closed_port};
use tollgate::token::Algorithm;

const BAD_CONFIGURATION: i32 = 78;

fn type_with(line: &str, environment: &[(&str, &str)]) -> Said {
    let mut command = tollgate(&words(line));
    command.envs(environment.iter().copied());
    said(&command.output().unwrap())
}

#[test]
fn on_its_own_host_the_configuration_is_enough() {
    let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let upstream = Upstream::start();
    let port = closed_port().port();
    let text = config(&upstream, "");
    let text = text.replacen("127.0.0.1:0", &format!("0.0.0.0:{port}"), 1);
    // It listens everywhere, and is called where it is.
    let text = text.replacen("[admin]\n", "[admin]\ndanger_allow_http = true\n", 1);
    let gateway = Gateway::start_with(&text, &[("acme.json", &acme.jwks())]);
    let file = gateway.directory().join("tollgate.toml");
    let file = file.to_str().unwrap();
    let found = type_with(&format!("app list --quiet --config {file}"), &[]);
    assert_eq!((found.code, found.out.as_str()), (0, "declared\n"), "{found:?}");
    // Before or after the command, and whatever the environment says.
    let url = format!("http://{}", closed_port());
    let found = type_with(
        &format!("app --config {file} list --quiet"),
        &[("TOLLGATE_ADMIN_URL", &url)],
    );
    assert_eq!((found.code, found.out.as_str()), (0, "declared\n"), "{found:?}");
    // Somebody else is writing: what has nothing to do with [admin] need not be right yet.
    let unfinished =
        format!("{text}\n[[subscription]]\napplication = \"nobody\"\napi = \"orders\"\nplan = \"x\"\n");
    let other = gateway.directory().join("unfinished.toml");
    std::fs::write(&other, unfinished).unwrap();
    let found = type_with(&format!("status --config {}", other.display()), &[]);
    assert_eq!(found.code, 0, "{found:?}");
    // Another file of the token counts.
    let token = gateway.directory().join("other.token");
    write_private(&token, "another-token-that-is-long-enough");
    let refused = type_with(
        &format!("status --config {file} --admin-token-file {}", token.display()),
        &[],
    );
    assert_eq!(refused.code, 1, "{refused:?}");
}

#[test]
fn flags_go_before_the_environment() {
    let scene = Scene::start();
    let Desk { url, token_file, .. } = Desk::at(&scene);
    let token = token_file.to_str().unwrap();
    let nowhere = format!("http://{}", closed_port());
    let [url_name, token_name] = ["TOLLGATE_ADMIN_URL", "TOLLGATE_ADMIN_TOKEN_FILE"];
    for (line, environment, code) in [
        (
            "status".to_owned(),
            &[(url_name, url.as_str()), (token_name, token)][..],
            0,
        ),
        (
            format!("status --admin-url {url}"),
            &[(url_name, &nowhere), (token_name, token)],
            0,
        ),
        (
            format!("status --admin-token-file {token}"),
            &[(url_name, url.as_str()), (token_name, "/nonexistent")],
            0,
        ),
        (
            "status".to_owned(),
            &[(url_name, url.as_str()), (token_name, "/nonexistent")],
            77,
        ),
        (
            "status".to_owned(),
            &[(url_name, nowhere.as_str()), (token_name, token)],
            69,
        ),
        // Half of it is not guessed at.
        (format!("status --admin-url {url}"), &[], 2),
        ("status".to_owned(), &[(url_name, url.as_str())], 2),
        (
            "status".to_owned(),
            &[(url_name, "nonsense"), (token_name, token)],
            2,
        ),
        (
            format!("status --admin-url {url} --config x.toml"),
            &[(token_name, token)],
            2,
        ),
        // Set to nothing is not set.
        (
            "status --config /nonexistent.toml".to_owned(),
            &[(url_name, ""), (token_name, "")],
            BAD_CONFIGURATION,
        ),
    ] {
        let said = type_with(&line, environment);
        assert_eq!(said.code, code, "{line} {environment:?}: {said:?}");
    }
}

#[test]
fn a_configuration_that_leads_nowhere_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let admin = |address: &str| format!("[admin]\naddress = \"{address}\"\ntoken_file = \"t\"\n");
    for (text, code, says) in [
        ("", BAD_CONFIGURATION, "has no [admin] table"),
        (&*admin("127.0.0.1:0"), BAD_CONFIGURATION, "port 0"),
        ("[admin]\n", BAD_CONFIGURATION, "address"),
        ("[admin", BAD_CONFIGURATION, "tollgate.toml:1"),
        (&*admin("127.0.0.1:1"), 77, "there is no token file"),
    ] {
        let file = directory.path().join("tollgate.toml");
        std::fs::write(&file, text).unwrap();
        let said = type_with(&format!("app list --config {}", file.display()), &[]);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{text}: {said:?}");
        assert!(said.err.contains(says), "{text}: no `{says}` in {}", said.err);
    }
    assert!(
        !Path::new(&directory.path().join("t")).exists(),
        "nothing is made"
    );
    let said = type_with("app list --config /nonexistent.toml", &[]);
    assert_eq!(said.code, BAD_CONFIGURATION, "{said:?}");
    assert!(
        said.err.contains("/nonexistent.toml") && said.err.contains("--admin-url"),
        "{}",
        said.err
    );
}
