//! What the writer of one block does next, given what it has seen: the protocol alone, without any I/O.
//!
//! A block is inserted unit after unit. Answers can be lost, inserts can still arrive after their answer was given
//! up, and an OK under a token that was used before proves nothing (the store logs a token before it keeps the
//! part). Hence:
//! - A clean OK on a fresh plan: next unit.
//! - Anything else puts the rest of the block in doubt. A unit in doubt is read back; present: next; absent: it is
//!   inserted under the same token and read back again.
//! - Absent after an OK: the token is burnt. The attempt has to be over, so that nothing of it can still arrive;
//!   then it is read back once more, and a new attempt with a new token is made durable before it is tried.
//! - A refusal for good ends the block; where an earlier insert may still arrive, not before the attempt is over.
//!
//! A block can also begin with units of which some are stored already: in doubt, where a process before may have
//! used the same tokens; or merely to be checked, where the tokens are new and nothing older is under way.

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Insert the unit under the token of this attempt.
    Insert {
        /// Place of the unit in the block.
        unit: usize,
        /// Number of the attempt, from 0.
        attempt: u32,
    },
    /// Look whether the unit's rows are stored.
    ReadBack {
        /// Place of the unit in the block.
        unit: usize,
    },
    /// Wait until nothing of this attempt can arrive in the store any more.
    Wait,
    /// Make the next attempt durable, planned at the store's clock of now.
    Replan {
        /// Its number.
        attempt: u32,
    },
    /// Every unit is stored.
    Done,
    /// The store will never take this unit; those before it are stored.
    Refused {
        /// Place of the unit in the block.
        unit: usize,
    },
}

/// What came of a step. A step that fails for reasons of its own (no answer to a read, no place for the intent) is
/// simply tried again and not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The insert was answered with OK.
    Inserted,
    /// The insert failed, or no answer came: it may be stored, now or later.
    Failed,
    /// The store refused because the attempt is over by its clock.
    TooLate,
    /// The store refused the content.
    Refused,
    /// Read back: stored.
    Present,
    /// Read back: not stored.
    Absent,
    /// The wait is over.
    Over,
    /// The next attempt is durable.
    Replanned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    /// Insert, with nothing in doubt.
    Fresh,
    /// Read back, with nothing in doubt.
    Check,
    /// Read back before anything is inserted.
    Look,
    /// Insert under a token that may have been used.
    Again,
    /// Read back after such an insert; whether it was answered with OK.
    Verify { answered: bool },
    /// Wait for the attempt's end; whether the content was refused.
    Burnt { refused: bool },
    /// Read back after the attempt's end.
    Last { refused: bool },
    /// A new attempt has to be made durable.
    Replan,
    /// Not before a human being has looked at it.
    Refused,
}

/// The progress of one block.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    units: usize,
    unit: usize,
    attempt: u32,
    trust: Trust,
    state: State,
}

/// What may have happened before this block's next unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Nothing: the tokens were never used.
    Fresh,
    /// It may be stored by an attempt before, but nothing is under way and no token is used.
    Check,
    /// Anything: it is the plan of a process before.
    Doubt,
}

impl Trust {
    fn state(self) -> State {
        match self {
            Trust::Fresh => State::Fresh,
            Trust::Check => State::Check,
            Trust::Doubt => State::Look,
        }
    }
}

impl Plan {
    /// A fresh plan for so many units, under tokens that were never used.
    pub fn new(units: usize) -> Plan {
        Plan::resumed(units, 0, Trust::Fresh)
    }

    /// An attempt of a plan that something may have happened to.
    pub fn resumed(units: usize, attempt: u32, trust: Trust) -> Plan {
        Plan { units, unit: 0, attempt, trust, state: trust.state() }
    }

    /// After a refusal: what follows the units that are stored is replaced, so that there are `units` in all.
    pub fn replace_rest(&mut self, units: usize) {
        if self.state == State::Refused {
            self.units = units;
            self.state = if self.trust == Trust::Fresh { State::Check } else { self.trust.state() };
        }
    }

    /// What to do now.
    pub fn next(&self) -> Step {
        if self.unit >= self.units {
            return Step::Done;
        }
        let (unit, attempt) = (self.unit, self.attempt);
        match self.state {
            State::Fresh | State::Again => Step::Insert { unit, attempt },
            State::Check | State::Look | State::Verify { .. } | State::Last { .. } => Step::ReadBack { unit },
            State::Burnt { .. } => Step::Wait,
            State::Replan => Step::Replan { attempt: attempt.saturating_add(1) },
            State::Refused => Step::Refused { unit },
        }
    }

    /// Takes in what came of the step. An outcome that does not belong to the step changes nothing.
    pub fn seen(&mut self, outcome: Outcome) {
        use Outcome::{Absent, Failed, Inserted, Over, Present, Refused, Replanned, TooLate};
        self.state = match (self.state, outcome) {
            (State::Fresh, Inserted) => return self.advance(),
            (State::Fresh, Failed) => State::Look,
            // Nothing else of this unit is under way: the answer is final.
            (State::Fresh, Refused) => {
                self.state = State::Refused;
                return;
            }
            (State::Check, Present) => return self.advance(),
            (State::Check, Absent) => {
                self.state = State::Fresh;
                return;
            }
            (State::Fresh | State::Again, TooLate) => State::Burnt { refused: false },
            (State::Look | State::Verify { .. } | State::Last { .. }, Present) => return self.advance(),
            (State::Look, Absent) => State::Again,
            (State::Again, Inserted) => State::Verify { answered: true },
            (State::Again, Failed) => State::Verify { answered: false },
            (State::Again, Refused) => State::Burnt { refused: true },
            (State::Verify { answered: true }, Absent) => State::Burnt { refused: false },
            (State::Verify { answered: false }, Absent) => State::Again,
            (State::Burnt { refused }, Over) => State::Last { refused },
            (State::Last { refused: true }, Absent) => State::Refused,
            (State::Last { refused: false }, Absent) => State::Replan,
            (State::Replan, Replanned) => {
                self.attempt = self.attempt.saturating_add(1);
                State::Again
            }
            (unchanged, _) => unchanged,
        };
        self.trust = Trust::Doubt;
    }

    fn advance(&mut self) {
        self.unit += 1;
        self.state = self.trust.state();
    }
}
