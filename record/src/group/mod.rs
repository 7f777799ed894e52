//! The lines of one kernel crash make one record: a state machine over the lines of one source. Pure; it keeps
//! no text.
//!
//! Outside a group a line is looked at once, by a search for the words with which kernels begin a report
//! ([`words`]). Within a group a line belongs where it looks like a report's: a frame, a register, a table,
//! something indented. Other lines stay in it as long as the report goes on; too many of them in a row end it:
//!
//! - few ([`STRAY_LINES_MAX`]) where the stack has been seen already, or nothing but the first line has,
//! - more ([`UNFINISHED_LINES_MAX`]) where a report has begun in earnest and its stack is still to come,
//! - many ([`FOREIGN_LINES_MAX`]) where they come from elsewhere: programs that write to the same console, another
//!   caller of the kernel's. In syslog's files lines are whole records of others, so that there few are enough,
//! - one where the report has said that it is over.
//!
//! A group also ends with the kernel's last words, before a boot, before another report that the kernel's clock puts
//! more than [`GAP_MS`] later, by the limits, or when the caller's patience ends ([`Grouper::close`]): last words
//! have no next line that would end them.

mod shape;
mod words;

use crate::limits::{GROUP_LINES_MAX, RECORD_BYTES_MAX};
use shape::{Shape, is_dump, is_frame, shape};
use words::{WORDS, Words};

/// What a line is to the group before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A record of its own. If a group was open, it was complete before this line.
    Alone,
    /// The first line of a group. If another one was open, it was complete before this line.
    Begins,
    /// A further line of the open group.
    Continues,
    /// The last line of the open group.
    Ends,
}

/// Lines in a row that don't look like a report's before a group counts as over.
const STRAY_LINES_MAX: u32 = 4;
/// The same while the report's stack is still to come.
const UNFINISHED_LINES_MAX: u32 = 16;
/// The same for lines that come from elsewhere.
const FOREIGN_LINES_MAX: u32 = 32;
/// Milliseconds of the kernel's clock between two lines of a report, at most.
const GAP_MS: u64 = 10_000;

/// Follows the lines of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grouper {
    open: bool,
    /// The report has said that it is over.
    closing: bool,
    /// More than the first line looks like a report's.
    in_earnest: bool,
    /// A frame of its stack has come.
    stack: bool,
    /// Its lines come by way of syslog.
    syslog: bool,
    /// The kernel's clock at its last line.
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
    pub fn push(&mut self, line: &[u8]) -> Verdict {
        let Some(words) = WORDS.as_ref() else { return Verdict::Alone };
        if self.open { self.within(words, line) } else { self.outside(words, line) }
    }

    fn outside(&mut self, words: &Words, line: &[u8]) -> Verdict {
        if !words.openings.is_match(line) {
            return Verdict::Alone;
        }
        let Shape { clock_ms, caller, syslog, .. } = shape(line);
        let (lines, bytes) = (1, line.len());
        *self = Grouper { open: true, syslog, clock_ms, caller, lines, bytes, ..Grouper::default() };
        Verdict::Begins
    }

    fn within(&mut self, words: &Words, line: &[u8]) -> Verdict {
        let too_large = self.lines >= GROUP_LINES_MAX || self.bytes + line.len() + 1 > RECORD_BYTES_MAX;
        if too_large || words.boot.is_match(line) {
            self.close();
            return self.outside(words, line);
        }
        let shape = shape(line);
        let opening = words.openings.is_match(line);
        // A report after one that is over, or long after it, is another one; but a panic is what the first has led to.
        if opening && (self.closing || self.is_late(&shape)) && !words.sequels.is_match(line) {
            self.close();
            return self.outside(words, line);
        }
        if opening || self.looks_like_a_report(words, &shape) {
            (self.stray_lines, self.foreign_lines) = (0, 0);
            self.in_earnest = true;
            self.stack |= is_frame(shape.text);
            self.clock_ms = shape.clock_ms.or(self.clock_ms);
        } else if self.ends_before(&shape) {
            self.close();
            return Verdict::Alone;
        }
        self.lines += 1;
        self.bytes += line.len() + 1;
        if words.last_words.is_match(line) {
            self.close();
            return Verdict::Ends;
        }
        self.closing = (self.closing && !opening) || words.closings.is_match(line);
        Verdict::Continues
    }

    /// Counts a line that does not look like a report's; whether that is one too many.
    fn ends_before(&mut self, shape: &Shape<'_>) -> bool {
        if self.is_foreign(shape) {
            self.foreign_lines += 1;
        } else {
            self.stray_lines += 1;
        }
        let stray_lines_max =
            if self.in_earnest && !self.stack { UNFINISHED_LINES_MAX } else { STRAY_LINES_MAX };
        let foreign_lines_max =
            if self.in_earnest && !self.syslog { FOREIGN_LINES_MAX } else { STRAY_LINES_MAX };
        self.closing
            || self.is_late(shape)
            || self.stray_lines > stray_lines_max
            || self.foreign_lines > foreign_lines_max
    }

    /// Whether the kernel's clock says that this line has nothing to do with the one before.
    fn is_late(&self, shape: &Shape<'_>) -> bool {
        let (Some(before), Some(now)) = (self.clock_ms, shape.clock_ms) else { return false };
        now.saturating_sub(before) > GAP_MS
    }

    /// Whether another one than the report's writer wrote this line: a program, where the kernel writes its clock, or
    /// another caller.
    fn is_foreign(&self, shape: &Shape<'_>) -> bool {
        (self.clock_ms.is_some() && shape.clock_ms.is_none())
            || (self.caller.is_some() && shape.caller.is_some() && self.caller != shape.caller)
    }

    fn looks_like_a_report(&self, words: &Words, shape: &Shape<'_>) -> bool {
        let text = shape.text;
        let indented = text.is_empty() || text.starts_with(b" ") || text.starts_with(b"\t");
        (indented && !self.is_foreign(shape)) || is_frame(text) || is_dump(text) || words.body.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Groups a text and gives the number of lines of each record.
    fn records(text: &str) -> Vec<usize> {
        let mut grouper = Grouper::new();
        let mut records: Vec<usize> = Vec::new();
        let mut open = false;
        for line in text.lines() {
            match grouper.push(line.as_bytes()) {
                Verdict::Alone | Verdict::Begins => records.push(1),
                Verdict::Continues | Verdict::Ends => {
                    assert!(open, "a line of no group: {line}");
                    *records.last_mut().unwrap() += 1;
                }
            }
            open = grouper.is_open();
        }
        records
    }

    const PANIC: &str = "\
[    4.895213] Kernel panic - not syncing: sysrq triggered crash
[    4.895406] CPU: 0 PID: 1 Comm: init Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
[    4.895822] Call Trace:
[    4.896261]  <TASK>
[    4.896376]  dump_stack_lvl+0x44/0x5c
[    4.897749] RIP: 0033:0x47b7a0
[    4.897965] Code: 40 00 48 c7
[    4.898958]  </TASK>
[    4.899041] Kernel Offset: 0x1f000000 from 0xffffffff81000000
[    4.899999] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---
";

    #[test]
    fn a_panic_is_one_record_and_ordinary_lines_are_their_own() {
        let text = format!("app: working\n{PANIC}app: working again\n[    0.000000] Linux version 6.1\n");
        assert_eq!(records(&text), [1, 10, 1, 1]);
    }

    #[test]
    fn prefixes_of_consoles_and_syslog_make_no_difference() {
        for prefix in [
            "",
            "Nov 20 15:02:11 hv01 kernel: ",
            "2026-11-20T15:02:11+01:00 web07 kernel: ",
            "[2026-11-20 15:02:11] ",
            "<4>",
        ] {
            let text: String = PANIC.lines().map(|line| format!("{prefix}{line}\n")).collect();
            assert_eq!(records(&text), [10], "{prefix}");
        }
        let with_caller = PANIC.replace("] ", "][    T1] ").replace(
            "---[ end Kernel panic - not syncing: sysrq triggered crash ][    T1] ---",
            "---[ end Kernel panic ]---",
        );
        assert_eq!(records(&with_caller), [10]);
    }

    #[test]
    fn a_panic_stays_with_the_oops_that_led_to_it_and_a_second_warning_does_not() {
        let oops = "BUG: kernel NULL pointer dereference, address: 0\nOops: 0002 [#1]\nRIP: 0010:f+0x1/0x2\n---[ end trace 0000 ]---\nRIP: 0010:f+0x1/0x2\n";
        assert_eq!(
            records(&format!(
                "{oops}Kernel panic - not syncing: Fatal exception\nRebooting in 1 seconds..\nx\n"
            )),
            [7, 1]
        );
        let warning = "------------[ cut here ]------------\nWARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n---[ end trace 0 ]---\n";
        assert_eq!(records(&format!("{warning}{warning}x\n")), [3, 3, 1]);
    }

    #[test]
    fn interleaved_lines_stay_until_there_are_too_many() {
        let stray = "app: request\n".repeat(3);
        let text = format!(
            "BUG: unable to handle page fault\n{stray} f+0x1/0x2\n{stray} g+0x1/0x2\n{}",
            "app: request\n".repeat(9)
        );
        assert_eq!(records(&text), [1 + 3 + 1 + 3 + 1 + 4, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn an_unfinished_report_waits_for_its_stack_longer() {
        let begun =
            "[    1.000000] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\n[    1.000001] Hardware name: x\n";
        let stray = |count: usize| "[    1.000002] binder: unknown command\n".repeat(count);
        let stack = "[    1.000003] Call Trace:\n[    1.000004]  f+0x1/0x2\n";
        let stray_max = STRAY_LINES_MAX as usize;
        let unfinished_max = UNFINISHED_LINES_MAX as usize;
        // The first line has a frame, as warnings do: that is not the stack.
        let text = format!("{begun}{}{stack}{}", stray(unfinished_max), stray(stray_max + 1));
        assert_eq!(records(&text), [2 + unfinished_max + 2 + stray_max, 1]);
        assert_eq!(records(&format!("{begun}{}", stray(unfinished_max + 1)))[0], 2 + unfinished_max);
    }

    #[test]
    fn programs_on_a_console_stay_longer_than_records_of_others_in_a_file_of_syslog_s() {
        let foreign_max = FOREIGN_LINES_MAX as usize;
        let report = ["[    1.000000] BUG: x", "[    1.000001] Call Trace:", "[    1.000002]  f+0x1/0x2"];
        let console = |strays| format!("{}\n{}{}\n", report.join("\n"), "app: x\n".repeat(strays), report[2]);
        assert_eq!(records(&console(foreign_max)), [3 + foreign_max + 1]);
        assert_eq!(records(&console(foreign_max + 1)), [3 + foreign_max, 1, 1]);
        let prefixed = report.map(|line| format!("Nov 20 15:02:11 hv01 kernel: {line}\n")).concat();
        let syslog = format!("{prefixed}{}", "Nov 20 15:02:11 hv01 sshd[1]: x\n".repeat(6));
        assert_eq!(records(&syslog), [3 + STRAY_LINES_MAX as usize, 1, 1]);
    }

    #[test]
    fn a_report_long_after_another_is_another() {
        let hung = |second: u32| {
            format!(
                "[  {second}.000000] INFO: task x:1 blocked for more than 120 seconds.\n[  {second}.000001] Call Trace:\n[  {second}.000002]  f+0x1/0x2\n"
            )
        };
        assert_eq!(records(&format!("{}{}", hung(240), hung(250))), [6]);
        assert_eq!(records(&format!("{}{}", hung(240), hung(361))), [3, 3]);
        assert_eq!(records(&format!("{}[  300.000000] eth0: up\n", hung(240))), [3, 1]);
        // What a report leads to stays with it.
        assert_eq!(
            records(&format!(
                "{}[  300.000000] Kernel panic - not syncing: hung_task: blocked tasks\n",
                hung(240)
            )),
            [4]
        );
    }

    #[test]
    fn ordinary_lines_begin_nothing() {
        for line in [
            "[    1.609925] NMI watchdog: Perf NMI watchdog permanently disabled",
            "[    0.000000] debug: initialised",
            "WARNING: disk almost full",
            "INFO: started",
            "2026-11-20 ERROR Oops, try again",
            "",
        ] {
            assert_eq!(Grouper::new().push(line.as_bytes()), Verdict::Alone, "{line}");
        }
    }

    #[test]
    fn limits_end_a_group() {
        let text = format!("BUG: x\n{}", " f+0x1/0x2\n".repeat(GROUP_LINES_MAX + 5));
        assert_eq!(records(&text)[0], GROUP_LINES_MAX);
    }

    proptest! {
        #[test]
        fn groups_respect_their_limits_and_never_continue_what_is_closed(
            lines in prop::collection::vec(prop::sample::select(vec![
                "x", "BUG: a", " f+0x1/0x2", "---[ end trace 1 ]---", "Kernel panic - not syncing: y",
                "---[ end Kernel panic - z ]---", "[    1.000000] Linux version", "\u{fffd}",
            ]), 0..80),
        ) {
            let mut grouper = Grouper::new();
            let mut open = false;
            for line in lines {
                let verdict = grouper.push(line.as_bytes());
                prop_assert!(open || !matches!(verdict, Verdict::Continues | Verdict::Ends));
                open = grouper.is_open();
                prop_assert_eq!(open, matches!(verdict, Verdict::Begins | Verdict::Continues));
            }
        }
    }
}
