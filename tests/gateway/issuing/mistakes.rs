//! What an operator may get wrong: a message with its place for each, by `tollgate check`.
//! A gateway that signs with a key that others can read, or with none, does not start.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tollgate::mint::SigningKey;
use tollgate::token::Algorithm;

use crate::harness::Upstream;

fn check(text: &str, mode: u32) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{text}");
    std::fs::write(directory.path().join("tollgate.toml"), text).unwrap();
    let key = directory.path().join("own-1.pem");
    let pem = SigningKey::generate(Algorithm::Es256).unwrap().to_pem();
    std::fs::write(&key, pem.expose()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["check", "--config"])
        .arg(directory.path().join("tollgate.toml"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn mistakes_are_found_with_their_place() {
    let upstream = Upstream::start();
    let good = super::configuration(&upstream, "", "");
    let (code, said) = check(&good, 0o600);
    assert_eq!(code, 0, "{said}");
    for mode in [0o640, 0o604, 0o660, 0o644] {
        let (code, said) = check(&good, mode);
        assert_eq!(code, 78, "{mode:o}");
        assert!(said.contains("chmod 600"), "{said}");
    }
    for (from, to, expected) in [
        ("allow_http = true\n", "", "has no `tls`"),
        ("lifetime = \"10m\"", "lifetime = \"25h\"", "between 1m and 1day"),
        ("lifetime = \"10m\"", "lifetime = \"30s\"", "between 1m and 1day"),
        ("lifetime = \"10m\"\n", "", "missing required key `lifetime`"),
        ("algorithm = \"ES256\"", "algorithm = \"HS256\"", "not with HS256"),
        ("algorithm = \"ES256\"", "algorithm = \"none\"", "not with none"),
        (
            "algorithm = \"ES256\"",
            "algorithm = \"RS256\"",
            "own-1.pem cannot be used",
        ),
        (
            "generate = true",
            "not_before = 2100-01-01T00:00:00Z",
            "no key of [token_service] signs",
        ),
        (
            "generate = true",
            "retire_after = 2020-01-01T00:00:00Z",
            "no key of [token_service] signs",
        ),
        (
            "own-1.pem\", generate = true",
            "gone.pem\"",
            "`generate = true` makes it",
        ),
        (
            "audiences = [\"https://api.example.com\"]\nlifetime",
            "audiences = []\nlifetime",
            "must not be empty",
        ),
        (
            "local = true",
            "local = true\njwks.file = \"x.json\"",
            "has the keys of [token_service]",
        ),
        (
            "name = \"https://tokens.example.com\"",
            "name = \"https://tokens.example.com/\"",
            "make them the same",
        ),
        (
            "local = true\nalgorithms = [\"ES256\"]",
            "local = true\nalgorithms = [\"RS256\"]",
            "does not allow",
        ),
        (
            "applications = [\"mobile\"]",
            "applications = [\"mobil\"]",
            "did you mean `mobile`?",
        ),
        (
            "client_ids = [\"mobile-app\", \"mobile-other\"]\n",
            "",
            "has no client id in them",
        ),
        (
            "scopes = [\"menu:read\", ",
            "scopes = [\"menu read\", ",
            "RFC 6749 section 3.3",
        ),
        ("name = \"alice\"", "name = \"bob\"", "is defined twice"),
        (
            "name = \"alice\"",
            "name = \"mobile\"",
            "is the id of an application",
        ),
        (
            "$argon2id$v=19$m=19456,t=2",
            "$argon2id$v=19$m=1024,t=1",
            "too cheap",
        ),
        (
            "$argon2id$v=19$m=19456,t=2",
            "$argon2id$v=19$m=1048576,t=2",
            "costs too much",
        ),
        ("$argon2id$v=19", "$argon2i$v=19", "no argon2id hash"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let (code, said) = check(&bad, 0o600);
        assert_eq!(code, 78, "{to}: {said}");
        assert!(said.contains(expected), "{to}: {said}");
    }
    for (service, expected) in [
        ("custom_claims = [\"sub\"]", "is the token service's"),
        ("custom_claims = [\"scope\"]", "is the token service's"),
        (
            "custom_claims = [\"x\"]\ncustom_issuers = [\"https://tokens.example.com\"]",
            "identify nobody",
        ),
        (
            "custom_issuers = [\"https://tokens.example.com\"]",
            "without `custom_claims`",
        ),
        (
            "custom_claims = [\"x\"]\ncustom_issuers = [\"nobody\"]",
            "there is no issuer `nobody`",
        ),
        ("public_uri = \"edge\"", "is no URL of a server"),
    ] {
        let (code, said) = check(&super::configuration(&upstream, service, ""), 0o600);
        assert_eq!(code, 78, "{service}: {said}");
        assert!(said.contains(expected), "{service}: {said}");
    }
}
