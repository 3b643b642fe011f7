//! Upstreams: peers, weights and time limits.
//!
//! An upstream with a mistake of its own is still known by its name, so that nobody who refers to it is blamed.

use std::sync::Arc;

use super::apis::judge_name;
use super::{Names, unknown};
use crate::config::{self, Located, Mistake, Mistakes};
use crate::id::UpstreamName;
use crate::upstream::{Limits, Upstream};

/// Every name that is written; without an upstream if that has a mistake, so that whoever refers to it is not blamed.
pub(super) type Upstreams = Vec<(String, Option<Arc<Upstream>>)>;

pub(super) fn compile(written: Vec<config::Upstream>, mistakes: &mut Mistakes) -> Upstreams {
    let mut names = Names::default();
    let mut upstreams = Vec::new();
    for upstream in written {
        let config::Upstream {
            name,
            peers,
            balance: config::Balance::RoundRobin,
            connect_timeout,
            read_timeout,
            write_timeout,
            idle_timeout,
            retries,
        } = upstream;
        judge_name("the upstream", &name, mistakes);
        if !names.claim("the upstream", &name.value, &name.place, mistakes) {
            continue;
        }
        let limits = Limits {
            connect_timeout,
            read_timeout,
            write_timeout,
            idle_timeout,
        };
        let mut addresses = Vec::new();
        for config::Peer { address, weight } in &peers.value {
            if address.value.port() == 0 {
                mistakes.push(Mistake::new(address.place.clone(), "a peer's port is not 0"));
            }
            addresses.push((address.value, *weight));
        }
        let id = UpstreamName::new(name.value.as_str());
        let upstream = Upstream::new(id, upstreams.len(), &addresses, limits, retries)
            .map_err(|error| mistakes.push(Mistake::new(peers.place, error.to_string())));
        upstreams.push((name.value, upstream.ok().map(Arc::new)));
    }
    upstreams
}

/// The upstream of this name.
pub(super) fn find_upstream(
    name: &Located<String>,
    upstreams: &Upstreams,
    mistakes: &mut Mistakes,
) -> Option<Arc<Upstream>> {
    let found = upstreams.iter().find(|(known, _)| *known == name.value);
    if found.is_none() {
        mistakes.push(unknown(
            name,
            "upstream",
            upstreams.iter().map(|(known, _)| known.as_str()),
        ));
    }
    found.and_then(|(_, upstream)| upstream.clone())
}
