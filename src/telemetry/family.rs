//! One metric and its children, one for each label set, with an end to their number.
//!
//! The vectors of the prometheus crate find a child by a hash over the label values joined together: `("ab", "c")` and
//! `("a", "bc")` are one child there, and two plans would share a count. They also take a lock for every lookup. Here
//! a child is found by its whole list of values, and only when a snapshot is compiled or an edge starts; whoever counts
//! holds the child itself.
//!
//! Label values come from the configuration, from closed sets of ours and from an issuer's own key set, never from a
//! request. Even so a family has a bound: a label set beyond [`SERIES_MAX`], or with a value that no scrape could carry,
//! shares the child whose labels are all [`OTHER`], and the fold is counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto;

use super::histogram::Histogram;
use super::instrument::{Counter, Gauge, Instrument};
use super::names::Named;

/// Most children of one family. 400 plans with five status classes each fit; at this size a histogram is about 40,000
/// lines of a scrape, which Prometheus still takes within its interval, and two megabytes of memory.
pub const SERIES_MAX: usize = 2_000;

/// A label value longer than this folds: an issuer's URL or a `kid` has tens of bytes, and each value is repeated on
/// every line of every scrape.
pub const LABEL_BYTES_MAX: usize = 256;

/// The value of every label of the child that all folded label sets share.
pub const OTHER: &str = "other";

/// Counters of one name with `N` labels.
pub type CounterFamily<const N: usize> = Family<Counter, N>;

/// Gauges of one name with `N` labels.
pub type GaugeFamily<const N: usize> = Family<Gauge, N>;

/// Histograms of one name with `N` labels.
pub type HistogramFamily<const N: usize> = Family<Histogram, N>;

/// One metric with `N` labels. Clones are the same family.
pub struct Family<M: Instrument, const N: usize>(Arc<Inner<M, N>>);

struct Inner<M: Instrument, const N: usize> {
    named: &'static Named<M, N>,
    desc: Desc,
    children: Mutex<BTreeMap<[String; N], Arc<M>>>,
    folded: Arc<Counter>,
}

// === impl Family ===

impl<M: Instrument, const N: usize> Family<M, N> {
    /// A family without children; every fold is counted in `folded`.
    pub(super) fn new(named: &'static Named<M, N>, folded: Arc<Counter>) -> Result<Self, prometheus::Error> {
        let labels = named.labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(
            named.name.to_owned(),
            named.help.to_owned(),
            labels,
            HashMap::new(),
        )?;
        Ok(Self(Arc::new(Inner {
            named,
            desc,
            children: Mutex::default(),
            folded,
        })))
    }

    /// The child of these label values, in the order of the metric's labels. It exists, at zero, from here on.
    ///
    /// Takes a lock: call it where something is set up, keep the child, and count on the child.
    pub fn child(&self, values: &[&str; N]) -> Arc<M> {
        let inner = &*self.0;
        let labels = values.map(str::to_owned);
        let mut children = inner.children();
        if let Some(child) = children.get(&labels) {
            return Arc::clone(child);
        }
        let other = [OTHER; N].map(str::to_owned);
        // One place is kept for `other`, so that the bound holds with it.
        let admitted =
            labels == other || (children.len() < SERIES_MAX - 1 && values.iter().all(|v| can_be_scraped(v)));
        if !admitted {
            inner.folded.inc();
        }
        let labels = if admitted { labels } else { other };
        Arc::clone(
            children
                .entry(labels)
                .or_insert_with(|| Arc::new(M::new(inner.named.settings))),
        )
    }

    /// Drops the children whose label values `keep` refuses, for what is no longer configured. The child of folded
    /// label sets stays: it belongs to no single thing that could be gone.
    ///
    /// Whoever still holds a dropped child counts for nobody; a later [`Self::child`] begins again at zero.
    pub fn retain(&self, mut keep: impl FnMut(&[String; N]) -> bool) {
        self.0
            .children()
            .retain(|labels, _| labels.iter().all(|v| v == OTHER) || keep(labels));
    }

    /// How many children there are, at most [`SERIES_MAX`].
    pub fn series(&self) -> usize {
        self.0.children().len()
    }
}

impl<M: Instrument, const N: usize> Clone for Family<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Instrument, const N: usize> Collector for Family<M, N> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let inner = &*self.0;
        let children = inner.children();
        let metrics = children.iter().map(|(values, child)| {
            let mut metric = proto::Metric::from_label(label_pairs(&inner.named.labels, values));
            child.read_into(&mut metric);
            metric
        });
        let mut family = proto::MetricFamily::default();
        family.set_name(inner.named.name.to_owned());
        family.set_help(inner.named.help.to_owned());
        family.set_field_type(M::TYPE);
        family.set_metric(metrics.collect());
        vec![family]
    }
}

// === impl Inner ===

impl<M: Instrument, const N: usize> Inner<M, N> {
    /// A panic elsewhere cannot leave the map half changed, so a poisoned lock is as good as any.
    fn children(&self) -> MutexGuard<'_, BTreeMap<[String; N], Arc<M>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// NUL is the one character that Prometheus' lexer takes for the end of input, which would fail the whole scrape.
fn can_be_scraped(value: &str) -> bool {
    value.len() <= LABEL_BYTES_MAX && !value.contains('\0')
}

fn label_pairs(names: &[&str], values: &[String]) -> Vec<proto::LabelPair> {
    let pair = |(name, value): (&&str, &String)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    };
    names.iter().zip(values).map(pair).collect()
}

#[cfg(test)]
mod tests;
