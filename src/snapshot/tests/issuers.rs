//! Issuers: names, algorithms, where keys come from, and claim mappings.
//! An issuer whose keys cannot be used is a mistake of its own; plans that name it are not blamed as well.

use super::{check, snapshot};

/// An issuer with its name and algorithms in lines 2 and 3; the text begins in line 4.
#[track_caller]
fn check_issuer(text: &str, expected: &[&str]) {
    check(
        &format!("[[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\n{text}"),
        expected,
    );
}

#[test]
fn an_issuer_is_defined_once() {
    check(
        "[[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\njwks.file = \"jwks.json\"\n\
         [[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\njwks.file = \"jwks.json\"\n",
        &[r#"6:8: the issuer `a` is defined twice; first at t.toml:2:8: name = "a""#],
    );
}

#[test]
fn algorithms_are_known_and_go_with_the_keys() {
    let known = "is not supported (algorithms are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, \
                 EdDSA, HS256, HS384, HS512)";
    let secret = "needs a shared secret, and this issuer has public keys (public keys and secrets never go \
                  together: an issuer has `secrets`, or keys)";
    for (name, says) in [
        ("none", known),
        ("None", known),
        ("rs256", known),
        ("ES256K", known),
        ("HS256", secret),
        ("HS512", secret),
    ] {
        let line = format!("algorithms = [\"ES256\", \"{name}\"]");
        check(
            &format!("[[issuer]]\nname = \"a\"\n{line}\njwks.file = \"jwks.json\"\n"),
            &[&format!("3:24: the algorithm `{name}` {says}: {line}")],
        );
    }
}

#[test]
fn secrets_are_strong_and_stand_alone() {
    let issuer = |algorithms: &str, rest: &str| {
        format!("[[issuer]]\nname = \"a\"\nalgorithms = [{algorithms}]\n{rest}")
    };
    for (file, says) in [
        ("missing.txt", "no such file"),
        (
            "short.txt",
            "a secret for HS256 must have at least 32 bytes, this one has 31",
        ),
        (
            "public.pem",
            "the secret can be guessed: it is a key or a document of another kind",
        ),
        ("large.pem", "the file is larger than 1 MiB"),
    ] {
        let line = format!("secrets = {{ k = {{ file = \"{file}\" }} }}");
        check(
            &issuer("\"HS256\"", &line),
            &[&format!(
                "4:26: the secret in {file} cannot be used: {says}: {line}"
            )],
        );
    }
    let good = "secrets = { k = { file = \"secret.txt\" } }";
    check(&issuer("\"HS256\"", good), &[]);
    check(
        &issuer("\"HS512\", \"HS256\"", good),
        &["4:26: the secret in secret.txt cannot be used: a secret for \
        HS512 must have at least 64 bytes, this one has 43: secrets = { k = { file = \"secret.txt\" } }"],
    );
    let encoded = "secrets = { k = { file = \"secret.txt\", encoding = \"base64url\" } }";
    check(&issuer("\"HS256\"", encoded), &[]);
    check(
        &issuer("\"HS256\"", &encoded.replace("base64url", "hex")),
        &["4:26: the secret in secret.txt cannot be \
        used: the file holds no pairs of hexadecimal digits: secrets = { k = { file = \"secret.txt\", encoding = \"hex\" } }"],
    );
    check(
        &issuer("\"HS256\", \"ES256\"", good),
        &["3:24: the algorithm `ES256` needs a public key, and this issuer \
        has `secrets` (with secrets go HS256, HS384 and HS512): algorithms = [\"HS256\", \"ES256\"]"],
    );
    check(
        &issuer("\"ES256\"", good),
        &[
            "3:15: the algorithm `ES256` needs a public key, and this issuer has \
        `secrets` (with secrets go HS256, HS384 and HS512): algorithms = [\"ES256\"]",
        ],
    );
    let both = format!("{good}\njwks.file = \"jwks.json\"");
    check(
        &issuer("\"HS256\"", &both),
        &["5:1: an issuer has either `secrets` or public keys, never both: jwks.file = \"jwks.json\""],
    );
    let both = format!("{good}\nkeys = {{ k = {{ file = \"public.pem\" }} }}");
    check(
        &issuer("\"HS256\"", &both),
        &[
            "5:10: an issuer has either `secrets` or public keys, never both: \
        keys = { k = { file = \"public.pem\" } }",
        ],
    );
}

#[test]
fn keys_have_one_source() {
    check_issuer(
        "",
        &[
            "2:8: the issuer `a` has no keys (add `discovery`, `jwks.url`, `jwks.file` or \
           `keys = { \"key-id\" = { file = \"key.pem\" } }`): name = \"a\"",
        ],
    );
    check_issuer(
        "jwks = { file = \"jwks.json\" }\nkeys = { k = { file = \"public.pem\" } }\n",
        &[
            "4:8: an issuer has either `jwks` or `keys`: keys of two sources are two issuers' keys: \
           jwks = { file = \"jwks.json\" }",
        ],
    );
}

#[test]
fn a_key_set_is_fetched_over_tls() {
    for (url, says) in [
        (
            "http://login.example/jwks",
            "must be https, or http to this machine only: whoever is on the way could replace the keys",
        ),
        (
            "https://user:secret@login.example/jwks",
            "must not contain a user name or password",
        ),
        (
            "https://login.example/jwks#keys",
            "must not contain a fragment (#)",
        ),
        ("login.example/jwks", "is not a URL of the form https://host/path"),
        ("file:///etc/keys.json", "must begin with https://"),
    ] {
        let line = format!("jwks.url = \"{url}\"");
        check_issuer(&line, &[&format!("4:12: the URL `{url}` {says}: {line}")]);
    }
    check_issuer("jwks.url = \"http://127.0.0.1:8000/jwks\"", &[]);
    check_issuer(
        "jwks.url = \"http://login.example/jwks\"\njwks.danger_allow_http = true",
        &[],
    );
}

#[test]
fn the_way_to_fetched_keys_is_judged_with_them() {
    let discovery = "discovery = \"https://login.example/d\"";
    check_issuer(discovery, &[]);
    check_issuer(
        "discovery = \"http://login.example/d\"",
        &[
            "4:13: the URL `http://login.example/d` must be https, or http to this machine only: whoever is on the way \
           could replace the keys: discovery = \"http://login.example/d\"",
        ],
    );
    check_issuer(
        &format!("{discovery}\nkeys = {{ k = {{ file = \"public.pem\" }} }}"),
        &[&format!(
            "4:13: an issuer has either `discovery` or `keys`: keys of two sources are two issuers' keys: {discovery}"
        )],
    );
    check(
        &format!(
            "[[issuer]]\nname = \"a\"\nalgorithms = [\"HS256\"]\n{discovery}\nsecrets = {{ k = {{ file = \"secret.txt\" }} }}\n"
        ),
        &[&format!(
            "4:13: an issuer has either `secrets` or public keys, never both: {discovery}"
        )],
    );
    check_issuer(&format!("{discovery}\njwks.ca_file = \"authority.pem\""), &[]);
    for (file, says) in [
        ("missing.pem", "no such file"),
        (
            "public.pem",
            "it holds a PUBLIC KEY; only certificates belong there",
        ),
        (
            "private.pem",
            "it holds a PRIVATE KEY; only certificates belong there",
        ),
        ("jwks.json", "it holds no certificate"),
        (
            "certificate.pem",
            "its certificate 1 cannot be read: invalid peer certificate: BadEncoding",
        ),
    ] {
        let line = format!("jwks.ca_file = \"{file}\"");
        check_issuer(
            &format!("{discovery}\n{line}"),
            &[&format!(
                "5:16: the file of authorities {file} cannot be used: {says}: {line}"
            )],
        );
    }
    let proxy = "jwks.proxy = \"http://proxy:3128\"";
    check_issuer(&format!("{discovery}\n{proxy}"), &[]);
    check_issuer(
        &format!("{discovery}\njwks.proxy = \"proxy:3128\""),
        &[
            "5:14: the proxy `proxy:3128` is not a proxy of the form http://host:port: jwks.proxy = \"proxy:3128\"",
        ],
    );
    check_issuer(
        &format!("{proxy}\njwks.url = \"http://127.0.0.1/jwks\""),
        &[
            "5:12: the URL `http://127.0.0.1/jwks` must be https: by way of a proxy, http does not stay on this \
           machine: jwks.url = \"http://127.0.0.1/jwks\"",
        ],
    );
}

#[test]
fn approvals_are_for_the_issuer_and_nobody_else() {
    let text = "[keys]\napprovals = \"APPROVALS\"\n[[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\n\
                jwks.url = \"https://login.example/jwks\"\n";
    let approval = |file: &str| {
        let snapshot = snapshot(&text.replace("APPROVALS", file));
        assert_eq!(snapshot.approvals, std::path::PathBuf::from(file));
        match &snapshot.issuers[0].source {
            crate::issuer::KeySource::Jwks(schedule) => schedule.terms.approval,
            crate::issuer::KeySource::Files(_) => None,
        }
    };
    assert_eq!(approval("none"), None);
    assert_eq!(approval("others.approvals"), None);
    assert_eq!(
        approval("own.approvals").unwrap().fingerprint.to_string(),
        "ab".repeat(32)
    );
    assert_eq!(approval("garbage.pem"), None);
    assert_eq!(
        snapshot(&text.replace("APPROVALS", "garbage.pem")).warnings,
        [
            "the file of approvals garbage.pem approves nothing: line 1: a line is a fingerprint, a time and an issuer's \
             name, with a blank between them"
        ]
    );
    // Beside the main file, `t.toml`, if nobody says otherwise.
    let approvals = snapshot("").approvals;
    assert_eq!(approvals, std::path::PathBuf::from("t.approvals"));
}

#[test]
fn key_files_hold_public_keys() {
    for (file, says) in [
        ("missing.pem", "no such file"),
        ("garbage.pem", "the file is no PEM: malformedframing"),
        (
            "private.pem",
            "private key material has no place here; this key must be regarded as disclosed",
        ),
        ("certificate.pem", "the file holds no X.509 certificate"),
        ("large.pem", "the file is larger than 1 MiB"),
    ] {
        let line = format!("keys = {{ k = {{ file = \"{file}\" }} }}");
        check_issuer(
            &line,
            &[&format!(
                "4:23: the key file {file} cannot be used: {says}: {line}"
            )],
        );
    }
    for (file, says) in [
        ("missing.json", "no such file"),
        (
            "public.pem",
            "the document is no JSON Web Key Set: invalid number at line 1 column 2",
        ),
        (
            "garbage.json",
            "the document is no JSON Web Key Set: missing field `keys` at line 1 column 2",
        ),
        (
            "useless.json",
            "the document holds no usable key (key 0: private key material has no place here; this key must be \
             regarded as disclosed)",
        ),
        ("large.pem", "the document is larger than 1 MiB"),
    ] {
        let line = format!("jwks.file = \"{file}\"");
        check_issuer(
            &line,
            &[&format!(
                "4:13: the key set file {file} cannot be used: {says}: {line}"
            )],
        );
    }
}

#[test]
fn keys_have_bounds() {
    let kid = "k".repeat(257);
    let shown = "k".repeat(80);
    let line = format!("keys = {{ {kid} = {{ file = \"public.pem\" }} }}");
    let text: String = line.chars().take(200).collect();
    check_issuer(
        &line,
        &[&format!(
            "4:10: the key id `{shown}…` is longer than 256 bytes: {text}"
        )],
    );
    let many: String = (0..101)
        .map(|i| format!("keys.k{i}.file = \"public.pem\"\n"))
        .collect();
    check_issuer(
        &many,
        &["104:6: an issuer has at most 100 keys: keys.k100.file = \"public.pem\""],
    );
}

#[test]
fn a_claim_is_mapped_once() {
    let mapping = |remote: &str, local: &str| {
        format!("[[issuer.claim_mapping]]\nremote_claim = \"{remote}\"\nlocal_claim = \"{local}\"\n")
    };
    let text = |second: String| format!("jwks.file = \"jwks.json\"\n{}{second}", mapping("r", "l"));
    check_issuer(
        &text(mapping("r", "other")),
        &[r#"9:16: the remote claim `r` is defined twice; first at t.toml:6:16: remote_claim = "r""#],
    );
    check_issuer(
        &text(mapping("other", "l")),
        &[r#"10:15: the local claim `l` is defined twice; first at t.toml:7:15: local_claim = "l""#],
    );
    check_issuer(&text(mapping("l", "r")), &[]);
}
