//! Bytes of one source into records of a batch: lines, groups, times, columns.
//!
//! What comes out depends on nothing but the bytes, the voice, the stamper's memory and the time of reading. That
//! is what lets a restarted shipper form a batch again: a stretch that was taken begins and ends between records,
//! and at its beginning no group is open.

use jiff::tz::TimeZone;
use lastwords_record::{
    BatchBuilder, OriginId, RecordRef,
    frame::{Lines, last_partial},
    group::{Gatherer, Grouper, Verdict},
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
    /// A group whose lines do not lie in one piece, or end with CRLF, is joined here.
    joined: Vec<u8>,
    gatherer: Gatherer<Place>,
    /// The lines of a group that is complete, and those that came in between.
    group: Vec<Place>,
    others: Vec<Place>,
}

/// Where a line lies in the stretch.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    /// Without the line's end.
    text_end: usize,
    end: usize,
}

/// The way into the batch.
struct Sink<'a, 'b> {
    builder: &'a mut BatchBuilder,
    origin: OriginId,
    stamper: &'a mut Stamper,
    former: &'a mut Former,
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
            former: self,
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

impl<'b> Sink<'_, 'b> {
    fn take(&mut self) {
        let bytes = self.stretch.bytes;
        let mut grouper = Grouper::new();
        // What was open at the end of another stretch is offered again.
        self.former.gatherer.clear();
        let mut start = 0;
        for line in Lines::new(bytes) {
            let place = Place { start, text_end: start + line.text.len(), end: line.end };
            if !self.line(&mut grouper, line.text, place) {
                return;
            }
            start = line.end;
        }
        if self.stretch.ending == Ending::All
            && let Some(text) = bytes.get(start..).and_then(last_partial)
        {
            let place = Place { start, text_end: start + text.len(), end: bytes.len() };
            if !self.line(&mut grouper, text, place) {
                return;
            }
        }
        if self.stretch.ending != Ending::Open {
            self.finish_group();
        }
    }

    /// Takes a line; whether there is room for more.
    #[inline]
    fn line(&mut self, grouper: &mut Grouper, text: &[u8], place: Place) -> bool {
        let verdict = grouper.push(text);
        if verdict == Verdict::Alone && !self.former.gatherer.is_open() {
            return self.push(text, text, place.end);
        }
        self.line_of_group(verdict, text, place)
    }

    /// Takes a line that stands in a group, or right behind one.
    fn line_of_group(&mut self, verdict: Verdict, text: &[u8], place: Place) -> bool {
        let begins = matches!(verdict, Verdict::Alone | Verdict::Begins) || !self.has_room(place);
        if begins && !self.finish_group() {
            return false;
        }
        // A group that grew beyond the limits goes on as another record.
        let alone = match verdict {
            Verdict::Alone => true,
            Verdict::Between | Verdict::Waits | Verdict::Ends => !self.former.gatherer.is_open(),
            Verdict::Begins | Verdict::Continues => false,
        };
        if alone {
            return self.push(text, text, place.end);
        }
        self.former.gatherer.add(verdict, place);
        verdict != Verdict::Ends || self.finish_group()
    }

    /// Whether the open group may grow up to the end of a line.
    fn has_room(&self, place: Place) -> bool {
        let gatherer = &self.former.gatherer;
        gatherer.ends().is_none_or(|(first, _)| {
            place.text_end - first.start <= RECORD_BYTES_MAX && gatherer.len() < GROUP_LINES_MAX
        })
    }

    /// Pushes the open group, if there is one, and what came in between behind it: all of that or nothing, since what
    /// was taken must be one piece. Whether there is room for more.
    fn finish_group(&mut self) -> bool {
        let Some((first, last)) = self.former.gatherer.ends().map(|(first, last)| (*first, *last)) else {
            return true;
        };
        let lines = self.former.gatherer.len();
        if !self.builder.has_room_for(self.origin, lines, last.text_end - first.start)
            && !self.builder.is_empty()
        {
            self.formed.full = true;
            return false;
        }
        let (mut group, mut others) =
            (std::mem::take(&mut self.former.group), std::mem::take(&mut self.former.others));
        let mut joined = std::mem::take(&mut self.former.joined);
        self.former.gatherer.finish(&mut group, &mut others);
        let first = group.first().map_or_else(Default::default, |place| self.text(*place));
        let pushed = self.push_group(first, &group, &mut joined, last.end)
            && others.iter().all(|place| self.push(self.text(*place), self.text(*place), last.end));
        if pushed {
            // The last record counts itself; the group's other lines are counted here.
            self.formed.lines += group.len().saturating_sub(1) as u64;
        }
        group.clear();
        others.clear();
        (self.former.group, self.former.others, self.former.joined) = (group, others, joined);
        pushed
    }

    fn push_group(&mut self, first: &[u8], group: &[Place], joined: &mut Vec<u8>, end: usize) -> bool {
        let bytes = self.stretch.bytes;
        let whole =
            group.windows(2).all(|pair| matches!(pair, [one, next] if one.text_end + 1 == next.start));
        if let (true, Some(from), Some(to)) = (whole, group.first(), group.last()) {
            return self.push(first, bytes.get(from.start..to.text_end).unwrap_or_default(), end);
        }
        joined.clear();
        for (number, place) in group.iter().enumerate() {
            if number > 0 {
                joined.push(b'\n');
            }
            joined.extend_from_slice(self.text(*place));
        }
        self.push(first, joined, end)
    }

    fn text(&self, place: Place) -> &'b [u8] {
        self.stretch.bytes.get(place.start..place.text_end).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, first: &[u8], body: &[u8], end: usize) -> bool {
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
        self.formed.lines += 1;
        self.formed.records += 1;
        true
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
