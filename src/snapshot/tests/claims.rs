//! Claim mappings that cannot work, and what those that can become.
//! The default map is judged as an issuer's own is; each has its names for itself.

use super::{NOW, PLAN, check, snapshot};
use crate::api::Terms;

/// A mapping of line 1 to 3, what follows it stands in line 4.
const MAPPING: &str = "[[claim_mapping]]\nremote_claim = \"r\"\nlocal_claim = \"l\"\n";

#[track_caller]
fn check_mapping(text: &str, expected: &[&str]) {
    check(&format!("{MAPPING}{text}"), expected);
}

#[test]
fn names_are_there_once_in_each_map() {
    check_mapping(
        &MAPPING.replace("\"l\"", "\"other\""),
        &["5:16: the remote claim `r` is defined twice; first at t.toml:2:16: remote_claim = \"r\""],
    );
    check_mapping(
        &MAPPING.replace("\"r\"", "\"other\""),
        &["6:15: the local claim `l` is defined twice; first at t.toml:3:15: local_claim = \"l\""],
    );
    check_mapping(
        "[[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\nkeys = { k = { file = \"public.pem\" } }\n\
         [[issuer.claim_mapping]]\nremote_claim = \"r\"\nlocal_claim = \"l\"\n",
        &[],
    );
}

#[test]
fn patterns_have_a_syntax_a_bound_and_one_group() {
    for (pattern, says) in [
        ("(a", "is no pattern: unclosed group"),
        (
            "a",
            "needs exactly one capture group, or one that is named `value`: `(?<value>…)`",
        ),
        (
            "(a)(b)",
            "needs exactly one capture group, or one that is named `value`: `(?<value>…)`",
        ),
        (
            "((?:a{1000}){1000})",
            "is too large when it is compiled, or nested too deep",
        ),
        (
            "(a)(?=b)",
            "is no pattern: look-around, including look-ahead and look-behind, is not supported",
        ),
    ] {
        check_mapping(
            &format!("regex = '{pattern}'\n"),
            &[&format!(
                "4:9: the pattern `{pattern}` {says}: regex = '{pattern}'"
            )],
        );
    }
    check_mapping("regex = '(a)(?<value>b)'\n", &[]);
}

#[test]
fn steps_do_not_contradict_each_other() {
    check_mapping(
        "split = \" \"\njoin = \" \"\n",
        &[
            "5:8: `join` puts together again what `split` takes apart (remove both, or add a `prefix`): join = \" \"",
        ],
    );
    check_mapping("split = \" \"\njoin = \",\"\n", &[]);
    check_mapping("split = \" \"\nprefix = \"a:\"\njoin = \" \"\n", &[]);
    let text = "the mapping makes a text, and its `default` is none";
    let list = "the mapping makes a list of texts, and its `default` is none";
    let texts = "the mapping makes a text or a list of texts, and its `default` is none";
    for (step, default, says) in [
        ("join = \",\"", "\"a\"", None),
        ("join = \",\"", "[\"a\"]", Some(text)),
        ("join = \",\"", "1", Some(text)),
        ("split = \",\"", "[\"a\"]", None),
        ("split = \",\"", "\"a\"", Some(list)),
        ("split = \",\"", "true", Some(list)),
        ("prefix = \"a\"", "\"a\"", None),
        ("prefix = \"a\"", "[]", None),
        ("lowercase = true", "1", Some(texts)),
        ("regex = \"(a)\"", "false", Some(texts)),
        ("lowercase = false", "1", None),
    ] {
        let expected = says.map(|says| format!("5:11: {says}: default = {default}"));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_mapping(&format!("{step}\ndefault = {default}\n"), &expected);
    }
}

#[test]
fn texts_have_bounds() {
    let long = |length: usize| "x".repeat(length);
    for (key, what, max) in [
        ("prefix", "the prefix", 64),
        ("split", "the separator", 64),
        ("join", "the separator", 64),
        ("default", "the default", 256),
    ] {
        check_mapping(&format!("{key} = \"{}\"\n", long(max)), &[]);
        let line = format!("{key} = \"{}\"", long(max + 1));
        let (column, shown, text) = (
            key.len() + 4,
            long(80.min(max + 1)),
            line.get(..200).unwrap_or(&line),
        );
        let cut = if max + 1 > 80 { "…" } else { "" };
        check_mapping(
            &format!("{line}\n"),
            &[&format!(
                "4:{column}: {what} `{shown}{cut}` is longer than {max} bytes: {text}"
            )],
        );
    }
    let members: Vec<String> = (0..65).map(|i| format!("\"{i}\"")).collect();
    let line = format!("default = [{}]", members.join(", "));
    let text = line.get(..200).unwrap();
    check_mapping(
        &format!("{line}\n"),
        &[&format!(
            "4:11: the member `64`: a default has at most 64 members: {text}"
        )],
    );
}

/// The terms of `acme` and whether the default map is applied.
fn terms(text: &str) -> (Terms, usize) {
    let snapshot = snapshot(&format!("{text}{PLAN}"));
    let accepted = snapshot
        .apis
        .first()
        .unwrap()
        .plans
        .for_issuer("acme", NOW)
        .unwrap();
    (accepted.terms, accepted.mapping.default.claims.len())
}

#[test]
fn whatever_changes_in_a_mapping_changes_the_terms() {
    let mut seen = vec![terms("").0];
    for change in [
        "",
        "regex = \"(a)\"\n",
        "regex = \"(b)\"\n",
        "regex = \"(?<value>a)(b)\"\n",
        "regex = \"(a)(?<value>b)\"\n",
        "split = \",\"\n",
        "split = \";\"\n",
        "join = \",\"\n",
        "prefix = \",\"\n",
        "lowercase = true\n",
        "default = \"1\"\n",
        "default = 1\n",
        "default = true\n",
        "default = \"true\"\n",
        "default = [\"1\"]\n",
    ] {
        let (terms, applied) = terms(&format!("{MAPPING}{change}"));
        assert_eq!(applied, 1);
        assert!(!seen.contains(&terms), "{change}");
        seen.push(terms);
    }
    assert_eq!(
        terms(&format!("{MAPPING}lowercase = false\n")).0,
        *seen.get(1).unwrap()
    );
}

#[test]
fn an_issuer_may_do_without_the_default_map() {
    let text = format!(
        "{MAPPING}[[issuer]]\nname = \"own\"\nalgorithms = [\"ES256\"]\naudiences = [\"x\"]\n\
         use_default_claim_mapping = false\nkeys = {{ k = {{ file = \"public.pem\" }} }}\n\
         [[issuer.claim_mapping]]\nremote_claim = \"r\"\nlocal_claim = \"l\"\n{}",
        PLAN.replace("[\"acme\"]", "[\"acme\", \"own\"]")
    );
    let snapshot = snapshot(&text);
    let plans = &snapshot.apis.first().unwrap().plans;
    let counts = ["acme", "own"].map(|issuer| {
        let mapping = &plans.for_issuer(issuer, NOW).unwrap().mapping;
        (mapping.default.claims.len(), mapping.own.claims.len())
    });
    assert_eq!(counts, [(1, 0), (0, 1)]);
}
