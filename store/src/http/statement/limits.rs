//! What a statement may take, by whom it is for.
//!
//! The parent states limits, too; what stands here holds whatever it states.

use std::time::Duration;

use crate::http::lanes::Lane;

/// A statement may have so many bytes where `max_query_size` says so: answers of questions are put into statements.
const QUERY_BYTES_MAX: usize = 64 << 20;

/// The most that statements of a lane may take: by the setting's name.
fn limits(lane: Lane, memory_bytes: u64) -> Vec<(&'static str, u64)> {
    let share = |part: u64, least_mib: u64| (memory_bytes / part).max(least_mib << 20);
    match lane {
        Lane::Own => Vec::new(),
        // Four of each lane at a time: all readers together leave a sixth of the memory to inserts and merges.
        Lane::Question => vec![("max_memory_usage", share(12, 512)), ("max_execution_time", 300)],
        Lane::Asker | Lane::Port => {
            vec![("max_memory_usage", share(16, 256)), ("max_execution_time", 300), ("max_threads", 2)]
        }
    }
}

/// The settings as they are sent to the engine: a limit can be made narrower, and is otherwise as it stands here.
pub(super) fn within(
    lane: Lane,
    memory_bytes: u64,
    mut settings: Vec<(String, String)>,
) -> Vec<(String, String)> {
    for (name, most) in limits(lane, memory_bytes) {
        let wanted =
            settings.iter().filter(|(given, _)| given == name).filter_map(|(_, value)| value.parse().ok());
        // Zero is the engine's word for: no limit.
        let least = wanted.filter(|wanted: &u64| *wanted > 0).min().unwrap_or(most).min(most);
        settings.retain(|(given, _)| given != name);
        settings.push((name.to_owned(), least.to_string()));
    }
    settings
}

/// How long a statement may run, if its settings say so.
pub(super) fn time(settings: &[(String, String)]) -> Option<Duration> {
    let stated = settings.iter().rev().find(|(name, _)| name == "max_execution_time")?;
    stated
        .1
        .parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
}

/// How many bytes a statement may have by its settings.
pub(super) fn query_bytes(settings: &[(String, String)]) -> usize {
    let stated = settings.iter().rev().find(|(name, _)| name == "max_query_size");
    stated.and_then(|(_, value)| value.parse().ok()).unwrap_or(0).min(QUERY_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lane: Lane, given: &[(&str, &str)], name: &str, expected: Option<&str>) {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = within(lane, 8 << 30, given);
        let found: Vec<&str> =
            settings.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        assert_eq!(found, Vec::from_iter(expected), "{lane:?} {name}");
    }

    #[test]
    fn a_users_statement_has_limits_that_it_can_only_make_narrower() {
        let memory = "max_memory_usage";
        check(Lane::Port, &[], memory, Some("536870912"));
        check(Lane::Port, &[(memory, "1000")], memory, Some("1000"));
        for wider in ["0", "-1", "99999999999999", "", "1e30", "auto"] {
            check(Lane::Asker, &[(memory, wider)], memory, Some("536870912"));
            check(Lane::Asker, &[("max_execution_time", wider)], "max_execution_time", Some("300"));
        }
        // The engine takes the last of two.
        check(Lane::Port, &[(memory, "5"), (memory, "0")], memory, Some("5"));
        check(Lane::Own, &[], memory, None);
        check(Lane::Own, &[("max_execution_time", "0")], "max_execution_time", Some("0"));
    }

    #[test]
    fn the_time_that_a_statement_has_is_read_from_its_settings() {
        let time_of = |value: &str| time(&[("max_execution_time".to_owned(), value.to_owned())]);
        assert_eq!(time_of("2"), Some(Duration::from_secs(2)));
        assert_eq!(time_of("0.5"), Some(Duration::from_millis(500)));
        for none in ["0", "", "-1", "inf", "nan"] {
            assert_eq!(time_of(none), None, "{none}");
        }
        assert_eq!(time(&[]), None);
    }
}
