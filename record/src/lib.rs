//! The pure domain of Lastwords, without I/O, in the order of a record's way:
//!
//! - [`frame`]: bytes into lines,
//! - [`encoding`]: UTF-16 into UTF-8,
//! - [`envelope`]: what transports put around a line,
//! - [`fields`]: what a line says about itself beside its time,
//! - [`group`]: the lines of one kernel crash into one record,
//! - [`stamp`]: when a line was written,
//! - [`record`]: what a record, sample, event, placement is,
//! - [`names`]: what machines may be called,
//! - [`batch`]: many records sealed once,
//! - [`limits`]: every maximum.

pub mod batch;
pub mod encoding;
pub mod envelope;
pub mod fields;
pub mod frame;
pub mod group;
pub mod limits;
pub mod names;
pub mod record;
mod source;
pub mod stamp;

pub use batch::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Full, Header, OpenError, OriginId, Records, SealError,
    ShipperId,
};
pub use names::NameError;
pub use record::{
    FOUND_BY, Guest, Host, Origin, Placement, RecordRef, Sample, Severity, ShipperEvent, TimeBasis,
    UnknownSeverity,
};
pub use source::{Source, UnknownSource};
