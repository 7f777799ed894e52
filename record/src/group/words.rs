//! The words by which a kernel's report is known.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, packed};

/// Words with which a report begins; a stack that nothing announces is one, too. They are rare in ordinary logs; a
/// line that has one by accident makes a group that the next ordinary lines end. The search by vectors takes 64.
const OPENINGS: &[&str] = &[
    "BUG: ",
    "(Not tainted): ",
    "(Tainted: ",
    "kernel BUG at",
    " [#1]",
    "Kernel panic",
    "------------[ cut here ]------------",
    "general protection fault",
    "Oops: ",
    "Oops - ",
    "Oops[#",
    "Internal error: ",
    "Unable to handle kernel",
    "Insufficient stack space",
    "Bad mode in ",
    "SError Interrupt on CPU",
    "Unexpected kernel BRK",
    "CFI failure at ",
    "list_add corruption",
    "list_del corruption",
    "rust_kernel: panicked",
    ": 0000 [#",
    "Watchdog timer detects",
    "Unhandled fault",
    "Assertion '",
    "riple fault - invoking",
    "slab error in ",
    "bug detected[#",
    "PANIC: ",
    "WARNING: CPU: ",
    ", CPU#",
    "WARNING: possible ",
    "WARNING: suspicious ",
    "WARNING: inconsistent ",
    "WARNING: bad ",
    "WARNING: kernel stack",
    "lock order detected",
    "has locks held!",
    "held lock freed!",
    "lock held when returning",
    "ested lock was not taken",
    "INFO: possible ",
    "INFO: inconsistent ",
    "INFO: suspicious ",
    "INFO: task ",
    "blocked for more than",
    "INFO: rcu_",
    "INFO: trying to register",
    "LOCKUP",
    "UBSAN: ",
    "unreferenced object 0x",
    "invoked oom-killer: ",
    " allocation failure",
    "page allocation stalls ",
    "----[ Xen-",
    "Panic on CPU ",
    "crashed on cpu#",
    "reported crashed by domain",
    "domain_crash",
    "Xen BUG at ",
    "(XEN) FATAL",
    "Unexpected Trap: ",
    "Call Trace:",
    "Call trace:",
];

/// Words with which the BSDs and illumos begin theirs. A program's own panic (Go's) is one record by them, too.
const FOREIGN_OPENINGS: &[&str] = &["Fatal trap ", "Fatal double fault", "panic: ", "panic[cpu"];

/// Words that within a report belong to it.
const BODY: &[&str] = &[
    "Call Trace",
    "Call trace",
    "RIP:",
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
    "(XEN)",
    "page:",
    "raw: ",
    "flags: ",
    "PGD ",
    "Disabling lock",
    "note: ",
    "Fixing recursive",
    "running task",
    "starved for",
    "stack dump",
    "rcu: ",
    "stack limit",
    "Control: ",
    "DAC: ",
    "Stack: (",
    "CR0: ",
    "is trying to",
    "already holding",
    "dependency chain",
    "depends on the",
    "unsafe locking",
    "DEADLOCK",
    "-> #",
    "irq event stamp",
    "irqs last ",
    ": stopping",
    "Read of size",
    "Write of size",
    "buggy address",
    "buggy object",
    "belongs to the",
    "Memory state around",
    "page dumped because",
    "page last ",
    "located in stack",
    "Redzone ",
    "Padding ",
    "Slab 0x",
    "is leaving the kernel",
    "is freeing memory",
    "locks still held",
    "held by",
    // The BSDs' and illumos'.
    "cpuid = ",
    "apic id = ",
    "fault virtual address",
    "fault code",
    "instruction pointer",
    "stack pointer",
    "frame pointer",
    "code segment",
    "processor eflags",
    "current process",
    "trap number",
    "KDB: ",
    "/frame 0x",
    " 0xffffffff8",
    "--- trap 0x",
    "--- syscall",
    "--- interrupt",
    "Uptime: ",
    "Automatic reboot in ",
    "Stopped at ",
    "ddb>",
    "ddb{",
    "db_enter(",
    "panic() at ",
    ") at netbsd:",
    ": Begin traceback",
    ": End traceback",
    "fatal page fault in ",
    "genunix:",
    "unix:",
    "%rsp: ",
    "syncing file systems",
    "dumping to /",
    "goroutine ",
    "[recovered]",
];

/// Words after which nothing more comes.
const LAST_WORDS: &[&str] = &["---[ end Kernel panic", "Rebooting in ", "Reboot in five seconds"];
/// Words with which a report says that it is over: what follows may still belong to it.
const CLOSINGS: &[&str] = &["---[ end trace", "oom_reaper: reaped", "Killed process"];
/// Words of a kernel that starts.
const BOOT: &[&str] =
    &["Linux version ", "Command line: ", "Booting Linux on", "Xen version ", "---<<BOOT>>---"];
/// Openings that within a report are a part of it, even of one that has said that it is over.
const SEQUELS: &[&str] = &["Kernel panic", "kernel BUG at", "Call Trace:", "Call trace:"];

/// Words with which a kernel panics: it does so once.
const PANICS: &[&str] = &["Kernel panic - not syncing"];

pub(super) struct Words {
    /// Every line goes through this search: by vectors where the machine has them.
    pub openings: Openings,
    pub body: AhoCorasick,
    pub last_words: AhoCorasick,
    pub closings: AhoCorasick,
    pub boot: AhoCorasick,
    pub sequels: AhoCorasick,
    pub panics: AhoCorasick,
}

/// The search of every line: two, since one takes no more words.
pub(super) struct Openings(Search, Search);

impl Openings {
    #[inline]
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.0.is_match(line) || self.1.is_match(line)
    }
}

pub(super) enum Search {
    Vectors(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Search {
    pub fn is_match(&self, line: &[u8]) -> bool {
        match self {
            Search::Vectors(vectors) => vectors.find(line).is_some(),
            Search::Automaton(automaton) => automaton.is_match(line),
        }
    }
}

pub(super) static WORDS: LazyLock<Option<Words>> = LazyLock::new(|| {
    let automaton =
        |words: &[&str]| AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(words).ok();
    let search = |words: &[&str]| match packed::Searcher::new(words) {
        Some(vectors) => Some(Search::Vectors(vectors)),
        None => automaton(words).map(Search::Automaton),
    };
    Some(Words {
        openings: Openings(search(OPENINGS)?, search(FOREIGN_OPENINGS)?),
        body: automaton(BODY)?,
        last_words: automaton(LAST_WORDS)?,
        closings: automaton(CLOSINGS)?,
        boot: automaton(BOOT)?,
        sequels: automaton(SEQUELS)?,
        panics: automaton(PANICS)?,
    })
});
