//! Earlier generations of the files that a rule means: `NAME.1`, `NAME-20261120`, compressed or not, beside `NAME` or in
//! a folder for old ones within its folder. Most
//! are known, because they were read under their own name. One that came and went between two looks, or while the
//! shipper was away, is found here. Those that are read to their end stay known as long as they, or a copy, exist.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashSet},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    Outbox,
    lookup::is_away,
    placing::{Head, Place},
    registry::{Files, Opened},
    waiting::Stranger,
};
use crate::{
    config::{FileRule, ShipperConfig},
    moment::{Moment, nanoseconds},
    plan::{Entry, PlanError},
    source::{
        content::Content,
        fingerprint::HEAD_BYTES_MAX,
        followed::{Followed, modified_ns},
        identity::{FileState, Likeness},
        kin::{may_be_earlier, stems},
    },
};

/// The file system's clock is a little behind ours.
const CLOCK_SLACK_NS: i64 = 1_000_000_000;

/// A file that may be an earlier generation.
struct Sibling<'a> {
    path: PathBuf,
    /// The name that it had.
    base: PathBuf,
    rule: &'a FileRule,
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: i64,
}

enum Verdict {
    /// Read to its end.
    Read(u64),
    /// Read to its end, and longer since.
    Grown(u64, Content),
    /// Still being written by who rotates, or by who copies: look again later.
    Later,
    /// What is followed under another name.
    Known {
        id: u64,
        content: Content,
        position: u64,
    },
    New(Content),
}

impl Files {
    /// Takes up earlier generations that are not known yet, oldest first. Gives the names of which one is not clear yet.
    pub(super) fn earlier(
        &mut self,
        config: &ShipperConfig,
        folders: &[PathBuf],
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<BTreeSet<PathBuf>, PlanError> {
        let mut unclear = BTreeSet::new();
        // What was written before this shipper began is none of its business.
        let since_ns = outbox.memory().began_ns.saturating_sub(CLOCK_SLACK_NS);
        let mut there = BTreeSet::new();
        let mut known: HashSet<(u64, u64)> = self.inodes().into_keys().collect();
        for sibling in siblings(config, folders) {
            if sibling.modified_ns < since_ns || known.contains(&(sibling.device, sibling.inode)) {
                continue;
            }
            let key = (sibling.device, sibling.inode, sibling.size, sibling.modified_ns);
            if let Some(id) = self.done.checked.get(&key) {
                there.insert(*id);
                continue;
            }
            let verdict = self.judge_sibling(&sibling, now).unwrap_or_else(|error| {
                tracing::debug!(file = %sibling.path.display(), %error, "cannot be read yet");
                Verdict::Later
            });
            let voice = sibling.rule.voice(&config.host, &sibling.base);
            if !matches!(verdict, Verdict::Later | Verdict::Read(_)) {
                known.insert((sibling.device, sibling.inode));
            }
            match verdict {
                Verdict::Later => drop(unclear.insert(sibling.base)),
                Verdict::Read(id) => {
                    self.done.checked.insert(key, id);
                    there.insert(id);
                }
                Verdict::Grown(id, content) => {
                    let Some(mut state) = self.done.states.remove(&id) else { continue };
                    (state.done, state.device, state.inode) = (false, sibling.device, sibling.inode);
                    outbox.remember(Entry::File(state.clone()))?;
                    let mut followed = Followed::new(state, content, voice, now);
                    followed.left = true;
                    self.by_id.insert(id, followed);
                }
                Verdict::Known { id, content, position } => {
                    self.go_on(id, &sibling.path, content, position, outbox, false)?;
                }
                Verdict::New(content) => {
                    tracing::info!(file = %sibling.path.display(), "was rotated away before it was seen; it is read now");
                    let (path, device, inode) = (&*sibling.base, sibling.device, sibling.inode);
                    let id = self.take_up(Opened { path, device, inode, content, voice }, outbox, now)?;
                    if let Some(followed) = self.by_id.get_mut(&id) {
                        followed.left = true;
                    }
                }
            }
        }
        self.forget_done(config, &there, outbox, now)?;
        Ok(unclear)
    }

    fn judge_sibling(&mut self, sibling: &Sibling<'_>, now: Moment) -> io::Result<Verdict> {
        let (path, device, inode) = (&*sibling.path, sibling.device, sibling.inode);
        let mut content = Content::open_path(path)?;
        let mut head = Head::of_content(&mut content)?;
        for state in self.done.states.values() {
            let itself = (state.device, state.inode) == (device, inode);
            if !(itself || may_be_earlier(path, Path::new(&state.path))) || !head.matches(&state.identity) {
                continue;
            }
            if state.liken(&mut content)? == Likeness::Whole {
                let grown = content.read_at(state.position, &mut [0])? > 0;
                return Ok(if grown { Verdict::Grown(state.id, content) } else { Verdict::Read(state.id) });
            }
        }
        match self.place(&Stranger { path, device, inode, is_meant: false }, now)? {
            Place::Known { id, content, position } => return Ok(Verdict::Known { id, content, position }),
            Place::Unclear => return Ok(Verdict::Later),
            Place::New(_) => {}
        }
        let followed = self.by_id.values().map(|followed| &followed.state);
        // A copy that is not finished begins as its original.
        let is_partial = |state: &FileState, head: &mut Head| {
            usize::from(state.identity.head_length) == HEAD_BYTES_MAX
                && may_be_earlier(path, Path::new(&state.path))
                && head.matches(&state.identity)
                && sibling.size < state.position
        };
        if content.plain().is_some()
            && followed.chain(self.done.states.values()).any(|state| is_partial(state, &mut head))
        {
            return Ok(Verdict::Later);
        }
        if let Content::Packed(packed) = &mut content {
            // One that is still being compressed ends too early, which is an error.
            packed.check()?;
        }
        Ok(Verdict::New(content))
    }

    fn forget_done(
        &mut self,
        config: &ShipperConfig,
        there: &BTreeSet<u64>,
        outbox: &mut Outbox,
        now: Moment,
    ) -> Result<(), PlanError> {
        let wait_ns = nanoseconds(config.rotated_wait);
        for id in there {
            self.done.missed.remove(id);
        }
        let gone = self.done.states.values().filter(|state| !there.contains(&state.id) && !is_away(state));
        let gone: Vec<u64> = gone.map(|state| state.id).collect();
        for id in gone {
            if now.steady_ns - *self.done.missed.entry(id).or_insert(now.steady_ns) > wait_ns {
                self.done.missed.remove(&id);
                self.done.states.remove(&id);
                self.done.checked.retain(|_, checked| *checked != id);
                outbox.remember(Entry::Forget { file: id })?;
            }
        }
        Ok(())
    }
}

/// Files in these folders that are named as earlier generations of what a rule means, oldest first.
fn siblings<'a>(config: &'a ShipperConfig, folders: &[PathBuf]) -> Vec<Sibling<'a>> {
    let mut siblings = Vec::new();
    let kept =
        folders.iter().flat_map(|folder| old_folders(folder).into_iter().map(move |old| (old, folder)));
    for (entry, folder) in
        folders.iter().map(|folder| (folder.clone(), folder)).chain(kept).flat_map(|(at, folder)| {
            fs::read_dir(at).into_iter().flatten().flatten().map(move |entry| (entry, folder))
        })
    {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { continue };
        let rule = stems(name).find_map(|stem: String| {
            let base = folder.join(stem);
            config
                .files
                .iter()
                .find(|rule| rule.means(&base) && !rule.excludes(&path))
                .map(|rule| (rule, base))
        });
        let Some((rule, base)) = rule.filter(|_| !config.files.iter().any(|rule| rule.means(&path))) else {
            continue;
        };
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && metadata.size() > 0 {
            let modified_ns = modified_ns(&metadata);
            let (device, inode, size) = (metadata.dev(), metadata.ino(), metadata.size());
            siblings.push(Sibling { path, base, rule, device, inode, size, modified_ns });
        }
    }
    // Files that were written in the same tick of the file system's clock are told apart by their numbers.
    siblings.sort_by_cached_key(|sibling| {
        (sibling.modified_ns, Reverse(number(&sibling.path, &sibling.base)), sibling.path.clone())
    });
    siblings
}

/// Folders within a folder that its earlier generations are moved to (logrotate's `olddir`), by their names.
fn old_folders(folder: &Path) -> Vec<PathBuf> {
    let is_old = |name: &str| {
        name.starts_with("old") || ["archive", "archived", "archives", "backup", "rotated"].contains(&name)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter(|entry| entry.file_name().to_str().is_some_and(is_old)).map(|entry| entry.path()).collect()
}

/// The number in `NAME.3` and `NAME.3.gz`: the higher, the older. None where the name has a date or nothing.
fn number(path: &Path, base: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let rest = name.strip_prefix(base.file_name()?.to_str()?)?.strip_prefix('.')?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_generations_written_at_once_the_higher_number_is_older() {
        let base = Path::new("/var/log/a.log");
        let of = |name: &str| number(Path::new(name), base);
        assert_eq!(of("/var/log/a.log.10"), Some(10));
        assert_eq!(of("/var/log/a.log.2.gz"), Some(2));
        assert_eq!(of("/var/log/a.log-20261120"), None);
        assert_eq!(of("/var/log/a.log"), None);
        let mut names = ["/var/log/a.log.1", "/var/log/a.log.10", "/var/log/a.log.9"];
        names.sort_by_key(|name| Reverse(of(name)));
        assert_eq!(names, ["/var/log/a.log.10", "/var/log/a.log.9", "/var/log/a.log.1"]);
    }
}
