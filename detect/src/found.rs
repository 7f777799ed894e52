//! What is found: lines by rules, and the events that they become.

use std::sync::Arc;

use lastwords_record::Severity;

use crate::second::Second;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The record's row.
    pub record: u32,
    /// The first line within the record, from 0.
    pub line_start: u32,
    /// The last line, inclusive.
    pub line_end: u32,
    /// What kind of thing happened.
    pub class: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, for people.
    pub title: String,
    /// The function to blame.
    pub function: Option<String>,
    /// Equal for equal events on different machines.
    pub fingerprint: u64,
    /// What the rule captures; of reports also kernel, taint, process, pid, cpu, hardware, modules, trace (functions, one
    /// a line), and `corrupted` with the reason where a report is not whole.
    pub attributes: Vec<(String, String)>,
    /// The index of the earlier event that led to this one.
    pub cause: Option<usize>,
    /// The rule that found it.
    pub rule: String,
}

/// A line that a rule found.
pub(crate) struct Hit {
    pub(crate) record: u32,
    pub(crate) line: u32,
    /// Where the line starts, and where its record starts and ends.
    pub(crate) start: usize,
    pub(crate) record_start: usize,
    pub(crate) record_end: usize,
    pub(crate) rule: usize,
    pub(crate) title: String,
    pub(crate) function: Option<String>,
    pub(crate) captures: Vec<(String, String)>,
    pub(crate) caller: String,
    /// The kernel's clock or name stands in front of the line.
    pub(crate) of_kernel: bool,
    /// The log that its record comes from.
    pub(crate) stream: u32,
    /// Its time.
    pub(crate) second: Option<Second>,
}

/// A title, and the function that is to blame, where it does not name it already.
pub(crate) fn titled(title: String, function: Option<&str>) -> String {
    match function {
        Some(function) if !title.contains(function) => format!("{title} in {function}"),
        _ => title,
    }
}
