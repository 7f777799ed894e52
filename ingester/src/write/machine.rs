//! What to do next with a block, given what has been seen: a pure state machine, driven by the writer and by the
//! model in its tests alike.
//!
//! A block has units (one table, one day, one `Native` block each); they are written in their order, the ledger's
//! last. As long as every insert says OK, each is believed: the tokens are fresh. After the first insert that does
//! not, everything is in doubt, for an OK under a token that may have been used proves nothing (a token that was
//! logged before its part was renamed is burnt: the store says OK and stores nothing). In doubt a unit is read back
//! by the identity of its batches before it is inserted, and again afterwards. What is absent even then is inserted
//! under a new attempt, that is a new token, once the old attempt cannot arrive any more.

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Insert a unit under the token of this attempt. Report [`Seen::Inserted`] or [`Seen::Failed`].
    Insert {
        /// Index of the unit.
        unit: usize,
        /// Part of the token.
        attempt: u32,
    },
    /// Look whether a unit is stored. Report [`Seen::Present`] or [`Seen::Absent`].
    ReadBack {
        /// Index of the unit.
        unit: usize,
    },
    /// Wait until no insert of the attempt before can arrive any more, make the new attempt durable with a new time
    /// of planning. Report [`Seen::Planned`].
    NextAttempt {
        /// The new attempt.
        attempt: u32,
    },
    /// Every unit is stored.
    Done,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The insert said OK.
    Inserted,
    /// The insert said something else, or nothing.
    Failed,
    /// The unit is stored.
    Present,
    /// It is not.
    Absent,
    /// The new attempt is durable.
    Planned,
}

/// The state of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    units: usize,
    unit: usize,
    attempt: u32,
    in_doubt: bool,
    /// The current unit was inserted under the current attempt while in doubt.
    tried: bool,
    step: Step,
}

impl Machine {
    /// A block of so many units, under a fresh plan.
    pub fn new(units: usize) -> Self {
        let mut machine =
            Machine { units, unit: 0, attempt: 1, in_doubt: false, tried: false, step: Step::Done };
        machine.step = machine.begin_unit();
        machine
    }

    /// What to do now.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether anything has gone wrong so far.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Takes what was seen of the current step.
    pub fn saw(&mut self, seen: Seen) {
        self.step = match (self.step, seen) {
            (Step::Insert { .. }, Seen::Inserted) if !self.in_doubt => self.next_unit(),
            (Step::Insert { unit, .. }, Seen::Inserted | Seen::Failed) => {
                // Fresh until now: the failed insert itself counts as tried.
                self.in_doubt = true;
                self.tried = true;
                Step::ReadBack { unit }
            }
            (Step::ReadBack { .. }, Seen::Present) => self.next_unit(),
            (Step::ReadBack { .. }, Seen::Absent) if self.tried => Step::NextAttempt { attempt: self.attempt + 1 },
            (Step::ReadBack { unit }, Seen::Absent) => Step::Insert { unit, attempt: self.attempt },
            (Step::NextAttempt { attempt }, Seen::Planned) => {
                self.attempt = attempt;
                self.tried = false;
                // What was under way when the wait began may have arrived.
                Step::ReadBack { unit: self.unit }
            }
            // Nothing else can be seen of a step: it is done again.
            (step, _) => step,
        };
    }

    fn next_unit(&mut self) -> Step {
        self.unit += 1;
        self.tried = false;
        self.begin_unit()
    }

    fn begin_unit(&self) -> Step {
        if self.unit >= self.units {
            Step::Done
        } else if self.in_doubt {
            Step::ReadBack { unit: self.unit }
        } else {
            Step::Insert { unit: self.unit, attempt: self.attempt }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    /// A store that does what the real one was seen to do.
    #[derive(Default)]
    struct Store {
        /// How often each unit of each batch is stored.
        rows: HashMap<(u32, usize), u32>,
        tokens: BTreeSet<(u32, usize, u32)>,
        /// An insert that nobody heard of any more and that may still arrive, until its attempt is over.
        late: Option<(Vec<u32>, usize, (u32, usize, u32))>,
    }

    impl Store {
        fn insert(&mut self, batches: &[u32], unit: usize, token: (u32, usize, u32), rng: &mut StdRng) -> Seen {
            match rng.random_range(0..10) {
                // Refused before anything happened.
                0 => Seen::Failed,
                // The token is logged, the part is not renamed.
                1 => {
                    self.tokens.insert(token);
                    Seen::Failed
                }
                // Stored, and the reply is lost.
                2 => {
                    self.store(batches, unit, token);
                    Seen::Failed
                }
                // The reply is lost, and it may arrive later.
                3 => {
                    self.late = Some((batches.to_vec(), unit, token));
                    Seen::Failed
                }
                _ => {
                    self.store(batches, unit, token);
                    Seen::Inserted
                }
            }
        }

        fn store(&mut self, batches: &[u32], unit: usize, token: (u32, usize, u32)) {
            if self.tokens.insert(token) {
                for batch in batches {
                    *self.rows.entry((*batch, unit)).or_default() += 1;
                }
            }
        }

        fn arrive(&mut self, rng: &mut StdRng) {
            if rng.random_bool(0.3)
                && let Some((batches, unit, token)) = self.late.take()
            {
                self.store(&batches, unit, token);
            }
        }
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Mutation {
        None,
        /// Believes an OK although the unit is in doubt.
        TrustsOk,
        /// Goes on to a new attempt while the old one may arrive.
        DoesNotWait,
        /// Inserts again without reading back.
        DoesNotReadBack,
        /// After a kill, believes the ledger alone and inserts every unit of a batch that is not in it.
        ForgetsIntents,
    }

    const UNITS: usize = 4;
    const LEDGER: usize = UNITS - 1;

    /// Sends batches until all are acknowledged, with kills in between; gives what went wrong.
    fn run(seed: u64, mutation: Mutation) -> Option<String> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut store = Store::default();
        let mut plan = 0;
        let mut acknowledged = BTreeSet::new();
        let batches = 1..=rng.random_range(1..6_u32);
        let mut open_intents: BTreeSet<u32> = BTreeSet::new();
        for _ in 0..200 {
            // A start: what open intents name is read back unit by unit; nothing late outlives the process.
            store.late = None;
            let known: BTreeSet<u32> = batches.clone().filter(|batch| store.rows.contains_key(&(*batch, LEDGER))).collect();
            let partly = |batch: u32, unit: usize, store: &Store| {
                mutation != Mutation::ForgetsIntents && open_intents.contains(&batch) && store.rows.contains_key(&(batch, unit))
            };
            acknowledged.extend(&known);
            let left: Vec<u32> = batches.clone().filter(|batch| !known.contains(batch)).collect();
            let Some(count) = (!left.is_empty()).then(|| rng.random_range(1..=left.len())) else { break };
            let block = &left[..count];
            let stored_before: Vec<Vec<u32>> =
                (0..UNITS).map(|unit| block.iter().copied().filter(|batch| !partly(*batch, unit, &store)).collect()).collect();
            plan += 1;
            open_intents.extend(block);
            let mut machine = Machine::new(UNITS);
            let killed_after = if rng.random_bool(0.4) { rng.random_range(0..12) } else { usize::MAX };
            for turn in 0.. {
                if turn == killed_after {
                    break;
                }
                store.arrive(&mut rng);
                let seen = match machine.step() {
                    Step::Done => {
                        acknowledged.extend(block);
                        open_intents.retain(|batch| !block.contains(batch));
                        break;
                    }
                    Step::Insert { unit, attempt } => {
                        let missing = &stored_before[unit];
                        if missing.is_empty() {
                            Seen::Inserted
                        } else {
                            store.insert(missing, unit, (plan, unit, attempt), &mut rng)
                        }
                    }
                    Step::ReadBack { unit } => {
                        let there = stored_before[unit].iter().all(|batch| store.rows.contains_key(&(*batch, unit)));
                        if there || mutation == Mutation::TrustsOk && machine.tried && rng.random_bool(0.5) {
                            Seen::Present
                        } else {
                            Seen::Absent
                        }
                    }
                    Step::NextAttempt { .. } => {
                        if mutation != Mutation::DoesNotWait {
                            store.late = None;
                        }
                        Seen::Planned
                    }
                };
                machine.saw(seen);
                if mutation == Mutation::DoesNotReadBack
                    && let Step::ReadBack { .. } = machine.step()
                {
                    machine.saw(Seen::Absent);
                }
                assert!(turn < 10_000, "seed {seed}: it never ends");
            }
        }
        for batch in batches {
            for unit in 0..UNITS {
                let count = store.rows.get(&(batch, unit)).copied().unwrap_or(0);
                if count > 1 {
                    return Some(format!("seed {seed}: batch {batch} is {count} times in unit {unit}"));
                }
                if count == 0 && acknowledged.contains(&batch) {
                    return Some(format!("seed {seed}: batch {batch} is acknowledged and lost from unit {unit}"));
                }
            }
        }
        None
    }

    #[test]
    fn whatever_fails_and_whenever_it_is_killed_every_unit_is_stored_once() {
        for seed in 0..20_000 {
            assert_eq!(run(seed, Mutation::None), None);
        }
    }

    #[test]
    fn the_model_catches_what_simpler_protocols_get_wrong() {
        for mutation in [Mutation::TrustsOk, Mutation::DoesNotWait, Mutation::DoesNotReadBack, Mutation::ForgetsIntents] {
            assert!((0..5_000).any(|seed| run(seed, mutation).is_some()), "{mutation:?} is not caught");
        }
    }

    #[test]
    fn a_fresh_plan_that_goes_well_is_never_read_back() {
        let mut machine = Machine::new(3);
        for unit in 0..3 {
            assert_eq!(machine.step(), Step::Insert { unit, attempt: 1 });
            machine.saw(Seen::Inserted);
        }
        assert_eq!(machine.step(), Step::Done);
    }

    #[test]
    fn the_rest_of_a_block_is_in_doubt_after_one_failure() {
        let mut machine = Machine::new(2);
        machine.saw(Seen::Failed);
        assert_eq!(machine.step(), Step::ReadBack { unit: 0 });
        machine.saw(Seen::Present);
        assert_eq!(machine.step(), Step::ReadBack { unit: 1 });
        machine.saw(Seen::Absent);
        assert_eq!(machine.step(), Step::Insert { unit: 1, attempt: 1 });
        machine.saw(Seen::Inserted);
        assert_eq!(machine.step(), Step::ReadBack { unit: 1 });
        machine.saw(Seen::Absent);
        assert_eq!(machine.step(), Step::NextAttempt { attempt: 2 });
        machine.saw(Seen::Planned);
        assert_eq!(machine.step(), Step::ReadBack { unit: 1 });
    }
}
