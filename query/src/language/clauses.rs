//! Clauses that several forms of question share: conditions, scopes, places, ranges, groupings.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    calendar::date,
    clock::clock,
    error::SyntaxError,
    lexer::Piece,
    moment,
    parser::{AFTER_SET, Parser},
    period::{AROUND_NS, period},
    question::{Bounds, Grouping, Near, Scope},
};
use crate::chance::Relation;

const MINUTE_NS: i64 = 60_000_000_000;
/// `near`: within 5 minutes.
const NEAR_NS: i64 = 5 * MINUTE_NS;
/// `after` and `before` alone: within 15 minutes.
const AFTER_NS: i64 = 15 * MINUTE_NS;

/// The way out for what machines are like.
pub(super) const LIKE: &str =
    "What guests are like, such as memory or kernel, is compared by: what distinguishes guests with panics";

/// An instant as the asker's clock shows it, to the minute.
fn shown(at_ns: i64, zone: &TimeZone) -> String {
    Timestamp::from_nanosecond(i128::from(at_ns))
        .map(|time| time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

impl Parser<'_> {
    pub(super) fn near(&mut self) -> Result<Near, SyntaxError> {
        let negated = self.words().first().copied() == Some("not");
        if negated {
            self.at += 1;
            if self.words().first().copied() != Some("within") {
                return Err(self
                    .wanted("within, as in not within 1 hour after deploys")
                    .suggest(self.spelling(&["within"])));
            }
        }
        self.at += 1;
        let within_ns = self.length()?;
        let relation = match self.words().first().copied() {
            Some("of") => Relation::Of,
            Some("before") => Relation::Before,
            Some("after") => Relation::After,
            _ => {
                return Err(self
                    .wanted("of, before or after")
                    .suggest(self.spelling(&["of", "before", "after"])));
            }
        };
        self.at += 1;
        let partners = self.set("what they are near to, such as network saturation")?;
        Ok(Near { negated, relation, within_ns, partners, scope: Scope::Host })
    }

    /// `during SET`, `without SET`, `near SET`, `shortly after SET`, `after SET`: conditions whose length of time is not said.
    /// None where the words are none, or no set stands behind them.
    pub(super) fn near_in_words(&mut self) -> Result<Option<Near>, SyntaxError> {
        let words = self.words();
        let (taken, negated, relation, within_ns) = match words.as_slice() {
            ["during" | "while" | "when" | "amid", ..] => (1, false, Relation::Of, 0),
            ["without", ..] => (1, true, Relation::Of, 0),
            ["not", "during" | "while", ..] => (2, true, Relation::Of, 0),
            ["with" | "containing" | "mentioning" | "matching" | "about" | "saying"]
                if matches!(
                    self.tokens.get(self.at + 1).map(|token| &token.piece),
                    Some(Piece::Quoted(_))
                ) =>
            {
                (1, false, Relation::Of, 0)
            }
            ["close", "to", ..] => (2, false, Relation::Of, NEAR_NS),
            ["near" | "around", ..] => (1, false, Relation::Of, NEAR_NS),
            ["shortly" | "right" | "just" | "soon", "after", ..] => (2, false, Relation::After, NEAR_NS),
            ["shortly" | "right" | "just", "before", ..] => (2, false, Relation::Before, NEAR_NS),
            ["after" | "following", ..] => (1, false, Relation::After, AFTER_NS),
            ["before" | "preceding", ..] => (1, false, Relation::Before, AFTER_NS),
            _ => return Ok(None),
        };
        let (start, said) = (self.at, words.get(..taken).unwrap_or_default().join(" "));
        self.at += taken;
        if let Some(&("the" | "a" | "any")) = self.words().first() {
            self.at += 1;
        }
        if self.at >= self.tokens.len() || self.words().first().is_some_and(|word| AFTER_SET.contains(word)) {
            self.at = start;
            return Ok(None);
        }
        let partners = self.set("what they are near to, such as network saturation")?;
        let taken_as = match (relation, within_ns) {
            (_, 0) => "within 0 seconds of".to_owned(),
            (Relation::Of, _) => format!("within {} minutes of", within_ns / MINUTE_NS),
            (Relation::After, _) => format!("within {} minutes after", within_ns / MINUTE_NS),
            (Relation::Before, _) => format!("within {} minutes before", within_ns / MINUTE_NS),
        };
        let not = if negated { "not " } else { "" };
        self.notes.push(format!("{said} is taken as {not}{taken_as}; another length is said so."));
        Ok(Some(Near { negated, relation, within_ns, partners, scope: Scope::Host }))
    }

    /// Times of day and days of the week. Whether they were there.
    pub(super) fn clock(&mut self, bounds: &mut Bounds) -> Result<bool, SyntaxError> {
        let words = self.words();
        let Some((said, taken, ambiguous)) = clock(&words) else { return Ok(false) };
        let both = bounds.clock.unwrap_or_default().and(said);
        let Some(both) = both else {
            return Err(self.error("The question has hours or days already, and these are others."));
        };
        if ambiguous {
            let day = words.get(1).and_then(|_| date(words.get(1..)?, self.asker));
            let other = day.map(|(day, _)| format!("; the last one alone is asked for as on {day}"));
            let word = words.get(1).copied().unwrap_or_default();
            self.notes.push(format!("on {word} is taken as {said}{}.", other.unwrap_or_default()));
        } else {
            self.notes.push(format!("{said}: whenever that is in the range ({}).", self.zone()));
        }
        self.at += taken;
        bounds.clock = Some(both);
        Ok(true)
    }

    /// A stretch of time such as yesterday, with or without a word in front. Whether it was there.
    pub(super) fn period(&mut self, bounds: &mut Bounds) -> Result<bool, SyntaxError> {
        let words = self.words();
        let fronts: &[&str] =
            &["on", "in", "during", "for", "of", "from", "over", "within", "at", "throughout"];
        let skipped = usize::from(words.first().is_some_and(|word| fronts.contains(word)));
        let rest = words.get(skipped..).unwrap_or_default();
        if let Some((found, taken)) = period(rest, self.asker)
            // "from monday to friday" is a range.
            && !(words.first() == Some(&"from") && matches!(rest.get(taken), Some(&("to" | "until" | "till"))))
        {
            let said = rest.get(..taken).unwrap_or_default().join(" ");
            self.at += skipped + taken;
            self.take_range(bounds, Some(found.from_ns), found.to_ns, &said)?;
            return Ok(true);
        }
        match words.as_slice() {
            ["around" | "about" | "near" | "at", rest @ ..]
                if let Some((at_ns, taken)) = moment::instant(rest, self.asker) =>
            {
                let said = words.get(..=taken).unwrap_or_default().join(" ");
                self.at += 1 + taken;
                let (from_ns, to_ns) = (at_ns.saturating_sub(AROUND_NS), at_ns.saturating_add(AROUND_NS));
                self.take_range(bounds, Some(from_ns), Some(to_ns), &said)?;
                Ok(true)
            }
            ["from", rest @ ..] if let Some((from_ns, taken)) = moment::instant(rest, self.asker) => {
                let behind = rest.get(taken..).unwrap_or_default();
                let Some(("to" | "until" | "till" | "-", end)) =
                    behind.split_first().map(|(word, end)| (*word, end))
                else {
                    self.at += 1 + taken;
                    self.take_range(bounds, Some(from_ns), None, "")?;
                    return Ok(true);
                };
                // A day at the end belongs to the range.
                let whole = period(end, self.asker).and_then(|(found, taken)| Some((found.to_ns?, taken)));
                let Some((to_ns, more)) = whole.or_else(|| moment::instant(end, self.asker)) else {
                    self.at += 2 + taken;
                    return Err(self.wanted("the end of the range, such as 2026-11-12"));
                };
                let said = words.get(..2 + taken + more).unwrap_or_default().join(" ");
                self.at += 2 + taken + more;
                self.take_range(bounds, Some(from_ns), Some(to_ns), &said)?;
                Ok(true)
            }
            ["after", rest @ ..] if let Some((from_ns, taken)) = moment::instant(rest, self.asker) => {
                self.at += 1 + taken;
                self.take_range(bounds, Some(from_ns), None, "")?;
                Ok(true)
            }
            ["before", rest @ ..] if let Some((to_ns, taken)) = moment::instant(rest, self.asker) => {
                self.at += 1 + taken;
                self.take_range(bounds, None, Some(to_ns), "")?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Bounds the range; what was said of it is told with its instants.
    fn take_range(
        &mut self,
        bounds: &mut Bounds,
        from_ns: Option<i64>,
        to_ns: Option<i64>,
        said: &str,
    ) -> Result<(), SyntaxError> {
        for (bound, new) in [(&mut bounds.from_ns, from_ns), (&mut bounds.to_ns, to_ns)] {
            if let Some(new) = new
                && bound.replace(new).is_some()
            {
                let place = self.place_of(self.at.saturating_sub(1)..self.at);
                return Err(SyntaxError::new(self.question, place, "The question has a range already."));
            }
        }
        if !said.is_empty() {
            let shown = |at_ns: i64| shown(at_ns, &self.asker.time_zone);
            let range = match (from_ns.map(shown), to_ns.map(shown)) {
                (Some(from), Some(to)) => format!("{from} to {to}"),
                (Some(from), None) => format!("since {from}"),
                (None, Some(to)) => format!("until {to}"),
                (None, None) => String::new(),
            };
            self.notes.push(format!("{said}: {range} ({}).", self.zone()));
        }
        Ok(())
    }

    fn zone(&self) -> &str {
        self.asker.time_zone.iana_name().unwrap_or("UTC")
    }

    pub(super) fn scope(&mut self) -> Result<Scope, SyntaxError> {
        let words = self.words();
        let before = match words.as_slice() {
            ["anywhere", ..] => {
                self.at += 1;
                return Ok(Scope::Anywhere);
            }
            ["on", "the", "same", ..] => 3,
            _ => 2,
        };
        self.at += before;
        let scope = match words.get(before).copied() {
            Some("host") => Scope::Host,
            Some("guest") => Scope::Guest,
            Some(label) if let Some(label) = self.vocabulary.label(label) => Scope::Label(label.to_owned()),
            _ => return Err(self.no_such_label()),
        };
        self.at += 1;
        Ok(scope)
    }

    pub(super) fn instant(&mut self) -> Result<i64, SyntaxError> {
        match moment::instant(&self.words(), self.asker) {
            Some((instant_ns, taken)) => {
                self.at += taken;
                Ok(instant_ns)
            }
            None => Err(self.wanted("a time such as 7 days ago, yesterday, 2026-11-20 or 2026-11-20 15:00")),
        }
    }

    pub(super) fn between(&mut self) -> Result<(Option<i64>, Option<i64>), SyntaxError> {
        self.at += 1;
        let from_ns = self.instant()?;
        if self.words().first().copied() != Some("and") {
            return Err(self.wanted("and, as in between 2026-11-20 and 2026-11-21"));
        }
        self.at += 1;
        let second = self.at;
        let to_ns = self.instant()?;
        if to_ns <= from_ns {
            let place = self.place_of(second..self.at);
            let message =
                "The range ends before it begins: its end, which does not belong to it, has to be later.";
            return Err(SyntaxError::new(self.question, place, message));
        }
        Ok((Some(from_ns), Some(to_ns)))
    }

    pub(super) fn grouping(&mut self) -> Result<Grouping, SyntaxError> {
        let words = self.words();
        let rest = words.get(1..).unwrap_or_default();
        let (grouping, taken) = match rest {
            ["hour", "of", "the", "day", ..] => (Grouping::HourOfDay, 4),
            ["hour", "of", "day", ..] => (Grouping::HourOfDay, 3),
            ["day", "of", "the", "week", ..] => (Grouping::DayOfWeek, 4),
            ["day", "of", "week", ..] => (Grouping::DayOfWeek, 3),
            ["hour", ..] => (Grouping::HourOfDay, 1),
            ["weekday" | "weekdays", ..] => (Grouping::DayOfWeek, 1),
            ["host" | "hosts" | "hypervisor", ..] => (Grouping::Host, 1),
            ["guest" | "guests" | "vm" | "vms" | "domain", ..] => (Grouping::Guest, 1),
            ["class" | "classes" | "kind" | "type", ..] => (Grouping::Class, 1),
            ["day" | "date" | "days", ..] => (Grouping::Day, 1),
            ["week" | "weeks", ..] => (Grouping::Week, 1),
            ["month" | "months", ..] => (Grouping::Month, 1),
            ["title" | "message" | "titles", ..] => (Grouping::Title, 1),
            [label, ..] if let Some(label) = self.vocabulary.label(label) => {
                (Grouping::Label(label.to_owned()), 1)
            }
            _ => {
                self.at += 1;
                let suggestion = self
                    .spelling(&["hour", "day", "week", "month", "host", "guest", "class", "title"])
                    .unwrap_or_else(|| LIKE.to_owned());
                return Err(self
                    .wanted("hour of day, day of week, day, week, month, host, guest, class, title or a label of hosts")
                    .suggest(Some(suggestion)));
            }
        };
        self.at += 1 + taken;
        Ok(grouping)
    }
}
