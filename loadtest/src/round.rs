//! One round: everything that is read before a load and after it.
//! CPU time, memory and the work of others come from the kernel, so that no side has to be believed about itself.

use std::time::Instant;

use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::gateway::{self, Counters};
use crate::load::{Latency, Load, Sent};
use crate::machine::{CoreTicks, Ticks, resident_bytes};
use crate::oha;
use crate::options::Options;
use crate::paced::{self, Pace};
use crate::process::Process;
use crate::scenario::Scenario;
use crate::sides::Running;
use crate::statistics::percentile;
use crate::{gateway::PATH, http, wrk};

/// Above this share of a core, somebody else's work is in the figures.
pub(crate) const OTHERS_PERCENT_MAX: f64 = 5.0;
/// Below this share, a saturated proxy waited for the load: requests/s then says nothing about the proxy.
pub(crate) const BUSY_PERCENT_MIN: f64 = 90.0;
/// Where nothing may be remembered, and where everything is to be.
const COLD_HITS_MAX: f64 = 0.01;
const POOL_HITS_MIN: f64 = 0.95;

/// What was measured of one side in one round.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) round: u32,
    pub(crate) side: String,
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    /// User plus system time of the whole process for each request, in microseconds.
    pub(crate) cpu_us: f64,
    pub(crate) cpu_user_us: f64,
    pub(crate) cpu_system_us: f64,
    #[serde(flatten)]
    pub(crate) latency: Latency,
    pub(crate) rss_bytes: u64,
    pub(crate) busy_percent: f64,
    pub(crate) others_percent: f64,
    pub(crate) stolen_percent: f64,
    /// Answers with another status than expected.
    pub(crate) wrong_answers: u64,
    pub(crate) socket_errors: u64,
    /// Requests of good callers that were due and found no answer before the sender gave up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unanswered: Option<u64>,
    /// Of the tokens that a gateway was shown, the share that it remembered (0 to 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_hit_share: Option<f64>,
    /// Configurations that a gateway applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reloads: Option<u64>,
    /// CPU time of a bare signature check, measured right after this round on the proxy's core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bare_check_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flood: Option<Flood>,
}

/// What was sent beside the requests that are measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Flood {
    pub(crate) wanted_per_second: f64,
    pub(crate) reached_per_second: f64,
    pub(crate) statuses: std::collections::BTreeMap<u16, u64>,
    pub(crate) socket_errors: u64,
}

/// All that is read before and after.
#[derive(Debug)]
pub(crate) struct Clocks {
    at: Instant,
    proxy: Ticks,
    /// The upstream, wrk or oha, and this process.
    client: u64,
    proxy_cores: CoreTicks,
    client_cores: CoreTicks,
    counters: Counters,
}

/// What lies between two readings.
#[derive(Debug)]
pub(crate) struct Taken {
    user: f64,
    system: f64,
    busy_percent: f64,
    others_percent: f64,
    stolen_percent: f64,
    counters: Counters,
}

// === impl Clocks ===

impl Clocks {
    pub(crate) fn read(running: &Running, origin: &Process, options: &Options) -> Result<Self> {
        let counters = match &running.metrics {
            Some(metrics) => gateway::counters(metrics)?,
            None => Counters::default(),
        };
        Ok(Self {
            at: Instant::now(),
            proxy: Ticks::of_process(running.process.id())?,
            client: Ticks::of_process(origin.id())?.sum() + Ticks::of_us()?,
            proxy_cores: CoreTicks::of(&options.proxy_cores)?,
            client_cores: CoreTicks::of(&options.client_cores)?,
            counters,
        })
    }

    pub(crate) fn since(&self, before: &Self, options: &Options) -> Taken {
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        let seconds = (self.at - before.at).as_secs_f64();
        let capacity = |cores: &[usize]| seconds * ticks_per_second * cores.len() as f64;
        let (proxy_capacity, client_capacity) =
            (capacity(&options.proxy_cores), capacity(&options.client_cores));
        let less = |after: u64, before: u64| after.saturating_sub(before) as f64;
        let user = less(self.proxy.user, before.proxy.user);
        let system = less(self.proxy.system, before.proxy.system);
        let (mut proxy, mut client) = (user + system, less(self.client, before.client));
        // Shared cores: no telling who took what.
        if options
            .proxy_cores
            .iter()
            .any(|core| options.client_cores.contains(core))
        {
            (proxy, client) = (proxy + client, proxy + client);
        }
        let others = |after: CoreTicks, before: CoreTicks, own: f64, capacity: f64| {
            100.0 * (less(after.busy, before.busy) - own).max(0.0) / capacity
        };
        let stolen = |after: CoreTicks, before: CoreTicks, capacity: f64| {
            100.0 * less(after.stolen, before.stolen) / capacity
        };
        Taken {
            user: user / ticks_per_second,
            system: system / ticks_per_second,
            busy_percent: 100.0 * (user + system) / proxy_capacity,
            others_percent: others(self.proxy_cores, before.proxy_cores, proxy, proxy_capacity).max(others(
                self.client_cores,
                before.client_cores,
                client,
                client_capacity,
            )),
            stolen_percent: stolen(self.proxy_cores, before.proxy_cores, proxy_capacity).max(stolen(
                self.client_cores,
                before.client_cores,
                client_capacity,
            )),
            counters: self.counters - before.counters,
        }
    }
}

// === impl Taken ===

impl Taken {
    /// What is common to all rows; requests are those that the CPU time was spent on.
    pub(crate) fn row(&self, running: &Running, requests: u64, sent: &Sent) -> Row {
        let each = |seconds: f64| seconds * 1e6 / requests.max(1) as f64;
        let (hits, misses) = (
            self.counters.cache_hits,
            self.counters.cache_misses + self.counters.cache_stale,
        );
        let shown = hits + misses;
        Row {
            side: running.side.name().to_owned(),
            requests: sent.requests,
            requests_per_second: sent.requests as f64 / sent.seconds,
            cpu_us: each(self.user + self.system),
            cpu_user_us: each(self.user),
            cpu_system_us: each(self.system),
            latency: sent.latency,
            rss_bytes: resident_bytes(running.process.id()),
            busy_percent: self.busy_percent,
            others_percent: self.others_percent,
            stolen_percent: self.stolen_percent,
            socket_errors: sent.socket_errors,
            cache_hit_share: (shown > 0.0).then(|| hits / shown),
            reloads: (self.counters.reloads > 0.0).then_some(self.counters.reloads as u64),
            ..Row::default()
        }
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn is_disturbed(&self) -> bool {
        self.others_percent + self.stolen_percent > OTHERS_PERCENT_MAX
    }

    /// Why its figures do not say what they are meant to say.
    pub(crate) fn faults(&self, scenario: Scenario) -> Vec<String> {
        let place = format!("round {}, {}", self.round, self.side);
        let mut faults = Vec::new();
        // What becomes of good callers in a flood is the result, whatever it is.
        let lost = self.socket_errors + self.unanswered.unwrap_or_default();
        if self.flood.is_none() && (self.wrong_answers > 0 || lost > 0) {
            faults.push(format!(
                "{place}: {} answers with another status than expected, {lost} requests without an answer",
                self.wrong_answers
            ));
        }
        match self.cache_hit_share {
            Some(share) if scenario.is_cold() && share >= COLD_HITS_MAX => faults.push(format!(
                "{place}: {:.1} % of the tokens were remembered, where each was to be new",
                share * 100.0
            )),
            Some(share) if scenario.remembers_all() && share < POOL_HITS_MIN => faults.push(format!(
                "{place}: only {:.1} % of the tokens were remembered, where all were to be",
                share * 100.0
            )),
            _ => {}
        }
        faults
    }
}

/// One load on one side, and everything measured meanwhile.
pub(crate) fn measure(
    running: &mut Running,
    origin: &mut Process,
    scenario: Scenario,
    load: &Load<'_>,
    options: &Options,
) -> Result<Row> {
    let before = Clocks::read(running, origin, options)?;
    let sent = match load.rate {
        None => wrk::run(load)?,
        Some(rate) if load.credentials.count() == 1 => oha::run(load, rate)?,
        Some(rate) => at_pace(load, rate)?,
    };
    let after = Clocks::read(running, origin, options)?;
    running.process.must_run()?;
    origin.must_run()?;
    if sent.requests == 0 {
        return Err(Failure::new(format!(
            "{} completed no request",
            running.side.name()
        )));
    }
    let mut row = after.since(&before, options).row(running, sent.requests, &sent);
    let refusals_expected = running.side.status_expected(scenario) >= 400;
    row.wrong_answers = if refusals_expected {
        sent.requests - sent.refused.min(sent.requests)
    } else {
        sent.refused
    };
    // A sender counts what is refused, not why; so some are asked by hand as well.
    if refusals_expected {
        running.check_some(scenario, load.credentials, 3)?;
    }
    Ok(row)
}

/// Many tokens at a fixed rate, by our own sender.
fn at_pace(load: &Load<'_>, rate: u32) -> Result<Sent> {
    let requests = (0..load.credentials.count())
        .map(|number| (0, http::request(PATH, &load.credentials.fields(number))));
    let pace = Pace {
        address: load.address,
        sources: Vec::new(),
        connections: load.connections,
        per_second: f64::from(rate),
        duration: std::time::Duration::from_secs(load.seconds),
        requests: requests.collect(),
        start: load.start,
        classes: 1,
        patient: true,
    };
    let mut paced = paced::run(&pace)?;
    let refused = paced.statuses.iter().filter(|(status, _)| **status >= 400);
    let mut all: Vec<f64> = paced.latencies_us.drain(..).flatten().collect();
    Ok(Sent {
        requests: paced.answered(),
        seconds: paced.seconds,
        refused: refused.map(|(_, count)| count).sum(),
        socket_errors: paced.socket_errors + paced.unanswered,
        latency: latency(&mut all),
    })
}

pub(crate) fn latency(values_us: &mut [f64]) -> Latency {
    Latency {
        p50_us: percentile(values_us, 0.5),
        p90_us: percentile(values_us, 0.9),
        p99_us: percentile(values_us, 0.99),
        p999_us: percentile(values_us, 0.999),
    }
}
