//! The lines of one kernel crash make one record: a state machine over the lines of one source. Pure; it keeps
//! no text.
//!
//! Outside a group a line is looked at once, by a search for the words with which kernels begin a report
//! ([`words`]). Within a group a line belongs where it looks like a report's: a frame, a register, a table,
//! something indented. What does not is never taken for a part of it by its place alone:
//!
//! - A line that names a program or another machine is a record of its own between the group's lines, and so is one
//!   without the kernel's clock where the group's lines have it ([`Verdict::Between`]).
//! - A line of the kernel's, or of nobody known, waits ([`Verdict::Waits`]): it is the report's if a line that looks
//!   like a report's follows, else a record of its own.
//!
//! A group ends with the kernel's last words, before a boot (the kernel says so, or its clock begins anew), before a line
//! that is written more than [`GAP_MS`] after the group's last one, before another report where this one has said that
//! it is over, by the limits, or when the caller's patience ends ([`Grouper::close`]): last words have no next line that
//! would end them. Too many lines in a row that do not belong end it, too:
//!
//! - few ([`STRAY_LINES_MAX`]) where the stack has been seen already, or nothing but the first line has,
//! - more ([`UNFINISHED_LINES_MAX`]) where a report has begun in earnest and its stack is still to come,
//! - many where another caller of the kernel's wrote them ([`FOREIGN_LINES_MAX`]), or a program ([`NAMED_LINES_MAX`]).

mod gather;
mod shape;
mod words;

use crate::{
    envelope::Writer,
    limits::{GROUP_LINES_MAX, RECORD_BYTES_MAX},
};
pub use gather::Gatherer;
use shape::{Shape, Time, is_dump, is_frame, shape};
use words::{WORDS, Words};

/// What a line is to the group before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A record of its own. If a group was open, it was complete before this line.
    Alone,
    /// The first line of a group. If another one was open, it was complete before this line.
    Begins,
    /// A further line of the open group, and so are those that waited.
    Continues,
    /// The last line of the open group; those that waited are of it, too.
    Ends,
    /// A record of its own; the open group may go on behind it.
    Between,
    /// A line of the open group if that goes on, else a record of its own.
    Waits,
}

/// Lines in a row that don't look like a report's before a group counts as over.
const STRAY_LINES_MAX: u32 = 4;
/// The same while the report's stack is still to come.
const UNFINISHED_LINES_MAX: u32 = 16;
/// The same for lines of other callers of the kernel's.
const FOREIGN_LINES_MAX: u32 = 32;
/// The same for lines that are certainly others': they name who wrote them, or have no clock.
const NAMED_LINES_MAX: u32 = 256;
/// Milliseconds between two lines of a report, at most.
const GAP_MS: i64 = 10_000;
/// The same by the time that syslog writes in front of the kernel's clock: syslog may read late.
const READ_GAP_MS: i64 = 60_000;
/// Milliseconds that the kernel's clock goes back between lines of several CPUs, at most.
const CLOCK_DISORDER_MS: u64 = 1_000;

/// Follows the lines of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grouper {
    open: bool,
    /// The report has said that it is over.
    closing: bool,
    /// The kernel has panicked: a panic behind it is another one.
    panicked: bool,
    /// More than the first line looks like a report's.
    in_earnest: bool,
    /// A frame of its stack has come.
    stack: bool,
    /// Its lines name the kernel, as syslog and the journal write them: a line with another name is another's.
    named: bool,
    host: Option<u64>,
    /// When its last line was written, by the line and by the kernel's clock.
    time: Option<Time>,
    clock_ms: Option<u64>,
    caller: Option<u64>,
    /// Lines in a row that don't look like a report's: the kernel's own, and others.
    stray_lines: u32,
    foreign_lines: u32,
    lines: usize,
    bytes: usize,
}

impl Grouper {
    /// A grouper outside any group.
    pub fn new() -> Self {
        Grouper::default()
    }

    /// Whether a group is open: lines of it may still come.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Ends the open group: no further line will be waited for.
    pub fn close(&mut self) {
        *self = Grouper::default();
    }

    /// Judges the next line.
    #[inline]
    pub fn push(&mut self, line: &[u8]) -> Verdict {
        self.push_at(line, None)
    }

    /// Judges the next line of a source that says when it was written, in milliseconds since 1970.
    #[inline]
    pub fn push_at(&mut self, line: &[u8], time_ms: Option<i64>) -> Verdict {
        let Some(words) = WORDS.as_ref() else { return Verdict::Alone };
        if !self.open && !words.openings.is_match(line) {
            return Verdict::Alone;
        }
        let mut shape = shape(line);
        if let Some(time_ms) = time_ms {
            shape.time = Some(Time::at(time_ms));
        }
        if self.open { self.within(words, line, &shape) } else { self.begin(words, line, &shape) }
    }

    /// Judges a line before which no group is open.
    fn begin(&mut self, words: &Words, line: &[u8], shape: &Shape<'_>) -> Verdict {
        self.close();
        // What a program says about a crash is none.
        if !words.openings.is_match(line) || (shape.writer == Writer::Program && is_name(shape)) {
            return Verdict::Alone;
        }
        *self = Grouper {
            open: true,
            panicked: words.panics.is_match(line),
            named: shape.writer == Writer::Kernel && shape.clock_ms.is_none(),
            host: shape.host,
            time: shape.time,
            clock_ms: shape.clock_ms,
            caller: shape.caller,
            lines: 1,
            bytes: line.len(),
            ..Grouper::default()
        };
        Verdict::Begins
    }

    fn within(&mut self, words: &Words, line: &[u8], shape: &Shape<'_>) -> Verdict {
        let too_large = self.lines >= GROUP_LINES_MAX || self.bytes + line.len() + 1 > RECORD_BYTES_MAX;
        if too_large || self.is_late(shape) {
            return self.begin(words, line, shape);
        }
        let opening = words.openings.is_match(line);
        if self.is_anothers(shape) {
            // Another machine's report, or too much of others.
            let is_report = opening && shape.writer == Writer::Kernel;
            if is_report || self.foreign_lines >= NAMED_LINES_MAX {
                return self.begin(words, line, shape);
            }
            self.foreign_lines += 1;
            return self.keep(line, Verdict::Between);
        }
        if words.boot.is_match(line) || self.is_rebooted(words, shape) {
            return self.begin(words, line, shape);
        }
        // A report after one that is over is another one; but a panic is what the first has led to.
        let panics = words.panics.is_match(line);
        let is_sequel = words.sequels.is_match(line) && !(panics && self.panicked);
        let last_words = words.last_words.is_match(line);
        if opening && !last_words && !is_sequel && (self.closing || panics) {
            return self.begin(words, line, shape);
        }
        if opening || last_words || self.looks_like_a_report(words, shape) {
            (self.stray_lines, self.foreign_lines) = (0, 0);
            self.in_earnest = true;
            self.stack |= is_frame(shape.text());
            self.panicked |= panics;
            self.clock_ms = shape.clock_ms.or(self.clock_ms);
            self.time = shape.time.or(self.time);
            self.closing = (self.closing && !opening) || words.closings.is_match(line);
            let verdict = self.keep(line, if last_words { Verdict::Ends } else { Verdict::Continues });
            if last_words {
                self.close();
            }
            return verdict;
        }
        self.stray(words, line, shape)
    }

    /// Judges a line that does not look like a report's.
    fn stray(&mut self, words: &Words, line: &[u8], shape: &Shape<'_>) -> Verdict {
        let is_unclocked = self.clock_ms.is_some() && shape.clock_ms.is_none();
        let (count, count_max) = if is_unclocked || self.is_other_caller(shape) {
            let foreign_max = if is_unclocked { NAMED_LINES_MAX } else { FOREIGN_LINES_MAX };
            (&mut self.foreign_lines, if self.in_earnest { foreign_max } else { STRAY_LINES_MAX })
        } else {
            let unfinished = self.in_earnest && !self.stack;
            (&mut self.stray_lines, if unfinished { UNFINISHED_LINES_MAX } else { STRAY_LINES_MAX })
        };
        *count += 1;
        if self.closing || *count > count_max {
            return self.begin(words, line, shape);
        }
        self.keep(line, if is_unclocked { Verdict::Between } else { Verdict::Waits })
    }

    /// Counts a line that stays with the group, were it only for now.
    fn keep(&mut self, line: &[u8], verdict: Verdict) -> Verdict {
        self.lines += 1;
        self.bytes += line.len() + 1;
        verdict
    }

    /// Whether the line names another writer than the kernel, or another machine than the report's.
    fn is_anothers(&self, shape: &Shape<'_>) -> bool {
        let other_host = self.host.is_some() && shape.host.is_some() && self.host != shape.host;
        let program =
            shape.writer == Writer::Program && (shape.has_process || (self.named && is_name(shape)));
        other_host || program
    }

    /// Whether the line was written too long after the report's last one to belong to it.
    fn is_late(&self, shape: &Shape<'_>) -> bool {
        let by_clock = self.clock_ms.zip(shape.clock_ms).map(|(before, now)| now.saturating_sub(before));
        let by_line = self.time.zip(shape.time).and_then(|(before, now)| now.since(before));
        // The kernel's clock tells what it wrote at once, even where that was read late.
        let read_gap_ms = if by_clock.is_some() { READ_GAP_MS } else { GAP_MS };
        by_clock.is_some_and(|passed| passed > GAP_MS.unsigned_abs())
            || by_line.is_some_and(|passed| passed > read_gap_ms)
    }

    /// Whether the kernel's clock began anew. What looks like a report in the middle is none of a kernel that starts.
    fn is_rebooted(&self, words: &Words, shape: &Shape<'_>) -> bool {
        self.clock_ms.zip(shape.clock_ms).is_some_and(|(before, now)| {
            let back = now + CLOCK_DISORDER_MS < before;
            (now == 0 && before > 0)
                || (back && !is_frame(shape.text()) && !words.body.is_match(shape.text()))
        })
    }

    fn is_other_caller(&self, shape: &Shape<'_>) -> bool {
        self.caller.is_some() && shape.caller.is_some() && self.caller != shape.caller
    }

    fn looks_like_a_report(&self, words: &Words, shape: &Shape<'_>) -> bool {
        let text = shape.text();
        let indented = text.is_empty() || text.starts_with(b" ") || text.starts_with(b"\t");
        let is_foreign = (self.clock_ms.is_some() && shape.clock_ms.is_none()) || self.is_other_caller(shape);
        (indented && !is_foreign) || is_frame(text) || is_dump(text) || words.body.is_match(text)
    }
}

/// Whether what looks like a program's name is one: the kernel's words begin with capitals (`Nov 20 15:02:11 hv01 Oops: x`).
fn is_name(shape: &Shape<'_>) -> bool {
    shape.has_process || shape.begins_small
}

#[cfg(test)]
mod tests;
