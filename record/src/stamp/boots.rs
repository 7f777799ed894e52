//! When the kernel started, of a finished file whose lines have nothing but the kernel's clock: known from what the
//! kernel itself says about the time, else counted back from when the file was last written.

use super::{Form, table};

/// A kernel's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// When its clock was 0, UTC nanoseconds.
    pub start_ns: i64,
    /// Nothing but the file's age says so.
    pub by_age: bool,
}

/// Boots of one file that are kept apart; a file with more is not dated by its age.
const BOOTS_MAX: usize = 1_000;
/// Nanoseconds that the clock goes back between lines of several CPUs, at most.
const DISORDER_NS: i64 = 1_000_000_000;

/// Whether the kernel's clock began anew.
pub(super) fn is_anew(before_ns: i64, now_ns: i64) -> bool {
    now_ns.saturating_add(DISORDER_NS) < before_ns || (now_ns == 0 && before_ns > 0)
}

/// Looks through a file's lines for its boots.
#[derive(Debug, Clone, Default)]
pub struct BootScan {
    /// Of each boot the clock's last reading, and its start where the kernel says so.
    boots: Vec<(i64, Option<i64>)>,
    /// There were too many.
    beyond: bool,
}

impl BootScan {
    /// Nothing seen yet.
    pub fn new() -> BootScan {
        BootScan::default()
    }

    /// Takes the next line.
    pub fn push(&mut self, line: &[u8]) {
        let Some(Form::KernelClock { clock_ns }) = table::find(line) else { return };
        let full = self.boots.len() >= BOOTS_MAX;
        match self.boots.last_mut() {
            Some((last_ns, _)) if !is_anew(*last_ns, clock_ns) => *last_ns = clock_ns.max(*last_ns),
            _ if full => self.beyond = true,
            _ => self.boots.push((clock_ns, None)),
        }
        if let Some((_, start_ns)) = self.boots.last_mut().filter(|(_, start_ns)| start_ns.is_none()) {
            *start_ns = said(line).and_then(|time_ns| time_ns.checked_sub(clock_ns));
        }
    }

    /// Whether a line had the kernel's clock and no other time.
    pub fn has_clock(&self) -> bool {
        !self.boots.is_empty()
    }

    /// The boots in their order. A boot whose start nobody says ended when the next one began, the last one when the
    /// file was last written.
    pub fn finish(self, modified_ns: i64) -> Vec<Boot> {
        if self.beyond {
            return Vec::new();
        }
        let mut end_ns = modified_ns;
        let mut boots: Vec<Boot> = self
            .boots
            .iter()
            .rev()
            .map(|(last_ns, said_ns)| {
                let counted_ns = end_ns.saturating_sub(*last_ns);
                let boot = Boot { start_ns: said_ns.unwrap_or(counted_ns), by_age: said_ns.is_none() };
                end_ns = boot.start_ns;
                boot
            })
            .collect();
        boots.reverse();
        boots
    }
}

/// What the kernel says about the time: `setting system clock to 2024-02-06T03:56:52 UTC (1707191812)`,
/// `audit(1707191812.123:1)`.
fn said(line: &[u8]) -> Option<i64> {
    if let Some(at) = memchr::memmem::find(line, b"setting system clock to ") {
        let behind = line.get(at..)?;
        let digits = behind.get(memchr::memchr(b'(', behind)? + 1..memchr::memchr(b')', behind)?)?;
        return epoch(super::numeric::epoch_number(digits));
    }
    epoch(table::audit_epoch(line))
}

fn epoch(form: Option<Form>) -> Option<i64> {
    match form? {
        Form::Epoch { time_ns } => Some(time_ns),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    fn boots(text: &str, modified_s: i64) -> Vec<(i64, bool)> {
        let mut scan = BootScan::new();
        text.lines().for_each(|line| scan.push(line.as_bytes()));
        let boots = scan.finish(modified_s * SECOND_NS);
        boots.into_iter().map(|boot| (boot.start_ns / SECOND_NS, boot.by_age)).collect()
    }

    #[test]
    fn boots_are_counted_back_from_the_files_age() {
        assert_eq!(boots("[    0.000000] a\n[  100.000000] b\n", 1_000), [(900, true)]);
        assert_eq!(
            boots(
                "SeaBIOS\n[    0.000000] a\n[  100.000000] b\n[    0.000000] c\n[   30.000000] d\n[   29.999000] e\n",
                1_000
            ),
            [(870, true), (970, true)]
        );
        assert_eq!(boots("2026-11-20T15:02:11Z [   12.0] a\nno clock\n", 1_000), []);
    }

    #[test]
    fn what_the_kernel_says_about_the_time_counts_before_the_files_age() {
        assert_eq!(
            boots(
                "[    2.000000] rtc_cmos 00:01: setting system clock to 2024-02-06T03:56:52 UTC (1707191812)\n[  100.000000] b\n\
                 [    0.000000] c\n[   30.000000] audit: type=1400 audit(1707200000.500:2): x\n[   40.000000] d\n",
                1_800_000_000
            ),
            [(1_707_191_810, false), (1_707_199_970, false)]
        );
        // A clock that was never set says nothing.
        assert_eq!(
            boots("[    2.0] rtc_cmos: setting system clock to 1970-01-01T00:00:12 UTC (12)\n", 1_000),
            [(998, true)]
        );
    }
}
