//! Placeholder
//! tests.
