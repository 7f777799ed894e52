//! What a user's statement runs under. Nothing is cut silently: beyond a limit a statement fails.

use super::Audience;

/// Bytes of a statement.
pub const TEXT_BYTES_MAX: usize = 200_000;
/// Seconds of a statement on the command line and over the HTTP API.
pub const ASKER_SECONDS_MAX: u64 = 300;
/// Seconds of a statement over the ClickHouse port.
pub const PORT_SECONDS_MAX: u64 = 60;
/// Bytes of memory of a statement.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Threads that a statement has unless it asks for others.
pub const THREADS: u64 = 2;
/// Threads that a statement may ask for.
pub const THREADS_ASKED_MAX: u64 = 8;
/// Rows of a block.
pub const BLOCK_ROWS: u64 = 65_536;
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
        ("max_threads", THREADS.to_string()),
    ]);
    settings
}

/// Settings that are the same for all.
const FIXED: &[(&str, &str)] = &[
    ("readonly", "2"),
    ("allow_ddl", "0"),
    ("allow_introspection_functions", "0"),
    ("timeout_overflow_mode", "throw"),
    ("max_ast_depth", "1000"),
    ("max_ast_elements", "200000"),
    ("max_expanded_ast_elements", "500000"),
    ("max_subquery_depth", "50"),
    ("max_recursive_cte_evaluation_depth", "1000"),
    ("function_range_max_elements_in_block", "10000000"),
    ("http_write_exception_in_output_format", "0"),
    ("output_format_json_quote_64bit_integers", "0"),
];
