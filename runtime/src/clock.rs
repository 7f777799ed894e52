//! This machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// UTC, nanoseconds since 1970; 0 before, and no more than an `i64` has room for.
#[must_use]
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
