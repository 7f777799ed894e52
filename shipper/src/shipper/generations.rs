//! Earlier generations of the files that a rule means: `NAME.1`, `NAME-20261120`, gzipped or not, beside `NAME`. Most
//! are known, because they were read under their own name. One that came and went between two looks, or while the
//! shipper was away, is found here. Those that are read to their end stay known as long as they, or a copy, exist.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{Outbox, files::Files};
use crate::{
    config::{FileRule, ShipperConfig},
    plan::{Entry, PlanError},
    source::{
        content::Content,
        followed::{Followed, as_copy, stems},
        identity::{FileState, HEAD_BYTES_MAX},
    },
};

/// The file system's clock is a little behind ours.
const CLOCK_SLACK_NS: i64 = 1_000_000_000;

/// Generations that are read to their end.
#[derive(Debug, Default)]
pub(super) struct Done {
    states: BTreeMap<u64, FileState>,
    /// What was looked into already: device, inode, size and time of writing, and which generation it is.
    checked: HashMap<(u64, u64, u64, i64), u64>,
    /// Since when one is not found any more. A folder that is read while names change may hide one for a moment.
    missed: BTreeMap<u64, i64>,
}

impl Done {
    pub(super) fn insert(&mut self, state: FileState) {
        self.states.insert(state.id, state);
    }
}

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
    /// Another one of the files that are followed, or still being written by who rotates: look again later.
    Later,
    New(Content),
}

impl Files {
    /// Takes up earlier generations that are not known yet, oldest first.
    pub(super) fn earlier(
        &mut self,
        config: &ShipperConfig,
        folders: &[PathBuf],
        outbox: &mut Outbox,
        now_ns: i64,
    ) -> Result<(), PlanError> {
        // What was written before this shipper began is none of its business.
        let since_ns =
            i64::try_from(outbox.memory().epoch).unwrap_or(i64::MAX).saturating_sub(CLOCK_SLACK_NS);
        let mut there = BTreeSet::new();
        for sibling in siblings(config, folders) {
            if sibling.modified_ns < since_ns || self.by_inode(sibling.device, sibling.inode).is_some() {
                continue;
            }
            let key = (sibling.device, sibling.inode, sibling.size, sibling.modified_ns);
            if let Some(id) = self.done.checked.get(&key) {
                there.insert(*id);
                continue;
            }
            let verdict = self.judge(&sibling).unwrap_or_else(|error| {
                tracing::debug!(file = %sibling.path.display(), %error, "cannot be read yet");
                Verdict::Later
            });
            let voice = sibling.rule.voice(&config.host, &sibling.base);
            match verdict {
                Verdict::Later => {}
                Verdict::Read(id) => {
                    self.done.checked.insert(key, id);
                    there.insert(id);
                }
                Verdict::Grown(id, content) => {
                    let Some(mut state) = self.done.states.remove(&id) else { continue };
                    (state.done, state.device, state.inode) = (false, sibling.device, sibling.inode);
                    outbox.remember(Entry::File(state.clone()))?;
                    let mut followed = Followed::new(state, content, voice, now_ns);
                    followed.left = true;
                    self.by_id.insert(id, followed);
                }
                Verdict::New(content) => {
                    tracing::info!(file = %sibling.path.display(), "was rotated away before it was seen; it is read now");
                    let id = self.take_up(
                        &sibling.base,
                        sibling.device,
                        sibling.inode,
                        content,
                        voice,
                        outbox,
                        now_ns,
                    )?;
                    if let Some(followed) = self.by_id.get_mut(&id) {
                        followed.left = true;
                    }
                }
            }
        }
        self.forget_done(config, &there, outbox, now_ns)
    }

    fn judge(&mut self, sibling: &Sibling<'_>) -> io::Result<Verdict> {
        let path = &sibling.path;
        let mut content = Content::open(File::open(path)?)?;
        let head = content.head()?;
        for followed in self.by_id.values_mut() {
            if as_copy(&followed.state, Path::new(&followed.state.path), path).is_some() {
                return Ok(Verdict::Later);
            }
            // Nothing of it is read yet: its beginning tells.
            if followed.state.position == 0 && Path::new(&followed.state.path).parent() == path.parent() {
                let own = followed.content.head()?;
                if !own.is_empty() && (own.starts_with(&head) || head.starts_with(&own)) {
                    return Ok(Verdict::Later);
                }
            }
        }
        let followed = self.by_id.values().map(|followed| &followed.state);
        let mut partial = false;
        for state in followed.chain(self.done.states.values()) {
            let itself = (state.device, state.inode) == (sibling.device, sibling.inode);
            let known = Path::new(&state.path);
            let is = if itself {
                content.is(&state.identity, state.position)?
            } else {
                as_copy(state, known, path).is_some()
            };
            if is && state.done {
                let grown = content.read_at(state.position, &mut [0])? > 0;
                return Ok(if grown { Verdict::Grown(state.id, content) } else { Verdict::Read(state.id) });
            }
            // A copy that is not finished begins as its original.
            partial |= usize::from(state.identity.head_length) == HEAD_BYTES_MAX
                && known.parent() == path.parent()
                && state.identity.matches(&head)
                && sibling.size < state.position
                && content.plain().is_some();
        }
        if partial {
            return Ok(Verdict::Later);
        }
        if content.plain().is_none() {
            // One that is still being compressed ends too early, which is an error.
            let Content::Gzip(gzip) = &mut content else { return Ok(Verdict::Later) };
            io::copy(gzip, &mut io::sink())?;
        }
        Ok(Verdict::New(content))
    }

    fn forget_done(
        &mut self,
        config: &ShipperConfig,
        there: &BTreeSet<u64>,
        outbox: &mut Outbox,
        now_ns: i64,
    ) -> Result<(), PlanError> {
        let wait_ns = super::nanoseconds(config.rotated_wait);
        for id in there {
            self.done.missed.remove(id);
        }
        let gone: Vec<u64> = self.done.states.keys().filter(|id| !there.contains(id)).copied().collect();
        for id in gone {
            if now_ns - *self.done.missed.entry(id).or_insert(now_ns) > wait_ns {
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
    for entry in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { continue };
        let rule = stems(name).find_map(|stem| {
            let base = path.with_file_name(stem);
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
            let modified_ns =
                metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
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

/// The number in `NAME.3` and `NAME.3.gz`: the higher, the older. None where the name has a date or nothing.
fn number(path: &Path, base: &Path) -> Option<u64> {
    let rest = path.to_str()?.strip_prefix(base.to_str()?)?.strip_prefix('.')?;
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
