//! Lines that rules found become events: what stands behind a report's first line is read, its further lines make no
//! events of their own, and what led to a panic is linked with it.

use std::{collections::VecDeque, sync::Arc};

use lastwords_record::envelope;

use crate::{
    fingerprint,
    found::{Found, Hit, titled},
    kernel::{
        blame::{self, Blame},
        line,
        report::{self, Corrupted, Report},
    },
    rules::Rule,
    runs::Runs,
};

/// Frames of a trace that an event carries.
const TRACE_FRAMES_MAX: usize = 64;

/// Lines behind a report's first one within which a detail belongs to it.
const DETAIL_LINES: u32 = 60;

/// Lines behind a report's prelude within which its first line stands.
const PRELUDE_LINES: u32 = 8;

/// Reports that go on beside each other, of different tasks and CPUs.
const RECENT_MAX: usize = 8;

/// Lines of Xen's dump between two headers of the same panic.
const XEN_DUMP_LINES: u32 = 200;

/// Lines behind a report within which a panic is its consequence.
const CAUSE_LINES: u32 = 2000;

/// Lines found behind a report's first one that are looked at for where it ends.
const NEXT_MAX: usize = 64;

/// Bytes before Xen's panic in which its dump is looked for.
const XEN_DUMP_BYTES: usize = 64 * 1024;

/// Lines are read for reports that a text of so many bytes would have, so that reports that are within each other don't
/// make work grow with their number's square; and at least so many.
const BYTES_PER_LINE_READ: usize = 8;
const LINES_READ_MIN: usize = 100_000;

/// Makes events of lines.
pub(crate) fn of_hits(rules: &[Rule], text: &[u8], hits: &[Hit], out: &mut Vec<Found>) {
    let mut recent: VecDeque<Last> = VecDeque::with_capacity(RECENT_MAX);
    let mut lines_left = text.len() / BYTES_PER_LINE_READ + LINES_READ_MIN;
    // The last that a panic or another death may follow from: its record, its line, its place among the events.
    let mut trouble: Option<(u32, u32, usize)> = None;
    let mut runs = Runs::default();
    for (number, hit) in hits.iter().enumerate() {
        let Some(rule) = rules.get(hit.rule) else { continue };
        if is_boot(rule) {
            recent.clear();
            trouble = None;
        }
        let near = |lines: u32, is: &dyn Fn(&Last) -> bool| {
            let last = recent.iter().find(|last| last.record == hit.record && is(last));
            last.filter(|last| hit.line - last.line <= lines)
        };
        let is_detail = rule.detail
            && near(DETAIL_LINES, &|last| same_caller(last.caller, &hit.caller))
                .is_some_and(|last| last.end.is_none_or(|end| hit.line <= end));
        let is_said = &*rule.class == XEN_PANIC && near(XEN_DUMP_LINES, &|last| last.xen_panic).is_some();
        if is_detail && let Some(last) = near(DETAIL_LINES, &|last| same_caller(last.caller, &hit.caller)) {
            complete(rules, out.get_mut(last.event), hit);
        }
        let next = hits.get(number + 1..).unwrap_or_default();
        if is_detail || is_said || is_followed(rules, rule, hit, next) {
            continue;
        }
        if runs.take(rules, rule, hit, out) {
            continue;
        }
        let mut found = Found {
            record: hit.record,
            line_start: hit.line,
            line_end: hit.line,
            class: Arc::clone(&rule.class),
            severity: rule.severity,
            title: hit.title.clone(),
            function: hit.function.clone(),
            fingerprint: 0,
            attributes: hit.captures.clone(),
            cause: None,
            rule: rule.id.clone(),
        };
        let mut frames = Vec::new();
        if let Some(how) = rule.blame {
            let mut report = Reading { rules, text, hits, number, hit, lines_left: &mut lines_left }
                .report(rule, how, &mut found);
            if rule.kernel && !hit.of_kernel && !report.has_trace {
                continue;
            }
            found.function = blame::blamed(&report, how, hit.function.as_deref(), rule.skip.as_ref());
            found.title = titled(found.title, found.function.as_deref());
            if !how.is_by_chance() {
                frames = blame::telling_frames(&report).into_iter().map(str::to_owned).collect();
            }
            if is_panic(rule) || died_before(text, hit, &report) {
                found.cause = trouble
                    .filter(|(record, line, _)| *record == hit.record && hit.line - line <= CAUSE_LINES)
                    .map(|(_, _, place)| place);
            }
            if rule.truncated {
                report.mark(Corrupted::Header);
            }
            if how.wants_trace() && !report.has_trace {
                report.mark(Corrupted::NoTrace);
            }
            if rule.consequence && found.cause.is_none() {
                report.mark(Corrupted::NoCause);
            }
            attributes(&mut found, &report);
            recent.truncate(RECENT_MAX - 1);
            recent.push_front(Last {
                record: hit.record,
                line: hit.line,
                end: report.has_end.then_some(found.line_end),
                caller: &hit.caller,
                xen_panic: &*rule.class == XEN_PANIC,
                event: out.len(),
            });
        }
        if rule.blame.is_some() || crate::is_under(&rule.class, "memory.oom_kill") {
            trouble = Some((hit.record, hit.line, out.len()));
        }
        let of_function: Vec<String> = found.function.iter().cloned().chain(frames).collect();
        found.fingerprint = fingerprint::of(&found.class, &rule.title, &of_function);
        runs.begin(rule, hit, out.len());
        out.push(found);
    }
}

/// A report before a line.
struct Last<'a> {
    record: u32,
    line: u32,
    /// Its last line, where that says so.
    end: Option<u32>,
    caller: &'a str,
    xen_panic: bool,
    /// Its place among the events.
    event: usize,
}

/// Adds to an event what a detail of it captures, where its title has a place for that.
fn complete(rules: &[Rule], event: Option<&mut Found>, hit: &Hit) {
    let Some(event) = event else { return };
    let Some(rule) = rules.iter().find(|rule| rule.id == event.rule) else { return };
    let before = event.attributes.len();
    for (name, value) in &hit.captures {
        let is_wanted = rule.title.contains(&format!("{{{name}"));
        if is_wanted && !event.attributes.iter().any(|(known, _)| known == name) {
            event.attributes.push((name.clone(), value.clone()));
        }
    }
    if event.attributes.len() > before {
        event.title = titled(rule.title_with(&event.attributes), event.function.as_deref());
    }
}

const XEN_PANIC: &str = "xen.panic";

fn is_panic(rule: &Rule) -> bool {
    &*rule.class == "kernel.panic" || &*rule.class == XEN_PANIC
}

fn is_boot(rule: &Rule) -> bool {
    &*rule.class == "host.boot"
}

/// Whether the report begins that a prelude stands before, or the line follows that says it better.
fn is_followed(rules: &[Rule], rule: &Rule, prelude: &Hit, next: &[Hit]) -> bool {
    let is_report = |next: &Hit| {
        next.record == prelude.record
            && next.line - prelude.line <= PRELUDE_LINES
            && same_caller(&prelude.caller, &next.caller)
            && rules.get(next.rule).is_some_and(|rule| rule.blame.is_some() && !is_panic(rule))
    };
    let is_better = |next: &Hit| rules.get(next.rule).is_some_and(|next| rule.prelude_of.contains(&next.id));
    (rule.prelude && next.first().is_some_and(is_report))
        || (!rule.prelude_of.is_empty()
            && next
                .iter()
                .take(BETTER_HITS)
                .take_while(|next| next.record == prelude.record && next.line - prelude.line <= BETTER_LINES)
                .any(is_better))
}

/// How far behind a line one stands that says it better: a whole list of processes may come in between.
const BETTER_LINES: u32 = 2000;
const BETTER_HITS: usize = 8;

/// Whether two lines may be of the same task or CPU.
fn same_caller(one: &str, other: &str) -> bool {
    one.is_empty() || other.is_empty() || one == other
}

/// Whether the kernel says that it has died before: `[#2]`, or the taint D in a report that is not the first death's.
fn died_before(text: &[u8], hit: &Hit, report: &Report) -> bool {
    let header = text.get(hit.start..hit.record_end).unwrap_or_default();
    let header = header.get(..header.len().min(HEADER_BYTES_MAX)).unwrap_or_default();
    let count = memchr::memmem::find(header, b"[#").and_then(|at| header.get(at + 2..)).unwrap_or_default();
    let again = count.first().is_some_and(u8::is_ascii_digit)
        && (count.first() != Some(&b'1') || count.get(1).is_some_and(u8::is_ascii_digit));
    again || report.details.get("taint").is_some_and(|taint| taint.contains('D'))
}

/// Bytes from a report's beginning in which the number of the death stands.
const HEADER_BYTES_MAX: usize = 256;

fn attributes(found: &mut Found, report: &Report) {
    for (name, value) in &report.details.attributes {
        if !found.attributes.iter().any(|(known, _)| known == name) {
            found.attributes.push((name.clone(), value.clone()));
        }
    }
    let mut trace = blame::trace(report);
    if !trace.is_empty() {
        trace.truncate(TRACE_FRAMES_MAX);
        found.attributes.push(("trace".to_owned(), trace.join("\n")));
    }
    if let Some(corrupted) = report.corrupted {
        found.attributes.push(("corrupted".to_owned(), corrupted.to_string()));
    }
}

/// A report that is to be read.
struct Reading<'a> {
    rules: &'a [Rule],
    text: &'a [u8],
    hits: &'a [Hit],
    /// Of the hit among `hits`.
    number: usize,
    hit: &'a Hit,
    /// Lines that may still be read for all reports of the text.
    lines_left: &'a mut usize,
}

/// What ends a report, besides a boot and what comes much later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The next report of the same task or CPU.
    Report,
    /// The next one that is not a panic.
    Other,
    /// Nothing else.
    Boot,
}

impl Reading<'_> {
    /// Reads it, and says in the event how far it goes.
    fn report(&mut self, rule: &Rule, how: Blame, found: &mut Found) -> Report {
        if how == Blame::Xen
            && let Some(dump) = self.xen_dump()
        {
            let before = self.text.get(dump..self.hit.start).unwrap_or_default();
            let lines = u32::try_from(memchr::memchr_iter(b'\n', before).count()).unwrap_or(0);
            found.line_start = self.hit.line.saturating_sub(lines);
            found.line_end = self.hit.line;
            self.xen_reason(found);
            return self.read(dump, Until::Report);
        }
        let mut report = self.read(self.hit.start, Until::Report);
        if report.is_empty() && !is_panic(rule) {
            // An old kernel's warning that panics prints its trace behind the panic.
            let lines = report.lines;
            report = self.read(self.hit.start, Until::Other);
            // One task's or CPU's report began another one before its own trace came.
            if report.is_empty() && !self.hit.caller.is_empty() {
                report = self.read(self.hit.start, Until::Boot);
            }
            report.lines = lines;
        }
        found.line_end = self.hit.line + u32::try_from(report.lines.saturating_sub(1)).unwrap_or(0);
        report
    }

    fn read(&mut self, start: usize, until: Until) -> Report {
        let text = self.text.get(start..self.end(until)).unwrap_or_default();
        let report = report::read(Lines { rest: text }, (*self.lines_left).max(1));
        *self.lines_left = self.lines_left.saturating_sub(report.looked_at);
        report
    }

    /// Where the report ends at the latest.
    fn end(&self, until: Until) -> usize {
        let followers =
            self.hits.iter().skip(self.number + 1).take_while(|next| next.record == self.hit.record);
        for (place, next) in followers.enumerate() {
            let Some(rule) = self.rules.get(next.rule) else { continue };
            let ends = match until {
                Until::Report => true,
                Until::Other => !is_panic(rule),
                Until::Boot => false,
            };
            let begins = rule.blame.is_some() && !rule.detail && !rule.prelude;
            let is_report = ends && begins && same_caller(&self.hit.caller, &next.caller);
            if is_report || is_boot(rule) || place >= NEXT_MAX {
                return next.start;
            }
        }
        self.hit.record_end
    }

    /// The line behind the header of Xen's panic says why.
    fn xen_reason(&self, found: &mut Found) {
        let text = self.text.get(self.hit.start..self.hit.record_end).unwrap_or_default();
        let Some(reason) = (Lines { rest: text }).nth(1) else { return };
        let opened = envelope::open(reason);
        let reason: &[u8] = &opened.text;
        let text = line::shown(reason.get(..reason.len().min(HEADER_BYTES_MAX)).unwrap_or_default());
        let parts = line::parts(&text);
        let reason = line::behind_xen(parts.text).trim();
        if parts.caller == line::XEN && !reason.is_empty() && !reason.starts_with('*') {
            found.title = format!("{}: {reason}", found.title);
            found.line_end += 1;
        }
    }

    /// Where Xen's dump begins that stands before its panic.
    fn xen_dump(&self) -> Option<usize> {
        let before = self.number.checked_sub(1).and_then(|before| self.hits.get(before));
        let line = before.map_or(0, |before| before.start).max(self.hit.record_start);
        let floor = line.max(self.hit.start.saturating_sub(XEN_DUMP_BYTES));
        let at = floor + memchr::memmem::rfind(self.text.get(floor..self.hit.start)?, b"----[ Xen-")?;
        let begin = memchr::memrchr(b'\n', self.text.get(floor..at)?).map(|end| floor + end + 1);
        begin.or((floor == line).then_some(line))
    }
}

/// Lines without their ends.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(line)
    }
}
