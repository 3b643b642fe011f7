//! The reasons behind the codes, as `docs/denials.md` lists them.
//!
//! A code is for callers and stays coarse; a reason is for operators and is as precise as the check that failed. Each
//! reason has its sentence here, by exhaustive matches: a reason that nobody has explained does not compile.

use std::fmt::Write as _;
use std::time::Duration;

use super::denial::subscription_code;
use super::{Cause, Code, Denial, LimitClaimError, RequestError};
use crate::api::HeaderError;
use crate::authorization::{AuthorizationError, ResourceError};
use crate::credential::CredentialError;
use crate::identity::IdentityError;
use crate::limit::{Bucket, Exceeded, LevelName, LimitKind, Overdrawn};
use crate::route::{HostError, PathError};
use crate::subscription::ApiKeyError;
use crate::token::TokenError;

/// The reasons that say more than their code, as a table: code, reason, meaning.
pub fn describe_reasons() -> String {
    let requests = PathError::ALL
        .into_iter()
        .map(RequestError::Path)
        .chain([
            // Every malformed host has this one reason.
            RequestError::Host(HostError::Empty),
            RequestError::HostCount,
            RequestError::PathEncoding,
            RequestError::ContentLength,
            RequestError::TransferEncoding,
        ])
        .map(Cause::Request);
    let credentials = CredentialError::ALL.into_iter().map(Cause::Credential);
    let tokens = TokenError::ALL.into_iter().map(Cause::Token);
    let overloads = Bucket::ALL.into_iter().map(|bucket| {
        let wait = Duration::ZERO;
        Cause::VerificationOverloaded(Overdrawn { bucket, wait })
    });
    let api_keys = ApiKeyError::ALL.into_iter().map(Cause::ApiKey);
    let identities = IdentityError::ALL.into_iter().map(Cause::Identity);
    let headers = HeaderError::ALL.into_iter().map(Cause::Header);
    let limit_claims = LimitClaimError::ALL.into_iter().map(Cause::LimitClaim);
    let limits = limit_claims.chain(LimitKind::ALL.into_iter().map(|kind| {
        Cause::Limit(Exceeded {
            level: LevelName::Plan,
            kind,
            limit: 0,
            reset: Duration::ZERO,
            wait: Duration::ZERO,
        })
    }));
    let mut page = String::from("| code | reason | meaning |\n| --- | --- | --- |\n");
    let resources = [Cause::Resource(ResourceError::Method {
        allow: Box::default(),
    })];
    for cause in requests
        .chain(credentials)
        .chain(tokens)
        .chain([Cause::Revoked])
        .chain(overloads)
        .chain(api_keys)
        .chain(identities)
        .chain(headers)
        .chain(resources)
        .chain(limits)
    {
        let denial = Denial::new(cause);
        let (code, reason) = (denial.answer().code.word(), denial.reason());
        if code != reason {
            // Writing to a String does not fail.
            let _ = writeln!(page, "| `{code}` | `{reason}` | {} |", denial.meaning());
        }
    }
    page
}

// === impl Denial ===

impl Denial {
    /// What the reason means, for operators: the sentence of `docs/denials.md`.
    pub const fn meaning(&self) -> &'static str {
        match &self.cause {
            Cause::Request(error) => of_request(*error),
            Cause::Credential(error) => of_credential(*error),
            Cause::Token(error) => of_token(*error),
            Cause::ApiKey(error) => of_api_key(*error),
            Cause::Identity(error) => of_identity(*error),
            Cause::Header(error) => of_header(*error),
            Cause::RouteNotFound => Code::RouteNotFound.detail(),
            Cause::MethodNotAllowed { .. } => Code::MethodNotAllowed.detail(),
            Cause::KeysUnavailable => Code::KeysUnavailable.detail(),
            Cause::Revoked => {
                "The token was taken back before its time, at the admin API or in its issuer's list."
            }
            Cause::RevocationsUnavailable => Code::RevocationsUnavailable.detail(),
            Cause::IntrospectionUnavailable(_) => Code::IntrospectionUnavailable.detail(),
            Cause::VerificationOverloaded(overdrawn) => of_overload(overdrawn.bucket),
            Cause::LimitClaim(error) => match error {
                LimitClaimError::Key => "The claim of a limit's `key_from` is a list or an object.",
                LimitClaimError::Requests => "The claim of a limit's `requests_from` is no positive integer.",
            },
            Cause::Limit(exceeded) => of_limit(exceeded.kind),
            Cause::Subscription(error) => subscription_code(*error).detail(),
            Cause::PlanNotSelected => Code::PlanNotSelected.detail(),
            Cause::Resource(ResourceError::Forbidden) => Code::ResourceForbidden.detail(),
            Cause::Resource(ResourceError::Method { .. }) => {
                "The plan's `resources` allow the path with other methods."
            }
            Cause::Authorization { error, .. } => match error {
                AuthorizationError::InsufficientScope => Code::InsufficientScope.detail(),
                AuthorizationError::ClaimRequired => Code::ClaimRequired.detail(),
                AuthorizationError::AudienceRequired => Code::AudienceRequired.detail(),
            },
        }
    }
}

const fn of_limit(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Rate => "A `rate` has nothing left at this moment.",
        LimitKind::SpikeArrest => "A slice of a `spike_arrest` is full.",
        LimitKind::Quota => Code::QuotaExceeded.detail(),
        LimitKind::Bandwidth => "The bytes of a `bandwidth` are used up.",
        LimitKind::Concurrency => Code::ConcurrencyExceeded.detail(),
    }
}

const fn of_overload(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Issuer => "Too much CPU time went into bad tokens of this issuer lately (`forgery_budget`).",
        Bucket::Source => {
            "Too much CPU time went into bad tokens from the caller's network lately (`forgery_budget_per_source`)."
        }
    }
}

const fn of_request(error: RequestError) -> &'static str {
    match error {
        RequestError::Path(error) => of_path(error),
        RequestError::Host(_) => "The host is no host name and no address.",
        RequestError::HostCount => "There is no `Host`, or more than one.",
        RequestError::PathEncoding => "The path holds bytes that are no UTF-8.",
        RequestError::ContentLength => "`Content-Length` is no number, or there is more than one.",
        RequestError::TransferEncoding => "`Transfer-Encoding` is anything but `chunked`, once.",
        RequestError::Method => "The method is TRACE or CONNECT.",
        RequestError::TargetTooLong => "Path and query are longer than `target_bytes_max`.",
        RequestError::FieldsTooLarge => {
            "The header fields are more than `headers_max` or longer than `header_bytes_max`."
        }
        RequestError::BodyTooLarge => "The body is longer than `body_bytes_max`.",
    }
}

const fn of_path(error: PathError) -> &'static str {
    match error {
        PathError::NotAbsolute => "The path does not begin with `/`.",
        PathError::SegmentsExceeded => "The path has more than 64 segments.",
        PathError::ForbiddenByte => "The path holds a character that must be percent-encoded.",
        PathError::EscapeMalformed => "A `%` is not followed by two hexadecimal digits.",
        PathError::EscapeNotUtf8 => "Percent-encoded bytes are no UTF-8.",
        PathError::EncodedSlash => "`%2F`: an upstream might read it as `/`.",
        PathError::EncodedBackslash => "`%5C`: an upstream might read it as `/`.",
        PathError::EncodedControl => "A percent-encoded control character.",
        PathError::HiddenDotSegment => {
            "A `.` or `..` that appears only after decoding or cutting off parameters."
        }
        PathError::AboveRoot => "`..` leads above the root.",
        PathError::DuplicateSlash => "An empty segment, where `duplicate_slashes` is \"refuse\".",
        PathError::Parameters => "A `;` in a segment, where `path_parameters` is \"refuse\".",
    }
}

const fn of_credential(error: CredentialError) -> &'static str {
    match error {
        CredentialError::Missing => "There is no credential, and no plan on offer does without.",
        CredentialError::NotAccepted => "There is a bearer token, and no plan on offer asks for one.",
        CredentialError::SourceNotAccepted => {
            "No plan for the token's issuer takes tokens from where it was (`token_from`)."
        }
        CredentialError::Several => {
            "There is more than one `Authorization` field, or there are tokens or API keys in two places, or in one place twice."
        }
        CredentialError::Malformed => {
            "`Bearer`, or another place for tokens, has no token or several words, or a place is not written as it must be."
        }
    }
}

const fn of_token(error: TokenError) -> &'static str {
    match error {
        TokenError::TooLong => "The token is longer than 16 KiB.",
        TokenError::Encrypted => "The token has five parts: it is encrypted.",
        TokenError::Parts => "The token is not three parts, none of them empty, with dots between.",
        TokenError::Base64 => "A part is not canonical base64url without padding.",
        TokenError::HeaderJson => "The header is not one JSON object.",
        TokenError::ClaimsJson => "The claims are not one JSON object.",
        TokenError::DuplicateMember => "A member of the header or of the claims is there twice.",
        TokenError::TooDeep => "Objects or lists are nested too deep.",
        TokenError::HeaderType => "A member of the header has the wrong type.",
        TokenError::CriticalExtension => "The header has `crit` or `b64`.",
        TokenError::AlgorithmNotAllowed => "`alg` is absent, unknown, or none of the issuer's `algorithms`.",
        TokenError::TypeNotAllowed => {
            "`typ` is none of the issuer's `token_types`, or is absent where `token_profile` asks for it; or an issuer that was asked says that it is no bearer's access token."
        }
        TokenError::IssuerMissing => "`iss` is absent or no string.",
        TokenError::IssuerUnknown => {
            "`iss` is no issuer that a plan on offer accepts, or not the issuer that was asked."
        }
        TokenError::KeyUnknown => "The issuer has no key with this `kid` and for this algorithm.",
        TokenError::KeyAmbiguous => "Several of the issuer's keys fit.",
        TokenError::SignatureInvalid => "The signature is not that of the key.",
        TokenError::ExpirationMissing => "`exp` is absent.",
        TokenError::TimeMalformed => "`exp`, `nbf` or `iat` is no number of seconds.",
        TokenError::Expired => "`exp` and the `leeway` are over.",
        TokenError::NotYetValid => "`nbf` is further ahead than the `leeway`.",
        TokenError::IssuedInFuture => "`iat` is further ahead than the `leeway`.",
        TokenError::LifetimeTooLong => "`exp` - `iat` is more than the issuer's `max_lifetime`.",
        TokenError::ClaimMissing => {
            "One of the issuer's `required_claims` is absent, or one that its `token_profile` asks for."
        }
        TokenError::ClaimType => {
            "A claim that the issuer's `token_profile` asks for is no text, or an empty one."
        }
        TokenError::AudienceMissing => "`aud` is absent.",
        TokenError::AudienceMalformed => "`aud` is neither a string nor a list of at most 64 strings.",
        TokenError::AudienceMismatch => {
            "`aud` has none of the audiences that the plans accept, their `audience_from` included."
        }
        TokenError::ProofMissing => "`cnf` binds the token to a proof, and none was given.",
        TokenError::Characters => "An opaque token has characters that no bearer token has.",
        TokenError::Inactive => "The issuer was asked, and says that the token is not active.",
    }
}

const fn of_api_key(error: ApiKeyError) -> &'static str {
    match error {
        ApiKeyError::Malformed => "The API key is not 8 to 64 letters, digits, `-`, `.`, `_` or `~`.",
        ApiKeyError::Unknown => "There is no such API key, or its application is gone.",
        ApiKeyError::Revoked => "The API key was revoked.",
        ApiKeyError::Expired => "The API key has expired.",
        ApiKeyError::OtherPlan => "The API key is for a plan that this API does not offer to keys.",
    }
}

const fn of_identity(error: IdentityError) -> &'static str {
    match error {
        IdentityError::SubjectType => "`sub`, after mapping, is no string.",
        IdentityError::SubjectMissing => {
            "A claim mapping says where `sub` comes from, and the token has nothing there."
        }
        IdentityError::ClientIdType => "The client id is no string.",
        IdentityError::ScopesType => "The scopes are neither a string nor a list of strings.",
        IdentityError::TransformationTooLong => "A transformation would make a claim longer than 16 KiB.",
        IdentityError::TransformationType => {
            "A claim has a type that the steps of its claim mapping do not work on."
        }
        IdentityError::JoinAmbiguous => {
            "A member of a list holds the separator with which its claim mapping would `join` the members."
        }
    }
}

const fn of_header(error: HeaderError) -> &'static str {
    match error {
        HeaderError::Unsendable => "A claim for the upstream has a byte that no header field may have.",
        HeaderError::TooLong => "A claim for the upstream is longer than 4 KiB.",
    }
}
