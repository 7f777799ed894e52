//! The `lastwords` binary's parts, in the order in which a command goes through them.
//!
//! - `args`: the command line as it was typed
//! - `config`: file, environment and flags, checked once
//! - `telemetry`: logs to stderr
//! - `commands`: one module a command
//! - `data`: the data folder and its lock
//! - `pipeline`: engine, store and direct queue, opened together on a data folder
//! - `port`: the ClickHouse port and its users
//! - `collect`: what the shipper is told to collect from this machine
//! - `output`, `outcome`: what is printed, and the exit code
//! - `demo`: the reconstruction that `lastwords demo` imports

pub mod args;
pub mod collect;
pub mod commands;
pub mod config;
pub mod data;
pub mod demo;
mod gate;
pub mod outcome;
pub mod output;
pub mod pipeline;
pub mod port;
pub mod telemetry;

pub use commands::run;
