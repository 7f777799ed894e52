//! Where a record comes from, as far as rules ask.

use lastwords_record::Source;

/// What is known about a record beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// Where it was read.
    pub source: Source,
    /// The program that wrote it; empty: unknown.
    pub program: &'a str,
    /// Records with the same number come from the same log.
    pub stream: u32,
    /// Its time, UTC nanoseconds, where it is known.
    pub time_ns: Option<i64>,
}

impl Provenance<'_> {
    /// Of a record of which nothing but the kind of its source is known.
    pub fn of(source: Source) -> Self {
        Self { source, program: "", stream: 0, time_ns: None }
    }
}
