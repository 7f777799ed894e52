//! The shipper: from the files and devices of one machine to acknowledged batches. Its stages, in flow order:
//!
//! - [`config`]: one TOML file, validated once,
//! - [`discover`]: which files there are,
//! - [`source`]: what is read: files, which can be read again, and feeds, which cannot,
//! - [`sample`]: numeric readings and their events, a feed,
//! - [`form`]: bytes into lines, groups, dated records, a batch,
//! - [`plan`]: what a batch was made of, durable before it is sent,
//! - [`shipper`]: the steps in their order; owns all of the above,
//! - [`uplink`]: sealed batches out, acknowledgements in,
//! - [`run`](run()): the steps driven by time, feeds and the uplink; [`serve_status`]: what it tells over HTTP,
//! - [`import`]: the same for finished files, by content.
//!
//! Beside them, [`status`]: how collecting goes; [`survey`]: what is meant and cannot be read; [`placement`]: who ran where, from what administrators have at hand; [`moment`]: now, by two clocks;
//! [`descriptors`]: how many files may be open; and [`zone`]: this machine's time zone.

pub mod config;
pub mod descriptors;
pub mod discover;
pub mod form;
pub mod import;
pub mod moment;
pub mod placement;
pub mod plan;
mod run;
pub mod sample;
mod serve;
pub mod shipper;
pub mod source;
mod stamp_memory;
pub mod status;
pub mod survey;
pub mod uplink;
pub mod zone;

pub use config::{ConfigError, ShipperConfig};
pub use import::{ImportError, ImportOptions, Imported, Input, Progress};
pub use run::{ShipperError, run, run_with_status};
pub use serve::serve_status;
pub use uplink::{Deliver, DeliverError, DeliverFuture, Delivered, Uplink};
