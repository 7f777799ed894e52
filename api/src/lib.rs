//! The query service: one [`Service`], and its faces. In the order in which a request goes:
//!
//! - [`server`]: where requests come in: TCP, and the socket in the data folder
//! - [`access`]: who may ask, by a request's head alone (pure)
//! - [`v1`]: HTTP, a file a resource with its typed requests and replies, and the document of it all
//! - [`service`]: what can be asked of a store at hand
//! - [`ask`]: a question, or SQL, and its reply; [`known`]: what questions may name
//! - [`rows`]: SQL's rows as one document
//! - [`quarantine`], [`rescan`]: batches that were set aside; events looked for in what is stored
//! - `metrics`: how long answers take
//! - `patience`: readers that stop reading are let go
//! - [`problem`], [`status`]: why there is no answer, and the one table from that to HTTP and the command line
//! - [`client`]: asking another process, over its socket or TCP

pub mod access;
pub mod ask;
pub mod client;
pub mod known;
mod metrics;
mod patience;
pub mod problem;
pub mod quarantine;
pub mod rescan;
pub mod rows;
pub mod server;
pub mod service;
pub mod status;
pub mod v1;

use std::pin::Pin;

use bytes::Bytes;
use tokio_stream::Stream;

pub use ask::{Ask, Reply};
pub use client::Server;
pub use known::Known;
pub use problem::Problem;
pub use rows::RowFormat;
pub use service::Service;
pub use status::{Ending, Kind};
pub use v1::Api;

/// An answer's bytes as they come; they may break off.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Problem>> + Send>>;
