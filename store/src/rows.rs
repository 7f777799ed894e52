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

/// The daily partition that a time falls into: days since 1970, UTC. A block never crosses it.
pub fn day(time_ns: i64) -> i64 {
    time_ns.div_euclid(DAY_NS)
}

/// Time that `DateTime64(9)` can hold, nearest to the given one: not before 1970, since partitions are days since then.
pub fn storable(time_ns: i64) -> i64 {
    time_ns.max(0)
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
