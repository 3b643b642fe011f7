//! Advice about tokens that were taken back: by which entry, and where it is.
//! Callers are never told which it was; an operator who wonders why a token is refused is.

use super::{Advice, Case};
use crate::access::RevokedBy;
use crate::explain::report::StoreRecord;
use crate::explain::words;
use crate::revocation::{ALWAYS, Named};

// === impl Case ===

impl Case<'_> {
    pub(super) fn of_revocation(&self) -> Advice {
        let (Some((entry, by)), Some(issuer)) = (self.record.revoked, self.issuer()) else {
            return Advice::default();
        };
        let names = match entry.named {
            Named::Token => "its `jti`",
            Named::Subject => "its subject",
            Named::Client => "its client",
            Named::Key => "the key that signed it",
            Named::Issuer => "all tokens of its issuer",
        };
        let before = match entry.issued_before {
            ALWAYS => String::new(),
            moment => format!(
                ", for tokens issued before {}",
                words::moment_from_now(moment, self.now)
            ),
        };
        match by {
            RevokedBy::Operator => Advice::new(
                None,
                format!(
                    "the revocation {} names {names}{before}; see `tollgate revocations list`",
                    entry.digest
                ),
            ),
            RevokedBy::List => Advice::new(
                self.cites.issuer(issuer.name.as_str(), "revocation_list"),
                format!("the issuer's list names {names}{before}"),
            ),
        }
    }

    /// The entry, if it is one of the store.
    pub(in crate::explain) fn revocation_record(&self) -> Option<StoreRecord> {
        let (entry, by) = self.record.revoked?;
        (by == RevokedBy::Operator).then(|| StoreRecord {
            kind: "revocation",
            id: entry.digest.to_string(),
        })
    }

    pub(super) fn of_missing_list(&self) -> Advice {
        let Some(issuer) = self.issuer() else {
            return Advice::default();
        };
        Advice::new(
            self.cites.issuer(issuer.name.as_str(), "revocation_list"),
            "the issuer's list of revoked tokens is not here or too old, and `fail` says that tokens are refused then",
        )
    }
}
