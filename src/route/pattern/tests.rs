//! What an operator may write, and what is refused because it could never match.
//!
//! One table for what is read, one for what is refused, per type.

use super::*;

#[test]
fn context_paths() {
    use ContextPathError::*;
    for text in ["/", "/orders", "/orders/v2", "/a%20b", "/v1.0"] {
        assert_eq!(
            ContextPath::parse(text).as_ref().map(ContextPath::as_str),
            Ok(text)
        );
    }
    for (text, error) in [
        ("", NotAbsolute),
        ("orders", NotAbsolute),
        ("/orders/", TrailingSlash),
        ("/orders//", NotCanonical),
        ("//", NotCanonical),
        ("/orders/{id}", Pattern),
        ("/orders/*", Pattern),
        ("/a/../b", NotCanonical),
        ("/%61", NotCanonical),
        ("/a%2fb", NotCanonical),
        ("/a%c3%a9", NotCanonical),
        ("/a b", NotCanonical),
        ("/a;b", NotCanonical),
        ("/a?b", NotCanonical),
        (&"/a".repeat(PATH_SEGMENTS_MAX + 1), NotCanonical),
    ] {
        assert_eq!(ContextPath::parse(text), Err(error), "{text}");
    }
}

#[test]
fn route_patterns() {
    use Segment::*;
    let literal = |text: &str| Literal(text.into());
    for (text, segments) in [
        ("/", vec![literal("")]),
        ("/menu", vec![literal("menu")]),
        ("/menu/", vec![literal("menu"), literal("")]),
        ("/menu/{id}", vec![literal("menu"), Parameter]),
        ("/{a}/{b}/", vec![Parameter, Parameter, literal("")]),
        ("/files/{*rest}", vec![literal("files"), Wildcard]),
        ("/files/*", vec![literal("files"), Wildcard]),
        ("/*", vec![Wildcard]),
        ("/a%20b", vec![literal("a%20b")]),
    ] {
        assert_eq!(RoutePattern::parse(text).unwrap().segments(), segments, "{text}");
    }
    assert_eq!(RoutePattern::parse("/a/{x}"), RoutePattern::parse("/a/{y}"));
    assert!(RoutePattern::parse(&"/{x}".repeat(PATH_SEGMENTS_MAX)).is_ok());
}

#[test]
fn route_patterns_that_are_refused() {
    use RoutePatternError::*;
    for (text, error) in [
        ("", NotAbsolute),
        ("menu", NotAbsolute),
        ("*", NotAbsolute),
        ("/a/{id}.json", PartialSegment),
        ("/a/v{id}", PartialSegment),
        ("/a/{a}{b}", PartialSegment),
        ("/a/{id", PartialSegment),
        ("/a/id}", PartialSegment),
        ("/a/b*", PartialSegment),
        ("/a/**", PartialSegment),
        ("/a/{{id}}", PartialSegment),
        ("/a/{}", Name),
        ("/a/{*}", Name),
        ("/a/{i d}", Name),
        ("/a/{id:int}", Name),
        ("/*/a", WildcardNotLast),
        ("/a/*/", WildcardNotLast),
        ("/{*a}/{b}", WildcardNotLast),
        ("//", NotCanonical),
        ("/a//b", NotCanonical),
        ("/a/./b", NotCanonical),
        ("/a/..", NotCanonical),
        ("/%41", NotCanonical),
        ("/%2f", NotCanonical),
        ("/a b", NotCanonical),
        ("/a;b", NotCanonical),
        ("/a|b", NotCanonical),
        (&"/{x}".repeat(PATH_SEGMENTS_MAX + 1), NotCanonical),
    ] {
        assert_eq!(RoutePattern::parse(text), Err(error), "{text}");
    }
}

#[test]
fn method_sets() {
    use MethodSetError::*;
    for (methods, names) in [
        (&["GET"][..], &["GET", "HEAD"][..]),
        (&["POST", "GET", "POST"], &["GET", "HEAD", "POST"]),
        (&["HEAD"], &["HEAD"]),
        (&["M-SEARCH", "PATCH"], &["M-SEARCH", "PATCH"]),
    ] {
        let set = MethodSet::parse(methods.iter().copied()).unwrap();
        assert!(
            set.names().iter().map(|name| &**name).eq(names.iter().copied()),
            "{set:?}"
        );
        assert!(names.iter().all(|name| set.contains(name)));
        assert!(!set.contains("get") && !set.contains("DELETE") && !set.contains(""));
    }
    for (methods, error) in [
        (&[][..], Empty),
        (&["GET", ""], NotAToken { index: 1 }),
        (&["GET POST"], NotAToken { index: 0 }),
        (&["GET,POST"], NotAToken { index: 0 }),
        (&["É"], NotAToken { index: 0 }),
        (&["GET", "post"], LowerCase { index: 1 }),
        (&["Get"], LowerCase { index: 0 }),
        (&["TRACE"], NotRoutable { index: 0 }),
        (&["GET", "CONNECT"], NotRoutable { index: 1 }),
    ] {
        assert_eq!(
            MethodSet::parse(methods.iter().copied()),
            Err(error),
            "{methods:?}"
        );
    }
    let get = MethodSet::parse(["GET"]).unwrap();
    let head = MethodSet::parse(["HEAD"]).unwrap();
    let post = MethodSet::parse(["POST"]).unwrap();
    assert!(get.overlaps(&head) && head.overlaps(&get) && get.overlaps(&MethodSet::any()));
    assert!(MethodSet::any().overlaps(&post) && !get.overlaps(&post));
    assert!(MethodSet::any().contains("PURGE"));
}
