//! Writes batches into the store, exactly once.
//!
//! The way of a block:
//! 1. `prepare`: a batch is opened and scanned; [`footprint`](Footprint) says what it will be, and whether it may (pure).
//! 2. `gather`: batches that came one by one are collected until a block is worth its insert; `turns` say whose is next, `pace`
//!    how long a block waits for company (both pure).
//! 3. `block`: their columns become units, one for each table and day; `events`: what was recognised in them.
//! 4. `intent`: what will be inserted is made durable.
//! 5. `drive`: a plan is carried out step by step, whichever way its block came; [`plan`] says which unit is inserted or
//!    read back next (pure); `attempt`: how long an attempt lasts, by the store's clock.
//! 6. `insert`: the blocks of the direct queue, one after the other.
//! 7. `memory`, `ledger`: what is stored, so that what comes again is not inserted again; `known`: whether it is
//!    the same that comes again; `renumber`: what it becomes where it is not, and nobody can be told; `gaps`: what
//!    is missing; `loss`: what is lost is told as an event; `books`: what is counted.
//!
//! `writer` puts the parts of the direct queue's writer together, `state` is what they share. Blocks of
//! [`kafka`](crate::kafka) and out of the [`quarantine`](crate::quarantine) take steps 1, 3 and 5 as well.

mod attempt;
mod block;
mod books;
mod drive;
mod envelope;
mod events;
mod footprint;
mod gaps;
mod gather;
mod insert;
mod intent;
mod known;
mod ledger;
pub(crate) mod loss;
mod memory;
#[cfg(test)]
mod model;
mod pace;
pub(crate) mod plan;
mod prepare;
mod prepared;
mod read_back;
mod renumber;
mod state;
mod turns;
mod unit;
mod writer;

pub(crate) use attempt::{PAUSES, attempt_over, planning_time_s};
pub use block::form;
pub(crate) use block::host_names;
pub(crate) use books::count_stored;
pub(crate) use drive::{Driver, Ended, Planned, Replanned};
pub use events::EventFound;
pub(crate) use events::FoundAgain;
pub use footprint::Footprint;
pub(crate) use gaps::{Gaps, gap_loss};
pub(crate) use gather::WAITING_BYTES;
pub use intent::IntentError;
pub(crate) use known::{KnownContents, prepared_is};
pub(crate) use ledger::Ledger;
pub(crate) use pace::Pace;
pub use prepare::prepare;
pub(crate) use prepare::{Bounds, prepare_within};
pub use prepared::{Aside, Prepared};
pub(crate) use read_back::remember_rows_without_ledger;
pub(crate) use state::{Broken, Shared, Submitted};
pub use turns::BlockLimits;
pub use unit::{Table, Unit};
pub use writer::StartError;
pub(crate) use writer::Writer;
