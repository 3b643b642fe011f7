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
