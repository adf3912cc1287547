//! The wall clock of the doors.

use std::time::{SystemTime, UNIX_EPOCH};

/// Time of receipt, nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
