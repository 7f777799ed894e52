//! One read of `/dev/kmsg`: `priority,sequence,microseconds,flags[,…];text\n` and continuation lines of ` KEY=value`.
//! Pure. Source of the format: the kernel's Documentation/ABI/testing/dev-kmsg.

/// A message of the kernel's ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelEntry<'a> {
    /// Syslog severity, 0 (emergency) to 7 (debug).
    pub severity: u8,
    /// Syslog facility; 0 is the kernel.
    pub facility: u64,
    /// Its number in this boot, without gaps as long as nothing was overwritten.
    pub sequence: u64,
    /// Microseconds of the kernel's monotonic clock.
    pub clock_us: u64,
    /// The text; control characters stand in it as the kernel escapes them (`\x0a`).
    pub text: &'a [u8],
}

/// Reads an entry; none where the bytes are no kmsg record.
pub fn parse(record: &[u8]) -> Option<KernelEntry<'_>> {
    let semicolon = memchr::memchr(b';', record)?;
    let (prefix, text) = record.split_at(semicolon);
    let text = text.get(1..)?;
    let text = text.get(..memchr::memchr(b'\n', text).unwrap_or(text.len()))?;
    let mut fields = std::str::from_utf8(prefix).ok()?.split(',');
    let priority: u64 = fields.next()?.parse().ok()?;
    Some(KernelEntry {
        severity: u8::try_from(priority & 7).ok()?,
        facility: priority >> 3,
        sequence: fields.next()?.parse().ok()?,
        clock_us: fields.next()?.parse().ok()?,
        text,
    })
}

/// Severity number of OpenTelemetry's log model for a syslog severity (0 to 7); 0 where it is none.
/// Source: OpenTelemetry's logs data model, "Appendix B: SeverityNumber example mappings", Syslog.
pub fn severity_number(syslog: u8) -> u8 {
    match syslog {
        0 => 21,
        1 => 19,
        2 => 18,
        3 => 17,
        4 => 13,
        5 => 10,
        6 => 9,
        7 => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_as_kernels_write_them() {
        type Found<'a> = (u8, u64, u64, u64, &'a [u8]);
        let cases: [(&[u8], Option<Found<'_>>); 5] = [
            (b"6,339,5140900,-;NET: Registered protocol family 10\n", Some((6, 0, 339, 5_140_900, b"NET: Registered protocol family 10"))),
            (b"30,340,5690716,-;udevd[80]: starting version 181\n", Some((6, 3, 340, 5_690_716, b"udevd[80]: starting version 181"))),
            (b"7,160,424069,-;pci_root PNP0A03:00: host bridge window\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n", Some((7, 0, 160, 424_069, b"pci_root PNP0A03:00: host bridge window"))),
            (b"4,1,2,-,caller=T1;x;y", Some((4, 0, 1, 2, b"x;y"))),
            (b"no record", None),
        ];
        for (bytes, expected) in cases {
            let found = parse(bytes).map(|e| (e.severity, e.facility, e.sequence, e.clock_us, e.text));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
