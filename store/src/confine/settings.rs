//! Settings that a statement may bring along, each within bounds. Limits can only become tighter.

use super::limits;
use super::refusal::{Refusal, nearest};
use super::tree::{Setting, SettingValue};

/// What a setting may be.
enum Bound {
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// Off or on.
    Switch,
    OneOf(&'static [&'static str]),
    /// The name of a time zone.
    Zone,
}

const SETTINGS: &[(&str, Bound)] = &[
    ("any_join_distinct_right_table_keys", Bound::Switch),
    ("date_time_input_format", Bound::OneOf(&["basic", "best_effort", "best_effort_us"])),
    ("date_time_output_format", Bound::OneOf(&["simple", "iso", "unix_timestamp"])),
    ("empty_result_for_aggregation_by_empty_set", Bound::Switch),
    ("extremes", Bound::Switch),
    ("final", Bound::Switch),
    ("group_by_use_nulls", Bound::Switch),
    ("join_use_nulls", Bound::Switch),
    ("limit", Bound::Number(0, u64::MAX)),
    ("max_block_size", Bound::Number(1, limits::BLOCK_ROWS)),
    ("max_execution_time", Bound::Number(1, limits::PORT_SECONDS_MAX)),
    ("max_result_bytes", Bound::Number(1, limits::RESULT_BYTES_MAX)),
    ("max_result_rows", Bound::Number(1, limits::RESULT_ROWS_MAX)),
    ("max_rows_to_read", Bound::Number(1, u64::MAX)),
    ("max_threads", Bound::Number(1, limits::THREADS_ASKED_MAX)),
    ("offset", Bound::Number(0, u64::MAX)),
    ("optimize_read_in_order", Bound::Switch),
    ("output_format_json_quote_64bit_integers", Bound::Switch),
    ("output_format_json_quote_denormals", Bound::Switch),
    ("prefer_column_name_to_alias", Bound::Switch),
    ("result_overflow_mode", Bound::OneOf(&["throw", "break"])),
    ("session_timezone", Bound::Zone),
    ("transform_null_in", Bound::Switch),
    ("union_default_mode", Bound::OneOf(&["", "ALL", "DISTINCT"])),
    ("use_skip_indexes", Bound::Switch),
];

/// What clients write into statements by habit and what changes nothing here: it is left out.
const WITHOUT_EFFECT: &[&str] = &[
    "allow_experimental_analyzer",
    "allow_experimental_json_type",
    "allow_suspicious_low_cardinality_types",
    "async_insert",
    "enable_analyzer",
    "enable_http_compression",
    "join_algorithm",
    "load_balancing",
    "log_comment",
    "log_queries",
    "max_query_size",
    "optimize_move_to_prewhere",
    "output_format_parallel_formatting",
    "prefer_localhost_replica",
    "priority",
    "send_logs_level",
    "skip_unavailable_shards",
    "use_query_cache",
    "use_uncompressed_cache",
    "wait_end_of_query",
    "wait_for_async_insert",
    "workload",
];

/// Whether a setting is left out of a statement, whatever it says.
pub(super) fn is_without_effect(name: &str) -> bool {
    WITHOUT_EFFECT.contains(&name)
}

/// Names of settings that a statement may set.
pub fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|(name, _)| *name)
}

/// Whether a setting by name may have a value, as it is sent beside a statement.
pub fn is_allowed(name: &str, value: &str) -> bool {
    SETTINGS.iter().find(|(known, _)| *known == name).is_some_and(|(_, bound)| bound.holds(value))
}

/// Refuses a setting that is not listed, or whose value is out of its bounds.
pub(super) fn check(setting: &Setting) -> Result<(), Refusal> {
    let name = setting.name.text.as_str();
    let Some((_, bound)) = SETTINGS.iter().find(|(known, _)| *known == name) else {
        let near = nearest(name, names());
        let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
        return Err(Refusal::new(
            format!("The setting {name} is not for a statement to set.{hint}"),
            setting.name.place,
        ));
    };
    let value = match &setting.value {
        SettingValue::Number(number) => number.clone(),
        SettingValue::Text(text) => String::from_utf8_lossy(text).into_owned(),
    };
    if bound.holds(&value) {
        return Ok(());
    }
    Err(Refusal::new(format!("Wanted {name} to be {}; found {value:?}.", bound.wanted()), setting.name.place))
}

impl Bound {
    fn holds(&self, value: &str) -> bool {
        match self {
            Bound::Number(least, most) => {
                value.bytes().all(|digit| digit.is_ascii_digit())
                    && value.parse::<u64>().is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Bound::Switch => matches!(value, "0" | "1" | "true" | "false"),
            Bound::OneOf(values) => values.contains(&value),
            Bound::Zone => {
                (1..=64).contains(&value.len())
                    && !value.starts_with('/')
                    && !value.contains("..")
                    && value
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'-' | b'+'))
            }
        }
    }

    fn wanted(&self) -> String {
        match self {
            Bound::Number(least, most) if *most == u64::MAX => format!("{least} or more"),
            Bound::Number(least, most) => format!("from {least} to {most}"),
            Bound::Switch => "0 or 1".to_owned(),
            Bound::OneOf(values) => format!("one of {}", values.join(", ")),
            Bound::Zone => "a time zone such as Europe/Berlin".to_owned(),
        }
    }
}
