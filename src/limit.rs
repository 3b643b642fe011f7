//! How much of something there is for a time, and what happens when more is asked for.
//!
//! Everything here is counted in buckets of one atomic ([`Gcra`]): no lock, no clock, no memory that a stranger can make
//! grow. What a bucket is for is said by what stands around it. So far that is the CPU time that may go into tokens which
//! turn out to be no good ([`Forgeries`]).

mod forgery;
mod gcra;

pub use forgery::{Bucket, Charge, Forgeries, ForgeryBudget, Overdrawn, SOURCES, Share, prefix};
pub use gcra::Gcra;
