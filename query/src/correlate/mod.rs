//! Which events are near which, and which of them meet all conditions. Pure: columns in, hits out.
//!
//! 1. [`placement`]: the host that ran a guest then, and what hosts were like.
//! 2. [`scope`]: the unit on which events are compared.
//! 3. [`sweep`]: one pass over both sides finds who is near whom.
//! 4. [`comparison`]: one condition, whose partners come piece by piece.
//! 5. [`conditions`]: all conditions of a question, one after the other.

pub mod comparison;
pub mod conditions;
pub mod placement;
pub mod scope;
pub mod sweep;
