//! The files that are followed: which generation is behind which name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use lastwords_record::{ShipperEvent, stamp::StampState};

use super::{Outbox, generations::Done};
use crate::{
    config::{FileRule, ShipperConfig},
    plan::{Entry, PlanError},
    source::{
        boots,
        content::Content,
        followed::{Followed, as_copy, find_copy, locate, look, stems},
        identity::{FileState, Fingerprint},
        loss_event,
    },
};

/// All generations that are not done with.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) by_id: BTreeMap<u64, Followed>,
    pub(super) done: Done,
    /// Whose turn it is: the files take turns, so that a fast one does not starve the others.
    turn: u64,
}

/// A path that a rule means.
struct Found<'a> {
    path: PathBuf,
    rule: &'a FileRule,
    device: u64,
    inode: u64,
}

impl Files {
    pub(super) fn get(&mut self, id: u64) -> Option<&mut Followed> {
        self.by_id.get_mut(&id)
    }

    /// Finds again what the plan knows. What cannot be found is forgotten; batches under way keep their numbers.
    pub(super) fn reopen(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now_ns: i64,
    ) -> Result<(), PlanError> {
        for state in outbox.memory().files.values().cloned().collect::<Vec<_>>() {
            if state.done {
                self.done.insert(state);
                continue;
            }
            let Some((path, content, itself)) = locate(&state) else {
                tracing::warn!(file = %state.path, read_bytes = state.position, "is gone; what was not read of it is unknown");
                outbox.remember(Entry::Forget { file: state.id })?;
                continue;
            };
            let known = Path::new(&state.path);
            let Some((rule, named)) = rule_of(config, known) else { continue };
            let voice = rule.voice(&config.host, &named);
            let (left, id) = (path != known, state.id);
            let mut followed = Followed::new(state, content, voice, now_ns);
            followed.left = left;
            if !itself {
                // Its own inode may be another file's by now.
                followed.become_copy(&path);
                outbox.remember(Entry::File(followed.state.clone()))?;
            }
            self.by_id.insert(id, followed);
        }
        Ok(())
    }

    /// Ids of all files that may have something: first what was rotated away, so that its lines come before those of
    /// what took its name; then the others, each batch beginning with another one.
    pub(super) fn in_turn(&mut self) -> Vec<u64> {
        let (mut rotated, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for (id, followed) in &self.by_id {
            if followed.left || followed.finished {
                rotated.push(*id);
            } else if followed.touched || followed.has_more() {
                if *id < self.turn { before.push(*id) } else { after.push(*id) }
            }
        }
        after.extend(before);
        self.turn = after.first().map_or(0, |id| id + 1);
        rotated.extend(after);
        rotated
    }

    pub(super) fn touched(&mut self, paths: &[PathBuf]) {
        for followed in self.by_id.values_mut() {
            followed.touched |= paths.iter().any(|path| path.as_os_str() == followed.state.path.as_str());
        }
    }

    /// A file with bytes to read, or none where it has none now. A file that was truncated becomes another
    /// generation here (not while extents of the batch in work refer to it).
    pub(super) fn ready(
        &mut self,
        id: u64,
        outbox: &mut Outbox,
        in_work: bool,
        now_ns: i64,
    ) -> Result<Option<&mut Followed>, PlanError> {
        let Some(followed) = self.by_id.get_mut(&id) else { return Ok(None) };
        let before = followed.written();
        let intact = match followed.look(now_ns) {
            // The content is compared only where something has changed.
            Ok(true) => followed.written() == before || followed.is_itself().unwrap_or(true),
            Ok(false) => false,
            Err(error) => {
                tracing::warn!(file = %followed.state.path, %error, "cannot be looked at");
                return Ok(None);
            }
        };
        if !intact {
            if !in_work {
                self.begin_anew(id, outbox, now_ns)?;
            }
            return Ok(None);
        }
        if !followed.has_more() {
            followed.touched = false;
            return Ok(None);
        }
        Ok(self.by_id.get_mut(&id))
    }

    /// The file was truncated: what was not read of the old content may be in a copy; the new content is another
    /// generation.
    fn begin_anew(&mut self, id: u64, outbox: &mut Outbox, now_ns: i64) -> Result<(), PlanError> {
        let Some(old) = self.by_id.get_mut(&id) else { return Ok(()) };
        let Some(file) = old.content.plain().and_then(|file| file.try_clone().ok()) else { return Ok(()) };
        let path = PathBuf::from(&old.state.path);
        let (device, inode, voice) = (old.state.device, old.state.inode, old.voice.clone());
        old.finished = true;
        old.left = true;
        let siblings = siblings(&path);
        match find_copy(&old.state, &path, &siblings) {
            Some((copy, content)) => {
                tracing::info!(file = %path.display(), copy = %copy.display(), "was truncated after it was copied; the rest is read from the copy");
                old.adopt(&copy, content);
                outbox.remember(Entry::File(old.state.clone()))?;
            }
            None => {
                tracing::info!(file = %path.display(), read_bytes = old.state.position, "was truncated; no copy was found");
                // Nothing more can be had of it; the handle means the new content.
                self.by_id.remove(&id);
                if !has_extents(outbox, id) {
                    outbox.remember(Entry::Forget { file: id })?;
                }
            }
        }
        self.take_up(&path, device, inode, Content::Plain(file), voice, outbox, now_ns).map(drop)
    }

    #[expect(clippy::too_many_arguments, reason = "all that a generation is made of")]
    pub(super) fn take_up(
        &mut self,
        path: &Path,
        device: u64,
        inode: u64,
        mut content: Content,
        voice: crate::plan::Voice,
        outbox: &mut Outbox,
        now_ns: i64,
    ) -> Result<u64, PlanError> {
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
            done: false,
        };
        let id = state.id;
        outbox.remember(Entry::File(state.clone()))?;
        self.by_id.insert(id, Followed::new(state, content, voice, now_ns));
        Ok(id)
    }

    /// Looks at all globs. Gives the folders that were looked into, and what had to be given up.
    pub(super) fn scan(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now_ns: i64,
    ) -> Result<(Vec<PathBuf>, Vec<ShipperEvent>), PlanError> {
        let (found, folders) = find(config);
        for followed in self.by_id.values_mut() {
            followed.left = true;
            followed.touched = true;
        }
        let mut present = BTreeSet::new();
        // Known ones first: a rename must be understood before the new file under the old name.
        let (known, unknown): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|found| self.by_inode(found.device, found.inode).is_some());
        for found in known {
            if let Some(id) = self.by_inode(found.device, found.inode)
                && let Some(followed) = self.by_id.get_mut(&id)
            {
                present.insert(id);
                followed.left = false;
                if Path::new(&followed.state.path) != found.path {
                    followed.state.path = found.path.to_string_lossy().into_owned();
                    outbox.remember(Entry::File(followed.state.clone()))?;
                }
            }
        }
        for found in unknown {
            if let Some(id) = self.copied(&found.path, outbox)? {
                present.insert(id);
                continue;
            }
            match look(&found.path).and_then(|seen| Ok((seen.device, seen.inode, Content::open(seen.file)?)))
            {
                Ok((device, inode, content)) => {
                    let voice = found.rule.voice(&config.host, &found.path);
                    self.take_up(&found.path, device, inode, content, voice, outbox, now_ns)?;
                    if let Some(id) = self.by_id.keys().next_back().copied() {
                        present.insert(id);
                    }
                }
                Err(error) => tracing::debug!(file = %found.path.display(), %error, "cannot be opened"),
            }
        }
        self.earlier(config, &folders, outbox, now_ns)?;
        for (_, followed) in self.by_id.iter_mut().filter(|(id, _)| !present.contains(id)) {
            // What is gone is let go only after a look: it may have grown, or only now be without a name.
            followed.refresh(now_ns);
        }
        let losses = self.keep_to_budget(config, outbox, now_ns)?;
        self.forget(config, outbox, &present, now_ns)?;
        Ok((folders, losses))
    }

    pub(super) fn by_inode(&self, device: u64, inode: u64) -> Option<u64> {
        let is = |followed: &&Followed| (followed.state.device, followed.state.inode) == (device, inode);
        self.by_id.values().rfind(is).map(|followed| followed.state.id)
    }

    /// The generation that an unknown path is a copy of. Where that one is still where it was, the copy is left alone
    /// (its original may be truncated next); where it is gone, the copy takes its place.
    fn copied(&mut self, path: &Path, outbox: &mut Outbox) -> Result<Option<u64>, PlanError> {
        for (id, followed) in &mut self.by_id {
            let original = PathBuf::from(&followed.state.path);
            if original.parent() != path.parent() {
                continue;
            }
            let Some(content) = as_copy(&followed.state, &original, path) else { continue };
            if followed.left {
                followed.adopt(path, content);
                followed.left = false;
                outbox.remember(Entry::File(followed.state.clone()))?;
            }
            return Ok(Some(*id));
        }
        Ok(None)
    }

    /// Deleted files are kept within a budget: beyond it, the oldest are given up.
    fn keep_to_budget(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now_ns: i64,
    ) -> Result<Vec<ShipperEvent>, PlanError> {
        let unread = |followed: &Followed| {
            if followed.deleted { followed.size.saturating_sub(followed.state.position) } else { 0 }
        };
        let mut held: u64 = self.by_id.values().map(unread).sum();
        let mut losses = Vec::new();
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
            tracing::error!(bytes, %title, "bytes are lost");
            let key = format!("{}/file/{}", outbox.memory().epoch, followed.state.id);
            losses.push(loss_event(&config.host, now_ns, key, title, &[("bytes", bytes)]));
        }
        Ok(losses)
    }

    /// Lets go of what is read, acknowledged, and not under any name that a rule means.
    fn forget(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        present: &BTreeSet<u64>,
        now_ns: i64,
    ) -> Result<(), PlanError> {
        let wait_ns = super::nanoseconds(config.rotated_wait);
        let done: Vec<u64> = self
            .by_id
            .iter()
            .filter(|(id, followed)| {
                let quiet = followed.finished || followed.deleted || now_ns - followed.changed_ns > wait_ns;
                !present.contains(id) && !followed.has_more() && quiet && !has_extents(outbox, **id)
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

/// What a stamper knows of a file before it reads it: when the kernel started whose lines were there already.
fn stamp_of(content: &mut Content) -> StampState {
    let modified_ns = content
        .plain()
        .and_then(|file| file.metadata().ok())
        .map(|metadata| metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()));
    let boots =
        modified_ns.and_then(|modified_ns| boots::find(content, modified_ns).ok()).unwrap_or_default();
    StampState {
        boot_ns: boots.first().map(|boot| boot.start_ns),
        boot_by_age: boots.first().is_some_and(|boot| boot.by_age),
        boots_left: u32::try_from(boots.len().saturating_sub(1)).unwrap_or(u32::MAX),
        ..StampState::default()
    }
}

/// The rule for a file that was last seen at a path, and the name by which the rule means it.
fn rule_of<'a>(config: &'a ShipperConfig, path: &Path) -> Option<(&'a FileRule, PathBuf)> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let names = std::iter::once(path.to_owned()).chain(stems(name).map(|stem| path.with_file_name(stem)));
    let by = |name: PathBuf| config.files.iter().find(|rule| rule.means(&name)).map(|rule| (rule, name));
    names.into_iter().find_map(by).or_else(|| config.files.first().map(|rule| (rule, path.to_owned())))
}

impl Followed {
    /// Goes on in a copy of the same content, which is finished.
    fn adopt(&mut self, path: &Path, content: Content) {
        self.content = content;
        self.become_copy(path);
    }

    fn become_copy(&mut self, path: &Path) {
        if let Ok(metadata) = fs::metadata(path) {
            (self.state.device, self.state.inode) = (metadata.dev(), metadata.ino());
        }
        self.state.path = path.to_string_lossy().into_owned();
        self.finished = true;
        self.touched = true;
        // Not known before it is looked at.
        self.size = u64::MAX;
    }
}

fn has_extents(outbox: &Outbox, file: u64) -> bool {
    outbox.memory().open.iter().any(|open| open.planned.extents.iter().any(|extent| extent.file == file))
}

fn siblings(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().map(fs::read_dir);
    folder.into_iter().flatten().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Every file that a rule means, once, by the first rule that means it; and the folders that were looked into.
fn find(config: &ShipperConfig) -> (Vec<Found<'_>>, Vec<PathBuf>) {
    let (mut found, mut folders) = (Vec::new(), Vec::new());
    let mut inodes = BTreeSet::new();
    for rule in &config.files {
        let mut paths = Vec::new();
        rule.patterns.iter().for_each(|pattern| pattern.walk(&mut paths, &mut folders));
        paths.sort();
        paths.dedup();
        for path in paths.into_iter().filter(|path| !rule.excludes(path)) {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let (device, inode) = (metadata.dev(), metadata.ino());
            if inodes.insert((device, inode)) {
                found.push(Found { path, rule, device, inode });
            }
        }
    }
    folders.sort();
    folders.dedup();
    (found, folders)
}
