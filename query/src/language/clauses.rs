//! Clauses that several forms of question share: conditions, scopes, places, ranges, groupings.

use super::{
    error::SyntaxError,
    lexer::Piece,
    moment,
    parser::Parser,
    question::{Grouping, Near, Place, PlaceKind, Scope},
};
use crate::chance::Relation;

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

    fn no_such_label(&self) -> SyntaxError {
        let labels: Vec<&str> = self.vocabulary.labels.iter().map(String::as_str).collect();
        let known = [["host", "guest"].as_slice(), &labels].concat();
        let how = "Labels of hosts, such as rack, come from [hosts.NAME] in the configuration or from `lastwords placement import`.";
        let suggestion = self.spelling(&known).unwrap_or_else(|| how.to_owned());
        self.wanted(&format!("one of {}", known.join(", "))).suggest(Some(suggestion))
    }

    pub(super) fn place(&mut self) -> Result<Place, SyntaxError> {
        self.at += 1;
        let of = match self.words().first().copied() {
            Some("host" | "hosts") => PlaceKind::Host,
            Some("guest" | "guests") => PlaceKind::Guest,
            Some(label) if let Some(label) = self.vocabulary.label(label) => {
                PlaceKind::Label(label.to_owned())
            }
            Some("the") => {
                return Err(
                    self.wanted("the same host, the same guest, or a host, guest or label without the")
                );
            }
            _ => return Err(self.no_such_label()),
        };
        self.at += 1;
        let mut values = vec![self.value()?];
        while self.words().first().copied() == Some("or") {
            self.at += 1;
            values.push(self.value()?);
        }
        Ok(Place { of, values })
    }

    /// A name as it was written.
    fn value(&mut self) -> Result<String, SyntaxError> {
        let value = match self.tokens.get(self.at).map(|token| (&token.piece, token.place.clone())) {
            Some((Piece::Quoted(text), _)) => text.clone(),
            Some((Piece::Word(_), place)) => self.question.get(place).unwrap_or_default().to_owned(),
            _ => return Err(self.wanted("a name, as in on host hv01")),
        };
        self.at += 1;
        Ok(value)
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

    pub(super) fn in_the_last(&mut self) -> Result<i64, SyntaxError> {
        let words = self.words();
        let skipped = match words.as_slice() {
            ["in", "the", "last" | "past", ..] => 3,
            ["in", "last" | "past", ..] => 2,
            _ => return Err(self.wanted("in the last D, as in in the last 7 days")),
        };
        let rest = words.get(skipped..).unwrap_or_default();
        // "in the last hour" is one hour.
        let alone: Option<[&str; 2]> = rest.first().map(|unit| ["1", *unit]);
        let (length_ns, taken) = match (moment::length(rest), alone) {
            (Some(found), _) => found,
            (None, Some(one)) if let Some((length_ns, _)) = moment::length(&one) => (length_ns, 1),
            _ => {
                self.at += skipped;
                return Err(self.wanted("a length of time such as 7 days"));
            }
        };
        self.at += skipped + taken;
        Ok(self.asker.now_ns.saturating_sub(length_ns))
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
            ["weekday", ..] => (Grouping::DayOfWeek, 1),
            ["host", ..] => (Grouping::Host, 1),
            ["guest", ..] => (Grouping::Guest, 1),
            ["class", ..] => (Grouping::Class, 1),
            [label, ..] if let Some(label) = self.vocabulary.label(label) => {
                (Grouping::Label(label.to_owned()), 1)
            }
            _ => {
                self.at += 1;
                let suggestion = self.spelling(&["hour", "day", "host", "guest", "class"]);
                return Err(self
                    .wanted("hour of day, day of week, host, guest, class or a label of hosts")
                    .suggest(suggestion));
            }
        };
        self.at += 1 + taken;
        Ok(grouping)
    }
}
