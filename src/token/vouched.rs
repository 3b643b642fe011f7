//! Claims that somebody has vouched for: a key by its signature, or the issuer itself by its answer to a question.
//!
//! What comes after the check of a token does not care which it was. So both ways in end here, and there is no third: the
//! trait cannot be implemented elsewhere.

use super::answer::AnsweredToken;
use super::claims::Audience;
use super::json::Object;
use super::verify::VerifiedToken;
use crate::time::UnixTime;

/// A token whose claims may be believed.
pub trait Vouched: sealed::Sealed {
    /// The claims.
    fn claims(&self) -> &Object<'_>;
    /// The audience, well formed.
    fn audience(&self) -> Audience<'_>;
    /// The first moment at which its times are good.
    fn good_from(&self) -> UnixTime;
    /// The first moment at which they are good no longer.
    fn good_until(&self) -> UnixTime;
    /// When it was issued, if it says so: `iat`.
    fn issued_at(&self) -> Option<UnixTime>;
}

impl Vouched for VerifiedToken<'_> {
    fn claims(&self) -> &Object<'_> {
        self.claims()
    }

    fn audience(&self) -> Audience<'_> {
        self.audience()
    }

    fn good_from(&self) -> UnixTime {
        self.good_from()
    }

    fn good_until(&self) -> UnixTime {
        self.good_until()
    }

    fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at()
    }
}

impl Vouched for AnsweredToken<'_> {
    fn claims(&self) -> &Object<'_> {
        self.claims()
    }

    fn audience(&self) -> Audience<'_> {
        self.audience()
    }

    fn good_from(&self) -> UnixTime {
        self.good_from()
    }

    fn good_until(&self) -> UnixTime {
        self.good_until()
    }

    fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::VerifiedToken<'_> {}
    impl Sealed for super::AnsweredToken<'_> {}
}
