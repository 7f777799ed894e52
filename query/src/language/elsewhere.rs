//! The way out for what is not asked as a question.

use super::{error::SyntaxError, parser::Parser};

impl Parser<'_> {
    /// The way out for what is not asked as a question.
    pub(super) fn elsewhere(&self) -> Option<SyntaxError> {
        let words = self.words();
        let (message, way_out) = match words.as_slice() {
            ["classes"] | ["what", "classes", ..] => (
                "Classes are listed by SQL.",
                "lastwords query \"SELECT Class, count() FROM events GROUP BY Class ORDER BY Class\"",
            ),
            ["hosts"] | ["hypervisors"] => (
                "Hosts are listed by SQL.",
                "lastwords query \"SELECT Host, max(Timestamp) FROM logs GROUP BY Host\"",
            ),
            ["guests" | "vms"] | ["guests" | "vms", "on" | "in" | "of" | "at", ..] => (
                "Which guests there are, and where, is asked by SQL.",
                "lastwords query \"SELECT Host, Guest, Start, End FROM placement FINAL WHERE Guest != '' ORDER BY Host\"",
            ),
            ["where", ..] => (
                "Where a guest ran is asked by SQL.",
                "lastwords query \"SELECT Host, Start, End FROM placement FINAL WHERE Guest = 'NAME' ORDER BY Start\"",
            ),
            ["mean" | "average", "time", "between", ..] | ["mtbf", ..] => (
                "The mean time between events is not computed.",
                "Counts over time are asked for as panics by day, or panics by week.",
            ),
            ["how", "long", ..] | ["longest" | "shortest", ..] => (
                "Lengths of time are not computed; a list shows the start and end of each event.",
                "For example: network saturation on host hv01 yesterday",
            ),
            ["what", "follows" | "followed", ..]
            | ["what", "comes" | "came" | "happens" | "happened", "after", ..] => (
                "What follows is not searched for; what comes before is.",
                "For example: what precedes panics; or for one class: panics within 15 minutes before guest starts",
            ),
            ["compare", ..] => (
                "Machines are compared by what they are like.",
                "For example: what distinguishes hosts with panics",
            ),
            _ => return None,
        };
        // One that may go on breaks off at its end.
        let place = match words.as_slice() {
            [_] => self.place_of(self.tokens.len()..self.tokens.len()),
            _ => self.place_of(self.at..self.tokens.len()),
        };
        Some(SyntaxError::new(self.question, place, message).suggest(Some(way_out.to_owned())))
    }
}
