//! An issuer's keys, fetched once, for a command that ends afterwards.
//! The running gateway keeps keys fresh (`keys`); a command that explains one decision needs them now, or the reason why
//! they do not come. The exchange and its bounds are those of `fetch`.

use super::fetch::Fetcher;
use crate::id::IssuerName;
use crate::issuer::JwksSchedule;
use crate::token::{Jwks, parse_jwks};

/// Fetches and parses the key set of an issuer, by the way that is configured. Blocks, for
/// [`FETCH_TIMEOUT`](super::fetch::FETCH_TIMEOUT) at most.
///
/// # Errors
/// Why there are no keys, in a sentence.
pub fn fetch_keys(issuer: &IssuerName, schedule: &JwksSchedule) -> Result<Jwks, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let fetcher = Fetcher::new(&schedule.via).map_err(|error| error.to_string())?;
    let fetched = runtime
        .block_on(fetcher.get(issuer, &schedule.address))
        .map_err(|error| error.to_string())?;
    parse_jwks(&fetched.body).map_err(|error| format!("{}: {error}", schedule.address.url()))
}
