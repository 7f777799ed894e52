//! One search of the whole text for the rules' literals; what has none is never looked at again.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};
use lastwords_record::{Severity, Source};

use crate::{
    events::{self, Found, Hit},
    kernel::line,
    rules::{self, Matched, Rule, RulesError},
    stems,
};

/// Bytes of a line that rules look at.
const LINE_BYTES_MAX: usize = 2048;

/// Bytes of all literals up to which the search within lines is a table: about 300 bytes for each.
const TABLE_LITERAL_BYTES_MAX: usize = 64 * 1024;

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
    /// The first search, of the whole text.
    quick: Vec<packed::Searcher>,
    /// The search within lines, and in place of the first where there are too many literals.
    exact: AhoCorasick,
    /// The rule of each literal of `exact`.
    rule_of: Vec<usize>,
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

    /// With the built-in rules and further ones, each text a rules file. Where a line fits several rules, further ones
    /// come before the built-in ones, and earlier ones before later ones.
    ///
    /// # Errors
    /// Where a text is no rules file or a rule cannot be used.
    pub fn with_rules(texts: &[&str]) -> Result<Self, RulesError> {
        let mut rules = read(texts)?;
        rules.extend(rules::built_in()?);
        Self::of(rules)
    }

    /// With these rules and no others, each text a rules file.
    ///
    /// # Errors
    /// As [`Detector::with_rules`].
    pub fn with_only(texts: &[&str]) -> Result<Self, RulesError> {
        Self::of(read(texts)?)
    }

    fn of(rules: Vec<Rule>) -> Result<Self, RulesError> {
        rules::names_are_unique(&rules)?;
        let mut literals = Vec::new();
        let mut rule_of = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            for literal in &rule.literals {
                literals.push(literal.as_str());
                rule_of.push(number);
            }
        }
        // A quarter of the instructions of the other kinds, for memory that grows with the literals.
        let is_small = literals.iter().map(|literal| literal.len()).sum::<usize>() <= TABLE_LITERAL_BYTES_MAX;
        let exact = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(is_small.then_some(AhoCorasickKind::DFA))
            .build(&literals)
            .map_err(|error| RulesError::Search(error.to_string()))?;
        let quick = stems::searchers(&rules);
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
                |rule, (title, function, captures), caller, of_kernel| {
                    hits.push(Hit {
                        record: row,
                        line,
                        start: line_start,
                        record_start: start,
                        record_end: end,
                        rule,
                        title,
                        function,
                        captures,
                        caller,
                        of_kernel,
                    });
                },
            );
            Some(line_end)
        });
        events::of_hits(&self.rules, text, &hits, out);
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
        mut hit: impl FnMut(usize, Matched, String, bool),
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
        let text = line::shown(raw);
        let parts = line::parts(&text);
        let own = line::behind_program(parts.text).trim_start();
        let of_kernel = parts.clock || !parts.caller.is_empty() || own.len() < parts.text.trim_start().len();
        for own in std::iter::once(own).chain(line::second_line(own)) {
            for number in &candidates {
                let Some(rule) = self.rules.get(*number) else { continue };
                if !rule.sources.is_empty() && !rule.sources.contains(&source()) {
                    continue;
                }
                if rule.kernel && !of_kernel && rule.blame.is_none() {
                    continue;
                }
                if let Some(matched) = rule.matches(own) {
                    hit(*number, matched, parts.caller.to_owned(), of_kernel);
                    return;
                }
            }
        }
    }
}

fn read(texts: &[&str]) -> Result<Vec<Rule>, RulesError> {
    let mut rules = Vec::new();
    for text in texts {
        rules.extend(rules::parse(text)?);
    }
    Ok(rules)
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
