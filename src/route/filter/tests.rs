//! A filter against rows that show the rules one by one, and against a scan of the whole list: a list that the tree
//! reads otherwise than its author would let something through or keep something out.

use proptest::prelude::*;

use super::*;

fn filter(entries: &[(&str, &[&str])]) -> PathFilter {
    PathFilter::new(entries.iter().map(|(pattern, methods)| {
        let methods = match methods {
            [] => MethodSet::any(),
            names => MethodSet::parse(names.iter().copied()).unwrap(),
        };
        (RoutePattern::parse(pattern).unwrap(), methods)
    }))
}

#[test]
fn every_pattern_that_has_the_path_counts() {
    use PathMatch::{Full, None, Path};
    let list = filter(&[
        ("/menu/{id}", &["GET"]),
        ("/menu/*", &["POST"]),
        ("/menu/today", &["PUT"]),
        ("/orders", &[]),
        ("/menu/{id}", &["PATCH"]),
    ]);
    for (method, path, expected) in [
        ("GET", "/menu/1", Full),
        ("HEAD", "/menu/1", Full),
        ("POST", "/menu/1", Full),
        ("PATCH", "/menu/1", Full),
        ("PUT", "/menu/1", Path),
        ("PUT", "/menu/today", Full),
        ("POST", "/menu/today", Full),
        ("POST", "/menu/1/2", Full),
        ("GET", "/menu/1/2", Path),
        ("GET", "/menu", None),
        ("GET", "/menu/", None),
        ("BREW", "/orders", Full),
        ("BREW", "/orders/", None),
        ("get", "/menu/1", Path),
        ("GET", "", None),
        ("GET", "menu/1", None),
    ] {
        assert_eq!(list.judge(path, method), expected, "{method} {path}");
    }
    assert_eq!(
        list.methods("/menu/today"),
        ["GET", "HEAD", "PATCH", "POST", "PUT"]
    );
    assert_eq!(list.methods("/menu/1/2"), ["POST"]);
    assert!(list.methods("/orders").is_empty(), "every method has no names");
}

#[test]
fn a_pattern_loses_the_slash_at_its_end_only() {
    for (written, expected) in [
        ("/", "/"),
        ("/menu", "/menu"),
        ("/menu/", "/menu"),
        ("/menu/{id}/", "/menu/{id}"),
        ("/menu/*", "/menu/*"),
    ] {
        let pattern = RoutePattern::parse(written).unwrap().without_trailing_slash();
        assert_eq!(pattern, RoutePattern::parse(expected).unwrap(), "{written}");
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("{x}")];
    let end = prop_oneof![3 => Just(""), 1 => Just("/"), 1 => Just("/*")];
    (proptest::collection::vec(segment, 1..4), end)
        .prop_map(|(segments, end)| format!("/{}{end}", segments.join("/")))
}

/// Segment by segment, written to be obviously right.
fn has(pattern: &str, path: &str) -> bool {
    let (patterns, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    if let Some((&"*", before)) = patterns.split_last() {
        let enough = path.len() > before.len()
            && path
                .get(before.len()..)
                .is_some_and(|rest| !rest.join("/").is_empty());
        return enough && before.iter().zip(&path).all(|(own, segment)| is(own, segment));
    }
    patterns.len() == path.len() && patterns.iter().zip(&path).all(|(own, segment)| is(own, segment))
}

fn is(own: &str, segment: &str) -> bool {
    if own.starts_with('{') {
        !segment.is_empty()
    } else {
        own == segment
    }
}

proptest! {
    #[test]
    fn a_filter_finds_what_a_scan_would_find(
        entries in proptest::collection::vec((pattern(), prop_oneof![Just("GET"), Just("PUT"), Just("*")]), 0..12),
        path in "(/[abc]){1,4}/?|/",
        method in prop_oneof![Just("GET"), Just("PUT"), Just("POST")],
    ) {
        let list: Vec<(&str, Vec<&str>)> = entries
            .iter()
            .map(|(pattern, method)| (pattern.as_str(), if *method == "*" { vec![] } else { vec![*method] }))
            .collect();
        let borrowed: Vec<(&str, &[&str])> = list.iter().map(|(pattern, methods)| (*pattern, methods.as_slice())).collect();
        let having: Vec<_> = list.iter().filter(|(pattern, _)| has(pattern, &path)).collect();
        let expected = if having.iter().any(|(_, methods)| methods.is_empty() || methods.contains(&method)) {
            PathMatch::Full
        } else if having.is_empty() {
            PathMatch::None
        } else {
            PathMatch::Path
        };
        prop_assert_eq!(filter(&borrowed).judge(&path, method), expected);
    }
}
