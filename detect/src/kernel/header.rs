//! The forms with which reports begin. Each is a literal that a search finds, a pattern that the line must fit, and
//! what the report is then.

use lastwords_record::Severity;

/// How the function to blame is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The header names it (capture `function`), unless that is machinery; else the trace.
    Header,
    /// Where the instruction pointer was; else the trace.
    Pointer,
    /// The first of the trace that is not machinery.
    Trace,
    /// The lock's holder or taker: the line behind the header that says `at: function`.
    At,
    /// The task that hangs: its trace without all that waits.
    Waiter,
    /// What a CPU did when it was interrupted: behind the interrupt's own frames.
    Interrupted,
    /// Nobody.
    Nobody,
}

/// One form.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// A line without it is no header of this form.
    pub literal: &'static str,
    /// What the line's text must fit. The capture `what` is the title; `function` and `process` where they are named.
    pub pattern: &'static str,
    /// The event's class.
    pub class: &'static str,
    /// The title; `{what}` is the capture. The function is added behind it.
    pub title: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Whom to blame.
    pub blame: Blame,
}

const fn form(
    literal: &'static str,
    pattern: &'static str,
    class: &'static str,
    title: &'static str,
    severity: Severity,
    blame: Blame,
) -> Form {
    Form { literal, pattern, class, title, severity, blame }
}

use Blame::{At, Header, Interrupted, Nobody, Pointer, Trace, Waiter};
use Severity::{Critical, Error, Warning};

/// Every form, the more special before the more general: a line is the first that it fits.
/// Source: the kernel's own format strings (`mm/kasan/report.c`, `kernel/locking/lockdep.c`, `arch/*/mm/fault.c` and
/// the like) over the versions that are still met.
pub const FORMS: &[Form] = &[
    // Sanitizers.
    form("KASAN: ", r"BUG: KASAN: (?P<what>[\w -]+?) (?:in|on)(?: (?:address|addr) [0-9a-fx]+)?(?: (?P<function>[\w.$]+)(?:\+0x|\s|$))?", "kernel.sanitizer.kasan", "KASAN: {what}", Critical, Header),
    form("KASAN: ", r"KASAN: (?P<what>(?:maybe wild-memory-access|null-ptr-deref|probably \w+-memory-access|wild-memory-access|user-memory-access)\b[\w -]*)", "kernel.sanitizer.kasan", "KASAN: {what}", Critical, Pointer),
    form("KMSAN: ", r"BUG: KMSAN: (?P<what>[\w -]+?) in (?P<function>[\w.$]+)", "kernel.sanitizer.kmsan", "KMSAN: {what}", Error, Header),
    form("KCSAN: ", r"BUG: KCSAN: (?P<what>[\w :-]+?) in [\w.$]+ / (?P<function>[\w.$]+)", "kernel.sanitizer.kcsan", "KCSAN: {what}", Warning, Header),
    form("KCSAN: ", r"BUG: KCSAN: (?P<what>[\w :-]+?) in (?P<function>[\w.$]+)", "kernel.sanitizer.kcsan", "KCSAN: {what}", Warning, Header),
    form("KFENCE: ", r"BUG: KFENCE: (?P<what>[\w -]+?)(?: (?:in|to) (?P<function>[\w.$]+)|$)", "kernel.sanitizer.kfence", "KFENCE: {what}", Critical, Header),
    form("UBSAN: ", r"UBSAN: (?P<what>[\w -]+) in ", "kernel.sanitizer.ubsan", "UBSAN: {what}", Error, Trace),
    form("unreferenced object", r"unreferenced object (?:\(percpu\) )?0x[0-9a-f]+ \(size ", "kernel.sanitizer.leak", "memory leak", Warning, Trace),
    // Panics.
    form("Kernel panic", r"Kernel panic - not syncing: (?P<what>.+)", "kernel.panic", "kernel panic: {what}", Critical, Trace),
    form("Kernel panic", r"Kernel panic - not syncing(?P<what>:?)\s*$", "kernel.panic", "kernel panic", Critical, Trace),
    form("panicked at", r"(?:rust_kernel|rust_core|kernel): (?:panicked at|panic) (?P<what>.+)", "kernel.panic", "rust panic: {what}", Critical, Trace),
    // Lockups and stalls.
    form("soft lockup", r"BUG: (?P<what>soft lockup) - CPU#", "kernel.lockup.soft", "soft lockup", Critical, Interrupted),
    form("hard LOCKUP", r"(?i)(?P<what>hard lockup) on cpu", "kernel.lockup.hard", "hard lockup", Critical, Interrupted),
    form("workqueue lockup", r"BUG: (?P<what>workqueue lockup)", "kernel.lockup.workqueue", "workqueue lockup", Error, Nobody),
    form("stall", r"INFO: rcu_?\w* (?:self-)?detected (?:expedited )?stalls? on", "kernel.rcu_stall", "rcu detected stall", Error, Interrupted),
    form("blocked for more than", r"INFO: task (?P<process>.+?):\d+ blocked for more than", "kernel.hung_task", "task hung", Error, Waiter),
    form("can't die for more than", r"INFO: task (?P<process>.+?):\d+ can't die for more than", "kernel.hung_task", "task can't die", Error, Waiter),
    form("blocked in I/O wait", r"INFO: task (?P<process>.+?):\d+ blocked in I/O wait", "kernel.hung_task", "task hung", Error, Waiter),
    // Lock debugging.
    form("possible ", r"(?:WARNING|INFO): (?P<what>possible (?:circular locking dependency|recursive locking|irq lock inversion dependency)[\w ]*)", "kernel.lockdep", "possible deadlock", Warning, At),
    form("inconsistent ", r"(?:WARNING|INFO): (?P<what>inconsistent lock state)", "kernel.lockdep", "inconsistent lock state", Warning, At),
    form("-> ", r"(?:WARNING|INFO): (?P<what>[\w-]+-safe -> [\w-]+-unsafe lock order detected)", "kernel.lockdep", "possible deadlock", Warning, At),
    form("suspicious RCU usage", r"(?:WARNING|INFO): (?P<what>suspicious RCU usage)", "kernel.lockdep", "suspicious RCU usage", Warning, Trace),
    form("bad unlock balance", r"(?:WARNING|BUG): (?P<what>bad unlock balance)", "kernel.lockdep", "bad unlock balance", Warning, Trace),
    form("held lock freed", r"(?:WARNING|BUG): (?P<what>held lock freed)", "kernel.lockdep", "held lock freed", Warning, Trace),
    form("lock held when returning", r"(?:WARNING|BUG): (?P<what>lock held when returning to user space)", "kernel.lockdep", "lock held when returning to user space", Warning, At),
    form("still has locks held", r"(?:WARNING|BUG): (?P<what>.*still has locks held)", "kernel.lockdep", "still has locks held", Warning, Trace),
    form("still has locks held", r"BUG: .*has locks held", "kernel.lockdep", "still has locks held", Warning, Trace),
    form("Nested lock was not taken", r"(?i)WARNING: (?P<what>nested lock was not taken)", "kernel.lockdep", "nested lock was not taken", Warning, Trace),
    form("nested lock was not taken", r"(?i)WARNING: (?P<what>nested lock was not taken)", "kernel.lockdep", "nested lock was not taken", Warning, Trace),
    form("non-static key", r"INFO: (?P<what>trying to register non-static key)", "kernel.lockdep", "trying to register non-static key", Warning, Trace),
    form("BUG: spinlock", r"BUG: (?P<what>spinlock [\w ]+?) on CPU#", "kernel.lockdep", "BUG: {what}", Error, Trace),
    form("BUG: rwlock", r"BUG: (?P<what>rwlock [\w ]+?) on CPU#", "kernel.lockdep", "BUG: {what}", Error, Trace),
    form("workqueue leaked", r"BUG: (?P<what>workqueue leaked (?:lock|atomic)[\w ,]*)", "kernel.lockdep", "BUG: workqueue leaked lock or atomic", Error, Trace),
    form("MAX_", r"BUG: (?P<what>MAX_\w+ too low)", "kernel.lockdep", "BUG: {what}", Warning, Nobody),
    // Where nobody may sleep.
    form("scheduling while atomic", r"BUG: (?P<what>scheduling while atomic)", "kernel.atomic", "scheduling while atomic", Error, Trace),
    form("sleeping function called", r"BUG: (?P<what>sleeping function called from invalid context)", "kernel.atomic", "sleeping function called from invalid context", Error, Trace),
    form("in preemptible", r"BUG: (?P<what>using (?:__this_cpu_\w+|smp_processor_id)\(\)) in preemptible", "kernel.atomic", "BUG: {what} in preemptible code", Error, Trace),
    // Faults.
    form("BUG: ", r"BUG: (?P<what>unable to handle (?:kernel )?(?:NULL pointer dereference|paging request|page fault|[\w ]+?))(?: (?:for address|at|in)\b.*)?(?::.*)?$", "kernel.oops", "BUG: {what}", Critical, Pointer),
    form("BUG: ", r"BUG: (?P<what>kernel NULL pointer dereference), address", "kernel.oops", "BUG: unable to handle {what}", Critical, Pointer),
    form("BUG: ", r"BUG: (?P<what>(?:IRQ |TASK |NMI |#DF )?stack guard page was hit)", "kernel.oops", "BUG: {what}", Critical, Pointer),
    form("stack guard page was hit", r"(?P<what>stack guard page was hit)", "kernel.oops", "BUG: {what}", Critical, Pointer),
    form("Unable to handle kernel", r"Unable to handle kernel (?P<what>NULL pointer dereference|paging request|[\w ]+?) at", "kernel.oops", "BUG: unable to handle kernel {what}", Critical, Pointer),
    form("general protection fault", r"general protection fault(?:, (?:probably|maybe) for [\w -]*address 0x[0-9a-f]+)?(?P<what>): [0-9a-f]{4}", "kernel.oops", "general protection fault", Critical, Pointer),
    form("general protection fault", r"general protection fault, (?:probably|maybe) for", "kernel.oops", "general protection fault", Critical, Pointer),
    form("divide error", r"(?P<what>divide error): [0-9a-f]{4} ", "kernel.oops", "divide error", Critical, Pointer),
    form("stack segment", r"(?P<what>stack segment): [0-9a-f]{4} ", "kernel.oops", "stack segment fault", Critical, Pointer),
    form("invalid opcode", r"(?P<what>invalid opcode): [0-9a-f]{4} ", "kernel.oops", "invalid opcode", Critical, Pointer),
    form("double fault", r"(?:PANIC: )?(?P<what>double fault)(?:, error_code|: [0-9a-f]{4})", "kernel.oops", "double fault", Critical, Pointer),
    form("Internal error: ", r"Internal error: (?P<what>[\w ()/-]+?)(?::| \[#)", "kernel.oops", "internal error: {what}", Critical, Pointer),
    form("Unhandled fault: ", r"Unhandled fault: (?P<what>[\w ]+)", "kernel.oops", "unhandled fault: {what}", Critical, Pointer),
    form("Oops: ", r"Oops: (?P<what>general protection fault|divide error|stack segment|invalid opcode|int3|bounds|alignment check)\b", "kernel.oops", "{what}", Critical, Pointer),
    form("list_", r"(?P<what>list_(?:add|del)(?:_valid)? corruption)", "kernel.oops", "BUG: corrupted list", Critical, Trace),
    // Bugs and warnings.
    form("kernel BUG at", r"kernel BUG at (?P<what>\S+?)[:!]", "kernel.bug", "kernel BUG at {what}", Critical, Pointer),
    form("WARNING: ", r"WARNING: (?:CPU: \d+ PID: \d+ )?at kernel/locking/lockdep\.c:\d+ (?P<function>[\w.$]+)?", "kernel.lockdep", "WARNING: locking bug", Warning, Trace),
    form("WARNING: ", r"WARNING: CPU: \d+ PID: \d+ at (?P<what>\S+?):\d+ (?P<function>[\w.$]+)", "kernel.warning", "WARNING", Warning, Header),
    form("WARNING: ", r"WARNING: CPU: \d+ PID: \d+ at ", "kernel.warning", "WARNING", Warning, Trace),
    form("WARNING: ", r"WARNING: at (?P<what>\S+?):\d+ (?P<function>[\w.$]+)", "kernel.warning", "WARNING", Warning, Header),
    form("WARNING: ", r"WARNING: (?P<what>[\w./-]+\.[ch]):\d+ at (?P<function>[\w.$]+)\+0x", "kernel.warning", "WARNING", Warning, Header),
    form("WARNING: ", r"WARNING: (?P<what>kernel stack (?:regs|frame pointer) at [0-9a-f]+ in \S+ has bad)", "kernel.warning", "WARNING: kernel stack has a bad value", Warning, Nobody),
    form("BUG: Bad ", r"BUG: (?P<what>Bad (?:page state|page map|rss-counter state|page cache))", "kernel.bug", "BUG: {what}", Error, Trace),
    form("still in use", r"BUG: (?P<what>Dentry .*still in use)", "kernel.bug", "BUG: dentry still in use", Error, Trace),
    form("Busy inodes after unmount", r"VFS: (?P<what>Busy inodes after unmount)", "kernel.bug", "VFS: {what}", Error, Nobody),
    form("unregister_netdevice: waiting", r"(?P<what>unregister_netdevice: waiting for \S+ to become free)", "kernel.netdevice_leak", "{what}", Error, Nobody),
    form("BUG ", r"BUG (?P<what>[\w:.-]+) \(.*\): (?:Poison overwritten|Redzone overwritten|Object already free|Freechain corrupt|Freelist|Freepointer corrupt|Objects remaining|Left Redzone|Right Redzone|Padding overwritten|Wrong object|Invalid object)", "kernel.bug", "BUG: slab {what} damaged", Critical, Trace),
    form("BUG: ", r"(?:^|[\]:] )BUG: (?P<what>[a-z][\w ,:'()/#-]{4,80})", "kernel.bug", "BUG: {what}", Error, Trace),
    // Memory.
    form("invoked oom-killer", r"(?P<process>\S+) invoked oom-killer: ", "memory.oom_kill", "out of memory", Error, Nobody),
    form("Killed process", r"(?:Memory cgroup out|Out) of memory: Kill(?:ed)? process \d+ \((?P<process>[^)]*)\)", "memory.oom_kill", "out of memory: killed {process}", Error, Nobody),
    form("Killed process", r"Killed process \d+ \((?P<process>[^)]*)\),? .*total-vm:", "memory.oom_kill", "out of memory: killed {process}", Error, Nobody),
    form("page allocation failure", r"(?P<process>\S+?): page allocation failure: order:(?P<what>\d+)", "memory.allocation_failure", "page allocation failure of order {what}", Warning, Nobody),
    // Xen.
    form("Panic on CPU", r"Panic on CPU (?P<what>\d+):", "xen.panic", "hypervisor panic", Critical, Pointer),
    form("crashed on cpu#", r"\(XEN\).*Domain (?P<what>\d+) (?:\(vcpu#\d+\) |reported )?crashed (?:on|by)", "xen.domain_crash", "domain {what} crashed", Critical, Nobody),
    form("reported crashed by domain", r"\(XEN\).*Domain (?P<what>\d+) reported crashed by domain", "xen.domain_crash", "domain {what} crashed", Critical, Nobody),
    form("domain_crash called from", r"domain_crash called from (?P<what>\S+)", "xen.domain_crash", "domain crash from {what}", Critical, Nobody),
];
