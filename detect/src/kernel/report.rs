//! The lines of one report, read for what decides whom it blames: stacks, instruction pointers, locks. Lines of other
//! CPUs and tasks that came in between are left out, where the kernel says who printed a line.

use std::fmt;

use lastwords_record::envelope::{self, Writer};

use super::{details::Details, line, line::Parts, trace};
use crate::fingerprint::plain_function;

/// Lines of one report that are looked at.
pub const LINES_MAX: usize = 1000;

/// Bytes of a line that are looked at.
const LINE_BYTES_MAX: usize = 1024;

/// Stacks, frames and other things that are kept: a stack that overflowed is named by its far end.
const ITEMS_MAX: usize = 2048;

/// Lines behind the beginning of a stack within which it has a frame.
const FRAME_WITHIN_LINES: usize = 15;

/// Something in a report that may name a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Frames follow.
    Stack(Stack),
    /// A function of a stack, of which the kernel is certain.
    Frame(String),
    /// An instruction pointer; no function where it points to none of the kernel's.
    Pointer(Option<String>),
    /// `at: function` of a lock.
    LockAt(String),
    /// `last function: function` or `workfn=function` of a work.
    LastFunction(String),
}

/// Whose a stack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// Of whoever printed the report.
    Own,
    /// Of who asked for the memory that leaked.
    Leak,
    /// Of who first had a lock in the way that is now a danger (`which became … at:`).
    Became,
    /// Of who was given the page last.
    LastGiven,
    /// Of what the CPU did when it trapped, behind what handled the trap.
    Trapped,
    /// Of who asked for, freed or stored a thing earlier.
    Earlier,
}

/// In what way a report is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrupted {
    /// The trace that belongs to it is missing.
    NoTrace,
    /// A trace begins, and no function follows.
    EmptyTrace,
    /// Another message, with a trace of its own, stands within.
    Mixed,
    /// Two lines run into one.
    Merged,
    /// The first line ends in the middle.
    Header,
    /// It is a consequence, and what led to it is not there.
    NoCause,
}

impl fmt::Display for Corrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTrace => "its trace is missing",
            Self::EmptyTrace => "a trace without functions",
            Self::Mixed => "another message with a trace stands within",
            Self::Merged => "two lines run into one",
            Self::Header => "the first line is not whole",
            Self::NoCause => "what led to it is missing",
        })
    }
}

/// What a report says behind its first line.
#[derive(Debug, Default)]
pub struct Report {
    /// In their order.
    pub items: Vec<Item>,
    /// Of the machine.
    pub details: Details,
    /// Lines, the first one included.
    pub lines: usize,
    /// Lines that were looked at, others' among them.
    pub looked_at: usize,
    /// Its last line says that it is the last.
    pub has_end: bool,
    /// How it is not whole.
    pub corrupted: Option<Corrupted>,
    /// The line before says that this one is of another place.
    elsewhere: bool,
    /// A frame was seen, were it only perhaps one.
    pub has_trace: bool,
    /// Stacks that have begun.
    stacks: usize,
    /// Lines since the first stack began, while it has no frame.
    empty_since: Option<usize>,
}

/// Who prints a report's lines.
enum Printer {
    /// A task or a CPU, which the kernel names.
    Caller(String),
    /// The kernel: its lines have its clock in front.
    Clock,
    /// Nothing tells.
    Anybody,
}

impl Printer {
    fn of(parts: &Parts<'_>) -> Self {
        match parts {
            Parts { caller, .. } if !caller.is_empty() => Self::Caller((*caller).to_owned()),
            Parts { clock: true, .. } => Self::Clock,
            _ => Self::Anybody,
        }
    }

    /// Whether it printed a line. CPUs that were asked where they are answer in their own names.
    fn printed(&self, parts: &Parts<'_>, cpus_asked: bool) -> bool {
        match self {
            Self::Caller(caller) => parts.caller == caller || (cpus_asked && parts.caller.starts_with('C')),
            Self::Clock => parts.clock && parts.caller.is_empty(),
            Self::Anybody => true,
        }
    }
}

/// Reads at most so many lines of a report, the first of which is its header.
pub fn read<'a>(lines: impl Iterator<Item = &'a [u8]>, lines_max: usize) -> Report {
    let mut report = Report::default();
    let mut printer = Printer::Anybody;
    let mut cpus_asked = false;
    let mut last_of_report = 0;
    'report: for (number, raw) in lines.take(lines_max.min(LINES_MAX)).enumerate() {
        report.looked_at = number + 1;
        let opened = envelope::open(raw);
        for (within, inner) in opened.text.split(|byte| *byte == b'\n').enumerate() {
            let text = line::shown(inner.get(..inner.len().min(LINE_BYTES_MAX)).unwrap_or_default());
            let mut parts = line::parts(&text);
            parts.clock |= opened.writer == Writer::Kernel && parts.caller.is_empty();
            let own = line::behind_xen(line::behind_program(parts.text));
            if number == 0 && within == 0 {
                printer = Printer::of(&parts);
                report.details.take(own.trim_start());
                if line::second_line(own).is_some() {
                    report.corrupted = Some(Corrupted::Merged);
                }
                continue;
            }
            if !printer.printed(&parts, cpus_asked) {
                continue;
            }
            cpus_asked |= own.contains("Sending NMI");
            if is_end(own) {
                last_of_report = number;
                report.has_end = true;
                break 'report;
            }
            if FOREIGN.iter().any(|words| own.contains(words)) && !matches!(printer, Printer::Caller(_)) {
                if !report.has_trace {
                    report.mark(Corrupted::Mixed);
                }
                break 'report;
            }
            if report.line(own) {
                last_of_report = number;
            }
        }
    }
    if report.empty_since.is_some() {
        report.mark(Corrupted::EmptyTrace);
    }
    report.lines = last_of_report + 1;
    report
}

impl Report {
    /// Whether it names any function.
    pub fn is_empty(&self) -> bool {
        self.items.iter().all(|item| matches!(item, Item::Stack(_) | Item::Pointer(None)))
    }

    /// Says in what way it is not whole; the first that was seen stays.
    pub fn mark(&mut self, corrupted: Corrupted) {
        self.corrupted.get_or_insert(corrupted);
    }

    /// Takes one line; whether it belongs to the report for certain.
    fn line(&mut self, text: &str) -> bool {
        let trimmed = text.trim_start();
        if std::mem::replace(&mut self.elsewhere, trimmed.starts_with("Preemption disabled at:")) {
            return true;
        }
        if let Some(since) = &mut self.empty_since {
            *since += 1;
            if *since > FRAME_WITHIN_LINES || trimmed.starts_with("(stack is not available)") {
                if *since > FRAME_WITHIN_LINES {
                    self.mark(Corrupted::EmptyTrace);
                }
                self.empty_since = None;
            }
        }
        if let Some(stack) = stack(trimmed) {
            if self.empty_since.is_some() {
                self.mark(Corrupted::EmptyTrace);
            }
            self.stacks += 1;
            self.empty_since = (self.stacks == 1).then_some(0);
            self.item(Item::Stack(stack));
            return true;
        }
        if let Some(frame) = trace::frame(text) {
            // The line before had the pointer's address alone.
            if trimmed.starts_with("EIP is at") && self.items.last() == Some(&Item::Pointer(None)) {
                self.items.pop();
            }
            self.frame(&frame);
            return true;
        }
        if trace::is_pointer(trimmed) {
            self.item(Item::Pointer(None));
            return true;
        }
        if let Some((_, at)) = text.split_once("at: ")
            && let Some((function, before)) = trace::symbol(at)
            && before.split_whitespace().all(trace::is_address)
        {
            self.item(Item::LockAt(plain_function(function).to_owned()));
            return true;
        }
        // The other, at the end of its line, since 2024.
        if let Some((_, function)) = text.split_once("last function: ").or(text.split_once(" workfn=")) {
            self.item(Item::LastFunction(function.trim().to_owned()));
            return true;
        }
        self.details.take(trimmed)
    }

    fn frame(&mut self, frame: &trace::Frame<'_>) {
        let function = plain_function(frame.function);
        if frame.pointer {
            return self.item(Item::Pointer(Some(function.to_owned())));
        }
        if frame.inline {
            return;
        }
        if function.starts_with("should_fail") {
            self.mark(Corrupted::Mixed);
        }
        // A frame that is only perhaps one shows that the trace is there.
        self.empty_since = None;
        self.has_trace = true;
        if frame.uncertain {
            return;
        }
        for name in [Some(function), frame.caller.map(plain_function)].into_iter().flatten() {
            // A line that names two functions names the second again on the next one.
            if frame.caller.is_none() || !matches!(self.items.last(), Some(Item::Frame(last)) if last == name)
            {
                self.item(Item::Frame(name.to_owned()));
            }
        }
    }

    fn item(&mut self, item: Item) {
        if self.items.len() < ITEMS_MAX {
            self.items.push(item);
        }
    }
}

/// Messages that have a trace of their own and are no report.
const FOREIGN: &[&str] =
    &["FAULT_INJECTION: forcing a failure", "vmalloc: allocation failure", "FAULT_FLAG_ALLOW_RETRY missing"];

/// The stack that begins behind a line.
fn stack(text: &str) -> Option<Stack> {
    let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if begins(&["Call Trace", "Call trace", "Backtrace:", "Xen call trace", "KDB: stack backtrace"]) {
        Some(Stack::Own)
    } else if begins(&["--- trap "]) {
        Some(Stack::Trapped)
    } else if begins(&["backtrace:", "backtrace (crc"]) {
        Some(Stack::Leak)
    } else if text.contains("which became ") && text.trim_end().ends_with("at:") {
        Some(Stack::Became)
    } else if text.starts_with("page last allocated") {
        Some(Stack::LastGiven)
    } else if begins(&[
        "Allocated by",
        "Allocated:",
        "Freed by",
        "Freed:",
        "allocated by",
        "freed by",
        "page last free",
        "Last potentially related",
        "Second to last potentially",
        "Uninit was",
        "Local variable",
    ]) || text.contains("to a HARDIRQ-irq-unsafe lock")
    {
        Some(Stack::Earlier)
    } else {
        None
    }
}

fn is_end(text: &str) -> bool {
    ["---[ end trace", "---[ end Kernel panic", "Rebooting in "].iter().any(|end| text.starts_with(end))
}
