//! The rules of issuing, at any moment of any year.
//! Rotation is a matter of time, and a test of a running gateway would have to wait for it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::*;
use crate::id::ApplicationId;
use crate::time::UnixTime;
use crate::token::Algorithm;

const LIFETIME: Duration = Duration::from_secs(600);

fn at(second: i64) -> UnixTime {
    UnixTime::from_seconds(1_800_000_000 + second)
}

fn key(kid: &str, not_before: Option<i64>, retire_after: Option<i64>) -> OwnKey {
    let pem = OwnKey::generate(Algorithm::Ed25519).unwrap();
    let time = KeyTime {
        not_before: not_before.map(at),
        retire_after: retire_after.map(at),
    };
    OwnKey::new(kid, Algorithm::Ed25519, pem.expose(), time).unwrap()
}

#[test]
fn keys_are_announced_before_they_sign_and_until_their_last_token_is_over() {
    let keys = OwnKeys::new(
        vec![
            key("a", None, Some(1000)),
            key("b", Some(900), Some(5000)),
            key("c", Some(4000), None),
        ],
        LIFETIME,
    );
    let over = 1000 + 600 + 300;
    for (second, signs, announced) in [
        (0, Some("a"), "a b c"),
        (899, Some("a"), "a b c"),
        (900, Some("b"), "a b c"),
        (1000, Some("b"), "a b c"),
        (over - 1, Some("b"), "a b c"),
        (over, Some("b"), "b c"),
        (4000, Some("c"), "b c"),
        (5899, Some("c"), "b c"),
        (5900, Some("c"), "c"),
    ] {
        let now = at(second);
        assert_eq!(keys.signing(now).map(OwnKey::kid), signs, "{second}");
        let kids: Vec<&str> = keys.announced(now).map(OwnKey::kid).collect();
        assert_eq!(kids.join(" "), announced, "{second}");
        assert_eq!(keys.key_set(now).keys().len(), kids.len(), "{second}");
        assert!(!keys.jwks(now).contains("\"d\""));
    }
    let over = OwnKeys::new(vec![key("a", None, Some(10))], LIFETIME);
    assert!(over.signing(at(10)).is_none());
    assert_eq!(over.key_set(at(10 + 900)).keys().len(), 0);
}

#[test]
fn nothing_is_signed_without_a_key_and_no_token_outlives_what_is_announced() {
    let application = ApplicationId::new("mobile");
    let issuer = IssuerName::new("own");
    let service = TokenService {
        rules: own_rules(&issuer),
        issuer,
        base: None,
        audiences: vec!["a".into(), "b".into()],
        lifetime: LIFETIME,
        keys: OwnKeys::new(vec![key("a", Some(0), Some(1000))], LIFETIME),
        clients: Clients::default(),
        custom_claims: None,
        custom_issuers: Vec::new(),
    };
    let grant = || Grant {
        subject: "alice",
        application: &application,
        client_id: None,
        scope: String::new(),
        custom: Map::new(),
    };
    assert_eq!(
        service.issue(grant(), [0; 16], at(-1)).unwrap_err(),
        Refusal::NoKey
    );
    assert_eq!(
        service.issue(grant(), [0; 16], at(1000)).unwrap_err(),
        Refusal::NoKey
    );
    let token = service.issue(grant(), [7; 16], at(999)).unwrap().token;
    let mut scratch = crate::token::Scratch::default();
    let parsed = crate::token::UnverifiedToken::parse(&token, &mut scratch).unwrap();
    let last = at(999 + 599);
    let verified = parsed
        .verify(
            &service.rules,
            &service.keys.key_set(last),
            last,
            |_| true,
            &mut (),
        )
        .unwrap();
    let claims = serde_json::to_value(crate::token::json::Value::Object(verified.claims().clone())).unwrap();
    assert_eq!(claims["aud"], serde_json::json!(["a", "b"]));
    for absent in ["azp", "client_id", "scope"] {
        assert_eq!(claims[absent], Value::Null, "{absent}");
    }
}

#[test]
fn a_form_is_read_one_way() {
    for (text, name, expected) in [
        ("a=1&b=2", "b", Ok(Some("2"))),
        ("a=", "a", Ok(None)),
        ("a", "a", Ok(None)),
        ("a=x%20y+z", "a", Ok(Some("x y z"))),
        ("a=1&a=1", "a", Err(())),
        ("a=1&%61=2", "a", Err(())),
        ("a=%ff", "a", Err(())),
        ("", "a", Ok(None)),
    ] {
        let form = Form::parse(text.as_bytes());
        let found = form.as_ref().map(|form| form.get(name)).map_err(|_| ());
        assert_eq!(found, expected, "{text}");
    }
    let many: Vec<String> = (0..65).map(|n| format!("p{n}=1")).collect();
    assert!(Form::parse(many.join("&").as_bytes()).is_err());
    assert!(Form::parse(many[1..].join("&").as_bytes()).is_ok());
}

#[test]
fn credentials_are_read_one_way() {
    for (value, expected) in [
        ("Basic YTpi", Some(("a", "b"))),
        ("basic YTpi", Some(("a", "b"))),
        // A colon belongs to the secret.
        ("Basic YTpiOmM=", Some(("a", "b:c"))),
        ("Basic  YTpi", None),
        ("Basic YTpi YTpi", None),
        ("Basic YTo=", None),
        ("Basic OmI=", None),
        ("Basic YWI=", None),
        ("Basic YTpi=", None),
        ("Basic", None),
        ("Negotiate YTpi", None),
    ] {
        let read = match Authorization::parse(value) {
            Ok(Authorization::Basic(basic)) => Some((basic.id, basic.secret)),
            _ => None,
        };
        let read = read.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str()));
        assert_eq!(read, expected, "{value}");
    }
    let long = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("a:{}", "b".repeat(1025)),
    );
    assert!(Authorization::parse(&format!("Basic {long}")).is_err());
}

#[test]
fn a_password_has_one_hash_and_its_work_has_bounds() {
    let hash = hash_password(b"secret", [1; SALT_BYTES]).unwrap();
    let parsed = PasswordHash::parse(&hash).unwrap();
    assert!(parsed.is_of(b"secret"));
    assert!(!parsed.is_of(b"secret "));
    assert!(!parsed.is_of(b""));
    // By argon2-cffi, another implementation.
    let other = PasswordHash::parse(
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
    );
    assert!(other.unwrap().is_of(b"correct horse battery staple"));
    for (from, to, error) in [
        ("m=19456,t=2", "m=7167,t=16", PasswordHashError::Cheap),
        ("m=19456,t=2", "m=7168,t=4", PasswordHashError::Cheap),
        ("m=19456,t=2", "m=262145,t=1", PasswordHashError::Dear),
        ("m=19456,t=2", "m=19456,t=17", PasswordHashError::Dear),
        ("p=1", "p=5", PasswordHashError::Dear),
        ("argon2id", "argon2d", PasswordHashError::Form),
        ("v=19", "v=16", PasswordHashError::Form),
        ("$argon2id", "argon2id", PasswordHashError::Form),
    ] {
        let text = hash.replace(from, to);
        assert_eq!(PasswordHash::parse(&text).unwrap_err(), error, "{text}");
    }
    assert!(PasswordHash::parse(&hash.replace("m=19456,t=2", "m=7168,t=5")).is_ok());
    assert!(!format!("{parsed:?}").contains('$'));
}
