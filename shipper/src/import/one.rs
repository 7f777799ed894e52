//! The batches of one content.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::Path,
};

use lastwords_record::{BatchBuilder, Compression, Source, encoding::Encoding, stamp::boots::Boot};
use lastwords_runtime::now_ns;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    About, ImportError, Imported, archive,
    inputs::{Bytes, Opened, Pending, read_error},
    job::Whose,
    journal,
    kind::{self, Kind},
    known::{FILE, Import, Known},
    link::Link,
    samples,
    stay::{place, stay},
    stream::Stream,
    work::{Failed, Work},
};
use crate::{
    form::{Dater, Ending, FORMING, Former, Stretch, shaping::Shaping},
    plan::{self, Voice},
    shipper::Outbox,
    source::{boots, content::Content, fingerprint::Fingerprint, identity::FileState, trace::Trace},
    uplink::Uplink,
};

/// Archives within archives that are opened.
const ARCHIVE_DEPTH_MAX: usize = 3;

/// Imports one content after the other.
pub(super) struct Importer<'a> {
    about: &'a About<'a>,
    /// What is known of each subject that has come.
    known: HashMap<String, Known>,
    added: Imported,
}

impl<'a> Importer<'a> {
    pub(super) fn new(about: &'a About<'a>) -> Importer<'a> {
        Importer { about, known: HashMap::new(), added: Imported::default() }
    }

    pub(super) fn finish(self) -> Imported {
        self.added
    }

    /// Imports what is new in an input. Gives its uncompressed bytes.
    pub(super) fn take_input(&mut self, input: Pending, told: &dyn Fn(u64)) -> Result<u64, ImportError> {
        let (path, is_named) = (input.path.clone(), input.is_named);
        match input.open() {
            Ok(opened) => self.take(opened, is_named, 0, told),
            Err(ImportError::Read { what, source }) if path.is_some() => {
                self.added.tell(&what, format!("it cannot be read: {source}"), true);
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// Imports a content by what it is. What was not asked for by its name may hold anything.
    fn take(
        &mut self,
        opened: Opened,
        is_named: bool,
        depth: usize,
        told: &dyn Fn(u64),
    ) -> Result<u64, ImportError> {
        let kind = match self.about.options.source {
            Source::Sample => Kind::Text,
            _ => kind::of_head(&opened.head),
        };
        match kind {
            Kind::Text => self.content(opened, false, told),
            Kind::Export => self.content(opened, true, told),
            Kind::Archive => self.archive(opened, is_named, depth, told),
            Kind::Journal => match journal::open(&opened) {
                Ok(export) => self.content(export, true, told),
                Err(why) => {
                    self.added.tell(&opened.path, why, is_named);
                    Ok(0)
                }
            },
            Kind::Binary(what) => {
                self.added.tell(&opened.path, format!("it is {what}"), is_named);
                Ok(0)
            }
        }
    }

    fn archive(
        &mut self,
        opened: Opened,
        is_named: bool,
        depth: usize,
        told: &dyn Fn(u64),
    ) -> Result<u64, ImportError> {
        let path = opened.path.clone();
        if depth >= ARCHIVE_DEPTH_MAX {
            self.added.tell(&path, "it is an archive within archives: unpack it", is_named);
            return Ok(0);
        }
        let mut bytes = 0;
        let ended = archive::each(opened, |member| {
            bytes += self.take(member, false, depth + 1, told)?;
            Ok(())
        })?;
        if let Some(error) = ended {
            self.added.tell(
                &path,
                format!("the archive is damaged: {error}; what could be read was imported"),
                true,
            );
        }
        Ok(bytes)
    }

    /// Imports what is new in one content.
    fn content(
        &mut self,
        mut opened: Opened,
        is_export: bool,
        told: &dyn Fn(u64),
    ) -> Result<u64, ImportError> {
        let about = self.about;
        let path = opened.path.clone();
        let absolute = opened.file.as_ref().and_then(|file| file.canonicalize().ok());
        let mut whose = about.whose(absolute.as_deref().unwrap_or(Path::new(&path)));
        if is_export && whose.source == Source::File {
            whose.source = Source::Journald;
        }
        let subject = about.subject(&whose);
        let known = match self.known.entry(subject) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let known = Known::read(&about.options.state_dir, place.key())?;
                place.insert(known)
            }
        };
        let failed = |source| read_error(Path::new(if path.is_empty() { "-" } else { &path }), source);
        let mut found = None;
        if known.may_know(&opened.head) {
            opened = opened.rereadable().map_err(failed)?;
            if let Bytes::File(content) = &mut opened.bytes {
                found = known.find(content, &opened.head).map_err(failed)?;
            }
        }
        if found.is_none() {
            known.refuse_damaged(if path.is_empty() { "standard input" } else { &path }, &opened.head)?;
        }
        let (import, hash) = found.unwrap_or_else(|| (known.begin(now_ns()), Xxh3::new()));
        if opened.head.is_empty() {
            return Ok(0);
        }
        let (opened, boots) =
            if is_export { (opened, Vec::new()) } else { boots_of(about, opened).map_err(failed)? };
        let added = &mut self.added;
        let (mut work, again) = begin(about, &import, whose, (opened, boots), hash, told, added)?;
        added.lines += again.lines;
        added.records += again.records;
        added.bytes += again.bytes;
        let outcome = match about.options.source {
            Source::Sample => samples::import(&mut work, added),
            _ if is_export => journal::import(&mut work, added),
            _ => lines(&mut work, added),
        };
        outcome.map_err(|error| match error {
            Failed::Read(source) => failed(source),
            Failed::Import(error) => error,
        })?;
        if let Some(error) = work.stream.broken() {
            added.tell(&path, format!("it is damaged: {error}; what could be read was imported"), true);
        } else if !work.stream.bytes().is_empty() {
            added.tell(&path, "its last line is not finished: import it again once it is", false);
        }
        let Work { mut outbox, link, stream, state, .. } = work;
        known.update(Import { file: Some(state), ..import });
        link.finish(&mut outbox, added)?;
        Ok(stream.position())
    }
}

/// When the kernels started whose clock the lines have: as configured, else by what the content says and by its age. A
/// pipe that has such lines is read before.
fn boots_of(about: &About<'_>, mut opened: Opened) -> std::io::Result<(Opened, Vec<Boot>)> {
    if let Some(start_ns) = about.options.boot_ns {
        return Ok((opened, vec![Boot { start_ns, by_age: false }]));
    }
    if matches!(opened.bytes, Bytes::Pipe(_)) && boots::shows_clock(&opened.head) {
        opened = opened.rereadable()?;
        opened.modified_ns = opened.modified_ns.or(Some(now_ns()));
    }
    let boots = match (&mut opened.bytes, opened.modified_ns) {
        // What cannot be read is told when it is imported.
        (Bytes::File(content), Some(modified_ns)) => boots::find(content, modified_ns).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok((opened, boots))
}

/// Opens the plan, sends again what was under way.
fn begin<'a>(
    about: &'a About<'a>,
    import: &Import,
    whose: Whose,
    (opened, boots): (Opened, Vec<Boot>),
    hash: Xxh3,
    told: &'a dyn Fn(u64),
    added: &mut Imported,
) -> Result<(Work<'a>, Imported), ImportError> {
    let sealing = match about.uplink {
        Uplink::InProcess(_) => None,
        Uplink::Grpc(_) | Uplink::GrpcTls(..) | Uplink::Unix(_) => Some(Compression::DEFAULT),
    };
    let mut outbox = Outbox::open(&import.folder, import.shipper, now_ns().unsigned_abs(), sealing)?;
    let link = Link::open(about.uplink.clone(), outbox.first_id(), about.host.clone(), about.handle);
    let voice = Voice { boots, ..voice(about, &whose, &opened) };
    let state = match &import.file {
        Some(file) => file.clone(),
        None => {
            let state = new_state(&opened);
            outbox.remember(plan::Entry::File(state.clone()))?;
            state
        }
    };
    let mut builder = BatchBuilder::new();
    let Opened { mut bytes, is_whole, .. } = opened;
    let mut again = Imported::default();
    if let Bytes::File(content) = &mut bytes {
        again = resend(about, &whose, &mut outbox, &mut builder, content)?;
    }
    let stream = Stream::new(bytes, state.position, hash, is_whole);
    let mut work = Work { about, whose, outbox, link, builder, voice, stream, state, told };
    work.link.flush(&mut work.outbox, added)?;
    Ok((work, again))
}

fn new_state(opened: &Opened) -> FileState {
    FileState {
        id: FILE,
        path: opened.path.clone(),
        device: 0,
        inode: 0,
        identity: Fingerprint::of(&opened.head),
        position: 0,
        stamp: lastwords_record::stamp::StampState::default(),
        digest: String::new(),
        trace: Trace::default(),
        done: false,
    }
}

fn voice(about: &About<'_>, whose: &Whose, opened: &Opened) -> Voice {
    let path = (!opened.path.is_empty()).then(|| ("log.file.path".to_owned(), opened.path.clone()));
    Voice {
        host: (about.host.name.clone(), String::new()),
        guest: whose.guest.as_ref().map(|guest| (guest.name.clone(), guest.uuid.clone())),
        source: whose.source,
        attributes: path.into_iter().collect(),
        time_zone: about.options.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        year: about.options.year,
        modified_ns: opened.modified_ns,
        boots: Vec::new(),
        encoding: Encoding::of(&opened.head).unwrap_or_default(),
        forming: FORMING,
        shaping: Shaping::default(),
    }
}

/// Forms the batches again that were under way. The content is the same (its hash is), so that they come out alike.
fn resend(
    about: &About<'_>,
    whose: &Whose,
    outbox: &mut Outbox,
    builder: &mut BatchBuilder,
    content: &mut Content,
) -> Result<Imported, ImportError> {
    let mut again = Imported::default();
    let mut former = Former::default();
    for open in outbox.memory().open.clone() {
        again.bytes += open.planned.extents.iter().map(|extent| extent.end - extent.start).sum::<u64>();
        if open.planned.sealed {
            outbox.resend_sealed(&open);
            continue;
        }
        builder.form_again(true);
        for extent in &open.planned.extents {
            let Some(voice) = open.planned.voices.get(extent.voice) else { continue };
            let mut bytes = vec![0; usize::try_from(extent.end - extent.start).unwrap_or(0)];
            let read = content.read_at(extent.start, &mut bytes).map_err(|source| {
                read_error(Path::new(voice.attributes.first().map_or("-", |(_, path)| path)), source)
            })?;
            bytes.truncate(read);
            // A zone without a name is the caller's.
            let mut dater = if voice.time_zone == about.options.time_zone.iana_name().unwrap_or("UTC") {
                Dater::in_zone(voice, about.options.time_zone.clone(), Some(extent.stamp_before))
            } else {
                Dater::new(voice, Some(extent.stamp_before))
            };
            let origin = builder.origin(&voice.origin());
            let stretch = Stretch { bytes: &bytes, ending: Ending::All, observed_ns: extent.observed_ns };
            let formed = former.form(builder, origin, &mut dater, stretch);
            again.lines += formed.lines;
            again.records += formed.records;
        }
        place(about, whose, builder);
        builder.form_again(false);
        let planned = &open.planned;
        let batch = builder.finish(
            outbox.memory().batch_id(planned.sequence),
            planned.sealed_time_ns,
            planned.clock(),
        );
        outbox.resend(batch)?;
    }
    Ok(again)
}

/// Everything from the stream's position to its end.
fn lines(work: &mut Work<'_>, added: &mut Imported) -> Result<(), Failed> {
    let memory = (work.state.position > 0).then_some(work.state.stamp);
    let mut dater = Dater::in_zone(&work.voice, work.about.options.time_zone.clone(), memory);
    let origin = work.builder.origin(&work.voice.origin());
    if let Some(stay) = stay(work.about, &work.whose, (0, 0)) {
        work.builder.keep_room_for(&stay);
    }
    let mut former = Former::default();
    let mut planned = work.planned();
    loop {
        work.stream.fill().map_err(Failed::Read)?;
        let (bytes, position) = (work.stream.bytes(), work.stream.position());
        let ending = match (work.stream.ended(), work.stream.is_whole()) {
            (true, true) => Ending::All,
            (true, false) => Ending::Groups,
            (false, _) => Ending::Open,
        };
        let stamp_before = dater.memory();
        let stretch = Stretch { bytes, ending, observed_ns: planned.sealed_time_ns };
        let formed = former.form(&mut work.builder, origin, &mut dater, stretch);
        let taken = bytes.get(..formed.taken).unwrap_or_default();
        if formed.taken > 0 {
            let hash = xxh3_64(taken);
            work.stream.take(formed.taken);
            planned.extents.push(work.extent(
                position,
                hash,
                stamp_before,
                dater.memory(),
                planned.sealed_time_ns,
            ));
            added.lines += formed.lines;
            added.records += formed.records;
            added.bytes += formed.taken as u64;
            added.undated += formed.undated;
            added.blank_bytes += formed.blank_bytes;
        }
        let is_read = work.stream.bytes().is_empty() || (!work.stream.is_whole() && !formed.full);
        let done = work.stream.ended() && is_read;
        if (formed.full || done) && !work.builder.is_empty() {
            place(work.about, &work.whose, &mut work.builder);
            let batch = work.builder.finish(work.outbox.next_id(), planned.sealed_time_ns, planned.clock());
            work.outbox.plan(planned, batch)?;
            work.link.turn(&mut work.outbox, added)?;
            (work.told)(work.stream.position());
            planned = work.planned();
        }
        if done {
            return Ok(());
        }
    }
}
