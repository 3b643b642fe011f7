//! Paths: what goes out is canonical or refused, says what a naive decoder reads in what came in, and is routed there.
//!
//! The first byte chooses the policy by its lowest bits; the rest is the path as received.

use std::sync::LazyLock;

use tollgate::route::{
    ContextPath, HostPattern, MethodSet, PATH_SEGMENTS_MAX, PathPolicy, RoutePattern, Table, TableBuilder,
    normalise,
};

/// Contexts, from the longest, and the routes below them; none: open.
const PUBLISHED: [(&str, &[&str]); 4] = [
    ("/orders/v2", &[]),
    (
        "/orders",
        &["/private/*", "/menu/{id}", "/menu/today", "/{x}/{y}/", "/é%20"],
    ),
    ("/%C3%A9", &["/*"]),
    ("/", &["/", "/a", "/a/*"]),
];

static TABLE: LazyLock<Table<usize, usize>> = LazyLock::new(|| {
    let mut builder = TableBuilder::new();
    for (api, (context, patterns)) in PUBLISHED.iter().enumerate() {
        let routes = patterns.iter().enumerate().filter_map(|(index, pattern)| {
            Some((RoutePattern::parse(pattern).ok()?, MethodSet::any(), index))
        });
        let context = ContextPath::parse(context).expect("a context path");
        builder
            .insert(
                &[HostPattern::Any],
                &context,
                api,
                routes.collect(),
                Some(usize::MAX),
            )
            .expect("no conflict");
    }
    builder.build()
});

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((policy, rest)) = bytes.split_first() else {
        return;
    };
    let policy = PathPolicy {
        merge_slashes: policy & 1 != 0,
        strip_parameters: policy & 2 != 0,
    };
    let raw = String::from_utf8_lossy(rest);
    let Ok(path) = normalise(&raw, policy) else {
        assert!(!is_plain(&raw), "an honest path is refused: {raw}");
        return;
    };
    assert!(is_canonical(&path), "{raw} became {path}");
    for merge_slashes in [false, true] {
        for strip_parameters in [false, true] {
            let again = normalise(
                &path,
                PathPolicy {
                    merge_slashes,
                    strip_parameters,
                },
            );
            assert_eq!(again.as_deref(), Ok(path.as_ref()), "not the same again: {raw}");
        }
    }
    assert_eq!(
        naive(&raw, policy),
        naive(&path, PathPolicy::default()),
        "{raw} became {path}"
    );
    routed(&path);
}

/// What nobody could misread.
fn is_plain(raw: &str) -> bool {
    raw.strip_prefix('/').is_some_and(|below| {
        below.split('/').count() <= PATH_SEGMENTS_MAX
            && below.split('/').all(|segment| {
                !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
    })
}

fn is_canonical(path: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/%".contains(&byte);
    let mut segments = path.split('/').skip(1).peekable();
    let mut shaped = path.starts_with('/') && path.len() <= 1 + 3 * 65_536;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        shaped &= segment != "." && segment != ".." && (is_last || !segment.is_empty());
    }
    let escapes = path.split('%').skip(1).all(|after| {
        let hex = after.get(..2).unwrap_or_default();
        let value = u8::from_str_radix(hex, 16);
        !hex.bytes().any(|byte| byte.is_ascii_lowercase())
            && hex.len() == 2
            && value.is_ok_and(|byte| {
                !byte.is_ascii_alphanumeric() && !byte.is_ascii_control() && !b"-._~/\\".contains(&byte)
            })
    });
    shaped && escapes && path.bytes().all(allowed) && path.split('/').count() <= PATH_SEGMENTS_MAX + 1
}

/// The segments as the most lenient of upstreams would read them: decoded, without parameters, dots resolved. The last
/// one is empty after a trailing slash.
fn naive(raw: &str, policy: PathPolicy) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    let segments: Vec<&str> = raw.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        let kept = if policy.strip_parameters {
            segment.split(';').next().unwrap_or_default()
        } else {
            segment
        };
        let decoded = decoded(kept);
        match decoded.as_slice() {
            b"" if policy.merge_slashes && !is_last => {}
            b"." | b".." => {
                if decoded == b".." {
                    out.pop();
                }
                if is_last {
                    out.push(Vec::new());
                }
            }
            _ => out.push(decoded),
        }
    }
    out
}

fn decoded(segment: &str) -> Vec<u8> {
    let bytes = segment.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = bytes
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|hex| str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escape.unwrap_or(*byte));
        at += if escape.is_some() { 3 } else { 1 };
    }
    out
}

/// The table sends the path to the API with the longest context path, below which nothing is lost.
fn routed(path: &str) {
    let below = |context: &str| {
        let rest = path.strip_prefix(context.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then_some(if rest.is_empty() { "/" } else { rest })
    };
    let (api, rest) = PUBLISHED
        .iter()
        .enumerate()
        .find_map(|(index, (context, _))| Some((index, below(context)?)))
        .expect("the root takes everything");
    match TABLE.find("any.example", path, "GET") {
        Ok(found) => {
            assert_eq!((*found.api, found.rest), (api, rest), "{path}");
            let private = rest.starts_with("/private/") && rest.len() > "/private/".len();
            assert_eq!(private && api == 1, api == 1 && *found.route == 0, "{path}");
        }
        Err(_) => assert!(
            !PUBLISHED[api].1.is_empty(),
            "an open API takes everything: {path}"
        ),
    }
}
