//! What a scenario leaves behind: a document with everything, and a picture.
//!
//! Both go to `loadtest/results`, which git ignores; what is published goes to `docs/performance`, under the name of its
//! scenario, and takes the place of what was there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::chart;
use crate::failure::{Result, While as _};
use crate::machine::Machine;
use crate::options::Options;
use crate::places;
use crate::round::Row;
use crate::scenario::Scenario;
use crate::summary::Summary;
use crate::terminal::say;

#[derive(Debug, Serialize)]
pub(crate) struct Document<'d> {
    pub(crate) scenario: String,
    pub(crate) machine: &'d Machine,
    /// Of the peers that took part, by side.
    pub(crate) versions: BTreeMap<&'static str, String>,
    pub(crate) setting: Setting,
    pub(crate) summary: &'d Summary,
    /// Why the figures do not count; empty if they do.
    pub(crate) faults: &'d [String],
    /// Sides that were asked for and have no part in it, and why.
    pub(crate) left_out: &'d [String],
    pub(crate) rounds: &'d [Row],
}

#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    pub(crate) connections: u16,
    /// None: the proxy is kept saturated.
    pub(crate) per_second: Option<u32>,
    pub(crate) threads: u16,
    pub(crate) proxy_cores: Vec<usize>,
    pub(crate) client_cores: Vec<usize>,
    pub(crate) tokens: usize,
    pub(crate) cache_entries: usize,
}

// === impl Setting ===

impl Setting {
    pub(crate) fn of(options: &Options, scenario: Scenario) -> Self {
        Self {
            rounds: options.rounds,
            seconds: options.seconds,
            connections: options.connections,
            per_second: options.rate,
            threads: options.threads,
            proxy_cores: options.proxy_cores.clone(),
            client_cores: options.client_cores.clone(),
            tokens: scenario.tokens(),
            cache_entries: scenario.cache_entries(),
        }
    }
}

// === impl Document ===

impl Document<'_> {
    pub(crate) fn write(&self, options: &Options, results: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self).during("the document")?;
        let picture = self.picture();
        let mut directories = vec![results.to_owned()];
        if options.publish && self.faults.is_empty() {
            directories.push(published());
        }
        for directory in directories {
            fs::create_dir_all(&directory).during(directory.display())?;
            let name = options.rate.map_or_else(
                || self.scenario.clone(),
                |rate| format!("{}-{rate}-per-second", self.scenario),
            );
            let document = directory.join(format!("{name}.json"));
            fs::write(&document, format!("{json}\n")).during(document.display())?;
            fs::write(document.with_extension("svg"), &picture).during(document.display())?;
            let shown = document.strip_prefix(places::repository()).unwrap_or(&document);
            say(&format!(
                "document and picture: {}",
                shown.with_extension("{json,svg}").display()
            ));
        }
        Ok(())
    }

    fn picture(&self) -> String {
        let Machine {
            time,
            cpu,
            kernel,
            commit,
            ..
        } = self.machine;
        let Setting {
            rounds,
            seconds,
            connections,
            per_second,
            ..
        } = &self.setting;
        let latency = per_second.map_or_else(
            || format!("latency, {connections} connections that never pause (saturation)"),
            |rate| format!("latency at {rate} requests/s, from when a request was due"),
        );
        let latency = match self.scenario.as_str() {
            "flood" => "latency of good callers, from when a request was due".to_owned(),
            _ => latency,
        };
        let day = time.split('T').next().unwrap_or_default();
        let note = format!(
            "{cpu}, one core for the proxy, Linux {kernel}, {commit}, {day}; {rounds} rounds of {seconds} s in turns"
        );
        chart::svg(&self.scenario, &note, &latency, self.summary)
    }
}

/// Where published figures are.
fn published() -> PathBuf {
    places::repository().join("docs/performance")
}

#[cfg(test)]
mod tests {
    use super::{Document, Machine, Setting, Summary};
    use crate::options::Cli;
    use crate::summary::tests::{compared, row};
    use clap::Parser as _;

    #[test]
    fn a_document_holds_what_figures_depend_on() {
        let directory = tempfile::tempdir().unwrap();
        let options = Cli::parse_from(["loadtest", "--rate", "5000"]).options;
        let scenario = options.scenarios()[0];
        let rows = [row(1, "gateway", 30.0), row(1, "baseline", 20.0)];
        let summary = Summary::of(&rows, &compared(&[("gateway", "baseline")]), true);
        let document = Document {
            scenario: scenario.to_string(),
            machine: &Machine::here("release", "loadtest".to_owned()),
            versions: [("haproxy", "HAProxy 2.6".to_owned())].into(),
            setting: Setting::of(&options, scenario),
            summary: &summary,
            faults: &[],
            left_out: &[],
            rounds: &rows,
        };
        document.write(&options, directory.path()).unwrap();
        let path = directory.path().join("jwt-rs256-warm-5000-per-second.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let found: serde_json::Value = serde_json::from_str(&text).unwrap();
        for place in [
            "/machine/cpu",
            "/machine/kernel",
            "/machine/rustc",
            "/machine/commit",
            "/machine/command",
            "/versions/haproxy",
            "/setting/rounds",
            "/summary/against/0/all/ratios/cpu_us/median",
            "/rounds/1/p999_us",
        ] {
            assert!(found.pointer(place).is_some(), "{place} is missing in {text}");
        }
        let picture = std::fs::read_to_string(path.with_extension("svg")).unwrap();
        assert!(picture.contains("5000 requests/s"));
    }
}
