//! Whether a token was taken back, asked for every request, whether the token is remembered or was verified just now.
//!
//! What was found clean is remembered with the token, and looked up again only when revocations have come since
//! (`crate::revocation`): an entry is obeyed by the first request that begins after it was made, and a token that nobody
//! has taken back pays for a comparison. Which entry it was is for operators; callers learn that the token is revoked.

use std::sync::Arc;

use super::{Authentic, Cause, DataPlane, Denial, Fact, Found, Observer};
use crate::identity::Identity;
use crate::issuer::ListSource;
use crate::revocation::{Holder, Marks};
use crate::token::json::Value;
use crate::token::{Key, Vouched};

/// After the audience: nobody has taken the token back, as far as operators and its issuer say.
pub(super) fn judge(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    authentic: &Authentic<'_>,
    observer: &mut impl Observer,
) -> Result<(), Box<Denial>> {
    let Authentic {
        accepted,
        verdict,
        key,
    } = authentic;
    let holder = || Holder {
        issuer: verdict.issuer().as_str(),
        subject: verdict.identity.subject.as_deref(),
        client: verdict.identity.client_id.as_deref(),
        key_id: key.as_deref().and_then(Key::kid),
    };
    let denied = |cause| {
        let mut denial = Denial::new(cause).at(found.api).by(&accepted.issuer);
        denial.identity = Some(Arc::clone(&verdict.identity));
        denial
    };
    if let Err(entry) = verdict.marks.judge(plane.revocations, holder) {
        observer.found(Fact::Revoked(entry, RevokedBy::Operator));
        return Err(denied(Cause::Revoked));
    }
    let Some(ListSource { list, when, .. }) = accepted.issuer.revocations.as_deref() else {
        return Ok(());
    };
    let judged = verdict
        .marks
        .judge_list(list, *when, plane.revocations.key(), found.now, holder);
    match judged {
        Ok(Ok(())) => Ok(()),
        Ok(Err(entry)) => {
            observer.found(Fact::Revoked(entry, RevokedBy::List));
            Err(denied(Cause::Revoked))
        }
        Err(_) => Err(denied(Cause::RevocationsUnavailable)),
    }
}

/// Who has taken a token back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedBy {
    /// Whoever may, at the admin API.
    Operator,
    /// The issuer, in its list.
    List,
}

/// What a revocation may name of this token. An id that is a number is named as it is written in JSON.
pub(super) fn marks(plane: &DataPlane<'_>, token: &impl Vouched, identity: &Identity) -> Marks {
    let claims = token.claims();
    let number;
    let jti = match claims.get("jti") {
        Some(Value::String(jti)) => Some(jti.as_ref()),
        Some(Value::Number(jti)) => {
            number = jti.to_string();
            Some(number.as_str())
        }
        _ => None,
    };
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.filter(|subject| identity.subject.as_deref() != Some(subject));
    let key = plane.revocations.key();
    Marks::new(key, identity.issuer.as_str(), jti, subject, token.issued_at())
}
