//! The unit of an insert: the rows of one block that go to one table's one daily partition. A unit is stored wholly
//! or not at all; several units are not atomic together, hence the plan.

/// The tables in the order in which a block's units are inserted. `Batches` is the ledger and comes last: what is in
/// it is stored everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Events, recognised and shipped.
    Events,
    /// Numeric readings.
    Samples,
    /// Which host ran which guest.
    Placement,
    /// Records.
    Logs,
    /// Batches that were set aside.
    Quarantine,
    /// The ledger.
    Batches,
}

impl Table {
    /// Every table, in the order of insertion.
    pub const ALL: [Table; 6] =
        [Table::Events, Table::Samples, Table::Placement, Table::Logs, Table::Quarantine, Table::Batches];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Table::Events => "events",
            Table::Samples => "samples",
            Table::Placement => "placement",
            Table::Logs => "logs",
            Table::Quarantine => "quarantine",
            Table::Batches => "batches",
        }
    }

    /// The column that decides a row's daily partition; none where the table has one partition.
    pub fn time_column(self) -> Option<&'static str> {
        match self {
            Table::Events | Table::Placement => Some("Start"),
            Table::Samples | Table::Logs => Some("Timestamp"),
            Table::Quarantine | Table::Batches => None,
        }
    }
}

/// A table and a day since 1970 (0 where the table is not partitioned). Units sort in the order of insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit {
    /// The table.
    pub table: Table,
    /// The day.
    pub day: i64,
}
