//! What happened, recognised in log text. Pure. In flow order:
//!
//! - [`scan`]: one search of the whole text for literals; only lines that have one are looked at closer,
//! - `search`: that search,
//! - `provenance`, `second`, `found`: what is known of a record, of a line's time, of what was found,
//! - [`speaker`]: who says a line; what somebody repeats is no event,
//! - `events`: what was found becomes events; further lines of a report are read with it,
//! - `runs`: lines that are one event,
//! - [`kernel`]: a parser of the Linux kernel's (and Xen's) crash reports,
//! - [`rules`]: everything else, as data: built in (`rules/*.toml`) and users' own; `pattern`: their expressions,
//! - [`rule_files`]: users' own rules files, beside the built-in rules,
//! - [`check`]: rules against their own examples,
//! - [`classes`]: the tree of classes and the names that people use for them,
//! - `bugchecks`: the names of Windows' bug checks,
//! - [`template`]: a message with everything masked that differs from one time to the next,
//! - [`fingerprint`]: what is equal for equal crashes on different machines.

mod bugchecks;
pub mod check;
pub mod classes;
mod events;
pub mod fingerprint;
mod found;
pub mod kernel;
mod pattern;
mod provenance;
pub mod rule_files;
pub mod rules;
mod runs;
pub mod scan;
mod search;
mod second;
pub mod speaker;
pub mod template;

pub use classes::{ClassNames, is_under};
pub use found::Found;
pub use provenance::Provenance;
pub use rule_files::{RuleFiles, RuleFilesError};
pub use rules::RulesError;
pub use scan::{Detector, LogFound};
