//! Tables that a statement may read: ours, and what may be known of the store itself.

use super::names::{Name, quoted_name, quoted_text};
use super::parse::{self, Statement};
use super::refusal::Refusal;
use super::tree::Query;
use super::{Audience, settings};

/// Our tables that users read.
pub const TABLES: &[&str] =
    &["audits", "batches", "events", "logs", "placement", "quarantine", "ranges", "repairs", "samples"];
/// Our tables that users do not read.
pub(super) const HIDDEN: &[&str] = &["audits", "migrations", "ranges", "repairs"];

/// Columns of `logs`, those that are made of others included.
pub const LOGS_COLUMNS: &[&str] = &[
    "Body",
    "Class",
    "ClockOffset",
    "ClockUncertainty",
    "Epoch",
    "EventName",
    "Guest",
    "GuestUuid",
    "Host",
    "LogAttributes",
    "ObservedTimestamp",
    "Planned",
    "Program",
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "Row",
    "ScopeAttributes",
    "ScopeName",
    "ScopeSchemaUrl",
    "ScopeVersion",
    "Sequence",
    "ServiceName",
    "SeverityNumber",
    "SeverityText",
    "Shipper",
    "Source",
    "SpanId",
    "Template",
    "TimeBasis",
    "Timestamp",
    "TimestampWritten",
    "TraceFlags",
    "TraceId",
];
/// Columns that have parts, such as `LogAttributes.keys`.
pub(super) const PARTED_COLUMNS: &[&str] =
    &["Attributes", "End", "LogAttributes", "ResourceAttributes", "ScopeAttributes"];

/// `logs` as the OpenTelemetry exporter's table is called, with its columns and two of ours, for tools made for it.
const OTEL_LOGS: &str = "SELECT Timestamp, toDateTime(Timestamp) AS TimestampTime, TraceId, SpanId, TraceFlags, \
    SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName, \
    ScopeVersion, ScopeAttributes, LogAttributes, EventName, Host, Guest FROM logs";
/// The view's name.
pub(super) const OTEL_LOGS_NAME: &str = "otel_logs";

/// Table functions that only make rows.
pub(super) const TABLE_FUNCTIONS: &[&str] = &[
    "VALUES",
    "generateSeries",
    "generate_series",
    "null",
    "numbers",
    "numbers_mt",
    "values",
    "zeros",
    "zeros_mt",
];

/// A table of the store itself, as far as it may be known.
struct View {
    name: &'static str,
    audience: Audience,
    columns: &'static [&'static str],
    /// How its rows name our database, and our tables.
    database: Option<&'static str>,
    table: Option<&'static str>,
}

const VIEWS: &[View] = &[
    View {
        name: "parts",
        audience: Audience::Asker,
        columns: &[
            "active",
            "bytes_on_disk",
            "data_compressed_bytes",
            "data_uncompressed_bytes",
            "database",
            "level",
            "marks",
            "max_date",
            "max_time",
            "min_date",
            "min_time",
            "modification_time",
            "name",
            "part_type",
            "partition",
            "partition_id",
            "rows",
            "table",
        ],
        database: Some("database"),
        table: Some("table"),
    },
    View {
        name: "detached_parts",
        audience: Audience::Asker,
        columns: &["database", "name", "partition_id", "reason", "table"],
        database: Some("database"),
        table: Some("table"),
    },
    View {
        name: "databases",
        audience: Audience::Port,
        columns: &["comment", "engine", "name"],
        database: Some("name"),
        table: None,
    },
    View {
        name: "tables",
        audience: Audience::Port,
        columns: &[
            "comment",
            "database",
            "engine",
            "is_temporary",
            "name",
            "partition_key",
            "primary_key",
            "sampling_key",
            "sorting_key",
            "table",
            "total_bytes",
            "total_rows",
        ],
        database: Some("database"),
        table: Some("name"),
    },
    View {
        name: "columns",
        audience: Audience::Port,
        columns: &[
            "character_octet_length",
            "comment",
            "compression_codec",
            "data_compressed_bytes",
            "data_uncompressed_bytes",
            "database",
            "datetime_precision",
            "default_expression",
            "default_kind",
            "is_in_partition_key",
            "is_in_primary_key",
            "is_in_sampling_key",
            "is_in_sorting_key",
            "name",
            "numeric_precision",
            "numeric_precision_radix",
            "numeric_scale",
            "position",
            "table",
            "type",
        ],
        database: Some("database"),
        table: Some("table"),
    },
    View {
        name: "settings",
        audience: Audience::Port,
        columns: &["changed", "default", "description", "max", "min", "name", "readonly", "type", "value"],
        database: None,
        table: None,
    },
    View {
        name: "functions",
        audience: Audience::Port,
        columns: &["alias_to", "case_insensitive", "description", "is_aggregate", "name", "origin"],
        database: None,
        table: None,
    },
    View {
        name: "data_type_families",
        audience: Audience::Port,
        columns: &["alias_to", "case_insensitive", "name"],
        database: None,
        table: None,
    },
    View { name: "one", audience: Audience::Port, columns: &["dummy"], database: None, table: None },
];

/// A table of the store's own database, as a SELECT of what may be known of it.
pub(super) fn view(name: &str, database: &str, audience: Audience) -> Option<Result<Query, Refusal>> {
    let view = VIEWS.iter().find(|view| view.name == name)?;
    if view.audience == Audience::Port && audience == Audience::Asker {
        return None;
    }
    let mut text = format!("SELECT {} FROM system.{name}", view.columns.join(", "));
    let mut conditions = Vec::new();
    if let Some(column) = view.database {
        conditions.push(format!("{column} = {}", quoted_text(database.as_bytes())));
    }
    if let Some(column) = view.table {
        conditions.push(format!("{column} IN ('{}')", TABLES.join("', '")));
    }
    if name == "settings" {
        let names: Vec<&str> = settings::names().collect();
        conditions.push(format!("name IN ('{}')", names.join("', '")));
    }
    if !conditions.is_empty() {
        text = format!("{text} WHERE {}", conditions.join(" AND "));
    }
    Some(query(&text))
}

/// One of our views by its name, as the SELECT that it stands for; none where it is no view.
pub(super) fn named_view(parts: &[Name], database: &str) -> Option<Result<Query, Refusal>> {
    let name = match parts {
        [only] => only,
        [given, name] if given.text == database => name,
        _ => return None,
    };
    let from = format!("FROM {}.`logs`", quoted_name(database));
    (name.text == OTEL_LOGS_NAME).then(|| query(&OTEL_LOGS.replace("FROM logs", &from)))
}

/// What `SHOW TABLES` asks.
pub(super) fn show_tables(database: &str) -> Result<Query, Refusal> {
    let database = quoted_text(database.as_bytes());
    query(&format!(
        "SELECT name FROM system.tables WHERE database = {database} AND name IN ('{}') ORDER BY name",
        TABLES.join("', '")
    ))
}

/// What `SHOW DATABASES` asks.
pub(super) fn show_databases(database: &str) -> Result<Query, Refusal> {
    query(&format!("SELECT {} AS name", quoted_text(database.as_bytes())))
}

fn query(text: &str) -> Result<Query, Refusal> {
    match parse::statement(text)?.statement {
        Statement::Select(query) => Ok(query),
        _ => Err(Refusal::new("Wanted a SELECT.", super::refusal::Place::default())),
    }
}
