//! Log files that grow and rotate, line by line known.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::{self, Write as _},
    path::PathBuf,
};

use rand::{Rng, rngs::StdRng};

use super::rotation::Means;

/// Files of one folder that grow.
pub struct Growing {
    /// Where they are.
    pub folder: PathBuf,
    /// Their names, without `.log`; no two files of a run have the same.
    pub names: Vec<String>,
    /// How many rotated files are kept of each.
    pub generations: u32,
    /// How often a file is rotated after it grew.
    pub rotation: f64,
    /// Fewer lines than this are appended at once.
    pub lines_max: u64,
    /// How often files were rotated.
    pub rotations: u64,
}

impl Growing {
    /// Appends lines to a random file; now and then rotates it, by any of the ways that there are.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn grow(&mut self, rng: &mut StdRng, written: &mut Written) -> io::Result<()> {
        let name = self.names[rng.random_range(0..self.names.len())].clone();
        let count = rng.random_range(1..self.lines_max);
        self.append(&name, count, rng, written)?;
        if rng.random_bool(self.rotation) {
            self.rotate(&name, rng)?;
        }
        Ok(())
    }

    /// Appends so many lines to a file.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn append(&self, name: &str, count: u64, rng: &mut StdRng, written: &mut Written) -> io::Result<()> {
        let number = written.0.entry(name.to_owned()).or_default();
        let mut text = String::new();
        for _ in 0..count {
            text.push_str(&line(name, *number));
            text.push('\n');
            *number += 1;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name))?;
        // In two writes, so that partial last lines are met.
        let (first, second) = text.as_bytes().split_at(rng.random_range(0..text.len()));
        file.write_all(first)?;
        file.write_all(second)
    }

    fn rotate(&mut self, name: &str, rng: &mut StdRng) -> io::Result<()> {
        let path = self.path(name);
        if path.exists() {
            Means::choose(rng).rotate(&path, self.rotations, self.generations)?;
            self.rotations += 1;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

/// How many lines were written, per name.
#[derive(Debug, Default)]
pub struct Written(pub HashMap<String, u64>);

impl Written {
    /// Of all files.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A line that says which one it is.
pub fn line(name: &str, number: u64) -> String {
    format!(
        "lab {name} {number} the quick brown fox of test line {:x}",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    )
}

/// The file and the number of a line, if somebody wrote it.
pub fn parse(body: &str) -> Option<(&str, u64)> {
    let mut words = body.split(' ').skip(1);
    let (name, number) = (words.next()?, words.next()?.parse().ok()?);
    (body == line(name, number)).then_some((name, number))
}
