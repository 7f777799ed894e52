//! What the writer of one partition does next, given what it has seen: the protocol alone, without any I/O. The model
//! drives it as the real thing does.
//!
//! 1. Fetch the committed offset and the plan in its metadata.
//! 2. A plan: form exactly its batches again, in doubt, without asking the ledger. None: gather batches that are
//!    neither in the ledger nor earlier in the block.
//! 3. Commit the offset where the block begins with the plan in its metadata, fenced. The end of the block before and
//!    the plan of the next are one commit. A reply that is lost: fetch again before anything is inserted.
//! 4. Insert unit after unit by the [`Plan`]; a further attempt is committed before it is tried.
//! 5. A unit that the store refuses for good: a further attempt with every batch by itself, whose poison is set aside.

use super::offset_plan::OffsetPlan;
use crate::write::plan::{self, Plan, Trust};

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fetch the committed offset with its metadata.
    Fetch,
    /// Gather a block from this offset on. Where `pending`, not for long: a finished block waits to be committed.
    Gather {
        /// The first offset.
        from: i64,
        /// Whether a commit waits.
        pending: bool,
    },
    /// Commit, under the generation of this lease.
    Commit {
        /// The offset.
        offset: i64,
        /// What goes into its metadata.
        plan: Option<OffsetPlan>,
    },
    /// Form the units of the plan that is committed at this offset.
    Form {
        /// Where the block begins.
        begin: i64,
        /// What was planned.
        plan: OffsetPlan,
    },
    /// A step of the store's.
    Store(plan::Step),
    /// Ask the store's clock for a further attempt.
    Replan,
    /// The batch of this unit is poison: what is left of it is replaced by its way into the quarantine.
    SetAside {
        /// The refused unit.
        unit: usize,
    },
    /// The partition is another's now, or has to be taken anew: forget everything.
    Gone,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Fetched: the committed offset (where none is, the first there is) and its plan.
    Fetched(i64, Option<OffsetPlan>),
    /// Gathered: the first attempt's plan.
    Gathered(OffsetPlan),
    /// Gathered nothing but batches that are known, up to this offset.
    Known(i64),
    /// Nothing came.
    Nothing,
    /// Committed.
    Committed,
    /// The reply of the commit was lost.
    Unknown,
    /// The commit was refused: the lease is another's.
    Fenced,
    /// Formed so many units.
    Formed(usize),
    /// The plan's batches are not in the log any more.
    Broken,
    /// What came of the store's step.
    Store(plan::Outcome),
    /// The store's clock, seconds.
    Clock(u32),
    /// So many units in all, now that the poison is replaced.
    Replaced(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    Fetch,
    Gather,
    Commit {
        offset: i64,
        plan: Option<OffsetPlan>,
        trust: Trust,
    },
    /// The reply was lost.
    Confirm {
        offset: i64,
        plan: Option<OffsetPlan>,
        trust: Trust,
    },
    Form {
        plan: OffsetPlan,
        trust: Trust,
    },
    Insert {
        plan: OffsetPlan,
        units: Plan,
    },
    Gone,
}

/// One partition's writer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    state: State,
    /// The committed offset and plan, as last seen.
    committed: (i64, Option<OffsetPlan>),
    /// Where the next block begins.
    next: i64,
}

impl Machine {
    /// A writer that has just been given the partition.
    pub fn new() -> Machine {
        Machine { state: State::Fetch, committed: (0, None), next: 0 }
    }

    /// What to do now.
    pub fn next(&self) -> Step {
        match &self.state {
            State::Fetch | State::Confirm { .. } => Step::Fetch,
            State::Gather => Step::Gather { from: self.next, pending: self.is_pending() },
            State::Commit { offset, plan, .. } => Step::Commit { offset: *offset, plan: plan.clone() },
            State::Form { plan, .. } => Step::Form { begin: self.committed.0, plan: plan.clone() },
            State::Insert { units, .. } => match units.next() {
                plan::Step::Replan { .. } => Step::Replan,
                plan::Step::Refused { unit } => self.refused(unit),
                step => Step::Store(step),
            },
            State::Gone => Step::Gone,
        }
    }

    /// Whether a finished block has not been committed yet.
    fn is_pending(&self) -> bool {
        self.committed != (self.next, None)
    }

    fn refused(&self, unit: usize) -> Step {
        match &self.state {
            State::Insert { plan, .. } if plan.single => Step::SetAside { unit },
            // A new attempt, for which the store's clock is needed.
            _ => Step::Replan,
        }
    }

    /// Takes in what came of the step. An outcome that does not belong to the step changes nothing.
    pub fn seen(&mut self, outcome: Outcome) {
        let state = std::mem::replace(&mut self.state, State::Gone);
        self.state = match (state, outcome) {
            (State::Fetch, Outcome::Fetched(offset, plan)) => self.committed(offset, plan, Trust::Doubt),
            (State::Gather, Outcome::Gathered(plan)) => {
                // A batch that is alone from the beginning may be stored in part, by a plan that is lost.
                let trust = if plan.single { Trust::Check } else { Trust::Fresh };
                State::Commit { offset: self.next, plan: Some(plan), trust }
            }
            (State::Gather, Outcome::Known(end)) => {
                State::Commit { offset: end, plan: None, trust: Trust::Fresh }
            }
            (State::Gather, Outcome::Nothing) if self.is_pending() => {
                State::Commit { offset: self.next, plan: None, trust: Trust::Fresh }
            }
            (State::Commit { offset, plan, trust }, Outcome::Committed) => {
                self.committed(offset, plan, trust)
            }
            (State::Commit { offset, plan, trust }, Outcome::Unknown) => {
                State::Confirm { offset, plan, trust }
            }
            (State::Commit { .. }, Outcome::Fenced) => State::Gone,
            (State::Confirm { offset, plan, trust }, Outcome::Fetched(found, found_plan)) => {
                let found = (found, found_plan);
                if found == (offset, plan.clone()) {
                    self.committed(offset, plan, trust)
                } else if found == self.committed {
                    State::Commit { offset, plan, trust }
                } else {
                    State::Gone
                }
            }
            (State::Form { plan, trust }, Outcome::Formed(units)) => {
                let units = Plan::resumed(units, plan.attempt, trust);
                self.stepped(State::Insert { plan, units })
            }
            (State::Form { .. }, Outcome::Broken) => {
                // From here on by the ledger, with what there is.
                self.next = self.committed.0;
                State::Gather
            }
            (State::Insert { plan, mut units }, Outcome::Store(outcome)) => {
                units.seen(outcome);
                self.stepped(State::Insert { plan, units })
            }
            (State::Insert { plan, units }, Outcome::Clock(planned_s)) => {
                let attempt = plan.attempt.saturating_add(1);
                match units.next() {
                    plan::Step::Replan { .. } => {
                        let next = OffsetPlan { attempt, planned_s, ..plan };
                        State::Commit { offset: self.committed.0, plan: Some(next), trust: Trust::Check }
                    }
                    plan::Step::Refused { .. } if !plan.single => {
                        let next = OffsetPlan { attempt, planned_s, single: true, ..plan };
                        State::Commit { offset: self.committed.0, plan: Some(next), trust: Trust::Check }
                    }
                    _ => State::Insert { plan, units },
                }
            }
            (State::Insert { plan, mut units }, Outcome::Replaced(count)) => {
                units.replace_rest(count);
                self.stepped(State::Insert { plan, units })
            }
            (unchanged, _) => unchanged,
        };
    }

    /// What is committed now; `trust`: what may have happened to its plan.
    fn committed(&mut self, offset: i64, plan: Option<OffsetPlan>, trust: Trust) -> State {
        self.next = offset;
        self.committed = (offset, plan.clone());
        match plan {
            Some(plan) => State::Form { plan, trust },
            None => State::Gather,
        }
    }

    /// After the last unit the next block is gathered; the end is committed with its plan.
    fn stepped(&mut self, state: State) -> State {
        match state {
            State::Insert { plan, units } if units.next() == plan::Step::Done => {
                self.next = plan.end;
                State::Gather
            }
            other => other,
        }
    }
}
