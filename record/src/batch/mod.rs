//! The sealed batch: many records of one shipper, packed once.
//!
//! # The envelope
//!
//! ```text
//! envelope = "LWB1" length header body
//! length   = u32, little endian: bytes of header
//! header   = lastwords.v1.BatchHeader, protobuf
//! body     = lastwords.v1.BatchBody, protobuf, compressed as header.compression says
//! ```
//!
//! An envelope counts as damaged ([`OpenError::Damaged`]) where
//! - it does not begin with the magic, or ends before its header does,
//! - the header is longer than [`HEADER_BYTES_MAX`](crate::limits::HEADER_BYTES_MAX) or no protobuf, its shipper
//!   is not 16 bytes long, its number is 0,
//! - the body's hash is not the header's, the body does not decompress to exactly the bytes that the header
//!   names, or is no protobuf,
//! - a column is shorter or longer than its section's first column, an index points outside its dictionary, or
//!   the texts' lengths do not add up to the text,
//! - the header counts other rows than there are, a source or severity is unknown, or the rows repeat more bytes of
//!   names (of hosts, guests, metrics …) than a body may have: such rows are small here and large in memory.
//!
//! A newer major version is no damage ([`OpenError::Version`]), nor is a size above the limits
//! ([`OpenError::TooLarge`]); both are refused before anything is allocated for the body.
//!
//! # What it may become
//!
//! Rows refer to names, attributes and origins by an index; in the store each row has them itself. [`stored`](mod@stored) defines
//! how many bytes that is, and [`limits`](crate::limits) how many may be; a batch beyond is refused
//! ([`OpenError::Grows`]) before a row of it is made. What decoding allocates is bounded in the same way, and before
//! it begins (`survey.rs`). Beyond the envelope a batch has bounds that its reader in the ingester checks:
//! - the days of its rows are at most [`BATCH_DAYS_MAX`](crate::limits::BATCH_DAYS_MAX): days in UTC of records' times,
//!   of samples' starts, of events' starts and of placements' starts, each corrected by the clock's offset; those of
//!   each of the four kinds are counted by themselves, and added up,
//! - what the shipper has seen by its own clock (the times at which records were read, records' own times where they
//!   are no others, samples, starts and ends of events) lies at most [`AHEAD_NS_MAX`](crate::limits::AHEAD_NS_MAX)
//!   after the sealing. Times that are written in a line or a table are kept, whatever they say.
//!
//! A builder ends a batch before it comes to any of these bounds, so that what it has made always opens.
//!
//! [`BatchBuilder`] packs, [`Batch::seal`] closes, [`Header::peek`] reads the header alone, [`Batch::open`] opens.

mod builder;
mod codec;
mod columns;
mod content;
mod days;
mod dictionary;
mod header;
mod identity;
mod reader;
pub mod stored;
mod survey;

pub use builder::{BatchBuilder, Full, OriginId};
pub use codec::SealError;
pub use columns::{Batch, Records};
pub use days::Days;
pub use header::{Compression, FORMAT_VERSION, Header, OpenError};
pub use identity::{BatchId, Clock, ShipperId};
