//! Saturation: wrk sends the next request when the answer has come.
//!
//! It shares its core with the upstream, so its script does as little as possible: requests are formatted once, before the
//! time begins, and where all are alike there is no script in the way at all.

use std::time::Duration;

use serde_json::Value;

use crate::failure::{Failure, Result, While as _};
use crate::gateway::PATH;
use crate::load::{Latency, Load, Sent};
use crate::process;

/// wrk waits for its connections when its time is over.
const EXTRA: Duration = Duration::from_secs(20);
const SUMMARY: &str = "SUMMARY ";

/// At the end, what is needed as one line of JSON.
const DONE: &str = r#"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'SUMMARY {"requests":%d,"duration_us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,'
    .. '"p50_us":%d,"p90_us":%d,"p99_us":%d,"p999_us":%d}\n',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.status, e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9)))
end
"#;

pub(crate) fn run(load: &Load<'_>) -> Result<Sent> {
    let script = load.write("lua", &script(load)?)?;
    let words = [
        "wrk",
        "--threads",
        "1",
        "--connections",
        &load.connections.to_string(),
        "--duration",
        &format!("{}s", load.seconds),
        "--latency",
        "--script",
        &script.display().to_string(),
        &format!("http://{}{PATH}", load.address),
    ]
    .map(str::to_owned);
    let time_max = Duration::from_secs(load.seconds) + EXTRA;
    let (status, text) = process::run(&words, load.cores, time_max, &load.file("txt"))?;
    sent(&text)
        .filter(|_| status.success())
        .ok_or_else(|| Failure::new(format!("wrk failed ({status}):\n{text}")))
}

fn script(load: &Load<'_>) -> Result<String> {
    let count = load.credentials.count();
    if count == 1 {
        let fields = load.credentials.fields(0);
        let field = fields.trim_end().split_once(": ");
        let header = field.map_or_else(String::new, |(name, value)| {
            format!("wrk.headers[\"{name}\"] = \"{value}\"\n")
        });
        return Ok(format!("{header}{DONE}"));
    }
    let file = load.credentials_file().during("the script of wrk")?;
    let start = load.start.checked_rem(count).unwrap_or_default();
    Ok(format!(
        r#"local requests, count, place = {{}}, 0, {start}
function init(args)
  for line in io.lines("{}") do
    local name, value = line:match("^([^:]+): (.*)$")
    count = count + 1
    requests[count] = wrk.format("GET", "{PATH}", {{ [name] = value }})
  end
end
function request()
  place = place + 1
  if place > count then place = 1 end
  return requests[place]
end
{DONE}"#,
        file.display()
    ))
}

fn sent(text: &str) -> Option<Sent> {
    let line = text.lines().find_map(|line| line.strip_prefix(SUMMARY))?;
    let summary: Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| summary.get(name).and_then(Value::as_u64);
    let time = |name: &str| number(name).map(|us| us as f64);
    Some(Sent {
        requests: number("requests")?,
        seconds: time("duration_us")? / 1e6,
        refused: number("status")?,
        socket_errors: number("connect")? + number("read")? + number("write")? + number("timeout")?,
        latency: Latency {
            p50_us: time("p50_us")?,
            p90_us: time("p90_us")?,
            p99_us: time("p99_us")?,
            p999_us: time("p999_us")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Latency, Sent, sent};

    #[test]
    fn the_summary_is_found_in_what_wrk_prints() {
        let text = r#"Running 1s test @ http://127.0.0.1:1/load/item
  1 threads and 64 connections
  Non-2xx or 3xx responses: 7
SUMMARY {"requests":20480,"duration_us":1000250,"connect":1,"read":2,"write":3,"status":7,"timeout":4,"p50_us":2980,"p90_us":3300,"p99_us":4100,"p999_us":9000}
"#;
        let expected = Sent {
            requests: 20_480,
            seconds: 1.000_25,
            refused: 7,
            socket_errors: 10,
            latency: Latency {
                p50_us: 2980.0,
                p90_us: 3300.0,
                p99_us: 4100.0,
                p999_us: 9000.0,
            },
        };
        assert_eq!(sent(text), Some(expected));
        for bad in [
            "",
            "SUMMARY {",
            "SUMMARY {\"requests\":1}",
            &text.replace("SUMMARY", "summary"),
        ] {
            assert_eq!(sent(bad), None, "{bad}");
        }
    }
}
