//! What a user's statement runs under. Nothing is cut silently: beyond a limit a statement fails.

use std::num::NonZero;
use std::thread::available_parallelism;

use super::Audience;

/// Bytes of a statement.
pub const TEXT_BYTES_MAX: usize = 200_000;
/// Seconds of a statement on the command line and over the HTTP API.
pub const ASKER_SECONDS_MAX: u64 = 120;
/// Seconds of a statement over the ClickHouse port.
pub const PORT_SECONDS_MAX: u64 = 60;
/// Bytes of memory of a statement.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Threads that a statement may ask for.
pub const THREADS_ASKED_MAX: u64 = 8;
/// Rows of a block. Between blocks a statement looks at its limits, so smaller ones end sooner; measured with 16,384
/// rows the usual statements take no more CPU time than with the engine's own 65,409, with 8,192 a fifth more.
pub const BLOCK_ROWS: u64 = 16_384;
/// Rows of a result over the ClickHouse port.
pub const RESULT_ROWS_MAX: u64 = 100_000_000;
/// Bytes of a result over the ClickHouse port.
pub const RESULT_BYTES_MAX: u64 = 16 << 30;

/// The settings of a statement, to be sent beside it.
pub fn settings(audience: Audience) -> Vec<(&'static str, String)> {
    let seconds = match audience {
        Audience::Asker => ASKER_SECONDS_MAX,
        Audience::Port => PORT_SECONDS_MAX,
    };
    let mut settings: Vec<(&'static str, String)> =
        FIXED.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    settings.extend([
        ("max_execution_time", seconds.to_string()),
        ("max_memory_usage", MEMORY_BYTES_MAX.to_string()),
        ("max_block_size", BLOCK_ROWS.to_string()),
        ("max_threads", threads().to_string()),
    ]);
    if audience == Audience::Port {
        settings.extend([
            ("max_result_rows", RESULT_ROWS_MAX.to_string()),
            ("max_result_bytes", RESULT_BYTES_MAX.to_string()),
            ("result_overflow_mode", "throw".to_owned()),
        ]);
    }
    settings
}

/// Threads that a statement has unless it asks for others: half of this machine's, so that one alone leaves room for what
/// else is to be done.
fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get).div_euclid(2).max(1)
}

/// Settings that are the same for all.
const FIXED: &[(&str, &str)] = &[
    ("readonly", "2"),
    ("allow_ddl", "0"),
    ("allow_introspection_functions", "0"),
    ("timeout_overflow_mode", "throw"),
    // Above what a statement can have that was let through.
    ("max_ast_depth", "1000"),
    ("max_ast_elements", "200000"),
    ("max_expanded_ast_elements", "500000"),
    ("max_subquery_depth", "50"),
    ("max_recursive_cte_evaluation_depth", "1000"),
    // Arrays that are made of nothing; functions that compare each with each take hours over ten millions.
    ("function_range_max_elements_in_block", "1000000"),
    // Groups and sorts beyond the memory go to disk; not without end.
    ("max_temporary_data_on_disk_size_for_query", "4294967296"),
    ("regexp_max_matches_per_row", "1000"),
    ("max_hyperscan_regexp_length", "1000"),
    ("max_hyperscan_regexp_total_length", "10000"),
    ("reject_expensive_hyperscan_regexps", "1"),
    // Whatever a table is, it is read here and now.
    ("allow_experimental_parallel_reading_from_replicas", "0"),
    ("use_query_cache", "0"),
    ("final", "0"),
    ("http_write_exception_in_output_format", "0"),
    ("output_format_json_quote_64bit_integers", "0"),
    // JSON is UTF-8, whatever bytes a line has.
    ("output_format_json_validate_utf8", "1"),
];
