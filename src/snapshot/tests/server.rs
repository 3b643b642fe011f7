//! `[server]`, listeners and logs: the few values there that the language cannot judge by themselves.
//! What the language does judge (ranges, words, addresses) is in the tests of `config`.

use super::{check, lines};

#[test]
fn a_gateway_listens_somewhere_and_nowhere_twice() {
    lines(
        "",
        &[r#"1:1: there is no [[listener]] (add one: [[listener]] address = "127.0.0.1:8080")"#],
    );
    check(
        "[[listener]]\naddress = \"127.0.0.1:80\"\n[[listener]]\naddress = \"127.0.0.1:80\"\n",
        &[
            r#"4:11: the address `127.0.0.1:80` is defined twice; first at t.toml:2:11: address = "127.0.0.1:80""#,
        ],
    );
    check(
        "[metrics]\naddress = \"127.0.0.1:80\"\n[[listener]]\naddress = \"127.0.0.1:80\"\n",
        &[
            r#"2:11: the address `127.0.0.1:80` is defined twice; first at t.toml:4:11: address = "127.0.0.1:80""#,
        ],
    );
    // The system chooses another port for each.
    check("[metrics]\naddress = \"127.0.0.1:0\"\n", &[]);
}

#[test]
fn proxies_that_are_trusted_are_networks() {
    for good in ["10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8"] {
        check(&format!("[server]\ntrusted_proxies = [\"{good}\"]\n"), &[]);
    }
    for bad in ["everyone", "10.0.0.0/33", "10.0.0", "proxy.example", "*"] {
        let says = "is none; write it as `10.0.0.0/8` or `::1`";
        let line = format!("trusted_proxies = [\"{bad}\"]");
        check(
            &format!("[server]\n{line}\n"),
            &[&format!("2:20: the network `{bad}` {says}: {line}")],
        );
    }
}

#[test]
fn the_request_id_has_a_field_of_its_own() {
    for (name, says) in [
        (
            "X Request",
            "the header name `X Request` is none (RFC 9110 section 5.1)",
        ),
        (
            "Authorization",
            "the header `Authorization` is reserved for HTTP or for the gateway itself",
        ),
        (
            "X_Forwarded.For",
            "the header `X_Forwarded.For` is reserved for HTTP or for the gateway itself",
        ),
    ] {
        let line = format!("request_id_header = \"{name}\"");
        check(
            &format!("[server]\n{line}\n"),
            &[&format!("2:21: {says}: {line}")],
        );
    }
    check(
        "[server]\nrequest_id_header = \"X-Trace\"\n[[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\n\
         upstream = \"sample\"\nclaim_headers = { X_Trace = \"sub\" }\n",
        &["7:19: the header `X_Trace` already carries the request id: claim_headers = { X_Trace = \"sub\" }"],
    );
}

#[test]
fn a_network_has_less_of_the_forgery_budget_than_all() {
    for good in [
        "forgery_budget = \"off\"",
        "forgery_budget = \"off\"\nforgery_budget_per_source = \"5%\"",
        "forgery_budget_per_source = \"off\"",
        "forgery_budget_per_source = \"24%\"",
        "forgery_budget = \"2%\"",
        "forgery_budget = \"10000%\"\nforgery_budget_per_source = \"9999%\"\nforgery_burst = \"100ms\"",
    ] {
        check(&format!("[server]\n{good}\n"), &[]);
    }
    let says = "`forgery_budget_per_source` must be less than `forgery_budget`, which is 25%: one network could use up what \
                all have (a fifth of it, or less)";
    let line = "forgery_budget_per_source = \"25%\"";
    check(
        &format!("[server]\n{line}\n"),
        &[&format!("2:29: {says}: {line}")],
    );
}

#[test]
fn what_is_not_written_follows_the_forgery_budget() {
    use std::time::Duration;

    use crate::limit::{ForgeryBudget, Share};
    for (written, issuer, source) in [
        ("", Some(25), Some(5)),
        ("forgery_budget = \"2%\"", Some(2), Some(1)),
        ("forgery_budget = \"200%\"", Some(200), Some(40)),
        ("forgery_budget = \"off\"", None, None),
        ("forgery_budget_per_source = \"off\"", Some(25), None),
        (
            "forgery_budget = \"off\"\nforgery_budget_per_source = \"7%\"",
            None,
            Some(7),
        ),
    ] {
        let expected = ForgeryBudget {
            issuer: issuer.map(Share::of_core),
            source: source.map(Share::of_core),
            burst: Duration::from_millis(200),
            hold: Duration::from_secs(1),
        };
        let compiled = super::snapshot(&format!("[server]\n{written}\n{}", super::PLAN));
        assert_eq!(compiled.forgery_budget, expected, "{written}");
    }
}
