//! The lines behind the first one of a report: trace, instruction pointer, taint, version, process.

use super::{blame, line, trace};
use crate::fingerprint::plain_function;

/// Lines of one report that are looked at.
pub const LINES_MAX: usize = 1000;

/// Frames that are kept: a stack that overflowed is named by its far end.
const FRAMES_MAX: usize = 512;

/// How the function to blame is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// What the first line names, unless that is machinery; then the trace.
    Header,
    /// The instruction pointer, unless it is machinery; then the trace.
    Pointer,
    /// The first function of the trace that is not machinery.
    Stack,
    /// `at: function` of the first lock that is not machinery, else the trace.
    Lock,
    /// `at: function` of the first lock; where that is machinery, the trace.
    FirstLock,
    /// The first function of the trace that does not only hand out memory.
    Allocation,
    /// Where a task waits.
    Waiting,
    /// What an entry into the kernel called before it did not come back.
    Stall,
    /// Nobody: the report is about a state.
    Nobody,
}

/// What a report says behind its first line.
#[derive(Debug, Default)]
pub struct Report {
    /// Functions of the trace, innermost first, machinery included.
    pub frames: Vec<String>,
    /// The function at the instruction pointer.
    pub pointer: Option<String>,
    /// Functions behind `at:` of locks.
    pub locks: Vec<String>,
    /// Kernel version, taint, process, CPU, where the report names them.
    pub attributes: Vec<(String, String)>,
    /// Lines, the first one included.
    pub lines: usize,
    /// An interrupt's frame was seen: what stands above it is not what was interrupted.
    interrupted: Option<usize>,
    traces: usize,
    /// The line before says that this one is of another place.
    elsewhere: bool,
}

/// Reads the lines of a report; the first of them is its header.
pub fn read<'a>(lines: impl Iterator<Item = &'a [u8]>, how: Blame) -> Report {
    let mut report = Report::default();
    let mut caller = String::new();
    let mut last_of_report = 0;
    for (number, raw) in lines.take(LINES_MAX).enumerate() {
        let text = String::from_utf8_lossy(raw.get(..raw.len().min(1024)).unwrap_or_default());
        let parts = line::parts(&text);
        if number == 0 {
            parts.caller.clone_into(&mut caller);
            report.details(parts.text);
            continue;
        }
        // Another CPU's lines, unless it was asked to tell where it is.
        if how != Blame::Stall && !caller.is_empty() && !parts.caller.is_empty() && parts.caller != caller {
            continue;
        }
        let text = line::behind_program(parts.text);
        if is_end(text) {
            last_of_report = number;
            break;
        }
        if report.line(text, how) {
            last_of_report = number;
        }
    }
    report.lines = last_of_report + 1;
    report
}

impl Report {
    /// Takes one line; whether it belongs to the report for certain.
    fn line(&mut self, text: &str, how: Blame) -> bool {
        let trimmed = text.trim_start();
        if std::mem::replace(&mut self.elsewhere, trimmed.starts_with("Preemption disabled at:")) {
            return true;
        }
        if let Some(frame) = trace::frame(text) {
            let function = plain_function(frame.function);
            if frame.pointer {
                if self.pointer.is_none() {
                    self.pointer = Some(function.to_owned());
                }
                if how == Blame::Stall
                    && (self.frames.is_empty() || self.interrupted == Some(self.frames.len()))
                {
                    self.frames.push(function.to_owned());
                } else if how == Blame::Stall
                    && self.interrupted.is_none()
                    && self.frames.iter().any(|frame| blame::is_tick(frame))
                {
                    self.interrupted = Some(self.frames.len());
                    self.frames.push(function.to_owned());
                }
                return true;
            }
            if how == Blame::Stall
                && (function.contains("apic_timer_interrupt")
                    || function.ends_with("_interrupt")
                    || function == "el1_irq"
                    || function.starts_with("asm_sysvec"))
            {
                let above = self.frames.get(self.interrupted.unwrap_or(0)..).unwrap_or_default();
                if above.is_empty()
                    || (self.interrupted.is_none() && above.iter().any(|frame| blame::is_tick(frame)))
                {
                    self.interrupted = Some(self.frames.len());
                }
                return true;
            }
            let first_trace = self.traces <= 1
                || how == Blame::Stall
                || (matches!(how, Blame::Lock | Blame::FirstLock) && self.traces <= 2);
            if !frame.uncertain && self.frames.len() < FRAMES_MAX && first_trace {
                self.frames.push(function.to_owned());
            }
            return true;
        }
        if is_trace_begin(trimmed) {
            // Where a thing was allocated, or another process, is another trace.
            if self.frames.iter().any(|frame| !blame::is_machinery(frame)) || self.traces == 0 {
                self.traces += 1;
            }
            return true;
        }
        if is_other_trace(trimmed) && !self.frames.is_empty() {
            self.traces += 2;
            return true;
        }
        if let Some((_, at)) = text.split_once("at: ")
            && let Some((function, _)) = trace::symbol(at).or_else(|| {
                at.split_once(' ').filter(|(_, place)| place.contains(".c:") || place.contains(".h:"))
            })
        {
            self.locks.push(plain_function(function).to_owned());
            return true;
        }
        self.details(trimmed)
    }

    /// Version, taint, process and CPU.
    fn details(&mut self, text: &str) -> bool {
        let mut known = false;
        if let Some(at) = text.find("CPU: ") {
            known = true;
            self.word("cpu", text.get(at + 5..));
        }
        if let Some(at) = text.find("Comm: ") {
            known = true;
            self.word("process", text.get(at + 6..));
            for mark in ["Not tainted", "Tainted: "] {
                if let Some(tainted) = text.find(mark) {
                    let rest = text.get(tainted + mark.len()..).unwrap_or_default();
                    let rest = rest.split_once("RIP").map_or(rest, |(before, _)| before);
                    if mark == "Tainted: " {
                        let taint: Vec<&str> =
                            rest.split_whitespace().take_while(|word| word.len() == 1).collect();
                        self.put("taint", taint.join(""));
                    }
                    let version = rest.split_whitespace().find(|word| {
                        word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.')
                    });
                    self.put("kernel", version.unwrap_or_default().to_owned());
                    break;
                }
            }
        }
        known
            || [
                "Code: ",
                "RSP: ",
                "RAX: ",
                "RBP: ",
                "R10: ",
                "R13: ",
                "CR2: ",
                "CS: ",
                "FS: ",
                "DR0: ",
                "DR3: ",
                "Hardware name: ",
                "Modules linked in",
                "---[",
                "RIP: ",
                "RDX: ",
                "x29: ",
                "pstate: ",
                "Kernel Offset: ",
                "Rebooting in",
            ]
            .iter()
            .any(|begin| text.starts_with(begin))
    }

    fn word(&mut self, key: &str, text: Option<&str>) {
        let word = text.unwrap_or_default().split_whitespace().next().unwrap_or_default();
        self.put(key, word.to_owned());
    }

    fn put(&mut self, key: &str, value: String) {
        if !value.is_empty() && !self.attributes.iter().any(|(known, _)| known == key) {
            self.attributes.push((key.to_owned(), value));
        }
    }

    /// The function to blame.
    pub fn blamed(&self, how: Blame, header: Option<&str>) -> Option<String> {
        self.blamed_as_written(how, header).map(|function| blame::without_entry_prefix(&function).to_owned())
    }

    fn blamed_as_written(&self, how: Blame, header: Option<&str>) -> Option<String> {
        let stack = || self.frames.iter().find(|frame| !blame::is_machinery(frame)).cloned();
        let header = header.map(plain_function);
        let plausible =
            |name: Option<&str>| name.filter(|name| !blame::is_machinery(name)).map(str::to_owned);
        match how {
            Blame::Nobody => None,
            Blame::Header => plausible(header).or_else(stack).or_else(|| header.map(str::to_owned)),
            Blame::Pointer => {
                plausible(self.pointer.as_deref()).or_else(stack).or_else(|| self.pointer.clone())
            }
            Blame::Stack => {
                stack().or_else(|| plausible(self.pointer.as_deref())).or_else(|| header.map(str::to_owned))
            }
            Blame::Lock => self.locks.iter().find(|name| !blame::is_machinery(name)).cloned().or_else(stack),
            Blame::FirstLock => self
                .locks
                .first()
                .filter(|name| !blame::is_machinery(name))
                .cloned()
                .or_else(stack)
                .or_else(|| self.locks.iter().find(|name| !blame::is_machinery(name)).cloned()),
            Blame::Allocation => self
                .frames
                .iter()
                .find(|frame| !blame::is_machinery(frame) && !blame::is_allocation(frame))
                .cloned(),
            Blame::Waiting => {
                let frames: Vec<&str> = self.frames.iter().map(String::as_str).collect();
                blame::waiting(&frames).map(str::to_owned)
            }
            Blame::Stall => {
                let from = self.interrupted.unwrap_or(0);
                let frames: Vec<&str> = self
                    .frames
                    .iter()
                    .skip(from)
                    .map(String::as_str)
                    .filter(|frame| !blame::is_machinery(frame))
                    .collect();
                blame::stalled(&frames).map(str::to_owned)
            }
        }
    }
}

fn is_trace_begin(text: &str) -> bool {
    let text = text.trim_start();
    [
        "Call Trace",
        "Call trace",
        "Backtrace:",
        "backtrace:",
        "stack backtrace:",
        "Stack trace",
        "Xen call trace",
    ]
    .iter()
    .any(|begin| text.starts_with(begin))
}

/// Where else an object was used, or what else runs.
fn is_other_trace(text: &str) -> bool {
    [
        "Allocated by",
        "Freed by",
        "Last potentially related",
        "Uninit was",
        "Local variable",
        "Showing all locks",
        "NMI backtrace for cpu",
        "Memory state around",
        "The buggy address",
    ]
    .iter()
    .any(|begin| text.starts_with(begin))
        && !text.starts_with("NMI backtrace")
}

fn is_end(text: &str) -> bool {
    ["---[ end trace", "---[ end Kernel panic", "Rebooting in "].iter().any(|end| text.starts_with(end))
}
