//! The ways in which log files are rotated, as logrotate, programs and people do it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rand::{Rng, rngs::StdRng};

/// A way to rotate a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// `NAME` becomes `NAME.1`, and so on.
    Rename,
    /// It is copied to `NAME.1` and emptied.
    CopyTruncate,
    /// `NAME` becomes `NAME-20260001`.
    Date,
    /// As [`Means::Rename`]; the one before is gzipped.
    Gzip,
    /// As [`Means::CopyTruncate`]; the one before is compressed by zstd.
    Zstd,
    /// `NAME` becomes `old/NAME.1`.
    OldFolder,
    /// Another file with the same content takes its name, as rsync and editors do.
    Replace,
}

impl Means {
    const ALL: [Means; 7] = [
        Means::Rename,
        Means::CopyTruncate,
        Means::Date,
        Means::Gzip,
        Means::Zstd,
        Means::OldFolder,
        Means::Replace,
    ];

    /// One at random.
    pub fn choose(rng: &mut StdRng) -> Means {
        Means::ALL[rng.random_range(0..Means::ALL.len())]
    }

    /// Rotates a file; `count` is different every time, `generations` are kept.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn rotate(self, path: &Path, count: u64, generations: u32) -> io::Result<()> {
        match self {
            Means::Rename | Means::Gzip => {
                shift(path, generations)?;
                fs::rename(path, numbered(path, 1, ""))?;
            }
            Means::CopyTruncate | Means::Zstd => {
                shift(path, generations)?;
                fs::copy(path, numbered(path, 1, ""))?;
                fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
            }
            Means::Date => fs::rename(path, with_end(path, &format!("-{}", 20_260_000 + count)))?,
            Means::OldFolder => {
                let folder = path.with_file_name("old");
                fs::create_dir_all(&folder)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                fs::rename(path, folder.join(format!("{name}.{count}")))?;
            }
            Means::Replace => {
                let fresh = with_end(path, ".fresh");
                fs::copy(path, &fresh)?;
                fs::rename(fresh, path)?;
            }
        }
        match self {
            Means::Gzip => pack(path, ".gz", |bytes| {
                let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                io::Write::write_all(&mut packed, bytes)?;
                packed.finish()
            }),
            Means::Zstd => pack(path, ".zst", |bytes| zstd::encode_all(bytes, 1)),
            _ => Ok(()),
        }
    }
}

/// `.1` becomes `.2` and so on, packed ones, too.
fn shift(path: &Path, generations: u32) -> io::Result<()> {
    for generation in (1..generations).rev() {
        for end in ["", ".gz", ".zst"] {
            match fs::rename(numbered(path, generation, end), numbered(path, generation + 1, end)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Packs the generation before the latest, where there is one that is not packed yet.
fn pack(path: &Path, end: &str, packed: impl Fn(&[u8]) -> io::Result<Vec<u8>>) -> io::Result<()> {
    let plain = numbered(path, 2, "");
    let Ok(bytes) = fs::read(&plain) else { return Ok(()) };
    let growing = with_end(&plain, &format!("{end}.tmp"));
    fs::write(&growing, packed(&bytes)?)?;
    fs::rename(&growing, numbered(path, 2, end))?;
    fs::remove_file(plain)
}

fn numbered(path: &Path, generation: u32, end: &str) -> PathBuf {
    with_end(path, &format!(".{generation}{end}"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(end);
    text.into()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_way_keeps_every_byte() {
        let mut rng = StdRng::seed_from_u64(1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut written = 0;
        for count in 0..60 {
            fs::write(&path, format!("{:>9}\n", count)).unwrap();
            written += 10;
            let means = Means::choose(&mut rng);
            means.rotate(&path, count, 200).unwrap();
            if means == Means::Replace {
                fs::write(&path, "").unwrap();
                written -= 10;
            }
        }
        let mut found = 0;
        for entry in [folder.path().to_owned(), folder.path().join("old")]
            .iter()
            .flat_map(|at| fs::read_dir(at).unwrap())
        {
            let path = entry.unwrap().path();
            found += match path.extension().and_then(|end| end.to_str()) {
                _ if path.is_dir() => 0,
                Some("gz") => {
                    let mut bytes = Vec::new();
                    let packed = fs::read(&path).unwrap();
                    io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed), &mut bytes).unwrap();
                    bytes.len()
                }
                Some("zst") => zstd::decode_all(&*fs::read(&path).unwrap()).unwrap().len(),
                _ => fs::read(&path).unwrap().len(),
            };
        }
        assert_eq!(found, written);
    }
}
