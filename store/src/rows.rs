//! One block type per table. They own the names, the types and the order of the columns.

mod batches;
mod events;
mod logs;
mod placement;
mod quarantine;
mod samples;

pub use batches::{BatchRow, BatchesBlock};
pub use events::{EventRow, EventsBlock};
pub use logs::{LogRow, LogsBlock};
pub use placement::{PlacementBlock, PlacementRow};
pub use quarantine::{QuarantineBlock, QuarantineRow};
pub use samples::{SampleRow, SamplesBlock};

/// Nanoseconds of one day.
pub const DAY_NS: i64 = 86_400_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;
/// The last second before 1970 is a day of its own: 1970 by its whole seconds, and yet before it.
const EVE: i64 = 1_000_000;

/// The day of a time, as a block's rows share one: days since 1970, UTC, of its whole seconds, as the engine's `toDate`
/// takes them (it cuts fractions off, which before 1970 is upwards). All rows of one day go to one partition of their
/// table, however that is partitioned: days that a `Date` can name (1970 to 2149) each by itself and all others together,
/// or, in tables of older programs, by days that wrap.
pub fn day(time_ns: i64) -> i64 {
    if -SECOND_NS < time_ns && time_ns < 0 { EVE } else { (time_ns / SECOND_NS).div_euclid(DAY_S) }
}

/// The first and the last nanosecond of a time's day.
pub fn day_span(time_ns: i64) -> (i64, i64) {
    let nanoseconds = |seconds: i64| seconds.saturating_mul(SECOND_NS);
    match day(time_ns) {
        EVE => (1 - SECOND_NS, -1),
        day if day < 0 => (
            (day * DAY_S - 1).checked_mul(SECOND_NS).map_or(i64::MIN, |before| before + 1),
            nanoseconds((day + 1) * DAY_S - 1),
        ),
        day => (nanoseconds(day * DAY_S), nanoseconds((day + 1) * DAY_S - 1).saturating_add(SECOND_NS - 1)),
    }
}

/// The same day as an expression over a column of type `DateTime64(9)`.
pub fn day_of_column(column: &str) -> String {
    format!(
        "if(toUnixTimestamp64Nano({column}) > -{SECOND_NS} AND toUnixTimestamp64Nano({column}) < 0, {EVE}, \
         toInt64(floor(intDiv(toUnixTimestamp64Nano({column}), {SECOND_NS}) / {DAY_S})))"
    )
}

/// Declares a block: its columns' fields, names and types, and how it is encoded.
macro_rules! block {
    ($(#[$doc:meta])* $name:ident, table $table:literal, { $($field:ident : $kind:ty = $new:expr => $column:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            rows: usize,
            $($field: $kind),*
        }

        impl $name {
            /// The table that takes the block.
            pub const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$($column),*];

            /// An empty block.
            pub fn new() -> Self {
                $name { rows: 0, $($field: $new),* }
            }

            /// Rows so far.
            pub fn rows(&self) -> usize {
                self.rows
            }

            /// True without rows.
            pub fn is_empty(&self) -> bool {
                self.rows == 0
            }

            /// The block in the `Native` format.
            pub fn encode(&self) -> crate::native::NativeBlock {
                let mut writer = crate::native::BlockWriter::new(Self::COLUMNS.len(), self.rows, self.size_hint());
                $(writer.column($column, &self.$field);)*
                crate::native::NativeBlock { bytes: writer.finish(), columns: Self::COLUMNS, rows: self.rows }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}
pub(crate) use block;
