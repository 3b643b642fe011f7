//! An upstream: a named group of peers, and whose turn it is.
//!
//! The turns are laid out when the snapshot is compiled: smooth weighted round robin, so a peer of weight 3
//! beside one of weight 1 gets three turns of four, spread out. A request takes the next turn with one atomic addition;
//! there is no lock and nothing to compute. A peer is kept as the prototype that Pingora wants, all time limits set
//! (Pingora sets none by itself), and belongs to a pool of its own upstream.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy, Peer as _};

use crate::id::UpstreamName;

/// More peers are refused: the turns of an upstream are laid out in memory.
pub const PEERS_MAX: usize = 256;
/// More turns in one round (the sum of the weights, their common divisor taken out) are refused.
pub const TURNS_MAX: usize = 10_000;

/// A named group of peers.
#[derive(Debug)]
pub struct Upstream {
    /// Its name.
    pub name: UpstreamName,
    /// Its place among the upstreams of the snapshot, for what is kept beside a snapshot (meters).
    pub index: usize,
    /// How many further peers may be tried when a connection cannot be made.
    pub retries: usize,
    peers: Vec<Peer>,
    /// Indexes into `peers`: one round.
    turns: Vec<u16>,
    next: AtomicUsize,
}

/// One peer.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections to peers of the same key are worth the same: made to the same address, for the same upstream.
    pub connection_key: u64,
    prototype: HttpPeer,
}

/// Time limits towards the peers of an upstream.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To make a connection.
    pub connect_timeout: Duration,
    /// The longest pause between two reads.
    pub read_timeout: Duration,
    /// The longest a write may block.
    pub write_timeout: Duration,
    /// How long a pooled connection is kept.
    pub idle_timeout: Duration,
}

/// The peers that one request could not reach, as a set of their places.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried([u64; PEERS_MAX / 64]);

/// Why there can be no such upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// None, or more than [`PEERS_MAX`].
    #[error("an upstream has 1 to 256 peers")]
    Peers,
    /// More than [`TURNS_MAX`].
    #[error("the weights add up to more than 10000 turns a round; use smaller ones")]
    Turns,
}

// === impl Upstream ===

impl Upstream {
    /// Lays out the turns of `peers` (address and weight).
    ///
    /// # Errors
    /// See [`UpstreamError`].
    pub fn new(
        name: UpstreamName,
        index: usize,
        peers: &[(SocketAddr, u32)],
        limits: Limits,
        retries: usize,
    ) -> Result<Self, UpstreamError> {
        if peers.is_empty() || peers.len() > PEERS_MAX {
            return Err(UpstreamError::Peers);
        }
        let weights: Vec<u32> = peers.iter().map(|(_, weight)| *weight).collect();
        let turns = turns(&weights).ok_or(UpstreamError::Turns)?;
        let peers = peers
            .iter()
            .map(|(address, _)| Peer::new(&name, *address, limits))
            .collect();
        Ok(Self {
            name,
            index,
            retries,
            peers,
            turns,
            next: AtomicUsize::new(0),
        })
    }

    /// The peer whose turn it is, and its place, passing over those that cannot be reached; nothing when none can.
    pub fn choose(&self, unreachable: &Tried) -> Option<(usize, &Peer)> {
        // Where there is no choice, no turn is counted: every core would want to count it.
        let start = match self.turns.len() {
            1 => 0,
            _ => self.next.fetch_add(1, Ordering::Relaxed),
        };
        for step in 0..self.turns.len() {
            let turn = self.turns.get(start.wrapping_add(step) % self.turns.len())?;
            let place = usize::from(*turn);
            if !unreachable.contains(place) {
                return Some((place, self.peers.get(place)?));
            }
        }
        None
    }

    /// How many peers there are.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }
}

// === impl Peer ===

impl Peer {
    fn new(upstream: &UpstreamName, address: SocketAddr, limits: Limits) -> Self {
        let prototype = prototype(upstream, address, limits);
        Self {
            address,
            connection_key: prototype.reuse_hash(),
            prototype,
        }
    }

    /// The peer as Pingora's connector wants it.
    pub const fn as_http_peer(&self) -> &HttpPeer {
        &self.prototype
    }

    /// A peer as Pingora wants one for each request.
    pub fn to_http_peer(&self) -> Box<HttpPeer> {
        Box::new(self.prototype.clone())
    }
}

// === impl Tried ===

impl Tried {
    fn contains(self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_none_or(|word| word & (1 << (place % 64)) != 0)
    }

    /// Adds one.
    pub fn insert(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }
}

fn prototype(upstream: &UpstreamName, address: SocketAddr, limits: Limits) -> HttpPeer {
    let mut peer = HttpPeer::new(address, false, String::new());
    // Pingora's pool tells peers apart by address and this number, not by time limits: two upstreams that share an
    // address must not share connections.
    let mut hasher = DefaultHasher::new();
    upstream.as_str().hash(&mut hasher);
    peer.group_key = hasher.finish();
    let options = &mut peer.options;
    options.connection_timeout = Some(limits.connect_timeout);
    options.total_connection_timeout = Some(limits.connect_timeout);
    options.read_timeout = Some(limits.read_timeout);
    options.write_timeout = Some(limits.write_timeout);
    options.idle_timeout = Some(limits.idle_timeout);
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
    peer
}

/// One round of smooth weighted round robin: at each turn every peer gains its weight, the richest is chosen and pays
/// the sum of all.
fn turns(weights: &[u32]) -> Option<Vec<u16>> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let sum: i64 = weights.iter().sum();
    if sum <= 0 || sum > TURNS_MAX as i64 {
        return None;
    }
    let mut credit = vec![0_i64; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..sum {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        // The first of the richest.
        let (place, richest) = credit
            .iter_mut()
            .enumerate()
            .reduce(|a, b| if *b.1 > *a.1 { b } else { a })?;
        *richest -= sum;
        turns.push(u16::try_from(place).ok()?);
    }
    Some(turns)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(weights: &[u32]) -> Upstream {
        let limit = Duration::from_secs(1);
        let limits = Limits {
            connect_timeout: limit,
            read_timeout: limit,
            write_timeout: limit,
            idle_timeout: limit,
        };
        let peers: Vec<_> = (9000..)
            .zip(weights)
            .map(|(port, weight)| (SocketAddr::from(([127, 0, 0, 1], port)), *weight))
            .collect();
        Upstream::new(UpstreamName::new("u"), 0, &peers, limits, 1).unwrap()
    }

    #[test]
    fn turns_are_spread_by_weight() {
        for (weights, expected) in [
            (&[1][..], Some(&[0][..])),
            (&[1, 1], Some(&[0, 1])),
            (&[5, 1, 1], Some(&[0, 0, 1, 0, 2, 0, 0])),
            (&[300, 100], Some(&[0, 0, 1, 0])),
            (&[0], None),
            (&[10_001, 1], None),
        ] {
            assert_eq!(turns(weights).as_deref(), expected, "{weights:?}");
        }
    }

    #[test]
    fn a_peer_that_cannot_be_reached_is_passed_over() {
        let upstream = upstream(&[1, 3, 2]);
        for _ in 0..20 {
            let mut tried = Tried::default();
            let mut ports = Vec::new();
            while let Some((place, peer)) = upstream.choose(&tried) {
                tried.insert(place);
                ports.push(peer.address.port());
            }
            ports.sort_unstable();
            assert_eq!(ports, [9000, 9001, 9002]);
        }
    }

    #[test]
    fn every_limit_is_set_and_upstreams_do_not_share_connections() {
        let upstream = upstream(&[1]);
        let (_, peer) = upstream.choose(&Tried::default()).unwrap();
        let peer = peer.to_http_peer();
        let options = &peer.options;
        assert!(options.connection_timeout.is_some() && options.total_connection_timeout.is_some());
        assert!(options.read_timeout.is_some() && options.write_timeout.is_some());
        assert!(options.idle_timeout.is_some());
        assert_ne!(peer.group_key, 0);
    }
}
