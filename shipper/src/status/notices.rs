//! What stands in the way of collecting: said once in the log, counted, and kept in a file beside the plan, where `doctor`
//! finds it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// The file in the state folder.
pub const FILE_NAME: &str = "notices.json";
/// Notices of one kind that are kept; further ones are counted.
const NOTICES_MAX: usize = 50;
/// How long something that has happened is told.
const REMEMBERED_NS: i64 = 7 * 86_400 * 1_000_000_000;
/// Bytes of the file that are read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about: a path, a glob, a source.
    pub about: String,
    /// What is wrong.
    pub found: String,
    /// What to do.
    pub way_out: String,
    /// Since when, UTC nanoseconds.
    #[serde(default)]
    pub since_ns: i64,
    /// Until when it is told, UTC nanoseconds; none: until it has gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ns: Option<i64>,
}

impl Notice {
    /// About something, with what is wrong and what to do.
    pub fn new(about: impl Into<String>, found: impl Into<String>, way_out: impl Into<String>) -> Notice {
        Notice {
            about: about.into(),
            found: found.into(),
            way_out: way_out.into(),
            since_ns: 0,
            until_ns: None,
        }
    }
}

/// What stands in the way, by kind.
#[derive(Debug, Default)]
pub struct Notices {
    by_kind: BTreeMap<String, Kind>,
    is_changed: bool,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kind {
    notices: Vec<Notice>,
    /// Further ones.
    #[serde(default)]
    more: u64,
}

/// The kind of what has happened and is over.
const HAPPENED: &str = "happened";

impl Notices {
    /// Goes on with what an earlier process has left: only what has happened; what stands in the way is looked for anew.
    pub(super) fn begin_with(&mut self, left: Vec<(String, Notice)>) {
        let happened =
            left.into_iter().filter(|(kind, _)| kind == HAPPENED).map(|(_, notice)| notice).collect();
        self.by_kind.insert(HAPPENED.to_owned(), Kind { notices: happened, more: 0 });
        self.is_changed = true;
    }

    pub(super) fn replace(&mut self, kind: &str, found: Vec<Notice>, now_ns: i64) {
        let before = self.by_kind.get(kind);
        if before.is_none() && found.is_empty() {
            return;
        }
        let more = found.len().saturating_sub(NOTICES_MAX) as u64;
        let mut notices = Vec::with_capacity(found.len().min(NOTICES_MAX));
        for mut notice in found.into_iter().take(NOTICES_MAX) {
            let known =
                before.and_then(|before| before.notices.iter().find(|known| known.about == notice.about));
            match known {
                Some(known) => notice.since_ns = known.since_ns,
                None => {
                    notice.since_ns = now_ns;
                    tracing::warn!(about = %notice.about, "{}: {}", notice.found, notice.way_out);
                }
            }
            notices.push(notice);
        }
        if more > 0 && before.is_none_or(|before| before.more == 0) {
            tracing::warn!(kind, more, "more of the same kind are not named one by one");
        }
        let kind_now = Kind { notices, more };
        self.is_changed |= before != Some(&kind_now);
        self.by_kind.insert(kind.to_owned(), kind_now);
    }

    pub(super) fn add(&mut self, notice: Notice, now_ns: i64) {
        let happened = self.by_kind.entry(HAPPENED.to_owned()).or_default();
        happened.notices.retain(|known| {
            known.about != notice.about && known.until_ns.is_none_or(|until_ns| until_ns > now_ns)
        });
        if happened.notices.len() >= NOTICES_MAX {
            happened.notices.remove(0);
        }
        let until_ns = Some(now_ns.saturating_add(REMEMBERED_NS));
        happened.notices.push(Notice { since_ns: now_ns, until_ns, ..notice });
        self.is_changed = true;
    }

    /// How many there are of each kind.
    pub fn kinds(&self) -> Vec<(String, u64)> {
        self.by_kind
            .iter()
            .map(|(kind, found)| (kind.clone(), found.notices.len() as u64 + found.more))
            .collect()
    }

    pub(super) fn save(&mut self, folder: &Path) -> Result<(), NoticeError> {
        if !std::mem::take(&mut self.is_changed) {
            return Ok(());
        }
        let (path, fresh) = (folder.join(FILE_NAME), folder.join("notices.new"));
        let failed = |source| NoticeError { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(&self.by_kind).map_err(|error| failed(error.into()))?;
        fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &path)).map_err(failed)
    }
}

/// Why notices cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct NoticeError {
    path: PathBuf,
    source: io::Error,
}

/// What a shipper has left in its state folder, each with its kind; nothing where there is no such file.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_notices(folder: &Path) -> Result<Vec<(String, Notice)>, NoticeError> {
    let path = folder.join(FILE_NAME);
    let failed = |source: io::Error| NoticeError { path: path.clone(), source };
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
        Ok(found) if found.len() > FILE_BYTES_MAX => return Err(failed(io::Error::other("it is too long"))),
        Ok(_) => {}
    }
    let text = fs::read(&path).map_err(failed)?;
    let by_kind: BTreeMap<String, Kind> =
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let each = by_kind.into_iter().flat_map(|(kind, found)| {
        found.notices.into_iter().map(move |notice| (kind.clone(), notice)).collect::<Vec<_>>()
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_is_told_no_more_and_what_has_happened_is_told_for_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let mut notices = Notices::default();
        let notice = |about: &str| Notice::new(about, "cannot be read", "chmod");
        notices.replace("unreadable", vec![notice("/a"), notice("/b")], 5);
        notices.replace("unreadable", vec![notice("/b")], 9);
        notices.add(notice("a clone"), 9);
        notices.save(folder.path()).unwrap();
        let found = read_notices(folder.path()).unwrap();
        let told: Vec<(&str, &str, i64)> = found
            .iter()
            .map(|(kind, notice)| (kind.as_str(), notice.about.as_str(), notice.since_ns))
            .collect();
        assert_eq!(told, [("happened", "a clone", 9), ("unreadable", "/b", 5)]);

        let mut next = Notices::default();
        next.begin_with(found);
        assert_eq!(next.kinds(), [("happened".to_owned(), 1)]);
        next.add(notice("another"), REMEMBERED_NS + 10);
        assert_eq!(next.kinds(), [("happened".to_owned(), 1)]);
    }

    #[test]
    fn many_of_a_kind_are_counted() {
        let mut notices = Notices::default();
        notices.replace("unreadable", (0..80).map(|n| Notice::new(n.to_string(), "x", "y")).collect(), 1);
        assert_eq!(notices.kinds(), [("unreadable".to_owned(), 80)]);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_a_missing_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_notices(folder.path()).unwrap().is_empty());
        fs::write(folder.path().join(FILE_NAME), "{").unwrap();
        assert!(read_notices(folder.path()).unwrap_err().to_string().contains(FILE_NAME));
    }
}
