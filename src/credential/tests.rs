//! What is a credential, place by place, and what is left of a request when it is taken out.
//! The two must agree: whatever could be found is gone afterwards, and nothing else is.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::CredentialError::{Malformed, Several};
use super::*;

/// The places of an API whose plans look everywhere.
fn everywhere() -> Vec<Source> {
    vec![
        source(SourceKind::Header, "X-Access-Token"),
        source(SourceKind::Cookie, "session"),
        source(SourceKind::Query, "access_token"),
    ]
}

fn source(kind: SourceKind, name: &str) -> Source {
    Source::new(kind, name).unwrap()
}

/// What is found in these fields and this query, and where.
fn find(fields: &[(&str, &str)], query: Option<&str>) -> Result<Option<(String, String)>, CredentialError> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Ok(match extract(&headers, query, &everywhere())? {
        Credential::None => None,
        Credential::Bearer(Bearer { token, source }) => {
            let place = source.map_or_else(|| "authorization".to_owned(), ToString::to_string);
            Some((place, token.into_owned()))
        }
        Credential::ApiKey(key) => unreachable!("a key is not looked for here: {key:?}"),
    })
}

#[track_caller]
fn check(
    fields: &[(&str, &str)],
    query: Option<&str>,
    place: &str,
    expected: Result<Option<&str>, CredentialError>,
) {
    let expected = expected.map(|token| token.map(|token| (place.to_owned(), token.to_owned())));
    assert_eq!(find(fields, query), expected, "{fields:?} {query:?}");
}

#[test]
fn one_bearer_token_in_one_field() {
    for (fields, expected) in [
        (&[][..], Ok(None)),
        (&["Bearer abc"], Ok(Some("abc"))),
        (&["bEaReR abc"], Ok(Some("abc"))),
        (&["Bearer   abc"], Ok(Some("abc"))),
        (&["Basic abc"], Ok(None)),
        (&["BearerXYZ"], Ok(None)),
        (&["Bearer\tabc"], Err(Malformed)),
        (&["Bearer,abc"], Err(Malformed)),
        (&["Bearer=abc"], Err(Malformed)),
        (&["Bearer-abc d"], Ok(None)),
        (&["abc"], Ok(None)),
        (&[""], Ok(None)),
        (&["Bearer"], Err(Malformed)),
        (&["Bearer "], Err(Malformed)),
        (&["Bearer a b"], Err(Malformed)),
        (&["Bearer a\tb"], Err(Malformed)),
        (&["Bearer \u{e9}"], Err(Malformed)),
        (&["Bearer abc", "Bearer abc"], Err(Several)),
        (&["Basic abc", "Bearer abc"], Err(Several)),
    ] {
        let fields: Vec<_> = fields.iter().map(|value| ("authorization", *value)).collect();
        check(&fields, None, "authorization", expected);
    }
}

#[test]
fn one_token_in_one_header_of_its_own() {
    for (fields, expected) in [
        (&[("x-access-token", "abc")][..], Ok(Some("abc"))),
        (&[("x-access-token", "Bearer abc")], Ok(Some("abc"))),
        (&[("x-access-token", "bearer   abc")], Ok(Some("abc"))),
        (&[("x-access-token", " abc ")], Ok(Some("abc"))),
        (&[("x-access-token", "BearerXYZ")], Ok(Some("BearerXYZ"))),
        (&[("x-access-token", "")], Err(Malformed)),
        (&[("x-access-token", " ")], Err(Malformed)),
        (&[("x-access-token", "Bearer")], Err(Malformed)),
        (&[("x-access-token", "Bearer ")], Err(Malformed)),
        (&[("x-access-token", "Bearer a b")], Err(Malformed)),
        (&[("x-access-token", "Basic abc")], Err(Malformed)),
        (&[("x-access-token", "a\tb")], Err(Malformed)),
        (&[("x-access-token", "\u{e9}")], Err(Malformed)),
        (
            &[("x-access-token", "abc"), ("x-access-token", "abc")],
            Err(Several),
        ),
        (
            &[("x-access-token", "abc"), ("x_access_token", "abc")],
            Err(Several),
        ),
        (
            &[("x_access_token", "abc"), ("x.access.token", "abc")],
            Err(Several),
        ),
        (&[("x_access_token", "abc")], Err(Malformed)),
        (&[("x-access.token", "abc")], Err(Malformed)),
        (&[("x-access-tokens", "abc")], Ok(None)),
        (&[("access-token", "abc")], Ok(None)),
    ] {
        check(fields, None, "header `x-access-token`", expected);
    }
}

#[test]
fn one_token_in_one_cookie() {
    for (fields, expected) in [
        (&["session=abc"][..], Ok(Some("abc"))),
        (&["a=1; session=abc; b=2"], Ok(Some("abc"))),
        (&["a=1;session=abc;b=2"], Ok(Some("abc"))),
        (&["a=1", "session=abc"], Ok(Some("abc"))),
        (&["session=a=b"], Ok(Some("a=b"))),
        (&["session=abc;"], Ok(Some("abc"))),
        (&["a=session; b=\"session\""], Ok(None)),
        (&["Session=abc"], Ok(None)),
        (&["session2=abc; xsession=abc; =session"], Ok(None)),
        // What some servers read as two cookies.
        (&["a=1 session=abc"], Err(Malformed)),
        (&["a=1\tsession=abc"], Err(Malformed)),
        (&["a=1,session=abc"], Err(Malformed)),
        (&["a=1, session =abc; session=abc"], Err(Malformed)),
        (&["a=\"session=abc\""], Err(Malformed)),
        (&["a=xsession=abc; b= session; c=1 session2=abc"], Ok(None)),
        (&["session="], Err(Malformed)),
        (&["session"], Err(Malformed)),
        (&["a=1; session ; b=2"], Err(Malformed)),
        (&["session =abc"], Err(Malformed)),
        (&["session= abc"], Err(Malformed)),
        (&["session=a b"], Err(Malformed)),
        (&["session=\"abc\""], Err(Malformed)),
        (&["a=\"x; session=abc\""], Err(Malformed)),
        (&["session=a,b"], Err(Malformed)),
        (&["session=\u{e9}"], Err(Malformed)),
        (&["session=abc; session=abc"], Err(Several)),
        (&["session=abc", "session=abc"], Err(Several)),
        (&["session=abc; session"], Err(Several)),
        (&["session=abc", "a=1; session ="], Err(Several)),
    ] {
        let fields: Vec<_> = fields.iter().map(|value| ("cookie", *value)).collect();
        check(&fields, None, "cookie `session`", expected);
    }
}

#[test]
fn one_token_in_one_parameter() {
    for (query, expected) in [
        ("", Ok(None)),
        ("access_token=abc", Ok(Some("abc"))),
        ("a=1&access_token=abc&b=2", Ok(Some("abc"))),
        ("access%5Ftoken=abc", Ok(Some("abc"))),
        ("%61ccess_token=abc", Ok(Some("abc"))),
        ("access_token=a%62c%2Ed", Ok(Some("abc.d"))),
        ("access_token=a=b", Ok(Some("a=b"))),
        ("access-token=abc&access_tokens=abc&_access_token=abc", Ok(None)),
        // What some servers read as this name.
        ("Access_token=abc", Err(Malformed)),
        ("a=1&ACCESS%5FTOKEN=abc", Err(Malformed)),
        ("access.token=abc", Err(Malformed)),
        ("access[token=abc", Err(Malformed)),
        ("access%20token=abc", Err(Malformed)),
        ("%20access_token=abc", Err(Malformed)),
        ("access_token%00x=abc", Err(Malformed)),
        ("access_token=abc&Access_Token=abc", Err(Malformed)),
        ("a=1;Access_Token=abc", Err(Malformed)),
        ("access%255Ftoken=abc", Ok(None)),
        ("a=access_token=abc&access_tokens=1", Ok(None)),
        ("access+token=abc", Err(Malformed)),
        ("+access_token=abc", Err(Malformed)),
        ("access_token=", Err(Malformed)),
        ("access_token", Err(Malformed)),
        ("a=1&access_token&b=2", Err(Malformed)),
        ("access_token=a+b", Err(Malformed)),
        ("access_token=a%20b", Err(Malformed)),
        ("access_token=a%00", Err(Malformed)),
        ("access_token=%C3%A9", Err(Malformed)),
        ("access_token=%FF", Err(Malformed)),
        ("access_token=a%", Err(Malformed)),
        ("access_token=a%zz", Err(Malformed)),
        ("access_token=a%2562", Err(Malformed)),
        ("a=1;access_token=abc", Err(Malformed)),
        ("access_token=abc;a=1", Err(Malformed)),
        ("a=1;access%5Ftoken=abc&b", Err(Malformed)),
        ("access_token=abc&access_token=abc", Err(Several)),
        ("access_token=abc&access%5ftoken=abc", Err(Several)),
        ("access_token=abc&access_token", Err(Several)),
        ("access_token=abc&a=1;access_token=abc", Err(Several)),
    ] {
        check(&[], Some(query), "query `access_token`", expected);
    }
}

#[test]
fn a_token_is_in_one_place() {
    let places = [
        (Some(("authorization", "Bearer abc")), None),
        (Some(("x-access-token", "abc")), None),
        (Some(("cookie", "session=abc")), None),
        (None, Some("access_token=abc")),
    ];
    for (place, (field, query)) in places.iter().enumerate() {
        let alone: Vec<_> = field.iter().copied().collect();
        assert!(matches!(find(&alone, *query), Ok(Some(_))), "{field:?} {query:?}");
        for (other_field, other_query) in places.iter().skip(place + 1) {
            let fields: Vec<_> = field.iter().chain(other_field).copied().collect();
            let query = query.or(*other_query);
            assert_eq!(find(&fields, query), Err(Several), "{fields:?} {query:?}");
        }
    }
    // Another scheme is no token, so the place beside it is the one.
    let fields = [("authorization", "Basic YTpi"), ("x-access-token", "abc")];
    check(&fields, None, "header `x-access-token`", Ok(Some("abc")));
}

#[test]
fn nobody_looks_where_no_plan_does() {
    let mut headers = HeaderMap::new();
    headers.insert("x-access-token", HeaderValue::from_static("abc"));
    headers.insert(COOKIE, HeaderValue::from_static("session=abc"));
    let query = Some("access_token=abc");
    assert_eq!(extract(&headers, query, &[]), Ok(Credential::None));
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
    let expected = Bearer {
        token: "abc".into(),
        source: None,
    };
    assert_eq!(extract(&headers, query, &[]), Ok(Credential::Bearer(expected)));
}

#[test]
fn a_place_has_a_name_that_can_be_found() {
    use SourceKind::{Cookie, Header, Query};
    for (kind, name, expected) in [
        (Header, "X-Access-Token", Ok("x-access-token")),
        (Header, "X_Access_Token", Err(SourceError::HeaderName)),
        (Header, "a.b", Err(SourceError::HeaderName)),
        (Header, "a b", Err(SourceError::HeaderName)),
        (Header, "", Err(SourceError::HeaderName)),
        (Cookie, "__Host-Session", Ok("__Host-Session")),
        (Cookie, "", Err(SourceError::CookieName)),
        (Cookie, "a=b", Err(SourceError::CookieName)),
        (Cookie, "a;b", Err(SourceError::CookieName)),
        (Cookie, "\u{e9}", Err(SourceError::CookieName)),
        (Query, "access_token", Ok("access_token")),
        (Query, "Token.v2~x", Ok("Token.v2~x")),
        (Query, "", Err(SourceError::QueryName)),
        (Query, "a%5Fb", Err(SourceError::QueryName)),
        (Query, "a+b", Err(SourceError::QueryName)),
        (Query, "a&b", Err(SourceError::QueryName)),
    ] {
        let source = Source::new(kind, name);
        let named = source.as_ref().map(Source::name).map_err(|error| *error);
        assert_eq!(named, expected, "{kind:?} {name}");
    }
}

#[test]
fn what_is_left_of_a_query() {
    for (query, expected) in [
        ("", None),
        ("a=1&b=2", None),
        ("access_tokens=1&Access_token=2", None),
        ("access_token=x", Some("")),
        ("access_token", Some("")),
        ("a=1&access_token=x&b=2", Some("a=1&b=2")),
        ("access%5ftoken=x&b=%20%2b+", Some("b=%20%2b+")),
        ("a&&access_token=x&", Some("a&&")),
        ("access_token=x&access_token=y&a=1", Some("a=1")),
        ("a=1;access_token=x&b", Some("b")),
    ] {
        assert_eq!(strip_query(query, &everywhere()).as_deref(), expected, "{query}");
    }
}

#[test]
fn what_is_left_of_cookies() {
    for (field, expected) in [
        ("", None),
        ("a=1; b=\"2\"", None),
        ("sessions=1; Session=2", None),
        ("session=x", Some("")),
        ("session=x;", Some("")),
        ("session=x; ", Some("")),
        ("session=x; a=1; b=2", Some("a=1; b=2")),
        ("a=1; session=x; b=2", Some("a=1; b=2")),
        ("a=1;  b; session=x", Some("a=1;  b")),
        ("a=1;session=x;b=2", Some("a=1;b=2")),
        ("session =x; session; a=1", Some("a=1")),
    ] {
        let value = HeaderValue::from_static(field);
        let left = strip_cookies(&value, &everywhere());
        assert_eq!(left.as_deref(), expected.map(str::as_bytes), "{field}");
    }
}

#[test]
fn a_header_is_known_in_every_spelling() {
    for (name, expected) in [
        ("x-access-token", true),
        ("x_access_token", true),
        ("x.access!token", true),
        ("X-ACCESS-TOKEN", true),
        ("x-access-token-", false),
        ("x-accesstoken", false),
        ("session", false),
        ("authorization", false),
    ] {
        assert_eq!(folds_to(name, &everywhere()), expected, "{name}");
        assert!(!folds_to(name, &[]), "{name}");
    }
}

/// A parameter's or a cookie's name: ours in many spellings, or another.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "(a|%61|%41|A)ccess(_|%5f|%5F|-|%255F)token",
        "[Ss]ession ?",
        "[a-z%=+ ]{0,6}",
    ]
}

/// The decoded name of a parameter, by the parser that browsers' URLs are specified by.
fn decoded_name(parameter: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(parameter.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

/// The name as PHP and servers that ignore case would read it.
fn folded_name(parameter: &str) -> String {
    let name = decoded_name(parameter).to_lowercase();
    let name = name.trim_start_matches(' ').replace(['.', ' ', '['], "_");
    name.split('\0').next().unwrap_or_default().to_owned()
}

proptest! {
    #[test]
    fn a_query_keeps_every_other_parameter_and_none_of_ours(
        parameters in proptest::collection::vec((name(), "(=[a-zA-Z0-9%+=.~]{0,8})?"), 0..8),
    ) {
        let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}{value}")).collect();
        let others: Vec<&str> = parameters
            .iter()
            .map(String::as_str)
            .filter(|parameter| decoded_name(parameter) != "access_token")
            .collect();
        let query = parameters.join("&");
        let left = strip_query(&query, &everywhere()).unwrap_or_else(|| query.clone());
        prop_assert_eq!(&left, &others.join("&"));
        // What is left has no token, and what has one can be read as nothing else.
        prop_assert!(!url::form_urlencoded::parse(left.as_bytes()).any(|(name, _)| name == "access_token"));
        if others.len() == parameters.len() {
            let misread = parameters.iter().any(|parameter| folded_name(parameter) == "access_token");
            let expected = if misread { Err(Malformed) } else { Ok(None) };
            prop_assert_eq!(find(&[], Some(&query)), expected);
        }
    }

    #[test]
    fn cookies_keep_every_other_pair_and_none_of_ours(
        pairs in proptest::collection::vec((name(), "(=[!-:<-~ ]{0,8})?"), 0..8),
        gap in " {0,2}",
    ) {
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}{value}")).collect();
        let is_ours = |pair: &&String| pair.split('=').next().unwrap().trim() == "session";
        let others: Vec<&str> = pairs.iter().filter(|pair| !is_ours(pair)).map(String::as_str).collect();
        let separator = format!(";{gap}");
        let field = pairs.join(&separator);
        let value = HeaderValue::from_str(&field).unwrap();
        let left = strip_cookies(&value, &everywhere());
        let left = left.map_or_else(|| field.clone(), |left| String::from_utf8(left).unwrap());
        if others.len() == pairs.len() {
            prop_assert_eq!(&left, &field);
        } else if others.iter().all(|pair| pair.trim().is_empty()) {
            prop_assert_eq!(&left, "");
        } else {
            let others = others.join(&separator);
            prop_assert_eq!(left.trim_start(), others.trim_start());
        }
        let left = HeaderValue::from_str(&left).unwrap();
        prop_assert_eq!(strip_cookies(&left, &everywhere()), None);
    }

    #[test]
    fn whatever_is_found_is_gone_when_it_is_removed(query in "[a-z_=&;%+0-9 ]{0,40}|([&;]?access(_|%5F)token(=x)?){1,3}") {
        let left = strip_query(&query, &everywhere()).unwrap_or_else(|| query.clone());
        prop_assert_eq!(find(&[], Some(&left)), Ok(None));
    }
}
