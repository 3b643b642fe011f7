//! How much of something there is for a time, and what happens when more is asked for.
//!
//! What is promised ([`Limits`]) and what was used of it ([`Tally`]) are two things: the one is a snapshot's and never
//! changes, the other outlives all snapshots and knows no limit. So a change of plan applies to what is running and sets
//! nothing back. [`acquire`] brings the two together for one request: all limits of all levels, or nothing.
//!
//! Everything is counted in words that are changed by compare-exchange: no lock, no clock, and no memory that a stranger
//! can make grow ([`Keyed`]). The same holds for what is no caller's limit but the gateway's own protection: the CPU time
//! that may go into tokens which turn out to be no good ([`Forgeries`]), and wrong secrets at the token service
//! ([`Attempts`]), in buckets of one atomic ([`Gcra`]).

mod acquire;
mod attempts;
mod calendar;
mod counters;
mod forgery;
mod gcra;
mod keyed;
mod rate;
mod rolling;
mod tally;
mod terms;
#[cfg(test)]
mod tests;
mod usage;
mod word;

pub use acquire::{LEVELS_MAX, Level, acquire, ask};
pub use attempts::{Attempt, Attempts};
pub use calendar::{Period, Zone};
pub use counters::{Counters, LocalCounters, Subject};
pub use forgery::{
    Bucket, Charge, Forgeries, ForgeryBudget, INTROSPECTION_PRICE, Overdrawn, SOURCES, Share, prefix,
};
pub use gcra::Gcra;
pub use keyed::{Key, Keyed, PLACES};
pub use rate::{Rate, SpikeArrest};
pub use tally::{Kept, Tally, TallyRef};
pub use terms::{Alignment, Bandwidth, LimitKind, Limits, LimitsError, OnExceed, Quota, Terms};
pub use usage::{Exceeded, LevelName, Standing, Tightest, Usage};
