//! Bytes of one source into records of a batch: lines, groups, times, columns.
//!
//! What comes out depends on nothing but the bytes, the voice, the stamper's memory and the time of reading. That
//! is what lets a restarted shipper form a batch again: a stretch that was taken begins and ends between records,
//! and at its beginning no group is open.

use jiff::tz::TimeZone;
use lastwords_record::{
    BatchBuilder, OriginId, RecordRef,
    frame::{Lines, last_partial},
    group::{Grouper, Verdict},
    limits::{GROUP_LINES_MAX, RECORD_BYTES_MAX},
    stamp::{StampRules, StampState, Stamper},
};

use crate::plan::Voice;

/// What is done with lines that may still get company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// More may come: an open group and a partial line wait.
    Open,
    /// An open group ends; a partial line waits.
    Groups,
    /// Nothing will come: the partial line is a line.
    All,
}

/// A stretch of bytes, and how to take it.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// The bytes, from a record's beginning on.
    pub bytes: &'a [u8],
    /// What happens at their end.
    pub ending: Ending,
    /// When they were read, UTC nanoseconds.
    pub observed_ns: i64,
}

/// What became of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Formed {
    /// Bytes that are in the batch now; the rest is to be offered again.
    pub taken: usize,
    /// Lines among them.
    pub lines: u64,
    /// Records that they gave.
    pub records: u64,
    /// The batch has no room for the next record.
    pub full: bool,
}

/// Forms records. Reusable.
#[derive(Debug, Default)]
pub struct Former {
    /// A group whose lines end with CRLF is joined here.
    joined: Vec<u8>,
}

/// The open group: where it begins and ends in the bytes, without the last line's end.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: usize,
    first_line_end: usize,
    text_end: usize,
    end: usize,
    lines: u64,
}

/// The way into the batch.
struct Sink<'a, 'b> {
    builder: &'a mut BatchBuilder,
    origin: OriginId,
    stamper: &'a mut Stamper,
    joined: &'a mut Vec<u8>,
    stretch: Stretch<'b>,
    formed: Formed,
    /// The stamper's memory before the record that did not fit.
    before: Option<StampState>,
}

impl Former {
    /// Takes as many records of a stretch as fit the batch.
    pub fn form(
        &mut self,
        builder: &mut BatchBuilder,
        origin: OriginId,
        dater: &mut Dater,
        stretch: Stretch<'_>,
    ) -> Formed {
        let mut sink = Sink {
            builder,
            origin,
            stamper: &mut dater.stamper,
            joined: &mut self.joined,
            stretch,
            formed: Formed::default(),
            before: None,
        };
        sink.take();
        let (formed, before) = (sink.formed, sink.before);
        if let Some(before) = before {
            dater.restore(before);
        }
        formed
    }
}

impl Sink<'_, '_> {
    fn take(&mut self) {
        let bytes = self.stretch.bytes;
        let mut grouper = Grouper::new();
        let mut group: Option<Group> = None;
        let mut start = 0;
        for line in Lines::new(bytes) {
            if !self.line(&mut grouper, &mut group, line.text, start, line.end) {
                return;
            }
            start = line.end;
        }
        if self.stretch.ending == Ending::All
            && let Some(text) = bytes.get(start..).and_then(last_partial)
            && !self.line(&mut grouper, &mut group, text, start, bytes.len())
        {
            return;
        }
        if self.stretch.ending != Ending::Open
            && let Some(group) = group
        {
            self.push_group(group);
        }
    }

    /// Takes a line; whether there is room for more.
    #[inline]
    fn line(
        &mut self,
        grouper: &mut Grouper,
        group: &mut Option<Group>,
        text: &[u8],
        start: usize,
        end: usize,
    ) -> bool {
        let verdict = grouper.push(text);
        if verdict == Verdict::Alone && group.is_none() {
            return self.push(text, text, end, 1);
        }
        let text_end = start + text.len();
        match (verdict, group.as_mut()) {
            (Verdict::Continues | Verdict::Ends, Some(open)) if open.has_room(text_end) => {
                (open.text_end, open.end, open.lines) = (text_end, end, open.lines + 1);
                if verdict == Verdict::Ends {
                    return group.take().is_none_or(|group| self.push_group(group));
                }
                true
            }
            (verdict, _) => {
                if let Some(complete) = group.take()
                    && !self.push_group(complete)
                {
                    return false;
                }
                match verdict {
                    Verdict::Alone | Verdict::Ends => self.push(text, text, end, 1),
                    // A group that grew beyond the limits goes on as another record.
                    Verdict::Begins | Verdict::Continues => {
                        *group = Some(Group { start, first_line_end: text_end, text_end, end, lines: 1 });
                        true
                    }
                }
            }
        }
    }

    fn push_group(&mut self, group: Group) -> bool {
        let bytes = self.stretch.bytes;
        let first = bytes.get(group.start..group.first_line_end).unwrap_or_default();
        let body = bytes.get(group.start..group.text_end).unwrap_or_default();
        if memchr::memmem::find(body, b"\r\n").is_none() {
            return self.push(first, body, group.end, group.lines);
        }
        let mut joined = std::mem::take(self.joined);
        joined.clear();
        for line in body.split(|byte| *byte == b'\n') {
            if !joined.is_empty() {
                joined.push(b'\n');
            }
            joined.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        }
        let pushed = self.push(first, &joined, group.end, group.lines);
        *self.joined = joined;
        pushed
    }

    #[inline]
    fn push(&mut self, first: &[u8], body: &[u8], end: usize, lines: u64) -> bool {
        let before = self.stamper.state();
        let observed_ns = self.stretch.observed_ns;
        let (time_ns, time_basis) = self.stamper.stamp(first, observed_ns);
        let record =
            RecordRef { time_ns, observed_ns, body, severity: 0, program: "", time_basis, attributes: &[] };
        if self.builder.push(self.origin, &record).is_err() {
            self.formed.full = true;
            self.before = Some(before);
            return false;
        }
        self.formed.taken = end;
        self.formed.lines += lines;
        self.formed.records += 1;
        true
    }
}

impl Group {
    fn has_room(&self, text_end: usize) -> bool {
        text_end - self.start <= RECORD_BYTES_MAX && self.lines < GROUP_LINES_MAX as u64
    }
}

/// Dates the lines of one voice, and can be put back.
#[derive(Debug, Clone)]
pub struct Dater {
    rules: StampRules,
    stamper: Stamper,
}

impl Dater {
    /// For a voice; goes on with what was remembered. A zone that this machine's database does not know any more
    /// counts as UTC.
    pub fn new(voice: &Voice, memory: Option<StampState>) -> Dater {
        Dater::in_zone(voice, time_zone(&voice.time_zone).unwrap_or(TimeZone::UTC), memory)
    }

    /// The same, in a zone that may have no name.
    pub fn in_zone(voice: &Voice, time_zone: TimeZone, memory: Option<StampState>) -> Dater {
        let rules = StampRules {
            time_zone,
            year: voice.year,
            modified_ns: voice.modified_ns,
            boots: voice.boots.clone(),
        };
        let stamper = match memory {
            Some(memory) => Stamper::resume(rules.clone(), memory),
            None => Stamper::new(rules.clone()),
        };
        Dater { rules, stamper }
    }

    /// What is remembered.
    pub fn memory(&self) -> StampState {
        self.stamper.state()
    }

    fn restore(&mut self, memory: StampState) {
        self.stamper = Stamper::resume(self.rules.clone(), memory);
    }
}

/// The zone of a name, in the database's or in POSIX form.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok()
}

#[cfg(test)]
mod tests;
