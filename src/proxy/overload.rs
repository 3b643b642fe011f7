//! When bad tokens come in such numbers that the forgery budget is spent: whoever floods is made to wait, and the operator
//! is told. Told at once when it begins, and then once a minute, with how many were refused since. The decision says it of
//! every request; who floods must not fill the log, too.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::id::IssuerName;
use crate::limit::{Bucket, Overdrawn, prefix};
use crate::time::UnixTime;

/// Between two lines about one issuer, or about networks.
const WARN_AFTER_SECONDS: u64 = 60;

/// Answers that are held back at one time; further ones go at once, so that whoever has more connections than that to
/// flood with makes nothing grow but their number.
const HELD_MAX: usize = 16_384;

/// Into so many parts the time is cut by which held answers are spread. Requests of one burst are decided some tens of
/// microseconds apart: a prime beyond that spreads them.
const SPREAD: u32 = 997;

/// What the operator was told of, and the answers that are held back.
pub(super) struct Overloads {
    /// By issuer; they are those of the configuration.
    issuers: papaya::HashMap<IssuerName, Arc<Warned>>,
    sources: Warned,
    held: Semaphore,
}

#[derive(Default)]
struct Warned {
    /// 0: never.
    at_seconds: AtomicI64,
    /// Refusals since.
    unsaid: AtomicU64,
}

// === impl Overloads ===

impl Default for Overloads {
    fn default() -> Self {
        Self {
            issuers: papaya::HashMap::default(),
            sources: Warned::default(),
            held: Semaphore::const_new(HELD_MAX),
        }
    }
}

impl Overloads {
    /// Holds an answer back: who floods can ask again on this connection only when it has come. Refused at once, one
    /// connection could have thousands of requests read and answered in a second, and that costs as much as checking a few
    /// signatures.
    ///
    /// For half of `time` up to one and a half of it, by the moment: what came all at once would come all at once again, and
    /// a thousand requests that come at once are a tenth of a second for whoever comes behind them.
    pub(super) async fn hold(&self, time: Duration, now: UnixTime) {
        let micros = now.nanos() / 1_000;
        let spread = u32::try_from(micros % u64::from(SPREAD)).unwrap_or_default();
        let time = time / 2 + time.saturating_mul(spread) / SPREAD;
        if !time.is_zero()
            && let Ok(_place) = self.held.try_acquire()
        {
            tokio::time::sleep(time).await;
        }
    }

    /// A request was refused; the operator hears of it, or of the next.
    pub(super) fn note(
        &self,
        issuer: Option<&IssuerName>,
        overdrawn: Overdrawn,
        client: Option<IpAddr>,
        now: UnixTime,
    ) {
        match (overdrawn.bucket, issuer) {
            (Bucket::Issuer, Some(issuer)) => {
                let warned = Arc::clone(
                    self.issuers
                        .pin()
                        .get_or_insert_with(issuer.clone(), Arc::default),
                );
                if let Some(refused) = warned.due(now) {
                    tracing::warn!(
                        event = "forgery_budget_spent",
                        bucket = Bucket::Issuer.name(),
                        %issuer,
                        refused,
                        "bad tokens of this issuer have spent its budget; new tokens are answered with 503"
                    );
                }
            }
            (Bucket::Issuer | Bucket::Source, _) => {
                if let Some(refused) = self.sources.due(now) {
                    let network =
                        client.map_or_else(|| "unknown".to_owned(), |client| prefix(client).to_string());
                    tracing::warn!(
                        event = "forgery_budget_spent",
                        bucket = Bucket::Source.name(),
                        network,
                        refused,
                        "bad tokens from this network have spent its budget; new tokens from there are answered with 503"
                    );
                }
            }
        }
    }
}

// === impl Warned ===

impl Warned {
    /// How many refusals there were since the last line, if it is time for another.
    fn due(&self, now: UnixTime) -> Option<u64> {
        let now = now.seconds();
        let at = self.at_seconds.load(Ordering::Relaxed);
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        if now.abs_diff(at) < WARN_AFTER_SECONDS {
            return None;
        }
        self.at_seconds
            .compare_exchange(at, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
            .then(|| self.unsaid.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_at_once_and_then_once_a_minute_with_the_number() {
        let warned = Warned::default();
        let rows = [
            (1_000_000, Some(1)),
            (1_000_000, None),
            (1_000_059, None),
            (1_000_060, Some(3)),
            (1_000_061, None),
            // A clock that was set back by years tells once more, and not at every request.
            (1_000, Some(2)),
            (1_001, None),
        ];
        for (seconds, expected) in rows {
            assert_eq!(warned.due(UnixTime::from_seconds(seconds)), expected, "{seconds}");
        }
    }
}
