//! Instants and ranges as answers write them.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Times in RFC 3339.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Range {
    /// The first instant.
    #[serde(serialize_with = "instant")]
    pub from: i64,
    /// The first instant after it.
    #[serde(serialize_with = "instant")]
    pub to: i64,
}

/// RFC 3339 with nanoseconds, UTC.
pub fn rfc3339(time_ns: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => format!("{time:.9}"),
        // Every i64 of nanoseconds lies within jiff's range.
        Err(_) => String::new(),
    }
}

pub(super) fn instant<S: Serializer>(time_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time_ns))
}

pub(super) fn maybe_instant<S: Serializer>(time_ns: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match time_ns {
        Some(time_ns) => instant(time_ns, serializer),
        None => serializer.serialize_none(),
    }
}
