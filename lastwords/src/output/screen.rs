//! Standard output and standard error. In a file or a pipe bytes stay as they are: they are data. On a terminal nothing
//! that stands in them may steer it: see [`lastwords_query::terminal`].

use std::io::{self, IsTerminal, Write};

use lastwords_query::terminal::{REPLACEMENT, steers};

use super::reader::printed;

/// The styles that this program uses itself: off, bold, faint, italic, and the colours of levels and plots.
const STYLES: &[&[u8]] = &[
    b"\x1b[0m",
    b"\x1b[1m",
    b"\x1b[2m",
    b"\x1b[3m",
    b"\x1b[31m",
    b"\x1b[32m",
    b"\x1b[33m",
    b"\x1b[34m",
    b"\x1b[35m",
    b"\x1b[36m",
];
/// The longest of them, and the longest character, less a byte.
const HELD_BYTES_MAX: usize = 4;
const ESCAPE: u8 = 0x1b;

/// What is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    /// Everything: there is no terminal.
    Everything,
    /// Text.
    Text,
    /// Text, and this program's own styles. Whoever writes has cleaned what comes from elsewhere.
    Styled,
}

/// Writes to what may be a terminal. Characters may be cut anywhere between two writes.
#[derive(Debug)]
pub struct Screen<W: Write> {
    to: W,
    passing: Passing,
    /// The beginning of a character or of a style whose rest has not come yet.
    held: Vec<u8>,
}

/// Standard output for text of any origin.
#[must_use]
pub fn stdout() -> Screen<io::StdoutLock<'static>> {
    Screen::new(io::stdout().lock(), Passing::Text)
}

/// Standard output for text with this program's styles in it.
#[must_use]
pub fn styled_stdout() -> Screen<io::StdoutLock<'static>> {
    Screen::new(io::stdout().lock(), Passing::Styled)
}

/// Standard error for text of any origin.
#[must_use]
pub fn stderr() -> Screen<io::Stderr> {
    Screen::new(io::stderr(), Passing::Text)
}

/// Standard error for logs, whose levels are coloured.
#[must_use]
pub fn styled_stderr() -> Screen<io::Stderr> {
    Screen::new(io::stderr(), Passing::Styled)
}

/// Says a line on standard output.
///
/// # Errors
/// Where it cannot be written, or its reader is gone.
pub fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    printed(writeln!(stdout(), "{text}"))
}

/// Says a line on standard error. That nobody listens there is no failure.
pub fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(stderr(), "{text}");
}

impl<W: Write + IsTerminal> Screen<W> {
    fn new(to: W, on_terminal: Passing) -> Screen<W> {
        let passing = if to.is_terminal() { on_terminal } else { Passing::Everything };
        Screen { to, passing, held: Vec::new() }
    }
}

impl<W: Write> Screen<W> {
    /// Lets through what may be; holds back what is not whole yet.
    fn clean(&mut self, bytes: &[u8]) -> Vec<u8> {
        let joined = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
        let mut out = Vec::with_capacity(joined.len() + 16);
        let mut rest = joined.as_slice();
        while !rest.is_empty() {
            match self.next(rest) {
                Next::Pass(length) => {
                    let (passed, further) = rest.split_at(length.min(rest.len()));
                    out.extend_from_slice(passed);
                    rest = further;
                }
                Next::Replace(length) => {
                    replace(&mut out);
                    rest = rest.get(length..).unwrap_or_default();
                }
                Next::Hold => {
                    self.held = rest.to_vec();
                    break;
                }
            }
        }
        out
    }

    fn next(&self, rest: &[u8]) -> Next {
        let plain = rest.iter().take_while(|&&byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')).count();
        if plain > 0 {
            return Next::Pass(plain);
        }
        if self.passing == Passing::Styled && rest.first() == Some(&ESCAPE) {
            if let Some(style) = STYLES.iter().find(|style| rest.starts_with(style)) {
                return Next::Pass(style.len());
            }
            if STYLES.iter().any(|style| style.starts_with(rest)) {
                return Next::Hold;
            }
        }
        character(rest.get(..HELD_BYTES_MAX).unwrap_or(rest))
    }
}

/// What becomes of the next bytes: so many of them pass, or are replaced, or more has to come first.
enum Next {
    Pass(usize),
    Replace(usize),
    Hold,
}

/// Judges the first character of at most four bytes.
fn character(bytes: &[u8]) -> Next {
    let (valid, wrong) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
            (valid.unwrap_or_default(), Some(error.error_len()))
        }
    };
    match (valid.chars().next(), wrong) {
        (Some(letter), _) if steers(letter) => Next::Replace(letter.len_utf8()),
        (Some(letter), _) => Next::Pass(letter.len_utf8()),
        (None, Some(None)) => Next::Hold,
        (None, Some(Some(length))) => Next::Replace(length),
        (None, None) => Next::Replace(1),
    }
}

fn replace(out: &mut Vec<u8>) {
    out.extend_from_slice(REPLACEMENT.encode_utf8(&mut [0; 4]).as_bytes());
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.passing == Passing::Everything {
            return self.to.write(bytes);
        }
        let cleaned = self.clean(bytes);
        self.to.write_all(&cleaned)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            let mut out = Vec::new();
            replace(&mut out);
            // Its beginning has been written by somebody who heard of errors.
            let _ = self.to.write_all(&out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written in pieces of `size` bytes.
    fn shown(passing: Passing, bytes: &[u8], size: usize) -> String {
        let mut out = Vec::new();
        let mut screen = Screen { to: &mut out, passing, held: Vec::new() };
        bytes.chunks(size).for_each(|piece| screen.write_all(piece).unwrap());
        screen.flush().unwrap();
        drop(screen);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_shows_text_however_it_is_cut_and_obeys_nothing() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain\ttext\nof two lines\n", "plain\ttext\nof two lines\n"),
            (b"\x1b[31mred\x1b[0m", "\u{fffd}[31mred\u{fffd}[0m"),
            (b"\x1b]52;c;cm0gLXJm\x07\x1b\\", "\u{fffd}]52;c;cm0gLXJm\u{fffd}\u{fffd}\\"),
            (b"a\rb\x08c\x7fd\0", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"),
            ("Größe │ 漢字 \u{1f4bb}".as_bytes(), "Größe │ 漢字 \u{1f4bb}"),
            ("\u{9b}2J\u{202e}x".as_bytes(), "\u{fffd}2J\u{fffd}x"),
            (b"\x9b2J\xff\xc3(", "\u{fffd}2J\u{fffd}\u{fffd}("),
            (b"cut \xe6\xbc", "cut \u{fffd}"),
            (b"", ""),
        ];
        for (bytes, expected) in cases {
            for size in 1..8 {
                assert_eq!(shown(Passing::Text, bytes, size), *expected, "{size}: {bytes:?}");
            }
        }
    }

    #[test]
    fn our_own_styles_pass_where_they_are_wanted_and_no_others() {
        let text = "\u{1b}[1mbold\u{1b}[0m \u{1b}[36m█\u{1b}[0m \u{1b}[8mhidden\u{1b}[2J\u{1b}[3";
        let expected = "\u{1b}[1mbold\u{1b}[0m \u{1b}[36m█\u{1b}[0m \u{fffd}[8mhidden\u{fffd}[2J\u{fffd}";
        for size in 1..8 {
            assert_eq!(shown(Passing::Styled, text.as_bytes(), size), expected, "{size}");
        }
        assert!(!shown(Passing::Text, text.as_bytes(), 3).contains('\u{1b}'));
    }

    #[test]
    fn a_pipe_gets_the_very_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        let mut screen = Screen { to: &mut out, passing: Passing::Everything, held: Vec::new() };
        bytes.chunks(7).for_each(|piece| screen.write_all(piece).unwrap());
        drop(screen);
        assert_eq!(out, bytes);
    }
}
