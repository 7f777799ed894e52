//! How events asked for stand to their partners.

use serde::{Deserialize, Serialize};

/// How the anchors stand to the partners in the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// `within D after`: the anchor starts during a partner or up to D after its end.
    After,
    /// `within D before`: a partner starts during the anchor or up to D after its end.
    Before,
    /// `within D of`: at most D lies between the two.
    Of,
}

impl Relation {
    /// Whether a partner of an anchor with this end may still come: what looks ahead is decided
    /// only when D after it has been seen.
    pub fn is_undecided(self, end_ns: i64, within_ns: i64, watermark_ns: i64) -> bool {
        self != Relation::After && end_ns > watermark_ns.saturating_sub(within_ns)
    }

    /// Instants at which partners begin that last no time and whose windows touch a span.
    pub fn partners_of(self, (from_ns, to_ns): (i64, i64), within_ns: i64) -> (i64, i64) {
        let within_ns = within_ns.max(0);
        let (before, after) = match self {
            Relation::After => (within_ns, 0),
            Relation::Before => (0, within_ns),
            Relation::Of => (within_ns, within_ns),
        };
        (from_ns.saturating_sub(before), to_ns.saturating_add(after))
    }
}
