//! Questions that begin with what, why, when, did, are and how often.

use super::{
    error::SyntaxError,
    parser::Parser,
    question::{Grouping, Pick},
    request::{Request, machines},
};

impl Parser<'_> {
    /// `what comes before`, `what leads to`, `what causes`.
    pub(super) fn before_what(&mut self, request: &mut Request) -> bool {
        let taken = match self.words().as_slice() {
            ["what", "comes" | "came" | "happens" | "happened" | "is" | "was", "before", _, ..] => 3,
            ["what", "leads" | "led", "to", _, ..] => 3,
            ["what", "causes" | "caused" | "triggers" | "triggered", _, ..] => 2,
            ["what", "precede" | "preceded", _, ..] => 2,
            _ => return false,
        };
        if matches!(self.words().get(1), Some(&("causes" | "caused" | "triggers" | "triggered"))) {
            self.notes.push(
                "What comes before is told; whether it is the cause, logs alone cannot say.".to_owned(),
            );
        }
        self.at += taken;
        self.pass_over();
        request.precedes = true;
        true
    }

    /// `what is different about guests that panic`, `what do guests with panics have in common`.
    pub(super) fn in_common(&mut self, request: &mut Request) -> bool {
        let words = self.words();
        let taken = match words.as_slice() {
            [
                "what",
                "is" | "was",
                "different" | "special" | "common",
                "about" | "to" | "with" | "between",
                ..,
            ] => 4,
            ["what", "is" | "was", "so", "special", "about", ..] => 5,
            ["what", "do" | "did", ..] if words.ends_with(&["in", "common"]) => 2,
            _ => return false,
        };
        let Some((kind, _)) = words.get(taken).and_then(|word| machines(word)) else { return false };
        if !matches!(words.get(taken + 1), Some(&("that" | "which" | "with" | "who" | "having"))) {
            return false;
        }
        let start = self.at;
        self.at += taken + 2;
        if matches!(self.words().first(), Some(&("had" | "have" | "has"))) {
            self.at += 1;
        }
        if let Some((set, taken)) = self.verb() {
            self.at += taken;
            request.set = Some(set);
        } else if self.at >= self.tokens.len() {
            self.at = start;
            return false;
        }
        request.distinguishes = Some(kind);
        true
    }

    /// `what happened on X around T`: everything that was recognised.
    pub(super) fn what_happened(&mut self, request: &mut Request) -> bool {
        let taken = match self.words().as_slice() {
            ["what", "went", "wrong", ..] => 3,
            ["what", "happened" | "happens" | "occurred", ..] => 2,
            ["what", "was" | "is", "going" | "happening", "on", ..] => 4,
            _ => return false,
        };
        if matches!(self.words().get(taken), Some(&("before" | "after"))) {
            return false;
        }
        self.at += taken;
        request.set = Some("events");
        self.notes.push(
            "What was recognised is listed; the lines themselves are asked for as logs, with the same place and time."
                .to_owned(),
        );
        true
    }

    /// `are panics increasing`: counts by day, from which it can be seen.
    pub(super) fn trend(&mut self, request: &mut Request) -> bool {
        let words = self.words();
        let grows = |word: &str| {
            matches!(
                word,
                "increasing"
                    | "rising"
                    | "growing"
                    | "decreasing"
                    | "falling"
                    | "rarer"
                    | "frequent"
                    | "worse"
                    | "better"
            )
        };
        let asks = matches!(words.first(), Some(&("are" | "is")));
        let end = words.iter().position(|word| grows(word)).filter(|end| asks && *end >= 2);
        let Some(end) = end else { return false };
        let said = words.get(1..end).unwrap_or_default().iter().copied();
        let name: Vec<&str> =
            said.filter(|word| !matches!(*word, "getting" | "more" | "becoming" | "the")).collect();
        let name = name.join(" ");
        if self.vocabulary.members(&name).is_none() {
            return false;
        }
        self.at += end + 1;
        self.notes
            .push(format!("Counted by day; whether it changed is tested as {name} before and after a date."));
        request.named = Some(name);
        request.by = Some(Grouping::Day);
        true
    }

    /// `did guest X crash`, `when did X last crash`, `why did X crash`: questions about one machine.
    pub(super) fn about_one(&mut self, request: &mut Request) -> Result<bool, SyntaxError> {
        let start = self.at;
        let words = self.words();
        let (taken, why, when) = match words.as_slice() {
            ["when", "did" | "has", ..] => (2, false, true),
            ["why", "did" | "does" | "has", ..] => (2, true, false),
            ["did" | "has" | "does" | "have", ..] => (1, false, false),
            ["how", "often" | "frequently", "did" | "does" | "do" | "has", ..] => (3, false, false),
            _ => return Ok(false),
        };
        self.at += taken;
        if !self.vocabulary.has_places() && self.words().first().is_none_or(|word| machines(word).is_none()) {
            self.at = start;
            return Ok(false);
        }
        let anything = matches!(self.words().first(), Some(&("any" | "anything" | "a")));
        if anything {
            self.at = start;
            return Ok(false);
        }
        if taken == 3 {
            request.by = Some(Grouping::Day);
            self.notes.push("Counted by day.".to_owned());
        }
        let place = self.place_itself(false)?;
        let last = matches!(self.words().first(), Some(&("last" | "ever" | "first")));
        let first = self.words().first() == Some(&"first");
        let latest = self.words().first() == Some(&"last");
        self.at += usize::from(last);
        let has = matches!(self.words().first(), Some(&("have" | "had" | "has" | "see" | "get" | "show")));
        if has && self.at + 1 < self.tokens.len() {
            self.at += 1;
            self.pass_over();
            request.place = Some(place);
            request.precedes = why;
            return Ok(true);
        }
        let Some((set, taken)) = self.verb() else {
            return Err(self.wanted("what it did, such as crash, panic, reboot or migrate"));
        };
        self.at += taken;
        request.place = Some(place);
        request.set = Some(set);
        request.precedes = why;
        if why {
            self.notes.push(
                "What comes before is told; whether it is the cause, logs alone cannot say. `what distinguishes guests \
                 with crashes` compares what machines are like."
                    .to_owned(),
            );
        }
        request.pick = match (when && latest, when && first) {
            (true, _) => Some(Pick::Last(1)),
            (_, true) => Some(Pick::First(1)),
            _ => None,
        };
        Ok(true)
    }
}
