//! An issuer's keys, fetched once, for a command that ends afterwards.
//! The running gateway keeps keys fresh (`keys`); a command that explains one decision needs them now, or the reason why
//! they do not come. The exchange and its bounds are those of `fetch`.

use super::fetch::Fetcher;
use crate::issuer::JwksUrl;
use crate::token::{Jwks, parse_jwks};

/// Fetches and parses a key set. Blocks, for [`FETCH_TIMEOUT`](super::fetch::FETCH_TIMEOUT) at most.
///
/// # Errors
/// Why there are no keys, in a sentence.
pub fn fetch_keys(url: &JwksUrl) -> Result<Jwks, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let fetcher = Fetcher::new().map_err(|error| error.to_string())?;
    let fetched = runtime
        .block_on(fetcher.get(url))
        .map_err(|error| error.to_string())?;
    parse_jwks(&fetched.body).map_err(|error| format!("{url}: {error}"))
}
