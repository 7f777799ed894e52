//! A model of store, kills and shipper around the real plan, memory and ledger: every insert may fail, be stored
//! without an answer, arrive later, burn its token, or be cut off by a kill. Afterwards every row of every batch must
//! be stored once. Explored at random and, for small cases, exhaustively; broken protocols must be caught.

use std::collections::{BTreeMap, HashSet};

use lastwords_record::{BatchId, ShipperId};

use super::{
    ledger::Ledger,
    memory::Memory,
    plan::{Outcome, Plan, Step},
    unit::{Table, Unit},
};

/// Ways to break the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    None,
    /// The ledger before the rows.
    LedgerFirst,
    /// The ledger last, and open intents are not read back at the start.
    NoReadBack,
    /// An OK to a repeated token is believed.
    TrustOk,
    /// A new attempt while the one before may still arrive.
    NoWait,
    /// Tokens that a process before may have used.
    OldTokens,
    /// Intents of partly stored batches are dropped after the start.
    ForgetIntents,
}

/// Where choices come from.
enum Chooser {
    Random(u64),
    /// The choices to make, then the first of each; and how many there were.
    Path {
        path: Vec<usize>,
        widths: Vec<usize>,
    },
}

impl Chooser {
    fn choose(&mut self, among: usize) -> usize {
        match self {
            Chooser::Random(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % among
            }
            Chooser::Path { path, widths } => {
                let depth = widths.len();
                widths.push(among);
                if depth == path.len() {
                    path.push(0);
                }
                path[depth]
            }
        }
    }

    /// The next path in depth-first order; false after the last.
    fn advance(path: &mut Vec<usize>, widths: &[usize]) -> bool {
        path.truncate(widths.len());
        while let Some(last) = path.pop() {
            if last + 1 < widths[path.len()] {
                path.push(last + 1);
                return true;
            }
        }
        false
    }
}

type Token = (u64, u32, Unit, Vec<BatchId>);

struct Killed;

struct World {
    chooser: Chooser,
    mutation: Mutation,
    batches: Vec<BatchId>,
    faults_left: usize,
    rows: BTreeMap<(BatchId, Unit), usize>,
    tokens: HashSet<Token>,
    /// Inserts that were given up and may still arrive.
    late: Vec<(Token, Vec<BatchId>)>,
    intents: Vec<(u64, Vec<BatchId>)>,
    memory: Memory,
    acknowledged: HashSet<BatchId>,
    block: u64,
}

fn units_of(id: &BatchId) -> Vec<Unit> {
    let mut units = vec![Unit { table: Table::Events, day: 1 }, Unit { table: Table::Logs, day: 1 }];
    if id.sequence.is_multiple_of(2) {
        units.push(Unit { table: Table::Logs, day: 2 });
    }
    units.push(Unit { table: Table::Batches, day: 0 });
    units
}

impl World {
    fn new(chooser: Chooser, mutation: Mutation, batches: u64, faults_left: usize) -> World {
        let id = |sequence| BatchId { shipper: ShipperId([1; 16]), epoch: 1, sequence };
        World {
            chooser,
            mutation,
            batches: (1..=batches).map(id).collect(),
            faults_left,
            rows: BTreeMap::new(),
            tokens: HashSet::new(),
            late: Vec::new(),
            intents: Vec::new(),
            memory: Memory::default(),
            acknowledged: HashSet::new(),
            block: 0,
        }
    }

    /// Lets the shipper send until everything is acknowledged; says what is wrong afterwards.
    fn run(&mut self) -> Result<(), String> {
        let mut rounds = 0;
        while self.acknowledged.len() < self.batches.len() {
            rounds += 1;
            if rounds > 1000 {
                return Err("it never ends".to_owned());
            }
            if self.some_block().is_err() {
                self.start();
            }
            self.check()?;
        }
        // Nothing late may change what is stored.
        self.arrive_all();
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        if let Some((row, count)) = self.rows.iter().find(|(_, count)| **count > 1) {
            return Err(format!("{row:?} is stored {count} times"));
        }
        for id in &self.acknowledged {
            for unit in units_of(id) {
                if !self.rows.contains_key(&(*id, unit)) {
                    return Err(format!("{id} was acknowledged and lacks {unit:?}"));
                }
            }
        }
        Ok(())
    }

    /// A kill ends the engine, too: what was under way is gone, what is stored stays.
    fn start(&mut self) {
        self.late.clear();
        let mut ledger = Ledger::default();
        let stored: Vec<(BatchId, Unit)> = self.rows.keys().copied().collect();
        stored.iter().filter(|(_, unit)| unit.table == Table::Batches).for_each(|(id, _)| ledger.insert(*id));
        self.memory = Memory::new(ledger);
        if self.mutation != Mutation::NoReadBack {
            for (id, unit) in stored {
                if self.intents.iter().any(|(_, ids)| ids.contains(&id)) {
                    self.memory.stored(id, unit);
                }
            }
        }
        if self.mutation == Mutation::ForgetIntents {
            self.intents.clear();
        }
        self.forget_settled();
    }

    fn forget_settled(&mut self) {
        let memory = &self.memory;
        self.intents.retain(|(_, ids)| ids.iter().any(|id| memory.is_partly_stored(id)));
    }

    /// The shipper sends some of what is not acknowledged; it becomes a block.
    fn some_block(&mut self) -> Result<(), Killed> {
        let open: Vec<BatchId> =
            self.batches.iter().copied().filter(|id| !self.acknowledged.contains(id)).collect();
        let count = 1 + self.chooser.choose(open.len());
        let (known, kept): (Vec<_>, Vec<_>) =
            open.into_iter().take(count).partition(|id| self.memory.knows(id));
        self.acknowledged.extend(known);
        if kept.is_empty() {
            return Ok(());
        }
        let mut units: Vec<Unit> = kept.iter().flat_map(units_of).collect();
        units.sort();
        units.dedup();
        if self.mutation == Mutation::LedgerFirst {
            units.rotate_right(1);
        }
        let partly = self.memory.partly_stored_among(kept.iter().copied());
        let lacks = |id: &BatchId, unit: Unit| {
            units_of(id).contains(&unit) && !partly.get(id).is_some_and(|units| units.contains(&unit))
        };
        units.retain(|unit| kept.iter().any(|id| lacks(id, *unit)));
        self.block += 1;
        self.intents.push((self.block, kept.clone()));
        self.maybe_kill()?;

        let mut plan = Plan::new(units.len());
        let mut believed = false;
        for _ in 0..200 {
            let outcome = match plan.next() {
                Step::Done => {
                    self.maybe_kill()?;
                    kept.iter().for_each(|id| self.memory.done(*id));
                    self.acknowledged.extend(kept);
                    let block = self.block;
                    self.intents.retain(|(number, _)| *number != block);
                    self.forget_settled();
                    return Ok(());
                }
                Step::Insert { unit, attempt } => {
                    let unit = units[unit];
                    let nonce = if self.mutation == Mutation::OldTokens { 0 } else { self.block };
                    let rows: Vec<BatchId> = kept.iter().copied().filter(|id| lacks(id, unit)).collect();
                    let outcome = self.insert((nonce, attempt, unit, kept.clone()), rows)?;
                    believed = outcome == Outcome::Inserted && self.mutation == Mutation::TrustOk;
                    outcome
                }
                Step::ReadBack { unit } => {
                    self.maybe_arrive();
                    let unit = units[unit];
                    let there = kept.iter().any(|id| lacks(id, unit) && self.rows.contains_key(&(*id, unit)));
                    if there || std::mem::take(&mut believed) { Outcome::Present } else { Outcome::Absent }
                }
                Step::Wait => {
                    if self.mutation != Mutation::NoWait {
                        self.maybe_arrive();
                        self.late.clear();
                    }
                    Outcome::Over
                }
                Step::Replan { .. } => {
                    self.maybe_kill()?;
                    Outcome::Replanned
                }
                Step::Refused { .. } => panic!("the model never refuses for good"),
            };
            plan.seen(outcome);
        }
        panic!("a plan does not end: {plan:?}");
    }

    fn fault(&mut self, kinds: usize) -> usize {
        if self.faults_left == 0 {
            return 0;
        }
        let kind = self.chooser.choose(kinds + 1);
        self.faults_left -= usize::from(kind > 0);
        kind
    }

    fn maybe_kill(&mut self) -> Result<(), Killed> {
        if self.fault(1) == 1 { Err(Killed) } else { Ok(()) }
    }

    fn insert(&mut self, token: Token, rows: Vec<BatchId>) -> Result<Outcome, Killed> {
        self.maybe_arrive();
        match self.fault(7) {
            0 => self.store(&token, &rows),
            1 => return Ok(Outcome::Failed),
            2 => {
                self.store(&token, &rows);
                return Ok(Outcome::Failed);
            }
            3 => {
                self.late.push((token, rows));
                return Ok(Outcome::Failed);
            }
            // The token is logged, the part is not kept: at a full disk, and by a kill.
            4 => {
                self.tokens.insert(token);
                return Ok(Outcome::Failed);
            }
            5 => {
                self.tokens.insert(token);
                return Err(Killed);
            }
            6 => {
                self.store(&token, &rows);
                return Err(Killed);
            }
            _ => return Ok(Outcome::TooLate),
        }
        Ok(Outcome::Inserted)
    }

    fn store(&mut self, token: &Token, rows: &[BatchId]) {
        if self.tokens.insert(token.clone()) {
            for id in rows {
                *self.rows.entry((*id, token.2)).or_default() += 1;
            }
        }
    }

    fn maybe_arrive(&mut self) {
        if !self.late.is_empty() && self.chooser.choose(2) == 1 {
            self.arrive_all();
        }
    }

    fn arrive_all(&mut self) {
        for (token, rows) in std::mem::take(&mut self.late) {
            self.store(&token, &rows);
        }
    }
}

fn at_random(mutation: Mutation, seeds: u64) -> Result<(), String> {
    for seed in 1..=seeds {
        let chooser = Chooser::Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut world = World::new(chooser, mutation, 4, 6);
        world.run().map_err(|wrong| format!("seed {seed}: {wrong}"))?;
    }
    Ok(())
}

fn exhaustively(mutation: Mutation, batches: u64, faults: usize) -> Result<u64, String> {
    let (mut path, mut runs) = (Vec::new(), 0);
    loop {
        let chooser = Chooser::Path { path: std::mem::take(&mut path), widths: Vec::new() };
        let mut world = World::new(chooser, mutation, batches, faults);
        let result = world.run();
        runs += 1;
        let Chooser::Path { path: taken, widths } = world.chooser else { unreachable!() };
        result.map_err(|wrong| format!("run {runs}: {wrong}"))?;
        path = taken;
        if !Chooser::advance(&mut path, &widths) {
            return Ok(runs);
        }
    }
}

#[test]
fn every_row_is_stored_once_at_random() {
    assert_eq!(at_random(Mutation::None, 40_000), Ok(()));
}

#[test]
fn every_row_is_stored_once_in_every_run_of_a_small_case() {
    let runs = exhaustively(Mutation::None, 2, 2).unwrap();
    assert!(runs > 1_000, "only {runs} runs");
}

#[test]
fn broken_protocols_are_caught() {
    use Mutation::{ForgetIntents, LedgerFirst, NoReadBack, NoWait, OldTokens, TrustOk};
    for mutation in [LedgerFirst, NoReadBack, TrustOk, NoWait, OldTokens, ForgetIntents] {
        assert!(at_random(mutation, 40_000).is_err(), "{mutation:?} was not caught");
    }
}
