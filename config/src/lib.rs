//! Configuration of any process: a file, environment variables and flags become one tree in which every value knows
//! where it was said. Each part of a process describes its keys once, as a struct; everything else follows from that.
//!
//! In flow order:
//!
//! - [`tree`]: values and where each was said,
//! - [`mod@file`]: a TOML text becomes a tree,
//! - [`rename`]: former names of keys,
//! - [`schema`]: which keys a struct has, and which variables set them,
//! - [`layers`]: the file, with variables over it and flags over both,
//! - [`read`]: a tree becomes the struct,
//! - [`shown`]: the struct becomes lines for people, each with where it was said,
//! - [`values`]: kinds of values that several parts have,
//! - [`error`]: what is wrong, and where,
//! - [`environment()`]: variables as a process has them.

mod environment;
pub mod error;
mod file;
pub mod layers;
mod read;
pub mod rename;
pub mod schema;
pub mod shown;
pub mod tree;
pub mod values;

pub use environment::environment;
pub use error::{ConfigError, Invalid};
pub use layers::{Layers, ShortNames};
pub use rename::{FormerNames, Notice};
pub use schema::{Key, Kind, PREFIX, Schema};
pub use shown::Shown;
pub use tree::{Origin, within as key_within};
pub use values::{FilePath, Hidden, Size};
