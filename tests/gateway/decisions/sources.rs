//! Rows about tokens in other places than `Authorization`, and what of these places is left when a request goes on.
//!
//! The plan `header` takes tokens of `acme` from a field, the plan `browser` those for partners, of two issuers, from a
//! cookie or the query: what is shown in one place is nothing to a plan that looks in the other.

use super::{Row, row};
use crate::harness::{Request, get};
use crate::world::World;

const FIELD: &str = "X-Access-Token";

/// A request to the API with both plans.
fn ask() -> Request {
    get("/sources/x")
}

fn query(query: &str) -> Request {
    get(&format!("/sources/x?{query}"))
}

fn cookie(value: &str) -> Request {
    ask().header("Cookie", value)
}

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = places(world);
    rows.extend(doubts(world));
    rows.extend(keyless(world));
    rows
}

/// One token, in one place.
fn places(world: &World) -> Vec<Row> {
    let token = world.token().text();
    let partner = world.token().claim("aud", "https://partner.example").text();
    let globex = world.globex.token();
    let globex = globex.claim("aud", "https://partner.example").text();
    let invalid = |reason: &str, says: &str| {
        format!(
            "401 invalid_token {reason}; WWW-Authenticate: Bearer error=\"invalid_token\", \
             error_description=\"{says}\""
        )
    };
    let audience = invalid("audience_mismatch", "The token is not for this audience");
    let elsewhere = invalid(
        "source_not_accepted",
        "No plan of this API takes the token from where it was",
    );
    let header = "200 header mobile /sources/x";
    let browser = "200 browser mobile /sources/x";
    vec![
        row("in a header", ask().header(FIELD, &token), header),
        row(
            "in a header, in small letters",
            ask().header("x-access-token", &token),
            header,
        ),
        row(
            "in a header, after Bearer",
            ask().header(FIELD, &format!("bearer {token}")),
            header,
        ),
        row("in a cookie", cookie(&format!("session={partner}")), browser),
        row(
            "in a cookie, of the other issuer",
            cookie(&format!("a=1; session={globex}; b=2")),
            browser,
        ),
        row("in the query", query(&format!("access_token={partner}")), browser),
        row(
            "in the query, percent-encoded",
            query(&format!("access%5Ftoken={}", partner.replace('.', "%2e"))),
            browser,
        ),
        row("in Authorization, as ever", ask().bearer(&token), header),
        row("in Authorization, the other", ask().bearer(&globex), browser),
        row(
            "another scheme in Authorization is no token",
            ask().header("Authorization", "Basic YTpi").header(FIELD, &token),
            header,
        ),
        // What one plan accepts is not in the place for the other.
        row(
            "a header's token in a cookie",
            cookie(&format!("session={token}")),
            &audience,
        ),
        row(
            "a header's token in the query",
            query(&format!("access_token={token}")),
            &audience,
        ),
        row(
            "a partner's token in a header",
            ask().header(FIELD, &partner),
            &audience,
        ),
        row(
            "an issuer of the other plan",
            ask().header(FIELD, &globex),
            &elsewhere,
        ),
        row(
            "an issuer of the other plan, not even its own",
            ask().header(FIELD, &world.globex.token().signed_by(&world.acme).text()),
            &elsewhere,
        ),
        row(
            "a bad token in a cookie",
            cookie(&format!("session={}", world.globex.token().expired().text())),
            &invalid("expired", "The token is expired"),
        ),
        row(
            "nothing where plans look",
            query("token=x&access-token=y").header("Cookie", "Session=x; sessions=y"),
            "401 missing_credentials missing_credentials; WWW-Authenticate: Bearer realm=\"sources\"",
        ),
    ]
}

/// More than one credential, or less.
fn doubts(world: &World) -> Vec<Row> {
    let token = world.token().text();
    let in_cookie = format!("session={token}");
    let in_query = format!("access_token={token}");
    let refused = |reason: &str| {
        format!("400 invalid_request {reason}; WWW-Authenticate: Bearer error=\"invalid_request\"")
    };
    let several = refused("several_credentials");
    let malformed = refused("credential_malformed");
    let looks_like = |what, request| row(what, request, &refused("credential_malformed"));
    let mut rows = vec![
        looks_like(
            "a query that some servers read as ours",
            query("Access_Token=y").bearer(&token),
        ),
        looks_like("another such query", query("access.token=y").bearer(&token)),
        looks_like(
            "a cookie that some servers read as two",
            ask().bearer(&token).header("Cookie", "a=1 session=y"),
        ),
        looks_like(
            "another such cookie",
            ask().bearer(&token).header("Cookie", "a=1, session=y"),
        ),
    ];
    rows.extend(vec![
        row(
            "Authorization and a header",
            ask().bearer(&token).header(FIELD, &token),
            &several,
        ),
        row(
            "Authorization and a cookie",
            cookie(&in_cookie).bearer(&token),
            &several,
        ),
        row(
            "Authorization and the query",
            query(&in_query).bearer(&token),
            &several,
        ),
        row(
            "a header and the query",
            query(&in_query).header(FIELD, &token),
            &several,
        ),
        row(
            "a header and a cookie",
            cookie(&in_cookie).header(FIELD, &token),
            &several,
        ),
        row(
            "a cookie and the query",
            query(&in_query).header("Cookie", &in_cookie),
            &several,
        ),
        row(
            "a header twice",
            ask().header(FIELD, &token).header(FIELD, &token),
            &several,
        ),
        row(
            "a header in two spellings",
            ask().header(FIELD, &token).header("X_Access_Token", &token),
            &several,
        ),
        row(
            "a cookie twice",
            cookie(&format!("{in_cookie}; {in_cookie}")),
            &several,
        ),
        row(
            "a cookie in two fields",
            cookie(&in_cookie).header("Cookie", &in_cookie),
            &several,
        ),
        row(
            "a parameter twice",
            query(&format!("{in_query}&a=1&{in_query}")),
            &several,
        ),
        row(
            "a parameter twice, once encoded",
            query(&format!("{in_query}&access%5ftoken={token}")),
            &several,
        ),
        row(
            "a header in another spelling",
            ask().header("X_Access_Token", &token),
            &malformed,
        ),
        row("an empty header", ask().header(FIELD, ""), &malformed),
        row(
            "another scheme in a header",
            ask().header(FIELD, "Basic YTpi"),
            &malformed,
        ),
        row("an empty cookie", cookie("session="), &malformed),
        row(
            "a cookie in quotes",
            cookie(&format!("session=\"{token}\"")),
            &malformed,
        ),
        row("an empty parameter", query("access_token="), &malformed),
        row("a parameter without a value", query("access_token"), &malformed),
        row(
            "a parameter with a space",
            query(&format!("access_token={token}+")),
            &malformed,
        ),
        row(
            "a parameter behind a semicolon",
            query(&format!("a=1;{in_query}")),
            &malformed,
        ),
    ]);
    rows
}

/// Who shows something in a place where plans look is not anonymous.
fn keyless(world: &World) -> Vec<Row> {
    let token = world.token().text();
    let ask = |query: &str| get(&format!("/sources-open/x{query}"));
    let malformed =
        "400 invalid_request credential_malformed; WWW-Authenticate: Bearer error=\"invalid_request\"";
    let nonsense = "401 invalid_token parts_malformed; WWW-Authenticate: Bearer error=\"invalid_token\", \
                    error_description=\"The token is malformed\"";
    vec![
        row("keyless, nothing shown", ask("?a=1"), "200 open - /x?a=1"),
        row(
            "keyless, a token in the query",
            ask(&format!("?access_token={token}&a=1")),
            "200 any mobile /x?a=1",
        ),
        row(
            "keyless, nonsense in a cookie",
            ask("").header("Cookie", "session=nonsense"),
            nonsense,
        ),
        row(
            "keyless, nonsense in a header",
            ask("").header(FIELD, "nonsense"),
            nonsense,
        ),
        row(
            "keyless, nonsense in the query",
            ask("?access_token=nonsense"),
            nonsense,
        ),
        row("keyless, an empty parameter", ask("?access_token="), malformed),
        row(
            "keyless, a header in another spelling",
            ask("").header("x_access_token", "nonsense"),
            malformed,
        ),
    ]
}

#[test]
fn a_token_ends_at_the_gateway_and_everything_beside_it_goes_on() {
    let world = World::start();
    let token = world.token().text();
    let t = |text: &str| text.replace("TOKEN", &token);
    for (target, fields, expected_target, expected_cookies) in [
        ("/sources-open/x?access_token=TOKEN", vec![], "/x", vec![]),
        ("/sources-open?access_token=TOKEN", vec![], "/", vec![]),
        (
            "/sources-open/x?a=%20+&access_token=TOKEN&b=;c&&a=1",
            vec![],
            "/x?a=%20+&b=;c&&a=1",
            vec![],
        ),
        (
            "/sources-open/x?%61ccess%5Ftoken=TOKEN&token=1",
            vec![],
            "/x?token=1",
            vec![],
        ),
        (
            "/sources-open/%78?access_token=TOKEN&%61",
            vec![],
            "/x?%61",
            vec![],
        ),
        (
            "http://gateway.test/sources-open/x?access_token=TOKEN",
            vec![],
            "/x",
            vec![],
        ),
        (
            "/sources-open/x?",
            vec![("Cookie", "session=TOKEN")],
            "/x?",
            vec![],
        ),
        (
            "/sources-open/x",
            vec![("Cookie", "a=\"1\"; session=TOKEN;b=2;  c")],
            "/x",
            vec!["a=\"1\";b=2;  c"],
        ),
        (
            "/sources-open/x",
            vec![
                ("Cookie", "a=1"),
                ("Cookie", "session=TOKEN"),
                ("Cookie", "b=session; Session=2"),
            ],
            "/x",
            vec!["a=1", "b=session; Session=2"],
        ),
        (
            "/sources-open/x",
            vec![("X-Access-Token", "TOKEN"), ("Cookie", "a=1")],
            "/x",
            vec!["a=1"],
        ),
        (
            "/sources-open/x",
            vec![
                ("X-Access-Token", "TOKEN"),
                ("Connection", "X-Access-Token, Cookie"),
            ],
            "/x",
            vec![],
        ),
        // Nothing was shown, and what only looks like it goes on.
        (
            "/sources-open/x?access-token=1",
            vec![("Cookie", "sessions=1"), ("X-Access-Tokens", "1")],
            "/x?access-token=1",
            vec!["sessions=1"],
        ),
        (
            "/sources-open/x",
            vec![("Authorization", "Bearer TOKEN"), ("Cookie", "a=1")],
            "/x",
            vec!["a=1"],
        ),
        // An API that passes the credential on.
        (
            "/sources-passing?a&access_token=TOKEN",
            vec![],
            "/sources-passing?a&access_token=TOKEN",
            vec![],
        ),
        (
            "/sources-passing",
            vec![("Cookie", "a=1; session=TOKEN")],
            "/sources-passing",
            vec!["a=1; session=TOKEN"],
        ),
        // An API whose plans do not look there.
        (
            "/public?access_token=TOKEN",
            vec![("Cookie", "session=TOKEN")],
            "/public?access_token=TOKEN",
            vec!["session=TOKEN"],
        ),
    ] {
        let mut request = get(&t(target));
        for (name, value) in &fields {
            request = request.header(name, &t(value));
        }
        let what = format!("{target} {fields:?}");
        assert_eq!(world.send(&request).status, 200, "{what}");
        let received = world.upstream.take_one();
        assert_eq!(received.target, t(expected_target), "{what}");
        let expected: Vec<String> = expected_cookies.iter().map(|value| t(value)).collect();
        assert_eq!(received.values("cookie"), expected, "{what}");
        assert_eq!(received.values("x-access-token"), [""; 0], "{what}");
        assert_eq!(received.values("authorization"), [""; 0], "{what}");
        let passed =
            expected_target.contains("TOKEN") || expected_cookies.iter().any(|c| c.contains("TOKEN"));
        assert_eq!(format!("{received:?}").contains(&token), passed, "{what}");
    }
    let request = get("/sources-passing").header(FIELD, &token);
    assert_eq!(world.send(&request).status, 200);
    assert_eq!(world.upstream.take_one().values(FIELD), [token.as_str()]);
}

#[test]
fn an_answer_that_only_its_caller_may_see_says_so_to_caches() {
    let world = World::start();
    let token = world.token().text();
    for (what, request, expected) in [
        (
            "in the query",
            get(&format!("/sources-open/x?access_token={token}")),
            Some("private"),
        ),
        (
            "in a cookie, and the upstream says otherwise",
            get("/sources-open/cached").header("Cookie", &format!("session={token}")),
            Some("private, max-age=60"),
        ),
        (
            "in a header, and the upstream says otherwise",
            get("/sources-open/cached").header(FIELD, &token),
            Some("private, max-age=60"),
        ),
        (
            "in Authorization, which caches know",
            get("/sources-open/x").bearer(&token),
            None,
        ),
        (
            "in Authorization, and the upstream knows what it says",
            get("/sources-open/cached").bearer(&token),
            Some("public, max-age=60"),
        ),
        (
            "nothing shown",
            get("/sources-open/cached"),
            Some("public, max-age=60"),
        ),
    ] {
        let answer = world.send(&request);
        assert_eq!(answer.status, 200, "{what}");
        assert_eq!(answer.header("cache-control"), expected, "{what}");
    }
}

#[test]
fn a_token_is_known_in_the_log_by_one_digest_wherever_it_was() {
    let world = World::start();
    let token = world.token().text();
    let encoded = token.replace('.', "%2E");
    let mut digests = Vec::new();
    for (place, request) in [
        (None, get("/sources-open/x").bearer(&token)),
        (Some("header"), get("/sources-open/x").header(FIELD, &token)),
        (
            Some("cookie"),
            get("/sources-open/x").header("Cookie", &format!("session={token}")),
        ),
        (
            Some("query"),
            get(&format!("/sources-open/x?access_token={token}")),
        ),
        (
            Some("query"),
            get(&format!("/sources-open/x?access_token={encoded}")),
        ),
    ] {
        let answer = world.send(&request);
        let line = world.gateway.access_line(&answer);
        assert_eq!(line["token_from"].as_str(), place, "{line}");
        digests.push(line["token_digest"].as_str().unwrap().to_owned());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
    let told = format!(
        "{:?} {:?}",
        world.gateway.access_lines(),
        world.gateway.log_lines()
    );
    for secret in [token.as_str(), &encoded, "access_token"] {
        assert!(!told.contains(secret), "{told}");
    }
}
