//! What many rounds say together.
//!
//! A shared machine changes its speed by tens of per cent within minutes, and the noise has no known shape. So nothing
//! here assumes one: medians, and the range that holds the true median with 95 % probability.

use serde::Serialize;

/// The extremes, the median, and where the true median lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
    /// Holds the true median with 95 % probability. Below six values there is none.
    pub(crate) interval: Option<[f64; 2]>,
}

// === impl Spread ===

impl Spread {
    /// The interval is between two of the sorted values, chosen by the binomial distribution. None: there are no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len();
        let interval = interval_rank(count).and_then(|rank| {
            let low = sorted.get(rank.checked_sub(1)?)?;
            let high = sorted.get(count.checked_sub(rank)?)?;
            Some([*low, *high])
        });
        Some(Self {
            min,
            median: median(&sorted)?,
            max,
            interval,
        })
    }

    /// Where the median is known to lie: the interval, or without one the extremes.
    pub(crate) fn range(&self) -> [f64; 2] {
        self.interval.unwrap_or([self.min, self.max])
    }
}

/// Of sorted values.
fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(high);
    }
    Some((sorted.get(middle.checked_sub(1)?)? + high) / 2.0)
}

/// The largest rank whose value and its mirror enclose the true median with at least 95 %: the true median is as likely
/// above a value as below it, so how many of `count` values are below it is binomial with one half.
fn interval_rank(count: usize) -> Option<usize> {
    let outside_max = 0.05;
    // One value of the binomial distribution after the other: (count over k) / 2^count.
    let mut probability = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut outside = 2.0 * probability;
    let mut rank = 0;
    while outside <= outside_max && rank < count {
        rank += 1;
        probability *= (count - rank + 1) as f64 / rank as f64;
        outside += 2.0 * probability;
    }
    (rank > 0).then_some(rank)
}

/// The value below which `share` (0 to 1) of the values lie, by the nearest rank; the values are sorted on the way.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{Spread, interval_rank, percentile};

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in [
            (&[3.0][..], 3.0),
            (&[4.0, 1.0], 2.5),
            (&[9.0, 1.0, 5.0], 5.0),
            (&[4.0, 1.0, 3.0, 2.0], 2.5),
            (&[1.0, f64::NAN, 3.0, 2.0], 2.0),
        ] {
            let spread = Spread::of(values.iter().copied()).unwrap();
            assert_eq!(spread.median, expected, "{values:?}");
        }
        assert_eq!(Spread::of([]), None);
    }

    /// The ranks that tables of the sign test give for 95 %.
    #[test]
    fn the_range_of_the_median_is_that_of_the_sign_test() {
        for (count, expected) in [
            (1, None),
            (5, None),
            (6, Some(1)),
            (8, Some(1)),
            (9, Some(2)),
            (14, Some(3)),
            (20, Some(6)),
            (100, Some(40)),
        ] {
            assert_eq!(interval_rank(count), expected, "{count} values");
        }
        let spread = Spread::of((1..=9).map(f64::from)).unwrap();
        assert_eq!(spread.interval, Some([2.0, 8.0]));
        assert_eq!(Spread::of([1.0, 2.0]).unwrap().range(), [1.0, 2.0], "too few");
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        for (share, expected) in [(0.5, 500.0), (0.9, 900.0), (0.999, 999.0), (1.0, 1000.0)] {
            assert_eq!(percentile(&mut values, share), expected);
        }
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
