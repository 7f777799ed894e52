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
//! [`BatchBuilder`] packs, [`Batch::seal`] closes, [`Header::peek`] reads the header alone, [`Batch::open`] opens.

mod builder;
mod codec;
mod dictionary;
mod header;
mod identity;
mod reader;

pub use builder::{BatchBuilder, Full, OriginId};
pub use codec::{Batch, Records, SealError};
pub use header::{Compression, FORMAT_VERSION, Header, OpenError};
pub use identity::{BatchId, Clock, ShipperId};
