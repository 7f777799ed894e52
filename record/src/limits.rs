//! Every system-wide maximum, in one place.

/// Bytes of a batch's body before compression. Chosen so that even a body that zstd cannot shrink, with its
/// header, stays below a default Kafka message (`message.max.bytes` = 1,048,588).
pub const BATCH_BODY_BYTES_MAX: usize = 960_000;
/// Bytes of a whole envelope: a batch above this is refused.
pub const ENVELOPE_BYTES_MAX: usize = 1_040_000;
/// Bytes of an envelope's header.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Records of a batch.
pub const BATCH_RECORDS_MAX: usize = 20_000;
/// Entries of a batch's dictionary.
pub const DICTIONARY_ENTRIES_MAX: usize = 65_536;
/// Bytes of a record's body; longer lines are cut into pieces.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a record's attributes, keys and values together.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// Lines of a group (a kernel crash with its stack).
pub const GROUP_LINES_MAX: usize = 2_000;
/// Bytes that a batch's rows become in the store, in all tables together, as
/// [`Batch::stored_bytes`](crate::Batch::stored_bytes) counts them. Some seventeen times a body: 20,000 short records
/// with a path each are 7 MB, a journal's with 25 fields each 8 MB. A builder ends a batch there.
pub const BATCH_STORED_BYTES_MAX: usize = 16 << 20;
/// The same for one batch that an operator takes out of the quarantine: old programs knew no bound.
pub const RETRY_STORED_BYTES_MAX: usize = 256 << 20;
/// Days of a batch's rows, those of each section counted by themselves: each is an insert of its own in the store, and
/// the days that a builder counts can become twice as many once they are corrected by the clock's offset.
pub const BATCH_DAYS_MAX: usize = 12;
/// Days at which a builder ends a batch.
pub const BUILT_DAYS_MAX: usize = BATCH_DAYS_MAX / 2;
/// How long after a batch's sealing what its shipper has seen by its own clock may lie: nanoseconds.
pub const AHEAD_NS_MAX: i64 = 86_400_000_000_000;
/// Bytes of a host's or guest's name.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a machine-id or UUID of whatever form old programs found.
pub const MACHINE_ID_BYTES_MAX: usize = 128;
