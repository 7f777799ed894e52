//! A statement's turn at the engine: what it keeps until it has ended, its connection, and what comes of it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::running::Watched;
use crate::engine::{Connection, Engine, Statement, StatementError, Statistics};
use crate::http::encoding::Coding;
use crate::http::lanes::Lane;
use crate::http::multipart::External;
use crate::http::request::Call;
use crate::http::response::Chunks;

/// Chunks that wait for a slow client.
pub(super) const CHUNKS_WAITING: usize = 4;
/// Format of an answer for which nothing else was asked.
pub(super) const FORMAT: &str = "TabSeparated";

/// What the thread of a statement keeps until the statement has ended.
pub(super) struct Turn {
    pub(super) engine: Arc<Engine>,
    pub(super) lane: Lane,
    pub(super) mark: String,
    pub(super) _watched: Watched,
    pub(super) _place: OwnedSemaphorePermit,
}

/// An answer whose beginning is known.
pub(super) struct Started {
    pub(super) body: Body,
    pub(super) coding: Coding,
    pub(super) statistics: Statistics,
    pub(super) tag: String,
}

/// The answer's bytes.
pub(super) enum Body {
    Whole(Bytes),
    Coming(Chunks),
}

/// How `Dynamic` and `JSON` are written in `Native`.
const FLATTENED: &str = "output_format_native_use_flattened_dynamic_and_json_serialization";

/// A connection that is set up as the call wants it.
pub(super) fn prepared(call: &Call, turn: &Turn) -> Result<Connection, StatementError> {
    let mut connection = bring(turn.engine.connect()?, call, &turn.mark)?;
    // Times without a zone mean UTC, wherever the machine stands.
    let mut settings = "SET session_timezone = 'UTC'".to_owned();
    // The engine's own read-only mode also refuses a change of settings; it comes last.
    let mut readonly = if call.reads_only { 2 } else { 0 };
    for (name, value) in &call.settings {
        if name == "readonly" {
            readonly = readonly.max(value.parse().unwrap_or(1));
        } else if name != "log_comment" {
            settings.push_str(&format!(", {name} = '{}'", escape(value)));
        }
    }
    // Flattened they can be written anew for a revision; clients know the ways by a number in front.
    if call.revision > 0 && call.settings.iter().all(|(name, _)| name != FLATTENED) {
        settings.push_str(&format!(", {FLATTENED} = 1"));
    }
    settings.push_str(&format!(", log_comment = '{}'", turn.mark));
    run_quietly(&mut connection, &settings)?;
    if let Some(database) = &call.database {
        run_quietly(
            &mut connection,
            &format!("USE `{}`", database.replace('\\', "\\\\").replace('`', "\\`")),
        )?;
    }
    if readonly > 0 {
        run_quietly(&mut connection, &format!("SET readonly = {}", readonly.min(2)))?;
    }
    Ok(connection)
}

/// A longer statement is not looked at twice.
const DESCRIBED_BYTES_MAX: usize = 64 << 10;

/// The types in full of the columns that a statement answers with; none where they cannot be told.
pub(super) fn column_types(call: &Call, turn: &Turn) -> Vec<String> {
    let described = || {
        let text = std::str::from_utf8(&call.text).ok().filter(|text| text.len() <= DESCRIBED_BYTES_MAX)?;
        let text = format!("DESCRIBE TABLE ({}\n)", text.trim_end().trim_end_matches(';'));
        let statement =
            Statement { text: text.as_bytes(), format: "JSONCompactEachRow", parameters: &call.parameters };
        let answer = prepared(call, turn).ok()?.run(&statement).ok()?;
        let rows = std::str::from_utf8(answer.as_ref()).ok()?.lines();
        let types = rows.map(|row| {
            let row: Vec<serde_json::Value> = serde_json::from_str(row).ok()?;
            row.get(1)?.as_str().map(str::to_owned)
        });
        types.collect::<Option<Vec<String>>>()
    };
    described().unwrap_or_default()
}

/// What bounds the making of tables, too.
const OF_TABLES: &[&str] = &["max_execution_time", "max_memory_usage", "max_threads"];

/// Makes the tables that come with a statement, for the connection alone: within its limits, and before its settings
/// allow no tables any more.
fn bring(mut connection: Connection, call: &Call, mark: &str) -> Result<Connection, StatementError> {
    if call.external.is_empty() {
        return Ok(connection);
    }
    let bounds = call.settings.iter().filter(|(name, _)| OF_TABLES.contains(&name.as_str()));
    let bounds: String = bounds.map(|(name, value)| format!(", {name} = '{}'", escape(value))).collect();
    run_quietly(&mut connection, &format!("SET log_comment = '{mark}'{bounds}"))?;
    call.external.iter().try_fold(connection, make)
}

fn make(mut connection: Connection, table: &External) -> Result<Connection, StatementError> {
    let name = table.name.replace('\\', "\\\\").replace('`', "\\`");
    let made = format!("CREATE TEMPORARY TABLE `{name}` ({}) ENGINE = Memory", table.structure);
    run_quietly(&mut connection, &made)?;
    let mut insertion = connection.insert(&format!("INSERT INTO `{name}`"), &table.format)?;
    if !table.data.is_empty() {
        insertion.append(&table.data)?;
    }
    insertion.finish_and_go_on()
}

fn run_quietly(connection: &mut Connection, text: &str) -> Result<(), StatementError> {
    connection.run(&Statement { text: text.as_bytes(), format: FORMAT, parameters: &[] }).map(drop)
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}
