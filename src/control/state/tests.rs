//! The contract of stores put to the test, and a second store to test the test.
//! What holds for each of them is told once, in `conformance`.

mod conformance;
mod memory;

pub(super) use conformance::{check, recovers};
pub(crate) use memory::Memory;
