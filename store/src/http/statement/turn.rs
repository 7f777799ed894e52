//! A statement's turn at the engine: what it keeps until it has ended, its connection, and what comes of it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::running::Watched;
use crate::engine::{Connection, Engine, Statement, StatementError, Statistics};
use crate::http::encoding::Coding;
use crate::http::lanes::Lane;
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

/// A connection that is set up as the call wants it.
pub(super) fn prepared(call: &Call, turn: &Turn) -> Result<Connection, StatementError> {
    let mut connection = turn.engine.connect()?;
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

fn run_quietly(connection: &mut Connection, text: &str) -> Result<(), StatementError> {
    connection.run(&Statement { text: text.as_bytes(), format: FORMAT, parameters: &[] }).map(drop)
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}
