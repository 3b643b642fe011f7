//! A collection of texts on which JSON parsers were found to disagree, as header and as claims.
//! What no parser may take is refused, and what every parser must take is taken, unless a rule of ours says otherwise.

use serde::Deserialize;

use super::super::json::{JsonError, parse_object};
use super::*;

const TEXTS: &str = include_str!("../../../tests/vectors/json_texts.json");

/// What must parse and does not here, by name, and the rule.
const STRICTER: [(&str, JsonError); 2] = [
    // RFC 7515 section 4 and RFC 7519 section 4: two readers would see two values.
    ("y_object_duplicated_key", JsonError::Duplicate),
    ("y_object_duplicated_key_and_value", JsonError::Duplicate),
];

#[derive(Deserialize)]
struct Texts {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    name: String,
    expect: Expect,
    /// One of the three.
    text: Option<String>,
    base64: Option<String>,
    /// Each piece so many times.
    pieces: Option<Vec<(String, usize)>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Refuse,
    Accept,
    Either,
}

// === impl Text ===

impl Text {
    fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.base64, &self.pieces) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(base64), None) => STANDARD.decode(base64).unwrap(),
            (None, None, Some(pieces)) => {
                let pieces: Vec<String> = pieces.iter().map(|(piece, count)| piece.repeat(*count)).collect();
                pieces.concat().into_bytes()
            }
            _ => panic!("{}: no text, or two", self.name),
        }
    }
}

fn texts() -> Vec<Text> {
    let texts = serde_json::from_str::<Texts>(TEXTS).unwrap().texts;
    assert_eq!(texts.len(), 340);
    texts
}

/// What the form of a token with these bytes as header and as claims is answered with.
fn as_token(header: &[u8], claims: &[u8]) -> Result<(), TokenError> {
    let token = format!(
        "{}.{}.YQ",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    UnverifiedToken::parse(&token, &mut Scratch::default()).map(|_| ())
}

#[test]
fn what_no_parser_may_take_is_refused_as_header_and_as_claims() {
    for text in texts().iter().filter(|text| text.expect == Expect::Refuse) {
        let bytes = text.bytes();
        assert!(parse_object(&bytes).is_err(), "{}", text.name);
        assert!(as_token(&bytes, b"{}").is_err(), "{} as header", text.name);
        assert!(as_token(b"{}", &bytes).is_err(), "{} as claims", text.name);
    }
}

#[test]
fn what_every_parser_must_take_is_taken_or_refused_by_a_rule() {
    let texts = texts();
    let mut stricter = Vec::new();
    for text in texts.iter().filter(|text| text.expect == Expect::Accept) {
        let bytes = text.bytes();
        let is_object = bytes.trim_ascii_start().starts_with(b"{");
        // What is no object at the top may still be the value of a member.
        let object = if is_object {
            bytes.clone()
        } else {
            assert_eq!(parse_object(&bytes), Err(JsonError::Syntax), "{}", text.name);
            [b"{\"x\":", bytes.as_slice(), b"}"].concat()
        };
        match parse_object(&object) {
            Ok(_) => {
                assert_eq!(as_token(&object, &object), Ok(()), "{}", text.name);
            }
            Err(error) => {
                assert!(as_token(&object, b"{}").is_err() && as_token(b"{}", &object).is_err());
                stricter.push((text.name.as_str(), error));
            }
        }
    }
    assert_eq!(stricter, STRICTER);
}

/// Where parsers may differ, this one gives one answer, whether a text is header or claims, and never a panic.
#[test]
fn what_parsers_may_take_or_not_has_one_answer() {
    for text in texts().iter().filter(|text| text.expect == Expect::Either) {
        let bytes = text.bytes();
        let taken = parse_object(&bytes).is_ok();
        assert_eq!(as_token(&bytes, b"{}").is_ok(), taken, "{}", text.name);
        assert_eq!(as_token(b"{}", &bytes).is_ok(), taken, "{}", text.name);
        // Which one it takes, serde_json takes as well.
        assert!(
            !taken || serde_json::from_slice::<Json>(&bytes).is_ok(),
            "{}",
            text.name
        );
    }
}
