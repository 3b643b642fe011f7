//! Tokens: whatever comes, it is answered; and what is accepted, a second opinion accepts too.
//!
//! The first byte says how the rest is read. `r`: the token itself. `s`: a key, header and claims line by line, which are
//! then signed. `m`: a key, then changes to a good token, which is then signed. `e`: a key, then edits of a good token
//! that was signed before, which must never be accepted. Any other byte stands for one of them.

use std::sync::LazyLock;
use std::time::Duration;

use tollgate::id::IssuerName;
use tollgate::identity::{ClaimMap, ClaimMapping, IdentityError};
use tollgate::time::UnixTime;
use tollgate::token::{
    AcceptedAudiences, Algorithm, AlgorithmSet, Audiences, KeySet, Profile, Rules, Scratch, TokenError,
    TokenTypes, UnverifiedToken,
};

use super::keys;
use super::oracle::{self, Expected};
use super::shape::{AUDIENCE, ISSUER, LEEWAY, Shape};

/// When every input is judged.
const NOW: i64 = 1_800_000_000;

const EXPECTED: Expected<'static> = Expected {
    issuer: ISSUER,
    audience: AUDIENCE,
    leeway: LEEWAY,
    times: false,
};

static RULES: LazyLock<Rules> = LazyLock::new(|| rules(Algorithm::ALL.into_iter().collect()));

/// Nothing renamed, nothing asked for: what is left is that the subject is a string.
static MAPPING: LazyLock<ClaimMapping> = LazyLock::new(|| ClaimMapping {
    default: ClaimMap::default(),
    own: ClaimMap::default(),
    scopes: Vec::new(),
    client_ids: Vec::new(),
    kept: std::sync::Arc::new([]),
});

/// Why the gateway is against a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is no good.
    Token(TokenError),
    /// It says of nobody who they are.
    Identity(IdentityError),
}

// === impl Refusal ===

impl Refusal {
    /// The word in logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Token(error) => error.reason(),
            Self::Identity(error) => error.reason(),
        }
    }
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((mode, rest)) = bytes.split_first() else {
        return;
    };
    match mode {
        b'r' => raw(rest),
        b's' => signed(rest),
        b'm' => changed(rest),
        b'e' => edited(rest),
        other => match other % 8 {
            0 => raw(rest),
            1 | 2 => signed(rest),
            3 => edited(rest),
            _ => changed(rest),
        },
    }
}

/// The rules that targets and properties judge by.
pub fn rules(algorithms: AlgorithmSet) -> Rules {
    Rules {
        issuer: ISSUER.into(),
        algorithms,
        token_types: TokenTypes::new(["JWT", "at+jwt"]),
        profile: Profile::Jwt,
        leeway: Duration::from_secs(LEEWAY),
        max_lifetime: None,
        required_claims: ["exp", "iss"].map(Into::into).into(),
    }
}

/// The gateway's opinion, token and identity: the algorithm by which a token was accepted, or why it was not.
///
/// # Errors
/// The gateway's own.
pub fn judge(token: &str, rules: &Rules, keys: &KeySet, now: UnixTime) -> Result<Algorithm, Refusal> {
    let accepted = Audiences {
        accepted: AcceptedAudiences::AnyOf(vec![AUDIENCE.into()]),
        of_application: false,
        optional: false,
    };
    let mut scratch = Scratch::default();
    let token = UnverifiedToken::parse(token, &mut scratch).map_err(Refusal::Token)?;
    let verified = token
        .verify(
            rules,
            keys,
            now,
            |audience| accepted.may_accept(audience),
            &mut (),
        )
        .map_err(Refusal::Token)?;
    MAPPING
        .apply(&IssuerName::new(ISSUER), &verified, &[])
        .map_err(Refusal::Identity)?;
    assert!(
        verified.good_from() <= now && now < verified.good_until(),
        "accepted outside of its own time"
    );
    Ok(verified.algorithm())
}

fn raw(bytes: &[u8]) {
    let token = String::from_utf8_lossy(bytes);
    check(&token);
}

fn signed(bytes: &[u8]) {
    let Some((key, rest)) = bytes.split_first() else {
        return;
    };
    let (header, claims) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, &b"{}"[..]),
    };
    sign_and_check(*key, header, claims);
}

fn changed(bytes: &[u8]) {
    let Some((key, rest)) = bytes.split_first() else {
        return;
    };
    let shape = Shape::good(signer(*key).algorithm.name()).changed(rest);
    let (header, claims) = shape.text(NOW);
    sign_and_check(*key, header.as_bytes(), claims.as_bytes());
}

/// Edits are three bytes each: where (two), what. No edit may leave a token that is accepted and was not signed.
fn edited(bytes: &[u8]) {
    let Some((key, rest)) = bytes.split_first() else {
        return;
    };
    let key = signer(*key);
    let (header, claims) = Shape::good(key.algorithm.name()).text(NOW);
    let good = key.sign(header.as_bytes(), claims.as_bytes());
    let mut bytes = good.clone().into_bytes();
    for edit in rest.chunks_exact(3).take(16) {
        if let [high, low, what] = edit {
            let at = usize::from(u16::from_be_bytes([*high, *low])) % (bytes.len() + 1);
            match what {
                0x80..0xa0 => drop(bytes.drain(at..(at + usize::from(what & 0x1f) + 1).min(bytes.len()))),
                0xa0..0xc0 => bytes.insert(at, b"=+/ .-_\0"[usize::from(what & 7)]),
                0xc0.. => bytes.extend_from_within(at..(at + usize::from(what & 0x3f)).min(bytes.len())),
                what => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = *what;
                    }
                }
            }
        }
    }
    let token = String::from_utf8_lossy(&bytes);
    let accepted = check(&token);
    let known = !std::ptr::eq(key, &*keys::OUTSIDER);
    assert_eq!(accepted, known && token == good, "{token}");
}

fn signer(byte: u8) -> &'static keys::Fixed {
    // Hexadecimal digits name keys; Ed25519, which signs fastest, has the rest of the even ones.
    let index = match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        b'a'..=b'b' => usize::from(byte - b'a') + 10,
        b'x' => return &keys::OUTSIDER,
        byte if byte % 2 == 0 => 0,
        byte => usize::from(byte / 2) % keys::ALL.len(),
    };
    &keys::ALL[index]
}

fn sign_and_check(key: u8, header: &[u8], claims: &[u8]) {
    let outsider = key == b'x';
    let token = signer(key).sign(header, claims);
    let accepted = check(&token);
    assert!(!(accepted && outsider), "accepted from a stranger: {token}");
}

/// Whether the token is accepted, all opinions heard. Public keys and secrets are never in one set.
fn check(token: &str) -> bool {
    let now = UnixTime::from_seconds(NOW);
    let mut accepted = false;
    for set in [&*keys::PUBLIC, &*keys::SHARED] {
        let Ok(algorithm) = judge(token, &RULES, set, now) else {
            continue;
        };
        let key = keys::of(algorithm).expect("a key of the set");
        assert!(
            std::ptr::eq(key.set(), set),
            "by a key of the other kind: {token}"
        );
        for opinion in [
            oracle::library(token, algorithm, &key.jwk, EXPECTED),
            oracle::naive(token, algorithm, EXPECTED, now),
        ] {
            if let Err(against) = opinion {
                panic!("accepted, but {against}: {token}");
            }
        }
        accepted = true;
    }
    accepted
}
