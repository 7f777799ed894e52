//! Which files are followed, and for whom each speaks.

use std::{path::Path, str::FromStr, time::Duration};

use lastwords_record::{Host, Source, encoding::Encoding};

use crate::{
    discover::{Pattern, PatternError},
    form::{FORMING, shaping::Shaping},
    plan::Voice,
};

/// Files of one kind.
#[derive(Debug, Clone)]
pub struct FileRule {
    /// Which.
    pub patterns: Vec<Pattern>,
    /// Which not.
    pub exclude: Vec<Pattern>,
    /// `file`, or `console`: then the guest's name is taken from the path.
    pub source: Source,
    /// Zone of times that name none, as the time zone database calls it.
    pub time_zone: String,
    /// Where a file is begun that was there before the shipper.
    pub start: Start,
    /// Attributes of all records.
    pub labels: Vec<(String, String)>,
    /// What is done to lines before they are records.
    pub shaping: Shaping,
    /// Bytes a second that are read of each file, at most; 0: as much as comes.
    pub bytes_per_second_max: u64,
}

/// Where a file is begun that was there before the shipper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At its beginning.
    Beginning,
    /// At its end.
    End,
    /// At its beginning, where it was written to within this time; else at its end.
    Younger(Duration),
}

impl Default for Start {
    /// Within the last week.
    fn default() -> Start {
        Start::Younger(Duration::from_secs(7 * 86_400))
    }
}

impl FromStr for Start {
    type Err = ();

    fn from_str(text: &str) -> Result<Start, ()> {
        match text {
            "beginning" => return Ok(Start::Beginning),
            "end" => return Ok(Start::End),
            _ => {}
        }
        let unit = text.chars().next_back().ok_or(())?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(()),
        };
        let count: u64 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(drop)?;
        count.checked_mul(seconds).map(|seconds| Start::Younger(Duration::from_secs(seconds))).ok_or(())
    }
}

impl Start {
    /// Whether a file is begun at its end that was written to so long ago.
    pub fn is_at_end(self, age: Duration) -> bool {
        match self {
            Start::Beginning => false,
            Start::End => true,
            Start::Younger(limit) => age > limit,
        }
    }
}

impl FileRule {
    /// A rule from globs.
    ///
    /// # Errors
    /// Where one is no glob.
    pub fn new(
        source: Source,
        patterns: &[String],
        exclude: &[String],
        time_zone: &str,
    ) -> Result<FileRule, PatternError> {
        Ok(FileRule {
            patterns: patterns.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            exclude: exclude.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            time_zone: time_zone.to_owned(),
            ..FileRule::of_source(source)
        })
    }

    /// A rule that means no file yet.
    pub fn of_source(source: Source) -> FileRule {
        FileRule {
            patterns: Vec::new(),
            exclude: Vec::new(),
            source,
            time_zone: String::new(),
            start: Start::Beginning,
            labels: Vec::new(),
            shaping: Shaping::default(),
            bytes_per_second_max: 0,
        }
    }

    /// Whether a file is meant.
    pub fn means(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(path)) && !self.excludes(path)
    }

    /// Whether a file is left alone.
    pub fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(path))
    }

    /// For whom a file speaks.
    pub fn voice(&self, host: &Host, path: &Path) -> Voice {
        let guest = (self.source == Source::Console).then(|| guest_of(path)).flatten();
        Voice {
            host: (host.name.clone(), host.machine_id.clone()),
            guest: guest.map(|name| (name, String::new())),
            source: self.source,
            attributes: std::iter::once(("log.file.path".to_owned(), path.to_string_lossy().into_owned()))
                .chain(self.labels.iter().cloned())
                .collect(),
            time_zone: self.time_zone.clone(),
            year: None,
            modified_ns: None,
            boots: Vec::new(),
            encoding: Encoding::Bytes,
            forming: FORMING,
            shaping: self.shaping.clone(),
        }
    }
}

/// The guest that a file is about which lies where hypervisors keep such (`…/libvirt/qemu/web07.log`,
/// `…/xen/console/guest-web07.log`, `…/xen/xl-web07.log`), and what it is.
pub(crate) fn guest_at(path: &Path) -> Option<(String, Source)> {
    let mut folders =
        path.ancestors().skip(1).map(|folder| folder.file_name().and_then(|name| name.to_str()));
    let (folder, above) = (folders.next().flatten()?, folders.next().flatten().unwrap_or_default());
    let name = path.file_name()?.to_str()?;
    match (above, folder) {
        ("libvirt", "qemu") | ("xen", "console") if name.contains(".log") => {
            guest_of(path).map(|guest| (guest, Source::Console))
        }
        (_, "xen") => {
            let name = name.strip_prefix("xl-").or_else(|| name.strip_prefix("qemu-dm-"))?;
            let guest = guest_of(Path::new(name))?;
            name.contains(".log").then_some((guest, Source::File))
        }
        _ => None,
    }
}

/// The guest whose console a file is, by the names that libvirt, QEMU and xenconsoled give: `web07.log`,
/// `guest-web07.log`. The hypervisor's own console is no guest's.
fn guest_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.split_once(".log").map_or(name, |(name, _)| name);
    let name = name.strip_prefix("guest-").unwrap_or(name);
    // Who names a guest chooses its file's name; what stands in rows can be printed.
    let printable = |letter: char| if letter.is_control() { '?' } else { letter };
    (!name.is_empty() && name != "hypervisor").then(|| name.chars().map(printable).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_begins_is_a_word_or_a_time() {
        for (text, expected) in [
            ("beginning", Ok(Start::Beginning)),
            ("end", Ok(Start::End)),
            ("12h", Ok(Start::Younger(Duration::from_secs(43_200)))),
            ("7d", Ok(Start::default())),
            ("d", Err(())),
            ("7", Err(())),
            ("", Err(())),
            ("99999999999999999d", Err(())),
        ] {
            assert_eq!(text.parse::<Start>(), expected, "{text}");
        }
        let age = Duration::from_secs;
        assert!(Start::default().is_at_end(age(8 * 86_400)) && !Start::default().is_at_end(age(86_400)));
    }

    #[test]
    fn places_of_hypervisors_name_their_guests() {
        for (path, expected) in [
            ("/a/var/log/libvirt/qemu/web07.log.2.gz", Some(("web07", Source::Console))),
            ("sos.tar/var/log/xen/console/guest-web07.log", Some(("web07", Source::Console))),
            ("/var/log/xen/console/hypervisor.log", None),
            ("/var/log/xen/xl-web07.log", Some(("web07", Source::File))),
            ("/var/log/xen/xl.log", None),
            ("/var/log/qemu/web07.log", None),
            ("/var/log/libvirt/qemu/web07.xml", None),
        ] {
            let found = guest_at(Path::new(path));
            assert_eq!(found.as_ref().map(|(name, source)| (name.as_str(), *source)), expected, "{path}");
        }
    }

    #[test]
    fn a_console_speaks_for_its_guest() {
        let rule = FileRule::new(Source::Console, &["/c/*".to_owned()], &[], "UTC").unwrap();
        for (path, guest) in [
            ("/c/web07.log", Some("web07")),
            ("/c/guest-web07.log", Some("web07")),
            ("/c/guest-web07.log.1", Some("web07")),
            ("/c/hypervisor.log", None),
        ] {
            let voice = rule.voice(&Host::default(), Path::new(path));
            assert_eq!(voice.guest.map(|(name, _)| name).as_deref(), guest, "{path}");
        }
    }
}
