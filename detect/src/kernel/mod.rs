//! The Linux kernel's crash reports, and Xen's. The forms with which a report begins are rules (`rules/kernel.toml`);
//! what stands behind the first line is read here:
//!
//! - [`mod@line`]: what stands in front of the kernel's own text,
//! - [`trace`]: functions in the lines of a report,
//! - [`details`]: what it says about the machine,
//! - [`report`]: its lines, as stacks, pointers and locks,
//! - [`functions`]: which functions work for others, as data,
//! - [`blame`]: whom it blames, by kind of report.

pub mod blame;
pub mod details;
pub mod functions;
pub mod line;
pub mod report;
pub mod trace;
