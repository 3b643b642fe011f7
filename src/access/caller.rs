//! Who is calling, and by what that is proven: a verified token, or an API key that was given out.
//!
//! A token says who somebody is, so it makes an identity; a key says only to which subscription it belongs. Whoever reads
//! claims of a caller gets none from a key.

use std::sync::Arc;

use super::Verdict;
use crate::credential::SourceKind;
use crate::identity::Identity;
use crate::subscription::{ApiKey, Application, Subscription};
use crate::token::Key;

/// Who is calling, proven.
#[derive(Debug)]
pub struct Caller {
    /// By what.
    pub proof: Proof,
    /// What kind of place the credential was in; nothing for `Authorization`.
    pub source: Option<SourceKind>,
    /// The application, if one is known.
    pub application: Option<Arc<Application>>,
    /// The subscription in force, if the plan asks for one.
    pub subscription: Option<Arc<Subscription>>,
}

/// What proves it.
#[derive(Debug)]
pub enum Proof {
    /// A bearer token.
    Token {
        /// What its verification found.
        verdict: Arc<Verdict>,
        /// The key that vouches for it now; nothing if its issuer was asked.
        key: Option<Arc<Key>>,
    },
    /// An API key.
    ApiKey(Arc<ApiKey>),
}

// === impl Caller ===

impl Caller {
    /// What the token's verification found, if there is a token.
    pub const fn verdict(&self) -> Option<&Arc<Verdict>> {
        match &self.proof {
            Proof::Token { verdict, .. } => Some(verdict),
            Proof::ApiKey(_) => None,
        }
    }

    /// Who the token says is calling, if there is a token.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.verdict().map(|verdict| &verdict.identity)
    }
}
