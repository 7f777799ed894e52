//! The only crate that knows ClickHouse: its engine, its schema, its blocks and its statements.
//!
//! The way of rows into the store and of answers out of it:
//! 1. [`rows`]: one block type per table, which owns the names and types of the table's columns.
//! 2. [`native`]: columns become the bytes of ClickHouse's `Native` format, and bytes columns.
//! 3. [`store`]: the client of a server or of a data folder's engine; inserts, queries, migrations ([`schema`]).
//! 4. [`select`]: what is read: typed selections in, rows out.
//! 5. [`confine`]: users' SQL is read, checked against lists of what is allowed, and printed anew.
//! 6. [`http`]: ClickHouse's HTTP protocol, before the engine for this program, and on a port for everybody else.
//! 7. [`engine`]: libchdb's C API, found at run time; the process that it runs in, and its cage. The only unsafe code.

pub mod confine;
pub mod engine;
pub mod http;
pub mod native;
pub mod rows;
pub mod schema;
pub mod select;
pub mod store;

pub use clickhouse;
pub use engine::{
    Engine, EngineError, EngineOptions, EngineProcess, EngineState, ProcessOptions, prepare_exit,
};
pub use http::{Lane, Port, serve_http, serve_port};
pub use native::NativeBlock;
pub use schema::MigrateError;
pub use store::{
    AnswerBytes, Audit, CHUNK, Class, Contents, Depth, ForwardError, InsertError, Inserting, QueryError,
    RemoteError, RemoteOptions, Shortfall, Store, StoredContent, StoredLedger, StoredRange,
};
