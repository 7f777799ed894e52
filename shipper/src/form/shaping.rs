//! What is done to lines before they are records: some are left out, something in them is made unreadable, several are
//! joined. What is done stands in the plan, so that a batch that is formed again comes out alike.

use std::{borrow::Cow, sync::Arc};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// What takes the place of what is made unreadable.
const REDACTED: &[u8] = b"[redacted]";
/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The rules as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shaping {
    /// Lines in which one of these is found are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// What matches one of these is made unreadable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// How lines that belong together are known: a preset, or a pattern of a record's first line; empty: each line is a
    /// record, kernel crashes aside.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub multiline: String,
}

/// Presets: patterns of the lines that go on with a record.
const PRESETS: [(&str, &str); 4] = [
    (
        "java",
        r"^(?:\s+at |\s+\.\.\. \d+ (?:more|common)|\s*Caused by: |\s*Suppressed: |\s*at [\w.$]+\(|[\w$]+(?:\.[\w$]+)+(?:Exception|Error)\b)",
    ),
    (
        "python",
        r"^(?:\s+\S|Traceback \(most recent call last\)|During handling of the above|The above exception was|[\w.]*(?:Error|Exception|Warning|Interrupt|Exit|StopIteration)(?::|$)|\s*$)",
    ),
    (
        "go",
        r"^(?:\s|goroutine \d+ |\[signal |created by |exit status \d|[\w./@-]+\.(?:\(\*?\w+\)\.)?[\w.\[\]]+\(.*\)$|main\.|runtime\.|\s*$)",
    ),
    ("coredump", r"^(?:\s*$|\s+|Stack trace of thread |#\d+ |ELF object binary architecture|Module )"),
];

impl Shaping {
    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        *self == Shaping::default()
    }

    /// Compiles the patterns.
    ///
    /// # Errors
    /// Which one is no pattern, and why.
    pub fn compile(&self) -> Result<Shaper, ShapingError> {
        let each = |key: &'static str, texts: &[String]| {
            texts.iter().map(|text| pattern(key, text)).collect::<Result<Vec<_>, _>>()
        };
        let joined = match PRESETS.iter().find(|(name, _)| *name == self.multiline) {
            _ if self.multiline.is_empty() => None,
            Some((_, continues)) => Some(Joined::Continues(pattern("multiline", continues)?)),
            None => Some(Joined::Begins(pattern("multiline", &self.multiline)?)),
        };
        Ok(Shaper { drop: each("drop", &self.drop)?, redact: each("redact", &self.redact)?, joined })
    }
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted a regular expression, found {text:?}: {why}")]
pub struct ShapingError {
    /// Whose.
    pub key: &'static str,
    /// The text.
    pub text: String,
    /// Why not.
    pub why: String,
}

fn pattern(key: &'static str, text: &str) -> Result<Regex, ShapingError> {
    let built =
        RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|error| ShapingError { key, text: text.to_owned(), why: error.to_string() })
}

/// The rules, compiled.
#[derive(Debug, Clone)]
pub struct Shaper {
    drop: Vec<Regex>,
    redact: Vec<Regex>,
    joined: Option<Joined>,
}

#[derive(Debug, Clone)]
enum Joined {
    /// A line that matches goes on with the record before.
    Continues(Regex),
    /// A line that matches begins a record.
    Begins(Regex),
}

impl Shaper {
    /// Of a plan's rules, which were checked when they were configured; what is no pattern any more does nothing.
    pub fn of(shaping: &Shaping) -> Option<Arc<Shaper>> {
        let shaper = (!shaping.is_empty()).then(|| shaping.compile())?;
        shaper.inspect_err(|error| tracing::error!(%error, "a rule for lines is left out")).ok().map(Arc::new)
    }

    /// Whether a record is left out whose text this is.
    pub(super) fn drops(&self, text: &[u8]) -> bool {
        self.drop.iter().any(|pattern| pattern.is_match(text))
    }

    /// The text with everything made unreadable that has to be.
    pub(super) fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.redact.iter().fold(Cow::Borrowed(text), |text, pattern| {
            match pattern.replace_all(&text, regex::bytes::NoExpand(REDACTED)) {
                Cow::Borrowed(_) => text,
                Cow::Owned(redacted) => Cow::Owned(redacted),
            }
        })
    }

    /// Whether a line begins a record; none: each line is one.
    pub(super) fn begins(&self, line: &[u8]) -> Option<bool> {
        match self.joined.as_ref()? {
            Joined::Continues(pattern) => Some(!pattern.is_match(line)),
            Joined::Begins(pattern) => Some(pattern.is_match(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(multiline: &str, text: &str) -> Vec<usize> {
        let shaper = Shaping { multiline: multiline.to_owned(), ..Shaping::default() }.compile().unwrap();
        let mut records: Vec<usize> = Vec::new();
        for line in text.lines() {
            match (shaper.begins(line.as_bytes()), records.last_mut()) {
                (Some(false), Some(last)) => *last += 1,
                _ => records.push(1),
            }
        }
        records
    }

    #[test]
    fn presets_know_what_goes_on_with_a_record() {
        for (preset, text, expected) in [
            (
                "java",
                "2026-11-20 ERROR failed\njava.lang.IllegalStateException: x\n\tat a.B.c(D.java:1)\nCaused by: java.io.IOException: y\n\t... 3 more\n2026-11-20 INFO next",
                vec![5, 1],
            ),
            (
                "python",
                "ERROR:root:x\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f()\nValueError: y\nINFO:root:next",
                vec![5, 1],
            ),
            (
                "go",
                "panic: runtime error\n\ngoroutine 1 [running]:\nmain.main()\n\t/a/main.go:7 +0x1d\nexit status 2\n2026/11/20 next",
                vec![6, 1],
            ),
            (
                "coredump",
                "Process 7 (x) of user 0 dumped core.\n\nStack trace of thread 7:\n#0  0x00007f n/a (x + 0x1)\nELF object binary architecture: AMD x86-64\nnext",
                vec![5, 1],
            ),
            (r"^\d{4}-", "2026-11-20 one\ntwo\nthree\n2026-11-20 four", vec![3, 1]),
        ] {
            assert_eq!(records(preset, text), expected, "{preset}");
        }
    }

    #[test]
    fn what_is_to_be_unreadable_is_so_everywhere() {
        let shaping = Shaping {
            drop: vec!["DEBUG".to_owned()],
            redact: vec![r"password=\S+".to_owned(), r"\b\d{16}\b".to_owned()],
            ..Shaping::default()
        };
        let shaper = shaping.compile().unwrap();
        assert!(shaper.drops(b"a DEBUG line") && !shaper.drops(b"an INFO line"));
        let redacted = shaper.redact(b"password=$1x card 1234567890123456 password=y");
        assert_eq!(redacted, &b"[redacted] card [redacted] [redacted]"[..]);
        let error = Shaping { redact: vec!["(".to_owned()], ..Shaping::default() }.compile().unwrap_err();
        assert_eq!((error.key, error.text.as_str()), ("redact", "("));
    }
}
