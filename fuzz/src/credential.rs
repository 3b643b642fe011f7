//! The bearer token of a request: what is found must be what a naive reading of the fields finds.
//!
//! Each line of the input is an `Authorization` field. All of it is a query and a `Cookie` field besides.

use std::sync::LazyLock;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use tollgate::credential::{
    Bearer, Credential, CredentialError, Source, SourceKind, extract, strip_cookies, strip_query,
};

static NO_FIELDS: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

/// Other places that an operator may name.
static PLACES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    [SourceKind::Query, SourceKind::Cookie]
        .map(|kind| Source::new(kind, "token").expect("a name for both"))
        .into()
});

/// One input.
pub fn run(bytes: &[u8]) {
    stripped(bytes);
    let mut headers = HeaderMap::new();
    let mut fields = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').take(8) {
        // What is no field value never gets past the HTTP parser.
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(AUTHORIZATION, value);
            fields.push(line);
        }
    }
    let found = extract(&headers, None, &[]);
    assert_eq!(found, naive(&fields), "{fields:?}");
    if let Ok(Credential::Bearer(Bearer { token, .. })) = found {
        let [field] = fields.as_slice() else {
            panic!("a token out of {} fields", fields.len());
        };
        let text = str::from_utf8(field).expect("visible ASCII");
        assert!(text.trim_end_matches(' ').ends_with(&*token), "{text:?}");
        assert!(
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "{token:?}"
        );
    }
}

/// Whatever a query or a cookie holds: once it is stripped, or if there was nothing to strip, no token is found in it.
fn stripped(text: &[u8]) {
    if let Ok(query) = str::from_utf8(text) {
        let left = strip_query(query, PLACES.iter());
        let left = left.as_deref().unwrap_or(query);
        let found = extract(&NO_FIELDS, Some(left), PLACES.iter());
        assert_eq!(found, Ok(Credential::None), "{query:?} leaves {left:?}");
    }
    if let Ok(cookies) = HeaderValue::from_bytes(text) {
        let left = strip_cookies(&cookies, PLACES.iter());
        let left = left.unwrap_or_else(|| text.to_vec());
        let value = HeaderValue::from_bytes(&left).expect("less of a field value is one");
        let fields = HeaderMap::from_iter([(COOKIE, value)]);
        let found = extract(&fields, None, PLACES.iter());
        assert_eq!(found, Ok(Credential::None), "{cookies:?} leaves {left:?}");
    }
}

/// One field, six letters in any case, at least one space, one word.
fn naive<'f>(fields: &[&'f [u8]]) -> Result<Credential<'f>, CredentialError> {
    let field = match fields {
        [] => return Ok(Credential::None),
        [field] => *field,
        _ => return Err(CredentialError::Several),
    };
    let scheme_ends = field
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)))
        .unwrap_or(field.len());
    let (scheme, rest) = field.split_at(scheme_ends);
    let bearer = scheme.eq_ignore_ascii_case(b"bearer");
    // Whatever begins with these letters must be all ASCII, or it is not told apart from the scheme.
    let prefixed = scheme.to_ascii_lowercase().starts_with(b"bearer");
    let visible = field
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\t');
    match (prefixed, bearer, visible) {
        (false, _, _) => return Ok(Credential::None),
        (true, _, false) => return Err(CredentialError::Malformed),
        (true, false, true) => return Ok(Credential::None),
        (true, true, true) => {}
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let words: Vec<&[u8]> = rest
        .split(|byte| *byte == b' ' || *byte == b'\t')
        .filter(|word| !word.is_empty())
        .collect();
    match words.as_slice() {
        [word] if spaces > 0 && !rest.contains(&b'\t') => {
            let token = str::from_utf8(word).map_err(|_| CredentialError::Malformed)?;
            Ok(Credential::Bearer(Bearer {
                token: token.into(),
                source: None,
            }))
        }
        _ => Err(CredentialError::Malformed),
    }
}
