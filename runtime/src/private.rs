//! Folders that their owner alone may enter: state and stores hold logs, and whoever writes into them writes in our
//! name. Looked at as `ssh` looks at its keys: the folder is ours, nobody else can have planted it or can put another in
//! its place, and nobody else reads what is in it.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, process};

/// What others may do.
const OTHERS: u32 = 0o077;
const GROUP_WRITES: u32 = 0o020;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Files and folders that are looked at in a folder, and how deep. What is beyond is kept by the folder's own mode.
const ENTRIES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 3;

/// Why a folder cannot be ours alone.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// It cannot be made, or looked at.
    #[error("{folder} cannot be {attempted}: {source}")]
    Io {
        /// What was tried.
        attempted: &'static str,
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("wanted a folder, found that {folder} is none")]
    NoFolder {
        /// Which.
        folder: PathBuf,
    },
    /// It is somebody else's.
    #[error(
        "{folder} belongs to user {owner}, and this process runs as user {me}: run as its owner (runuser, sudo -u), or \
         use a folder of your own, such as one in it"
    )]
    Owner {
        /// Which.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        me: u32,
    },
    /// Somebody else has put a link in its place.
    #[error("{link} is a link that user {owner} has made: name the folder that is meant itself")]
    Link {
        /// Which.
        link: PathBuf,
        /// Who made it.
        owner: u32,
    },
    /// Somebody else could put another folder in its place.
    #[error(
        "{folder} lies in {parent}, {why}, who could put another folder in its place: use one whose parents belong to \
         root or to you and that others cannot write"
    )]
    Parent {
        /// Which.
        folder: PathBuf,
        /// In which.
        parent: PathBuf,
        /// Who could.
        why: String,
    },
}

/// Who looks.
struct Me {
    user: u32,
    groups: Vec<u32>,
}

impl Me {
    fn now() -> Me {
        let mut groups = vec![0, process::getegid().as_raw()];
        groups.extend(process::getgroups().unwrap_or_default().into_iter().map(rustix::process::Gid::as_raw));
        Me { user: process::geteuid().as_raw(), groups }
    }
}

/// Lets this process make files that others can neither read nor write.
pub fn keep_files_private() {
    process::umask(rustix::fs::Mode::from_raw_mode(OTHERS));
}

/// Looks whether a folder is ours alone, and changes nothing; gives the mode with which others can enter it.
///
/// # Errors
/// Where it cannot be.
pub fn look(folder: &Path) -> Result<Option<u32>, PrivateError> {
    let me = Me::now();
    let found = ours(folder, &me)?;
    Ok(Some(found.mode() & 0o7777).filter(|mode| mode & OTHERS != 0))
}

/// Makes a folder where it is missing, and closes it to others; gives the mode with which they could enter it.
///
/// # Errors
/// Where it is not ours, or others could put another in its place.
pub fn make_private(folder: &Path) -> Result<Option<u32>, PrivateError> {
    let failed = |attempted| move |source| PrivateError::Io { attempted, folder: folder.to_owned(), source };
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("made"))?;
        }
        _ => {}
    }
    let me = Me::now();
    ours(folder, &me)?;
    // From here on it is this very folder, whatever becomes of the name.
    let open = File::open(folder).map_err(failed("opened"))?;
    let found = open.metadata().map_err(failed("looked at"))?;
    belongs(folder, &found, me.user)?;
    if found.mode() & OTHERS == 0 {
        return Ok(None);
    }
    open.set_permissions(Permissions::from_mode(0o700)).map_err(failed("closed to others"))?;
    Ok(Some(found.mode() & 0o7777))
}

/// Closes what lies in a folder of ours to others, as far as bounds go; gives how many files and folders were open.
/// `left_out` are names of folders in it that are closed but not searched.
#[must_use]
pub fn close_contents(folder: &Path, left_out: &[&str]) -> usize {
    let (mut left, mut closed) = (ENTRIES_MAX, 0);
    close_entries(folder, left_out, DEPTH_MAX, &mut left, &mut closed);
    closed
}

/// The folder's metadata, if it is ours.
fn ours(folder: &Path, me: &Me) -> Result<Metadata, PrivateError> {
    let failed = |source| PrivateError::Io { attempted: "looked at", folder: folder.to_owned(), source };
    let found = fs::symlink_metadata(folder).map_err(failed)?;
    if found.is_symlink() && found.uid() != me.user && found.uid() != 0 {
        return Err(PrivateError::Link { link: folder.to_owned(), owner: found.uid() });
    }
    let place = fs::canonicalize(folder).map_err(failed)?;
    let found = fs::symlink_metadata(&place).map_err(failed)?;
    if !found.is_dir() {
        return Err(PrivateError::NoFolder { folder: folder.to_owned() });
    }
    belongs(folder, &found, me.user)?;
    for parent in place.ancestors().skip(1) {
        let looked = fs::symlink_metadata(parent).map_err(failed)?;
        if let Some(why) = intruder(looked.uid(), looked.gid(), looked.mode(), me) {
            return Err(PrivateError::Parent { folder: folder.to_owned(), parent: parent.to_owned(), why });
        }
    }
    Ok(found)
}

fn belongs(folder: &Path, found: &Metadata, me: u32) -> Result<(), PrivateError> {
    if found.uid() == me {
        return Ok(());
    }
    Err(PrivateError::Owner { folder: folder.to_owned(), owner: found.uid(), me })
}

/// Who else could rename what lies in a folder of this owner, group and mode. In a sticky folder such as /tmp nobody can
/// rename what is ours; root, and the groups that we are in ourselves, are trusted.
fn intruder(owner: u32, group: u32, mode: u32, me: &Me) -> Option<String> {
    if owner != 0 && owner != me.user {
        return Some(format!("which belongs to user {owner}"));
    }
    if mode & STICKY != 0 {
        return None;
    }
    if mode & ALL_WRITE != 0 {
        return Some(format!("which all users can write (mode {:04o})", mode & 0o7777));
    }
    (mode & GROUP_WRITES != 0 && !me.groups.contains(&group))
        .then(|| format!("which group {group} can write (mode {:04o})", mode & 0o7777))
}

/// What cannot be closed is said and left: the folder around it is closed.
fn close_entries(folder: &Path, left_out: &[&str], depth: usize, left: &mut usize, closed: &mut usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Some(rest) = left.checked_sub(1) else { return };
        *left = rest;
        let Ok(found) = entry.metadata() else { continue };
        let path = entry.path();
        if (found.is_file() || found.is_dir()) && found.mode() & OTHERS != 0 {
            match close(&path, &found) {
                Ok(()) => *closed += 1,
                Err(error) => tracing::warn!(path = %path.display(), %error, "it cannot be closed to others"),
            }
        }
        let searched = !entry.file_name().to_str().is_some_and(|name| left_out.contains(&name));
        if found.is_dir() && searched && depth > 1 {
            close_entries(&path, &[], depth - 1, left, closed);
        }
    }
}

/// Never what a link leads to.
fn close(path: &Path, found: &Metadata) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    file.set_permissions(Permissions::from_mode(found.mode() & 0o700))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_missing_folder_is_made_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        assert_eq!(make_private(&folder).unwrap(), None);
        assert_eq!((mode(&folder), look(&folder).unwrap()), (0o700, None));
    }

    #[test]
    fn what_others_could_read_is_closed_and_counted_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("data");
        fs::create_dir_all(folder.join("intents")).unwrap();
        fs::create_dir_all(folder.join("engine/store")).unwrap();
        let outside = place.path().join("outside");
        for file in
            [&outside, &folder.join("lock"), &folder.join("intents/1"), &folder.join("engine/store/part")]
        {
            fs::write(file, "x").unwrap();
            set(file, 0o644);
        }
        symlink(&outside, folder.join("link")).unwrap();
        for open in [&folder, &folder.join("intents"), &folder.join("engine"), &folder.join("engine/store")] {
            set(open, 0o755);
        }
        assert_eq!(look(&folder).unwrap(), Some(0o755));
        assert_eq!(make_private(&folder).unwrap(), Some(0o755));
        assert_eq!(close_contents(&folder, &["engine"]), 4);
        for (path, expected) in [
            ("", 0o700),
            ("lock", 0o600),
            ("intents", 0o700),
            ("intents/1", 0o600),
            ("engine", 0o700),
            ("engine/store", 0o755),
        ] {
            assert_eq!(mode(&folder.join(path)), expected, "{path}");
        }
        assert_eq!(mode(&outside), 0o644);
        assert_eq!((make_private(&folder).unwrap(), close_contents(&folder, &["engine"])), (None, 0));
    }

    #[test]
    fn a_link_of_our_own_is_followed_and_a_file_is_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let (folder, link) = (place.path().join("data"), place.path().join("link"));
        fs::create_dir(&folder).unwrap();
        set(&folder, 0o750);
        symlink(&folder, &link).unwrap();
        assert_eq!(make_private(&link).unwrap(), Some(0o750));
        assert_eq!(mode(&folder), 0o700);
        fs::write(folder.join("file"), "").unwrap();
        assert!(matches!(make_private(&folder.join("file")), Err(PrivateError::NoFolder { .. })));
    }

    #[test]
    fn a_folder_that_all_can_replace_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("data");
        make_private(&folder).unwrap();
        set(place.path(), 0o777);
        let refused = make_private(&folder).unwrap_err().to_string();
        assert!(refused.contains("which all users can write (mode 0777)"), "{refused}");
        set(place.path(), 0o1777);
        make_private(&folder).unwrap();
    }

    #[test]
    fn parents_are_judged_as_ssh_does() {
        let me = Me { user: 1000, groups: vec![0, 1000] };
        for (owner, group, mode, trusted) in [
            (0, 0, 0o755, true),
            (1000, 1000, 0o755, true),
            (1000, 1000, 0o775, true),
            (0, 0, 0o1777, true),
            (0, 0, 0o777, false),
            (0, 50, 0o2775, false),
            (0, 50, 0o2755, true),
            (1001, 1000, 0o755, false),
            (1001, 1000, 0o1777, false),
        ] {
            assert_eq!(intruder(owner, group, mode, &me).is_none(), trusted, "{owner} {group} {mode:o}");
        }
    }

    #[test]
    fn what_is_somebody_elses_is_refused_with_the_way_out() {
        let place = tempfile::tempdir().unwrap();
        let found = fs::metadata(place.path()).unwrap();
        let refused = belongs(place.path(), &found, found.uid() + 1).unwrap_err().to_string();
        assert!(refused.contains(&format!("belongs to user {}", found.uid())), "{refused}");
    }
}
