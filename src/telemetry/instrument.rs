//! What one series can be: a counter, a gauge, or (in its own file) a histogram.
//!
//! An instrument is atomics and nothing else: it does not know its name or its labels, so that whoever holds one can
//! count without meeting a lock. [`super::family`] knows the names and reads the values at scrape time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus::proto;

/// A number that only rises, from 0 at the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// A whole number that rises and falls. Seconds and unix timestamps are whole here as well: scrapes are seconds apart.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

/// How a family makes an instrument, and reads it at scrape time.
pub trait Instrument: Send + Sync + 'static {
    /// What is fixed when the metric is named: a histogram's buckets, nothing for the others.
    type Settings: Copy + Send + Sync + 'static;

    /// How Prometheus calls this kind of metric: the text of a `# TYPE` line.
    const KIND: &'static str;

    /// The same as [`Self::KIND`], as the encoder wants it.
    const TYPE: proto::MetricType;

    /// An instrument at zero.
    fn new(settings: Self::Settings) -> Self;

    /// Writes the present value into `metric`, which has its labels already.
    fn read_into(&self, metric: &mut proto::Metric);
}

// === impl Counter ===

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Follows a count that is kept elsewhere: the counter becomes `total` unless it is already past it.
    pub fn raise_to(&self, total: u64) {
        self.0.fetch_max(total, Ordering::Relaxed);
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Instrument for Counter {
    type Settings = ();
    const KIND: &'static str = "counter";
    const TYPE: proto::MetricType = proto::MetricType::COUNTER;

    fn new((): ()) -> Self {
        Self::default()
    }

    fn read_into(&self, metric: &mut proto::Metric) {
        let mut counter = proto::Counter::default();
        counter.set_value(self.value() as f64);
        metric.set_counter(counter);
    }
}

// === impl Gauge ===

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Replaces the value if `value` is greater, for timestamps that several threads report.
    pub fn raise_to(&self, value: i64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }

    /// The present value.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Instrument for Gauge {
    type Settings = ();
    const KIND: &'static str = "gauge";
    const TYPE: proto::MetricType = proto::MetricType::GAUGE;

    fn new((): ()) -> Self {
        Self::default()
    }

    fn read_into(&self, metric: &mut proto::Metric) {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(self.value() as f64);
        metric.set_gauge(gauge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_only_rises() {
        let counter = Counter::default();
        counter.inc();
        counter.add(4);
        assert_eq!(counter.value(), 5);
        counter.raise_to(3);
        assert_eq!(counter.value(), 5);
        counter.raise_to(9);
        assert_eq!(counter.value(), 9);
    }

    #[test]
    fn a_gauge_goes_below_zero_and_back() {
        let gauge = Gauge::default();
        gauge.dec();
        assert_eq!(gauge.value(), -1);
        gauge.add(5);
        gauge.inc();
        assert_eq!(gauge.value(), 5);
        gauge.set(2);
        gauge.raise_to(1);
        assert_eq!(gauge.value(), 2);
    }
}
