//! How rows are written, and what that is called.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowFormat {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// One JSON array of objects.
    Json,
    /// Comma-separated values with a header line.
    Csv,
}

/// MIME type of a document.
pub(super) fn content_type(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Table => "text/plain; charset=utf-8",
        RowFormat::Jsonl => "application/x-ndjson",
        RowFormat::Json => "application/json",
        RowFormat::Csv => "text/csv; charset=utf-8",
    }
}

/// MIME type of a format of the engine's.
pub(super) fn stated_type(format: &str) -> &'static str {
    match format {
        "JSON" | "JSONColumns" | "JSONCompact" | "JSONCompactColumns" | "JSONCompactStrings"
        | "JSONStrings" => "application/json",
        _ if format.starts_with("JSON") || format == "NDJSON" => "application/x-ndjson",
        _ if format.starts_with("CSV") => "text/csv",
        _ => "application/octet-stream",
    }
}
