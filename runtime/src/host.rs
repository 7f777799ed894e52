//! Who this machine is.

use std::{fs, io::Read as _, path::Path};

/// Where systemd keeps the machine-id.
const MACHINE_ID: &str = "/etc/machine-id";
/// A machine-id has 32 digits; what is far longer is none, and no more of it is read.
const MACHINE_ID_BYTES_MAX: u64 = 256;

/// The name that the kernel has.
#[must_use]
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What stands in `/etc/machine-id`, whatever it is; empty where there is none.
#[must_use]
pub fn machine_id() -> String {
    machine_id_in(Path::new(MACHINE_ID))
}

fn machine_id_in(path: &Path) -> String {
    let mut text = String::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(MACHINE_ID_BYTES_MAX).read_to_string(&mut text));
    if read.is_err() {
        return String::new();
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_id_is_read_without_its_line_end_and_within_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine-id");
        assert_eq!(machine_id_in(&path), "");
        for (text, found) in [
            ("0123456789abcdef0123456789abcdef\n", "0123456789abcdef0123456789abcdef"),
            ("uninitialized\n", "uninitialized"),
            ("", ""),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(machine_id_in(&path), found);
        }
        fs::write(&path, "x".repeat(1 << 20)).unwrap();
        assert_eq!(machine_id_in(&path).len(), 256);
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(machine_id_in(&path), "");
    }

    #[test]
    fn this_machine_has_a_name() {
        assert!(!name().is_empty());
    }
}
