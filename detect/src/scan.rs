//! One search of the whole text for the rules' literals; what has none is never looked at again.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind, packed};
use lastwords_record::{Severity, Source};

use crate::{
    fingerprint,
    kernel::{line, report},
    rules::{self, Rule, RulesError},
};

/// Bytes of a line that rules look at.
const LINE_BYTES_MAX: usize = 2048;

/// Frames of a trace that an event carries.
const TRACE_FRAMES_MAX: usize = 64;

/// Lines behind a report's first one within which a detail belongs to it.
const DETAIL_LINES: u32 = 60;

/// Lines behind a report within which a panic is its consequence.
const CAUSE_LINES: u32 = 2000;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The record's row.
    pub record: u32,
    /// The first line within the record, from 0.
    pub line_start: u32,
    /// The last line, inclusive.
    pub line_end: u32,
    /// What kind of thing happened.
    pub class: Arc<str>,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, for people.
    pub title: String,
    /// The function to blame.
    pub function: Option<String>,
    /// Equal for equal events on different machines.
    pub fingerprint: u64,
    /// Kernel, taint, process, cpu, trace, and what the rule captures.
    pub attributes: Vec<(String, String)>,
    /// The index of the earlier event that led to this one.
    pub cause: Option<usize>,
    /// The rule that found it.
    pub rule: String,
}

/// An event in a raw log; lines count from 1, both ends inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFound {
    /// What kind of thing happened.
    pub class: String,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, for people.
    pub title: String,
    /// The function to blame.
    pub function: Option<String>,
    /// Equal for equal events on different machines.
    pub fingerprint: u64,
    /// Its first line.
    pub start_line: usize,
    /// Its last line.
    pub end_line: usize,
    /// Kernel, taint, process, cpu, trace, and what the rule captures.
    pub attributes: Vec<(String, String)>,
    /// The index of the earlier event that led to this one.
    pub cause: Option<usize>,
    /// The rule that found it.
    pub rule: String,
}

/// Finds events in text.
pub struct Detector {
    rules: Vec<Rule>,
    /// The first search, of the whole text: literals' beginnings, as many to a searcher as vectors can hold.
    quick: Vec<packed::Searcher>,
    /// The search within lines, and in place of the first where there are too many literals.
    exact: AhoCorasick,
    /// The rule of each literal of `exact`.
    rule_of: Vec<usize>,
}

/// A line that a rule found.
struct Hit {
    record: u32,
    line: u32,
    start: usize,
    record_end: usize,
    rule: usize,
    title: String,
    function: Option<String>,
    captures: Vec<(String, String)>,
    caller: String,
}

/// Bytes of a literal that the first search looks for: enough to be rare, and literals that begin alike are one.
const STEM_BYTES: usize = 9;
/// Patterns that one vector search holds.
const VECTOR_PATTERNS: usize = 64;

/// Searchers that find the beginning of every literal; none where this machine has no vectors for it.
fn quick(literals: &[&str]) -> Vec<packed::Searcher> {
    let mut stems: Vec<&[u8]> = literals
        .iter()
        .map(|literal| literal.as_bytes().get(..STEM_BYTES).unwrap_or(literal.as_bytes()))
        .collect();
    stems.sort_unstable();
    stems.dedup();
    let holds_another = |stem: &&[u8]| {
        stems.iter().any(|other| other.len() < stem.len() && memchr::memmem::find(stem, other).is_some())
    };
    let stems: Vec<&[u8]> = stems.iter().filter(|stem| !holds_another(stem)).copied().collect();
    let searchers: Option<Vec<_>> = stems.chunks(VECTOR_PATTERNS).map(packed::Searcher::new).collect();
    searchers.unwrap_or_default()
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Detector({} rules)", self.rules.len())
    }
}

impl Detector {
    /// With the rules that come with the program.
    #[expect(clippy::expect_used, reason = "the built-in rules are compiled by this crate's tests")]
    pub fn built_in() -> Self {
        Self::with_rules(&[]).expect("the built-in rules are right")
    }

    /// With the built-in rules and further ones, each text a rules file.
    ///
    /// # Errors
    /// Where a text is no rules file or a rule cannot be used.
    pub fn with_rules(texts: &[&str]) -> Result<Self, RulesError> {
        let mut rules = rules::built_in()?;
        for text in texts {
            rules.extend(rules::parse(text)?);
        }
        let mut literals = Vec::new();
        let mut rule_of = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            for literal in &rule.literals {
                literals.push(literal.as_str());
                rule_of.push(number);
            }
        }
        let exact = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&literals)
            .map_err(|error| RulesError::Search(error.to_string()))?;
        let quick = quick(&literals);
        Ok(Self { rules, quick, exact, rule_of })
    }

    /// The rules, in the order in which they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Appends the events of records that lie one behind the other in `text`, `ends` being where each ends.
    pub fn scan(&self, text: &[u8], ends: &[u32], source: impl Fn(u32) -> Source, out: &mut Vec<Found>) {
        let mut records = Records { ends, row: 0, start: 0, line: 0, counted: 0 };
        let mut hits = Vec::new();
        self.places(text, |at| {
            let (row, start, end) = records.at(at)?;
            let bytes = text.get(start..end)?;
            let within = at - start;
            let line_start =
                start + memchr::memrchr(b'\n', bytes.get(..within)?).map_or(0, |place| place + 1);
            let line_end = at + memchr::memchr(b'\n', text.get(at..end)?).unwrap_or(end - at);
            let line = records.line_of(text, line_start);
            self.line(
                text.get(line_start..line_end)?,
                || source(row),
                |rule, title, function, captures, caller| {
                    hits.push(Hit {
                        record: row,
                        line,
                        start: line_start,
                        record_end: end,
                        rule,
                        title,
                        function,
                        captures,
                        caller,
                    });
                },
            );
            Some(line_end)
        });
        self.events(text, &hits, out);
    }

    /// The events of a raw log; `info` only where `all` are wanted.
    pub fn scan_log(&self, text: &[u8], all: bool) -> Vec<LogFound> {
        let Ok(end) = u32::try_from(text.len()) else {
            // Offsets are 32 bits wide: a larger log goes through in pieces, cut at a line's end.
            let half = text.len() / 2;
            let cut = memchr::memchr(b'\n', text.get(half..).unwrap_or_default())
                .map_or(text.len() - 1, |at| half + at)
                + 1;
            let (left, right) = text.split_at(cut.min(text.len()));
            let mut found = self.scan_log(left, all);
            let (lines, events) = (memchr::memchr_iter(b'\n', left).count(), found.len());
            found.extend(self.scan_log(right, all).into_iter().map(|mut event| {
                event.start_line += lines;
                event.end_line += lines;
                event.cause = event.cause.map(|cause| cause + events);
                event
            }));
            return found;
        };
        let mut found = Vec::new();
        self.scan(text, &[end], |_| Source::File, &mut found);
        let kept: Vec<bool> = found.iter().map(|event| all || event.severity != Severity::Info).collect();
        // How many are kept before each.
        let places: Vec<usize> = kept
            .iter()
            .scan(0, |count, kept| {
                let place = *count;
                *count += usize::from(*kept);
                Some(place)
            })
            .collect();
        let mut events = Vec::new();
        for (index, event) in found.iter().enumerate() {
            if kept.get(index) == Some(&true) {
                events.push(LogFound {
                    class: event.class.to_string(),
                    severity: event.severity,
                    title: event.title.clone(),
                    function: event.function.clone(),
                    fingerprint: event.fingerprint,
                    start_line: event.line_start as usize + 1,
                    end_line: event.line_end as usize + 1,
                    attributes: event.attributes.clone(),
                    cause: event
                        .cause
                        .filter(|cause| kept.get(*cause) == Some(&true))
                        .and_then(|cause| places.get(cause).copied()),
                    rule: event.rule.clone(),
                });
            }
        }
        events
    }

    /// Calls for each place with a literal; the answer is where to go on.
    fn places(&self, text: &[u8], mut each: impl FnMut(usize) -> Option<usize>) {
        // Where each searcher has found something next; it searches again only when that has been passed.
        let mut next: Vec<Option<usize>> = vec![Some(0); self.quick.len()];
        let mut searched = vec![false; self.quick.len()];
        let mut from = 0;
        while from < text.len() {
            let found = if self.quick.is_empty() {
                self.exact
                    .find(aho_corasick::Input::new(text).span(from..text.len()))
                    .map(|found| found.start())
            } else {
                for ((searcher, next), searched) in self.quick.iter().zip(&mut next).zip(&mut searched) {
                    if !*searched || next.is_some_and(|at| at < from) {
                        *searched = true;
                        *next = searcher.find_in(text, (from..text.len()).into()).map(|found| found.start());
                    }
                }
                next.iter().flatten().min().copied()
            };
            let Some(at) = found else { return };
            from = each(at).unwrap_or(at + 1).max(at + 1);
        }
    }

    /// Tries the rules whose literals a line has; the first that fits is its event.
    fn line(
        &self,
        raw: &[u8],
        source: impl Fn() -> Source,
        mut hit: impl FnMut(usize, String, Option<String>, Vec<(String, String)>, String),
    ) {
        let raw = raw.get(..raw.len().min(LINE_BYTES_MAX)).unwrap_or(raw);
        let mut candidates: Vec<usize> = self
            .exact
            .find_overlapping_iter(raw)
            .filter_map(|found| self.rule_of.get(found.pattern().as_usize()).copied())
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        if candidates.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(raw);
        let parts = line::parts(&text);
        let own = line::behind_program(parts.text).trim_start();
        for number in candidates {
            let Some(rule) = self.rules.get(number) else { continue };
            if !rule.sources.is_empty() && !rule.sources.contains(&source()) {
                continue;
            }
            if rule.except.as_ref().is_some_and(|except| except.is_match(own)) {
                continue;
            }
            let mut captures = Vec::new();
            if let Some(pattern) = &rule.pattern {
                let Some(found) = pattern.captures(own) else { continue };
                for name in pattern.capture_names().flatten() {
                    if let Some(value) = found.name(name) {
                        captures.push((name.to_owned(), value.as_str().to_owned()));
                    }
                }
            }
            let title = captures.iter().fold(rule.title.clone(), |title, (name, value)| {
                title.replace(&format!("{{{name}}}"), value)
            });
            let function =
                captures.iter().find(|(name, _)| name == "function").map(|(_, value)| value.clone());
            captures.retain(|(name, _)| name != "function");
            hit(number, title, function, captures, parts.caller.to_owned());
            return;
        }
    }

    /// Makes events of lines: reads what stands behind a report's first one, leaves out its details, links panics.
    fn events(&self, text: &[u8], hits: &[Hit], out: &mut Vec<Found>) {
        // The last report: its record, first line, caller, place among the events.
        let mut last: Option<(u32, u32, &str, usize)> = None;
        for (number, hit) in hits.iter().enumerate() {
            let Some(rule) = self.rules.get(hit.rule) else { continue };
            let near = |lines: u32| {
                last.filter(|(record, line, _, _)| *record == hit.record && hit.line - *line <= lines)
            };
            if rule.detail
                && near(DETAIL_LINES).is_some_and(|(_, _, caller, _)| {
                    caller.is_empty() || hit.caller.is_empty() || caller == hit.caller
                })
            {
                continue;
            }
            let mut found = Found {
                record: hit.record,
                line_start: hit.line,
                line_end: hit.line,
                class: Arc::clone(&rule.class),
                severity: rule.severity,
                title: hit.title.clone(),
                function: hit.function.clone(),
                fingerprint: 0,
                attributes: hit.captures.clone(),
                cause: None,
                rule: rule.id.clone(),
            };
            let mut frames = Vec::new();
            if let Some(blame) = rule.blame {
                let is_panic = &*rule.class == "kernel.panic" || &*rule.class == "xen.panic";
                let next = |report_only: bool| {
                    hits.iter().skip(number + 1).take(64).find(|next| {
                        let rule = self.rules.get(next.rule);
                        rule.is_some_and(|rule| {
                            rule.blame.is_some()
                                && !rule.detail
                                && (!report_only || &*rule.class != "kernel.panic")
                        })
                    })
                };
                let until = |next: Option<&Hit>| {
                    next.filter(|next| next.record == hit.record).map_or(hit.record_end, |next| next.start)
                };
                let read = |end: usize| {
                    report::read(Lines { rest: text.get(hit.start..end).unwrap_or_default() }, blame)
                };
                let mut report = read(until(next(false)));
                if !is_panic
                    && report.frames.is_empty()
                    && report.pointer.is_none()
                    && report.locks.is_empty()
                {
                    // An old kernel's warning that panics prints its trace behind the panic.
                    let lines = report.lines;
                    report = read(until(next(true)));
                    report.lines = lines;
                }
                found.function = report.blamed(blame, hit.function.as_deref());
                found.line_end = hit.line + u32::try_from(report.lines.saturating_sub(1)).unwrap_or(0);
                if let Some(function) = &found.function
                    && !found.title.contains(function.as_str())
                {
                    found.title = format!("{} in {function}", found.title);
                }
                frames = report
                    .frames
                    .iter()
                    .filter(|frame| !crate::kernel::blame::is_machinery(frame))
                    .cloned()
                    .collect();
                found.attributes.extend(report.attributes);
                if !report.frames.is_empty() {
                    found.attributes.push((
                        "trace".to_owned(),
                        report
                            .frames
                            .get(..report.frames.len().min(TRACE_FRAMES_MAX))
                            .unwrap_or_default()
                            .join("\n"),
                    ));
                }
                if is_panic {
                    found.cause = near(CAUSE_LINES).map(|(_, _, _, place)| place);
                }
                last = Some((hit.record, hit.line, &hit.caller, out.len()));
            }
            let of_function: Vec<String> = found.function.iter().cloned().chain(frames).collect();
            found.fingerprint = fingerprint::of(&found.class, &rule.title, &of_function);
            out.push(found);
        }
    }
}

/// Which record and which line a place is in; places only grow.
struct Records<'a> {
    ends: &'a [u32],
    row: usize,
    start: usize,
    line: u32,
    counted: usize,
}

impl Records<'_> {
    fn at(&mut self, at: usize) -> Option<(u32, usize, usize)> {
        while let Some(end) = self.ends.get(self.row) {
            let end = *end as usize;
            if at < end {
                return Some((u32::try_from(self.row).ok()?, self.start, end));
            }
            self.start = end;
            self.counted = end;
            self.line = 0;
            self.row += 1;
        }
        None
    }

    /// The number within its record of the line that starts there.
    fn line_of(&mut self, text: &[u8], line_start: usize) -> u32 {
        let new = memchr::memchr_iter(b'\n', text.get(self.counted..line_start).unwrap_or_default()).count();
        self.counted = line_start.max(self.counted);
        self.line = self.line.saturating_add(u32::try_from(new).unwrap_or(u32::MAX));
        self.line
    }
}

/// Lines without their ends.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(line)
    }
}
