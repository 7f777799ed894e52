//! HTTP. A resource is a file with its typed requests and replies:
//!
//! - [`root`]: `GET /`, what this is
//! - [`query`]: `POST /api/v1/query`, a question or SQL
//! - [`complete`]: `GET /api/v1/complete`, what may stand at a place of a question
//! - [`store`]: `GET /api/v1/store`, what is in the store
//! - [`quarantine`]: `POST /api/v1/quarantine`, on the socket only
//! - [`rescan`]: `POST /api/v1/rescan`, on the socket only
//! - [`health`]: `GET /healthz`, `/readyz`, `/metrics`
//! - [`openapi`]: `GET /api/v1/openapi.json`, the document that is made of these files
//!
//! `api` judges requests and answers them; `routes` says which resource is where, `state` what they answer from;
//! `extract` reads requests within bounds, `reply` writes replies.

mod api;
pub mod complete;
mod extract;
pub mod health;
pub mod openapi;
pub mod quarantine;
pub mod query;
mod reply;
pub mod rescan;
pub mod root;
mod routes;
mod state;
pub mod store;

pub use api::Api;
pub use reply::{FOUND_HEADER, MATCHED_HEADER};
