//! The lines of one kernel crash make one record: a state machine over the lines of one source. Pure; it keeps
//! no text.
//!
//! Outside a group a line is looked at once, by a search for the words with which kernels begin a report
//! ([`OPENINGS`]). Within a group a line belongs where it looks like a report's: a frame, a register, a table,
//! something indented. Other lines (a program that writes to the same console) stay in it as long as the report
//! goes on; [`STRAY_LINES_MAX`] of them in a row end it, one where the report has said that it is over. A group
//! also ends with the kernel's last words, before a boot, by the limits, or when the caller's patience ends
//! ([`Grouper::close`]): last words have no next line that would end them.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, packed};

use crate::limits::{GROUP_LINES_MAX, RECORD_BYTES_MAX};

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

/// Words with which a report begins. They are rare in ordinary logs; a line that has one by accident makes a
/// group that the next ordinary lines end.
const OPENINGS: &[&str] = &[
    "BUG: ",
    "BUG kmalloc",
    "kernel BUG at",
    "Kernel panic - not syncing",
    "------------[ cut here ]------------",
    "general protection fault",
    "Oops: ",
    "Oops[#",
    "Internal error: ",
    "Unable to handle kernel",
    "divide error: ",
    "invalid opcode: ",
    "stack segment: ",
    "double fault: ",
    "WARNING: CPU: ",
    "WARNING: possible ",
    "WARNING: suspicious ",
    "WARNING: inconsistent ",
    "WARNING: bad unlock",
    "WARNING: kernel stack",
    "INFO: possible ",
    "INFO: inconsistent ",
    "INFO: suspicious ",
    "INFO: task ",
    "INFO: rcu_",
    "INFO: trying to register",
    "NMI watchdog: ",
    "UBSAN: ",
    "unreferenced object 0x",
    "invoked oom-killer: ",
    "page allocation failure: ",
    "page allocation stalls ",
    "Panic on CPU ",
    "crashed on cpu#",
];

/// Words that only a report's line has.
const BODY: &[&str] = &[
    "Call Trace",
    "Call trace",
    "RIP:",
    "RIP ",
    "RSP:",
    "Code: ",
    "CPU: ",
    "Hardware name",
    "Modules linked in",
    "Tainted",
    "Workqueue: ",
    "Comm: ",
    "EFLAGS",
    "<TASK>",
    "</TASK>",
    "<IRQ>",
    "</IRQ>",
    "<NMI>",
    "</NMI>",
    "<EOI>",
    "---[ ",
    "======",
    "------",
    "Allocated by",
    "Freed by",
    "Mem-Info",
    "Mem abort info",
    "Node ",
    "_anon:",
    "lowmem_reserve",
    "Tasks state",
    "Memory state",
    "locks held",
    "lock held",
    "stack backtrace",
    "Kernel Offset",
    "Rebooting in",
    "other info",
    "NMI backtrace",
    "Sending NMI",
    "hex dump",
    "hogging",
    "RAX: ",
    "RDX: ",
    "RBP: ",
    "R10: ",
    "R13: ",
    "CR2: ",
    "DR0: ",
    "DR3: ",
    "FS: ",
    "ORIG_RAX",
    "pc : ",
    "lr : ",
    "sp : ",
    "pstate: ",
    "x29: ",
    "x0 : ",
    "ESR ",
    "[<",
    "at addr",
    "by task",
    "backtrace",
    "Showing ",
    "Dumping ",
    "Oom-kill",
    "oom-kill:",
    "Out of memory",
    "Killed process",
    "oom_reaper",
    "pagecache",
    "swap cache",
    "Free swap",
    "Total swap",
    "pages RAM",
    "pages reserved",
    "HighMem",
    "hugepages",
    "Xen call trace",
    "Xen stack trace",
    "rflags",
    "rax: ",
    "Xen-",
    "guest_table",
    "cs: ",
    "(XEN)",
    "page:",
    "raw: ",
    "flags: ",
    "PGD ",
    "Disabling lock",
    "note: ",
    "Fixing recursive",
];

/// Words after which nothing more comes.
const LAST_WORDS: &[&str] = &["---[ end Kernel panic", "Rebooting in ", "Reboot in five seconds"];
/// Words with which a report says that it is over: what follows may still belong to it.
const CLOSINGS: &[&str] = &["---[ end trace", "oom_reaper: reaped", "Killed process"];
/// Words of a kernel that starts.
const BOOT: &[&str] = &["Linux version ", "Command line: ", "Booting Linux on", "Xen version "];

struct Words {
    /// Every line goes through this search: by vectors where the machine has them.
    openings: Search,
    body: AhoCorasick,
    last_words: AhoCorasick,
    closings: AhoCorasick,
    boot: AhoCorasick,
}

enum Search {
    Vectors(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Search {
    fn is_match(&self, line: &[u8]) -> bool {
        match self {
            Search::Vectors(vectors) => vectors.find(line).is_some(),
            Search::Automaton(automaton) => automaton.is_match(line),
        }
    }
}

static WORDS: LazyLock<Option<Words>> = LazyLock::new(|| {
    let automaton =
        |words: &[&str]| AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(words).ok();
    Some(Words {
        openings: match packed::Searcher::new(OPENINGS) {
            Some(vectors) => Search::Vectors(vectors),
            None => Search::Automaton(automaton(OPENINGS)?),
        },
        body: automaton(BODY)?,
        last_words: automaton(LAST_WORDS)?,
        closings: automaton(CLOSINGS)?,
        boot: automaton(BOOT)?,
    })
});

/// Follows the lines of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grouper {
    open: bool,
    /// The report has said that it is over.
    closing: bool,
    stray_lines: u32,
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
        *self = Grouper { open: true, closing: false, stray_lines: 0, lines: 1, bytes: line.len() };
        Verdict::Begins
    }

    fn within(&mut self, words: &Words, line: &[u8]) -> Verdict {
        let too_large = self.lines >= GROUP_LINES_MAX || self.bytes + line.len() + 1 > RECORD_BYTES_MAX;
        if too_large || words.boot.is_match(line) {
            self.close();
            return self.outside(words, line);
        }
        let opening = words.openings.is_match(line);
        // A report after one that is over is another one, but a panic is what the first has led to.
        if opening && self.closing && !contains(line, b"Kernel panic") && !contains(line, b"kernel BUG at") {
            self.close();
            return self.outside(words, line);
        }
        if opening || looks_like_a_report(words, line) {
            self.stray_lines = 0;
        } else {
            self.stray_lines += 1;
            if self.closing || self.stray_lines > STRAY_LINES_MAX {
                self.close();
                return Verdict::Alone;
            }
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
}

fn looks_like_a_report(words: &Words, line: &[u8]) -> bool {
    let text = message(line);
    text.is_empty()
        || text.starts_with(b" ")
        || text.starts_with(b"\t")
        || is_frame(text)
        || words.body.is_match(text)
}

/// `function+0x12/0x34`.
fn is_frame(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"+0x").is_some_and(|at| {
        text.get(at + 3..).is_some_and(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            rest.get(digits..).is_some_and(|rest| rest.starts_with(b"/0x"))
        })
    })
}

/// The kernel's own text behind what consoles and syslog put in front: the part behind the last of the brackets
/// that hold the kernel's clock and the caller (`[   12.345678][  T123] `), one space taken off.
fn message(line: &[u8]) -> &[u8] {
    let mut text = line;
    // The clock is the first bracket that holds only digits, a dot and spaces.
    while let Some(open) = memchr::memchr(b'[', text.get(..96.min(text.len())).unwrap_or_default()) {
        let Some(inner) = text.get(open + 1..) else { break };
        let Some(close) = memchr::memchr(b']', inner.get(..24.min(inner.len())).unwrap_or_default()) else {
            break;
        };
        let content = inner.get(..close).unwrap_or_default().trim_ascii();
        let clock = !content.is_empty() && content.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let caller = matches!(content.first(), Some(b'T' | b'C'))
            && content
                .get(1..)
                .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
        if !clock && !caller {
            break;
        }
        text = inner.get(close + 1..).unwrap_or_default();
    }
    text.strip_prefix(b" ").unwrap_or(text)
}

fn contains(line: &[u8], words: &[u8]) -> bool {
    memchr::memmem::find(line, words).is_some()
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
            open = grouper.is_open() || matches!(records.last(), Some(1)) && grouper.is_open();
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
