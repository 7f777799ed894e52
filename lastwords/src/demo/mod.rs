//! The demo's raw material: a reconstruction of the night that Lastwords was made for, written as the files that
//! a fleet would have written. Nothing here touches the store: the files go through the pipeline like anybody's.
//!
//! `fleet` (who) and `story` (what happens, from a seed) decide; `console`, `background` and `traffic` word it;
//! this module writes the files and lists how each is to be imported.

mod background;
mod console;
mod fleet;
mod story;
mod traffic;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, civil::Date, fmt::strtime, tz::TimeZone};
use lastwords_record::Source;
use rand::{SeedableRng, rngs::StdRng};

use fleet::{Guest, Host, Hypervisor};
use story::{Incident, Story};

pub use fleet::TIME_ZONE;

/// One call of `lastwords import`.
#[derive(Debug, Clone)]
pub struct Import {
    /// `--host`.
    pub host: String,
    /// `--guest`.
    pub guest: Option<String>,
    /// `--source`.
    pub source: Source,
    /// `--time-zone`.
    pub time_zone: String,
    /// `--year`: of the first line.
    pub year: i16,
    /// What to import.
    pub file: PathBuf,
}

/// What was written, and what a right answer must say about it.
#[derive(Debug, Clone)]
pub struct Reconstruction {
    /// The files, each with the way to import it.
    pub imports: Vec<Import>,
    /// Who ran where: CSV for `lastwords placement import`.
    pub placement: PathBuf,
    /// Number of hosts.
    pub hosts: usize,
    /// Number of guests.
    pub guests: usize,
    /// Panics that were planted.
    pub panics: usize,
    /// Those of them within five minutes of a saturation on the same host.
    pub panics_near_saturation: usize,
    /// The first instant of the first day.
    pub start: Timestamp,
    /// The first instant after the last day.
    pub end: Timestamp,
}

/// Why a reconstruction could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReconstructionError {
    /// The days asked for are not in the calendar, or the zone is not in the time zone database.
    #[error("the demo's days cannot be laid out: {0}")]
    Calendar(#[from] jiff::Error),
    /// A file could not be written.
    #[error("the demo's files cannot be written to {folder}: {source}")]
    Write {
        /// Where to.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Writes the logs and counters of `days` whole days that end with `last_day` into `folder`.
///
/// # Errors
/// Where the days lie outside the calendar or a file cannot be written.
pub fn reconstruct(
    seed: u64,
    days: u32,
    last_day: Date,
    folder: &Path,
) -> Result<Reconstruction, ReconstructionError> {
    let hosts = fleet::fleet();
    let story = Story::tell(seed, days, last_day, &TimeZone::get(TIME_ZONE)?, &hosts)?;
    let (panics, panics_near_saturation) = story.truth(SignedDuration::from_mins(5));
    let mut reconstruction = Reconstruction {
        imports: Vec::new(),
        hosts: hosts.len(),
        guests: hosts.iter().map(|host| host.guests.len()).sum(),
        panics,
        panics_near_saturation,
        placement: folder.join("placement.csv"),
        start: story.start,
        end: story.end,
    };
    for (index, host) in hosts.iter().enumerate() {
        let zone = TimeZone::get(host.time_zone)?;
        let mut rng = StdRng::seed_from_u64(seed ^ (index as u64 + 1) << 32);
        let writing = HostFiles { host, zone, year: first_year(&story)?, folder: folder.join(&host.name) };
        writing
            .write(index, &story, &mut rng, &mut reconstruction.imports)
            .map_err(|source| ReconstructionError::Write { folder: writing.folder.clone(), source })?;
    }
    fs::write(&reconstruction.placement, placement(&hosts, &story))
        .map_err(|source| ReconstructionError::Write { folder: folder.to_owned(), source })?;
    Ok(reconstruction)
}

/// Who ran where, and what machines are like, as `lastwords placement import` takes it.
fn placement(hosts: &[Host], story: &Story) -> String {
    let mut text = "host,guest,start,rack,memory_mib,vcpus\n".to_owned();
    for host in hosts {
        text += &format!("{},,{},{},,\n", host.name, story.start, host.rack);
        for Guest { name, memory_mib, vcpus } in &host.guests {
            text += &format!("{},{name},{},,{memory_mib},{vcpus}\n", host.name, story.start);
        }
    }
    text
}

/// The year of the story's first line, for lines that don't say it.
fn first_year(story: &Story) -> Result<i16, jiff::Error> {
    Ok(story.start.to_zoned_datetime(TimeZone::get(TIME_ZONE)?).year())
}

/// The files of one host.
struct HostFiles<'a> {
    host: &'a Host,
    zone: TimeZone,
    year: i16,
    folder: PathBuf,
}

impl HostFiles<'_> {
    fn write(
        &self,
        index: usize,
        story: &Story,
        rng: &mut StdRng,
        imports: &mut Vec<Import>,
    ) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;

        let mut out = self.create("nic.jsonl", None, Source::Sample, imports)?;
        let saturations: Vec<_> = story.saturations.iter().filter(|one| one.host == index).copied().collect();
        traffic::write_counters(&mut out, story.start, story.end, &saturations, rng)?;
        out.flush()?;

        let guests: Vec<String> = self.host.guests.iter().map(|guest| guest.name.clone()).collect();
        let mut out = self.create("syslog", None, Source::File, imports)?;
        for (at, text) in background::host_lines(&self.host.name, &guests, story.start, story.end, rng) {
            writeln!(out, "{} {text}", self.local("%b %e %H:%M:%S", at)?)?;
        }
        out.flush()?;

        for (number, guest) in guests.iter().enumerate() {
            let incidents: Vec<Incident> = story
                .incidents
                .iter()
                .filter(|incident| incident.host == index && incident.guest == number)
                .copied()
                .collect();
            self.write_console(guest, &console::console(story.start, story.end, &incidents, rng), imports)?;
            if guest.starts_with("web") {
                let mut out =
                    self.create(&format!("{guest}-access.log"), Some(guest), Source::File, imports)?;
                for (at, (client, rest)) in background::access_lines(story.start, story.end, rng) {
                    writeln!(out, "{client} - - [{}] {rest}", self.local("%d/%b/%Y:%H:%M:%S %z", at)?)?;
                }
                out.flush()?;
            }
        }
        Ok(())
    }

    /// A guest's console, in the form that its hypervisor's tools leave behind.
    fn write_console(
        &self,
        guest: &str,
        lines: &[console::Line],
        imports: &mut Vec<Import>,
    ) -> io::Result<()> {
        match self.host.hypervisor {
            Hypervisor::Xen => {
                let name = format!("guest-{guest}.log");
                let mut out = self.create(&name, Some(guest), Source::Console, imports)?;
                for (at, text) in lines {
                    write!(out, "[{}] {text}\r\n", self.local("%Y-%m-%d %H:%M:%S", *at)?)?;
                }
                out.flush()
            }
            Hypervisor::Kvm => {
                let name = format!("netconsole-{guest}.log");
                let mut out = self.create(&name, Some(guest), Source::Netconsole, imports)?;
                for (at, text) in lines {
                    writeln!(out, "{} {guest} kernel: {text}", self.local("%Y-%m-%dT%H:%M:%S.%6f%:z", *at)?)?;
                }
                out.flush()
            }
        }
    }

    fn create(
        &self,
        name: &str,
        guest: Option<&str>,
        source: Source,
        imports: &mut Vec<Import>,
    ) -> io::Result<BufWriter<File>> {
        let file = self.folder.join(name);
        let out = BufWriter::new(File::create(&file)?);
        imports.push(Import {
            host: self.host.name.clone(),
            guest: guest.map(str::to_owned),
            source,
            time_zone: self.host.time_zone.to_owned(),
            year: self.year,
            file,
        });
        Ok(out)
    }

    fn local(&self, format: &str, at: Timestamp) -> io::Result<String> {
        strtime::format(format, &at.to_zoned_datetime(self.zone.clone())).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_files() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let day = jiff::civil::date(2026, 11, 20);
        let [first, second] = folders.each_ref().map(|folder| reconstruct(3, 2, day, folder.path()).unwrap());
        assert_eq!(first.imports.len(), second.imports.len());
        for (one, other) in first.imports.iter().zip(&second.imports) {
            assert_eq!(
                fs::read(&one.file).unwrap(),
                fs::read(&other.file).unwrap(),
                "{}",
                one.file.display()
            );
        }
    }
}
