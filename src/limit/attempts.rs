//! How often somebody may be wrong about a secret: by client and source, by source, and by client.
//!
//! Each is a bucket in a table of fixed size, so names that strangers make up take no memory. Two that share a place share
//! a bucket; which do is by chance, and another one in each process. An attempt is paid for before the secret is looked at
//! and costs nothing if it was right, so that as many guesses as are under way at once count, too. A name that nobody has
//! is counted like any other: who exists cannot be told from when it is said to wait.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::gcra::Gcra;
use crate::time::UnixTime;

/// Buckets of each table: 8 bytes each.
const PLACES: usize = 4096;

/// So many wrong secrets in a row, and one more for each of these.
struct Patience {
    failures: u32,
    forgiven_after: Duration,
}

/// A client from one source: a person who tries to remember, a deployment with an old secret.
const OF_PAIR: Patience = Patience {
    failures: 5,
    forgiven_after: Duration::from_secs(30),
};
/// A source, whoever it says that it is.
const OF_SOURCE: Patience = Patience {
    failures: 20,
    forgiven_after: Duration::from_secs(5),
};
/// A client, from wherever: many sources that guess together. It takes many, because whoever fills it locks the client out.
const OF_CLIENT: Patience = Patience {
    failures: 100,
    forgiven_after: Duration::from_secs(30),
};

/// Who was wrong lately: one for the life of the process.
#[derive(Debug)]
pub struct Attempts {
    pairs: Box<[Gcra]>,
    sources: Box<[Gcra]>,
    clients: Box<[Gcra]>,
    chance: RandomState,
}

/// A secret that is being looked at. It has failed, unless it is said to have been right.
#[derive(Debug)]
#[must_use = "an attempt that is dropped has failed"]
pub struct Attempt<'a> {
    paid: Vec<(&'a Gcra, Duration)>,
}

// === impl Attempts ===

impl Default for Attempts {
    fn default() -> Self {
        Self::new(RandomState::new())
    }
}

impl Attempts {
    /// Nobody was wrong. `chance` decides who shares a place.
    pub fn new(chance: RandomState) -> Self {
        let table = || (0..PLACES).map(|_| Gcra::default()).collect();
        Self {
            pairs: table(),
            sources: table(),
            clients: table(),
            chance,
        }
    }

    /// Pays for one attempt of whoever says that it is `client`. `None` for the client: it is not known whom it is about
    /// before it succeeds.
    ///
    /// # Errors
    /// How long to wait; nothing is paid then.
    pub fn begin(
        &self,
        client: Option<&str>,
        source: Option<IpAddr>,
        now: UnixTime,
    ) -> Result<Attempt<'_>, Duration> {
        let source = source.map(network);
        let source_bucket = self.place(&self.sources, source);
        let own = client.into_iter().flat_map(|client| {
            [
                (self.place(&self.pairs, (client, source)), OF_PAIR),
                (self.place(&self.clients, client), OF_CLIENT),
            ]
        });
        let mut attempt = Attempt { paid: Vec::new() };
        for (bucket, patience) in own.chain([(source_bucket, OF_SOURCE)]) {
            // The tables are never empty.
            let Some(bucket) = bucket else { continue };
            let cost = patience.forgiven_after;
            if let Err(wait) = bucket.take(now, cost, cost * patience.failures, Duration::ZERO) {
                attempt.succeeded();
                return Err(wait);
            }
            attempt.paid.push((bucket, cost));
        }
        Ok(attempt)
    }

    fn place<'t>(&self, table: &'t [Gcra], whose: impl std::hash::Hash) -> Option<&'t Gcra> {
        let places = u64::try_from(table.len()).ok()?;
        let place = self.chance.hash_one(whose).checked_rem(places)?;
        table.get(usize::try_from(place).ok()?)
    }
}

/// What one machine has: an address of IPv4, 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

// === impl Attempt ===

impl Attempt<'_> {
    /// The secret was right: the attempt costs nothing.
    pub fn succeeded(mut self) {
        for (bucket, cost) in self.paid.drain(..) {
            bucket.give_back(cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    fn fails(attempts: &Attempts, client: &str, source: Option<IpAddr>, second: i64) -> bool {
        let now = UnixTime::from_seconds(1_000_000 + second);
        attempts.begin(Some(client), source, now).is_ok()
    }

    #[test]
    fn five_wrong_secrets_and_then_one_every_thirty_seconds() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            assert!(fails(&attempts, "a", HERE, 0));
        }
        for (client, source, second, allowed) in [
            ("a", HERE, 0, false),
            ("a", HERE, 29, false),
            ("a", HERE, 30, true),
            ("a", HERE, 30, false),
            // Somebody else, and the same one elsewhere, notice nothing.
            ("b", HERE, 30, true),
            ("a", THERE, 30, true),
        ] {
            assert_eq!(
                fails(&attempts, client, source, second),
                allowed,
                "{client} {second}"
            );
        }
    }

    #[test]
    fn a_source_that_tries_many_names_waits_and_so_does_a_name_that_many_try() {
        let attempts = Attempts::default();
        let tried = (0..40).filter(|name| fails(&attempts, &format!("name-{name}"), HERE, 0));
        assert_eq!(tried.count(), 20);
        assert!(fails(&attempts, "name-0", THERE, 0));
        let attempts = Attempts::default();
        let sources = (0..200).map(|last| Some(IpAddr::from([198, 51, 100, last])));
        let tried = sources.filter(|source| fails(&attempts, "a", *source, 0)).count();
        assert!((90..=100).contains(&tried), "{tried}");
    }

    #[test]
    fn right_secrets_cost_nothing_and_addresses_of_one_machine_count_together() {
        let attempts = Attempts::default();
        let now = UnixTime::from_seconds(1_000_000);
        for _ in 0..1000 {
            attempts.begin(Some("a"), HERE, now).unwrap().succeeded();
        }
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for last in 0..5 {
            assert!(fails(&attempts, "a", address(&format!("2001:db8::{last}")), 0));
        }
        assert!(!fails(&attempts, "a", address("2001:db8::ffff"), 0));
        assert!(fails(&attempts, "a", address("2001:db8:0:1::1"), 0));
    }
}
