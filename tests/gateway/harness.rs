//! What the tests of the whole gateway stand on: the gateway's process, upstreams, callers and issuers.
//!
//! Everything listens on ports that the system chooses, so any number of tests run side by side. Nothing sleeps for a
//! fixed time: [`wait_until`] looks again and again until what is expected is there, and fails after [`DEADLINE`].
//!
//! ```text
//! let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
//! let upstream = Upstream::start();
//! let gateway = Gateway::start_with(&config, &[("acme.json", &acme.jwks())]);
//! let answer = get("/orders/1").bearer(&acme.token().expired().text()).send(gateway.address());
//! assert_eq!((answer.status, answer.code()), (401, "invalid_token".to_owned()));
//! ```

mod caller;
mod gateway;
mod issuer;
mod metrics;
mod upstream;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use caller::{Connection, Request, Response, get, post, request};
pub(crate) use gateway::Gateway;
pub(crate) use issuer::{Issuer, Token, now};
pub(crate) use metrics::Metrics;
pub(crate) use upstream::{Answer, Received, Upstream, closed_port, respond};

/// How long anything may take that is going to happen: generous, because it is only used up when a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Between two looks.
const STEP: Duration = Duration::from_millis(2);

/// Looks until `found` gives something; panics with `what` when it never does.
pub(crate) fn wait_until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for {what}"
        );
        thread::sleep(STEP);
    }
}
