//! The rows of a feed whose entries are lines: kernel crashes among them become one record, and the cursor never
//! runs ahead of a crash that is still being read.

use std::time::{Duration, Instant};

use lastwords_record::{
    Origin, ShipperEvent,
    group::{Gatherer, Grouper, Verdict},
};

use super::{FEED_BYTES_MAX, FedRecord, Feed};

/// How long a crash may be silent before it counts as complete, whatever else is logged meanwhile.
const GROUP_PATIENCE: Duration = Duration::from_millis(500);
/// The same by the entries' own times, for what was written long before it is read.
const GROUP_SILENCE_NS: i64 = 2_000_000_000;
/// Bytes that wait for a crash to be complete, at most.
const PENDING_BYTES_MAX: usize = FEED_BYTES_MAX / 2;

/// Collects entries of one origin until they are sent.
#[derive(Debug)]
pub struct Grouped {
    stream: String,
    origin: Origin,
    grouper: Grouper,
    /// The open group, and entries that came meanwhile and are none of its lines.
    pending: Gatherer<FedRecord>,
    pending_bytes: usize,
    /// When the open group's latest line came, and its own time.
    latest: Option<(Instant, i64)>,
    /// The cursor behind everything seen, the open group included.
    seen: Vec<u8>,
    ready: Vec<FedRecord>,
    /// The cursor behind everything ready.
    cursor: Vec<u8>,
    events: Vec<ShipperEvent>,
    bytes: usize,
}

impl Grouped {
    /// Nothing collected yet.
    pub fn new(stream: &str, origin: Origin) -> Self {
        Grouped {
            stream: stream.to_owned(),
            origin,
            grouper: Grouper::new(),
            pending: Gatherer::default(),
            pending_bytes: 0,
            latest: None,
            seen: Vec::new(),
            ready: Vec::new(),
            cursor: Vec::new(),
            events: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes an entry that came at `now`; `cursor` is the place behind it. `kernel`: it is the kernel's, and may belong
    /// to a crash.
    pub fn push(&mut self, record: FedRecord, cursor: Vec<u8>, kernel: bool, now: Instant) {
        let is_long_after = |(_, time_ns): (Instant, i64)| record.time_ns - time_ns > GROUP_SILENCE_NS;
        if !kernel && self.latest.is_some_and(is_long_after) {
            self.end_group();
        }
        let (bytes, time_ns) = (record.body.len() + 64, record.time_ns);
        self.bytes += bytes;
        self.seen = cursor;
        // An entry of another program never belongs to a crash, whatever it says.
        let verdict = if kernel {
            self.grouper.push_at(&record.body, Some(record.time_ns / 1_000_000))
        } else if self.pending.is_open() {
            Verdict::Between
        } else {
            Verdict::Alone
        };
        if matches!(verdict, Verdict::Alone | Verdict::Begins) {
            self.settle();
        }
        match verdict {
            Verdict::Alone => self.ready.push(record),
            verdict => {
                self.pending.add(verdict, record);
                self.pending_bytes += bytes;
            }
        }
        if kernel && verdict != Verdict::Alone {
            self.latest = Some((now, time_ns));
        }
        match verdict {
            // What is ready up to here may be sent; the crash may not be passed over.
            Verdict::Begins => return,
            Verdict::Ends => self.settle(),
            _ => {}
        }
        if !self.pending.is_open() {
            self.cursor.clone_from(&self.seen);
        } else if self.pending_bytes > PENDING_BYTES_MAX {
            self.end_group();
        }
    }

    /// Ends a group that has been silent for too long at `now`, however much others log.
    pub fn end_silent_group(&mut self, now: Instant) {
        let is_silent = |(came, _): (Instant, i64)| now.duration_since(came) >= GROUP_PATIENCE;
        if self.pending.is_open() && self.latest.is_none_or(is_silent) {
            self.end_group();
        }
    }

    /// Adds an event of the source's own.
    pub fn push_event(&mut self, event: ShipperEvent) {
        self.events.push(event);
    }

    /// No further line of an open group will be waited for.
    pub fn end_group(&mut self) {
        self.grouper.close();
        self.settle();
        self.cursor.clone_from(&self.seen);
    }

    /// Whether a crash is open.
    pub fn is_open(&self) -> bool {
        self.pending.is_open()
    }

    /// Whether a feed should be sent at once.
    pub fn is_full(&self) -> bool {
        self.bytes >= FEED_BYTES_MAX / 2
    }

    /// What is ready, if anything is.
    pub fn take(&mut self) -> Option<Feed> {
        if self.ready.is_empty() && self.events.is_empty() {
            return None;
        }
        self.bytes = self.pending.lines().map(|record| record.body.len() + 64).sum();
        let records = std::mem::take(&mut self.ready);
        Some(Feed {
            stream: self.stream.clone(),
            cursor: self.cursor.clone(),
            records: if records.is_empty() { Vec::new() } else { vec![(self.origin.clone(), records)] },
            events: std::mem::take(&mut self.events),
            ..Feed::default()
        })
    }

    fn settle(&mut self) {
        let (mut group, mut others) = (Vec::new(), Vec::new());
        self.pending.finish(&mut group, &mut others);
        (self.pending_bytes, self.latest) = (0, None);
        let mut lines = group.into_iter();
        if let Some(mut record) = lines.next() {
            for line in lines {
                record.body.push(b'\n');
                record.body.extend_from_slice(&line.body);
                record.severity = record.severity.max(line.severity);
            }
            self.ready.push(record);
        }
        self.ready.append(&mut others);
    }
}

#[cfg(test)]
mod tests {
    use lastwords_record::{Host, Source};

    use super::*;

    fn grouped() -> Grouped {
        let host = Host { name: "h".into(), machine_id: String::new() };
        Grouped::new("kmsg", Origin { host, guest: None, source: Source::Kmsg, attributes: vec![] })
    }

    fn push(to: &mut Grouped, number: u8, text: &str, kernel: bool) {
        let record = FedRecord { body: text.as_bytes().to_vec(), ..FedRecord::default() };
        to.push(record, vec![number], kernel, Instant::now());
    }

    fn bodies(feed: &Feed) -> Vec<String> {
        feed.records
            .iter()
            .flat_map(|(_, rows)| rows)
            .map(|row| String::from_utf8_lossy(&row.body).into_owned())
            .collect()
    }

    #[test]
    fn the_cursor_stays_in_front_of_an_open_crash() {
        let mut grouped = grouped();
        push(&mut grouped, 1, "usb 1-1: new device", true);
        push(&mut grouped, 2, "BUG: unable to handle page fault", true);
        push(&mut grouped, 3, "sshd: accepted", false);
        push(&mut grouped, 4, "RIP: 0010:f+0x1/0x2", true);
        let first = grouped.take().unwrap();
        assert_eq!((bodies(&first), first.cursor), (vec!["usb 1-1: new device".to_owned()], vec![1]));
        assert_eq!(grouped.take(), None);
        grouped.end_group();
        let second = grouped.take().unwrap();
        assert_eq!(
            (bodies(&second), second.cursor),
            (
                vec![
                    "BUG: unable to handle page fault\nRIP: 0010:f+0x1/0x2".to_owned(),
                    "sshd: accepted".to_owned()
                ],
                vec![4]
            )
        );
    }

    #[test]
    fn last_words_end_a_crash_by_themselves() {
        let mut grouped = grouped();
        push(&mut grouped, 1, "Kernel panic - not syncing: x", true);
        push(&mut grouped, 2, "---[ end Kernel panic - not syncing: x ]---", true);
        assert!(!grouped.pending.is_open());
        let feed = grouped.take().unwrap();
        assert_eq!((bodies(&feed).len(), feed.cursor), (1, vec![2]));
    }

    #[test]
    fn a_crash_does_not_hold_back_what_programs_log_behind_it() {
        let begun = Instant::now();
        let after = |ms: u64| begun + Duration::from_millis(ms);
        let mut grouped = grouped();
        let entry = |text: &str| FedRecord { body: text.as_bytes().to_vec(), ..FedRecord::default() };
        grouped.push(entry("BUG: unable to handle page fault"), vec![1], true, begun);
        // More often than the patience with a silent crash.
        for number in 2..=6 {
            grouped.push(entry("a program"), vec![number], false, after(100 * u64::from(number)));
            grouped.end_silent_group(after(100 * u64::from(number)));
        }
        let feed = grouped.take().unwrap();
        assert_eq!((bodies(&feed).len(), &feed.cursor), (6, &vec![6]));
        assert_eq!(bodies(&feed)[0], "BUG: unable to handle page fault");
    }

    #[test]
    fn what_waits_for_a_crash_is_bounded_in_bytes_and_in_the_time_that_entries_name() {
        let mut crowded = grouped();
        push(&mut crowded, 1, "BUG: unable to handle page fault", true);
        let long = "x".repeat(1_000);
        let taken = (2..=250).find_map(|number| {
            push(&mut crowded, number, &long, false);
            crowded.take()
        });
        assert!(bodies(&taken.unwrap()).len() > 100);
        let mut old = grouped();
        let entry = |second: i64| FedRecord { time_ns: second * 1_000_000_000, ..FedRecord::default() };
        let crash = FedRecord { body: b"BUG: unable to handle page fault".to_vec(), ..entry(10) };
        old.push(crash, vec![1], true, Instant::now());
        old.push(entry(11), vec![2], false, Instant::now());
        assert_eq!(old.take(), None);
        old.push(entry(13), vec![3], false, Instant::now());
        assert_eq!(old.take().unwrap().cursor, vec![3]);
    }
}
