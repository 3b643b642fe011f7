//! What operators get to read when a configuration is understood and cannot work, word for word; and what becomes of
//! one that can. A row is a piece of configuration, above a common rest, and the lines that it is answered with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::{Inputs, Snapshot, compile};
use crate::api::Stages;
use crate::config::{Files, Mistakes, parse};
use crate::issuer::KeyRing;
use crate::mint::SigningKey;
use crate::time::UnixTime;
use crate::token::Algorithm;

mod apis;
mod audiences;
mod claims;
mod compiled;
mod introspection;
mod issuers;
mod limits;
mod lives;
mod requirements;
mod server;
mod subscribers;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// What stands below every row: somewhere to listen, two issuers (one leaves audiences to its plans), an upstream.
const REST: &str = r#"
[[listener]]
address = "127.0.0.1:0"

[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
keys = { k = { file = "public.pem" } }

[[issuer]]
name = "bare"
algorithms = ["ES256"]
keys = { k = { file = "public.pem" } }

[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]
"#;

/// An API as rows need it; what follows it stands in line 5.
const API: &str = "[[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\nupstream = \"sample\"\n";

/// The same with a plan; what follows it stands in line 9.
const PLAN: &str = "[[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\nupstream = \"sample\"\n\
                    [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n";

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());

/// Files in memory; the main one is `t.toml`.
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

// === impl Memory ===

impl Memory {
    /// The text, above the rest, and key files of every kind.
    fn new(main: String) -> Self {
        let jwks = format!("{{\"keys\":[{}]}}", KEY.public_jwk("k1"));
        let files = [
            ("t.toml", main),
            ("public.pem", KEY.public_pem()),
            ("private.pem", KEY.to_pem().expose().clone()),
            ("garbage.pem", "no key".to_owned()),
            (
                "certificate.pem",
                KEY.public_pem().replace("PUBLIC KEY", "CERTIFICATE"),
            ),
            ("jwks.json", jwks),
            ("garbage.json", "{}".to_owned()),
            (
                "useless.json",
                r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#.to_owned(),
            ),
            (
                "secret.txt",
                "q0tXJv8mB3hYw5kZ1sNfRr7cLdP2uGxE9aTiOoVjW4A\n".to_owned(),
            ),
            ("short.txt", "0123456789abcdefghijklmnopqrstu\n".to_owned()),
            ("empty.txt", "\r\n".to_owned()),
            ("control.txt", "a\tb".to_owned()),
            ("authority.pem", authority()),
            (
                "own.approvals",
                format!("{} 2027-01-31T12:00:00Z a\n", "ab".repeat(32)),
            ),
            (
                "others.approvals",
                format!("{} 2027-01-31T12:00:00Z b\n", "ab".repeat(32)),
            ),
            ("large.pem", "x".repeat(1024 * 1024 + 1)),
        ];
        let files = files.map(|(path, text)| (PathBuf::from(path), text.into_bytes()));
        Self(files.into())
    }

    fn compile(&self, key_ring: &KeyRing) -> Result<Snapshot, Mistakes> {
        self.compile_beside(key_ring, &Stages::default())
    }

    fn compile_beside(&self, key_ring: &KeyRing, stages: &Stages) -> Result<Snapshot, Mistakes> {
        let inputs = Inputs {
            files: self,
            key_ring,
            stages,
            counters: &crate::limit::LocalCounters::default(),
            now: NOW,
            generation: 7,
        };
        compile(parse(Path::new("t.toml"), self)?, inputs)
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        self.0.get(path).cloned().ok_or_else(missing)
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| "s3cret".to_owned())
    }
}

fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    certificate.pem()
}

/// A row above the rest, and every line it is answered with; `t.toml:` is left out where a line begins.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    lines(&format!("{text}{REST}"), expected);
}

#[track_caller]
fn lines(main: &str, expected: &[&str]) {
    let compiled = Memory::new(main.to_owned()).compile(&KeyRing::default());
    let mistakes = compiled.err().unwrap_or_default();
    let found: Vec<String> = mistakes.iter().map(|mistake| mistake.one_line()).collect();
    let found: Vec<&str> = found
        .iter()
        .map(|line| line.strip_prefix("t.toml:").unwrap_or(line))
        .collect();
    assert_eq!(found, expected, "\n{main}");
}

/// What becomes of a row above the rest.
#[track_caller]
fn snapshot(text: &str) -> Snapshot {
    let memory = Memory::new(format!("{text}{REST}"));
    memory
        .compile(&KeyRing::default())
        .map_err(|mistakes| mistakes.to_string())
        .unwrap()
}

#[test]
fn every_mistake_is_found_in_one_pass() {
    check(
        r#"[server]
trusted_proxies = ["everyone"]
[[issuer]]
name = "broken"
algorithms = ["none"]
keys = { k = { file = "missing.pem" } }
[[upstream]]
name = "-"
peers = ["127.0.0.1:1"]
[[api]]
name = "a"
context_path = "/a"
upstream = "-"
claim_headers = { Host = "sub" }
[[api.plan]]
name = "p"
security = "jwt"
issuers = ["broken", "acme"]
[[api.route]]
path = "/x"
[[api.route]]
path = "/x"
[[api]]
name = "b"
context_path = "/b"
upstream = "sample"
[[api]]
name = "c"
context_path = "/b"
upstream = "sample"
[[subscription]]
application = "nobody"
api = "b"
plan = "p"
"#,
        &[
            r#"2:20: the network `everyone` is none; write it as `10.0.0.0/8` or `::1`: trusted_proxies = ["everyone"]"#,
            "5:15: the algorithm `none` is not supported (algorithms are RS256, RS384, RS512, PS256, PS384, PS512, \
             ES256, ES384, ES512, EdDSA, HS256, HS384, HS512): algorithms = [\"none\"]",
            "6:23: the key file missing.pem cannot be used: no such file: keys = { k = { file = \"missing.pem\" } }",
            "8:8: the name of the upstream `-` may hold only letters, digits, `.`, `_` and `-`, and begins with a \
             letter or digit: name = \"-\"",
            "14:19: the header `Host` is reserved for HTTP or for the gateway itself: claim_headers = { Host = \"sub\" }",
            "18:12: neither the plan nor the issuer `broken` names `audiences` (list whom tokens must be for, or write \
             `audiences = \"danger-accept-any\"` to take tokens meant for anybody): issuers = [\"broken\", \"acme\"]",
            "22:8: another route has the same path pattern and a method in common; first at t.toml:20:8: path = \"/x\"",
            "28:8: the API `c` cannot be told apart: another API has the same host and context path: name = \"c\"",
            "32:15: there is no application `nobody`: application = \"nobody\"",
            "34:8: there is no plan of the API `b` called `p`: plan = \"p\"",
        ],
    );
}
