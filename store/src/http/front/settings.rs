//! Settings that a client may state, by allow-list: each with the values that it may have.
//!
//! A limit can be made narrower and not wider: what it is otherwise stands with the statement's lane. What clients state
//! by habit and what would change nothing here is taken without effect.

use super::Role;
use crate::confine::{Audience, limits};
use crate::http::failure::Failure;

/// A setting's value is not longer.
const VALUE_BYTES_MAX: usize = 256;

/// What may be said of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// Anything, without effect.
    Ignored,
    /// 0 or 1, also as `false` and `true`.
    Switch,
    /// A whole number between these.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A zone of the time zone database.
    Zone,
    /// One sign, or an escaped one.
    Sign,
    /// The token of an insert: printable, without quotes.
    Token,
}

use Values::{Ignored, Number, Sign, Switch, Token, Word, Zone};

const MANY: u64 = 1 << 40;

/// Of everybody.
const EVERYBODYS: &[(&str, Values)] = &[
    ("add_http_cors_header", Ignored),
    ("aggregate_functions_null_for_empty", Switch),
    ("allow_ddl", Ignored),
    ("allow_experimental_analyzer", Ignored),
    ("allow_experimental_dynamic_type", Ignored),
    ("allow_experimental_json_type", Ignored),
    ("allow_experimental_object_type", Ignored),
    ("allow_experimental_variant_type", Ignored),
    ("allow_introspection_functions", Ignored),
    ("any_join_distinct_right_table_keys", Switch),
    ("async_insert", Ignored),
    ("async_insert_busy_timeout_ms", Ignored),
    ("async_insert_deduplicate", Ignored),
    ("async_insert_max_data_size", Ignored),
    ("asterisk_include_alias_columns", Switch),
    ("asterisk_include_materialized_columns", Switch),
    ("cast_keep_nullable", Switch),
    ("cast_string_to_dynamic_use_inference", Ignored),
    ("connect_timeout", Ignored),
    ("count_distinct_implementation", Ignored),
    ("date_time_input_format", Word(&["basic", "best_effort", "best_effort_us"])),
    ("date_time_output_format", Word(&["simple", "iso", "unix_timestamp"])),
    ("enable_analyzer", Ignored),
    ("extremes", Switch),
    ("final", Switch),
    ("format_csv_delimiter", Sign),
    ("group_by_use_nulls", Switch),
    ("http_connection_timeout", Ignored),
    ("http_receive_timeout", Ignored),
    ("http_response_buffer_size", Ignored),
    ("http_send_timeout", Ignored),
    ("http_wait_end_of_query", Ignored),
    ("http_write_exception_in_output_format", Switch),
    ("idle_connection_timeout", Ignored),
    ("join_algorithm", Ignored),
    ("join_use_nulls", Switch),
    ("keep_alive_timeout", Ignored),
    ("load_balancing", Ignored),
    ("log_comment", Ignored),
    ("log_queries", Ignored),
    ("max_ast_depth", Number(1, 1000)),
    ("max_ast_elements", Number(1, 50_000)),
    ("max_block_size", Number(1, 262_144)),
    ("max_bytes_before_external_group_by", Ignored),
    ("max_bytes_before_external_sort", Ignored),
    ("max_bytes_to_read", Number(1, MANY)),
    ("max_execution_time", Number(0, MANY)),
    ("max_expanded_ast_elements", Number(1, 50_000)),
    ("max_memory_usage", Number(0, MANY)),
    ("max_query_size", Ignored),
    ("max_result_bytes", Number(0, MANY)),
    ("max_result_rows", Number(0, MANY)),
    ("max_rows_to_read", Number(0, MANY)),
    ("max_subquery_depth", Number(1, 100)),
    ("max_threads", Number(0, 1024)),
    ("network_compression_method", Ignored),
    ("network_zstd_compression_level", Ignored),
    ("optimize_move_to_prewhere", Switch),
    ("optimize_read_in_order", Switch),
    ("output_format_arrow_compression_method", Word(&["none", "lz4_frame", "zstd"])),
    ("output_format_arrow_string_as_string", Switch),
    ("output_format_binary_write_json_as_string", Switch),
    ("output_format_decimal_trailing_zeros", Switch),
    ("output_format_enable_streaming", Switch),
    ("output_format_json_array_of_rows", Switch),
    ("output_format_json_escape_forward_slashes", Switch),
    ("output_format_json_named_tuples_as_objects", Switch),
    ("output_format_json_pretty_print", Switch),
    ("output_format_json_quote_64bit_floats", Switch),
    ("output_format_json_quote_64bit_integers", Switch),
    ("output_format_json_quote_decimals", Switch),
    ("output_format_json_quote_denormals", Switch),
    ("output_format_json_skip_null_value_in_named_tuples", Switch),
    ("output_format_json_validate_utf8", Switch),
    ("output_format_native_encode_types_in_binary_format", Switch),
    ("output_format_native_use_flattened_dynamic_and_json_serialization", Switch),
    ("output_format_native_write_json_as_string", Switch),
    ("output_format_parallel_formatting", Ignored),
    ("output_format_parquet_compression_method", Word(&["snappy", "lz4", "brotli", "zstd", "gzip", "none"])),
    ("output_format_parquet_string_as_string", Switch),
    ("output_format_pretty_color", Word(&["0", "1", "auto"])),
    ("output_format_pretty_grid_charset", Word(&["ASCII", "UTF-8"])),
    ("output_format_pretty_max_column_pad_width", Number(1, 250)),
    ("output_format_pretty_max_rows", Number(1, 100_000)),
    ("output_format_pretty_max_value_width", Number(1, 1_000_000)),
    ("output_format_pretty_row_numbers", Switch),
    ("output_format_tsv_crlf_end_of_line", Switch),
    ("output_format_write_statistics", Switch),
    ("poll_interval", Ignored),
    ("preferred_block_size_bytes", Number(0, 10_000_000)),
    ("prefer_column_name_to_alias", Switch),
    ("prefer_localhost_replica", Ignored),
    ("priority", Ignored),
    ("queue_max_wait_ms", Ignored),
    ("readonly", Ignored),
    ("receive_timeout", Ignored),
    ("replication_alter_partitions_sync", Ignored),
    ("result_overflow_mode", Word(&["throw", "break"])),
    ("schema_inference_make_columns_nullable", Ignored),
    ("send_logs_level", Ignored),
    ("send_timeout", Ignored),
    ("session_timezone", Zone),
    ("short_circuit_function_evaluation", Word(&["enable", "disable", "force_enable"])),
    ("skip_unavailable_shards", Ignored),
    ("stream_like_engine_allow_direct_select", Ignored),
    ("timeout_before_checking_execution_speed", Ignored),
    ("timeout_overflow_mode", Word(&["throw", "break"])),
    ("transform_null_in", Switch),
    ("union_default_mode", Word(&["ALL", "DISTINCT", ""])),
    ("use_client_time_zone", Ignored),
    ("use_query_cache", Ignored),
    ("use_uncompressed_cache", Ignored),
    ("wait_for_async_insert", Ignored),
    ("wait_for_async_insert_timeout", Ignored),
];

/// Of writers besides: how blocks are stored, and how data is read.
const WRITERS: &[(&str, Values)] = &[
    ("format_csv_delimiter", Sign),
    ("input_format_allow_errors_num", Number(0, 0)),
    ("input_format_csv_use_best_effort_in_schema_inference", Ignored),
    ("input_format_defaults_for_omitted_fields", Switch),
    ("input_format_import_nested_json", Switch),
    ("input_format_json_read_numbers_as_strings", Switch),
    ("input_format_null_as_default", Switch),
    ("input_format_skip_unknown_fields", Switch),
    ("input_format_with_names_use_header", Switch),
    ("input_format_with_types_use_header", Switch),
    ("insert_deduplicate", Switch),
    ("insert_deduplication_token", Token),
    ("insert_null_as_default", Switch),
    ("materialize_skip_indexes_on_insert", Switch),
    ("max_insert_block_size", Number(1, MANY)),
    ("max_partitions_per_insert_block", Number(1, 100_000)),
    ("min_insert_block_size_bytes", Number(0, MANY)),
    ("min_insert_block_size_rows", Number(0, MANY)),
    ("mutations_sync", Number(0, 2)),
];

/// A question's statement holds more than a person's: times, ids, tables of matches.
const WRITERS_QUERY_BYTES_MAX: u64 = 64 << 20;

/// The settings that take effect, of those that a client states.
///
/// # Errors
/// In ClickHouse's words, where one is not among those that may be stated, or its value is not.
pub(super) fn accepted(role: Role, stated: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
    let mut taken = Vec::with_capacity(stated.len());
    let own = if role == Role::Writer { own_limits() } else { Vec::new() };
    for (name, value) in stated {
        if own.iter().any(|(known, limit)| known == name && limit == value) {
            taken.push((name.clone(), value.clone()));
            continue;
        }
        let values = known(role, name).ok_or_else(|| unknown(name))?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(unfit(name, "<long>"));
        }
        match values {
            Ignored => {}
            Switch => {
                let value = match value.as_str() {
                    "0" | "false" | "False" => "0",
                    "1" | "true" | "True" => "1",
                    _ => return Err(unfit(name, value)),
                };
                taken.push((name.clone(), value.to_owned()));
            }
            _ if fits(values, value) => taken.push((name.clone(), value.clone())),
            _ => return Err(unfit(name, value)),
        }
    }
    Ok(taken)
}

/// The rights of a session: what is set of them holds for nobody, so it is not taken as if it did.
const RIGHTS: &[&str] = &["allow_ddl", "allow_introspection_functions", "readonly"];

/// The settings that `SET` keeps for a session.
///
/// # Errors
/// As with those beside a statement; also where it is about rights.
pub(super) fn kept(role: Role, stated: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
    if let Some((name, _)) = stated.iter().find(|(name, _)| RIGHTS.contains(&name.as_str())) {
        let text = format!(
            "Code: 164. DB::Exception: Cannot modify '{name}' here: rights are the user's. (READONLY)"
        );
        return Err(Failure::Statement { code: 164, text });
    }
    accepted(role, stated)
}

/// What this program itself sends beside a user's SQL.
fn own_limits() -> Vec<(&'static str, String)> {
    [Audience::Asker, Audience::Port].into_iter().flat_map(limits::settings).collect()
}

fn known(role: Role, name: &str) -> Option<Values> {
    let among =
        |list: &[(&str, Values)]| list.iter().find(|(known, _)| *known == name).map(|(_, values)| *values);
    match role {
        Role::Reader => among(EVERYBODYS),
        Role::Writer if name == "max_query_size" => Some(Number(1, WRITERS_QUERY_BYTES_MAX)),
        Role::Writer => among(WRITERS).or_else(|| among(EVERYBODYS)),
    }
}

fn fits(values: Values, value: &str) -> bool {
    match values {
        Ignored | Switch => true,
        Number(least, most) => {
            value.bytes().all(|digit| digit.is_ascii_digit())
                && value.parse().is_ok_and(|number: u64| (least..=most).contains(&number))
        }
        Word(words) => words.contains(&value),
        Zone => {
            !value.contains("..")
                && value.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"/_+-".contains(&sign))
        }
        Sign => matches!(value.as_bytes(), [b'\\', b't'] | [b' '..=b'~'] | [b'\t']),
        Token => value.bytes().all(|sign| matches!(sign, b' '..=b'~') && !b"'\\".contains(&sign)),
    }
}

fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(64).collect();
    Failure::Statement {
        code: 115,
        text: format!(
            "Code: 115. DB::Exception: Setting '{name}' is not taken here: leave it out. (UNKNOWN_SETTING)"
        ),
    }
}

fn unfit(name: &str, value: &str) -> Failure {
    Failure::Statement {
        code: 452,
        text: format!(
            "Code: 452. DB::Exception: Setting {name} cannot be {value:?} here. (SETTING_CONSTRAINT_VIOLATION)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: Role, name: &str, value: &str, expected: Option<Option<&str>>) {
        let found = accepted(role, &[(name.to_owned(), value.to_owned())]);
        let expected = expected.map(|value| value.map(|value| (name.to_owned(), value.to_owned())));
        assert_eq!(found.ok(), expected.map(Vec::from_iter), "{role:?} {name} = {value:?}");
    }

    #[test]
    fn settings_that_reach_files_other_servers_or_limits_are_not_taken() {
        for name in [
            "format_schema",
            "format_schema_path",
            "output_format_schema",
            "format_template_row",
            "user_files_path",
            "max_memory_usage_for_user",
            "allow_experimental_codecs",
            "input_format_values_interpret_expressions",
            "default_table_engine",
            "parallel_distributed_insert_select",
            "s3_max_connections",
            "compile",
            "",
            "MAX_THREADS",
        ] {
            check(Role::Reader, name, "1", None);
            check(Role::Writer, name, "1", None);
        }
        check(Role::Reader, "insert_deduplication_token", "x", None);
        check(Role::Reader, "mutations_sync", "2", None);
    }

    #[test]
    fn a_session_sets_no_rights() {
        let set = |name: &str| kept(Role::Writer, &[(name.to_owned(), "0".to_owned())]);
        for name in RIGHTS {
            assert!(matches!(set(name), Err(Failure::Statement { code: 164, .. })), "{name}");
        }
        assert!(set("max_threads").is_ok());
    }

    #[test]
    fn values_are_what_they_may_be() {
        for role in [Role::Reader, Role::Writer] {
            check(role, "max_threads", "1", Some(Some("1")));
            check(role, "max_threads", "-1", None);
            check(role, "max_threads", "1'", None);
            check(role, "max_threads", "", None);
            check(role, "final", "true", Some(Some("1")));
            check(role, "final", "2", None);
            check(role, "session_timezone", "Europe/Berlin", Some(Some("Europe/Berlin")));
            check(role, "session_timezone", "../../etc/passwd", None);
            check(role, "session_timezone", "a'b", None);
            check(role, "date_time_output_format", "iso", Some(Some("iso")));
            check(role, "date_time_output_format", "it's", None);
            check(role, "format_csv_delimiter", ";", Some(Some(";")));
            check(role, "format_csv_delimiter", "\n", None);
            check(role, "max_result_rows", &"1".repeat(300), None);
            // What only changes how a client speaks to a server of its own has no effect.
            check(role, "readonly", "0", Some(None));
            check(role, "log_comment", "x", Some(None));
            check(role, "send_logs_level", "trace", Some(None));
        }
        check(Role::Writer, "insert_deduplication_token", "ab12-3/4", Some(Some("ab12-3/4")));
        check(Role::Writer, "insert_deduplication_token", "a'b", None);
        check(Role::Reader, "max_query_size", "1000000000000", Some(None));
        check(Role::Writer, "max_query_size", "1000000", Some(Some("1000000")));
        check(Role::Writer, "max_query_size", "1000000000000", None);
    }

    #[test]
    fn what_this_program_sends_beside_a_statement_is_taken_from_a_writer() {
        for audience in [Audience::Asker, Audience::Port] {
            let sent = limits::settings(audience);
            let stated: Vec<(String, String)> =
                sent.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            assert!(accepted(Role::Writer, &stated).is_ok(), "{stated:?}");
        }
    }

    #[test]
    fn no_setting_is_listed_twice() {
        for list in [EVERYBODYS, WRITERS] {
            let mut names: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
