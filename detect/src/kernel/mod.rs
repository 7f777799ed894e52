//! The Linux kernel's crash reports, and Xen's. The forms with which a report begins are rules (`rules/kernel.toml`);
//! what stands behind the first line is read here:
//!
//! - [`line`]: what stands in front of the kernel's own text,
//! - [`trace`]: functions in the lines of a report,
//! - [`blame`]: which of them is to blame: the first that is not the machinery that reports,
//! - [`report`]: all of it together.

pub mod blame;
pub mod line;
pub mod report;
pub mod trace;
