//! A fixed rate: oha sends when it is time, whether or not earlier answers have come.
//!
//! What a caller waits for is told from the moment at which its request was due (latency correction), so a proxy that
//! stalls is charged for all who came meanwhile. oha sends one request over and over; scenarios with many tokens are sent
//! by [`crate::paced`] instead.

use std::time::Duration;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::gateway::PATH;
use crate::load::{Latency, Load, Sent};
use crate::places;
use crate::process;

const EXTRA: Duration = Duration::from_secs(20);

pub(crate) fn run(load: &Load<'_>, rate: u32) -> Result<Sent> {
    let oha = places::oha().ok_or_else(|| Failure::new("oha is not installed: make load-tools"))?;
    let mut words = vec![oha.display().to_string()];
    words.extend(["--no-tui", "--output-format", "json", "--latency-correction"].map(str::to_owned));
    words.extend(["-q", &rate.to_string(), "-c", &load.connections.to_string()].map(str::to_owned));
    words.extend(["-z".to_owned(), format!("{}s", load.seconds)]);
    let fields = load.credentials.fields(load.start);
    if !fields.is_empty() {
        words.extend(["-H".to_owned(), fields.trim_end().to_owned()]);
    }
    words.push(format!("http://{}{PATH}", load.address));
    let time_max = Duration::from_secs(load.seconds) + EXTRA;
    let (status, text) = process::run(&words, load.cores, time_max, &load.file("json"))?;
    sent(&text)
        .filter(|_| status.success())
        .ok_or_else(|| Failure::new(format!("oha failed ({status}):\n{text}")))
}

fn sent(text: &str) -> Option<Sent> {
    // A warning may stand before the document.
    let document: Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    let percentile = |name: &str| {
        let seconds = document.get("latencyPercentiles")?.get(name)?.as_f64()?;
        Some(seconds * 1e6)
    };
    let counts = |name: &str, counted: fn(&str) -> bool| -> Option<u64> {
        let members = document.get(name)?.as_object()?;
        let counts = members.iter().filter(|(key, _)| counted(key));
        Some(counts.filter_map(|(_, count)| count.as_u64()).sum())
    };
    let answered = counts("statusCodeDistribution", |_| true)?;
    Some(Sent {
        requests: answered,
        seconds: document.get("summary")?.get("total")?.as_f64()?,
        refused: counts("statusCodeDistribution", |status| !status.starts_with(['2', '3']))?,
        // Requests that were under way when the time was over are no errors.
        socket_errors: counts("errorDistribution", |error| !error.contains("deadline"))?,
        latency: Latency {
            p50_us: percentile("p50")?,
            p90_us: percentile("p90")?,
            p99_us: percentile("p99")?,
            p999_us: percentile("p99.9")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Latency, Sent, sent};

    #[test]
    fn the_document_of_oha_is_read() {
        let text = r#"a warning
{
  "summary": { "successRate": 1.0, "total": 2.5, "slowest": 0.01, "requestsPerSec": 5000.0 },
  "latencyPercentiles": { "p10": 0.0001, "p50": 0.00025, "p90": 0.0005, "p99": 0.001, "p99.9": 0.002, "p99.99": 0.01 },
  "statusCodeDistribution": { "200": 12490, "401": 10 },
  "errorDistribution": { "aborted due to deadline": 3, "connection refused": 2 }
}"#;
        let expected = Sent {
            requests: 12_500,
            seconds: 2.5,
            refused: 10,
            socket_errors: 2,
            latency: Latency {
                p50_us: 250.0,
                p90_us: 500.0,
                p99_us: 1000.0,
                p999_us: 2000.0,
            },
        };
        assert_eq!(sent(text), Some(expected));
        // No answer at all: oha then has no percentiles.
        for bad in ["", "{", &text.replace("0.00025", "null")] {
            assert_eq!(sent(bad), None, "{bad}");
        }
    }
}
