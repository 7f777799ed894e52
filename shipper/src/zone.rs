//! The time zone of this machine, by the name that the time zone database has for it: a plan names zones, so that a
//! batch can be formed again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::form::time_zone;

/// Files of a zone's database that are looked at for one that is the machine's.
const FILES_MAX: usize = 4_000;
const ZONE_BYTES_MAX: u64 = 64 * 1024;

/// The zone that the C library would use: `TZ`, else `/etc/localtime`; UTC where neither says any.
pub fn local(environment: &dyn Fn(&str) -> Option<String>) -> String {
    // The form `:Europe/Berlin` is the C library's.
    let named = environment("TZ").map(|name| name.trim_start_matches(':').to_owned());
    match named.filter(|name| !name.is_empty()) {
        Some(name) if time_zone(&name).is_some() => name,
        Some(_) => "UTC".to_owned(),
        None => of_machine(Path::new("/")).unwrap_or_else(|| "UTC".to_owned()),
    }
}

/// The zone that `/etc/localtime` is a link to or a copy of, or that `/etc/timezone` names.
fn of_machine(root: &Path) -> Option<String> {
    let localtime = root.join("etc/localtime");
    let linked = fs::read_link(&localtime).ok().and_then(|target| name_in(&target));
    let known = |name: String| time_zone(&name).is_some().then_some(name);
    linked
        .and_then(known)
        .or_else(|| known(fs::read_to_string(root.join("etc/timezone")).ok()?.trim().to_owned()))
        .or_else(|| known(alike(&localtime, &root.join("usr/share/zoneinfo"))?))
}

/// `Europe/Berlin` of `../usr/share/zoneinfo/Europe/Berlin`.
fn name_in(target: &Path) -> Option<String> {
    let (_, name) = target.to_str()?.rsplit_once("zoneinfo/")?;
    Some(name.trim_start_matches("posix/").trim_start_matches("right/").to_owned())
}

/// The name of the database's file that says the same.
fn alike(localtime: &Path, database: &Path) -> Option<String> {
    if fs::metadata(localtime).ok()?.len() > ZONE_BYTES_MAX {
        return None;
    }
    let wanted = fs::read(localtime).ok()?;
    let (mut folders, mut left) = (vec![database.to_owned()], FILES_MAX);
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            left = left.checked_sub(1)?;
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.len() == wanted.len() as u64
                && fs::read(&path).is_ok_and(|bytes| bytes == wanted)
            {
                return Some(path.strip_prefix(database).ok()?.to_str()?.to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_machines_zone_is_known_by_link_by_name_and_by_content() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("etc")).unwrap();
        fs::create_dir_all(path("usr/share/zoneinfo/Asia")).unwrap();
        assert_eq!(of_machine(root.path()), None);
        fs::write(path("usr/share/zoneinfo/UTC"), "utc!").unwrap();
        fs::write(path("usr/share/zoneinfo/Asia/Tokyo"), "jst!").unwrap();
        fs::write(path("etc/localtime"), "jst!").unwrap();
        assert_eq!(of_machine(root.path()).as_deref(), Some("Asia/Tokyo"));
        fs::write(path("etc/timezone"), "Asia/Kolkata\n").unwrap();
        assert_eq!(of_machine(root.path()).as_deref(), Some("Asia/Kolkata"));
        fs::remove_file(path("etc/localtime")).unwrap();
        symlink("../usr/share/zoneinfo/Europe/Berlin", path("etc/localtime")).unwrap();
        assert_eq!(of_machine(root.path()).as_deref(), Some("Europe/Berlin"));
    }

    #[test]
    fn the_environment_goes_before_the_machine() {
        let zone = |value: &'static str| local(&move |_| Some(value.to_owned()));
        assert_eq!(zone(":Europe/Berlin"), "Europe/Berlin");
        assert_eq!(zone("CET-1CEST,M3.5.0,M10.5.0/3"), "CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(zone("Mars/Base"), "UTC");
    }
}
