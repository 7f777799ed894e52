//! `[collect]`: what is collected from this machine.

use std::path::PathBuf;

use lastwords_config::{FilePath, Invalid, Size};
use lastwords_record::{Host, Source};
use serde::{Deserialize, Serialize};

use super::{FileRule, JournalOptions, JournalSettings, LimitSettings, ShipperConfig, file_rule::Start};
use crate::{
    discover::Pattern,
    form::{self, shaping::Shaping},
    sample::{network::NetworkOptions, saturation::Thresholds},
    zone,
};

/// Log files that are collected where the configuration names none.
pub const DEFAULT_FILES: &[&str] =
    &["/var/log/*.log", "/var/log/**/*.log", "/var/log/syslog", "/var/log/messages"];
/// Files that are left alone: binary, compressed, or collected by another source.
pub const DEFAULT_EXCLUDE: &[&str] = &[
    "/var/log/journal/**",
    "/var/log/lastwords/**",
    "/var/log/libvirt/**",
    "/var/log/xen/console/**",
    "/var/log/installer/**",
    "/var/log/faillog",
    "/var/log/lastlog",
];
/// Guests' console logs of libvirt and Xen.
pub const DEFAULT_CONSOLES: &[&str] = &["/var/log/libvirt/qemu/*.log", "/var/log/xen/console/*.log"];

/// Labels of a set, and bytes of one.
const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 1024;
/// Calm is this much below the share that begins a saturation.
const HYSTERESIS: f64 = 0.1;

/// `[collect]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectSettings {
    /// Where is remembered what was sent; none: the process knows a place.
    pub state_dir: Option<FilePath>,
    /// systemd's journal, where `journalctl` exists.
    pub journald: bool,
    /// The kernel's ring, where it can be read.
    pub kmsg: bool,
    /// Network counters and their saturation.
    pub samples: bool,
    /// Share of an interface's speed that counts as saturated.
    pub saturation_share: f64,
    /// Log files, as globs; none: the usual ones, unless there are sets of their own.
    pub files: Option<Vec<FilePath>>,
    /// Which of `files` are left alone, as globs.
    pub exclude: Option<Vec<FilePath>>,
    /// Guests' console logs, as globs; none: as `files`.
    pub consoles: Option<Vec<FilePath>>,
    /// Zone of times that name none; none: this machine's.
    pub time_zone: Option<String>,
    /// Sets of files with keys of their own; they go before `consoles` and `files`.
    pub file: Vec<FileSettings>,
    /// What is read of the journal.
    pub journal: JournalSettings,
    /// How long is waited, and how much is kept.
    pub limits: LimitSettings,
}

/// `[[collect.file]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileSettings {
    /// Which files, as globs.
    pub paths: Vec<FilePath>,
    /// Which not, as globs.
    #[serde(default)]
    pub exclude: Vec<FilePath>,
    /// What they are.
    #[serde(default)]
    pub source: FileSource,
    /// Zone of times that name none; none: as `collect.time_zone`.
    pub time_zone: Option<String>,
    /// Where a file is begun that was there before the shipper: `beginning`, `end`, or how young it has to be (`7d`).
    pub start: Option<String>,
    /// Attributes of all records, each `name=value`.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Lines in which one of these regular expressions is found are left out.
    #[serde(default)]
    pub drop: Vec<String>,
    /// What matches one of these regular expressions is made unreadable.
    #[serde(default)]
    pub redact: Vec<String>,
    /// How lines that belong together are known: `java`, `python`, `go`, `coredump`, or a regular expression of a
    /// record's first line.
    #[serde(default)]
    pub multiline: String,
    /// Bytes a second that are read of each file, at most; none: as much as comes.
    pub bytes_per_second_max: Option<Size>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSource {
    /// A log.
    #[default]
    File,
    /// A guest's console, named after the guest.
    Console,
}

impl Default for CollectSettings {
    fn default() -> Self {
        CollectSettings {
            state_dir: None,
            journald: true,
            kmsg: true,
            samples: true,
            saturation_share: Thresholds::default().begin_utilisation,
            files: None,
            exclude: None,
            consoles: None,
            time_zone: None,
            file: Vec::new(),
            journal: JournalSettings::default(),
            limits: LimitSettings::default(),
        }
    }
}

/// What is collected from this machine, checked.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Where is remembered what was sent; none: the process knows a place.
    pub state_dir: Option<PathBuf>,
    /// systemd's journal.
    pub journald: bool,
    /// What is read of it.
    pub journal: JournalOptions,
    /// The kernel's ring.
    pub kmsg: bool,
    /// Network counters; none: not sampled.
    pub samples: Option<NetworkOptions>,
    /// Files, each by the first rule that means it.
    pub files: Vec<FileRule>,
    limits: LimitSettings,
}

impl CollectSettings {
    /// Says what nobody said; `environment` looks a variable up.
    ///
    /// # Errors
    /// Where `TZ` is no time zone.
    pub fn fill(&mut self, environment: &dyn Fn(&str) -> Option<String>) -> Result<(), Invalid> {
        let globs = |texts: &[&str]| texts.iter().map(|text| FilePath((*text).into())).collect();
        let has_sets = !self.file.is_empty();
        let usual = |texts: &[&str]| if has_sets { Vec::new() } else { globs(texts) };
        self.files.get_or_insert_with(|| usual(DEFAULT_FILES));
        self.consoles.get_or_insert_with(|| usual(DEFAULT_CONSOLES));
        self.exclude.get_or_insert_with(|| globs(DEFAULT_EXCLUDE));
        if self.time_zone.is_none() {
            if let Some(name) = environment("TZ").filter(|name| !name.is_empty()) {
                // The form `:Europe/Berlin` is the C library's.
                check_zone("TZ", name.trim_start_matches(':'))?;
            }
            self.time_zone = Some(zone::local(environment));
        }
        Ok(())
    }

    /// What is to be done; of settings that were filled.
    ///
    /// # Errors
    /// The key whose value cannot be used.
    pub fn check(&self) -> Result<Collect, Invalid> {
        let share = self.saturation_share;
        if !(share > 0.0 && share <= 1.0) {
            let wanted = "a share above 0 and up to 1";
            return Err(Invalid::wanted("collect.saturation_share", wanted, &share.to_string()));
        }
        self.limits.check()?;
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        check_zone("collect.time_zone", zone)?;
        Ok(Collect {
            state_dir: self.state_dir.as_ref().map(|folder| folder.0.clone()),
            journald: self.journald,
            journal: self.journal.check()?,
            kmsg: self.kmsg,
            samples: self.samples.then(|| network(share)),
            files: self.rules(zone)?,
            limits: self.limits.clone(),
        })
    }

    /// Sets of their own come first, then consoles: the first rule that means a file counts.
    fn rules(&self, zone: &str) -> Result<Vec<FileRule>, Invalid> {
        let mut rules = Vec::new();
        for (index, set) in self.file.iter().enumerate() {
            let key = |name: &str| format!("collect.file[{index}].{name}");
            let zone = set.time_zone.as_deref().unwrap_or(zone);
            check_zone(&key("time_zone"), zone)?;
            let source = match set.source {
                FileSource::File => Source::File,
                FileSource::Console => Source::Console,
            };
            let shaping = Shaping {
                drop: set.drop.clone(),
                redact: set.redact.clone(),
                multiline: set.multiline.clone(),
            };
            shaping.compile().map_err(|error| Invalid::new(key(error.key), &error))?;
            rules.push(FileRule {
                patterns: patterns(&key("paths"), &set.paths)?,
                exclude: patterns(&key("exclude"), &set.exclude)?,
                source,
                time_zone: zone.to_owned(),
                start: set.start.as_deref().map_or(Ok(Start::default()), |text| {
                    text.parse().map_err(|()| {
                        Invalid::wanted(key("start"), "beginning, end, or a time such as 7d or 12h", text)
                    })
                })?,
                labels: labels(&key("labels"), &set.labels)?,
                shaping,
                bytes_per_second_max: set.bytes_per_second_max.as_ref().map_or(0, |size| size.0),
            });
        }
        for (key, source, globs, exclude) in [
            ("collect.consoles", Source::Console, &self.consoles, None),
            ("collect.files", Source::File, &self.files, self.exclude.as_deref()),
        ] {
            let exclude = patterns("collect.exclude", exclude.unwrap_or_default())?;
            let patterns = patterns(key, globs.as_deref().unwrap_or_default())?;
            if !patterns.is_empty() {
                rules.push(FileRule {
                    patterns,
                    exclude,
                    time_zone: zone.to_owned(),
                    start: Start::default(),
                    ..FileRule::of_source(source)
                });
            }
        }
        Ok(rules)
    }
}

impl Collect {
    /// Whether there is anything to collect.
    #[must_use]
    pub fn anything(&self) -> bool {
        self.journald || self.kmsg || self.samples.is_some() || !self.files.is_empty()
    }

    /// The shipper that collects this; its state lies in `state_dir`, unless the configuration names another place.
    #[must_use]
    pub fn shipper(&self, host: Host, state_dir: PathBuf) -> ShipperConfig {
        let mut shipper = ShipperConfig::new(host, self.state_dir.clone().unwrap_or(state_dir));
        shipper.files.clone_from(&self.files);
        shipper.journald = self.journald;
        shipper.journal.clone_from(&self.journal);
        shipper.kmsg = self.kmsg;
        shipper.samples.clone_from(&self.samples);
        shipper.limit(&self.limits);
        shipper
    }
}

/// `name=value`, each.
fn labels(key: &str, texts: &[String]) -> Result<Vec<(String, String)>, Invalid> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && text.len() <= LABEL_BYTES_MAX => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(Invalid::wanted(key, "name=value, up to 1 KiB", text)),
    };
    if texts.len() > LABELS_MAX {
        return Err(Invalid::new(key, format!("wanted at most {LABELS_MAX} labels, found {}", texts.len())));
    }
    texts.iter().map(parse).collect()
}

fn patterns(key: &str, globs: &[FilePath]) -> Result<Vec<Pattern>, Invalid> {
    let parse = |(index, glob): (usize, &FilePath)| match glob.0.to_str() {
        Some(text) => text.parse().map_err(|error| Invalid::new(format!("{key}[{index}]"), error)),
        None => Err(Invalid::wanted(key, "a glob in UTF-8", &glob.0.to_string_lossy())),
    };
    globs.iter().enumerate().map(parse).collect()
}

fn check_zone(key: &str, name: &str) -> Result<(), Invalid> {
    match form::time_zone(name) {
        Some(_) => Ok(()),
        None => Err(Invalid::wanted(key, "a name of the time zone database such as Europe/Berlin", name)),
    }
}

fn network(share: f64) -> NetworkOptions {
    let end_utilisation = (share - HYSTERESIS).max(share / 2.0);
    NetworkOptions {
        thresholds: Thresholds { begin_utilisation: share, end_utilisation, ..Thresholds::default() },
        ..NetworkOptions::default()
    }
}
