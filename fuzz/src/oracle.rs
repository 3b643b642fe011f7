//! A second opinion on tokens: `jsonwebtoken` with strict settings, and a naive reading of header and claims.
//!
//! Whatever the gateway accepts, both must accept. Where the library is stricter than any standard asks, or does not
//! know what the gateway knows, the place says so; everywhere else a disagreement is a defect.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;
use tollgate::time::UnixTime;
use tollgate::token::Algorithm;

/// What a token must be for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// The only issuer.
    pub issuer: &'e str,
    /// The only audience.
    pub audience: &'e str,
    /// Seconds of tolerance.
    pub leeway: u64,
    /// Whether the library judges `exp` and `nbf`, which it does by the machine's clock.
    pub times: bool,
}

/// Why the second opinion is against a token.
#[derive(Debug)]
pub enum Against {
    /// The library refuses it.
    Library(ErrorKind),
    /// A naive reader refuses it.
    Naive(&'static str),
}

// === impl Against ===

impl std::fmt::Display for Against {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Library(kind) => write!(f, "jsonwebtoken refuses it: {kind:?}"),
            Self::Naive(what) => write!(f, "a naive reader refuses it: {what}"),
        }
    }
}

/// The library's opinion.
///
/// # Errors
/// Its reason against the token.
pub fn library(
    token: &str,
    algorithm: Algorithm,
    jwk: &Value,
    expected: Expected<'_>,
) -> Result<(), Against> {
    let refused = |error: jsonwebtoken::errors::Error| Against::Library(error.into_kind());
    let jwk: Jwk = serde_json::from_value(jwk.clone()).map_err(|_| Against::Naive("the key is no JWK"))?;
    let key = DecodingKey::from_jwk(&jwk).map_err(refused)?;
    let Some(theirs) = theirs(algorithm) else {
        return Err(Against::Naive("the library does not know the algorithm"));
    };
    let header = part(token, 0).ok_or(Against::Naive("the header is no JSON"))?;
    if reads_more_than_we_do(&header) {
        // The library would not even parse the header, so it is asked about the signature alone.
        let (signed, signature) = token.rsplit_once('.').ok_or(Against::Naive("no signature"))?;
        return match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, theirs) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Against::Library(ErrorKind::InvalidSignature)),
            Err(error) => Err(refused(error)),
        };
    }
    let mut validation = Validation::new(theirs);
    validation.leeway = expected.leeway;
    validation.validate_exp = expected.times;
    validation.validate_nbf = expected.times;
    validation.validate_aud = true;
    validation.set_audience(&[expected.audience]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    jsonwebtoken::decode::<Value>(token, &key, &validation)
        .map(|_| ())
        .map_err(refused)
}

/// Header and claims as somebody would check them who has an evening and `serde_json`.
///
/// # Errors
/// The first thing that an accepted token must not be.
pub fn naive(
    token: &str,
    algorithm: Algorithm,
    expected: Expected<'_>,
    now: UnixTime,
) -> Result<(), Against> {
    let must = |holds: bool, what: &'static str| if holds { Ok(()) } else { Err(Against::Naive(what)) };
    must(token.split('.').count() == 3, "not three parts")?;
    must(
        token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "a character outside of the alphabet",
    )?;
    let header = part(token, 0).ok_or(Against::Naive("the header is no JSON"))?;
    let claims = part(token, 1).ok_or(Against::Naive("the claims are no JSON"))?;
    must(header.is_object() && claims.is_object(), "not objects")?;
    let names_it =
        header["alg"] == algorithm.name() || (algorithm == Algorithm::Ed25519 && header["alg"] == "Ed25519");
    must(names_it, "another algorithm")?;
    for name in ["crit", "b64", "enc", "zip"] {
        must(header.get(name).is_none(), "an extension")?;
    }
    must(claims["iss"] == expected.issuer, "another issuer")?;
    let aud = &claims["aud"];
    let listed = aud
        .as_array()
        .is_some_and(|many| many.iter().any(|one| one == expected.audience));
    must(aud == expected.audience || listed, "another audience")?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let (now, leeway) = (now.millis() as f64 / 1000.0, expected.leeway as f64);
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .map(Some)
            .ok_or(Against::Naive("a time is no number")),
    };
    must(time("exp")?.is_some_and(|exp| now < exp + leeway), "expired")?;
    must(
        time("nbf")?.is_none_or(|nbf| nbf <= now + leeway + 0.001),
        "too early",
    )?;
    must(
        time("iat")?.is_none_or(|iat| iat <= now + leeway + 0.001),
        "issued later",
    )?;
    must(claims.get("cnf").is_none(), "bound to a proof")
}

/// Whether [`library`] judges no more than the signature of this token.
pub fn is_signature_alone(token: &str) -> bool {
    part(token, 0).is_some_and(|header| reads_more_than_we_do(&header))
}

/// Header parameters that the library types and the gateway does not read: a JWK that is none, and what ACME (RFC 8555)
/// added to the registry. And a name of RFC 9864 that it does not know.
fn reads_more_than_we_do(header: &Value) -> bool {
    let odd = |name: &str| header.get(name).is_some_and(|value| !value.is_string());
    header.get("jwk").is_some() || odd("url") || odd("nonce") || header["alg"] == "Ed25519"
}

/// One part of a token as JSON; the last of two members counts.
fn part(token: &str, index: usize) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn theirs(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    use jsonwebtoken::Algorithm as Theirs;
    Some(match algorithm {
        Algorithm::Rs256 => Theirs::RS256,
        Algorithm::Rs384 => Theirs::RS384,
        Algorithm::Rs512 => Theirs::RS512,
        Algorithm::Ps256 => Theirs::PS256,
        Algorithm::Ps384 => Theirs::PS384,
        Algorithm::Ps512 => Theirs::PS512,
        Algorithm::Es256 => Theirs::ES256,
        Algorithm::Es384 => Theirs::ES384,
        Algorithm::Ed25519 => Theirs::EdDSA,
        Algorithm::Hs256 => Theirs::HS256,
        Algorithm::Hs384 => Theirs::HS384,
        Algorithm::Hs512 => Theirs::HS512,
        _ => return None,
    })
}
