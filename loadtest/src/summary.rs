//! What the rounds of a scenario say together: each side's medians, and ratios pair by pair.
//!
//! Neighbouring rounds see about the same machine, so what counts is the ratio of the two of a pair, and of those ratios
//! the median. Medians of one side alone are for scale.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::round::{BUSY_PERCENT_MIN, OTHERS_PERCENT_MAX, Row};
use crate::statistics::Spread;

/// A figure of a row.
pub(crate) type Figure = (&'static str, fn(&Row) -> f64);

pub(crate) const FIGURES: [Figure; 12] = [
    ("requests_per_second", |row| row.requests_per_second),
    ("cpu_us", |row| row.cpu_us),
    ("cpu_user_us", |row| row.cpu_user_us),
    ("cpu_system_us", |row| row.cpu_system_us),
    ("p50_us", |row| row.latency.p50_us),
    ("p90_us", |row| row.latency.p90_us),
    ("p99_us", |row| row.latency.p99_us),
    ("p999_us", |row| row.latency.p999_us),
    ("rss_bytes", |row| row.rss_bytes as f64),
    ("busy_percent", |row| row.busy_percent),
    ("others_percent", |row| row.others_percent),
    ("stolen_percent", |row| row.stolen_percent),
];

/// Those whose ratio means something, and what they are called in the table.
pub(crate) const RATIOS: [(&str, &str); 7] = [
    ("requests_per_second", "requests/s"),
    ("cpu_us", "CPU per request"),
    ("cpu_user_us", "user CPU per request"),
    ("p50_us", "p50"),
    ("p90_us", "p90"),
    ("p99_us", "p99"),
    ("p999_us", "p99.9"),
];

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// In the order in which they took turns.
    pub(crate) sides: Vec<SideSummary>,
    pub(crate) against: Vec<Against>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verification: Option<Verification>,
    /// Why some figures are less certain than they look.
    pub(crate) doubts: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct SideSummary {
    pub(crate) side: String,
    pub(crate) figures: BTreeMap<&'static str, Spread>,
}

/// One side divided by another.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Against {
    pub(crate) side: String,
    pub(crate) other: String,
    pub(crate) all: Comparison,
    /// Without the pairs in which others worked on the cores; none if that leaves none, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) undisturbed: Option<Comparison>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) pairs: usize,
    pub(crate) ratios: BTreeMap<&'static str, Spread>,
    pub(crate) added_cpu_us: Option<Spread>,
}

/// What a new token costs beside the bare check of its signature.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verification {
    pub(crate) side: String,
    pub(crate) bare_check_us: Spread,
    /// CPU per request above the bare proxy's, divided by the time of the bare check.
    pub(crate) added_by_bare_check: Spread,
}

// === impl Summary ===

impl Summary {
    /// `compared` names the pairs of sides.
    pub(crate) fn of(rows: &[Row], compared: &[(String, String)], saturated: bool) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for row in rows {
            if !names.contains(&row.side.as_str()) {
                names.push(&row.side);
            }
        }
        let sides = names.iter().map(|name| SideSummary {
            side: (*name).to_owned(),
            figures: FIGURES
                .iter()
                .filter_map(|(figure, value)| {
                    let values = rows.iter().filter(|row| row.side == *name).map(value);
                    Some((*figure, Spread::of(values)?))
                })
                .collect(),
        });
        Self {
            sides: sides.collect(),
            against: compared
                .iter()
                .map(|(side, other)| Against::of(rows, side, other))
                .collect(),
            verification: compared
                .iter()
                .find(|(_, other)| other == "baseline")
                .and_then(|(side, other)| Verification::of(rows, side, other)),
            doubts: doubts(rows, saturated),
        }
    }
}

// === impl Against ===

impl Against {
    fn of(rows: &[Row], side: &str, other: &str) -> Self {
        let all = pairs(rows, side, other);
        let calm: Vec<_> = all
            .iter()
            .copied()
            .filter(|(one, other)| !one.is_disturbed() && !other.is_disturbed())
            .collect();
        let some = !calm.is_empty() && calm.len() < all.len();
        Self {
            side: side.to_owned(),
            other: other.to_owned(),
            all: Comparison::of(&all),
            undisturbed: some.then(|| Comparison::of(&calm)),
        }
    }
}

// === impl Comparison ===

impl Comparison {
    fn of(pairs: &[(&Row, &Row)]) -> Self {
        let ratios = FIGURES
            .iter()
            .filter(|(figure, _)| RATIOS.iter().any(|(ratio, _)| ratio == figure));
        Self {
            pairs: pairs.len(),
            ratios: ratios
                .filter_map(|(figure, value)| {
                    // By zero: infinite, or not a number, which a spread leaves out.
                    let each = pairs.iter().map(|(one, other)| value(one) / value(other));
                    Some((*figure, Spread::of(each)?))
                })
                .collect(),
            added_cpu_us: Spread::of(pairs.iter().map(|(one, other)| one.cpu_us - other.cpu_us)),
        }
    }
}

// === impl Verification ===

impl Verification {
    fn of(rows: &[Row], side: &str, other: &str) -> Option<Self> {
        let pairs = pairs(rows, side, other);
        let measured = pairs.iter().filter_map(|(one, _)| one.bare_check_us);
        let ratio = |(one, other): &(&Row, &Row)| Some((one.cpu_us - other.cpu_us) / one.bare_check_us?);
        Some(Self {
            side: side.to_owned(),
            bare_check_us: Spread::of(measured)?,
            added_by_bare_check: Spread::of(pairs.iter().filter_map(ratio))?,
        })
    }
}

/// The rows of two sides in the same rounds.
fn pairs<'r>(rows: &'r [Row], side: &str, other: &str) -> Vec<(&'r Row, &'r Row)> {
    let of = |name: &str, round: u32| {
        rows.iter()
            .find(move |row| row.side == name && row.round == round)
    };
    let own = rows.iter().filter(|row| row.side == side);
    own.filter_map(|row| Some((row, of(other, row.round)?))).collect()
}

fn doubts(rows: &[Row], saturated: bool) -> Vec<String> {
    let mut doubts = Vec::new();
    let all = rows.len();
    let disturbed = rows.iter().filter(|row| row.is_disturbed()).count();
    if disturbed > 0 {
        doubts.push(format!(
            "in {disturbed} of {all} rounds, others took more than {OTHERS_PERCENT_MAX} % of a core"
        ));
    }
    let idle = |row: &&Row| row.busy_percent < BUSY_PERCENT_MIN && !row.is_disturbed();
    let idle = rows.iter().filter(idle).count();
    if saturated && idle > 0 {
        doubts.push(format!(
            "in {idle} of {all} rounds, the proxy was less than {BUSY_PERCENT_MIN} % busy: the load was the limit, so \
             compare CPU per request, not requests/s"
        ));
    }
    doubts
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Summary;
    use crate::load::Latency;
    use crate::round::Row;

    pub(crate) fn row(round: u32, side: &str, cpu_us: f64) -> Row {
        Row {
            round,
            side: side.to_owned(),
            requests: 1_000,
            requests_per_second: 1e6 / cpu_us,
            cpu_us,
            cpu_user_us: cpu_us * 0.6,
            cpu_system_us: cpu_us * 0.4,
            latency: Latency {
                p50_us: cpu_us * 64.0,
                p90_us: cpu_us * 70.0,
                p99_us: cpu_us * 100.0,
                p999_us: cpu_us * 300.0,
            },
            busy_percent: 99.0,
            ..Row::default()
        }
    }

    pub(crate) fn compared(names: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = names
            .iter()
            .map(|(one, other)| ((*one).to_owned(), (*other).to_owned()));
        owned.collect()
    }

    /// The machine is twice as slow in every other round: medians of the sides move, ratios do not.
    #[test]
    fn ratios_are_of_neighbours() {
        let rows: Vec<Row> = (1..=8)
            .flat_map(|round| {
                let speed = f64::from(1 + round % 2);
                [
                    row(round, "gateway", 30.0 * speed),
                    row(round, "baseline", 20.0 * speed),
                ]
            })
            .collect();
        let summary = Summary::of(&rows, &compared(&[("gateway", "baseline")]), true);
        let against = &summary.against[0].all;
        assert_eq!(against.pairs, 8);
        let cpu = against.ratios["cpu_us"];
        assert!(
            (cpu.min - 1.5).abs() < 1e-9 && (cpu.max - 1.5).abs() < 1e-9,
            "{cpu:?}"
        );
        assert!(cpu.interval.is_some());
        assert!(summary.against[0].undisturbed.is_none() && summary.doubts.is_empty());
    }

    #[test]
    fn disturbed_pairs_are_left_out_and_a_side_without_a_partner_too() {
        let mut rows = vec![
            row(1, "gateway", 30.0),
            row(1, "baseline", 20.0),
            row(2, "gateway", 90.0),
            row(2, "baseline", 20.0),
            row(3, "gateway", 30.0),
        ];
        rows[2].others_percent = 40.0;
        rows[3].busy_percent = 50.0;
        let summary = Summary::of(&rows, &compared(&[("gateway", "baseline")]), true);
        let against = &summary.against[0];
        assert_eq!(against.all.pairs, 2);
        let calm = against.undisturbed.as_ref().unwrap();
        assert_eq!((calm.pairs, calm.ratios["cpu_us"].median), (1, 1.5));
        assert_eq!(summary.doubts.len(), 2, "{:?}", summary.doubts);
    }

    #[test]
    fn a_new_token_is_held_against_the_bare_check() {
        let mut rows = vec![row(1, "gateway", 60.0), row(1, "baseline", 20.0)];
        rows[0].bare_check_us = Some(32.0);
        let found = Summary::of(&rows, &compared(&[("gateway", "baseline")]), true).verification;
        assert_eq!(found.unwrap().added_by_bare_check.median, 1.25);
    }
}
