//! Issuers that are asked about tokens, and the plans that ask.
//! What would send tokens or secrets where they do not belong never comes into force.

use super::{Memory, check};
use crate::issuer::KeyRing;

const INTROSPECTION: &str = "introspection = { url = \"https://a.example/\", client_id = \"g\", client_secret_file = \"secret.txt\" }";

/// An issuer that is asked, with more keys from line 3.
fn asked(name: &str, more: &str) -> String {
    format!("[[issuer]]\nname = \"{name}\"\n{more}audiences = [\"x\"]\n{INTROSPECTION}\n")
}

/// An API whose plans are so: kind and issuer.
fn api(plans: &[(&str, &str)]) -> String {
    let mut text =
        "[[api]]\nname = \"asking\"\ncontext_path = \"/asking\"\nupstream = \"sample\"\n".to_owned();
    for (index, (security, issuer)) in plans.iter().enumerate() {
        text.push_str(&format!(
            "[[api.plan]]\nname = \"p{index}\"\nsecurity = \"{security}\"\nissuers = [\"{issuer}\"]\n"
        ));
    }
    text
}

/// An issuer whose introspection, in line 4, is this.
#[track_caller]
fn check_introspection(introspection: &str, says: &[&str]) {
    let line = format!("introspection = {{ {introspection} }}");
    let expected: Vec<String> = says.iter().map(|says| format!("{says}: {line}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(
        &format!("[[issuer]]\nname = \"a\"\naudiences = [\"x\"]\n{line}\n"),
        &expected,
    );
}

#[test]
fn the_way_to_an_issuer_is_protected_and_the_secret_is_there() {
    let who = "url = \"https://a.example/\", client_id = \"g\"";
    check_introspection(&format!("{who}, client_secret_env = \"SECRET\""), &[]);
    check_introspection(
        &format!("{who}, client_secret_env = \"OTHER\""),
        &["4:84: the client secret in the variable OTHER cannot be used: it is not set"],
    );
    for (file, says) in [
        ("missing.txt", "no such file"),
        ("empty.txt", "it is empty"),
        ("control.txt", "it holds control characters"),
        ("large.pem", "it is longer than 4096 bytes"),
    ] {
        check_introspection(
            &format!("{who}, client_secret_file = \"{file}\""),
            &[&format!(
                "4:85: the client secret in {file} cannot be used: {says}"
            )],
        );
    }
    let secret = "client_id = \"g\", client_secret_file = \"secret.txt\"";
    check_introspection(
        &format!("url = \"http://a.example/\", {secret}"),
        &[
            "4:25: the URL `http://a.example/` must be https, or http to this machine only: tokens and the client secret are \
           sent there",
        ],
    );
    check_introspection(
        &format!("url = \"http://a.example/\", {secret}, danger_allow_http = true"),
        &[],
    );
    check_introspection(
        &format!("url = \"https://a.example/\", {secret}, proxy = \"https://p\", ca_file = \"garbage.pem\""),
        &[
            "4:107: the proxy `https://p` is not a proxy of the form http://host:port",
            "4:130: the file of authorities garbage.pem cannot be used: it holds no certificate",
        ],
    );
}

#[test]
fn who_has_no_keys_says_nothing_of_signatures() {
    check(&asked("a", ""), &[]);
    check(
        &asked(
            "a",
            "algorithms = [\"ES256\"]\nkeys = { k = { file = \"public.pem\" } }\n",
        ),
        &[],
    );
    check(
        &asked("a", "algorithms = [\"ES256\"]\nrequired_claims = [\"sub\"]\n"),
        &[
            "3:14: `algorithms` is for signed tokens, and the issuer has no keys (remove it, or say where the keys are): \
             algorithms = [\"ES256\"]",
            "4:20: `required_claims` is for signed tokens, and the issuer has no keys (remove it, or say where the keys \
             are): required_claims = [\"sub\"]",
        ],
    );
    check(
        &asked("a", "keys = { k = { file = \"public.pem\" } }\n"),
        &["2:8: the issuer `a` has keys and names no `algorithms`: name = \"a\""],
    );
}

#[test]
fn plans_ask_whom_they_can_and_no_two() {
    let two = asked("a", "") + &asked("b", "");
    check(
        &(two.clone() + &api(&[("oauth2", "a"), ("oauth2", "a"), ("jwt", "acme")])),
        &[],
    );
    check(
        &(two.clone() + &api(&[("oauth2", "a"), ("oauth2", "b")])),
        &[
            "20:12: the API asks two issuers about tokens, `a` and `b`: each would be shown the other's (publish one API for \
           each, or give one of them keys and a plan with `security = \"jwt\"`): issuers = [\"b\"]",
        ],
    );
    check(
        &(two.clone() + &api(&[("jwt", "a")])),
        &[
            "16:12: the issuer `a` has no keys (a plan with `security = \"oauth2\"` asks it about tokens): issuers = [\"a\"]",
        ],
    );
    check(
        &(two + &api(&[("oauth2", "acme")])),
        &[
            "16:12: the issuer `acme` has no `introspection` (say how it is asked: introspection = { url = \"…\", client_id = \
           \"…\", … }): issuers = [\"acme\"]",
        ],
    );
    check(
        &api(&[("oauth2", "bare")]),
        &[
            "8:12: neither the plan nor the issuer `bare` names `audiences` (list whom tokens must be for, or write \
             `audiences = \"danger-accept-any\"` to take tokens meant for anybody): issuers = [\"bare\"]",
            "8:12: the issuer `bare` has no `introspection` (say how it is asked: introspection = { url = \"…\", \
             client_id = \"…\", … }): issuers = [\"bare\"]",
        ],
    );
}

#[test]
fn answers_outlive_snapshots_that_ask_in_the_same_way() {
    let ring = KeyRing::default();
    let answers = |text: &str| {
        let snapshot = Memory::new(text.to_owned() + super::REST)
            .compile(&ring)
            .map_err(|mistakes| mistakes.to_string())
            .unwrap();
        let issuer = snapshot.issuers.iter().find(|issuer| issuer.name.as_str() == "a");
        let introspection = issuer.unwrap().introspection.as_ref().unwrap();
        assert!(!format!("{introspection:?}").contains("q0tXJv8mB3"), "the secret");
        std::sync::Arc::as_ptr(&introspection.answers)
    };
    let same = asked("a", "");
    let first = answers(&same);
    assert_eq!(answers(&same.replace("}", ", timeout = \"9s\" }")), first);
    for (from, to) in [
        ("a.example/", "a.example/x"),
        ("client_id = \"g\"", "client_id = \"h\""),
        ("secret.txt", "short.txt"),
        ("}", ", client_auth = \"post\" }"),
        ("}", ", proxy = \"http://p:1\" }"),
        ("}", ", ca_file = \"authority.pem\" }"),
    ] {
        assert_ne!(answers(&same.replace(from, to)), first, "{from} {to}");
    }
}
