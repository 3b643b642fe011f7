//! What the tests of this module share. Each part has its own beside it: how a bucket, a window or a table behaves is
//! told there.

pub(super) mod chance;
