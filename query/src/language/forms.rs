//! The forms of questions: one pass over the pieces of one.

use super::{
    asker::Asker,
    calendar::time_of_day,
    error::SyntaxError,
    lexer::{Piece, Token, tokens},
    moment,
    parser::{BEFORE_PLACE, Parser},
    question::{
        Bounds, CONDITIONS_MAX, Change, Distinguishes, Grouping, MachineKind, Matches, Messages, Place,
        Precedes, QUESTION_BYTES_MAX, Question, Scope, Set, Silent,
    },
    request::Request,
    spelling::mend,
    vocabulary::Vocabulary,
};

/// D of `what precedes` where none is said: 15 minutes.
const PRECEDES_NS: i64 = 900_000_000_000;
/// How long a machine is silent that is asked for without a length of time: an hour.
const SILENT_NS: i64 = 3_600_000_000_000;

/// A question, and how it was read where that may not be plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    /// The question.
    pub question: Question,
    /// What was taken for what, each a sentence.
    pub notes: Vec<String>,
}

/// Reads a question.
///
/// # Errors
/// Where it cannot be understood; the error knows the word.
pub fn parse(question: &str, vocabulary: &Vocabulary, asker: &Asker) -> Result<Question, SyntaxError> {
    understand(question, vocabulary, asker).map(|understood| understood.question)
}

/// Reads a question, and says how.
///
/// # Errors
/// As [`parse`].
pub fn understand(question: &str, vocabulary: &Vocabulary, asker: &Asker) -> Result<Understood, SyntaxError> {
    if question.len() > QUESTION_BYTES_MAX {
        let message =
            format!("A question has at most {QUESTION_BYTES_MAX} bytes; this one has {}.", question.len());
        return Err(SyntaxError::new("", 0..0, message));
    }
    let mut tokens = tokens(question)?;
    let notes = mend(&mut tokens, question, vocabulary);
    let mut parser = Parser { question, tokens: &tokens, at: 0, vocabulary, asker, notes };
    let question = parser.question()?;
    let mut notes = parser.notes;
    notes.dedup();
    Ok(Understood { question, notes })
}

/// Reads where and when alone, as every question ends with it: `on host hv01 since 7 days ago`.
///
/// # Errors
/// As [`parse`].
pub fn bounds(text: &str, vocabulary: &Vocabulary, asker: &Asker) -> Result<Bounds, SyntaxError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { question: text, tokens: &tokens, at: 0, vocabulary, asker, notes: Vec::new() };
    Ok(parser.clauses(Form::Other)?.bounds)
}

/// Which clauses a form has beside where and when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Matches,
    Precedes,
    Other,
}

/// Clauses as they were found.
#[derive(Default)]
struct Clauses {
    bounds: Bounds,
    conditions: Vec<super::Near>,
    /// Of each condition, whether its scope was said.
    scoped: Vec<bool>,
    /// A scope that was said before the first condition.
    scope: Option<Scope>,
    within_ns: Option<i64>,
    by: Option<Grouping>,
    change_at_ns: Option<i64>,
    said: Vec<&'static str>,
}

impl<'a> Parser<'a> {
    fn question(&mut self) -> Result<Question, SyntaxError> {
        self.pass_over();
        if let Some((machines, taken)) = self.silence() {
            let said = self.words().get(..taken).unwrap_or_default().join(" ");
            self.at += taken;
            let mut for_ns = SILENT_NS;
            if self.words().first() == Some(&"for")
                && moment::length(self.words().get(1..).unwrap_or_default()).is_some()
            {
                self.at += 1;
                for_ns = self.length()?;
            } else {
                self.notes.push(format!("{said} is taken as silent for 1 hour."));
            }
            let bounds = self.only_bounds("silence")?;
            return Ok(Question::Silent(Silent { machines, for_ns, bounds }));
        }
        if let Some(error) = self.elsewhere() {
            return Err(error);
        }
        if let Some(taken) = self.new_errors() {
            self.at += taken;
            let bounds = self.only_bounds("messages")?;
            return Ok(Question::Messages(Messages { new: true, bounds }));
        }
        if let Some(taken) = self.common_messages() {
            self.at += taken;
            let bounds = self.only_bounds("messages")?;
            return Ok(Question::Messages(Messages { new: false, bounds }));
        }
        match self.words().as_slice() {
            ["what", "precedes", ..] => {
                self.at += 2;
                let anchors = self.set("what to look before, as in what precedes panics")?;
                self.precedes(anchors, None)
            }
            ["what", "distinguishes", ..] => {
                self.at += 2;
                let machines =
                    self.machines("guests or hosts, as in what distinguishes guests with panics")?;
                self.word("with", "with, as in what distinguishes guests with panics")?;
                let anchors = self.set("what they have had, such as panics")?;
                let bounds = self.clauses(Form::Other)?.bounds;
                Ok(Question::Distinguishes(Distinguishes { machines, anchors, bounds }))
            }
            ["hosts" | "guests", "silent", ..] | ["hosts" | "guests"] => {
                let machines = self.machines("hosts or guests")?;
                self.word("silent", "silent, as in hosts silent for 5 minutes")?;
                self.word("for", "for how long, as in hosts silent for 5 minutes")?;
                let for_ns = self.length()?;
                let bounds = self.only_bounds("silence")?;
                Ok(Question::Silent(Silent { machines, for_ns, bounds }))
            }
            ["messages", ..] | ["new", "messages", ..] => {
                let new = self.words().first() == Some(&"new");
                self.at += 1 + usize::from(new);
                let bounds = self.only_bounds("messages")?;
                Ok(Question::Messages(Messages { new, bounds }))
            }
            _ => self.about_a_set(),
        }
    }

    fn precedes(&mut self, anchors: Set, place: Option<Place>) -> Result<Question, SyntaxError> {
        let mut found = self.clauses(Form::Precedes)?;
        found.bounds.places.extend(place);
        let within_ns = found.within_ns.unwrap_or(PRECEDES_NS);
        let scope = found.scope.unwrap_or_default();
        Ok(Question::Precedes(Precedes { anchors, within_ns, scope, bounds: found.bounds }))
    }

    /// Where and when, of a form that is not asked by time of day.
    fn only_bounds(&mut self, what: &str) -> Result<Bounds, SyntaxError> {
        let bounds = self.clauses(Form::Other)?.bounds;
        if bounds.clock.is_some() {
            let message = format!("Hours and days of the week are asked of events, not of {what}.");
            return Err(SyntaxError::new(self.question, self.place_of(0..self.tokens.len()), message));
        }
        Ok(bounds)
    }

    fn about_a_set(&mut self) -> Result<Question, SyntaxError> {
        let Request { pick, by: asked_by, place, set, named, precedes, distinguishes } = self.request()?;
        if let ["what", ..] = self.words().as_slice() {
            self.at += 1;
            let suggestion = self.spelling(&["precedes", "distinguishes"]);
            return Err(self.wanted("precedes or distinguishes").suggest(suggestion));
        }
        let anchors = match set.or(named.as_deref()) {
            Some(set) => self.named_set(set)?,
            None => self.set("a class such as panics, \"text\" or {condition}")?,
        };
        if precedes {
            return self.precedes(anchors, place);
        }
        if let Some(machines) = distinguishes {
            if matches!(self.words().as_slice(), ["have", "in", "common", ..]) {
                self.at += 3;
            }
            let bounds = self.clauses(Form::Other)?.bounds;
            return Ok(Question::Distinguishes(Distinguishes { machines, anchors, bounds }));
        }
        let mut found = self.clauses(Form::Matches)?;
        found.bounds.places.extend(place);
        if let Some(at_ns) = found.change_at_ns {
            return Ok(Question::Change(Change { anchors, at_ns, bounds: found.bounds }));
        }
        if found.conditions.is_empty() && found.scope.is_some() {
            let place = self.tokens.iter().find(|token| is(token, "on") || is(token, "anywhere"));
            let place = place.map_or(0..0, |token| token.place.clone());
            let message = "A scope says where the partner may be, and this question has none: wanted within D of something.";
            return Err(SyntaxError::new(self.question, place, message));
        }
        let Clauses { bounds, conditions, by, .. } = found;
        Ok(Question::Matches(Matches { anchors, conditions, bounds, by: by.or(asked_by), pick }))
    }

    /// Everything after the set, in any order.
    fn clauses(&mut self, form: Form) -> Result<Clauses, SyntaxError> {
        let mut found = Clauses::default();
        while self.at < self.tokens.len() {
            if self.range_or_clock(&mut found)? {
                continue;
            }
            let words = self.words();
            match words.as_slice() {
                ["except" | "excluding", ..] => {
                    let skipped = matches!(words.get(1), Some(&("on" | "in" | "for" | "of" | "from")));
                    self.at += usize::from(skipped);
                    let place = self.place(true)?;
                    found.bounds.places.push(place);
                }
                ["not" | "and", "on" | "in", next, ..] if !matches!(*next, "same" | "the") => {
                    let except = words.first() == Some(&"not");
                    self.at += 1;
                    let place = self.place(except)?;
                    found.bounds.places.push(place);
                }
                ["and", "within" | "not", ..] if form == Form::Matches && !found.conditions.is_empty() => {
                    self.at += 1;
                }
                ["not", "during" | "while", ..] if form == Form::Matches => {
                    if let Some(near) = self.near_in_words()? {
                        self.condition(&mut found, near)?;
                    }
                }
                ["not" | "within", ..] if form == Form::Matches => {
                    let near = self.near()?;
                    self.condition(&mut found, near)?;
                }
                ["within", ..] if form == Form::Precedes => {
                    found.once("within", self)?;
                    self.at += 1;
                    found.within_ns = Some(self.length()?);
                }
                ["on", "the", "same", ..] | ["on", "same", ..] | ["anywhere", ..] if form != Form::Other => {
                    let already = found.scope.is_some() || found.scoped.last().copied().unwrap_or(false);
                    if already {
                        return Err(self.error("The question has a scope already."));
                    }
                    let scope = self.scope()?;
                    match (found.conditions.last_mut(), found.scoped.last_mut()) {
                        (Some(near), Some(scoped)) => {
                            near.scope = scope;
                            *scoped = true;
                        }
                        _ => found.scope = Some(scope),
                    }
                }
                ["since", ..] => {
                    found.once("a range", self)?;
                    self.at += 1;
                    found.bounds.from_ns = Some(self.instant()?);
                    self.is_a_range(&found.bounds)?;
                }
                ["until", ..] => {
                    found.once("an end", self)?;
                    self.at += 1;
                    found.bounds.to_ns = Some(self.instant()?);
                    self.is_a_range(&found.bounds)?;
                }
                ["between", ..] => {
                    found.once("a range", self)?;
                    found.once("an end", self)?;
                    (found.bounds.from_ns, found.bounds.to_ns) = self.between()?;
                }
                ["grouped" | "split" | "counted", "by", ..] | ["broken", "down", "by", ..]
                    if form == Form::Matches =>
                {
                    self.at += 1 + usize::from(words.first() == Some(&"broken"));
                }
                ["by" | "per" | "each" | "every", ..] if form == Form::Matches => {
                    found.once("by", self)?;
                    found.by = Some(self.grouping()?);
                }
                ["before", "and", "after", ..] if form == Form::Matches && found.conditions.is_empty() => {
                    found.once("before and after", self)?;
                    self.at += 3;
                    found.change_at_ns = Some(self.instant()?);
                }
                [word, ..] if BEFORE_PLACE.contains(word) => {
                    let place = self.place(false)?;
                    found.bounds.places.push(place);
                }
                _ => {
                    let near = if form == Form::Matches { self.near_in_words()? } else { None };
                    match near {
                        Some(near) => self.condition(&mut found, near)?,
                        None => return Err(self.unexpected(form)),
                    }
                }
            }
        }
        if found.change_at_ns.is_some() && found.by.is_some() {
            return Err(self.error("A question of before and after is not counted by anything."));
        }
        Ok(found)
    }

    /// Takes a condition, and the scope that was said before it.
    fn condition(&self, found: &mut Clauses, mut near: super::Near) -> Result<(), SyntaxError> {
        if found.change_at_ns.is_some() {
            return Err(self.error("A question of before and after has no conditions."));
        }
        if found.conditions.len() == CONDITIONS_MAX {
            return Err(self.error(format!("A question has at most {CONDITIONS_MAX} conditions.")));
        }
        let early = found.scope.take();
        found.scoped.push(early.is_some());
        near.scope = early.unwrap_or_default();
        found.conditions.push(near);
        Ok(())
    }

    /// Takes hours, days of the week or a stretch of time. Whether there was any.
    fn range_or_clock(&mut self, found: &mut Clauses) -> Result<bool, SyntaxError> {
        if matches!(self.words().as_slice(), ["before", "and", "after", ..]) {
            return Ok(false);
        }
        // "around 15:25 on 2026-11-10" is one stretch of time, and not an hour of every day.
        let is_instant = match self.words().as_slice() {
            ["around" | "about" | "near" | "at", rest @ ..] => {
                let instant = moment::instant(rest, self.asker).map(|(_, taken)| taken);
                instant > time_of_day(rest).map(|(_, taken)| taken)
            }
            _ => false,
        };
        if !is_instant && self.clock(&mut found.bounds)? {
            return Ok(true);
        }
        if self.period(&mut found.bounds)? {
            self.is_a_range(&found.bounds)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn is_a_range(&self, bounds: &Bounds) -> Result<(), SyntaxError> {
        match (bounds.from_ns, bounds.to_ns) {
            (Some(from_ns), Some(to_ns)) if to_ns <= from_ns => {
                let place = self.place_of(self.at.saturating_sub(1)..self.at);
                let message =
                    "The range ends before it begins: its end, which does not belong to it, has to be later.";
                Err(SyntaxError::new(self.question, place, message))
            }
            _ => Ok(()),
        }
    }

    fn machines(&mut self, wanted: &str) -> Result<MachineKind, SyntaxError> {
        let machines = match self.words().first().copied() {
            Some("guests") => MachineKind::Guests,
            Some("hosts") => MachineKind::Hosts,
            _ => return Err(self.wanted(wanted).suggest(self.spelling(&["guests", "hosts"]))),
        };
        self.at += 1;
        Ok(machines)
    }

    fn word(&mut self, word: &str, wanted: &str) -> Result<(), SyntaxError> {
        if self.words().first().copied() != Some(word) {
            return Err(self.wanted(wanted).suggest(self.spelling(&[word])));
        }
        self.at += 1;
        Ok(())
    }

    fn unexpected(&self, form: Form) -> SyntaxError {
        let place = self.place_of(self.at..self.at + 1);
        let found = self.question.get(place.clone()).unwrap_or_default();
        let wanted = match form {
            Form::Matches => {
                "within, not, on, anywhere, since, until, between, in, by, during, today, yesterday"
            }
            Form::Precedes => "within, on, anywhere, since, until, between, in",
            Form::Other => "on, since, until, between, in",
        };
        let words: Vec<&str> = wanted.split(", ").collect();
        self.error(format!("{found:?} is not understood here: wanted {wanted}, or the question's end."))
            .suggest(self.spelling(&words))
    }
}

impl Clauses {
    /// Refuses what may be said but once.
    fn once(&mut self, part: &'static str, parser: &Parser<'_>) -> Result<(), SyntaxError> {
        if self.said.contains(&part) {
            return Err(parser.error(format!("The question has {part} already.")));
        }
        self.said.push(part);
        Ok(())
    }
}

fn is(token: &Token, wanted: &str) -> bool {
    token.piece == Piece::Word(wanted.to_owned())
}
