//! The demo's fleet: hosts, the guests on them, and how each machine writes its logs.

/// How a host keeps its guests' last words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hypervisor {
    /// `xenconsoled --timestamp=all` writes each guest's console beside the others, with local time.
    Xen,
    /// Guests send their consoles by netconsole; the host's rsyslog writes them with RFC 3339 times.
    Kvm,
}

/// One hypervisor machine.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name, `hv01` and so on.
    pub name: String,
    /// What runs the guests.
    pub hypervisor: Hypervisor,
    /// IANA name of the zone in which its syslog writes local time without saying so.
    pub time_zone: &'static str,
    /// The rack that it stands in.
    pub rack: &'static str,
    /// Its guests.
    pub guests: Vec<Guest>,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Its memory. Those with a gigabyte more are the ones that die.
    pub memory_mib: u32,
    /// Its virtual CPUs, which have nothing to do with it.
    pub vcpus: u32,
}

/// Memory of guests that do not mind.
pub const MEMORY_MIB: u32 = 4096;
/// Memory of those that do.
pub const MORE_MEMORY_MIB: u32 = 5120;

/// The zone of the people who ask.
pub const TIME_ZONE: &str = "Europe/Berlin";

const HOSTS: usize = 10;
const ROLES: [&str; 8] = ["web", "db", "mail", "build", "cache", "queue", "files", "auth"];

/// Ten hosts with 48 guests: six run Xen, four KVM; two write their logs in another zone.
pub fn fleet() -> Vec<Host> {
    (1..=HOSTS)
        .map(|number| Host {
            name: format!("hv{number:02}"),
            hypervisor: if number <= 6 { Hypervisor::Xen } else { Hypervisor::Kvm },
            time_zone: if number == 5 || number == 9 { "America/New_York" } else { TIME_ZONE },
            rack: if number % 2 == 0 { "b7" } else { "b8" },
            guests: (0..ROLES.len())
                .zip(ROLES)
                .skip(number % 3)
                .take(if number % 5 == 0 { 4 } else { 5 })
                .map(|(index, role)| Guest {
                    name: format!("{role}{number:02}"),
                    memory_mib: if (index + number) % 2 == 0 { MORE_MEMORY_MIB } else { MEMORY_MIB },
                    vcpus: if (index + number / 2) % 3 == 0 { 4 } else { 2 },
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_as_large_as_the_story_needs() {
        let fleet = fleet();
        assert!(fleet.len() >= 8);
        assert!(fleet.iter().map(|host| host.guests.len()).sum::<usize>() >= 40);
        assert!(fleet.iter().any(|host| host.time_zone != TIME_ZONE));
    }
}
