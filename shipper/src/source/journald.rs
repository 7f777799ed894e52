//! systemd's journal, read through `journalctl --output=export`: a static binary cannot link libsystemd. All fields
//! of an entry are kept; the cursor is the journal's own.

use std::{
    io::Read,
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lastwords_record::{Host, Origin, Source, TimeBasis};
use lastwords_runtime::now_ns;
use rustix::event::{PollFd, PollFlags, Timespec};

use super::{
    FedRecord, FeedSender, FeedSource, SourceError, Stop,
    export::{Entry, next_entry},
    grouped::Grouped,
    kernel_entry::severity_number,
};

/// Reads the journal of this machine.
#[derive(Debug)]
pub struct Journald {
    program: String,
    host: Host,
}

const POLL: Duration = Duration::from_millis(100);
const READ_BYTES: usize = 256 * 1024;
/// Longer values are cut as an attribute; the message itself is not.
const ATTRIBUTE_BYTES_MAX: usize = 4 * 1024;
/// Fields that become the record itself, or that differ from entry to entry and say nothing else.
const NOT_ATTRIBUTES: [&str; 6] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "_SOURCE_MONOTONIC_TIMESTAMP",
];

impl Journald {
    /// The journal of this machine.
    pub fn new(host: Host) -> Self {
        Journald { program: "journalctl".to_owned(), host }
    }

    fn spawn(&self, cursor: Option<&[u8]>) -> Result<Reader, SourceError> {
        let mut command = Command::new(&self.program);
        command.args(["--output=export", "--follow", "--all", "--no-pager", "--quiet"]);
        match cursor.and_then(|cursor| std::str::from_utf8(cursor).ok()) {
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")).arg("--no-tail"),
            // The first time: this boot, not years.
            None => command.arg("--boot").arg("--no-tail"),
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let child = child
            .map_err(|source| SourceError::Io { what: format!("cannot start {}", self.program), source })?;
        Ok(Reader { child })
    }
}

/// The running journalctl; ended with its reader.
struct Reader {
    child: Child,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl FeedSource for Journald {
    fn name(&self) -> &str {
        "journald"
    }

    fn run(&mut self, cursor: Option<&[u8]>, feed: &FeedSender, stop: &Stop) -> Result<(), SourceError> {
        let mut reader = self.spawn(cursor)?;
        let Some(mut output) = reader.child.stdout.take() else {
            return Err(SourceError::Unreadable("journalctl has no output".to_owned()));
        };
        let origin =
            Origin { host: self.host.clone(), guest: None, source: Source::Journald, attributes: Vec::new() };
        let mut grouped = Grouped::new(self.name(), origin);
        let mut buffer = Vec::new();
        let mut chunk = vec![0; READ_BYTES];
        let mut last_sent = Instant::now();
        while !stop.is_set() {
            if !is_readable(&output)? {
                grouped.end_silent_group(Instant::now());
                if let Some(rows) = grouped.take() {
                    feed.send(rows)?;
                }
                continue;
            }
            let length = output.read(&mut chunk).map_err(|source| SourceError::Io {
                what: "cannot read from journalctl".to_owned(),
                source,
            })?;
            if length == 0 {
                grouped.end_group();
                if let Some(rows) = grouped.take() {
                    feed.send(rows)?;
                }
                return Err(SourceError::Unreadable(format!(
                    "{} ended: is there a journal here?",
                    self.program
                )));
            }
            buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
            let taken = take_entries(&buffer, &mut grouped, feed)?;
            buffer.drain(..taken);
            grouped.end_silent_group(Instant::now());
            // A steady stream of small reads must not wait for a pause.
            if last_sent.elapsed() >= POLL {
                last_sent = Instant::now();
                if let Some(rows) = grouped.take() {
                    feed.send(rows)?;
                }
            }
        }
        Ok(())
    }
}

/// Pushes every whole entry of the buffer; gives the bytes that they took.
fn take_entries(buffer: &[u8], grouped: &mut Grouped, feed: &FeedSender) -> Result<usize, SourceError> {
    let mut taken = 0;
    while let Some((entry, length)) = next_entry(buffer.get(taken..).unwrap_or_default())
        .map_err(|error| SourceError::Unreadable(format!("journalctl's output cannot be read: {error}")))?
    {
        taken += length;
        if let Some(cursor) = entry.get("__CURSOR") {
            let kernel = entry.text("_TRANSPORT") == Some("kernel");
            grouped.push(fed_record(&entry), cursor.to_vec(), kernel, Instant::now());
        }
        if grouped.is_full()
            && let Some(rows) = grouped.take()
        {
            feed.send(rows)?;
        }
    }
    Ok(taken)
}

fn fed_record(entry: &Entry<'_>) -> FedRecord {
    let now_ns = now_ns();
    let written_us =
        entry.number("_SOURCE_REALTIME_TIMESTAMP").or_else(|| entry.number("__REALTIME_TIMESTAMP"));
    let written_ns = written_us.and_then(|us| i64::try_from(us).ok()).and_then(|us| us.checked_mul(1_000));
    let named = entry.text("SYSLOG_IDENTIFIER").or_else(|| entry.text("_COMM")).unwrap_or_default();
    // What the kernel says is the kernel's, whatever it is called.
    let program = if entry.text("_TRANSPORT") == Some("kernel") { "kernel" } else { named };
    FedRecord {
        time_ns: written_ns.unwrap_or(now_ns),
        observed_ns: now_ns,
        // An entry may have several lines; the last line's end belongs to none.
        body: entry
            .get("MESSAGE")
            .map(|text| text.strip_suffix(b"\n").unwrap_or(text))
            .unwrap_or_default()
            .to_vec(),
        severity: entry
            .number("PRIORITY")
            .and_then(|level| u8::try_from(level).ok())
            .map_or(0, severity_number),
        program: program.to_owned(),
        time_basis: if written_ns.is_some() { TimeBasis::Journal } else { TimeBasis::Observed },
        attributes: entry.fields().filter_map(attribute).collect(),
    }
}

fn attribute((name, value): (&[u8], &[u8])) -> Option<(String, String)> {
    let name = std::str::from_utf8(name).ok()?;
    if name.starts_with("__") || NOT_ATTRIBUTES.contains(&name) {
        return None;
    }
    let value = value.get(..ATTRIBUTE_BYTES_MAX.min(value.len()))?;
    Some((name.to_owned(), String::from_utf8_lossy(value).into_owned()))
}

fn is_readable(output: &impl AsFd) -> Result<bool, SourceError> {
    let mut fds = [PollFd::new(output, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(POLL.subsec_nanos()) };
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => {
            Err(SourceError::Io { what: "cannot wait for journalctl".to_owned(), source: error.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};

    use super::*;

    const ENTRIES: &str = "__CURSOR=c1\n__REALTIME_TIMESTAMP=1000001\nMESSAGE=one\nPRIORITY=3\nSYSLOG_IDENTIFIER=sshd\n_PID=7\n_TRANSPORT=syslog\n\n\
__CURSOR=c2\n__REALTIME_TIMESTAMP=2000002\nMESSAGE=Kernel panic - not syncing: x\n_TRANSPORT=kernel\n\n\
__CURSOR=c3\n__REALTIME_TIMESTAMP=2000003\nMESSAGE=---[ end Kernel panic - not syncing: x ]---\n_TRANSPORT=kernel\n\n";

    /// A journalctl that writes its arguments down and prints entries, as the real one would.
    fn journald(folder: &std::path::Path) -> Journald {
        let program = folder.join("journalctl");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(&program)
            .unwrap();
        write!(
            file,
            "#!/bin/sh\necho \"$@\" > {0}/arguments\ncat {0}/entries\nexec sleep 60\n",
            folder.display()
        )
        .unwrap();
        std::fs::write(folder.join("entries"), ENTRIES).unwrap();
        Journald {
            program: program.display().to_string(),
            host: Host { name: "h".into(), machine_id: String::new() },
        }
    }

    fn run(journald: Journald, cursor: Option<&'static [u8]>) -> Vec<super::super::Feed> {
        let (sender, mut receiver) = FeedSender::channel();
        let stop = Stop::default();
        let stopping = stop.clone();
        let mut journald = journald;
        let reader = std::thread::spawn(move || journald.run(cursor, &sender, &stopping));
        let mut feeds = Vec::new();
        while feeds.last().is_none_or(|feed: &super::super::Feed| feed.cursor != b"c3") {
            feeds.push(receiver.blocking_recv().unwrap());
        }
        stop.set();
        reader.join().unwrap().unwrap();
        feeds
    }

    #[test]
    fn entries_become_records_with_all_their_fields() {
        let folder = tempfile::tempdir().unwrap();
        let feeds = run(journald(folder.path()), None);
        let rows: Vec<FedRecord> =
            feeds.into_iter().flat_map(|feed| feed.records).flat_map(|(_, rows)| rows).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].body.as_slice(), rows[0].program.as_str()), (&b"one"[..], "sshd"));
        assert_eq!(
            (rows[0].time_ns, rows[0].severity, rows[0].time_basis),
            (1_000_001_000, 17, TimeBasis::Journal)
        );
        assert!(rows[0].attributes.contains(&("_PID".to_owned(), "7".to_owned())));
        assert!(rows[1].body.ends_with(b"]---") && rows[1].body.starts_with(b"Kernel panic"));
        assert!(std::fs::read_to_string(folder.path().join("arguments")).unwrap().contains("--boot"));
    }

    #[test]
    fn reading_goes_on_after_the_cursor() {
        let folder = tempfile::tempdir().unwrap();
        run(journald(folder.path()), Some(b"s=1;i=2"));
        assert!(
            std::fs::read_to_string(folder.path().join("arguments"))
                .unwrap()
                .contains("--after-cursor=s=1;i=2")
        );
    }
}
