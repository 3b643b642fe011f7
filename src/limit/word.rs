//! What was used in the window that is running: which window and how much, in one word.
//!
//! To begin a window and to count in it is one compare-exchange, so nothing is counted in a window that is over, and no
//! two threads begin the same one. From the top: the period (2 bits), the window's tag (24 bits for hours, 16 for dates),
//! and the count in the rest. The words are kept on disk; what the bits mean does not change.
//!
//! A window never goes back. Where the clock was set back, callers stay in the window that was begun, and wait for the
//! clock to come there; if it is further ahead than a clock is set by ([`Period::lead`]), the clock had been wrong, and
//! the present window is begun.

use std::sync::atomic::{AtomicU64, Ordering};

use super::calendar::{Period, Window};

/// What a word says, seen from one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// The window that it counts for: this one, or a later one that was begun already.
    pub(super) tag: u64,
    pub(super) count: u64,
}

/// The most that can be counted in a period.
pub(super) const fn count_max(period: Period) -> u64 {
    (1 << count_bits(period)) - 1
}

/// What was used in `window`.
pub(super) fn used(word: u64, period: Period, window: Window) -> Used {
    let fresh = Used {
        tag: window.tag,
        count: 0,
    };
    let bits = count_bits(period);
    if word >> 62 != u64::from(period.place()) {
        return fresh;
    }
    let tag = (word << 2) >> (bits + 2);
    let ahead = tag.checked_sub(window.tag);
    match ahead {
        Some(ahead) if ahead <= period.lead() => Used {
            tag,
            count: word & count_max(period),
        },
        _ => fresh,
    }
}

/// Counts `count`, if no more than `limit` are then counted.
///
/// # Errors
/// What is counted already.
pub(super) fn take(
    word: &AtomicU64,
    period: Period,
    window: Window,
    count: u64,
    limit: u64,
) -> Result<Used, Used> {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        let used = used(seen, period, window);
        let after = used.count.saturating_add(count);
        if after > limit {
            return Err(used);
        }
        let after = Used {
            count: after.min(count_max(period)),
            ..used
        };
        match word.compare_exchange_weak(seen, after.word(period), Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(after),
            Err(other) => seen = other,
        }
    }
}

/// Takes back what was counted in `window`. What was counted in a window that is over by now is forgotten anyway.
pub(super) fn give_back(word: &AtomicU64, period: Period, window: Window, count: u64) {
    // It fails where there is nothing to give back to.
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
        let used = used(seen, period, window);
        let count = used.count.checked_sub(count)?;
        (used.tag == window.tag).then(|| Used { count, ..used }.word(period))
    });
}

/// The later of two words of one period; of the same window, the one that has counted more.
pub(super) fn later(one: u64, other: u64) -> u64 {
    match one >> 62 == other >> 62 {
        true => one.max(other),
        false => other,
    }
}

const fn count_bits(period: Period) -> u32 {
    match period {
        Period::Hour => 38,
        Period::Day | Period::Week | Period::Month => 46,
    }
}

// === impl Used ===

impl Used {
    const fn word(self, period: Period) -> u64 {
        (period.place() as u64) << 62 | self.tag << count_bits(period) | self.count
    }
}

#[cfg(test)]
mod tests;
