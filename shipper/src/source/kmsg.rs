//! The kernel's ring, `/dev/kmsg`: read from the place after the last planned entry of the same boot. What was
//! overwritten before it could be read is counted by the gap in the numbers and reported as a loss.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use lastwords_record::{Host, Origin, Source, TimeBasis};
use lastwords_runtime::now_ns;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{Mode, OFlags},
    time::{ClockId, clock_gettime},
};

use super::{
    FedRecord, FeedSender, FeedSource, SourceError, Stop, grouped::Grouped, kernel_entry, loss_event,
};

/// Reads `/dev/kmsg`.
#[derive(Debug)]
pub struct Kmsg {
    device: PathBuf,
    host: Host,
    boot_id: String,
}

/// The kernel's longest record, with room.
const RECORD_BYTES_MAX: usize = 16 * 1024;
const POLL: Duration = Duration::from_millis(100);

impl Kmsg {
    /// The ring of this machine.
    ///
    /// # Errors
    /// Where the boot's identity cannot be read.
    pub fn new(host: Host) -> Result<Self, SourceError> {
        let path = "/proc/sys/kernel/random/boot_id";
        let boot_id = fs::read_to_string(path)
            .map_err(|source| SourceError::Io { what: format!("cannot read {path}"), source })?;
        Ok(Kmsg { device: "/dev/kmsg".into(), host, boot_id: boot_id.trim().to_owned() })
    }

    fn open(&self) -> Result<OwnedFd, SourceError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(&self.device, flags, Mode::empty()).map_err(|error| SourceError::Io {
            what: format!("cannot open {}: it takes root or CAP_SYSLOG", self.device.display()),
            source: error.into(),
        })
    }

    /// The number of the last entry that was planned, where that was in this boot.
    fn resume_after(&self, cursor: Option<&[u8]>) -> Option<u64> {
        let (boot_id, sequence) = std::str::from_utf8(cursor?).ok()?.split_once(' ')?;
        (boot_id == self.boot_id).then(|| sequence.parse().ok()).flatten()
    }
}

impl FeedSource for Kmsg {
    fn name(&self) -> &str {
        "kmsg"
    }

    fn run(&mut self, cursor: Option<&[u8]>, feed: &FeedSender, stop: &Stop) -> Result<(), SourceError> {
        let device = self.open()?;
        let origin = Origin {
            host: self.host.clone(),
            guest: None,
            source: Source::Kmsg,
            attributes: vec![("boot_id".to_owned(), self.boot_id.clone())],
        };
        let mut grouped = Grouped::new(self.name(), origin);
        let boot_ns = boot_time_ns();
        let mut expected = self.resume_after(cursor).map(|sequence| sequence + 1);
        let mut buffer = vec![0; RECORD_BYTES_MAX];
        while !stop.is_set() {
            match rustix::io::read(&device, &mut buffer) {
                Ok(length) => {
                    let record = buffer.get(..length).unwrap_or_default();
                    if let Some(entry) = kernel_entry::parse(record) {
                        if expected.is_some_and(|expected| entry.sequence < expected) {
                            continue;
                        }
                        if let Some(lost) =
                            expected.map(|expected| entry.sequence - expected).filter(|lost| *lost > 0)
                        {
                            let key = format!("kmsg {} {}", self.boot_id, entry.sequence);
                            let title =
                                format!("{lost} kernel messages were overwritten before they could be read");
                            grouped.push_event(loss_event(
                                &self.host,
                                now_ns(),
                                key,
                                title,
                                &[("records", lost)],
                            ));
                        }
                        expected = Some(entry.sequence + 1);
                        let cursor = format!("{} {}", self.boot_id, entry.sequence).into_bytes();
                        grouped.push(
                            fed_record(&entry, boot_ns),
                            cursor,
                            entry.facility == 0,
                            Instant::now(),
                        );
                    }
                    grouped.end_silent_group(Instant::now());
                    if grouped.is_full()
                        && let Some(rows) = grouped.take()
                    {
                        feed.send(rows)?;
                    }
                }
                // The entry to be read next was overwritten: reading goes on with the oldest that is left.
                Err(rustix::io::Errno::PIPE) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    grouped.end_silent_group(Instant::now());
                    if let Some(rows) = grouped.take() {
                        feed.send(rows)?;
                    }
                    wait_readable(&device)?;
                }
                Err(error) => {
                    let what = format!("cannot read {}", self.device.display());
                    return Err(SourceError::Io { what, source: error.into() });
                }
            }
        }
        Ok(())
    }
}

fn fed_record(entry: &kernel_entry::KernelEntry<'_>, boot_ns: i64) -> FedRecord {
    let clock_ns = i64::try_from(entry.clock_us).unwrap_or(0).saturating_mul(1_000);
    FedRecord {
        time_ns: boot_ns.saturating_add(clock_ns),
        observed_ns: now_ns(),
        body: entry.text.to_vec(),
        severity: kernel_entry::severity_number(entry.severity),
        program: if entry.facility == 0 { "kernel".to_owned() } else { String::new() },
        time_basis: TimeBasis::KernelClock,
        attributes: Vec::new(),
    }
}

fn wait_readable(device: &OwnedFd) -> Result<(), SourceError> {
    let mut fds = [PollFd::new(device, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(POLL.subsec_nanos()) };
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => {
            Err(SourceError::Io { what: "cannot wait for /dev/kmsg".to_owned(), source: error.into() })
        }
    }
}

/// When the kernel's clock was 0, by today's idea of the time.
fn boot_time_ns() -> i64 {
    let monotonic = clock_gettime(ClockId::Monotonic);
    now_ns() - (monotonic.tv_sec * 1_000_000_000 + monotonic.tv_nsec)
}

/// Whether the ring can be read at all: what `doctor` asks.
///
/// # Errors
/// Why not.
pub fn readable() -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let device = rustix::fs::open("/dev/kmsg", flags, Mode::empty())?;
    match rustix::io::read(device.as_fd(), &mut [0; RECORD_BYTES_MAX]) {
        Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::PIPE) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::FeedSender;
    use super::*;

    fn kmsg() -> Kmsg {
        Kmsg::new(Host { name: "h".into(), machine_id: String::new() }).unwrap()
    }

    #[test]
    fn a_cursor_counts_only_in_its_boot() {
        let kmsg = kmsg();
        assert_eq!(kmsg.resume_after(None), None);
        assert_eq!(kmsg.resume_after(Some(format!("{} 41", kmsg.boot_id).as_bytes())), Some(41));
        assert_eq!(kmsg.resume_after(Some(b"another-boot 41")), None);
        assert_eq!(kmsg.resume_after(Some(b"\xff")), None);
    }

    /// Needs a readable /dev/kmsg, as root has it; where there is none it says so.
    #[test]
    fn what_is_written_to_the_ring_is_read_and_after_a_restart_only_what_is_new() {
        if readable().is_err() || fs::OpenOptions::new().write(true).open("/dev/kmsg").is_err() {
            eprintln!("skipped: /dev/kmsg cannot be read and written here");
            return;
        }
        let marker = format!("lastwords test {}", now_ns());
        let write = |text: &str| fs::write("/dev/kmsg", format!("{marker} {text}\n")).unwrap();
        let read = |cursor: Option<Vec<u8>>, until: &str| {
            let (sender, mut receiver) = FeedSender::channel();
            let stop = Stop::default();
            let stopping = stop.clone();
            let reader = std::thread::spawn(move || kmsg().run(cursor.as_deref(), &sender, &stopping));
            let (mut texts, mut cursor) = (Vec::new(), Vec::new());
            while let Some(feed) = receiver.blocking_recv() {
                cursor = feed.cursor.clone();
                let rows = feed.records.into_iter().flat_map(|(_, rows)| rows);
                texts.extend(rows.map(|row| String::from_utf8_lossy(&row.body).into_owned()));
                if texts.iter().any(|text| text.contains(&format!("{marker} {until}"))) {
                    stop.set();
                    break;
                }
            }
            drop(receiver);
            let _ = reader.join().unwrap();
            (texts.into_iter().filter(|text| text.contains(&marker)).count(), cursor)
        };
        write("one");
        write("two");
        let (found, cursor) = read(None, "two");
        assert_eq!(found, 2);
        write("three");
        assert_eq!(read(Some(cursor), "three").0, 1);
    }
}
