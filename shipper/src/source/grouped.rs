//! The rows of a feed whose entries are lines: kernel crashes among them become one record, and the cursor never
//! runs ahead of a crash that is still being read.

use lastwords_record::{
    Origin, ShipperEvent,
    group::{Gatherer, Grouper, Verdict},
};

use super::{FEED_BYTES_MAX, FedRecord, Feed};

/// Collects entries of one origin until they are sent.
#[derive(Debug)]
pub struct Grouped {
    stream: String,
    origin: Origin,
    grouper: Grouper,
    /// The open group, and entries that came meanwhile and are none of its lines.
    pending: Gatherer<FedRecord>,
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
            seen: Vec::new(),
            ready: Vec::new(),
            cursor: Vec::new(),
            events: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes an entry; `cursor` is the place behind it. `kernel`: it is the kernel's, and may belong to a crash.
    pub fn push(&mut self, record: FedRecord, cursor: Vec<u8>, kernel: bool) {
        self.bytes += record.body.len() + 64;
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
            verdict => self.pending.add(verdict, record),
        }
        match verdict {
            // What is ready up to here may be sent; the crash may not be passed over.
            Verdict::Begins => return,
            Verdict::Ends => self.settle(),
            _ => {}
        }
        if !self.pending.is_open() {
            self.cursor.clone_from(&self.seen);
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

    /// Whether a group is open.
    pub fn is_group_open(&self) -> bool {
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
        to.push(FedRecord { body: text.as_bytes().to_vec(), ..FedRecord::default() }, vec![number], kernel);
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
        assert!(!grouped.is_group_open());
        let feed = grouped.take().unwrap();
        assert_eq!((bodies(&feed).len(), feed.cursor), (1, vec![2]));
    }
}
