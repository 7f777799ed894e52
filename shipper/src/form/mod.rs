//! Bytes of one source into records of a batch: lines, groups, times, columns.
//!
//! What comes out depends on nothing but the bytes, the voice, the stamper's memory and the time of reading. That
//! is what lets a restarted shipper form a batch again: a stretch that was taken begins and ends between records,
//! and at its beginning no group is open.

mod blanks;
mod dater;
pub mod shaping;

use std::{borrow::Cow, sync::Arc};

use lastwords_record::{
    BatchBuilder, OriginId, RecordRef, TimeBasis,
    encoding::{Encoding, decode},
    fields::Fields,
    frame::{Lines, last_partial},
    group::{Gatherer, Grouper, Verdict},
    limits::{GROUP_LINES_MAX, RECORD_BYTES_MAX},
    stamp::{StampState, Stamper},
};

use blanks::Pieces;
pub use dater::{Dater, time_zone};
use shaping::Shaper;

/// By which rules lines become rows. Batches that were planned by a program of other rules are formed again by theirs:
///
/// - 0: a line is a record's body and time,
/// - 1: and says program, severity and fields; a run of NULs ends a line and is none.
pub const FORMING: u8 = 1;

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
    /// Records whose line says nothing of its time and follows none that does.
    pub undated: u64,
    /// NULs that were left out.
    pub blank_bytes: u64,
    /// Records that a rule leaves out.
    pub dropped: u64,
    /// Records in which something was made unreadable.
    pub redacted: u64,
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
    forming: u8,
    shaper: Option<Arc<Shaper>>,
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
        if dater.encoding == Encoding::Bytes {
            return self.form_bytes(builder, origin, dater, stretch);
        }
        let decoded = decode(dater.encoding, stretch.bytes, stretch.ending == Ending::All);
        let text = Stretch { bytes: decoded.text.as_bytes(), ..stretch };
        let formed = self.form_bytes(builder, origin, dater, text);
        Formed { taken: decoded.written_length(formed.taken), ..formed }
    }

    fn form_bytes(
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
            forming: dater.forming,
            shaper: dater.shaper.clone(),
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
        let has_blanks = self.forming > 0 && memchr::memchr(0, bytes).is_some();
        let mut start = 0;
        for line in Lines::new(bytes) {
            let place = Place { start, text_end: start + line.text.len(), end: line.end };
            if !self.whole(&mut grouper, line.text, place, has_blanks) {
                return;
            }
            start = line.end;
        }
        if self.stretch.ending == Ending::All
            && let Some(text) = bytes.get(start..).and_then(last_partial)
        {
            let place = Place { start, text_end: start + text.len(), end: bytes.len() };
            if !self.whole(&mut grouper, text, place, has_blanks) {
                return;
            }
        }
        if self.stretch.ending != Ending::Open {
            self.finish_group();
        }
    }

    /// Takes what stands between two line ends; whether there is room for more.
    #[inline]
    fn whole(&mut self, grouper: &mut Grouper, text: &[u8], place: Place, has_blanks: bool) -> bool {
        if has_blanks && blanks::has_run(text) {
            return self.pieces(grouper, text, place);
        }
        self.line(grouper, text, place)
    }

    /// Takes the pieces of a line between runs of NULs, each as a line of its own.
    fn pieces(&mut self, grouper: &mut Grouper, text: &[u8], place: Place) -> bool {
        let mut blank_bytes = text.len() as u64;
        for piece in Pieces::new(text) {
            let (start, text_end) = (place.start + piece.start, place.start + piece.end);
            let is_last = piece.next == text.len();
            let end = if is_last { place.end } else { place.start + piece.next };
            blank_bytes -= (piece.end - piece.start) as u64;
            let Some(text) = text.get(piece.start..piece.end) else { continue };
            if !self.line(grouper, text, Place { start, text_end, end }) {
                return false;
            }
        }
        if blank_bytes == text.len() as u64 {
            // Whatever was being written is over.
            grouper.close();
            if !self.finish_group() {
                return false;
            }
            self.formed.taken = place.end;
        }
        self.formed.blank_bytes += blank_bytes;
        true
    }

    /// Takes a line; whether there is room for more.
    #[inline]
    fn line(&mut self, grouper: &mut Grouper, text: &[u8], place: Place) -> bool {
        let verdict = self.verdict(grouper, text);
        if verdict == Verdict::Alone && !self.former.gatherer.is_open() {
            return self.push(text, text, place.end);
        }
        self.line_of_group(verdict, text, place)
    }

    /// What a line is to the lines before it.
    #[inline]
    fn verdict(&self, grouper: &mut Grouper, text: &[u8]) -> Verdict {
        let begins = self.shaper.as_ref().and_then(|shaper| shaper.begins(text));
        match begins {
            None => grouper.push(text),
            Some(true) => Verdict::Begins,
            Some(false) if self.former.gatherer.is_open() => Verdict::Continues,
            Some(false) => Verdict::Alone,
        }
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
        if !self.former.gatherer.is_open() {
            return true;
        }
        let (mut group, mut others) =
            (std::mem::take(&mut self.former.group), std::mem::take(&mut self.former.others));
        let mut joined = std::mem::take(&mut self.former.joined);
        self.former.gatherer.finish(&mut group, &mut others);
        let pushed = self.push_group(&group, &others, &mut joined);
        group.clear();
        others.clear();
        joined.clear();
        (self.former.group, self.former.others, self.former.joined) = (group, others, joined);
        pushed
    }

    fn push_group(&mut self, group: &[Place], others: &[Place], joined: &mut Vec<u8>) -> bool {
        let body = self.body(group, joined);
        if let Some(shaper) = self.shaper.clone() {
            return self.push_shaped_group(&shaper, body, group, others);
        }
        let before = self.stamper.state();
        let observed_ns = self.stretch.observed_ns;
        let places = || group.iter().take(1).chain(others);
        let fields: Vec<Fields<'_>> = places().map(|place| self.fields(self.text(*place))).collect();
        let attributes: Vec<Vec<(&str, &str)>> = fields.iter().map(attributes).collect();
        let mut records = Vec::with_capacity(1 + others.len());
        for (number, ((place, fields), attributes)) in places().zip(&fields).zip(&attributes).enumerate() {
            let text = self.text(*place);
            let (time_ns, time_basis) = self.stamper.stamp(text, observed_ns);
            records.push(RecordRef {
                time_ns,
                observed_ns,
                body: if number == 0 { body } else { text },
                severity: fields.severity,
                program: &fields.program,
                time_basis,
                attributes,
            });
        }
        // Lines of many days are no crash's, and no batch takes them together.
        if count_days(&records) > GROUP_DAYS_MAX {
            self.stamper.restore(before);
            return self.push_each(group, others);
        }
        if self.builder.push_all(self.origin, &records).is_err() {
            if self.builder.is_empty() {
                self.stamper.restore(before);
                return self.push_each(group, others);
            }
            self.formed.full = true;
            self.before = Some(before);
            return false;
        }
        let ends = group.iter().chain(others).map(|place| place.end);
        self.formed.taken = ends.max().unwrap_or(self.formed.taken);
        self.formed.lines += (group.len() + others.len()) as u64;
        self.formed.records += records.len() as u64;
        true
    }

    /// The same where rules change lines: the group, and each line that came in between, is a record of its own that is left
    /// out or changed. Where the batch is full in between, all of it is offered again.
    fn push_shaped_group(&mut self, shaper: &Shaper, body: &[u8], group: &[Place], others: &[Place]) -> bool {
        let before = self.stamper.state();
        let observed_ns = self.stretch.observed_ns;
        let mut texts = Vec::with_capacity(1 + others.len());
        for (number, place) in group.iter().take(1).chain(others).enumerate() {
            let text = self.text(*place);
            let (time_ns, time_basis) = self.stamper.stamp(text, observed_ns);
            let body = if number == 0 { body } else { text };
            if shaper.drops(body) {
                self.formed.dropped += 1;
            } else {
                texts.push((time_ns, time_basis, shaper.redact(body)));
            }
        }
        let fields: Vec<Fields<'_>> = texts.iter().map(|(.., body)| self.fields(first_line(body))).collect();
        let attributes: Vec<Vec<(&str, &str)>> = fields.iter().map(attributes).collect();
        let records: Vec<RecordRef<'_>> = texts
            .iter()
            .zip(&fields)
            .zip(&attributes)
            .map(|(((time_ns, time_basis, body), fields), attributes)| RecordRef {
                time_ns: *time_ns,
                observed_ns,
                body,
                severity: fields.severity,
                program: &fields.program,
                time_basis: *time_basis,
                attributes,
            })
            .collect();
        if count_days(&records) > GROUP_DAYS_MAX || self.builder.push_all(self.origin, &records).is_err() {
            self.stamper.restore(before);
            if count_days(&records) > GROUP_DAYS_MAX || self.builder.is_empty() {
                return self.push_each(group, others);
            }
            self.formed.full = true;
            self.before = Some(before);
            return false;
        }
        let ends = group.iter().chain(others).map(|place| place.end);
        self.formed.taken = ends.max().unwrap_or(self.formed.taken);
        self.formed.lines += (group.len() + others.len()) as u64;
        self.formed.records += records.len() as u64;
        true
    }

    /// Pushes each line as a record of its own, in their order.
    fn push_each(&mut self, group: &[Place], others: &[Place]) -> bool {
        let mut places: Vec<Place> = group.iter().chain(others).copied().collect();
        places.sort_unstable_by_key(|place| place.start);
        places.iter().all(|place| self.push(self.text(*place), self.text(*place), place.end))
    }

    /// The text of a group: a slice where its lines lie in one piece, else joined.
    fn body<'a>(&self, group: &[Place], joined: &'a mut Vec<u8>) -> &'a [u8]
    where
        'b: 'a,
    {
        let whole =
            group.windows(2).all(|pair| matches!(pair, [one, next] if one.text_end + 1 == next.start));
        if let (true, Some(from), Some(to)) = (whole, group.first(), group.last()) {
            return self.stretch.bytes.get(from.start..to.text_end).unwrap_or_default();
        }
        joined.clear();
        for (number, place) in group.iter().enumerate() {
            if number > 0 {
                joined.push(b'\n');
            }
            joined.extend_from_slice(self.text(*place));
        }
        joined
    }

    fn text(&self, place: Place) -> &'b [u8] {
        self.stretch.bytes.get(place.start..place.text_end).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, first: &[u8], body: &[u8], end: usize) -> bool {
        let before = self.stamper.state();
        let observed_ns = self.stretch.observed_ns;
        let (time_ns, time_basis) = self.stamper.stamp(first, observed_ns);
        let mut redacted = Cow::Borrowed(body);
        if let Some(shaper) = &self.shaper {
            if shaper.drops(body) {
                self.formed.taken = end;
                self.formed.lines += 1;
                self.formed.dropped += 1;
                return true;
            }
            redacted = shaper.redact(body);
            self.formed.redacted += u64::from(matches!(redacted, Cow::Owned(_)));
        }
        let body = &*redacted;
        let fields = self.fields(first_line(body));
        let record = RecordRef {
            time_ns,
            observed_ns,
            body,
            severity: fields.severity,
            program: &fields.program,
            time_basis,
            attributes: &attributes(&fields),
        };
        if self.builder.push(self.origin, &record).is_err() {
            self.formed.full = true;
            self.before = Some(before);
            return false;
        }
        self.formed.taken = end;
        self.formed.lines += 1;
        self.formed.records += 1;
        let is_undated = matches!(time_basis, TimeBasis::Observed | TimeBasis::FileModified);
        self.formed.undated += u64::from(is_undated);
        true
    }

    /// What a line says about itself.
    #[inline]
    fn fields<'a>(&self, line: &'a [u8]) -> Fields<'a> {
        if self.forming == 0 { Fields::default() } else { Fields::of(line) }
    }
}

/// A record's first line: what says who wrote it.
fn first_line(body: &[u8]) -> &[u8] {
    body.get(..memchr::memchr(b'\n', body).unwrap_or(body.len())).unwrap_or_default()
}

/// Attributes as a batch takes them. Most lines have none, and nothing is allocated for them.
fn attributes<'a>(fields: &'a Fields<'_>) -> Vec<(&'a str, &'a str)> {
    fields.attributes.iter().map(|(key, value)| (&**key, &**value)).collect()
}

/// Days that a crash and the lines in between may have: fewer than a batch.
const GROUP_DAYS_MAX: usize = 3;

/// How many days records have, up to one more than a group may.
fn count_days(records: &[RecordRef<'_>]) -> usize {
    let mut days: Vec<i64> = Vec::with_capacity(GROUP_DAYS_MAX + 1);
    for day in records.iter().map(|record| record.time_ns.div_euclid(86_400_000_000_000)) {
        if days.len() <= GROUP_DAYS_MAX && !days.contains(&day) {
            days.push(day);
        }
    }
    days.len()
}

#[cfg(test)]
mod tests;
