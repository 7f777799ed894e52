//! Recorded readings, JSON lines: the rows that come of them are not the lines, so that their batches are kept
//! sealed in the plan. To go on in the middle, lines are read from the beginning and what they give is dropped.

use lastwords_record::{
    frame::{Lines, last_partial},
    stamp::StampState,
};

use super::{
    Imported,
    work::{Failed, Work},
};
use crate::sample::{recorded::RecordedSamples, saturation::Thresholds};

/// Room that the rows of one line, and those of the end, surely need less of.
const ROOM_BYTES: usize = 256 * 1024;

/// Everything from the stream's position to its end.
pub(super) fn import(work: &mut Work<'_>, added: &mut Imported) -> Result<(), Failed> {
    let mut recorded =
        RecordedSamples::new(work.about.host.clone(), work.about.guest.clone(), Thresholds::default());
    let known_until = work.state.position;
    work.rewind();
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    let mut start = known_until;
    let mut wrong: u64 = 0;
    loop {
        work.stream.fill().map_err(Failed::Read)?;
        let ended = work.stream.ended();
        let position = work.stream.position();
        let bytes = work.stream.bytes();
        let mut lines = Lines::new(bytes);
        let (text, taken) = match lines.next() {
            Some(line) => (line.text, line.end),
            None if ended => match last_partial(bytes) {
                Some(text) => (text, bytes.len()),
                None => break,
            },
            None => return Err(Failed::Read(std::io::Error::other("a line without an end"))),
        };
        if let Err(error) = recorded.line(text, &mut samples, &mut events)
            && position >= known_until
        {
            if wrong == 0 {
                tracing::warn!(%error, byte = position, "a line is left out");
            }
            wrong += 1;
        }
        if position < known_until {
            work.stream.take(taken);
            samples.clear();
            events.clear();
            continue;
        }
        // Before the line, so that a batch always holds whole lines, and the last one at least one.
        if !work.builder.has_room_for(ROOM_BYTES) {
            seal(work, start, added)?;
            start = position;
        }
        work.stream.take(taken);
        added.lines += 1;
        added.bytes += taken as u64;
        push(work, &mut samples, &mut events, added);
    }
    if work.stream.position() > known_until {
        recorded.finish(&mut samples, &mut events);
        push(work, &mut samples, &mut events, added);
        seal(work, start, added)?;
    }
    if wrong > 0 {
        tracing::warn!(lines = wrong, "lines that are no readings were left out");
    }
    Ok(())
}

fn push(
    work: &mut Work<'_>,
    samples: &mut Vec<lastwords_record::Sample>,
    events: &mut Vec<lastwords_record::ShipperEvent>,
    added: &mut Imported,
) {
    // All rows of a line are of one batch. Its days are few, and there is room for more than were asked for.
    work.builder.form_again(true);
    for sample in samples.drain(..) {
        added.records += u64::from(work.builder.push_sample(&sample).is_ok());
    }
    for event in events.drain(..) {
        // Room was made before.
        let _ = work.builder.push_event(&event);
    }
    work.builder.form_again(false);
}

fn seal(work: &mut Work<'_>, start: u64, added: &mut Imported) -> Result<(), Failed> {
    let mut planned = work.planned();
    let memory = StampState::default();
    let extent = work.extent(start, 0, memory, memory, planned.sealed_time_ns);
    if work.builder.is_empty() {
        // Nothing but lines without rows so far: the place moves on with the next batch.
        return Ok(());
    }
    planned.extents.push(extent);
    let batch = work.builder.finish(work.outbox.next_id(), planned.sealed_time_ns, planned.clock());
    work.outbox.plan_sealed(planned, &batch)?;
    work.link.turn(&mut work.outbox, added)?;
    (work.told)(work.stream.position());
    Ok(())
}

impl Work<'_> {
    /// Back to the content's beginning, where it can be read again; a pipe is at its beginning.
    fn rewind(&mut self) {
        self.stream.rewind();
    }
}
