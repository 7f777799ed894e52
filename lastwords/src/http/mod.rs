//! The HTTP API: `server` accepts, `access` says who may ask, `api` answers, `reply` words it for HTTP, `patience`
//! lets go of readers that stop, `client` is how this binary asks another process.

pub mod access;
pub mod api;
pub mod client;
mod patience;
pub mod reply;
pub mod server;
