//! What holds for every request, whatever it carries: it is answered, and nobody passes who has not shown what a plan asks
//! for. Tokens are changed in every place, and everything else is arbitrary.

use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE};
use proptest::prelude::*;
use serde_json::json;

use super::{Request, STRANGER, WORLD, check, get, token};
use crate::api::Security;
use crate::credential::{Credential, extract};

/// What must hold of a token in which one character is another.
#[track_caller]
fn check_changed(changed: &str) {
    let Ok(value) = HeaderValue::from_bytes(format!("Bearer {changed}").as_bytes()) else {
        return; // no request could carry it
    };
    for path in ["/orders/menu/1", "/mixed/"] {
        let mut request = Request::new("GET", path);
        request.headers.insert(AUTHORIZATION, value.clone());
        let decided = WORLD.decide(&request, "", &mut ());
        assert!(decided.is_err(), "{path} {changed}");
    }
}

#[test]
fn a_token_with_any_one_character_changed_is_refused() {
    let good = token(json!({}));
    check(get().bearer(&good), "permit orders/gold");
    for (place, present) in good.char_indices() {
        // Neighbours in the alphabet differ in the lowest bit only, which is where stray bits would hide.
        for other in ['A', 'B', 'Q', 'g', '-', '_', '.', '=', ' '] {
            if other != present {
                let (before, after) = good.split_at(place);
                check_changed(&format!("{before}{other}{}", after.get(1..).unwrap()));
            }
        }
    }
    for cut in 1..good.len() {
        check_changed(good.get(..cut).unwrap());
        check_changed(good.get(cut..).unwrap());
    }
}

#[test]
fn a_place_beside_authorization_is_nothing_or_a_token() {
    let ask = || Request::new("GET", "/mixed/");
    check(ask(), "permit mixed/everybody");
    let cookie = format!("session={}", token(json!({})));
    check(ask().field(COOKIE, cookie.as_bytes()), "permit mixed/members");
    check(
        ask().field(COOKIE, cookie.as_bytes()).bearer(&token(json!({}))),
        "400 invalid_request several_credentials",
    );
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        "[Bb]earer[ \t]{0,2}[!-~ ]{0,40}".prop_map(String::into_bytes),
        "[Bb]earer [A-Za-z0-9_-]{1,20}\\.[A-Za-z0-9_-]{1,20}\\.[A-Za-z0-9_-]{1,20}"
            .prop_map(String::into_bytes),
        "(Basic|Digest|DPoP|) ?[!-~]{0,20}".prop_map(String::into_bytes),
    ];
    bytes.prop_filter_map("a field value", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "/(orders|mixed|open|hidden)(/menu/[a-z0-9]{0,5}|/private|/)?",
        "/[ -~]{0,40}",
        "\\PC{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_answered_and_without_a_token_only_keyless_permits(
        method in prop_oneof!["GET|PUT|DELETE|HEAD", "[!-~]{0,10}"],
        host in "\\PC{0,20}",
        path in path(),
        values in proptest::collection::vec(header_value(), 0..3),
    ) {
        let mut request = Request::new(&method, &path);
        for value in values {
            request.headers.append(AUTHORIZATION, value);
        }
        if let Ok(permit) = WORLD.decide(&request, &host, &mut ()) {
            // Nobody guesses a signature: who passes has shown nothing, and may pass without.
            prop_assert_eq!(permit.under(&WORLD.snapshot).unwrap().plan.security, Security::Keyless);
            prop_assert!(permit.caller().is_none() && permit.headers().is_empty());
            prop_assert_eq!(extract(&request.headers, None, &[]), Ok(Credential::None));
        }
    }

    #[test]
    fn who_shows_a_token_is_never_taken_for_nobody(word in "[!-~]{1,80}", path in path()) {
        let request = Request::new("GET", &path).bearer(&word);
        prop_assert!(WORLD.decide(&request, "", &mut ()).is_err());
    }

    #[test]
    fn who_shows_a_token_anywhere_is_never_taken_for_nobody(
        place in 0..3,
        word in "[!-~]{0,40}",
        before in "([a-z]=[a-z%]{0,3}[&;] ?){0,2}",
        after in "([&;] ?[a-z]{0,3}){0,2}",
    ) {
        let mut request = Request::new("GET", "/mixed/");
        let value = match place {
            0 => word,
            1 => format!("{}session={word}{after}", before.replace('&', ";")),
            _ => format!("{}access_token={word}{after}", before.replace(' ', "")),
        };
        let field = HeaderValue::from_str(&value).unwrap();
        match place {
            0 => drop(request.headers.insert("x-access-token", field)),
            1 => drop(request.headers.insert("cookie", field)),
            _ => request.query = Some(value),
        }
        prop_assert!(WORLD.decide(&request, "", &mut ()).is_err());
    }

    #[test]
    fn a_token_with_one_byte_changed_is_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = token(json!({})).into_bytes();
        let place = place.index(bytes.len());
        let slot = bytes.get_mut(place).unwrap();
        prop_assume!(*slot != byte);
        *slot = byte;
        let field = [b"Bearer ".as_slice(), &bytes].concat();
        let Ok(value) = HeaderValue::from_bytes(&field) else { return Ok(()) };
        let mut request = get();
        request.headers.insert(AUTHORIZATION, value);
        prop_assert!(WORLD.decide(&request, "", &mut ()).is_err());
    }
}

proptest! {
    // Each case makes four signatures, which takes longer than all the rest.
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn claims_that_nobody_signed_are_refused(claims in "\\PC{0,60}", header in "\\PC{0,40}") {
        for header in [header.as_str(), r#"{"alg":"ES256","kid":"k1"}"#] {
            for claims in [claims.as_str(), r#"{"iss":"acme"}"#] {
                let token = STRANGER.sign(header.as_bytes(), claims.as_bytes()).unwrap();
                prop_assert!(WORLD.decide(&get().bearer(&token), "", &mut ()).is_err());
            }
        }
    }
}
