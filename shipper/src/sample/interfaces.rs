//! What the kernel counts for each network interface: `/proc/net/dev`, and what it knows of their speed.

use std::{collections::HashMap, fs, io, path::Path};

/// Counters of one interface since it came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes received and packets dropped on receipt.
    pub receive: (u64, u64),
    /// Bytes transmitted and packets dropped on transmission.
    pub transmit: (u64, u64),
}

/// Parses `/proc/net/dev`. Lines that are no interface's are left out.
/// Source of the columns: the kernel's net/core/net-procfs.c.
pub fn parse_counters(text: &str) -> impl Iterator<Item = (&str, Counters)> {
    text.lines().filter_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        let mut columns = numbers.split_ascii_whitespace().map(|number| number.parse::<u64>().ok());
        // Receive: bytes packets errs drop fifo frame compressed multicast; then transmit: bytes packets errs drop.
        let mut column = |skipped: usize| columns.nth(skipped).flatten();
        Some((
            name.trim(),
            Counters { receive: (column(0)?, column(2)?), transmit: (column(4)?, column(2)?) },
        ))
    })
}

/// Reads the counters of every interface.
///
/// # Errors
/// Where `/proc/net/dev` cannot be read.
pub fn read_counters(proc_net_dev: &Path) -> io::Result<HashMap<String, Counters>> {
    let text = fs::read_to_string(proc_net_dev)?;
    Ok(parse_counters(&text).map(|(name, counters)| (name.to_owned(), counters)).collect())
}

/// The speed that the kernel reports for an interface, in bits per second; none where it knows none, or where
/// what it reports is made up: virtual interfaces (veth, tap, bridges without ports) claim 10 Gbit/s whatever
/// limits them.
pub fn known_speed(sys_class_net: &Path, interface: &str) -> Option<u64> {
    let folder = sys_class_net.join(interface);
    // Only what stands on a real device, or is a bond of such, knows its speed.
    if !folder.join("device").exists() && !folder.join("bonding").exists() {
        return None;
    }
    let megabits: i64 = fs::read_to_string(folder.join("speed")).ok()?.trim().parse().ok()?;
    u64::try_from(megabits).ok().filter(|megabits| *megabits > 0).map(|megabits| megabits * 1_000_000)
}

/// Whether an interface is a guest's end on its host, by the names that Xen, libvirt, QEMU and Proxmox give them.
pub fn belongs_to_guest(interface: &str) -> bool {
    ["vif", "tap", "vnet", "veth"].iter().any(|prefix| interface.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0
  eth0:123456789 2345 1 77 0 0 0 0 987654321 5432 2 88 0 0 0 0
vif3.0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
";

    #[test]
    fn counters_are_found_in_their_columns() {
        let found: HashMap<_, _> = parse_counters(TEXT).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found["eth0"], Counters { receive: (123_456_789, 77), transmit: (987_654_321, 88) });
        assert_eq!(found["vif3.0"], Counters { receive: (1, 4), transmit: (9, 12) });
    }

    #[test]
    fn the_kernel_of_this_machine_is_understood() {
        assert!(read_counters(Path::new("/proc/net/dev")).unwrap().contains_key("lo"));
    }
}
