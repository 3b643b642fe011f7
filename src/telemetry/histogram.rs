//! Durations in buckets, observed by all threads at once without waiting for each other.
//!
//! A histogram of the prometheus crate keeps one sum and one count for all threads, the sum as a float that is replaced
//! in a compare-and-swap loop: under load every core fights for the same cache line. Here each thread adds to a place of
//! its own ([`Sharded`]), and the sum is whole nanoseconds, so that an observation is two additions.
//!
//! The count is the sum of the buckets, so `_count` and `le="+Inf"` agree in every scrape and buckets never fall from
//! one scrape to the next. The sum may be one observation ahead of or behind the count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::proto;

use super::instrument::Instrument;
use super::shards::Sharded;

/// The longest duration that is added to a sum; longer ones count as this long. A clock that jumps or a connection that
/// is held for months cannot wrap the sum, whose 64 bits of nanoseconds have place for 584 years.
pub const OBSERVATION_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Most bounds of one histogram, `+Inf` not counted. Each is a line in every scrape of every child, and with these a
/// shard fills four cache lines exactly.
const BOUNDS_MAX: usize = 30;

/// Upper bounds of a histogram's buckets, ascending; a bound belongs to its bucket (`le`).
#[derive(Debug, Clone, Copy)]
pub struct Buckets(&'static [Duration]);

/// How long something took, how often.
#[derive(Debug)]
pub struct Histogram {
    shards: Sharded<Shard>,
    bounds: &'static [Duration],
}

#[derive(Debug, Default)]
struct Shard {
    /// One count for each bound, then the one above all bounds; the rest stays 0.
    counts: [AtomicU64; BOUNDS_MAX + 1],
    /// Nanoseconds, wrapping.
    sum: AtomicU64,
}

const _: () = assert!(
    size_of::<Shard>() == 256,
    "a shard that does not fill its cache lines wastes them"
);

// === impl Buckets ===

impl Buckets {
    /// Checked where the constant is written: bounds that are unordered or too many do not compile.
    pub const fn new(bounds: &'static [Duration]) -> Self {
        assert!(!bounds.is_empty() && bounds.len() <= BOUNDS_MAX, "1 to 30 bounds");
        let mut rest = bounds;
        let mut below = Duration::ZERO;
        while let [bound, tail @ ..] = rest {
            assert!(
                bound.as_nanos() > below.as_nanos(),
                "bounds ascend from above zero"
            );
            below = *bound;
            rest = tail;
        }
        Self(bounds)
    }
}

// === impl Histogram ===

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, elapsed: Duration) {
        let elapsed = elapsed.min(OBSERVATION_MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < elapsed);
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let shard = self.shards.own();
        // In range, whatever is passed: a bucket is at most BOUNDS_MAX.
        let Some(count) = shard.counts.get(bucket) else {
            return;
        };
        count.fetch_add(1, Ordering::Relaxed);
        shard.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    /// How many durations were observed.
    pub fn count(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// All durations together. After 584 years it begins at 0 again, as a counter does that is restarted.
    pub fn sum(&self) -> Duration {
        // Wrapping over all shards, so that a wrap looks like a restart at 0 and not like a step of 146 years.
        let nanos = self.shards.all().fold(0u64, |sum, shard| {
            sum.wrapping_add(shard.sum.load(Ordering::Relaxed))
        });
        Duration::from_nanos(nanos)
    }

    /// Observations of each bucket alone, over all shards.
    fn counts(&self) -> [u64; BOUNDS_MAX + 1] {
        let mut total = [0; BOUNDS_MAX + 1];
        for shard in self.shards.all() {
            for (total, count) in total.iter_mut().zip(&shard.counts) {
                *total += count.load(Ordering::Relaxed);
            }
        }
        total
    }
}

impl Instrument for Histogram {
    type Settings = Buckets;
    const KIND: &'static str = "histogram";
    const TYPE: proto::MetricType = proto::MetricType::HISTOGRAM;

    fn new(Buckets(bounds): Buckets) -> Self {
        Self {
            shards: Sharded::default(),
            bounds,
        }
    }

    fn read_into(&self, metric: &mut proto::Metric) {
        let counts = self.counts();
        let mut cumulative = 0;
        let buckets = self.bounds.iter().zip(counts).map(|(bound, count)| {
            cumulative += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(bound.as_secs_f64());
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counts.iter().sum());
        histogram.set_sample_sum(self.sum().as_secs_f64());
        metric.set_histogram(histogram);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const BUCKETS: Buckets = Buckets::new(&[
        Duration::from_micros(1),
        Duration::from_micros(10),
        Duration::from_millis(1),
    ]);

    /// `(le in seconds, cumulative count)` for each bound, then count and sum in seconds.
    fn read(histogram: &Histogram) -> (Vec<(f64, u64)>, u64, f64) {
        let mut metric = proto::Metric::default();
        histogram.read_into(&mut metric);
        let histogram = metric.get_histogram();
        let buckets = histogram
            .get_bucket()
            .iter()
            .map(|b| (b.upper_bound(), b.cumulative_count()))
            .collect();
        (buckets, histogram.get_sample_count(), histogram.get_sample_sum())
    }

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let table = [
            (Duration::ZERO, [1, 1, 1]),
            (Duration::from_nanos(1_000), [1, 1, 1]),
            (Duration::from_nanos(1_001), [0, 1, 1]),
            (Duration::from_micros(10), [0, 1, 1]),
            (Duration::from_micros(999), [0, 0, 1]),
            (Duration::from_nanos(1_000_001), [0, 0, 0]),
            (Duration::MAX, [0, 0, 0]),
        ];
        for (elapsed, expected) in table {
            let histogram = Histogram::new(BUCKETS);
            histogram.observe(elapsed);
            let (buckets, count, sum) = read(&histogram);
            assert_eq!(
                buckets.iter().map(|b| b.1).collect::<Vec<_>>(),
                expected,
                "{elapsed:?}"
            );
            assert_eq!(count, 1, "{elapsed:?}");
            assert_eq!(sum, elapsed.min(OBSERVATION_MAX).as_secs_f64(), "{elapsed:?}");
        }
    }

    #[test]
    fn nothing_is_lost_between_eight_threads() {
        const EACH: u64 = 50_000;
        let histogram = Histogram::new(BUCKETS);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for i in 0..EACH {
                        // A quarter each: at the first bound, in the second, in the third, above all.
                        let nanos = match i % 4 {
                            0 => 1_000,
                            1 => 5_000,
                            2 => 500_000,
                            _ => 2_000_000,
                        };
                        histogram.observe(Duration::from_nanos(nanos));
                    }
                });
            }
            // Scrapes in the middle of it: buckets cumulate and never fall.
            let mut last = 0;
            for _ in 0..200 {
                let (buckets, count, _) = read(&histogram);
                assert!(buckets.is_sorted_by_key(|b| b.1));
                assert!(buckets.iter().all(|b| b.1 <= count));
                assert!(count >= last);
                last = count;
            }
        });
        let quarter = 8 * EACH / 4;
        let (buckets, count, sum) = read(&histogram);
        assert_eq!(
            buckets,
            [(1e-6, quarter), (1e-5, 2 * quarter), (1e-3, 3 * quarter)]
        );
        assert_eq!(count, 4 * quarter);
        assert_eq!(
            sum,
            Duration::from_nanos(quarter * (1_000 + 5_000 + 500_000 + 2_000_000)).as_secs_f64()
        );
    }
}
