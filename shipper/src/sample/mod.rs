//! Numeric readings and the events that they amount to:
//!
//! - [`interfaces`]: what the kernel counts,
//! - [`saturation`]: thresholds with hysteresis; pure,
//! - [`direction`]: one direction of one interface: readings in, ten-second samples and events out; pure,
//! - [`network`]: the feed that reads every interface once a second,
//! - [`recorded`]: readings that somebody else wrote down, as JSON lines.

pub mod direction;
pub mod interfaces;
pub mod network;
pub mod recorded;
pub mod saturation;
