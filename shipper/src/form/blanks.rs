//! Runs of NULs: what a file system leaves where a crash has lost the end of a file, or a writer goes on at its old place
//! after a file was truncated. They are no text, and what stands on either side are lines of their own. Single NULs are a
//! program's own and stay.

/// NULs in a row that are a run.
const RUN_MIN: usize = 8;
const RUN: [u8; RUN_MIN] = [0; RUN_MIN];

/// Whether a text has a run.
pub(super) fn has_run(text: &[u8]) -> bool {
    memchr::memchr(0, text).is_some() && memchr::memmem::find(text, &RUN).is_some()
}

/// What stands between runs: where it begins and ends, and where the next may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub next: usize,
}

/// The pieces of a text, none of them empty.
pub(super) struct Pieces<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a [u8]) -> Pieces<'a> {
        Pieces { text, at: behind_run(text, 0) }
    }
}

/// Where a run that begins at a place ends; the place itself where there is none.
fn behind_run(text: &[u8], at: usize) -> usize {
    let nuls = text.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == 0).count();
    if nuls >= RUN_MIN { at + nuls } else { at }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let end = start + memchr::memmem::find(rest, &RUN).unwrap_or(rest.len());
        self.at = behind_run(self.text, end);
        Some(Piece { start, end, next: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parted_at_runs_and_single_nuls_stay() {
        for (text, expected) in [
            ("@@@@@@@@@line", vec!["line"]),
            ("half a@@@@@@@@next", vec!["half a", "next"]),
            ("a@b", vec!["a@b"]),
            ("a@@@@@@@b", vec!["a@@@@@@@b"]),
            ("a@@@@@@@@@@@@", vec!["a"]),
            ("@@@@@@@@@@", vec![]),
            ("", vec![]),
        ] {
            let bytes = text.replace('@', "\0").into_bytes();
            let found: Vec<String> = Pieces::new(&bytes)
                .map(|piece| String::from_utf8_lossy(&bytes[piece.start..piece.end]).replace('\0', "@"))
                .collect();
            assert_eq!(found, expected, "{text}");
            assert!(Pieces::new(&bytes).last().is_none_or(|last| last.next == bytes.len()), "{text}");
            assert_eq!(has_run(&bytes), text.contains("@@@@@@@@"), "{text}");
        }
    }
}
