//! The files that are followed: which generation is behind which name.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use lastwords_record::{limits::RECORD_BYTES_MAX, stamp::StampState};

use super::{
    Outbox,
    placing::Place,
    registry::{Files, Opened},
    waiting::Stranger,
};
use crate::{
    config::{FileRule, ShipperConfig},
    discover::{Refused, Walked},
    moment::{Moment, nanoseconds},
    plan::{Entry, PlanError},
    source::{
        boots,
        content::Content,
        fingerprint::Fingerprint,
        followed::{Followed, modified_ns},
        identity::FileState,
        loss_event,
        trace::Trace,
    },
    survey,
};

/// How long a file waits for an earlier generation that is still being written.
const EARLIER_PATIENCE_NS: i64 = 5 * 1_000_000_000;

/// Files that were begun at their ends and are named.
const SKIPPED_NAMED: usize = 50;
/// New files that are taken up before any is read.
const MET_AT_ONCE: usize = 1_000;

/// A path that a rule means.
struct Found<'a> {
    path: PathBuf,
    rule: &'a FileRule,
    device: u64,
    inode: u64,
}

impl Files {
    /// Files without a name, of which only we hold the content.
    pub(super) fn deleted(&self) -> BTreeSet<u64> {
        self.by_id.iter().filter(|(_, followed)| followed.deleted).map(|(id, _)| *id).collect()
    }

    /// Whether files wait for a descriptor.
    pub(super) fn has_deferred(&self) -> bool {
        self.has_deferred
    }

    pub(super) fn get(&mut self, id: u64) -> Option<&mut Followed> {
        self.by_id.get_mut(&id)
    }

    /// Ids of all files that may have something: first what was rotated away, the oldest first, so that its lines come
    /// before those of what took its name; then the others, each batch beginning with another one.
    pub(super) fn in_turn(&mut self) -> Vec<u64> {
        let (mut rotated, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for (id, followed) in &self.by_id {
            if followed.left || followed.finished {
                rotated.push((followed.written_ns(), *id));
            } else if followed.touched || followed.suspect || followed.has_more() {
                if *id < self.turn { before.push(*id) } else { after.push(*id) }
            }
        }
        after.extend(before);
        self.turn = after.first().map_or(0, |id| id + 1);
        rotated.sort_unstable();
        rotated.into_iter().map(|(_, id)| id).chain(after).collect()
    }

    pub(super) fn touched(&mut self, paths: &[PathBuf]) {
        for path in paths.iter().filter_map(|path| path.to_str()) {
            if let Some(followed) = self.by_path.get(path).and_then(|id| self.by_id.get_mut(id)) {
                followed.touched = true;
            }
        }
    }

    /// A file with bytes to read, or none where it has none now. A file that was truncated or written anew is parted
    /// with here; while extents of the batch in work refer to it (`in_work`), that waits for the next batch.
    pub(super) fn ready(
        &mut self,
        id: u64,
        outbox: &mut Outbox,
        config: &ShipperConfig,
        in_work: bool,
        now: Moment,
    ) -> Result<Option<&mut Followed>, PlanError> {
        if !self.wake(id) {
            if let Some(followed) = self.by_id.get_mut(&id) {
                followed.touched = false;
            }
            return Ok(None);
        }
        let Some(followed) = self.by_id.get_mut(&id) else { return Ok(None) };
        let intact = match followed.look(now) {
            Ok(intact) => intact,
            Err(error) => {
                tracing::warn!(file = %followed.state.path, %error, "cannot be looked at");
                return Ok(None);
            }
        };
        if !intact {
            followed.suspect = true;
            if !in_work {
                self.part_with(id, outbox, config, now)?;
            }
            return Ok(None);
        }
        if !followed.has_more() {
            followed.touched = false;
            return Ok(None);
        }
        Ok(self.by_id.get_mut(&id))
    }

    pub(super) fn take_up(
        &mut self,
        opened: Opened<'_>,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<u64, PlanError> {
        let Opened { path, device, inode, mut content, voice } = opened;
        let stamp = stamp_of(&mut content);
        let state = FileState {
            id: outbox.memory().next_file,
            path: path.to_string_lossy().into_owned(),
            device,
            inode,
            // Before anything is read: the inode may be another file's after a restart.
            identity: content.head().map(|head| Fingerprint::of(&head)).unwrap_or_default(),
            position: 0,
            stamp,
            digest: String::new(),
            trace: Trace::default(),
            done: false,
        };
        let id = state.id;
        outbox.remember(Entry::File(state.clone()))?;
        self.by_path.insert(state.path.clone(), id);
        self.add_kin(id, path);
        self.by_id.insert(id, Followed::new(state, content, voice, now));
        Ok(id)
    }

    /// Looks at all globs. Gives the folders that were looked into.
    pub(super) fn scan(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<Vec<PathBuf>, PlanError> {
        self.scan_due = false;
        self.kinship = None;
        let Finds { found, folders, unmatched, refused } = find(config);
        self.refused = refused;
        self.unmatched = unmatched;
        for followed in self.by_id.values_mut() {
            followed.left = true;
            followed.touched = true;
        }
        let inodes = self.inodes();
        let mut present = BTreeSet::new();
        // Known ones first: a rename must be understood before the new file under the old name.
        let (known, unknown): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|found| inodes.contains_key(&(found.device, found.inode)));
        for found in known {
            let id = inodes.get(&(found.device, found.inode)).copied().unwrap_or_default();
            let Some(followed) = self.by_id.get_mut(&id) else { continue };
            present.insert(id);
            followed.left = false;
            if Path::new(&followed.state.path) != found.path {
                followed.state.path = found.path.to_string_lossy().into_owned();
                outbox.remember(Entry::File(followed.state.clone()))?;
            }
        }
        self.kinship = None;
        // Older generations first: their lines come first.
        let unclear = self.earlier(config, &folders, outbox, now)?;
        self.has_deferred = false;
        for (met, found) in unknown.into_iter().enumerate() {
            if met >= MET_AT_ONCE {
                // What was met is read first: the others come with the next look.
                self.has_deferred = true;
                break;
            }
            if unclear.contains(&found.path) && self.waits_for_earlier(&found, now) {
                self.scan_due = true;
                continue;
            }
            if !self.has_descriptor() {
                self.has_deferred = true;
                break;
            }
            present.extend(self.meet(found, config, outbox, now)?);
        }
        self.held_back.retain(|_, since| now.steady_ns - *since < 2 * EARLIER_PATIENCE_NS);
        self.by_path = self.by_id.iter().map(|(id, followed)| (followed.state.path.clone(), *id)).collect();
        for (_, followed) in self.by_id.iter_mut().filter(|(id, _)| !present.contains(id)) {
            // What is gone is let go only after a look: it may have grown, or only now be without a name.
            followed.refresh(now);
        }
        self.settle_deleted(outbox)?;
        self.keep_to_budget(config, outbox, now)?;
        self.forget(config, outbox, &present, now)?;
        Ok(folders)
    }

    /// Writes down which files have lost their names and were read to their ends: they are not missed after a restart.
    fn settle_deleted(&mut self, outbox: &mut Outbox) -> Result<(), PlanError> {
        for followed in self.by_id.values_mut() {
            let is_over = followed.deleted && !followed.has_more() && !followed.suspect;
            if is_over && !followed.settled {
                outbox.remember(Entry::File(FileState { done: true, ..followed.state.clone() }))?;
            }
            followed.settled = is_over;
        }
        Ok(())
    }

    /// Whether a file waits for an earlier generation of its, so that lines come in their order.
    fn waits_for_earlier(&mut self, found: &Found<'_>, now: Moment) -> bool {
        let since = *self.held_back.entry((found.device, found.inode)).or_insert(now.steady_ns);
        now.steady_ns - since < EARLIER_PATIENCE_NS
    }

    /// Takes up a file that no generation is known to be behind, or goes on in it.
    fn meet(
        &mut self,
        found: Found<'_>,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<Option<u64>, PlanError> {
        let Found { path, rule, device, inode } = found;
        if let Some(id) = self.come_back(&path, config, outbox, now)? {
            return Ok(Some(id));
        }
        let stranger = Stranger { path: &path, device, inode, is_meant: true };
        let place = self.place(&stranger, now).unwrap_or_else(|error| {
            tracing::debug!(file = %path.display(), %error, "cannot be read yet");
            if error.kind() != std::io::ErrorKind::NotFound {
                self.refused.push(Refused { path: path.clone(), why: error.to_string() });
            }
            Place::Unclear
        });
        match place {
            Place::Unclear => Ok(None),
            Place::Known { id, content, position } => {
                self.go_on(id, &path, content, position, outbox, true)?;
                Ok(Some(id))
            }
            Place::New(content) => {
                let voice = rule.voice(&config.host, &path);
                let began_ns = outbox.memory().began_ns;
                let bytes_per_second_max = rule.bytes_per_second_max;
                let skipped = skipped(rule, &content, began_ns, now.wall_ns);
                let id = self.take_up(Opened { path: &path, device, inode, content, voice }, outbox, now)?;
                if let Some(followed) = self.by_id.get_mut(&id) {
                    followed.bytes_per_second_max = bytes_per_second_max;
                }
                if let Some(position) = skipped {
                    self.begin_at(id, position, outbox)?;
                }
                Ok(Some(id))
            }
        }
    }

    /// Begins a new generation at its end: it was there before the shipper, and its set says so.
    fn begin_at(&mut self, id: u64, position: u64, outbox: &mut Outbox) -> Result<(), PlanError> {
        let Some(followed) = self.by_id.get_mut(&id) else { return Ok(()) };
        tracing::info!(file = %followed.state.path, skipped_bytes = position, "was there before this shipper; it is followed from its end on (collect.file.start)");
        if self.skipped.len() < SKIPPED_NAMED {
            self.skipped.push((followed.state.path.clone(), position));
        }
        followed.state.position = position;
        followed.state.go_back(&mut followed.content, position).unwrap_or_default();
        outbox.remember(Entry::File(followed.state.clone()))
    }

    /// Goes on with a generation in another file. `is_live`: a rule means it, so that it may still grow.
    pub(super) fn go_on(
        &mut self,
        id: u64,
        path: &Path,
        content: Content,
        position: u64,
        outbox: &mut Outbox,
        is_live: bool,
    ) -> Result<(), PlanError> {
        let Some(followed) = self.by_id.get_mut(&id) else { return Ok(()) };
        tracing::info!(file = %followed.state.path, other = %path.display(), position, "goes on in another file of the same content");
        self.kinship = None;
        let finished = !is_live || content.plain().is_none();
        followed.go_on_in(path, content, finished);
        // What it was before may be another generation by now.
        self.scan_due = true;
        if position < followed.state.position {
            go_back(followed, position);
        }
        outbox.remember(Entry::File(followed.state.clone()))
    }

    /// Which generation has an inode open.
    pub(super) fn inodes(&self) -> HashMap<(u64, u64), u64> {
        let states = self.by_id.values().map(|followed| &followed.state);
        states.map(|state| ((state.device, state.inode), state.id)).collect()
    }

    /// Tells of a loss with the next batch.
    pub(super) fn lose(
        &mut self,
        config: &ShipperConfig,
        outbox: &Outbox,
        now: Moment,
        file: u64,
        title: String,
        lost: &[(&str, u64)],
    ) {
        tracing::warn!(%title, ?lost, "lines are lost");
        let key = format!("{}/file/{file}", outbox.memory().epoch);
        self.losses.push(loss_event(&config.host, now.wall_ns, key, title, lost));
    }

    /// Deleted files are kept within a budget: beyond it, the oldest are given up.
    fn keep_to_budget(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<(), PlanError> {
        let unread = |followed: &Followed| if followed.deleted { followed.unread() } else { 0 };
        let mut held: u64 = self.by_id.values().map(unread).sum();
        let mut given_up = Vec::new();
        for followed in self.by_id.values_mut() {
            let bytes = unread(followed);
            if held <= config.held_bytes_max || bytes == 0 {
                continue;
            }
            held -= bytes;
            followed.state.position = followed.size;
            followed.finished = true;
            outbox.remember(Entry::File(followed.state.clone()))?;
            let title =
                format!("{} was deleted unread beyond the budget for deleted files", followed.state.path);
            given_up.push((followed.state.id, title, bytes));
        }
        for (file, title, bytes) in given_up {
            self.lose(config, outbox, now, file, title, &[("bytes", bytes)]);
        }
        Ok(())
    }

    /// Lets go of what is read, acknowledged, and not under any name that a rule means.
    fn forget(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        present: &BTreeSet<u64>,
        now: Moment,
    ) -> Result<(), PlanError> {
        let wait_ns = nanoseconds(config.rotated_wait);
        let done: Vec<u64> = self
            .by_id
            .iter()
            .filter(|(id, followed)| {
                let quiet =
                    followed.finished || followed.deleted || now.steady_ns - followed.changed_ns > wait_ns;
                !present.contains(id)
                    && !followed.has_more()
                    && !followed.suspect
                    && quiet
                    && !has_extents(outbox, **id)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            let Some(followed) = self.by_id.remove(&id) else { continue };
            // Still known, so that nobody takes it for an unknown generation.
            let state = FileState { done: true, ..followed.state };
            outbox.remember(Entry::File(state.clone()))?;
            self.done.insert(state);
        }
        Ok(())
    }
}

/// Goes back to where a content departs from what was read.
pub(super) fn go_back(followed: &mut Followed, position: u64) {
    let (file, read_bytes) = (followed.state.path.clone(), followed.state.position);
    tracing::warn!(%file, read_bytes, position, "has lost what was read last, or holds something else there; reading goes on where it departs");
    if let Err(error) = followed.state.go_back(&mut followed.content, position) {
        tracing::warn!(%file, %error, "cannot be compared");
    }
}

/// Up to where a new file is passed over: to its last line end, where it was there before the shipper and is too old.
fn skipped(rule: &FileRule, content: &Content, began_ns: i64, now_ns: i64) -> Option<u64> {
    let file = content.plain()?;
    let metadata = file.metadata().ok()?;
    let written_ns = modified_ns(&metadata);
    let made = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let made_ns = made.and_then(|time| i64::try_from(time.as_nanos()).ok()).unwrap_or(written_ns);
    let age = std::time::Duration::from_nanos(now_ns.saturating_sub(written_ns).max(0).unsigned_abs());
    // What came later, were it a copy of something old, is new.
    let was_there = made_ns < began_ns;
    if !was_there || !rule.start.is_at_end(age) {
        return None;
    }
    let mut tail = vec![0; RECORD_BYTES_MAX];
    let start = metadata.len().saturating_sub(tail.len() as u64);
    let length = std::os::unix::fs::FileExt::read_at(file, &mut tail, start).ok()?;
    let end = memchr::memrchr(b'\n', tail.get(..length)?).map_or(0, |at| at as u64 + 1);
    Some(start + end)
}

/// What a stamper knows of a file before it reads it: when the kernel started whose lines were there already.
fn stamp_of(content: &mut Content) -> StampState {
    let written_ns = content.plain().and_then(|file| file.metadata().ok()).map(|found| modified_ns(&found));
    let boots = written_ns.and_then(|written_ns| boots::find(content, written_ns).ok()).unwrap_or_default();
    StampState {
        boot_ns: boots.first().map(|boot| boot.start_ns),
        boot_by_age: boots.first().is_some_and(|boot| boot.by_age),
        boots_left: u32::try_from(boots.len().saturating_sub(1)).unwrap_or(u32::MAX),
        ..StampState::default()
    }
}

pub(super) fn has_extents(outbox: &Outbox, file: u64) -> bool {
    outbox.memory().open.iter().any(|open| open.planned.extents.iter().any(|extent| extent.file == file))
}

/// What there is to collect.
#[derive(Default)]
struct Finds<'a> {
    /// Every file that a rule means, once, by the first rule that means it.
    found: Vec<Found<'a>>,
    /// Folders that were looked into.
    folders: Vec<PathBuf>,
    /// Globs that lead nowhere.
    unmatched: Vec<String>,
    /// What may not be looked into.
    refused: Vec<Refused>,
}

fn find(config: &ShipperConfig) -> Finds<'_> {
    let mut finds = Finds::default();
    let mut inodes = BTreeSet::new();
    for rule in &config.files {
        let mut walked = Walked::default();
        finds.unmatched.extend(survey::walk(rule, &mut walked));
        finds.folders.append(&mut walked.folders);
        finds.refused.append(&mut walked.refused);
        let mut paths = walked.files;
        paths.sort();
        paths.dedup();
        for path in paths.into_iter().filter(|path| !rule.excludes(path)) {
            let Some(metadata) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) else { continue };
            let (device, inode) = (metadata.dev(), metadata.ino());
            if inodes.insert((device, inode)) {
                finds.found.push(Found { path, rule, device, inode });
            }
        }
    }
    finds.folders.sort();
    finds.folders.dedup();
    finds
}

/// The paths of all files that rules mean, with device and inode.
pub(super) fn find_paths(config: &ShipperConfig) -> Vec<(PathBuf, u64, u64)> {
    find(config).found.into_iter().map(|found| (found.path, found.device, found.inode)).collect()
}
