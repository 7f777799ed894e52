//! Instants as answers write them: RFC 3339 with nanoseconds, in UTC. Within, they are nanoseconds since the epoch.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// RFC 3339 with nanoseconds, UTC.
pub fn rfc3339(time_ns: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => format!("{time:.9}"),
        // Every i64 of nanoseconds lies within jiff's range.
        Err(_) => String::new(),
    }
}

pub(super) fn parse<E: Error>(text: &str) -> Result<i64, E> {
    let time: Timestamp = text.parse().map_err(E::custom)?;
    i64::try_from(time.as_nanosecond())
        .map_err(|_| E::custom(format!("wanted an instant between 1677 and 2262, found {text}")))
}

/// Writes an instant.
pub(super) fn serialize<S: Serializer>(time_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time_ns))
}

/// Reads one.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_nanoseconds_and_end_with_a_z() {
        assert_eq!(rfc3339(1_767_225_600_000_000_001), "2026-01-01T00:00:00.000000001Z");
        for time_ns in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(parse::<serde_json::Error>(&rfc3339(time_ns)).unwrap(), time_ns);
        }
        let far = parse::<serde_json::Error>("3000-01-01T00:00:00Z").unwrap_err();
        assert!(far.to_string().contains("between 1677 and 2262"), "{far}");
    }
}
