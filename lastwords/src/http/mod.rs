//! The HTTP API: `server` accepts and routes, `api` answers, `client` is how this binary asks another process.

pub mod api;
pub mod client;
pub mod server;
