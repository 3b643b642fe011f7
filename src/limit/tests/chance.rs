//! Numbers that look like chance and are the same in every run, for tests of this module: millions of steps, and pauses
//! of threads that differ from seed to seed.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(in crate::limit) struct Chance(u64);

// === impl Chance ===

impl Chance {
    pub(in crate::limit) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(in crate::limit) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(in crate::limit) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// Now and then a thread stops between two steps, for a moment or for a turn of another.
    pub(in crate::limit) fn pause(&mut self) {
        match self.below(40) {
            0 => std::thread::yield_now(),
            1 => (0..self.below(2000)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}
