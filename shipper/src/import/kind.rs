//! What a content is, by its first bytes. Pure.

/// What a content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines.
    Text,
    /// A tar archive.
    Archive,
    /// What `journalctl --output=export` writes.
    Export,
    /// A file of systemd's journal.
    Journal,
    /// Something else: what it is.
    Binary(&'static str),
}

/// Where a tar archive says that it is one.
const TAR_MAGIC_AT: usize = 257;
/// Beginnings of files that hold no lines.
const BINARY: [(&[u8], &str); 16] = [
    (b"\x7fELF", "a program or a core dump"),
    (b"PK\x03\x04", "a ZIP archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"\x1f\x9d", "compressed by compress(1): unpack it with gunzip"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"!<arch>\n", "a package or a library"),
    (b"KDUMP   ", "a memory dump: take the log out of it with `crash` or `vmcore-dmesg`"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xd4\xc3\xb2\xa1", "a recording of packets"),
    (b"\x0a\x0d\x0d\x0a", "a recording of packets"),
];
/// A run of NULs of this length is no sign of a binary file: a crash leaves such.
const NUL_RUN_MIN: usize = 8;
/// Of so many bytes one may be a control character.
const CONTROL_SHARE: usize = 10;

/// What a content is that begins so; a byte order mark makes it text.
pub(super) fn of_head(head: &[u8]) -> Kind {
    if head.get(TAR_MAGIC_AT..).is_some_and(|magic| magic.starts_with(b"ustar")) {
        return Kind::Archive;
    }
    if head.starts_with(b"LPKSHHRH") {
        return Kind::Journal;
    }
    if head.starts_with(b"__CURSOR=") || head.starts_with(b"__REALTIME_TIMESTAMP=") {
        return Kind::Export;
    }
    if let Some((_, what)) = BINARY.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Kind::Binary(what);
    }
    let is_utf16 =
        head.starts_with(b"\xff\xfe") && !head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\xfe\xff");
    if is_utf16 {
        return Kind::Text;
    }
    if is_text(head) { Kind::Text } else { Kind::Binary("no text: it has control characters throughout") }
}

fn is_text(head: &[u8]) -> bool {
    let (mut controls, mut others, mut nuls) = (0, 0, 0);
    for byte in head.iter().chain(b"\n") {
        if *byte == 0 {
            nuls += 1;
            continue;
        }
        controls += if nuls < NUL_RUN_MIN { nuls } else { 0 };
        nuls = 0;
        match byte {
            // Bell, backspace, tab, line feed, vertical tab, form feed, carriage return, escape: consoles have them.
            7..=13 | 27 | 32.. => others += 1,
            _ => controls += 1,
        }
    }
    controls * CONTROL_SHARE <= others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_told_by_their_beginnings() {
        let mut tar = vec![b'a'; 257];
        tar.extend(b"ustar  \0root");
        let hole = [&[0; 900][..], b"2026-11-20 text\n"].concat();
        let wtmp = [&[7, 0, 0, 0, 0x12, 3, 0, 0][..], b"pts/0", &[0; 27], b"ts/0root", &[0; 28], &[5, 1, 9]]
            .concat();
        for (head, expected) in [
            (&tar[..], Kind::Archive),
            (b"LPKSHHRH\0\0", Kind::Journal),
            (b"__CURSOR=s=1\n", Kind::Export),
            (b"\x7fELF\x02", Kind::Binary("a program or a core dump")),
            (b"Nov 20 15:02:11 hv01 kernel: x\n", Kind::Text),
            ("ü\u{1b}[31m ä\n".as_bytes(), Kind::Text),
            (b"\xff\xfeN\0o\0v\0", Kind::Text),
            (b"caf\xe9 in Latin 1\n", Kind::Text),
            (b"\0a single NUL of a console\n", Kind::Text),
            (&hole, Kind::Text),
            (&wtmp, Kind::Binary("no text: it has control characters throughout")),
            (b"", Kind::Text),
        ] {
            assert_eq!(of_head(head), expected, "{:?}", String::from_utf8_lossy(head));
        }
    }
}
