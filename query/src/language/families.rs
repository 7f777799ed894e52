//! Words for several classes at once, or for how bad something is.

use lastwords_detect::ClassNames;
use lastwords_store::confine::Predicate;

use super::question::Members;

enum Family {
    /// Events of these classes.
    Classes(&'static [&'static str]),
    /// Records for which this holds.
    Records(&'static str),
}

/// Every way in which a guest or a host dies.
const CRASHES: Family = Family::Classes(&[
    "kernel.panic",
    "guest.crash",
    "xen.domain_crash",
    "xen.panic",
    "host.crash",
    "host.reset",
    "cluster.fence",
]);
const NETWORK: Family = Family::Classes(&[
    "network.link_down",
    "network.port_down",
    "network.fault",
    "network.transmit_timeout",
    "network.saturation",
]);
const STORAGE: Family = Family::Classes(&["disk.error", "disk.full", "filesystem.error", "storage"]);
const HYPERVISOR: Family = Family::Classes(&["host.crash", "host.reset", "xen.panic"]);
const KERNEL_STALLS: Family =
    Family::Classes(&["kernel.lockup", "kernel.hung_task", "kernel.rcu_stall", "storage.stall"]);
const EVERYTHING: Family = Family::Classes(&[
    "kernel",
    "memory",
    "hardware",
    "disk",
    "filesystem",
    "network",
    "guest",
    "host",
    "cluster",
    "storage",
    "service",
    "time",
    "xen",
]);
/// As OpenTelemetry numbers severities.
const ERRORS: Family = Family::Records("SeverityNumber >= 17");
const WARNINGS: Family = Family::Records("SeverityNumber >= 13 and SeverityNumber < 17");

const OOM: Family = Family::Classes(&["memory.oom_kill"]);
const LINK_DOWN: Family = Family::Classes(&["network.link_down"]);
const LINK_CHANGES: Family = Family::Classes(&["network.link_down", "network.link_up"]);
const DROPS: Family = Family::Classes(&["network.saturation.drops"]);
const SATURATION: Family = Family::Classes(&["network.saturation"]);
const BOOTS: Family = Family::Classes(&["host.boot"]);
const GUEST_STARTS: Family = Family::Classes(&["guest.start"]);
const GUEST_STOPS: Family = Family::Classes(&["guest.stop"]);
const DEGRADED: Family = Family::Classes(&["storage.degraded"]);
const KERNEL: Family = Family::Classes(&["kernel"]);
const MIGRATIONS: Family = Family::Classes(&["guest.migration"]);
const SERVICES: Family = Family::Classes(&["service.failure"]);
const CLOCKS: Family = Family::Classes(&["time"]);
const RECORDS: Family = Family::Records("SeverityNumber >= 0");

const FAMILIES: &[(&[&str], &Family)] = &[
    (&["ooms", "oom", "oom killer", "oom events", "oom killers", "out of memory", "memory exhaustion"], &OOM),
    (
        &[
            "links going down",
            "nic down",
            "nic downs",
            "link loss",
            "interface down",
            "interfaces down",
            "nics down",
            "network down",
            "link failures",
            "lost links",
            "link losses",
        ],
        &LINK_DOWN,
    ),
    (&["link changes", "link flaps", "link flap", "link flapping", "flapping links", "flaps"], &LINK_CHANGES),
    (
        &[
            "dropped packets",
            "packet loss",
            "packets dropped",
            "drops",
            "packet losses",
            "lost packets",
            "packets lost",
        ],
        &DROPS,
    ),
    (
        &[
            "full networks",
            "saturated network",
            "network saturated",
            "network congestion",
            "network full",
            "saturated links",
        ],
        &SATURATION,
    ),
    (
        &[
            "restarts",
            "restart",
            "guest reboots",
            "guest reboot",
            "host reboots",
            "guest restarts",
            "guest boots",
        ],
        &BOOTS,
    ),
    (&["starts", "start", "starting", "started", "vm starts", "starting up"], &GUEST_STARTS),
    (&["stops", "guest shutdown", "guest shutdowns", "shutdown", "shutdowns", "vm stops"], &GUEST_STOPS),
    (
        &[
            "degraded raids",
            "raid degraded",
            "degraded raid",
            "raid failures",
            "raid failure",
            "raid problems",
        ],
        &DEGRADED,
    ),
    (
        &[
            "call traces",
            "call trace",
            "stack traces",
            "stack trace",
            "backtraces",
            "kernel errors",
            "kernel problems",
        ],
        &KERNEL,
    ),
    (&["moves", "vm migrations", "vmotion", "vmotions", "moved guests"], &MIGRATIONS),
    (
        &["systemd failures", "failed units", "unit failures", "service crashes", "crashed services"],
        &SERVICES,
    ),
    (&["clock problems", "clock issues", "time problems", "ntp problems", "clock jumps"], &CLOCKS),
    (
        &["records", "logs", "log", "lines", "log lines", "log entries", "log records", "log messages"],
        &RECORDS,
    ),
    (&["crashes", "crash", "crashed guests", "deaths", "guests down", "all crashes"], &CRASHES),
    (
        &["network problems", "network issues", "network errors", "network failures", "networking problems"],
        &NETWORK,
    ),
    (
        &[
            "storage problems",
            "storage issues",
            "storage errors",
            "disk problems",
            "disk issues",
            "disk failures",
            "disk failure",
            "storage failures",
        ],
        &STORAGE,
    ),
    (&["hypervisor crashes", "hypervisor crash", "host failures", "host outages"], &HYPERVISOR),
    (&["hangs", "hang", "stalls", "freezes", "hung guests"], &KERNEL_STALLS),
    (&["events", "event", "incidents", "problems", "anything"], &EVERYTHING),
    (&["errors", "error", "severity error", "error messages", "error logs"], &ERRORS),
    (&["warnings", "warning", "severity warning", "warning messages"], &WARNINGS),
];

/// All names of families.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|(names, _)| names.iter().copied())
}

/// What a family's name stands for, and what to say of it.
pub(super) fn family(words: &str) -> Option<(Members, String)> {
    let (names, family) = FAMILIES.iter().find(|(names, _)| names.contains(&words))?;
    let name = names.first().copied().unwrap_or_default();
    match family {
        Family::Classes(classes) => {
            let called: Vec<&str> =
                classes.iter().map(|class| ClassNames.name_of(class).unwrap_or(class)).collect();
            let members = match classes {
                [class] => Members::Class((*class).to_owned()),
                _ => Members::Classes(classes.iter().map(|class| (*class).to_owned()).collect()),
            };
            if std::ptr::eq(*family, &EVERYTHING) {
                return Some((members, format!("{words}: everything that was recognised.")));
            }
            let flaps = name == "link changes";
            let more = if flaps {
                "; a flap is asked for as link downs within 1 minute before link ups"
            } else {
                ""
            };
            Some((members, format!("{words}: {}{more}.", called.join(", "))))
        }
        Family::Records(condition) => {
            let predicate = Predicate::parse(condition).ok()?;
            Some((Members::Predicate(predicate), format!("{words}: records with {{{condition}}}.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_of_known_classes_or_a_condition_that_can_be_asked() {
        for (names, _) in FAMILIES {
            for name in *names {
                let (members, said) = family(name).unwrap();
                if let Members::Classes(classes) = members {
                    let known = |class: &String| {
                        ClassNames.names().any(|(_, of)| lastwords_detect::is_under(of, class))
                    };
                    assert!(classes.iter().all(known), "{name}: {classes:?}");
                }
                assert!(said.ends_with('.'), "{said}");
                assert!(ClassNames.resolve(name).is_none(), "{name} is a class already");
            }
        }
    }
}
