//! When the kernels started whose lines a file holds, for files whose lines have nothing but the kernel's clock: a pass
//! over the whole file before it is read, where its beginning shows that it is one.

use std::io;

use lastwords_record::{
    frame::{Lines, last_partial},
    limits::RECORD_BYTES_MAX,
    stamp::boots::{Boot, BootScan},
};

use super::content::Content;

/// Bytes at a file's beginning that show what it is: firmware and boot loaders write to consoles first.
const HEAD_BYTES: usize = 64 * 1024;
/// Files with more are dated as they are read: a pass over them would hold everything else up.
const SCAN_BYTES_MAX: u64 = 1 << 30;
const BUFFER_BYTES: usize = 1 << 20;

/// The boots of a file that was last written at `modified_ns`; none where its lines have other times.
///
/// # Errors
/// Where it cannot be read.
pub fn find(content: &mut Content, modified_ns: i64) -> io::Result<Vec<Boot>> {
    let mut head = vec![0; HEAD_BYTES];
    let length = content.read_at(0, &mut head)?;
    if !shows_clock(head.get(..length).unwrap_or_default()) {
        return Ok(Vec::new());
    }
    let mut scan = BootScan::new();
    let mut buffer = vec![0; BUFFER_BYTES + RECORD_BYTES_MAX];
    let (mut position, mut held) = (0_u64, 0);
    loop {
        let read =
            content.read_at(position, buffer.get_mut(held..held + BUFFER_BYTES).unwrap_or_default())?;
        position += read as u64;
        let bytes = buffer.get(..held + read).unwrap_or_default();
        let mut lines = Lines::new(bytes);
        lines.by_ref().for_each(|line| scan.push(line.text));
        let taken = lines.taken();
        if read == 0 {
            if let Some(text) = bytes.get(taken..).and_then(last_partial) {
                scan.push(text);
            }
            return Ok(scan.finish(modified_ns));
        }
        if position > SCAN_BYTES_MAX {
            return Ok(Vec::new());
        }
        // What is left is less than a record, since longer lines are cut.
        held = bytes.len() - taken;
        buffer.copy_within(taken..taken + held, 0);
    }
}

/// Whether a beginning has lines with the kernel's clock alone.
pub fn shows_clock(head: &[u8]) -> bool {
    let mut scan = BootScan::new();
    Lines::new(head).for_each(|line| scan.push(line.text));
    scan.has_clock()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn boots(text: &str) -> Vec<i64> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let boots = find(&mut Content::open(file).unwrap(), 1_000_000_000_000).unwrap();
        boots.iter().map(|boot| boot.start_ns / 1_000_000_000).collect()
    }

    #[test]
    fn a_console_is_read_to_its_end_for_its_boots() {
        // Longer than the buffer, with lines across its end.
        let boot = |lines: u32| {
            (0..lines)
                .map(|n| format!("[{:5}.000000] line {n} {}\r\n", n / 1_000, "x".repeat(60)))
                .collect::<String>()
        };
        let text = format!("SeaBIOS\r\n{}{}[  100.000000] cut", boot(50_000), boot(20_001));
        assert_eq!(boots(&text), [1_000 - 100 - 49, 900]);
        assert_eq!(boots("2026-11-20T15:02:11Z x\nno clock\n"), Vec::<i64>::new());
        assert_eq!(boots(""), Vec::<i64>::new());
    }
}
