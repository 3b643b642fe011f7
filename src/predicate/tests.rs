//! What rules mean, one row a fact, and what is said of rules that mean nothing. What holds for every rule is in
//! `properties.rs`.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::token::json::{Object, parse_object};

mod properties;

/// A request to judge rules over.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) client: Option<IpAddr>,
    pub(super) claims: Object<'static>,
}

// === impl Request ===

impl Request {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-channel", b"mobile".as_slice()),
            ("x-twice", b"a"),
            ("x-twice", b"b, c"),
            ("x-list", b"gold , silver,,x"),
            ("x-bytes", b"\xff"),
            ("x-empty", b""),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let claims = br#"{
            "tenant": "acme", "level": 3, "verified": true, "none": null, "roles": ["admin", "ops", 7],
            "one": ["admin"], "empty": [], "text": "admin ops", "address": {"city": "Lyon"}, "half": 1.5,
            "https://acme.example/tier": "gold", "blank": "", "umlaut": "J\u00fcrgen"
        }"#;
        Self {
            method: "GET".to_owned(),
            path: "/menu/1".to_owned(),
            headers,
            client: Some("10.1.2.3".parse().unwrap()),
            claims: parse_object(claims).unwrap(),
        }
    }

    /// Judges a rule that is one.
    #[track_caller]
    pub(super) fn judge(&self, text: &str) -> bool {
        let mut names: Vec<String> = Vec::new();
        let place = |name: &str| {
            names.push(name.to_owned());
            Some(names.len() - 1)
        };
        let rule = Predicate::compile(text, place);
        let rule = rule.unwrap_or_else(|error| panic!("{text}: {error} at {}", error.at));
        rule.holds(&Facts {
            method: &self.method,
            path: &self.path,
            headers: &self.headers,
            client: self.client,
            claim: |place: usize| names.get(place).and_then(|name| self.claims.get(name)),
        })
    }
}

#[track_caller]
fn check(rows: &[(&str, bool)]) {
    let request = Request::new();
    for (rule, expected) in rows {
        assert_eq!(request.judge(rule), *expected, "{rule}");
    }
}

#[test]
fn claims_are_compared_within_their_kind() {
    check(&[
        (r#"claims.tenant == "acme""#, true),
        ("claims.tenant == 'acme'", true),
        (r#"claim("tenant") == "acme""#, true),
        (r#"claims.tenant == "Acme""#, false),
        (r#"claims.tenant != "Acme""#, true),
        (r#"claims.tenant != "acme""#, false),
        ("claims.level == 3", true),
        ("claims.level != 4", true),
        ("claims.level == -3", false),
        ("claims.half == 1", false),
        ("claims.half != 1", true),
        ("claims.verified == true", true),
        ("claims.verified != true", false),
        ("claims.verified == false", false),
        (r#"claim("https://acme.example/tier") == "gold""#, true),
        // Of another kind is beyond comparison, whichever way it is asked.
        (r#"claims.level == "3""#, false),
        (r#"claims.level != "3""#, false),
        (r#"claims.one == "admin""#, false),
        (r#"claims.one != "guest""#, false),
        (r#"claims.address != "x""#, false),
        (r#"claims.none == """#, false),
        (r#"claims.none != "x""#, false),
        ("claims.verified != 1", false),
    ]);
}

#[test]
fn what_is_absent_compares_false_whichever_way_it_is_asked() {
    for test in [
        r#"== "x""#,
        r#"!= "x""#,
        r#"in ["x"]"#,
        r#"contains "x""#,
        r#"starts_with """#,
        r#"matches ".*""#,
        "exists",
    ] {
        check(&[
            (&format!("claims.absent {test}"), false),
            (&format!("not claims.absent {test}"), true),
            (&format!(r#"header("X-Absent") {test}"#), false),
            (&format!(r#"claims.none {test}"#), false),
        ]);
    }
    let mut request = Request::new();
    request.client = None;
    for test in ["== \"10.1.2.3\"", "!= \"10.1.2.3\"", "in \"0.0.0.0/0\"", "exists"] {
        assert!(!request.judge(&format!("client_ip {test}")), "{test}");
    }
}

#[test]
fn lists_have_members_and_text_has_none() {
    check(&[
        (r#"claims.tenant in ["x", "acme"]"#, true),
        (r#"claims.tenant in ["x", "acme",]"#, true),
        (r#"claims.tenant in ["x"]"#, false),
        ("claims.level in [1, 2, 3]", true),
        (r#"claims.level in ["3", true]"#, false),
        (r#"claims.roles in ["admin"]"#, false),
        (r#"claims.roles contains "ops""#, true),
        ("claims.roles contains 7", true),
        (r#"claims.roles contains "op""#, false),
        (r#"claims.roles contains "7""#, false),
        (r#"claims.tenant contains "acme""#, true),
        (r#"claims.tenant contains "cm""#, false),
        (r#"claims.text contains "admin""#, false),
        (r#"claims.empty contains """#, false),
        (r#"claims.address contains "Lyon""#, false),
    ]);
}

#[test]
fn beginnings_patterns_and_presence() {
    check(&[
        (r#"claims.tenant starts_with "ac""#, true),
        (r#"claims.tenant starts_with "acme!""#, false),
        (r#"claims.tenant starts_with """#, true),
        (r#"claims.level starts_with "3""#, false),
        (r#"claims.roles starts_with "admin""#, false),
        (r#"claims.tenant matches "a.*e""#, true),
        (r#"claims.tenant matches "acm""#, false),
        (r#"claims.tenant matches "cme""#, false),
        (r#"claims.tenant matches "x|acme""#, true),
        (r#"claims.tenant matches "acme|acm""#, true),
        (r#"claims.tenant matches "acm|acme""#, true),
        (r#"claims.tenant matches "a+?cm.*?""#, true),
        (r#"claims.tenant matches "(?i)ACME""#, true),
        (r#"claims.tenant matches "^acme$""#, true),
        (r#"claims.umlaut matches "J.rgen""#, true),
        (r#"claims.umlaut matches "\w+""#, true),
        (r#"claims.blank matches """#, true),
        (r#"claims.level matches "3""#, false),
        (r#"claims.roles matches ".*""#, false),
        ("claims.tenant exists", true),
        ("claims.blank exists", true),
        ("claims.empty exists", true),
        ("claims.none exists", false),
    ]);
}

#[test]
fn a_field_is_comparable_if_it_is_there_once_and_text() {
    check(&[
        (r#"header("X-Channel") == "mobile""#, true),
        (r#"header("x-channel") == "Mobile""#, false),
        (r#"header("X-Channel") != "web""#, true),
        (r#"header("X-Channel") in ["web", "mobile"]"#, true),
        (r#"header("X-Channel") starts_with "mob""#, true),
        (r#"header("X-Channel") matches "mob.*""#, true),
        (r#"header("X-Twice") == "a""#, false),
        (r#"header("X-Twice") != "x""#, false),
        (r#"header("X-Twice") matches ".*""#, false),
        (r#"header("X-Twice") exists"#, true),
        (r#"header("X-Twice") contains "c""#, true),
        (r#"header("X-List") contains "gold""#, true),
        (r#"header("X-List") contains "silver""#, true),
        (r#"header("X-List") contains "sil""#, false),
        (r#"header("X-List") == "gold""#, false),
        (r#"header("X-Bytes") != "x""#, false),
        (r#"header("X-Bytes") contains "x""#, false),
        (r#"header("X-Bytes") exists"#, true),
        (r#"header("X-Empty") == """#, true),
        (r#"header("X-Empty") exists"#, true),
    ]);
}

#[test]
fn method_path_and_client() {
    check(&[
        (r#"method == "GET""#, true),
        (r#"method in ["PUT", "DELETE"]"#, false),
        (r#"method != "PUT""#, true),
        (r#"path == "/menu/1""#, true),
        (r#"path starts_with "/menu/""#, true),
        (r#"path matches "/menu/[0-9]+""#, true),
        (r#"path != "/""#, true),
        (r#"client_ip == "10.1.2.3""#, true),
        (r#"client_ip != "10.1.2.3""#, false),
        (r#"client_ip != "10.1.2.4""#, true),
        (r#"client_ip in "10.0.0.0/8""#, true),
        (r#"client_ip in ["192.168.0.0/16", "10.1.2.3"]"#, true),
        (r#"client_ip in ["192.168.0.0/16", "::/0"]"#, false),
        ("client_ip exists", true),
    ]);
    let mut request = Request::new();
    // An IPv4 address that came over an IPv6 socket is that IPv4 address.
    request.client = Some("::ffff:10.1.2.3".parse().unwrap());
    assert!(request.judge(r#"client_ip in "10.0.0.0/8""#));
    assert!(request.judge(r#"client_ip == "::ffff:10.1.2.3""#));
}

#[test]
fn or_binds_weaker_than_and_and_and_weaker_than_not() {
    const T: &str = r#"method == "GET""#;
    const F: &str = r#"method == "PUT""#;
    for (rule, expected) in [
        ("T or F and F", true),
        ("(T or F) and F", false),
        ("F and F or T", true),
        ("F and (F or T)", false),
        ("not F and T", true),
        ("not (F and T)", true),
        ("not T or T", true),
        ("not (T or T)", false),
        ("not not T", true),
        ("T and T and F", false),
        ("F or F or T", true),
        ("((T))", true),
        ("\n(T\n\tand not F)\r\n", true),
    ] {
        let rule = rule.replace('T', T).replace('F', F);
        // Keywords and operands have no capital T or F.
        assert_eq!(Request::new().judge(&rule), expected, "{rule}");
    }
}

#[test]
fn what_is_no_rule_is_refused_with_its_place() {
    for (text, at, message) in [
        ("", 0, "expected something to test, `not` or `(`, found the end"),
        ("  ", 2, "expected something to test, `not` or `(`, found the end"),
        ("()", 1, "expected something to test, `not` or `(`, found `)`"),
        (
            "tenant == 1",
            0,
            "`tenant` is nothing that a rule can look at: known are `claims.NAME`, `claim(\"NAME\")`, `header(\"NAME\")`, `method`, `path` and `client_ip`",
        ),
        (
            "METHOD == 'GET'",
            0,
            "`METHOD` is nothing that a rule can look at: known are `claims.NAME`, `claim(\"NAME\")`, `header(\"NAME\")`, `method`, `path` and `client_ip`",
        ),
        (
            "claims == 1",
            0,
            "a claim is named `claims.NAME` or `claim(\"NAME\")`",
        ),
        (
            "claims.a..b exists",
            0,
            "a claim is named `claims.NAME` or `claim(\"NAME\")`",
        ),
        (
            "claims. exists",
            0,
            "a claim is named `claims.NAME` or `claim(\"NAME\")`",
        ),
        (
            "claim('') exists",
            0,
            "a claim is named `claims.NAME` or `claim(\"NAME\")`",
        ),
        (
            "claim(tenant) exists",
            6,
            "expected a name in quotes, found `tenant`",
        ),
        (
            "claim 'x' exists",
            6,
            "expected `(` and a name in quotes, found the text \"x\"",
        ),
        (
            "claims.a",
            8,
            "expected `==`, `!=`, `in`, `contains`, `starts_with`, `matches` or `exists`, found the end",
        ),
        (
            "claims.a and claims.b",
            9,
            "expected `==`, `!=`, `in`, `contains`, `starts_with`, `matches` or `exists`, found `and`",
        ),
        ("claims.a = 1", 9, "`=` has no meaning here"),
        ("claims.a < 1", 9, "`<` has no meaning here"),
        ("claims.a && claims.b", 9, "`&` has no meaning here"),
        (
            "claims.a == b",
            12,
            "expected text in quotes, a whole number, `true` or `false`, found `b`",
        ),
        ("claims.a == 'x", 12, "the text has no closing quote"),
        ("claims.a == 1.5", 12, "a number is a whole one of 64 bits"),
        ("claims.a == 12ab", 12, "a number is a whole one of 64 bits"),
        (
            "claims.a == 99999999999999999999",
            12,
            "a number is a whole one of 64 bits",
        ),
        (
            "claims.a in 'x'",
            12,
            "expected a list in brackets, found the text \"x\"",
        ),
        ("claims.a in []", 12, "a list has at least one member"),
        (
            "claims.a in ['x' 'y']",
            17,
            "expected `,` or `]`, found the text \"y\"",
        ),
        ("claims.a in ['x'", 16, "expected `,` or `]`, found the end"),
        (
            "claims.a starts_with 1",
            21,
            "expected text in quotes, found the number 1",
        ),
        (
            "claims.a matches '('",
            17,
            "the pattern cannot be used: unclosed group",
        ),
        ("claims.a matches '\\b'", 17, "the pattern cannot be used: "),
        (
            "claims.a matches '\\w{500}'",
            17,
            "the pattern is too large: let it have fewer repetitions, or write `[0-9A-Za-z_]` for `\\w`",
        ),
        (
            "claims.a == 1 claims.b == 2",
            14,
            "expected `and`, `or` or the end, found `claims.b`",
        ),
        ("(claims.a == 1", 14, "expected `)`, found the end"),
        ("claims.a == 1)", 13, "expected `and`, `or` or the end, found `)`"),
        (
            "claims.a == 1 and",
            17,
            "expected something to test, `not` or `(`, found the end",
        ),
        (
            "header('X Y') exists",
            0,
            "this is no name of a header field (RFC 9110 section 5.1)",
        ),
        ("header('X') == 1", 15, "`header` is text: compare it with text"),
        (
            "method in ['GET', true]",
            10,
            "`method` is text: compare it with text",
        ),
        ("method == 'get'", 10, "methods are written in upper case"),
        (
            "method contains 'G'",
            16,
            "`method` cannot be tested with `contains`: it is no list; write `starts_with` or `matches`",
        ),
        (
            "path exists",
            5,
            "`path` cannot be tested with `exists`: every request has one",
        ),
        ("path == 'menu'", 8, "a path starts with `/`"),
        ("path starts_with 'menu'", 17, "a path starts with `/`"),
        (
            "client_ip in '10.0.0.0/33'",
            13,
            "this is neither an address nor a network such as \"10.0.0.0/8\"",
        ),
        (
            "client_ip == 'localhost'",
            13,
            "this is neither an address nor a network such as \"10.0.0.0/8\"",
        ),
        ("client_ip == 10", 13, "`client_ip` is text: compare it with text"),
        (
            "client_ip matches '10.*'",
            18,
            "`client_ip` cannot be tested with `matches`: write `in` and networks",
        ),
        (
            "claims.a == 'ü' and claims.ü == 1",
            28,
            "`\\u{fc}` has no meaning here",
        ),
    ] {
        let error = Predicate::compile(text, |_| Some(0)).unwrap_err();
        let said = error.to_string();
        let expected = match message.strip_suffix(": ") {
            Some(beginning) => said.starts_with(beginning),
            None => said == message,
        };
        assert!(
            expected && error.at == at,
            "{text}\n  said {said:?} at {}",
            error.at
        );
    }
}

#[test]
fn claims_may_be_out_of_the_question() {
    let error = Predicate::compile("method == 'GET' or claims.a exists", |_| None).unwrap_err();
    assert_eq!((error.fault, error.at), (RuleFault::ClaimsAbsent, 19));
    assert!(Predicate::compile("method == 'GET'", |_| None).is_ok());
}

#[test]
fn places_are_counted_in_lines_and_characters() {
    let text = "claims.a == 'ü'\n  and 'ü' == 1";
    let error = Predicate::compile(text, |_| Some(0)).unwrap_err();
    assert_eq!(error.position(text), (2, 7));
}

#[test]
fn every_bound_has_its_fault() {
    let fault = |text: &str| {
        Predicate::compile(text, |_| Some(0))
            .err()
            .map(|error| error.fault)
    };
    let padded = |length: usize| format!("claims.a == 1{}", " ".repeat(length - 13));
    assert_eq!(fault(&padded(RULE_BYTES_MAX)), None);
    assert_eq!(fault(&padded(RULE_BYTES_MAX + 1)), Some(RuleFault::TooLong));
    let nested = |depth: usize| format!("{}claims.a == 1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(fault(&nested(RULE_DEPTH_MAX)), None);
    assert_eq!(fault(&nested(RULE_DEPTH_MAX + 1)), Some(RuleFault::TooDeep));
    let negated = |depth: usize| format!("{}claims.a == 1", "not ".repeat(depth));
    assert_eq!(fault(&negated(RULE_DEPTH_MAX)), None);
    assert_eq!(fault(&negated(RULE_DEPTH_MAX + 1)), Some(RuleFault::TooDeep));
    let tests = |count: usize| vec!["claims.a == 1"; count].join(" or ");
    assert_eq!(fault(&tests(RULE_TESTS_MAX)), None);
    assert_eq!(fault(&tests(RULE_TESTS_MAX + 1)), Some(RuleFault::TestsExceeded));
    let members = |count: usize| format!("claims.a in [{}]", vec!["1"; count].join(","));
    assert_eq!(fault(&members(RULE_MEMBERS_MAX)), None);
    assert_eq!(
        fault(&members(RULE_MEMBERS_MAX + 1)),
        Some(RuleFault::MembersExceeded)
    );
}
