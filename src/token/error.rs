//! Why a token is refused: a closed set of facts, each with a stable word for logs and metrics.
//!
//! Callers learn only that the token is not acceptable, with a sentence from a fixed list (RFC 6750 section 3.1);
//! the precise reason is for the operator.

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// Longer than [`super::TOKEN_BYTES_MAX`].
    TooLong,
    /// Five parts: encrypted (RFC 7516), which this gateway does not take.
    Encrypted,
    /// Not three non-empty parts separated by dots.
    Parts,
    /// A part is not canonical base64url without padding (RFC 7515 section 2).
    Base64,
    /// The header is not one JSON object within bounds.
    HeaderJson,
    /// The claims are not one JSON object within bounds.
    ClaimsJson,
    /// A member name occurs twice (RFC 7515 section 4, RFC 7519 section 4).
    DuplicateMember,
    /// Objects and arrays nested deeper than [`super::json::DEPTH_MAX`].
    TooDeep,
    /// A registered header parameter has the wrong type.
    HeaderType,
    /// A `crit` or `b64` parameter: extensions are refused (RFC 7515 section 4.1.11, RFC 7797 section 7).
    CriticalExtension,
    /// `alg` is absent, unknown or not allowed for the issuer.
    AlgorithmNotAllowed,
    /// `typ` is none of the issuer's token types (RFC 8725 section 3.11).
    TypeNotAllowed,
    /// `iss` is absent or no string.
    IssuerMissing,
    /// `iss` names no issuer that a plan on offer accepts.
    IssuerUnknown,
    /// No key with this `kid`, or none that fits the algorithm.
    KeyUnknown,
    /// No `kid`, and several keys fit.
    KeyAmbiguous,
    /// The signature is not the key's.
    SignatureInvalid,
    /// `exp` is absent.
    ExpirationMissing,
    /// `exp`, `nbf` or `iat` is no number of seconds between 0 and 2^53.
    TimeMalformed,
    /// `now >= exp + leeway`.
    Expired,
    /// `now < nbf - leeway`.
    NotYetValid,
    /// `iat > now + leeway`.
    IssuedInFuture,
    /// `exp - iat` is more than the issuer's `max_lifetime`.
    LifetimeTooLong,
    /// A claim that the issuer's tokens must carry is absent.
    ClaimMissing,
    /// A claim that the issuer's profile asks for is no text, or an empty one (RFC 9068 section 2.2).
    ClaimType,
    /// `aud` is absent.
    AudienceMissing,
    /// `aud` is neither a string nor an array of at most 64 strings.
    AudienceMalformed,
    /// No audience in common.
    AudienceMismatch,
    /// `cnf` binds the token to a proof that was not given (RFC 7800, RFC 8705, RFC 9449).
    ProofMissing,
    /// An opaque token has characters that none has (RFC 6750 section 2.1).
    Characters,
    /// The issuer says that the token is not active (RFC 7662 section 2.2).
    Inactive,
}

// === impl TokenError ===

impl TokenError {
    /// Every reason there is.
    pub const ALL: [Self; 31] = [
        Self::TooLong,
        Self::Encrypted,
        Self::Parts,
        Self::Base64,
        Self::HeaderJson,
        Self::ClaimsJson,
        Self::DuplicateMember,
        Self::TooDeep,
        Self::HeaderType,
        Self::CriticalExtension,
        Self::AlgorithmNotAllowed,
        Self::TypeNotAllowed,
        Self::IssuerMissing,
        Self::IssuerUnknown,
        Self::KeyUnknown,
        Self::KeyAmbiguous,
        Self::SignatureInvalid,
        Self::ExpirationMissing,
        Self::TimeMalformed,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::LifetimeTooLong,
        Self::ClaimMissing,
        Self::ClaimType,
        Self::AudienceMissing,
        Self::AudienceMalformed,
        Self::AudienceMismatch,
        Self::ProofMissing,
        Self::Characters,
        Self::Inactive,
    ];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Encrypted => "token_encrypted",
            Self::Parts => "parts_malformed",
            Self::Base64 => "base64_malformed",
            Self::HeaderJson => "header_malformed",
            Self::ClaimsJson => "claims_malformed",
            Self::DuplicateMember => "duplicate_member",
            Self::TooDeep => "nested_too_deep",
            Self::HeaderType => "header_type_invalid",
            Self::CriticalExtension => "critical_extension",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::TypeNotAllowed => "type_not_allowed",
            Self::IssuerMissing => "issuer_missing",
            Self::IssuerUnknown => "issuer_unknown",
            Self::KeyUnknown => "key_unknown",
            Self::KeyAmbiguous => "key_ambiguous",
            Self::SignatureInvalid => "signature_invalid",
            Self::ExpirationMissing => "expiration_missing",
            Self::TimeMalformed => "time_malformed",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimType => "claim_type_invalid",
            Self::AudienceMissing => "audience_missing",
            Self::AudienceMalformed => "audience_malformed",
            Self::AudienceMismatch => "audience_mismatch",
            Self::ProofMissing => "proof_missing",
            Self::Characters => "characters_malformed",
            Self::Inactive => "token_inactive",
        }
    }

    /// The sentence for callers, from a short fixed list: enough to mend an honest mistake, nothing for a forger.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Expired => "The token is expired",
            Self::NotYetValid | Self::IssuedInFuture => "The token is not valid yet",
            Self::AudienceMissing | Self::AudienceMalformed | Self::AudienceMismatch => {
                "The token is not for this audience"
            }
            Self::IssuerMissing | Self::IssuerUnknown => "The token's issuer is not accepted",
            Self::TooLong
            | Self::Encrypted
            | Self::Parts
            | Self::Base64
            | Self::HeaderJson
            | Self::ClaimsJson
            | Self::DuplicateMember
            | Self::TooDeep
            | Self::HeaderType
            | Self::Characters => "The token is malformed",
            Self::CriticalExtension
            | Self::AlgorithmNotAllowed
            | Self::TypeNotAllowed
            | Self::KeyUnknown
            | Self::KeyAmbiguous
            | Self::SignatureInvalid => "The token's signature is not acceptable",
            Self::ExpirationMissing
            | Self::TimeMalformed
            | Self::LifetimeTooLong
            | Self::ClaimMissing
            | Self::ClaimType => "The token's claims are not acceptable",
            Self::ProofMissing => "The token is bound to a proof that was not given",
            Self::Inactive => "The token is not active",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reasons_are_distinct_words() {
        let reasons: HashSet<_> = TokenError::ALL.iter().map(|error| error.reason()).collect();
        assert_eq!(reasons.len(), TokenError::ALL.len());
        for reason in reasons {
            assert!(
                reason
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{reason}"
            );
        }
    }
}
