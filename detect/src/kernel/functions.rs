//! What functions of the kernel are for, as data (`functions.toml`).

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;

/// A set of functions, written as `name`, `begin*`, `*end` or `*part*`.
#[derive(Debug)]
pub struct Patterns {
    search: AhoCorasick,
    /// Of each pattern: whether it is bound to a name's beginning and to its end.
    bounds: Vec<(bool, bool)>,
}

impl Patterns {
    /// Reads patterns.
    ///
    /// # Errors
    /// The pattern that holds nothing but stars, or why they cannot be searched for.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let (mut texts, mut bounds) = (Vec::new(), Vec::new());
        for pattern in patterns {
            let text = pattern.strip_prefix('*').unwrap_or(pattern);
            let at_start = text.len() == pattern.len();
            let plain = text.strip_suffix('*').unwrap_or(text);
            if plain.is_empty() || plain.contains('*') {
                return Err(format!(
                    "{pattern:?} is no pattern of functions: wanted name, begin*, *end or *part*"
                ));
            }
            bounds.push((at_start, plain.len() == text.len()));
            texts.push(plain);
        }
        let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts);
        Ok(Self { search: search.map_err(|error| error.to_string())?, bounds })
    }

    /// Whether a function is of the set. Underscores in front of its name don't count where a pattern says its beginning.
    pub fn has(&self, function: &str) -> bool {
        let lead = function.bytes().take_while(|byte| *byte == b'_').count();
        self.search.find_overlapping_iter(function).any(|found| {
            let (start, end) = self.bounds.get(found.pattern().as_usize()).copied().unwrap_or_default();
            (!start || found.start() <= lead) && (!end || found.end() == function.len())
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFunctions {
    machinery: Vec<RawGroup>,
    entry: Vec<RawGroup>,
    interrupt: Vec<RawGroup>,
    waiting: Vec<RawGroup>,
    everybody: Vec<RawGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    #[expect(dead_code, reason = "for whoever reads the data")]
    what: String,
    name: Option<String>,
    functions: Vec<String>,
}

/// What is known about functions.
struct Functions {
    machinery: Patterns,
    entries: Patterns,
    interrupts: Patterns,
    waiting: Patterns,
    everybody: Vec<(Option<String>, Patterns)>,
}

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the data is part of the program and compiled by this module's tests"
    )]
    let raw: RawFunctions = toml::from_str(include_str!("functions.toml")).expect("functions.toml is right");
    let all = |groups: &[RawGroup]| patterns(groups.iter().flat_map(|group| &group.functions));
    Functions {
        machinery: all(&raw.machinery),
        entries: all(&raw.entry),
        interrupts: all(&raw.interrupt),
        waiting: all(&raw.waiting),
        everybody: raw
            .everybody
            .iter()
            .map(|group| (group.name.clone(), patterns(&group.functions)))
            .collect(),
    }
});

#[expect(clippy::expect_used, reason = "the data is part of the program and compiled by this module's tests")]
fn patterns<'a>(functions: impl IntoIterator<Item = &'a String>) -> Patterns {
    Patterns::new(functions.into_iter().map(String::as_str)).expect("functions.toml has patterns")
}

/// Whether a function works for somebody else: reports, checks, locks, hands out memory, copies.
pub fn is_machinery(function: &str) -> bool {
    FUNCTIONS.machinery.has(function)
}

/// Whether the kernel's code is entered there: what it called names a stall.
pub fn is_entry(function: &str) -> bool {
    FUNCTIONS.entries.has(function)
}

/// Whether an interrupt came in there.
pub fn is_interrupt(function: &str) -> bool {
    FUNCTIONS.interrupts.has(function)
}

/// Whether a task that is there waits for what a function below it wants.
pub fn is_waiting(function: &str) -> bool {
    FUNCTIONS.waiting.has(function)
}

/// The name that hung tasks have in common which wait for what everybody waits for.
pub fn everybody_waits(function: &str) -> Option<&str> {
    FUNCTIONS
        .everybody
        .iter()
        .find(|(_, patterns)| patterns.has(function))
        .map(|(name, _)| name.as_deref().unwrap_or(function))
}

/// What the entry of one architecture or one kernel puts before a call's name.
const CALL_PREFIXES: &[&str] = &[
    "__x64_",
    "__ia32_",
    "__arm64_",
    "__se_sys_",
    "__se_",
    "__do_sys_",
    "____sys_",
    "___sys_",
    "__sys_",
    "ksys_",
    "compat_SYSC_",
    "compat_SyS_",
    "SYSC_",
    "SyS_",
    "sys_",
];

/// A call's name as it is known.
pub fn without_call_prefix(function: &str) -> &str {
    CALL_PREFIXES
        .iter()
        .filter_map(|prefix| function.strip_prefix(prefix))
        .min_by_key(|rest| rest.len())
        .unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_known_by_what_they_are_for() {
        for (function, machinery) in [
            ("dump_stack_lvl", true),
            ("__kasan_report", true),
            ("_raw_spin_lock_irqsave", true),
            ("mutex_lock_nested", true),
            ("__mutex_lock", true),
            ("arch_atomic_inc", true),
            ("kfree", true),
            ("tcp_sendmsg", false),
            ("dev_mutex_lockup", false),
            ("down_interruptible_thing", false),
            ("down", true),
            ("shutdown", false),
        ] {
            assert_eq!(is_machinery(function), machinery, "{function}");
        }
        assert!(is_entry("do_syscall_64") && is_entry("kthread") && !is_entry("kthread_should_run"));
        assert!(is_interrupt("asm_sysvec_apic_timer_interrupt") && !is_interrupt("irq_exit"));
        assert_eq!(everybody_waits("synchronize_rcu_expedited"), Some("synchronize_rcu"));
        assert_eq!(everybody_waits("rtnl_lock_killable"), Some("rtnl_lock_killable"));
        assert_eq!(everybody_waits("ext4_sync"), None);
    }

    #[test]
    fn patterns_are_bound_where_they_say_so() {
        let patterns = Patterns::new(["whole", "begin*", "*end", "*part*"]).unwrap();
        for (function, expected) in [
            ("whole", true),
            ("__whole", true),
            ("wholes", false),
            ("beginning", true),
            ("__begin", true),
            ("x_begin", false),
            ("weekend", true),
            ("ending", false),
            ("apart_", true),
            ("", false),
        ] {
            assert_eq!(patterns.has(function), expected, "{function}");
        }
        for wrong in ["", "*", "**", "a*b"] {
            assert!(Patterns::new([wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn calls_are_known_by_their_names() {
        for (function, name) in [
            ("__x64_sys_sync", "sys_sync"),
            ("__sys_connect", "connect"),
            ("__se_sys_sync", "sync"),
            ("sysfs_read", "sysfs_read"),
        ] {
            assert_eq!(without_call_prefix(function), name);
        }
    }
}
