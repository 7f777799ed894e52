//! Expected by chance: is "K of n anchors within D of partners" more than chance and a shared clock?
//!
//! Moving anchors by whole days keeps their time of day, so it withstands a rhythm that both sides
//! share, but not bad days; moving them within a few multiples of D withstands bad days, but not a
//! schedule. A claim needs both. Everything here is pure: columns in, figures out.
//!
//! Stages, in order:
//! 1. [`windows`]: partners widen to the instants that count as near, merged per unit.
//! 2. [`episodes`]: anchors in order of unit and time; only the first of each episode is tested.
//! 3. [`days`]: the civil days of the range; matches of each day's anchors on every other day.
//! 4. [`cells`]: matches of each cell's anchors at 30 circular offsets within the cell.
//! 5. [`hosts`]: where days are too few, matches of each host's anchors on every other host.
//! 6. [`permute`] and [`tail`]: how often chance alone reaches what was seen.
//!
//! [`looked_at()`] tells beforehand where windows matter. [`discover`] asks it of many candidates at once; [`change`]
//! compares two sides of a moment, [`attributes`] machines with events and the others.

mod assessment;
pub mod attributes;
mod cells;
pub mod change;
mod days;
pub mod discover;
mod episodes;
mod exact;
mod hosts;
mod input;
mod judge;
mod looked_at;
mod permute;
mod random;
mod relation;
mod tail;
mod windows;

pub use assessment::{ALPHA, Assessment, Basis, Verdict};
pub use input::{Input, seed};
pub use judge::assess;
pub use looked_at::{LookedAt, looked_at};
pub use permute::days_needed;
pub use relation::Relation;
pub use windows::{Intervals, OPEN, Windows};
