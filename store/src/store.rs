//! The store: a ClickHouse server, or the engine of a data folder behind the same protocol: in a process of its own, or
//! in this one.

mod audit;
pub mod codes;
mod connect;
mod contents;
mod error;
mod fold;
mod forward;
mod ledger;
mod memory;
mod options;
mod quarantine;
mod remote;
mod socket;
mod stored;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use clickhouse::Client;
use clickhouse::error::Error as ClientError;
use clickhouse::insert_formatted::InsertFormatted;
use clickhouse::query::{BytesCursor, Query};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use serde::de::DeserializeOwned;

pub use audit::{Audit, Depth, Shortfall};
pub use contents::Contents;
pub use error::{Class, InsertError, QueryError};
use error::{blames_address, never_sent};
pub use forward::ForwardError;
pub use ledger::{CHUNK, StoredContent, StoredLedger, StoredRange};
pub use options::{DATABASE, RemoteError, RemoteOptions};
pub use quarantine::{Quarantined, Settled};
use remote::{Endpoint, Endpoints};
pub use stored::{StoredBatch, StoredRecord};

use crate::engine::watchdog::{self, Ends};
use crate::engine::{Engine, EngineProcess};
use crate::http::{LANE_HEADER, Lane};
use crate::native::NativeBlock;

/// A statement that has run for longer when the engine's process ends under it may be the reason, and is not asked again.
const FRESH: Duration = Duration::from_secs(1);

/// Before a statement is asked again whose engine has ended.
const AFTER_END: Duration = Duration::from_millis(100);

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

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    endpoints: Arc<Endpoints>,
    engine: Option<Arc<Engine>>,
    process: Option<Arc<EngineProcess>>,
    forward: Option<Arc<forward::Forward>>,
    database: Arc<str>,
    cluster: Option<Arc<str>>,
    shard: u32,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls = self.endpoints.list.iter().map(|endpoint| endpoint.url.as_str());
        write!(f, "Store({})", urls.collect::<Vec<_>>().join(", "))
    }
}

fn parse_rows<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, QueryError> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).map_err(|error| QueryError::Answer(error.to_string())))
        .collect()
}

impl Store {
    /// The engine in this process. To be called within a tokio runtime.
    pub fn embedded(engine: Arc<Engine>) -> Store {
        watchdog::start(&engine, Ends::Nothing);
        let connector = memory::Connector::new(Arc::clone(&engine));
        let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .build(connector.clone());
        let outside = Client::with_http_client(http).with_url("http://embedded");
        let endpoint = Endpoint::new("embedded".to_owned(), outside, DATABASE);
        Store {
            endpoints: Arc::new(Endpoints::embedded(endpoint)),
            engine: Some(engine),
            process: None,
            forward: Some(Arc::new(forward::Forward::memory(connector))),
            database: DATABASE.into(),
            cluster: None,
            shard: 1,
        }
    }

    /// The engine in a process of its own. While it is being started again, statements wait for it within a bound; those
    /// that it had begun fail as if a server had been restarted. To be called within a tokio runtime.
    pub fn local(process: Arc<EngineProcess>) -> Store {
        let connector = socket::Connector::new(&process);
        let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .build(connector.clone());
        let outside = Client::with_http_client(http).with_url("http://engine");
        let endpoint = Endpoint::new("engine".to_owned(), outside, DATABASE);
        Store {
            endpoints: Arc::new(Endpoints::embedded(endpoint)),
            engine: None,
            process: Some(process),
            forward: Some(Arc::new(forward::Forward::socket(connector))),
            database: DATABASE.into(),
            cluster: None,
            shard: 1,
        }
    }

    /// A server. Nothing is sent yet. To be called within a tokio runtime.
    ///
    /// # Errors
    /// Where an address is none, or the certificates to be trusted cannot be read.
    pub fn remote(options: &RemoteOptions) -> Result<Store, RemoteError> {
        Ok(Store {
            endpoints: Arc::new(Endpoints::remote(options)?),
            engine: None,
            process: None,
            forward: None,
            database: options.database.as_str().into(),
            cluster: options.cluster.as_deref().map(Into::into),
            shard: options.shard,
        })
    }

    /// The engine, if it is in this process.
    pub fn engine(&self) -> Option<&Arc<Engine>> {
        self.engine.as_ref()
    }

    /// The same store, whose statements run in another lane: with that lane's places and limits. Servers that are not
    /// ours know no lanes.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Store {
        let endpoints = Arc::new(self.endpoints.with_header(LANE_HEADER, lane.name()));
        Store { endpoints, ..self.clone() }
    }

    /// The engine's process, if it has one of its own.
    pub fn process(&self) -> Option<&Arc<EngineProcess>> {
        self.process.as_ref()
    }

    /// The database that holds our tables.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The cluster, where the tables are Replicated and Distributed.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Hands a request to the engine's own handler, which lets it do everything: whoever calls this has checked the
    /// request. Path, query, headers and body go as they are. Where the answer (or the future before it) is dropped,
    /// the engine ends the statement.
    ///
    /// # Errors
    /// Where the store is a server elsewhere, or the engine does not answer.
    pub async fn forward<B>(&self, request: Request<B>) -> Result<Response<Incoming>, ForwardError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<forward::Failure>,
    {
        self.forward.as_deref().ok_or(ForwardError::Remote)?.send(request).await
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
        let mut failure = ClientError::TimedOut;
        for place in self.endpoints.order() {
            let Some(endpoint) = self.endpoints.list.get(place) else { continue };
            let insert = self.prepared(&endpoint.client, &sql, inserting);
            match send(insert, block.bytes.clone()).await {
                Ok(()) => {
                    self.endpoints.answered(place);
                    return Ok(());
                }
                Err(error) => {
                    self.note(place, &error);
                    let elsewhere = never_sent(&error);
                    failure = error;
                    // What has been sent in part may be stored: only reading back tells.
                    if !elsewhere {
                        break;
                    }
                }
            }
        }
        Err(InsertError::of(table, &failure))
    }

    fn prepared(&self, client: &Client, sql: &str, inserting: &Inserting) -> InsertFormatted {
        let mut insert = client
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
        if self.cluster.is_some() {
            // Through the Distributed table to one shard, whole, so that a block stays one part: sharding keys would
            // cut it. It is answered when the most of that shard's replicas have it.
            insert = insert
                .with_setting("insert_shard_id", self.shard.to_string())
                .with_setting("distributed_foreground_insert", "1")
                .with_setting("insert_quorum", "auto");
        }
        for (name, value) in &inserting.settings {
            insert = insert.with_setting(name, value);
        }
        insert.with_timeouts(inserting.timeout, inserting.timeout)
    }

    /// Looks at what an error says about the address.
    fn note(&self, place: usize, error: &ClientError) {
        if blames_address(error) {
            self.endpoints.failed(place, &error::explain(error));
        } else {
            self.endpoints.answered(place);
        }
    }

    /// Runs a statement without an answer.
    pub async fn execute(&self, sql: &str) -> Result<(), QueryError> {
        self.execute_with(sql, &[]).await
    }

    /// Runs a statement without an answer, with settings.
    pub async fn execute_with(&self, sql: &str, settings: &[(&str, &str)]) -> Result<(), QueryError> {
        self.execute_by(sql, settings, |endpoint| &endpoint.client).await
    }

    /// Runs a statement without an answer and without our database, which need not exist yet.
    pub(crate) async fn execute_outside(&self, sql: &str) -> Result<(), QueryError> {
        self.execute_by(sql, &[], |endpoint| &endpoint.outside).await
    }

    async fn execute_by(
        &self,
        sql: &str,
        settings: &[(&str, &str)],
        client: fn(&Endpoint) -> &Client,
    ) -> Result<(), QueryError> {
        let mut failure = ClientError::TimedOut;
        for place in self.endpoints.order() {
            let Some(endpoint) = self.endpoints.list.get(place) else { continue };
            let mut query = client(endpoint).query_raw(sql);
            for (name, value) in settings {
                query = query.with_setting(*name, *value);
            }
            match within(self.endpoints.answer_timeout, query.execute()).await {
                Ok(()) => {
                    self.endpoints.answered(place);
                    return Ok(());
                }
                Err(error) => {
                    self.note(place, &error);
                    let elsewhere = never_sent(&error);
                    failure = error;
                    if !elsewhere {
                        break;
                    }
                }
            }
        }
        Err(QueryError::of(&failure))
    }

    /// An answer's bytes in the given format, chunk by chunk. `parameters` fill `{name:Type}` in the text.
    pub fn query_bytes(
        &self,
        sql: &str,
        parameters: &[(&str, &str)],
        format: &str,
        settings: &[(&str, &str)],
    ) -> Result<AnswerBytes, QueryError> {
        let mut attempts = VecDeque::new();
        for place in self.endpoints.order() {
            let Some(endpoint) = self.endpoints.list.get(place) else { continue };
            let mut query = endpoint.client.query_raw(sql);
            for (name, value) in parameters {
                query = query.param(name, value);
            }
            for (name, value) in settings {
                query = query.with_setting(*name, *value);
            }
            // Nothing is sent before its first chunk is asked for.
            let fetch = |query: Query| query.fetch_bytes(format).map_err(|error| QueryError::of(&error));
            if self.process.is_some() {
                attempts.push_back((place, fetch(query.clone())?));
            }
            attempts.push_back((place, fetch(query)?));
        }
        Ok(AnswerBytes { store: self.clone(), attempts, begun: false, asked: None })
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
        parse_rows(&self.row_bytes(sql, parameters).await?)
    }

    /// The rows of an answer with very many, which are read on a thread of their own.
    pub(crate) async fn many_rows<T: DeserializeOwned + Send + 'static>(
        &self,
        sql: &str,
    ) -> Result<Vec<T>, QueryError> {
        let bytes = self.row_bytes(sql, &[]).await?;
        let reading = tokio::task::spawn_blocking(move || parse_rows(&bytes));
        reading.await.map_err(|error| QueryError::Answer(error.to_string()))?
    }

    async fn row_bytes(&self, sql: &str, parameters: &[(&str, &str)]) -> Result<Bytes, QueryError> {
        // Bodies are bytes; what is not UTF-8 is replaced.
        let settings =
            [("output_format_json_quote_64bit_integers", "0"), ("output_format_json_validate_utf8", "1")];
        self.query_bytes(sql, parameters, "JSONEachRow", &settings)?.collect().await
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
            let (stored, on_cluster) = self.stored_table(table);
            let tables: Vec<Table> =
                self.rows_with(sql, &[("database", &self.database), ("table", &stored)]).await?;
            let Some(Table { engine_full }) = tables.first() else {
                return Err(QueryError::Answer(format!(
                    "table {stored} is missing: the store has not been migrated"
                )));
            };
            // Changing a TTL rewrites parts; it is left alone where it is as wanted.
            match days {
                Some(days) if !engine_full.contains(&format!("+ toIntervalDay({days}) ")) => {
                    self.execute(&format!(
                        "ALTER TABLE {stored}{on_cluster} MODIFY TTL {since} + toIntervalDay({days})"
                    ))
                    .await?;
                }
                None if engine_full.contains(" TTL ") => {
                    self.execute(&format!("ALTER TABLE {stored}{on_cluster} REMOVE TTL")).await?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The table that keeps the rows of this one, and what a change of it has to say: on a cluster it lies under the
    /// Distributed one, on every server.
    fn stored_table(&self, table: &str) -> (String, String) {
        match &self.cluster {
            Some(cluster) => (format!("{table}_local"), format!(" ON CLUSTER '{cluster}'")),
            None => (table.to_owned(), String::new()),
        }
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
    /// `lasts_s` seconds only, or, where it is one server, because it has been started since (with a second to spare,
    /// since clocks of the store are whole seconds).
    pub async fn is_over(&self, planned_s: u32, lasts_s: u32) -> Result<bool, QueryError> {
        #[derive(serde::Deserialize)]
        struct Over {
            over: u8,
        }
        let one = self.endpoints.list.len() == 1 && self.cluster.is_none();
        let sql = format!(
            "SELECT toUInt8(toUnixTimestamp(now()) > {planned_s} + {lasts_s} \
             OR {one} AND {planned_s} + 1 < toUnixTimestamp(now() - uptime())) AS over"
        );
        let rows: Vec<Over> = self.rows(&sql).await?;
        rows.first()
            .map(|row| row.over == 1)
            .ok_or_else(|| QueryError::Answer("the store's clock gave no row".to_owned()))
    }
}

async fn send(mut insert: InsertFormatted, bytes: Bytes) -> Result<(), ClientError> {
    insert.send(bytes).await?;
    insert.end().await
}

/// Waits so long at most.
async fn within<T>(
    limit: Option<Duration>,
    running: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, running).await.unwrap_or(Err(ClientError::TimedOut)),
        None => running.await,
    }
}

/// An answer that is still coming.
pub struct AnswerBytes {
    store: Store,
    /// The address that is asked, and those that may be asked instead until the first chunk has come.
    attempts: VecDeque<(usize, BytesCursor)>,
    begun: bool,
    /// When the first chunk was asked for.
    asked: Option<Instant>,
}

impl std::fmt::Debug for AnswerBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerBytes")
    }
}

impl AnswerBytes {
    /// The next chunk, none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, QueryError> {
        let endpoints = &self.store.endpoints;
        let asked = *self.asked.get_or_insert_with(Instant::now);
        loop {
            let Some((place, cursor)) = self.attempts.front_mut() else { return Ok(None) };
            match within(endpoints.answer_timeout, cursor.next()).await {
                Ok(chunk) => {
                    if !self.begun {
                        endpoints.answered(*place);
                        self.begun = true;
                    }
                    return Ok(chunk);
                }
                Err(error) => {
                    self.store.note(*place, &error);
                    // Reading changes nothing: it can be done again, elsewhere or by the next engine.
                    let poison = self.store.process.is_some() && asked.elapsed() > FRESH;
                    if self.begun || poison || self.attempts.len() == 1 || !blames_address(&error) {
                        return Err(QueryError::of(&error));
                    }
                    self.attempts.pop_front();
                    if self.store.process.is_some() {
                        // All connections to an engine that ends are cut, but one after another: the next one would be.
                        tokio::time::sleep(AFTER_END).await;
                    }
                }
            }
        }
    }

    /// All of it.
    pub async fn collect(mut self) -> Result<Bytes, QueryError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}
