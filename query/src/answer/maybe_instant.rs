//! Instants that may be missing: null.

use serde::{Deserialize, Deserializer, Serializer};

use super::instant::{self, parse};

/// Writes an instant, or null.
pub(super) fn serialize<S: Serializer>(time_ns: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match time_ns {
        Some(time_ns) => instant::serialize(time_ns, serializer),
        None => serializer.serialize_none(),
    }
}

/// Reads one.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| parse(&text)).transpose()
}
