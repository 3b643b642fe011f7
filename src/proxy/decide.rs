//! The whole decision about a request's head: whether it is acceptable HTTP, and what `access::evaluate` says.
//!
//! It is one function, apart from the server's, so that whoever wants to know what the gateway would answer
//! (`explain`) asks the gateway and nobody who resembles it.

use std::net::IpAddr;

use pingora::http::RequestHeader;

use super::{forward, view};
use crate::access::{DataPlane, Denial, Granted, Observer, Permit, evaluate};
use crate::time::UnixTime;

/// A request that may pass.
pub struct Passed {
    /// The proof.
    pub permit: Permit,
    /// The normalised path, if it is not the one that came.
    pub path: Option<String>,
}

/// Decides about a request from its head. `client` is who is calling, as far as trusted proxies tell.
///
/// # Errors
/// The refusal that the caller is answered with.
pub fn decide(
    plane: &DataPlane<'_>,
    request: &RequestHeader,
    client: Option<IpAddr>,
    now: UnixTime,
    observer: &mut impl Observer,
) -> Result<Passed, Box<Denial>> {
    let accepted = view::accept(request, &plane.snapshot.http)?;
    let permit = evaluate(plane, &accepted.view(request, client), now, observer)?;
    let path = accepted.target(request);
    Ok(Passed { permit, path })
}

// === impl Passed ===

impl Passed {
    /// Path and query as the upstream gets them. `granted` is the permit's.
    pub fn upstream_target(&self, granted: Granted<'_>, request: &RequestHeader) -> String {
        forward::target_text(granted, self.path.as_deref(), &request.uri)
    }
}
