//! One search of the whole text for the rules' literals; what has none is never looked at again.

use lastwords_record::{Severity, Source, envelope};

use crate::{
    events,
    found::{Found, Hit},
    kernel::line,
    provenance::Provenance,
    rules::{self, Matched, Rule, RulesError},
    search::{Occurrence, Search},
    second::Second,
    speaker::{self, Speaker},
};

/// Bytes of a line that rules look at.
const LINE_BYTES_MAX: usize = 2048;

/// Bytes of a line in which a literal is looked for: other fields may stand in front of a message.
const ENVELOPE_BYTES_MAX: usize = 16 * 1024;

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
    /// The search of the whole text.
    search: Search,
    /// The rule of each literal of `search`.
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
        let search = Search::new(literals).map_err(RulesError::Search)?;
        Ok(Self { rules, search, rule_of })
    }

    /// The rules, in the order in which they are tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Appends the events of records that lie one behind the other in `text`, `ends` being where each ends.
    pub fn scan<'p>(
        &self,
        text: &[u8],
        ends: &[u32],
        provenance: impl Fn(u32) -> Provenance<'p>,
        out: &mut Vec<Found>,
    ) {
        let mut records = Records { ends, row: 0, start: 0, line: 0, counted: 0 };
        let mut hits = Vec::new();
        let mut line: Option<FoundLine> = None;
        for occurrence in self.search.occurrences(text) {
            let is_of_line = |line: &FoundLine| occurrence.place < line.end;
            if !line.as_ref().is_some_and(is_of_line) {
                self.hits(line.take(), text, &provenance, &mut hits);
                line = records.line_at(text, &occurrence);
            }
            if let Some(line) = &mut line {
                line.take(&occurrence, self.rule_of.get(occurrence.literal).copied());
            }
        }
        self.hits(line, text, &provenance, &mut hits);
        events::of_hits(&self.rules, text, &hits, out);
    }

    /// What the rules make of a line that has some of their literals.
    fn hits<'p>(
        &self,
        line: Option<FoundLine>,
        text: &[u8],
        provenance: &impl Fn(u32) -> Provenance<'p>,
        hits: &mut Vec<Hit>,
    ) {
        let Some(mut line) = line.filter(|line| !line.candidates.is_empty()) else { return };
        line.candidates.sort_unstable();
        line.candidates.dedup();
        let raw = text.get(line.start..line.end).unwrap_or_default();
        let provenance = provenance(line.record);
        self.line(raw, &line.candidates, &provenance, |rule, (title, function, captures), spoken| {
            hits.push(Hit {
                record: line.record,
                line: line.number,
                start: line.start,
                record_start: line.record_start,
                record_end: line.record_end,
                rule,
                title,
                function,
                captures,
                caller: spoken.caller.to_owned(),
                of_kernel: spoken.of_kernel,
                stream: provenance.stream,
                second: Second::of(raw, &provenance),
            });
        });
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
        self.scan(text, &[end], |_| Provenance::of(Source::File), &mut found);
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

    /// Tries the rules whose literals a line has; the first that fits is its event. What stands in an envelope is
    /// looked at without it first.
    fn line(
        &self,
        raw: &[u8],
        candidates: &[usize],
        provenance: &Provenance<'_>,
        mut hit: impl FnMut(usize, Matched, &speaker::Line<'_>),
    ) {
        let opened = envelope::open(raw);
        if *opened.text != *raw {
            let named = std::str::from_utf8(opened.program).unwrap_or_default();
            let program = if named.is_empty() { provenance.program } else { named };
            let provenance = Provenance { program, ..*provenance };
            for inner in opened.text.split(|byte| *byte == b'\n') {
                let inner = inner.get(..inner.len().min(LINE_BYTES_MAX)).unwrap_or(inner);
                let mut candidates: Vec<usize> = self
                    .search
                    .occurrences(inner)
                    .filter_map(|occurrence| self.rule_of.get(occurrence.literal).copied())
                    .collect();
                candidates.sort_unstable();
                candidates.dedup();
                if self.text(inner, &candidates, &provenance, &mut hit) {
                    return;
                }
            }
        }
        self.text(raw, candidates, provenance, &mut hit);
    }

    /// The same for a text without an envelope; whether there was an event.
    fn text(
        &self,
        raw: &[u8],
        candidates: &[usize],
        provenance: &Provenance<'_>,
        hit: &mut impl FnMut(usize, Matched, &speaker::Line<'_>),
    ) -> bool {
        let raw = raw.get(..raw.len().min(LINE_BYTES_MAX)).unwrap_or(raw);
        let text = line::shown(raw);
        let mut spoken = speaker::line(&text, provenance.source, provenance.program);
        spoken.of_kernel |= spoken.speaker == Speaker::Kernel;
        if candidates.is_empty() {
            return false;
        }
        let mut try_all = |second: Option<&str>| {
            for number in candidates {
                let Some(rule) = self.rules.get(*number).filter(|rule| may_be(rule, &spoken, provenance))
                else {
                    continue;
                };
                let said = match second {
                    Some(second) => Some(second),
                    None if rule.programs.is_empty() => Some(spoken.own),
                    None => spoken.said_by(&rule.programs),
                };
                let Some(matched) = said.and_then(|said| rule.matches(said)) else { continue };
                if spoken.is_quote() {
                    return true;
                }
                if rule.programs.is_empty() && spoken.is_repeated() {
                    continue;
                }
                hit(*number, matched, &spoken);
                return true;
            }
            false
        };
        if try_all(None) {
            return true;
        }
        let of_program = matches!(spoken.speaker, Speaker::Program(_));
        [line::second_line(spoken.own), line::behind_prompt(spoken.own), line::last_shown(spoken.own)]
            .into_iter()
            .flatten()
            .any(|second| !of_program && try_all(Some(second)))
    }
}

/// Whether a rule may speak of a line that it was read so.
fn may_be(rule: &Rule, spoken: &speaker::Line<'_>, provenance: &Provenance<'_>) -> bool {
    (rule.sources.is_empty() || rule.sources.contains(&provenance.source))
        && (!rule.kernel || spoken.of_kernel || rule.blame.is_some())
}

fn read(texts: &[&str]) -> Result<Vec<Rule>, RulesError> {
    let mut rules = Vec::new();
    for text in texts {
        rules.extend(rules::parse(text)?);
    }
    Ok(rules)
}

/// A line in which literals were found.
struct FoundLine {
    record: u32,
    record_start: usize,
    record_end: usize,
    /// Within its record, from 0.
    number: u32,
    start: usize,
    end: usize,
    /// Rules whose literals it has.
    candidates: Vec<usize>,
}

impl FoundLine {
    /// Takes a literal's rule, where the whole literal is in the part of the line that is looked at.
    fn take(&mut self, found: &Occurrence, rule: Option<usize>) {
        if found.start >= self.start && found.end <= self.end.min(self.start + ENVELOPE_BYTES_MAX) {
            self.candidates.extend(rule);
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
    /// The line in which an occurrence was seen.
    fn line_at(&mut self, text: &[u8], found: &Occurrence) -> Option<FoundLine> {
        let place = found.place;
        let (record, start, end) = self.at(place)?;
        let line_start = start + memchr::memrchr(b'\n', text.get(start..place)?).map_or(0, |end| end + 1);
        let line_end = place + memchr::memchr(b'\n', text.get(place..end)?).unwrap_or(end - place);
        Some(FoundLine {
            record,
            record_start: start,
            record_end: end,
            number: self.line_of(text, line_start),
            start: line_start,
            end: line_end,
            candidates: Vec::new(),
        })
    }

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
