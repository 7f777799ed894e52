//! systemd's journal, read through `journalctl --output=export`: a static binary cannot link libsystemd. All fields
//! of an entry are kept; the cursor is the journal's own, with what finds the way where that leads nowhere
//! ([`journal_cursor`](super::journal_cursor)).

use std::{
    io::Read,
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lastwords_record::{Host, Origin, Source};
use lastwords_runtime::now_ns;
use rustix::event::{PollFd, PollFlags, Timespec};

use super::{
    FeedSender, FeedSource, SourceError, Stop,
    export::{Entry, EntryBuffer},
    grouped::Grouped,
    journal_cursor::Cursor,
    journal_entry, loss_event,
};
use crate::config::JournalOptions;

/// Reads the journal of this machine.
#[derive(Debug)]
pub struct Journald {
    program: String,
    host: Host,
    options: JournalOptions,
}

const POLL: Duration = Duration::from_millis(100);
const READ_BYTES: usize = 256 * 1024;
/// How long is waited for an entry that may be gone.
const PROBE: Duration = Duration::from_secs(5);
/// How far back is read where nothing tells where to go on.
const LOST_WAY_S: u64 = 7 * 86_400;

/// Where reading begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Begin {
    /// The first time.
    First,
    /// Behind the entry that was read last.
    Behind,
    /// By time: the entry that was read last is ahead of the clock.
    Since(u64),
}

impl Journald {
    /// The journal of this machine.
    pub fn new(host: Host, options: JournalOptions) -> Self {
        Journald { program: "journalctl".to_owned(), host, options }
    }

    fn spawn(&self, begin: &Begin, place: Option<&Cursor>) -> Result<Reader, SourceError> {
        let mut command = Command::new(&self.program);
        command.args(["--output=export", "--follow", "--no-tail", "--all", "--no-pager", "--quiet"]);
        match (begin, place) {
            (Begin::Since(seconds), _) => {
                command.arg(format!("--since=@{seconds}"));
            }
            (Begin::Behind, Some(place)) => {
                command.arg(format!("--after-cursor={}", place.text));
            }
            // This boot, not years, unless that was asked for.
            _ if !self.options.all_boots => {
                command.arg("--boot");
            }
            _ => {}
        }
        if !self.options.namespace.is_empty() {
            command.arg(format!("--namespace={}", self.options.namespace));
        }
        for unit in &self.options.units {
            command.arg(format!("--unit={unit}"));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let child = child
            .map_err(|source| SourceError::Io { what: format!("cannot start {}", self.program), source })?;
        Ok(Reader { child })
    }
}

impl Journald {
    /// Whether the journal has an entry no more: then it shows another one in its place.
    fn has_lost(&self, cursor: &str) -> bool {
        let mut command = Command::new(&self.program);
        command.args(["--output=export", "--no-pager", "--quiet"]).arg(format!("--cursor={cursor}"));
        if !self.options.namespace.is_empty() {
            command.arg(format!("--namespace={}", self.options.namespace));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut reader) = child.map(|child| Reader { child }) else { return false };
        let Some(mut output) = reader.child.stdout.take() else { return false };
        let (mut buffer, mut chunk) = (EntryBuffer::default(), vec![0; READ_BYTES]);
        let until = Instant::now() + PROBE;
        while Instant::now() < until {
            match is_readable(&output) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(_) => return false,
            }
            let Ok(length @ 1..) = output.read(&mut chunk) else { return false };
            match buffer.push(chunk.get(..length).unwrap_or_default()) {
                Ok((_, true)) => return buffer.entry().text("__CURSOR") != Some(cursor),
                Ok((_, false)) => {}
                Err(_) => return false,
            }
        }
        false
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
        let now_us = now_us();
        let place = cursor.and_then(|cursor| Cursor::parse(cursor, now_us));
        let begin = match &place {
            None => Begin::First,
            Some(place) if place.is_ahead(now_us) => {
                tracing::warn!(cursor = %place.text, "the journal's last entry that was read is ahead of the clock; reading goes on by time");
                match place.right_us / 1_000_000 {
                    0 => Begin::Since((now_us / 1_000_000).saturating_sub(LOST_WAY_S)),
                    seconds => Begin::Since(seconds),
                }
            }
            Some(_) => Begin::Behind,
        };
        let mut reader = self.spawn(&begin, place.as_ref())?;
        let Some(mut output) = reader.child.stdout.take() else {
            return Err(SourceError::Unreadable("journalctl has no output".to_owned()));
        };
        let origin =
            Origin { host: self.host.clone(), guest: None, source: Source::Journald, attributes: Vec::new() };
        let grouped = Grouped::new(self.name(), origin);
        let mut taker = Taker {
            journald: self,
            begin,
            began_at: place.clone(),
            place: place.unwrap_or_default(),
            grouped,
        };
        let mut buffer = EntryBuffer::default();
        let mut chunk = vec![0; READ_BYTES];
        let mut last_sent = Instant::now();
        while !stop.is_set() {
            if !is_readable(&output)? {
                taker.grouped.end_silent_group(Instant::now());
                taker.send(feed)?;
                continue;
            }
            let length = output.read(&mut chunk).map_err(|source| SourceError::Io {
                what: "cannot read from journalctl".to_owned(),
                source,
            })?;
            if length == 0 {
                taker.grouped.end_group();
                taker.send(feed)?;
                return Err(SourceError::Unreadable(format!(
                    "{} ended: is there a journal here?",
                    self.program
                )));
            }
            let mut rest = chunk.get(..length).unwrap_or_default();
            while !rest.is_empty() {
                let (taken, is_complete) = buffer.push(rest).map_err(|error| {
                    SourceError::Unreadable(format!("journalctl's output cannot be read: {error}"))
                })?;
                rest = rest.get(taken..).unwrap_or_default();
                if is_complete {
                    taker.take(&buffer.entry());
                    buffer.clear();
                    if taker.grouped.is_full() {
                        taker.send(feed)?;
                    }
                }
            }
            taker.grouped.end_silent_group(Instant::now());
            // A steady stream of small reads must not wait for a pause.
            if last_sent.elapsed() >= POLL {
                last_sent = Instant::now();
                taker.send(feed)?;
            }
        }
        Ok(())
    }
}

/// Takes entries that were not read before.
struct Taker<'a> {
    journald: &'a Journald,
    begin: Begin,
    /// Up to where was read before.
    began_at: Option<Cursor>,
    place: Cursor,
    grouped: Grouped,
}

impl Taker<'_> {
    fn send(&mut self, feed: &FeedSender) -> Result<(), SourceError> {
        if let Some(rows) = self.grouped.take() {
            feed.send(rows)?;
        }
        Ok(())
    }

    fn take(&mut self, entry: &Entry<'_>) {
        let Some(cursor) = entry.text("__CURSOR") else { return };
        let time_us = journal_entry::realtime_us(entry);
        if !self.is_new(cursor, time_us) {
            return;
        }
        self.place.pass(cursor, time_us, now_us());
        let unit = entry.text("_SYSTEMD_UNIT").unwrap_or_default();
        if self.journald.options.exclude_units.iter().any(|excluded| excluded == unit) {
            return;
        }
        if entry.cut_bytes > 0 {
            let title = format!("{} bytes of a message in the journal were too many", entry.cut_bytes);
            self.lose(cursor, title, &[("bytes", entry.cut_bytes)]);
        }
        let is_kernels = journal_entry::is_kernels(entry);
        for record in journal_entry::records(entry, now_ns()) {
            self.grouped.push(record, self.place.to_bytes(), is_kernels, Instant::now());
        }
    }

    /// Whether an entry was not read before. The first one says whether what stands between is lost.
    fn is_new(&mut self, cursor: &str, time_us: Option<u64>) -> bool {
        let Some(began_at) = &self.began_at else { return true };
        if let Begin::Since(_) = self.begin {
            let is_earlier = time_us.is_some_and(|time_us| time_us <= began_at.right_us);
            return !is_earlier && !began_at.has_passed(cursor);
        }
        let began_at = self.began_at.take().unwrap_or_default();
        if began_at.text == cursor {
            return false;
        }
        match began_at.missing_before(cursor) {
            // Entries that others may read alone, or that are not asked for, have numbers, too.
            Some(missing) if missing > 0 && self.journald.has_lost(&began_at.text) => {
                let title =
                    format!("up to {missing} entries of the journal were vacuumed before they were read");
                tracing::warn!(missing, "{title}");
                self.lose(cursor, title, &[("records", missing)]);
            }
            Some(_) => {}
            None => tracing::warn!(
                after = %began_at.text,
                "the journal was begun anew: the entry that was read last is gone, and so is what was not read behind it"
            ),
        }
        true
    }

    fn lose(&mut self, cursor: &str, title: String, lost: &[(&str, u64)]) {
        let key = format!("journald {cursor}");
        self.grouped.push_event(loss_event(&self.journald.host, now_ns(), key, title, lost));
    }
}

fn now_us() -> u64 {
    u64::try_from(now_ns() / 1_000).unwrap_or_default()
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

    use lastwords_record::TimeBasis;

    use super::{super::FedRecord, *};

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
            options: JournalOptions::default(),
        }
    }

    fn run(journald: Journald, cursor: Option<&'static [u8]>) -> Vec<super::super::Feed> {
        let (sender, mut receiver) = FeedSender::channel();
        let stop = Stop::default();
        let stopping = stop.clone();
        let mut journald = journald;
        let reader = std::thread::spawn(move || journald.run(cursor, &sender, &stopping));
        let mut feeds = Vec::new();
        while feeds.last().is_none_or(|feed: &super::super::Feed| !feed.cursor.starts_with(b"c3")) {
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
        // Were the entry that was read last shown again, it is not read twice.
        let feeds = run(journald(folder.path()), Some(b"c1 right=1"));
        let rows: Vec<FedRecord> =
            feeds.iter().flat_map(|feed| &feed.records).flat_map(|(_, rows)| rows.clone()).collect();
        assert_eq!((rows.len(), rows[0].program.as_str()), (1, "kernel"));
        assert_eq!(feeds.last().unwrap().cursor, b"c3 right=2000003");
        let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
        assert!(arguments.contains("--after-cursor=c1") && !arguments.contains("right"), "{arguments}");
    }

    const BEHIND: &str = "__CURSOR=s=a;i=9;t=5\n__REALTIME_TIMESTAMP=5\nMESSAGE=behind\n\n\
                          __CURSOR=c3\n__REALTIME_TIMESTAMP=6\nMESSAGE=last\n\n";

    fn losses(feeds: &[super::super::Feed]) -> Vec<(&str, &str)> {
        let attributes = feeds.iter().flat_map(|feed| &feed.events).flat_map(|event| &event.attributes);
        attributes.map(|(name, amount)| (name.as_str(), amount.as_str())).collect()
    }

    #[test]
    fn entries_that_were_vacuumed_are_told_as_lost() {
        let folder = tempfile::tempdir().unwrap();
        let journald = journald(folder.path());
        std::fs::write(folder.path().join("entries"), BEHIND).unwrap();
        let feeds = run(journald, Some(b"s=a;i=5;t=1 right=1"));
        assert_eq!(losses(&feeds), [("records", "3")]);
        assert_eq!(feeds.iter().map(|feed| feed.records.len()).sum::<usize>(), 1);
    }

    #[test]
    fn a_place_that_is_ahead_of_the_clock_is_left_for_the_latest_right_time() {
        let folder = tempfile::tempdir().unwrap();
        let journald = journald(folder.path());
        // Entry 4 was read; 9 is new, though its time is far before that of the place.
        let entries = format!(
            "__CURSOR=s=a;i=4;t=7\n__REALTIME_TIMESTAMP=4000007\nMESSAGE=read\n\n{}",
            BEHIND.replace("TIMESTAMP=5", "TIMESTAMP=5000000").replace("TIMESTAMP=6", "TIMESTAMP=6000000")
        );
        std::fs::write(folder.path().join("entries"), entries).unwrap();
        let feeds = run(journald, Some(b"s=a;i=4;t=7ffffffffffffff right=4000001"));
        let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
        assert!(arguments.contains("--since=@4") && !arguments.contains("cursor"), "{arguments}");
        let rows = feeds.iter().flat_map(|feed| &feed.records).flat_map(|(_, rows)| rows);
        let bodies: Vec<String> = rows.map(|row| String::from_utf8_lossy(&row.body).into_owned()).collect();
        assert_eq!((bodies, losses(&feeds)), (vec!["behind".to_owned(), "last".to_owned()], vec![]));
    }

    #[test]
    fn what_is_read_can_be_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let mut journald = journald(folder.path());
        journald.options = JournalOptions {
            namespace: "*".to_owned(),
            all_boots: true,
            units: vec!["a.service".to_owned()],
            exclude_units: vec!["b.service".to_owned()],
        };
        let entries = format!("__CURSOR=c1\n_SYSTEMD_UNIT=b.service\nMESSAGE=left out\n\n{ENTRIES}");
        std::fs::write(folder.path().join("entries"), entries).unwrap();
        let feeds = run(journald, None);
        let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
        assert!(
            arguments.contains("--namespace=* --unit=a.service") && !arguments.contains("--boot"),
            "{arguments}"
        );
        let rows = feeds.iter().flat_map(|feed| &feed.records).flat_map(|(_, rows)| rows);
        assert!(rows.clone().count() == 2 && rows.clone().all(|row| row.body != b"left out"));
    }
}
