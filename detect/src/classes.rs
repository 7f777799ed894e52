//! The tree of classes, and the names that people use for them. A class stands for its whole subtree.

/// One class, with the names under which a question may ask for it.
struct Class {
    class: &'static str,
    names: &'static [&'static str],
}

const fn class(class: &'static str, names: &'static [&'static str]) -> Class {
    Class { class, names }
}

/// Every class that rules, parsers and shippers make. The first name is the one that answers use.
const CLASSES: &[Class] = &[
    class("kernel", &["kernel crashes", "kernel reports"]),
    class("kernel.panic", &["panics", "kernel panics", "panic", "kernel panic"]),
    class("kernel.oops", &["oopses", "kernel oopses", "oops", "page faults", "general protection faults"]),
    class("kernel.bug", &["kernel bugs", "kernel bug"]),
    class("kernel.warning", &["kernel warnings", "kernel warning"]),
    class("kernel.lockup", &["lockups", "lockup"]),
    class("kernel.lockup.soft", &["soft lockups", "soft lockup"]),
    class("kernel.lockup.hard", &["hard lockups", "hard lockup"]),
    class("kernel.lockup.workqueue", &["workqueue lockups", "workqueue lockup"]),
    class("kernel.hung_task", &["hung tasks", "hung task", "blocked tasks"]),
    class("kernel.rcu_stall", &["rcu stalls", "rcu stall"]),
    class("kernel.lockdep", &["lockdep reports", "lockdep", "possible deadlocks"]),
    class("kernel.atomic", &["atomic violations", "scheduling while atomic"]),
    class("kernel.sanitizer", &["sanitizer reports", "sanitizer"]),
    class("kernel.sanitizer.kasan", &["kasan reports", "kasan"]),
    class("kernel.sanitizer.kmsan", &["kmsan reports", "kmsan"]),
    class("kernel.sanitizer.kcsan", &["kcsan reports", "data races", "kcsan"]),
    class("kernel.sanitizer.kfence", &["kfence reports", "kfence"]),
    class("kernel.sanitizer.ubsan", &["ubsan reports", "ubsan"]),
    class("kernel.sanitizer.leak", &["memory leaks", "memory leak"]),
    class("kernel.netdevice_leak", &["netdevice leaks"]),
    class("memory", &["memory trouble"]),
    class("memory.oom_kill", &["oom kills", "oom kill", "out of memory kills"]),
    class(
        "memory.allocation_failure",
        &["allocation failures", "allocation failure", "page allocation failures"],
    ),
    class("memory.balloon", &["balloon failures", "balloon failure"]),
    class("memory.pressure", &["memory pressure"]),
    class("hardware", &["hardware errors", "hardware trouble"]),
    class("hardware.mce", &["machine checks", "machine check", "mce"]),
    class("hardware.memory_error", &["memory errors", "memory error"]),
    class("hardware.iommu_fault", &["iommu faults", "iommu fault", "dma faults"]),
    class("hardware.thermal", &["overheating", "thermal throttling"]),
    class("hardware.power", &["power failures", "power supply failures", "power failure"]),
    class("hardware.pcie_error", &["pcie errors", "pcie error", "aer errors"]),
    class("hardware.nmi", &["unknown nmis", "nmis"]),
    class("disk", &["disk trouble"]),
    class("disk.error", &["disk errors", "disk error", "i/o errors", "io errors"]),
    class("disk.full", &["full disks", "disk full", "no space left"]),
    class("filesystem.error", &["filesystem errors", "filesystem error", "file system errors"]),
    class("network", &["network trouble"]),
    class("network.saturation", &["network saturation", "network saturations", "saturation", "saturations"]),
    class("network.saturation.nic", &["nic saturation", "nic saturations"]),
    class("network.saturation.vif", &["vif saturation", "guest network saturation"]),
    class(
        "network.saturation.conntrack",
        &["conntrack saturation", "conntrack full", "conntrack table full"],
    ),
    class("network.saturation.drops", &["packet drops"]),
    class("network.link_up", &["link ups", "link up"]),
    class("network.port_down", &["bridge port downs", "bridge ports down"]),
    class("network.link_down", &["link downs", "link down", "links down"]),
    class("network.fault", &["network faults", "network fault"]),
    class("network.transmit_timeout", &["transmit timeouts", "transmit timeout", "nic hangs", "nic hang"]),
    class("guest", &["guest events"]),
    class("guest.crash", &["guest crashes", "guest crash"]),
    class("guest.start", &["guest starts", "guest start"]),
    class("guest.start_failure", &["failed guest starts", "guest start failures"]),
    class("guest.monitor_lost", &["lost monitors", "lost monitor connections"]),
    class("guest.stop", &["guest stops", "guest stop"]),
    class("guest.stop_failure", &["failed guest stops", "guest stop failures"]),
    class("guest.paused", &["paused guests", "guests paused"]),
    class("guest.device_error", &["guest device errors", "guest device error"]),
    class("guest.backup_failure", &["failed backups", "backup failures"]),
    class("guest.migration", &["migrations", "migration", "guest migrations", "live migrations"]),
    class("guest.reconfigured", &["guest reconfigurations"]),
    class("guest.silent", &["silent guests", "guests silent"]),
    class("host", &["host events"]),
    class("host.boot", &["boots", "boot", "reboots", "host boots"]),
    class("host.reset", &["host resets", "host reset"]),
    class("host.crash", &["host crashes", "host crash"]),
    class("host.silent", &["silent hosts", "hosts silent"]),
    class("cluster", &["cluster events"]),
    class("cluster.membership", &["membership changes", "membership change"]),
    class("cluster.fence", &["fencings", "fencing", "fence requests"]),
    class("cluster.quorum_lost", &["quorum losses", "lost quorum", "quorum lost"]),
    class("cluster.resource_failure", &["resource failures", "failed resources"]),
    class("storage.stall", &["storage stalls", "storage stall"]),
    class("storage.degraded", &["degraded storage", "storage degradations"]),
    class("storage.split_brain", &["split brains", "split brain"]),
    class("service.failure", &["service failures", "failed services", "service failure"]),
    class("time.unstable", &["unstable clocks", "unstable clock"]),
    class("time.step", &["clock steps", "time jumps", "clock step"]),
    class("time.unsynchronized", &["unsynchronised clocks", "unsynchronized clocks"]),
    class("xen", &["xen events"]),
    class("xen.panic", &["xen panics", "xen panic", "hypervisor panics"]),
    class("xen.domain_crash", &["domain crashes", "domain crash"]),
    class("lastwords.loss", &["losses", "loss", "lost logs"]),
];

/// The names of classes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClassNames;

impl ClassNames {
    /// The class that words mean: a name that people use, or a class itself. Case and repeated spaces don't count.
    pub fn resolve(&self, words: &str) -> Option<&'static str> {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        CLASSES
            .iter()
            .find(|class| class.class == words || class.names.contains(&words.as_str()))
            .map(|class| class.class)
    }

    /// The name of a class in answers; the class itself where it has none.
    pub fn name_of(&self, class: &str) -> Option<&'static str> {
        CLASSES.iter().find(|known| known.class == class).and_then(|known| known.names.first().copied())
    }

    /// Every name with its class, classes themselves included.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        CLASSES.iter().flat_map(|class| {
            std::iter::once((class.class, class.class))
                .chain(class.names.iter().map(|name| (*name, class.class)))
        })
    }

    /// Whether a class is in the tree or below one of its classes: users' rules may say more exactly what happened.
    pub fn holds(&self, class: &str) -> bool {
        let well_formed = class.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        });
        well_formed && CLASSES.iter().any(|known| is_under(class, known.class))
    }

    /// The beginnings of all classes.
    pub fn roots(&self) -> impl Iterator<Item = &'static str> {
        let mut seen: Vec<&str> = Vec::new();
        CLASSES.iter().filter_map(|known| known.class.split('.').next()).filter(move |root| {
            let new = !seen.contains(root);
            seen.push(root);
            new
        })
    }

    /// Whether a class is in the tree.
    pub fn is_known(&self, class: &str) -> bool {
        CLASSES.iter().any(|known| known.class == class)
    }
}

/// Whether a class is `root` or below it.
pub fn is_under(class: &str, root: &str) -> bool {
    class.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn people_s_words_find_their_class() {
        for (words, class) in [
            ("panics", Some("kernel.panic")),
            ("OOM  kills", Some("memory.oom_kill")),
            ("network saturation", Some("network.saturation")),
            ("kernel.oops", Some("kernel.oops")),
            ("gremlins", None),
        ] {
            assert_eq!(ClassNames.resolve(words), class, "{words}");
        }
    }

    #[test]
    fn no_name_means_two_classes() {
        let mut names = HashSet::new();
        for (name, class) in ClassNames.names() {
            assert!(names.insert(name), "{name} of {class} is taken");
        }
    }

    #[test]
    fn classes_of_rules_lie_in_the_tree() {
        for (class, holds) in [
            ("guest.crash", true),
            ("guest.crash.by_toolstack", true),
            ("filesystem.error", true),
            ("filesystem", false),
            ("Guest.crash", false),
            ("guest.", false),
            ("", false),
            ("gremlins", false),
        ] {
            assert_eq!(ClassNames.holds(class), holds, "{class}");
        }
        assert_eq!(ClassNames.roots().filter(|root| *root == "kernel").count(), 1);
    }

    #[test]
    fn a_class_holds_its_subtree_and_nothing_that_begins_alike() {
        assert!(is_under("kernel.lockup.soft", "kernel.lockup") && is_under("kernel", "kernel"));
        assert!(!is_under("kernel.lockups", "kernel.lockup"));
    }
}
