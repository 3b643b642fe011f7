//! Answers as tables: their form, their times and their use. What requests become of them is tested from outside.
//! These are the rules alone; a server is not needed to break them.

use super::*;
use crate::token::{AlgorithmSet, Profile, TokenTypes};

const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

fn rules(leeway: u64, max_lifetime: Option<u64>) -> Rules {
    Rules {
        issuer: "https://issuer.example/".into(),
        algorithms: AlgorithmSet::default(),
        token_types: TokenTypes::new([]),
        profile: Profile::Jwt,
        leeway: Duration::from_secs(leeway),
        max_lifetime: max_lifetime.map(Duration::from_secs),
        required_claims: vec!["never asked for".into()],
    }
}

/// For how many milliseconds from now an answer counts that came just now and is kept for a minute.
fn judged(members: &str, rules: &Rules, required: &[Box<str>]) -> Result<i64, TokenError> {
    let body = format!("{{\"active\":true{members}}}");
    let terms = AnswerTerms {
        required,
        received_at: NOW,
        ttl: Duration::from_secs(60),
    };
    let token = judge_answer(body.as_bytes(), rules, terms, NOW, |_| true, &mut ())?;
    Ok(token.good_until().millis() - NOW.millis())
}

#[test]
fn an_answer_that_is_not_clear_is_none() {
    for (body, expected) in [
        (r#"{"active":true}"#, Ok(true)),
        (" \r\n\t{ \"active\" : false , \"exp\" : \"x\" } \n", Ok(false)),
        (r#"{"\u0061ctive":true}"#, Ok(true)),
        ("", Err(AnswerError::Json)),
        ("<html>", Err(AnswerError::Json)),
        ("true", Err(AnswerError::Json)),
        (r#"[{"active":true}]"#, Err(AnswerError::Json)),
        (r#"{"active":true}{"active":true}"#, Err(AnswerError::Json)),
        (r#"{"active":true"#, Err(AnswerError::Json)),
        ("\u{feff}{\"active\":true}", Err(AnswerError::Json)),
        (r#"{"active":false,"active":true}"#, Err(AnswerError::Duplicate)),
        (
            r#"{"active":true,"\u0061ctive":true}"#,
            Err(AnswerError::Duplicate),
        ),
        (
            r#"{"active":true,"a":{"b":1,"b":1}}"#,
            Err(AnswerError::Duplicate),
        ),
        ("{}", Err(AnswerError::Active)),
        (r#"{"active":"true"}"#, Err(AnswerError::Active)),
        (r#"{"active":1}"#, Err(AnswerError::Active)),
        (r#"{"active":null}"#, Err(AnswerError::Active)),
        (r#"{"Active":true}"#, Err(AnswerError::Active)),
    ] {
        let read = read_answer(body.as_bytes(), NOW, Duration::from_secs(60));
        assert_eq!(read.map(|until| until.is_some()), expected, "{body}");
    }
}

#[test]
fn an_answer_counts_until_the_tokens_end_and_no_longer_than_it_is_kept() {
    let at = |seconds: i64| format!(",\"exp\":{}", NOW.millis() / 1000 + seconds);
    for (members, expected) in [
        (String::new(), Ok(60_000)),
        (at(3600), Ok(60_000)),
        (at(10), Ok(10_000)),
        // Within the leeway: for those who wait.
        (at(-5), Ok(1_000)),
        (at(0), Ok(1_000)),
        (at(-30), Err(TokenError::Expired)),
        (",\"exp\":\"1000060\"".to_owned(), Err(TokenError::TimeMalformed)),
        (",\"exp\":-1".to_owned(), Err(TokenError::TimeMalformed)),
        (",\"exp\":null".to_owned(), Err(TokenError::TimeMalformed)),
        (",\"nbf\":1000031".to_owned(), Err(TokenError::NotYetValid)),
        (",\"nbf\":1000030".to_owned(), Ok(60_000)),
        (",\"iat\":1000031".to_owned(), Err(TokenError::IssuedInFuture)),
    ] {
        assert_eq!(judged(&members, &rules(30, None), &[]), expected, "{members}");
    }
    let strict = rules(0, Some(100));
    for (members, expected) in [
        ("", Err(TokenError::ExpirationMissing)),
        (",\"exp\":1000050", Err(TokenError::ClaimMissing)),
        (",\"exp\":1000050,\"iat\":999950", Ok(50_000)),
        (
            ",\"exp\":1000051,\"iat\":999950",
            Err(TokenError::LifetimeTooLong),
        ),
        (",\"exp\":1000000", Err(TokenError::Expired)),
    ] {
        assert_eq!(judged(members, &strict, &[]), expected, "{members}");
    }
}

#[test]
fn what_is_there_must_be_right() {
    let good = Ok(60_000);
    for (members, expected) in [
        (r#","iss":"https://issuer.example/""#, good),
        (
            r#","iss":"https://issuer.example""#,
            Err(TokenError::IssuerUnknown),
        ),
        (r#","iss":7"#, Err(TokenError::IssuerUnknown)),
        (r#","token_type":"Bearer""#, good),
        (r#","token_type":"bearer""#, good),
        (r#","token_type":"DPoP""#, Err(TokenError::TypeNotAllowed)),
        (
            r#","token_type":"refresh_token""#,
            Err(TokenError::TypeNotAllowed),
        ),
        (r#","token_type":["Bearer"]"#, Err(TokenError::TypeNotAllowed)),
        (r#","token_use":"access_token""#, good),
        (r#","token_use":"refresh_token""#, Err(TokenError::TypeNotAllowed)),
        (r#","typ":"Bearer""#, good),
        (r#","typ":"Refresh""#, Err(TokenError::TypeNotAllowed)),
        (r#","typ":"ID""#, Err(TokenError::TypeNotAllowed)),
        (r#","cnf":{"jkt":"x"}"#, Err(TokenError::ProofMissing)),
        (r#","cnf":null"#, Err(TokenError::ProofMissing)),
        (r#","aud":7"#, Err(TokenError::AudienceMalformed)),
        (r#","aud":["a",7]"#, Err(TokenError::AudienceMalformed)),
    ] {
        assert_eq!(judged(members, &rules(30, None), &[]), expected, "{members}");
    }
    let required = ["sub".into()];
    assert_eq!(
        judged("", &rules(0, None), &required),
        Err(TokenError::ClaimMissing)
    );
    assert_eq!(
        judged(",\"sub\":null", &rules(0, None), &required),
        Err(TokenError::ClaimMissing)
    );
    assert_eq!(judged(",\"sub\":\"a\"", &rules(0, None), &required), good);
}

#[test]
fn opaque_tokens_are_one_word_of_what_bearer_tokens_are_made_of() {
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    for (token, expected) in [
        ("2YotnFZFEjr1zCsicMWpAA", Ok(())),
        ("a-._~+/b==", Ok(())),
        ("eyJ.eyJ.sig", Ok(())),
        ("==", Err(TokenError::Characters)),
        ("a=b", Err(TokenError::Characters)),
        ("a&token=b", Err(TokenError::Characters)),
        ("a%20b", Err(TokenError::Characters)),
        ("\u{e9}", Err(TokenError::Characters)),
        (&*long, Err(TokenError::TooLong)),
    ] {
        assert_eq!(judge_opaque(token), expected, "{token}");
    }
}
