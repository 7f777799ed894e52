//! The store: a ClickHouse server, or the engine in this process behind the same protocol.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;
use clickhouse::error::Error as ClientError;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::engine::{Engine, exception_code};
use crate::native::NativeBlock;
use crate::schema::{self, MigrateError};

/// The database that holds every table.
pub const DATABASE: &str = "lastwords";

/// Where a server is.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its HTTP address, e.g. `http://127.0.0.1:8123`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// How a block is inserted.
#[derive(Debug, Clone, Default)]
pub struct Inserting {
    /// A second insert under the same token stores nothing.
    pub token: Option<String>,
    /// After that the insert counts as failed, whatever the store still does with it.
    pub timeout: Option<Duration>,
    /// Further settings of the statement.
    pub settings: Vec<(String, String)>,
}

/// Why an insert failed. Whatever the reason, only reading back tells whether rows are stored.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum InsertError {
    #[error(
        "the store refused the block for {table} because it came too late or from before the store's start: {text}"
    )]
    TooLate { table: String, text: String },
    #[error("the store refused the block for {table}, and would again: {text}")]
    Refused { table: String, code: i32, text: String },
    #[error("the store could not take the block for {table} now: {text}")]
    Retryable { table: String, code: i32, text: String },
    #[error("no answer from the store to the insert into {table}: {text}")]
    Unanswered { table: String, text: String },
}

/// Why a query failed.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum QueryError {
    #[error("{text}")]
    Statement { code: i32, text: String },
    #[error("the store could not be reached: {0}")]
    Unreachable(String),
    #[error("the store's answer could not be read: {0}")]
    Answer(String),
}

impl QueryError {
    fn of(error: ClientError) -> QueryError {
        match error {
            ClientError::BadResponse(text) => {
                QueryError::Statement { code: exception_code(&text).unwrap_or(0), text }
            }
            ClientError::Network(source) => QueryError::Unreachable(source.to_string()),
            ClientError::TimedOut => QueryError::Unreachable("no answer in time".to_owned()),
            other => QueryError::Answer(other.to_string()),
        }
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    client: Client,
    outside: Client,
    engine: Option<Arc<Engine>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", if self.engine.is_some() { "embedded" } else { "remote" })
    }
}

impl Store {
    /// The engine in this process. To be called within a tokio runtime.
    pub fn embedded(engine: Arc<Engine>) -> Store {
        let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .build(memory::Connector::new(Arc::clone(&engine)));
        let outside = Client::with_http_client(http).with_url("http://embedded");
        Store { client: outside.clone().with_database(DATABASE), outside, engine: Some(engine) }
    }

    /// A server.
    pub fn remote(remote: &Remote) -> Store {
        let outside =
            Client::default().with_url(&remote.url).with_user(&remote.user).with_password(&remote.password);
        Store { client: outside.clone().with_database(DATABASE), outside, engine: None }
    }

    /// The engine, if it is in this process.
    pub fn engine(&self) -> Option<&Arc<Engine>> {
        self.engine.as_ref()
    }

    /// ClickHouse's official client, on our database.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Brings the schema up to date; says how many migrations were applied.
    pub async fn migrate(&self) -> Result<u32, MigrateError> {
        schema::migrate(self).await
    }

    /// Inserts a block; returns when it is on disk (the tables are set to fsync).
    pub async fn insert_native(
        &self,
        table: &str,
        block: NativeBlock,
        inserting: &Inserting,
    ) -> Result<(), InsertError> {
        if block.rows == 0 {
            return Ok(());
        }
        let sql = format!("INSERT INTO {table} ({}) FORMAT Native", block.columns.join(", "));
        let mut insert = self
            .client
            .insert_formatted_with(sql)
            // One block has to become one part: nothing may cut or merge it on its way.
            .with_setting("max_insert_block_size", "100000000")
            .with_setting("min_insert_block_size_rows", "0")
            .with_setting("min_insert_block_size_bytes", "0")
            // The text index is most of an insert's cost; merges build it.
            .with_setting("materialize_skip_indexes_on_insert", "0")
            .with_setting("async_insert", "0");
        if let Some(token) = &inserting.token {
            insert = insert
                .with_setting("insert_deduplicate", "1")
                .with_setting("insert_deduplication_token", token);
        }
        for (name, value) in &inserting.settings {
            insert = insert.with_setting(name, value);
        }
        insert = insert.with_timeouts(inserting.timeout, inserting.timeout);
        let failed = |error| InsertError::of(table, error);
        insert.send(block.bytes).await.map_err(failed)?;
        insert.end().await.map_err(failed)
    }

    /// Runs a statement without an answer.
    pub async fn execute(&self, sql: &str) -> Result<(), QueryError> {
        self.client.query_raw(sql).execute().await.map_err(QueryError::of)
    }

    /// Runs a statement without an answer and without our database, which need not exist yet.
    pub(crate) async fn execute_outside(&self, sql: &str) -> Result<(), QueryError> {
        self.outside.query_raw(sql).execute().await.map_err(QueryError::of)
    }

    /// An answer's bytes in the given format, chunk by chunk. `parameters` fill `{name:Type}` in the text.
    pub fn query_bytes(
        &self,
        sql: &str,
        parameters: &[(&str, &str)],
        format: &str,
        settings: &[(&str, &str)],
    ) -> Result<AnswerBytes, QueryError> {
        let mut query = self.client.query_raw(sql);
        for (name, value) in parameters {
            query = query.param(name, value);
        }
        for (name, value) in settings {
            query = query.with_setting(*name, *value);
        }
        query.fetch_bytes(format).map(AnswerBytes).map_err(QueryError::of)
    }

    /// The rows of a small answer. 64-bit integers come as numbers.
    pub async fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, QueryError> {
        self.rows_with(sql, &[]).await
    }

    /// The rows of a small answer to a statement with parameters.
    pub async fn rows_with<T: DeserializeOwned>(
        &self,
        sql: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<T>, QueryError> {
        // Bodies are bytes; what is not UTF-8 is replaced.
        let settings =
            [("output_format_json_quote_64bit_integers", "0"), ("output_format_json_validate_utf8", "1")];
        let bytes = self.query_bytes(sql, parameters, "JSONEachRow", &settings)?.collect().await?;
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|error| QueryError::Answer(error.to_string())))
            .collect()
    }

    /// Keeps rows for so many days from the time they were observed (events and placements: stored); none: for ever.
    /// The ledger and the quarantine are kept whatever is said.
    pub async fn retain(&self, days: Option<u32>) -> Result<(), QueryError> {
        #[derive(serde::Deserialize)]
        struct Table {
            engine_full: String,
        }
        for (table, since) in [
            ("logs", "toDateTime(ObservedTimestamp)"),
            ("samples", "toDateTime(ObservedTimestamp)"),
            ("events", "Planned"),
            ("placement", "Planned"),
        ] {
            let sql = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}";
            let tables: Vec<Table> = self.rows_with(sql, &[("database", DATABASE), ("table", table)]).await?;
            let Some(Table { engine_full }) = tables.first() else {
                return Err(QueryError::Answer(format!(
                    "table {table} is missing: the store has not been migrated"
                )));
            };
            // Changing a TTL rewrites parts; it is left alone where it is as wanted.
            match days {
                Some(days) if !engine_full.contains(&format!("+ toIntervalDay({days}) ")) => {
                    self.execute(&format!("ALTER TABLE {table} MODIFY TTL {since} + toIntervalDay({days})"))
                        .await?;
                }
                None if engine_full.contains(" TTL ") => {
                    self.execute(&format!("ALTER TABLE {table} REMOVE TTL")).await?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The store's clock in seconds, for the `Planned` of a new plan. In the first two seconds of the store's life it
    /// is ahead by up to two, since the store takes nothing that was planned before its start.
    pub async fn planning_time_s(&self) -> Result<u32, QueryError> {
        #[derive(serde::Deserialize)]
        struct Clock {
            planned: u32,
        }
        let rows: Vec<Clock> =
            self.rows("SELECT toUnixTimestamp(greatest(now(), now() - uptime() + 2)) AS planned").await?;
        rows.first()
            .map(|clock| clock.planned)
            .ok_or_else(|| QueryError::Answer("the store's clock gave no row".to_owned()))
    }
}

impl Store {
    /// Whether the store refuses every insert that was planned then, from now on: because it takes them for
    /// `lasts_s` seconds only, or because it has been started since (with a second to spare, since clocks of the
    /// store are whole seconds).
    pub async fn is_over(&self, planned_s: u32, lasts_s: u32) -> Result<bool, QueryError> {
        #[derive(serde::Deserialize)]
        struct Over {
            over: u8,
        }
        let sql = format!(
            "SELECT toUnixTimestamp(now()) > {planned_s} + {lasts_s} OR {planned_s} + 1 < toUnixTimestamp(now() - uptime()) AS over"
        );
        let rows: Vec<Over> = self.rows(&sql).await?;
        rows.first()
            .map(|row| row.over == 1)
            .ok_or_else(|| QueryError::Answer("the store's clock gave no row".to_owned()))
    }
}

/// An answer that is still coming.
pub struct AnswerBytes(clickhouse::query::BytesCursor);

impl std::fmt::Debug for AnswerBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerBytes")
    }
}

impl AnswerBytes {
    /// The next chunk, none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, QueryError> {
        self.0.next().await.map_err(QueryError::of)
    }

    /// All of it.
    pub async fn collect(mut self) -> Result<Bytes, QueryError> {
        self.0.collect().await.map_err(QueryError::of)
    }
}

/// ClickHouse's codes of errors that pass: memory and thread limits, too many parts or statements, disk, Keeper.
const PASSING: &[i32] = &[159, 160, 202, 209, 210, 236, 241, 242, 243, 252, 279, 319, 394, 439, 668, 999];
/// Code of a violated constraint.
const VIOLATED_CONSTRAINT: i32 = 469;

impl InsertError {
    fn of(table: &str, error: ClientError) -> InsertError {
        let table = table.to_owned();
        match error {
            ClientError::BadResponse(text) => match exception_code(&text) {
                Some(VIOLATED_CONSTRAINT) if text.contains("in_time") || text.contains("this_run") => {
                    InsertError::TooLate { table, text }
                }
                Some(code) if PASSING.contains(&code) => InsertError::Retryable { table, code, text },
                // Files and disks answer with text; a full disk passes.
                Some(code) if text.contains("No space left") => InsertError::Retryable { table, code, text },
                Some(code) => InsertError::Refused { table, code, text },
                None => InsertError::Unanswered { table, text },
            },
            other => InsertError::Unanswered { table, text: other.to_string() },
        }
    }
}
