//! The forgery budget in a decision: what a token that was never seen may cost before it has shown that it is good.
//!
//! It is asked twice. First as soon as a token is not among the remembered ones, before a byte of it is decoded: a source
//! that has nothing left for the cheapest check that the API could make is refused there, whatever its token is. Then
//! between the choice of the key and the check of the signature, when issuer and price are known, and the check is paid
//! for. Whoever is refused before that point, for an unknown issuer, key or algorithm, pays nothing.

use std::net::IpAddr;

use super::{Cause, DataPlane, Denial, Found};
use crate::api::Accepted;
use crate::limit::{Charge, Overdrawn};
use crate::token::KeyedToken;

/// Whether it is worth looking at a token from this client.
pub(super) fn admit(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    client: Option<IpAddr>,
) -> Result<(), Box<Denial>> {
    let budget = &plane.snapshot.forgery_budget;
    let least = found.api.plans.least_check_price();
    let admitted = plane.forgeries.admit(budget, client, least, found.now);
    admitted.map_err(|overdrawn| Denial::new(Cause::VerificationOverloaded(overdrawn)).at(found.api))
}

/// Pays for the check of this token's signature. It stays paid unless the token turns out to be good.
pub(super) fn charge<'p>(
    plane: &DataPlane<'p>,
    found: &Found<'_>,
    accepted: &Accepted,
    client: Option<IpAddr>,
    token: &KeyedToken<'_>,
) -> Result<Charge<'p>, Box<Denial>> {
    let budget = &plane.snapshot.forgery_budget;
    let issuer = &accepted.issuer;
    let charged = plane
        .forgeries
        .charge(budget, &issuer.name, client, token.price(), found.now);
    charged.map_err(|overdrawn: Overdrawn| {
        Denial::new(Cause::VerificationOverloaded(overdrawn))
            .at(found.api)
            .by(issuer)
    })
}
