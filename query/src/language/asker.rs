//! Who asks, and when.

use jiff::tz::TimeZone;

/// What words like `today` and `5 days ago` are relative to.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Now, nanoseconds since the epoch.
    pub now_ns: i64,
    /// The asker's time zone.
    pub time_zone: TimeZone,
}
