//! Reloads of a gateway that serves: what changes, when, and for whom nothing may change.
//!
//! What a reload did is read off the operator's log, line after line: [`Log`] remembers how far a test has read, so
//! that each reload is answered by a line of its own.

mod effects;
mod files;
mod under_load;

use serde_json::Value;

use crate::harness::{Gateway, Response, wait_until};

/// The configuration's file.
const MAIN: &str = "tollgate.toml";

/// The operator's log, read from one place on.
struct Log<'g> {
    gateway: &'g Gateway,
    read: usize,
}

/// What a reload did.
#[derive(Debug)]
struct Reload {
    /// `configuration_applied` or `configuration_rejected`.
    event: String,
    /// The whole line.
    line: Value,
    /// Every other line before it.
    before: Vec<Value>,
}

// === impl Log ===

impl<'g> Log<'g> {
    /// From here on.
    fn of(gateway: &'g Gateway) -> Self {
        Self {
            gateway,
            read: gateway.log_lines().len(),
        }
    }

    /// The next reload.
    fn next_reload(&mut self) -> Reload {
        let mut before = Vec::new();
        wait_until("a reload to be reported", || {
            let lines = self.gateway.log_lines();
            while let Some(line) = lines.get(self.read) {
                self.read += 1;
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                let event = line["event"].as_str().unwrap_or_default().to_owned();
                if matches!(event.as_str(), "configuration_applied" | "configuration_rejected") {
                    let before = std::mem::take(&mut before);
                    return Some(Reload { event, line, before });
                }
                before.push(line);
            }
            None
        })
    }

    /// The next reload, which must be an acceptance; its generation.
    fn applied(&mut self) -> u64 {
        let reload = self.next_reload();
        assert_eq!(reload.event, "configuration_applied", "{reload:#?}");
        reload.line["generation"].as_u64().unwrap()
    }

    /// The next reload, which must be a refusal; its mistakes, one line each.
    fn rejected(&mut self) -> Vec<String> {
        let reload = self.next_reload();
        assert_eq!(reload.event, "configuration_rejected", "{reload:#?}");
        let mistakes = reload.mistakes();
        assert_eq!(
            reload.line["mistakes"].as_u64(),
            Some(mistakes.len() as u64),
            "{reload:#?}"
        );
        mistakes
    }
}

// === impl Reload ===

impl Reload {
    /// The messages of the mistakes that it found.
    fn mistakes(&self) -> Vec<String> {
        let mistakes = self
            .before
            .iter()
            .filter(|line| line["event"] == "configuration_mistake");
        mistakes
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The value of a field as the echoing upstream saw it.
fn seen_by_upstream(answer: &Response, field: &str) -> Option<String> {
    let json = answer.json();
    let mut fields = json["headers"].as_array()?.iter();
    let found = fields.find(|pair| {
        pair[0]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case(field))
    })?;
    found[1].as_str().map(ToOwned::to_owned)
}
