//! A journal: its export, or a file of it, which journalctl makes an export of. Rows are no lines here, so that batches are
//! kept sealed in the plan; one ends between two entries where no kernel crash is open.

use std::{
    io::{self, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use lastwords_record::stamp::StampState;
use lastwords_runtime::now_ns;

use super::{
    Imported,
    inputs::{Bytes, Opened},
    stay::place,
    work::{Failed, Work},
};
use crate::source::{content::Content, export::EntryBuffer, grouped::Grouped, journal_entry, packed::Reopen};

/// Room that the rows of one entry, and of a crash that is open, surely need less of.
const ROOM_BYTES: usize = 600 * 1024;

/// Opens a file of the journal as its export.
pub(super) fn open(opened: &Opened) -> Result<Opened, String> {
    let by_hand = "make an export of it: journalctl --file FILE --output=export > FILE.export";
    let Some(path) = opened.file.clone() else {
        return Err(format!(
            "it is a file of systemd's journal within another file: unpack it, and {by_hand}"
        ));
    };
    let reopen: Reopen = Arc::new(move || {
        let mut command = Command::new("journalctl");
        command.arg("--file").arg(&path).args(["--output=export", "--all", "--no-pager", "--quiet"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Box::new(Journalctl { child, output }))
    });
    let made = Content::read_forward(reopen).and_then(|mut content| {
        let head = content.head()?;
        Ok((content, head))
    });
    match made {
        Ok((content, head)) => Ok(Opened {
            path: opened.path.clone(),
            file: opened.file.clone(),
            bytes: Bytes::File(content),
            head,
            modified_ns: opened.modified_ns,
            is_whole: true,
        }),
        Err(error) => Err(format!(
            "it is a file of systemd's journal, and journalctl cannot be run here ({error}): {by_hand}"
        )),
    }
}

/// A running journalctl; ended with its reader.
struct Journalctl {
    child: Child,
    output: ChildStdout,
}

impl Read for Journalctl {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.output.read(buffer)
    }
}

impl Drop for Journalctl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything from the stream's position to its end.
pub(super) fn import(work: &mut Work<'_>, added: &mut Imported) -> Result<(), Failed> {
    let mut grouped = Grouped::new("import", work.voice.origin());
    let mut buffer = EntryBuffer::default();
    let mut start = work.stream.position();
    loop {
        work.stream.fill().map_err(Failed::Read)?;
        let bytes = work.stream.bytes();
        let is_over = bytes.is_empty();
        if is_over && !buffer.is_within() {
            break;
        }
        // The last entry may have no empty line behind it.
        let bytes = if is_over { b"\n\n" } else { bytes };
        let (taken, is_complete) = buffer
            .push(bytes)
            .map_err(|error| Failed::Read(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        if !is_over {
            work.stream.take(taken);
            added.bytes += taken as u64;
        }
        if !is_complete {
            if is_over {
                // It is cut within a value.
                break;
            }
            continue;
        }
        let entry = buffer.entry();
        added.lines += 1;
        for record in journal_entry::records(&entry, now_ns()) {
            grouped.push(record, Vec::new(), journal_entry::is_kernels(&entry), Instant::now());
        }
        buffer.clear();
        if grouped.is_full() || !work.builder.has_room_for(ROOM_BYTES) {
            push(work, &mut grouped, added)?;
            if !grouped.is_open() && !work.builder.has_room_for(ROOM_BYTES) {
                start = seal(work, start, added)?;
            }
        }
    }
    grouped.end_group();
    push(work, &mut grouped, added)?;
    seal(work, start, added)?;
    Ok(())
}

fn push(work: &mut Work<'_>, grouped: &mut Grouped, added: &mut Imported) -> Result<(), Failed> {
    let Some(feed) = grouped.take() else { return Ok(()) };
    for (origin, records) in &feed.records {
        let id = work.builder.origin(origin);
        for record in records {
            added.records += 1;
            if record.with_ref(|record| work.builder.push(id, record)).is_ok() {
                continue;
            }
            // The batches of a long message belong together.
            let planned = crate::plan::Planned { unfinished: true, ..work.planned() };
            let batch = work.builder.finish(work.outbox.next_id(), planned.sealed_time_ns, planned.clock());
            work.outbox.plan_sealed(planned, &batch)?;
            let id = work.builder.origin(origin);
            let _fits_an_empty_batch = record.with_ref(|record| work.builder.push(id, record));
        }
    }
    Ok(())
}

/// Ends the batch at the stream's position; gives that.
fn seal(work: &mut Work<'_>, start: u64, added: &mut Imported) -> Result<u64, Failed> {
    let mut planned = work.planned();
    let memory = StampState::default();
    let extent = work.extent(start, 0, memory, memory, planned.sealed_time_ns);
    if work.builder.is_empty() {
        return Ok(work.stream.position());
    }
    planned.extents.push(extent);
    place(work.about, &work.whose, &mut work.builder);
    let batch = work.builder.finish(work.outbox.next_id(), planned.sealed_time_ns, planned.clock());
    work.outbox.plan_sealed(planned, &batch)?;
    work.link.turn(&mut work.outbox, added)?;
    (work.told)(work.stream.position());
    Ok(work.stream.position())
}
