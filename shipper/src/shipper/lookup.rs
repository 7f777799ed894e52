//! Generations that are not where they were: after a restart, and where a file turns out to hold something else.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    Outbox,
    files::{find_paths, go_back, has_extents},
    identity::settle,
    placing::Head,
    registry::Files,
};
use crate::{
    config::{FileRule, ShipperConfig},
    moment::Moment,
    plan::{Entry, FILE_NAME, PlanError, glance},
    source::{
        content::Content,
        followed::Followed,
        identity::{FileState, Likeness},
        kin::{Missing, may_be_earlier, stems},
    },
};

/// Bytes by which a file is recognised under a name and in a folder that say nothing.
const TELLING_BYTES: u64 = 256;

/// Where a generation was found again.
struct Again {
    path: PathBuf,
    content: Content,
    device: u64,
    inode: u64,
    /// Up to where it is what was read.
    position: u64,
}

impl Files {
    /// Finds again what the plan knows. What cannot be found is told as lost; batches under way keep their numbers.
    pub(super) fn reopen(
        &mut self,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<(), PlanError> {
        let mut taken = HashSet::new();
        let mut missing = Vec::new();
        for state in outbox.memory().files.values().cloned().collect::<Vec<_>>() {
            if state.done {
                self.done.insert(state);
            } else if let Some(again) = itself(&state, Path::new(&state.path)) {
                taken.insert((again.device, again.inode));
                self.resume(state, again, config, outbox, now)?;
            } else if is_unreadable(&state) {
                taken.insert((state.device, state.inode));
                let voice = rule_of(config, Path::new(&state.path))
                    .map(|(rule, named)| rule.voice(&config.host, &named));
                let Some(voice) = voice else { continue };
                self.by_id.insert(state.id, Followed::new(state, Content::Parked, voice, now));
            } else {
                missing.push(state);
            }
        }
        // Of what was empty only the inode is known, which may be another file's by now: contents come first.
        missing.sort_by_key(|state| state.identity.head_length == 0);
        let mut meant = None;
        for state in missing {
            let meant = meant.get_or_insert_with(|| find_paths(config));
            match find_again(&state, meant, &taken) {
                Some(again) => {
                    taken.insert((again.device, again.inode));
                    self.resume(state, again, config, outbox, now)?;
                }
                None => self.miss(state, config, outbox, now)?,
            }
        }
        Ok(())
    }

    fn resume(
        &mut self,
        state: FileState,
        again: Again,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<(), PlanError> {
        let (known, id) = (PathBuf::from(&state.path), state.id);
        let rule = rule_of(config, &again.path).or_else(|| rule_of(config, &known));
        let rule = rule.or_else(|| config.files.first().map(|rule| (rule, known.clone())));
        let Some((rule, named)) = rule else { return Ok(()) };
        let is_itself = (state.device, state.inode, &known) == (again.device, again.inode, &again.path);
        let is_live = rule.means(&again.path) && again.content.plain().is_some();
        let mut followed = Followed::new(state, again.content, rule.voice(&config.host, &named), now);
        followed.left = again.path != known && !is_live;
        followed.bytes_per_second_max = rule.bytes_per_second_max;
        if !is_itself {
            tracing::info!(file = %known.display(), now = %again.path.display(), "was moved, copied or mounted anew; known by its content");
            followed.state.path = again.path.to_string_lossy().into_owned();
            // An inode of its own may be written to; a copy that rotation made is complete.
            let same_inode = followed.state.inode == again.inode;
            followed.finished = !(is_live || same_inode && followed.content.plain().is_some());
            (followed.state.device, followed.state.inode) = (again.device, again.inode);
        }
        if again.position < followed.state.position {
            go_back(&mut followed, again.position);
        }
        if !is_itself || again.position < outbox.memory().files.get(&id).map_or(0, |file| file.position) {
            outbox.remember(Entry::File(followed.state.clone()))?;
        }
        if self.by_id.len() >= self.open_max {
            followed.content = Content::Parked;
        }
        self.by_id.insert(id, followed);
        Ok(())
    }

    /// A file that no generation in work is behind: the generation that it was before its folder was away.
    pub(super) fn come_back(
        &mut self,
        path: &Path,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<Option<u64>, PlanError> {
        let was_here = |state: &&FileState| Path::new(&state.path) == path;
        // An inode that is used again may begin as the one before did.
        let done = self.done.with_path(path).filter(|state| state.position >= TELLING_BYTES);
        let found = self.absent.values().chain(done).filter(was_here);
        let found = found.filter_map(|state| Some((state.clone(), itself(state, path)?))).next();
        let Some((state, again)) = found else { return Ok(None) };
        let id = state.id;
        self.absent.remove(&id);
        self.done.remove(id);
        let state = FileState { done: false, device: again.device, ..state };
        outbox.remember(Entry::File(state.clone()))?;
        self.resume(state, again, config, outbox, now)?;
        Ok(Some(id))
    }

    /// Nothing is to be seen of a generation.
    fn miss(
        &mut self,
        state: FileState,
        config: &ShipperConfig,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<(), PlanError> {
        if is_away(&state) {
            tracing::warn!(file = %state.path, "its folder is not there, or is another file system; it goes on where it was once it is back");
            self.absent.insert(state.id, state);
            return Ok(());
        }
        outbox.remember(Entry::Forget { file: state.id })?;
        if state.position == 0 && state.identity.head_length == 0 {
            // It was empty when it was last seen.
            return Ok(());
        }
        let title = format!(
            "{} is gone or holds something else since the shipper ended: what was written to it after byte {}, if \
             anything, was not read",
            state.path, state.position
        );
        self.lose(config, outbox, now, state.id, title, &[("read_bytes", state.position)]);
        Ok(())
    }

    /// Goes on with a generation in a copy of its file, where there is one: whether there is.
    pub(super) fn go_on_in_copy(&mut self, id: u64, outbox: &mut Outbox) -> Result<bool, PlanError> {
        let taken: HashSet<(u64, u64)> = self.inodes().into_keys().collect();
        let Some(old) = self.by_id.get_mut(&id) else { return Ok(false) };
        let path = PathBuf::from(&old.state.path);
        let copies = Missing { path: &path, inode: old.state.inode }.whereabouts();
        let mut copies = copies.into_iter().filter(|copy| may_be_earlier(copy, &path));
        let Some(copy) = copies.find_map(|copy| whole(&old.state, &copy, &taken)) else { return Ok(false) };
        tracing::info!(file = %path.display(), copy = %copy.path.display(), "was truncated after it was copied; the rest is read from the copy");
        old.go_on_in(&copy.path, copy.content, true);
        self.scan_due = true;
        outbox.remember(Entry::File(old.state.clone()))?;
        Ok(true)
    }

    /// A file was truncated or written anew. What was not read of the old content may be in a copy; where most of it is
    /// still there, reading goes on behind that; the new content is taken up by the scan that follows.
    pub(super) fn part_with(
        &mut self,
        id: u64,
        outbox: &mut Outbox,
        config: &ShipperConfig,
        now: Moment,
    ) -> Result<(), PlanError> {
        self.scan_due = true;
        if self.go_on_in_copy(id, outbox)? {
            return Ok(());
        }
        let Some(old) = self.by_id.get_mut(&id) else { return Ok(()) };
        let (path, unread) = (PathBuf::from(&old.state.path), old.unread());
        if let Ok(Likeness::Most(position)) = old.state.liken(&mut old.content) {
            go_back(old, position);
            old.suspect = false;
            (old.touched, old.size) = (true, position);
            return outbox.remember(Entry::File(old.state.clone()));
        }
        tracing::info!(file = %path.display(), read_bytes = old.state.position, unread, "was truncated or written anew; no copy was found");
        self.by_id.remove(&id);
        if !has_extents(outbox, id) {
            outbox.remember(Entry::Forget { file: id })?;
        }
        if unread > 0 {
            let title = format!("{} was truncated or written anew before all of it was read", path.display());
            self.lose(config, outbox, now, id, title, &[("bytes", unread)]);
        }
        Ok(())
    }
}

/// A generation in its own file: the same inode, whatever the device is called by now.
fn itself(state: &FileState, path: &Path) -> Option<Again> {
    let metadata = fs::metadata(path).ok().filter(|found| found.ino() == state.inode)?;
    let mut content = Content::open_path(path).ok()?;
    // It was empty when it was last seen, so that only its inode tells, which may have been used again.
    let known = Path::new(&state.path);
    let is_likely = content.plain().is_some() && (path == known || may_be_earlier(path, known));
    if state.identity.head_length == 0 && !is_likely {
        return None;
    }
    content.is(&state.identity, state.position).ok()?.then(|| Again {
        path: path.to_owned(),
        content,
        device: metadata.dev(),
        inode: metadata.ino(),
        position: state.position,
    })
}

/// Whether a generation's folder is not there, or is another file system: it may be mounted late.
pub(super) fn is_away(state: &FileState) -> bool {
    let folder = Path::new(&state.path).parent().and_then(|folder| fs::metadata(folder).ok());
    folder.is_none_or(|folder| folder.dev() != state.device)
}

/// A file of a batch under way whose folder is not there, or is another file system: it may be mounted a moment later, and
/// without it the batch cannot be formed again.
pub(crate) fn awaited(config: &ShipperConfig) -> Option<PathBuf> {
    let shipper = settle(&mut config.host.clone(), &config.state_dir);
    let memory = glance(&fs::read(config.state_dir.join(FILE_NAME)).ok()?, shipper).ok()?;
    let under_way =
        memory.open.iter().filter(|open| !open.planned.sealed).flat_map(|open| &open.planned.extents);
    let mut files = under_way.filter_map(|extent| memory.files.get(&extent.file));
    let missing = files.find(|state| is_away(state) && !Path::new(&state.path).exists());
    missing.map(|state| PathBuf::from(&state.path))
}

/// Whether a generation's file is where it was and cannot be opened now.
fn is_unreadable(state: &FileState) -> bool {
    let path = Path::new(&state.path);
    let is_there =
        fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (state.device, state.inode));
    is_there
        && Content::open_path(path)
            .inspect_err(
                |error| tracing::warn!(file = %path.display(), %error, "cannot be opened; trying again"),
            )
            .is_err()
}

/// A file that holds all that was read of a generation.
fn whole(state: &FileState, path: &Path, taken: &HashSet<(u64, u64)>) -> Option<Again> {
    let mut content = Content::open_path(path).ok()?;
    let metadata = fs::metadata(path).ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    if taken.contains(&(device, inode)) || state.liken(&mut content).ok()? != Likeness::Whole {
        return None;
    }
    Some(Again { path: path.to_owned(), content, device, inode, position: state.position })
}

/// Finds the file of a generation that is not where it was: by its inode in its neighbourhood; by its content under its
/// own name, under names that rotation gives, among all files that rules mean (`meant`); at last where it was, as far as
/// it is still the same.
fn find_again(
    state: &FileState,
    meant: &[(PathBuf, u64, u64)],
    taken: &HashSet<(u64, u64)>,
) -> Option<Again> {
    let path = Path::new(&state.path);
    let around = Missing { path, inode: state.inode }.whereabouts();
    let free = |again: &Again| !taken.contains(&(again.device, again.inode));
    if let Some(again) = around.iter().find_map(|other| itself(state, other).filter(free)) {
        return Some(again);
    }
    if let Some(again) = whole(state, path, taken) {
        return Some(again);
    }
    let near = around.iter().filter(|other| may_be_earlier(other, path));
    if let Some(again) = near.into_iter().find_map(|other| whole(state, other, taken)) {
        return Some(again);
    }
    let elsewhere = meant.iter().filter(|(other, device, inode)| {
        let telling = state.position >= TELLING_BYTES || other.file_name() == path.file_name();
        state.position > 0 && telling && !taken.contains(&(*device, *inode)) && begins_as(other, state)
    });
    if let Some(again) = elsewhere.into_iter().find_map(|(other, ..)| whole(state, other, taken)) {
        return Some(again);
    }
    let mut content = Content::open_path(path).ok()?;
    let metadata = fs::metadata(path).ok()?;
    match state.liken(&mut content) {
        Ok(Likeness::Most(position)) if !taken.contains(&(metadata.dev(), metadata.ino())) => Some(Again {
            path: path.to_owned(),
            content,
            device: metadata.dev(),
            inode: metadata.ino(),
            position,
        }),
        _ => None,
    }
}

fn begins_as(path: &Path, state: &FileState) -> bool {
    let head = Content::open_path(path).and_then(|mut content| Head::of_content(&mut content));
    head.is_ok_and(|mut head| head.matches(&state.identity))
}

/// The rule for a file that was last seen at a path, and the name by which the rule means it.
fn rule_of<'a>(config: &'a ShipperConfig, path: &Path) -> Option<(&'a FileRule, PathBuf)> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let names = std::iter::once(path.to_owned()).chain(stems(name).map(|stem| path.with_file_name(stem)));
    let by = |name: PathBuf| config.files.iter().find(|rule| rule.means(&name)).map(|rule| (rule, name));
    names.into_iter().find_map(by)
}
