//! Small file systems that fill up on demand.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};

/// The ballast is written in ever smaller pieces, so that nothing is left.
const CHUNKS: [usize; 3] = [1 << 20, 4 << 10, 1];

/// An ext4 on a loop device, mounted; unmounted when dropped.
pub struct Disk {
    mounted: PathBuf,
}

impl Disk {
    /// Makes and mounts a file system of so many bytes at `folder`, its image beside it.
    ///
    /// # Errors
    /// Where that is not allowed here: says what is needed.
    pub fn mount(folder: &Path, bytes: u64) -> anyhow::Result<Disk> {
        fs::create_dir_all(folder)?;
        let image = folder.with_extension("img");
        File::create(&image)?.set_len(bytes)?;
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(folder))?;
        let disk = Disk { mounted: folder.to_owned() };
        // Kafka takes every folder here for a partition's.
        fs::remove_dir(folder.join("lost+found"))?;
        Ok(disk)
    }

    /// Leaves no byte free.
    ///
    /// # Errors
    /// Where the ballast cannot be written at all.
    pub fn fill(&self) -> io::Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let zeroes = vec![0; CHUNKS[0]];
        for size in CHUNKS {
            loop {
                match ballast.write(&zeroes[..size]) {
                    Ok(1..) => {}
                    Ok(0) => break,
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.ballast())
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may not be gone in full.
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.mounted)) {
            eprintln!("faults: {} is still mounted: {error:#}", self.mounted.display());
        }
    }
}

/// Mounts them all, or none: where this is not allowed, full disks are left out, but never in CI.
///
/// # Errors
/// Where it is not allowed and CI=true.
pub fn mount_all(wanted: &[(PathBuf, u64)]) -> anyhow::Result<Vec<Disk>> {
    match wanted.iter().map(|(folder, bytes)| Disk::mount(folder, *bytes)).collect() {
        Ok(disks) => Ok(disks),
        Err(error) if std::env::var_os("CI").is_some_and(|ci| ci == "true") => {
            bail!(
                "small file systems cannot be mounted ({error:#}): full disks cannot be tried; run as root, with loop devices"
            )
        }
        Err(error) => {
            eprintln!(
                "faults: skipped: full disks, as small file systems cannot be mounted here ({error:#})"
            );
            Ok(Vec::new())
        }
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
