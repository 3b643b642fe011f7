//! An issuer's list of what it has taken back: the same exchange, by the same rules, with bounds of its own.
//! It is asked for often and changes seldom, so whoever has it asks whether it is still the same (RFC 9110 section 13.1.2).

use http::{HeaderValue, header};

use super::{Document, FetchError, Fetcher, Wanted};
use crate::issuer::ListSchedule;
use crate::revocation::{Format, LIST_BYTES_MAX};

/// The longest `ETag` that is sent back.
const ETAG_BYTES_MAX: usize = 256;

/// What names the content that is here: its `ETag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator(pub(super) HeaderValue);

/// The answer to a fetch of a list.
pub struct FetchedList {
    /// At most [`LIST_BYTES_MAX`]; nothing: it is the one that was named.
    pub body: Option<Vec<u8>>,
    /// What names it, if it has a name.
    pub validator: Option<Validator>,
}

// === impl Fetcher ===

impl Fetcher {
    /// The list at this address, unless it is still the one that `known` names. Cancel safe.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn list(
        &self,
        schedule: &ListSchedule,
        known: Option<&Validator>,
    ) -> Result<FetchedList, FetchError> {
        let wanted = Wanted {
            bytes_max: LIST_BYTES_MAX,
            accept: Some(HeaderValue::from_static(match schedule.format {
                Format::Json => "application/json",
                Format::Lines => "text/plain",
            })),
            known,
        };
        let exchange = tokio::time::timeout(self.timeout, self.exchange(&schedule.url, &wanted));
        let Document { body, headers } = exchange.await.map_err(|_| FetchError::Timeout {
            url: schedule.url.to_string(),
            limit: self.timeout,
        })??;
        let etag = headers
            .get(header::ETAG)
            .filter(|etag| etag.len() <= ETAG_BYTES_MAX);
        let validator = match &body {
            Some(_) => etag.cloned().map(Validator),
            None => known.cloned(),
        };
        Ok(FetchedList { body, validator })
    }
}
