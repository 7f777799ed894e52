//! A question in its canonical words: what is read of them means the same.

use std::fmt::{Display, Formatter, Result};

use jiff::Timestamp;

use super::question::{
    Bounds, Change, Distinguishes, Grouping, MachineKind, Matches, Members, Messages, Near, Pick, Place,
    PlaceKind, Precedes, Question, Scope, Set, Silent,
};
use crate::chance::Relation;

impl Display for Question {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Question::Matches(Matches { anchors, conditions, bounds, by, pick }) => {
                match pick {
                    Some(Pick::First(count)) => write!(out, "first {count} {anchors}")?,
                    Some(Pick::Last(count)) => write!(out, "last {count} {anchors}")?,
                    Some(Pick::Top(count)) => {
                        let by = by.as_ref().map_or("hosts", Grouping::words);
                        let plural = if by.ends_with('s') { "es" } else { "s" };
                        write!(out, "top {count} {by}{plural} by {anchors}")?;
                    }
                    None => write!(out, "{anchors}")?,
                }
                for near in conditions {
                    write!(out, " {near}")?;
                }
                write!(out, "{bounds}")?;
                let top = matches!(pick, Some(Pick::Top(_)));
                by.as_ref().filter(|_| !top).map_or(Ok(()), |by| write!(out, " by {by}"))
            }
            Question::Precedes(Precedes { anchors, within_ns, scope, bounds }) => {
                write!(out, "what precedes {anchors} within {} {scope}{bounds}", Length(*within_ns))
            }
            Question::Distinguishes(Distinguishes { machines, anchors, bounds }) => {
                write!(out, "what distinguishes {machines} with {anchors}{bounds}")
            }
            Question::Change(Change { anchors, at_ns, bounds }) => {
                write!(out, "{anchors} before and after {}{bounds}", Instant(*at_ns))
            }
            Question::Messages(Messages { new, bounds }) => {
                write!(out, "{}messages{bounds}", if *new { "new " } else { "" })
            }
            Question::Silent(Silent { machines, for_ns, bounds }) => {
                write!(out, "{machines} silent for {}{bounds}", Length(*for_ns))
            }
        }
    }
}

impl Display for Set {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match &self.members {
            Members::Class(class) => out.write_str(class),
            Members::Classes(classes) => out.write_str(&classes.join(" or ")),
            Members::Text(text) => quoted(text, out),
            Members::Predicate(predicate) => write!(out, "{{{}}}", predicate.text()),
        }
    }
}

impl Display for Near {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let not = if self.negated { "not " } else { "" };
        let relation = match self.relation {
            Relation::Of => "of",
            Relation::Before => "before",
            Relation::After => "after",
        };
        write!(out, "{not}within {} {relation} {} {}", Length(self.within_ns), self.partners, self.scope)
    }
}

impl Display for Scope {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(&self.words())
    }
}

impl Display for Bounds {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for place in &self.places {
            write!(out, " {place}")?;
        }
        if let Some(clock) = &self.clock {
            write!(out, " {clock}")?;
        }
        if let Some(from_ns) = self.from_ns {
            write!(out, " since {}", Instant(from_ns))?;
        }
        self.to_ns.map_or(Ok(()), |to_ns| write!(out, " until {}", Instant(to_ns)))
    }
}

impl Display for Place {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let of = match &self.of {
            PlaceKind::Host => "host",
            PlaceKind::Guest => "guest",
            PlaceKind::Label(label) => label,
        };
        for (at, value) in self.values.iter().enumerate() {
            if at == 0 {
                write!(out, "{}on {of} ", if self.except { "not " } else { "" })?
            } else {
                out.write_str(" or ")?
            }
            let plain =
                |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '/' | ':');
            if !value.is_empty() && value.chars().all(plain) {
                out.write_str(value)?
            } else {
                quoted(value, out)?
            }
        }
        Ok(())
    }
}

impl Display for MachineKind {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            MachineKind::Hosts => "hosts",
            MachineKind::Guests => "guests",
        })
    }
}

impl Display for Grouping {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(self.words())
    }
}

fn quoted(text: &str, out: &mut Formatter<'_>) -> Result {
    write!(out, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Nanoseconds in the largest units that need no fraction, down to milliseconds.
struct Length(i64);

impl Display for Length {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        const UNITS: [(i64, &str); 5] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
        ];
        match UNITS.iter().find(|(unit_ns, _)| self.0 >= *unit_ns && self.0 % unit_ns == 0) {
            Some((unit_ns, unit)) => write!(out, "{}{unit}", self.0 / unit_ns),
            #[allow(clippy::cast_precision_loss, reason = "a length is at most 366 days")]
            None => write!(out, "{}ms", self.0 as f64 / 1e6),
        }
    }
}

/// RFC 3339 in UTC.
struct Instant(i64);

impl Display for Instant {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        // Every i64 of nanoseconds lies within jiff's range.
        Timestamp::from_nanosecond(i128::from(self.0)).map_or(Ok(()), |time| write!(out, "{time}"))
    }
}
