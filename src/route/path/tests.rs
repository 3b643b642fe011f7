//! The rows are the spellings that gateways and upstreams were found to disagree on, and the honest ones between them.
//! The properties say the same without examples: whatever comes in, what goes out is canonical or refused.

use proptest::prelude::*;

use super::PathError::*;
use super::*;

const STRICT: PathPolicy = PathPolicy {
    merge_slashes: false,
    strip_parameters: false,
};
const MERGE: PathPolicy = PathPolicy {
    merge_slashes: true,
    strip_parameters: false,
};
const STRIP: PathPolicy = PathPolicy {
    merge_slashes: false,
    strip_parameters: true,
};
const LENIENT: PathPolicy = PathPolicy {
    merge_slashes: true,
    strip_parameters: true,
};

fn check(policy: PathPolicy, rows: &[(&str, Result<&str, PathError>)]) {
    for (raw, expected) in rows {
        let actual = normalise(raw, policy);
        assert_eq!(actual.as_deref().map_err(|error| *error), *expected, "{raw}");
        if let Ok(path) = actual {
            assert_eq!(
                matches!(path, Cow::Borrowed(_)),
                path == *raw,
                "copied only if changed: {raw}"
            );
        }
    }
}

#[test]
fn canonical_paths_stay_as_they_are() {
    let rows = [
        "/",
        "/a",
        "/a/",
        "/a/b/c",
        "/orders/17/items/",
        "/a-b_c.d~e",
        "/a!$&'()*+,=:@b",
        "/...",
        "/.a",
        "/..a",
        "/a.",
        "/a..",
        "/.well-known/jwks.json",
        "/Case/IS/Kept",
        "/a%20b",
        "/100%25",
        "/%252e%252e/x",
        "/%252F",
        "/a%3Bb",
        "/%3B",
        "/..%3Bx",
        "/a%3Fb%23c",
        "/%C3%A9t%C3%A9",
        "/%E2%82%AC",
        "/%F0%9F%9A%AA",
        "/%7Bid%7D",
        "/.%25",
    ];
    for policy in [STRICT, MERGE, STRIP, LENIENT] {
        check(policy, &rows.map(|path| (path, Ok(path))));
    }
}

#[test]
fn other_spellings_become_canonical() {
    let rows = [
        ("/%61dmin", Ok("/admin")),
        ("/%41%5A%30%2D%5F%7E", Ok("/AZ0-_~")),
        ("/a%2Eb", Ok("/a.b")),
        ("/%2e%2e%2e", Ok("/...")),
        ("/a%2fb", Err(EncodedSlash)),
        ("/a%3ab", Ok("/a%3Ab")),
        ("/%c3%a9", Ok("/%C3%A9")),
        ("/a%3bb", Ok("/a%3Bb")),
        ("/a/./b", Ok("/a/b")),
        ("/./a", Ok("/a")),
        ("/a/b/../c", Ok("/a/c")),
        ("/a/b/../../c", Ok("/c")),
        ("/a/b/..", Ok("/a/")),
        ("/a/b/../", Ok("/a/")),
        ("/a/.", Ok("/a/")),
        ("/a/./", Ok("/a/")),
        ("/a/..", Ok("/")),
        ("/a/../", Ok("/")),
        ("/.", Ok("/")),
        ("/./", Ok("/")),
        ("/a/.../..", Ok("/a/")),
        ("/a[0]", Ok("/a%5B0%5D")),
        ("/{id}|^`\"<>", Ok("/%7Bid%7D%7C%5E%60%22%3C%3E")),
    ];
    check(STRICT, &rows);
    check(LENIENT, &rows);
}

#[test]
fn ambiguous_paths_are_refused_under_every_policy() {
    let rows = [
        ("", Err(NotAbsolute)),
        ("*", Err(NotAbsolute)),
        ("a/b", Err(NotAbsolute)),
        ("http://host/a", Err(NotAbsolute)),
        ("%2Fa", Err(NotAbsolute)),
        ("\\a", Err(NotAbsolute)),
        ("/a b", Err(ForbiddenByte)),
        ("/a\\b", Err(ForbiddenByte)),
        ("/..\\a", Err(ForbiddenByte)),
        ("/a#b", Err(ForbiddenByte)),
        ("/a?b", Err(ForbiddenByte)),
        ("/a\0b", Err(ForbiddenByte)),
        ("/a\tb", Err(ForbiddenByte)),
        ("/a\r\nb", Err(ForbiddenByte)),
        ("/a\x7f", Err(ForbiddenByte)),
        ("/é", Err(ForbiddenByte)),
        ("/a\u{ff0f}b", Err(ForbiddenByte)),
        ("/%", Err(EscapeMalformed)),
        ("/%4", Err(EscapeMalformed)),
        ("/%zz", Err(EscapeMalformed)),
        ("/%+1", Err(EscapeMalformed)),
        ("/%u002f", Err(EscapeMalformed)),
        ("/%%32%65", Err(EscapeMalformed)),
        ("/a%2Fb", Err(EncodedSlash)),
        ("/..%2fadmin", Err(EncodedSlash)),
        ("/a%5Cb", Err(EncodedBackslash)),
        ("/a%5cb", Err(EncodedBackslash)),
        ("/a%00", Err(EncodedControl)),
        ("/a%00.json", Err(EncodedControl)),
        ("/a%0d%0ab", Err(EncodedControl)),
        ("/a%1F", Err(EncodedControl)),
        ("/a%7f", Err(EncodedControl)),
        ("/%c0%af", Err(EscapeNotUtf8)),
        ("/%c0%ae%c0%ae/", Err(EscapeNotUtf8)),
        ("/%e0%80%af", Err(EscapeNotUtf8)),
        ("/%f0%80%80%af", Err(EscapeNotUtf8)),
        ("/%c3", Err(EscapeNotUtf8)),
        ("/%c3a9", Err(EscapeNotUtf8)),
        ("/%c3%41", Err(EscapeNotUtf8)),
        ("/%c3/%a9", Err(EscapeNotUtf8)),
        ("/%a9", Err(EscapeNotUtf8)),
        ("/%ed%a0%80", Err(EscapeNotUtf8)),
        ("/%f4%90%80%80", Err(EscapeNotUtf8)),
        ("/%ff", Err(EscapeNotUtf8)),
        ("/a/%2e", Err(HiddenDotSegment)),
        ("/a/%2e/b", Err(HiddenDotSegment)),
        ("/a/%2e%2e/b", Err(HiddenDotSegment)),
        ("/a/%2E%2E", Err(HiddenDotSegment)),
        ("/a/.%2e/b", Err(HiddenDotSegment)),
        ("/a/%2e./b", Err(HiddenDotSegment)),
        ("/..", Err(AboveRoot)),
        ("/../", Err(AboveRoot)),
        ("/../a", Err(AboveRoot)),
        ("/a/../..", Err(AboveRoot)),
        ("/a/../../a", Err(AboveRoot)),
        ("/./../a", Err(AboveRoot)),
    ];
    for policy in [STRICT, MERGE, STRIP, LENIENT] {
        check(policy, &rows);
    }
}

#[test]
fn duplicate_slashes_are_refused_or_merged() {
    for raw in [
        "//", "//a", "/a//b", "/a//", "///", "//host/a", "/a/..//b", "/.//",
    ] {
        check(STRICT, &[(raw, Err(DuplicateSlash))]);
    }
    check(
        MERGE,
        &[
            ("//", Ok("/")),
            ("//a", Ok("/a")),
            ("/a//b", Ok("/a/b")),
            ("/a//", Ok("/a/")),
            ("///", Ok("/")),
            // Merged before dot segments are resolved: `..` takes back a name, never an empty segment.
            ("/a//../b", Ok("/b")),
            ("//..", Err(AboveRoot)),
            ("//../a", Err(AboveRoot)),
            ("/a;x", Err(Parameters)),
        ],
    );
}

#[test]
fn parameters_are_refused_or_stripped() {
    for raw in ["/a;x", "/a;x=1/b", "/;", "/;/", "/..;/a", "/.;/a", "/a;%2f"] {
        check(STRICT, &[(raw, Err(Parameters))]);
    }
    check(
        STRIP,
        &[
            ("/a;x", Ok("/a")),
            ("/a;x=1;y=2/b;z", Ok("/a/b")),
            ("/a;/b", Ok("/a/b")),
            ("/a;x/../b", Ok("/b")),
            ("/a;[x]é", Err(ForbiddenByte)),
            ("/a;[x]", Ok("/a")),
            ("/a;%41%20", Ok("/a")),
            ("/a;%2f..", Err(EncodedSlash)),
            ("/a;%zz", Err(EscapeMalformed)),
            ("/a;x\\y", Err(ForbiddenByte)),
            ("/a;x/../..", Err(AboveRoot)),
            ("/a%3Bx;y", Ok("/a%3Bx")),
            ("/;x", Ok("/")),
            ("/a/;x", Ok("/a/")),
            ("/;x/a", Err(DuplicateSlash)),
            ("/..;/a", Err(HiddenDotSegment)),
            ("/a/..;x=1/b", Err(HiddenDotSegment)),
            ("/a/.;", Err(HiddenDotSegment)),
            ("/%2e.;/a", Err(HiddenDotSegment)),
            ("/...;x", Ok("/...")),
        ],
    );
    check(LENIENT, &[("/;x/a", Ok("/a")), ("/;x/..", Err(AboveRoot))]);
}

#[test]
fn segments_are_bounded_as_received() {
    let at_bound = "/a".repeat(PATH_SEGMENTS_MAX);
    let beyond = "/a".repeat(PATH_SEGMENTS_MAX + 1);
    let slashes = "/".repeat(PATH_SEGMENTS_MAX + 1);
    let dots = "/.".repeat(PATH_SEGMENTS_MAX + 1);
    check(
        STRICT,
        &[(&at_bound, Ok(&at_bound)), (&beyond, Err(SegmentsExceeded))],
    );
    check(STRICT, &[(&format!("{at_bound}/"), Err(SegmentsExceeded))]);
    check(
        LENIENT,
        &[(&slashes, Err(SegmentsExceeded)), (&dots, Err(SegmentsExceeded))],
    );
}

fn paths() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/", "/", "/", ".", "..", "a", "B", ";", ";x=1", "%2e", "%2E", "%2f", "%5c", "%25", "%3B", "%3b",
        "%41", "%c3%a9", "%c0%af", "%00", "%7f", "%", "%2", "[", "|", "~", "\\", " ", "é", "=", ":", "*",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| format!("/{}", pieces.concat())),
        "/[ -~]{0,40}",
        ".{0,40}",
    ]
}

fn policies() -> impl Strategy<Value = PathPolicy> {
    prop::sample::select(vec![STRICT, MERGE, STRIP, LENIENT])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_goes_out_is_canonical(raw in paths(), policy in policies()) {
        let Ok(path) = normalise(&raw, policy) else { return Ok(()) };
        prop_assert!(path.starts_with('/'));
        prop_assert!(!path.contains("//"));
        let has_foreign = path.bytes().any(|byte| !byte.is_ascii_graphic() || br##"\;#?"<>[]^`{|}"##.contains(&byte));
        prop_assert!(!has_foreign);
        prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
        prop_assert!(path.split('/').count() <= PATH_SEGMENTS_MAX + 1);
        for escape in ["%2F", "%5C", "%00", "%0D", "%2E", "%7F"] {
            prop_assert!(!path.contains(escape));
        }
        prop_assert_eq!(matches!(path, Cow::Borrowed(_)), path == raw);
    }

    #[test]
    fn normalising_again_changes_nothing_under_any_policy(raw in paths(), once in policies(), again in policies()) {
        let Ok(path) = normalise(&raw, once) else { return Ok(()) };
        prop_assert!(matches!(normalise(&path, again), Ok(Cow::Borrowed(same)) if same == path));
    }

    #[test]
    fn a_stricter_policy_refuses_or_agrees(raw in paths()) {
        let lenient = normalise(&raw, LENIENT);
        if let Ok(strict) = normalise(&raw, STRICT) {
            prop_assert_eq!(lenient, Ok(strict));
        }
    }
}
