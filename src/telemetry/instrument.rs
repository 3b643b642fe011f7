//! What one series can be: a counter, a gauge, a level, or (in its own file) a histogram.
//!
//! An instrument is atomics and nothing else: it does not know its name or its labels, so that whoever holds one can
//! count without meeting a lock. What requests move is kept by threads apart ([`Sharded`]), half a kilobyte for a series.
//! [`super::family`] knows the names and reads the values at scrape time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus::proto;

use super::shards::Sharded;

/// A number that only rises, from 0 at the start of the process.
#[derive(Debug, Default)]
pub struct Counter {
    shards: Sharded<AtomicU64>,
    /// What was counted elsewhere, and is not in the shards.
    elsewhere: AtomicU64,
}

/// A whole number that is set. Seconds and unix timestamps are whole here as well: scrapes are seconds apart.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

/// How many of something there are now: whoever begins adds one, whoever ends takes it away, on any thread. To Prometheus
/// it is a gauge, but nobody can set it, so that threads may count apart.
#[derive(Debug, Default)]
pub struct Level(Sharded<AtomicI64>);

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
        self.shards.own().fetch_add(n, Ordering::Relaxed);
    }

    /// Follows a count that is kept elsewhere: the counter becomes `total` unless it is already past it.
    pub fn raise_to(&self, total: u64) {
        let missing = |elsewhere| {
            let counted = self.counted();
            (counted.wrapping_add(elsewhere) < total).then(|| total.wrapping_sub(counted))
        };
        // An error says that there is nothing to add.
        let _ = self
            .elsewhere
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, missing);
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.elsewhere
            .load(Ordering::Relaxed)
            .wrapping_add(self.counted())
    }

    /// What the threads have counted. It may miss what is being added, never what was added before by this thread or by
    /// one that this thread has waited for; and each shard only rises, so that no later reading is less.
    fn counted(&self) -> u64 {
        let counts = self.shards.all().map(|shard| shard.load(Ordering::Relaxed));
        counts.fold(0, u64::wrapping_add)
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
        write_gauge(metric, self.value());
    }
}

fn write_gauge(metric: &mut proto::Metric, value: i64) {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(value as f64);
    metric.set_gauge(gauge);
}

// === impl Level ===

impl Level {
    /// One more.
    pub fn inc(&self) {
        self.0.own().fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn dec(&self) {
        self.0.own().fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are now. While others begin and end it may be off by these; it is exact when nobody does.
    pub fn value(&self) -> i64 {
        // One that began here and ended there leaves 1 and -1.
        let shards = self.0.all().map(|shard| shard.load(Ordering::Relaxed));
        shards.fold(0, i64::wrapping_add)
    }
}

impl Instrument for Level {
    type Settings = ();
    const KIND: &'static str = "gauge";
    const TYPE: proto::MetricType = proto::MetricType::GAUGE;

    fn new((): ()) -> Self {
        Self::default()
    }

    fn read_into(&self, metric: &mut proto::Metric) {
        write_gauge(metric, self.value());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

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
    fn a_gauge_is_what_it_was_set_to() {
        let gauge = Gauge::default();
        gauge.set(-2);
        assert_eq!(gauge.value(), -2);
        gauge.set(2);
        gauge.raise_to(1);
        assert_eq!(gauge.value(), 2);
        gauge.raise_to(3);
        assert_eq!(gauge.value(), 3);
    }

    /// More threads than there are shards, so that some share.
    #[test]
    fn no_count_is_lost_between_threads_and_none_falls() {
        const EACH: u64 = 50_000;
        let counter = Counter::default();
        thread::scope(|scope| {
            for _ in 0..9 {
                scope.spawn(|| (0..EACH).for_each(|_| counter.inc()));
            }
            let mut last = 0;
            for _ in 0..1_000 {
                let value = counter.value();
                assert!(value >= last);
                last = value;
            }
        });
        assert_eq!(counter.value(), 9 * EACH);
        counter.raise_to(9 * EACH + 1);
        counter.inc();
        assert_eq!(counter.value(), 9 * EACH + 2);
    }

    #[test]
    fn threads_that_follow_one_count_do_not_add_it_up() {
        let counter = Counter::default();
        counter.add(3);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|total| counter.raise_to(total)));
            }
        });
        assert_eq!(counter.value(), 9_999);
    }

    #[test]
    fn what_began_on_one_thread_may_end_on_another() {
        let level = Level::default();
        thread::scope(|scope| {
            for _ in 0..5 {
                let (begun, ended) = mpsc::channel();
                let level = &level;
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        level.inc();
                        begun.send(()).unwrap();
                    }
                    level.inc();
                });
                scope.spawn(move || ended.iter().for_each(|()| level.dec()));
            }
        });
        assert_eq!(level.value(), 5, "what each has not ended");
    }
}
