//! Upstreams, APIs, plans and routes: references, names, and what must not be there twice.
//! Suggestions are part of a line: a name that is almost right is the most frequent mistake of all.

use super::{API, PLAN, check};

#[test]
fn names_have_a_small_alphabet() {
    let alphabet = "may hold only letters, digits, `.`, `_` and `-`, and begins with a letter or digit";
    check(
        "[[upstream]]\nname = \"a/b\"\npeers = [\"127.0.0.1:1\"]\n",
        &[&format!(
            "2:8: the name of the upstream `a/b` {alphabet}: name = \"a/b\""
        )],
    );
    check(
        "[[api]]\nname = \"my api\"\ncontext_path = \"/a\"\nupstream = \"sample\"\n",
        &[&format!(
            "2:8: the name of the API `my api` {alphabet}: name = \"my api\""
        )],
    );
    check(
        &format!("{API}[[api.plan]]\nname = \"gold!\"\nsecurity = \"keyless\"\n"),
        &[&format!(
            "6:8: the name of the plan `gold!` {alphabet}: name = \"gold!\""
        )],
    );
    check(
        "[[application]]\nid = \".app\"\nclient_ids = [\"c\"]\n",
        &[&format!(
            "2:6: the name of the application `.app` {alphabet}: id = \".app\""
        )],
    );
    let long = "n".repeat(65);
    check(
        &format!("[[application]]\nid = \"{long}\"\nclient_ids = [\"c\"]\n"),
        &[&format!(
            "2:6: the name of the application `{long}` is longer than 64 bytes: id = \"{long}\""
        )],
    );
}

#[test]
fn nothing_is_defined_twice() {
    check(
        "[[upstream]]\nname = \"u\"\npeers = [\"127.0.0.1:1\"]\n[[upstream]]\nname = \"u\"\npeers = [\"127.0.0.1:1\"]\n",
        &[r#"5:8: the upstream `u` is defined twice; first at t.toml:2:8: name = "u""#],
    );
    check(
        &format!("{API}[[api]]\nname = \"orders\"\ncontext_path = \"/other\"\nupstream = \"sample\"\n"),
        &[r#"6:8: the API `orders` is defined twice; first at t.toml:2:8: name = "orders""#],
    );
    check(
        &format!("{PLAN}[[api.plan]]\nname = \"gold\"\nsecurity = \"keyless\"\n"),
        &[r#"10:8: the plan `gold` is defined twice; first at t.toml:6:8: name = "gold""#],
    );
    check(
        &format!("{API}[[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"acme\", \"acme\"]\n"),
        &[r#"8:20: `acme` is listed twice in `issuers` (first in line 8): issuers = ["acme", "acme"]"#],
    );
}

#[test]
fn what_is_referred_to_is_there() {
    check(
        "[[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\nupstream = \"sampel\"\n",
        &[r#"4:12: there is no upstream `sampel` (did you mean `sample`?): upstream = "sampel""#],
    );
    check(
        &format!("{API}[[api.route]]\npath = \"/x\"\nupstream = \"elsewhere\"\n"),
        &[r#"7:12: there is no upstream `elsewhere`: upstream = "elsewhere""#],
    );
    check(
        &format!("{API}[[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"acne\"]\n"),
        &[r#"8:12: there is no issuer `acne` (did you mean `acme`?): issuers = ["acne"]"#],
    );
}

#[test]
fn what_has_a_mistake_of_its_own_is_there_all_the_same() {
    check(
        "[[upstream]]\nname = \"empty\"\npeers = [\"127.0.0.1:0\"]\n\
         [[issuer]]\nname = \"a\"\nalgorithms = [\"ES256\"]\naudiences = [\"x\"]\njwks.file = \"missing.json\"\n\
         [[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\nupstream = \"empty\"\n\
         [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"a\"]\n",
        &[
            r#"3:10: a peer's port is not 0: peers = ["127.0.0.1:0"]"#,
            r#"8:13: the key set file missing.json cannot be used: no such file: jwks.file = "missing.json""#,
        ],
    );
    let peers: Vec<String> = (1..=257).map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    let line = format!("peers = [{}]", peers.join(", "));
    let text: String = line.chars().take(200).collect();
    check(
        &format!(
            "[[upstream]]\nname = \"large\"\n{line}\n[[api]]\nname = \"a\"\ncontext_path = \"/\"\nupstream = \"large\"\n"
        ),
        &[&format!("3:9: an upstream has 1 to 256 peers: {text}")],
    );
}

#[test]
fn a_jwt_plan_says_whose_tokens_for_whom() {
    check(
        &format!("{API}[[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\n"),
        &[
            "6:8: the plan `gold` accepts tokens of no issuer (name at least one in `issuers = [...]`): name = \"gold\"",
        ],
    );
    check(
        &format!("{API}[[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"acme\", \"bare\"]\n"),
        &[
            "8:20: neither the plan nor the issuer `bare` names `audiences` (list whom tokens must be for, or write \
           `audiences = \"danger-accept-any\"` to take tokens meant for anybody): issuers = [\"acme\", \"bare\"]",
        ],
    );
    for audiences in ["[\"orders\"]", "\"danger-accept-any\""] {
        check(
            &format!(
                "{API}[[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"bare\"]\naudiences = {audiences}\n"
            ),
            &[],
        );
    }
}

#[test]
fn a_keyless_plan_asks_for_nothing_and_there_is_one() {
    let keyless =
        |name: &str, more: &str| format!("[[api.plan]]\nname = \"{name}\"\nsecurity = \"keyless\"\n{more}");
    check(
        &format!(
            "{API}{}",
            keyless(
                "open",
                "issuers = [\"acme\"]\naudiences = [\"x\"]\nsubscription_validation = false\n"
            )
        ),
        &[
            "8:12: a keyless plan takes no `issuers`: it asks callers for nothing: issuers = [\"acme\"]",
            "9:13: a keyless plan takes no `audiences`: it asks callers for nothing: audiences = [\"x\"]",
            "10:27: a keyless plan takes no `subscription_validation`: it asks callers for nothing: \
             subscription_validation = false",
        ],
    );
    check(
        &format!(
            "{API}{}{}",
            keyless("open", ""),
            keyless("free", "stage = \"deprecated\"\n")
        ),
        &[
            "9:8: the plan `free` can never be chosen: it is keyless, and so is one before it (give the plan at t.toml:6:8 a `selection_rule`): name = \"free\"",
        ],
    );
    for stage in ["staging", "closed"] {
        let other = keyless("free", &format!("stage = \"{stage}\"\n"));
        check(&format!("{API}{}{other}", keyless("open", "")), &[]);
    }
}

#[test]
fn hosts_paths_methods_and_scopes_are_what_requests_have() {
    let api = |host: &str, path: &str| {
        format!(
            "[[api]]\nname = \"a\"\nhosts = [\"{host}\"]\ncontext_path = \"{path}\"\nupstream = \"sample\"\n"
        )
    };
    for (host, says) in [
        (
            "a.*.example",
            "`*` must stand alone or be the whole first label, as in `*.example.com`",
        ),
        ("a.example:80", "a host has no port here"),
        ("a..example", "the host has an empty or overlong label"),
        ("a b", "the host contains a character that no host name has"),
    ] {
        check(
            &api(host, "/a"),
            &[&format!("3:10: the host `{host}`: {says}: hosts = [\"{host}\"]")],
        );
    }
    for (path, says) in [
        ("orders", "a context path starts with `/`"),
        ("/orders/", "a context path does not end in `/`"),
        ("/orders/{id}", "a context path has no parameters and no wildcard"),
        (
            "/orders/../admin",
            "a context path must be written as it will be matched: normalised, at most 64 segments",
        ),
    ] {
        check(
            &api("a.example", path),
            &[&format!(
                "4:16: the context path `{path}`: {says}: context_path = \"{path}\""
            )],
        );
    }
    let route = |path: &str, more: &str| format!("{API}[[api.route]]\npath = \"{path}\"\n{more}\n");
    for (path, says) in [
        ("menu", "a path pattern starts with `/`"),
        (
            "/menu/x{id}",
            "`{name}`, `{*name}` and `*` must be whole segments",
        ),
        (
            "/menu/{i d}",
            "a parameter is named with letters, digits, `_` and `-`",
        ),
        ("/menu/*/x", "a wildcard must be the last segment"),
        (
            "/a//b",
            "a path pattern must be written as it will be matched: normalised, at most 64 segments",
        ),
    ] {
        check(
            &route(path, ""),
            &[&format!("6:8: the path `{path}`: {says}: path = \"{path}\"")],
        );
    }
    for (method, says) in [
        ("get", "methods are written in upper case"),
        ("G T", "not a method"),
        ("TRACE", "TRACE and CONNECT are never routed"),
    ] {
        let line = format!("methods = [\"PUT\", \"{method}\"]");
        check(
            &route("/x", &line),
            &[&format!("7:19: the method `{method}`: {says}: {line}")],
        );
    }
    for scope in ["a b", "a\\\\", "é"] {
        let line = format!("scopes = [\"{scope}\"]");
        let shown = scope.replace("\\\\", "\\");
        check(
            &route("/x", &line),
            &[&format!(
                "7:11: the scope `{shown}` may hold only visible ASCII without `\"` and `\\`: {line}"
            )],
        );
    }
}

#[test]
fn a_request_belongs_to_one_route_of_one_api() {
    check(
        &format!("{API}[[api]]\nname = \"other\"\ncontext_path = \"/orders\"\nupstream = \"sample\"\n"),
        &[
            "6:8: the API `other` cannot be told apart: another API has the same host and context path: name = \"other\"",
        ],
    );
    // Other hosts, other API; an exact host goes before every host.
    check(
        &format!(
            "{API}[[api]]\nname = \"other\"\nhosts = [\"a.example\", \"A.example\"]\ncontext_path = \"/orders\"\n\
             upstream = \"sample\"\n"
        ),
        &[],
    );
    check(
        &format!(
            "{API}[[api.route]]\npath = \"/menu/{{id}}\"\nmethods = [\"GET\"]\n\
             [[api.route]]\npath = \"/menu/{{number}}\"\nmethods = [\"PUT\", \"HEAD\"]\n"
        ),
        &[
            "9:8: another route has the same path pattern and a method in common; first at t.toml:6:8: \
           path = \"/menu/{number}\"",
        ],
    );
}

#[test]
fn a_claim_header_is_the_gateways_to_set_and_set_once() {
    let headers = |headers: &str| format!("{API}claim_headers = {{ {headers} }}\n");
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "authorization",
        "X-Forwarded-For",
        "x_real_ip",
        "X-Original-URL",
        "x_http_method_override",
    ] {
        check(
            &headers(&format!("{name} = \"sub\"")),
            &[&format!(
                "5:19: the header `{name}` is reserved for HTTP or for the gateway itself: \
                 claim_headers = {{ {name} = \"sub\" }}"
            )],
        );
    }
    check(
        &headers("\"X User\" = \"sub\""),
        &[
            "5:19: the header name `X User` is none (RFC 9110 section 5.1): claim_headers = { \"X User\" = \"sub\" }",
        ],
    );
    check(
        &headers("X-User = \"sub\", x_user = \"email\""),
        &[
            "5:35: the header `x-user` is defined twice; first at t.toml:5:19: \
           claim_headers = { X-User = \"sub\", x_user = \"email\" }",
        ],
    );
    check(
        &headers("X-Request-Id = \"jti\""),
        &["5:19: the header `X-Request-Id` already carries the request id: \
           claim_headers = { X-Request-Id = \"jti\" }"],
    );
}

#[test]
fn a_token_may_come_from_a_place_that_is_nobody_elses() {
    let plan = |token_from: &str| format!("{PLAN}token_from = {{ {token_from} }}\n");
    for (token_from, column, says) in [
        (
            "header = \"Host\"",
            "25",
            "the header `Host` is reserved for HTTP or for the gateway itself",
        ),
        (
            "header = \"authorization\"",
            "25",
            "the header `authorization` is reserved for HTTP or for the gateway itself",
        ),
        (
            "header = \"Cookie\"",
            "25",
            "the header `Cookie` is reserved for HTTP or for the gateway itself",
        ),
        (
            "header = \"X-Original-URL\"",
            "25",
            "the header `X-Original-URL` is reserved for HTTP or for the gateway itself",
        ),
        (
            "header = \"X-Forwarded-Token\"",
            "25",
            "the header `X-Forwarded-Token` is reserved for HTTP or for the gateway itself",
        ),
        (
            "header = \"x-request-id\"",
            "25",
            "the header `x-request-id` already carries the request id",
        ),
        (
            "header = \"X Token\"",
            "25",
            "the header name `X Token` is none (RFC 9110 section 5.1)",
        ),
        (
            "header = \"X_Token\"",
            "25",
            "the header `X_Token`: the name may hold only letters, digits and `-`: upstreams that fold names would \
             take others for the same",
        ),
        (
            "cookie = \"a b\"",
            "25",
            "the cookie `a b`: the name is no cookie's (RFC 6265 section 4.1.1)",
        ),
        (
            "query = \"a+b\"",
            "24",
            "the query `a+b`: the name may hold only letters, digits, `-`, `.`, `_` and `~`",
        ),
    ] {
        check(
            &plan(token_from),
            &[&format!("9:{column}: {says}: token_from = {{ {token_from} }}")],
        );
    }
    check(
        &format!("{PLAN}token_from = {{ header = \"x-user\" }}\n").replace(
            "[[api.plan]]",
            "claim_headers = { X_User = \"sub\" }\n[[api.plan]]",
        ),
        &[
            "10:25: the header `x-user` already carries a claim to the upstream (`claim_headers`): \
           token_from = { header = \"x-user\" }",
        ],
    );
    check(
        &format!(
            "{API}[[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\ntoken_from = {{ cookie = \"c\" }}\n"
        ),
        &[
            "8:14: a keyless plan takes no `token_from`: it asks callers for nothing: token_from = { cookie = \"c\" }",
        ],
    );
}

#[test]
fn what_separates_is_not_what_it_would_be_encoded_as() {
    for separator in ["%", "2", "C", ", a", "é", "\\t"] {
        let line = format!("claim_header_separator = \"{separator}\"");
        check(
            &format!("{API}{line}\n"),
            &[&format!(
                "5:26: the separator may hold only ASCII punctuation but `%`, and spaces: {line}"
            )],
        );
    }
    for separator in ["", " ", ", ", "||", ";"] {
        check(&format!("{API}claim_header_separator = \"{separator}\"\n"), &[]);
    }
}

#[test]
fn places_of_api_keys_are_nobody_elses() {
    let plan = |security: &str, rest: &str| {
        format!("{API}[[api.plan]]\nname = \"keys\"\nsecurity = \"{security}\"\n{rest}\n")
    };
    for (rest, says) in [
        ("api_key = {}", None),
        ("api_key = { header = \"X-Key\", query = \"api-key\" }", None),
        (
            "api_key = { header = \"Cookie\" }",
            Some("8:22: the header `Cookie` is reserved for HTTP or for the gateway itself"),
        ),
        (
            "api_key = { query = \"a&b\" }",
            Some("8:21: the query `a&b`: the name may hold only letters, digits, `-`, `.`, `_` and `~`"),
        ),
        (
            "subscription_validation = false",
            Some(
                "8:27: an API key plan takes no `subscription_validation`: keys belong to subscriptions and have no claims",
            ),
        ),
    ] {
        let expected = says.map(|says| format!("{says}: {rest}"));
        check(
            &plan("api_key", rest),
            &expected.as_deref().into_iter().collect::<Vec<_>>(),
        );
    }
    let rest = "api_key = { query = \"k\" }";
    let says = format!("8:11: `api_key` means nothing where `security` is \"keyless\": {rest}");
    check(&plan("keyless", rest), &[&says]);
}
