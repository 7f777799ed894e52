//! What the sentence about matches rests on beside the answer itself.

use crate::{chance::Assessment, correlate::comparison::Open};

/// What the sentence about matches says and their figures do not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grounds {
    /// Hosts that events asked for were on.
    pub hosts: usize,
    /// Matches that are decided, by the hour of the asker's day.
    pub hour_of_day: [u64; 24],
    /// What came of comparing with chance; none where that was not done.
    pub assessed: Option<Assessment>,
    /// Half the width of the interval of each corrected time, largest of all.
    pub clock_uncertainty_ns: u64,
    /// What was left out or assumed.
    pub remarks: Remarks,
}

/// What was left out or assumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Anchors before the range, though the question names no beginning.
    pub earlier: u64,
    /// Anchors after the range, though the question names no end.
    pub later: u64,
    /// Partners open for longer than a day, where there are anchors.
    pub open: Open,
    /// Anchors that do not meet the conditions beside the one that chance is told of.
    pub unmet: u64,
    /// Anchors of which it is too early to tell whether they meet those.
    pub undecided: u64,
    /// Anchors without what the scope compares on: a label, a guest.
    pub without_unit: u64,
}
