//! A model of Kafka, two writers, two partitions and the store around the real [`Machine`]: partitions change hands at
//! any moment while their former writer goes on unknowing, writers and the store are killed, commits lose their reply,
//! inserts fail, arrive late or burn their token, tokens are evicted, power loss forgets tokens; a log loses its end, or
//! is made anew, and what was lost of it comes again, or not; numbers are used twice for different contents. Afterwards
//! every row of every batch that the logs have must be stored once. Broken protocols must be caught.
//!
//! A batch of the logs is a number up to 99, and a content in hundreds: 105 is another batch 5. What is stored is named
//! by its batch; under an epoch of its own, 1,000 are added.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the model's numbers are small"
)]

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    losses::{Log, Looked},
    machine::{Machine, Outcome, Step},
    offset_plan::{Mark, OffsetPlan, ReadHash, ranges},
};
use crate::write::plan;

/// Ways to break the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    None,
    /// Commits are accepted from whoever sends them.
    Unfenced,
    /// A recovered plan is filtered by the ledger.
    AskLedger,
    /// Plans are not kept.
    NoPlan,
    /// The ledger before the rows, and a recovered plan is filtered by it. (The order alone does no harm: a plan is
    /// finished whatever the ledger says.)
    LedgerFirst,
    /// An OK to an insert in doubt is believed.
    TrustOk,
    /// A further attempt under a new token while the one before may still arrive.
    NoWait,
    /// The store takes inserts however late, and forgets tokens.
    NoDeadline,
    /// The same batch twice in one block.
    KeepTwins,
    /// The highest number instead of the set.
    HighWater,
    /// Whatever has a known number is taken for known.
    IgnoreContent,
    /// What stands before the committed offset is not looked at.
    NoLook,
    /// What a lost plan had stored is not looked for.
    ForgetPartly,
}

const ATTEMPT: u32 = 60;
const SLACK: u32 = 5;
/// Logs of both partitions: numbers of batches, some of which come again, also after later ones.
const LOGS: [&[u64]; 2] = [&[0, 1, 0, 2, 101, 1, 3, 4], &[11, 10, 11, 112, 12, 112, 12, 13]];
/// What comes after a log has lost its end, in place of it or behind it.
const LATER: [&[u64]; 2] = [&[5, 6, 7, 8, 9, 105], &[15, 16, 17, 18, 19, 115]];
const BLOCK_MAX: i64 = 3;

/// A unit: events, logs of one or two days, quarantine, ledger; in the order of insertion.
type Unit = u8;
const EVENTS: Unit = 0;
const LOGS_DAY_1: Unit = 1;
const LOGS_DAY_2: Unit = 2;
const QUARANTINE: Unit = 3;
const LEDGER: Unit = 4;

/// Added to what is stored under an epoch of its own.
const OWN: u64 = 1_000;

fn units_of(batch: u64) -> Vec<Unit> {
    if (batch % 100).is_multiple_of(2) {
        vec![EVENTS, LOGS_DAY_1, LOGS_DAY_2, LEDGER]
    } else {
        vec![EVENTS, LOGS_DAY_1, LEDGER]
    }
}

/// A batch, and when it came.
type Message = (u64, i64);

fn messages(batches: &[u64], time: i64) -> Vec<Message> {
    batches.iter().copied().zip(time..).collect()
}

fn mark((batch, time): Message) -> Mark {
    Mark { last: batch + 1, time_ms: time + 1 }
}

/// What makes a token: partition, begin, end, attempt, unit, the batch where each goes by itself, and what is kept.
type Token = (usize, i64, i64, u32, Unit, Option<u64>, u64);

#[derive(Debug, Clone)]
struct Insert {
    token: Token,
    planned_s: u32,
    rows: Vec<u64>,
}

/// One writer's work on one partition.
#[derive(Debug, Clone)]
struct Run {
    machine: Machine,
    generation: u64,
    ledger: Option<HashSet<u64>>,
    /// The kept batches of the block that is inserted.
    kept: Vec<u64>,
    begin: i64,
    plan: Option<OffsetPlan>,
    /// The units and the batches whose rows each has.
    units: Vec<(Unit, Vec<u64>)>,
    aside: HashSet<u64>,
    /// Whether the last insert was answered with OK.
    answered: bool,
    /// The log as it was looked at, and how often it had been replaced by then.
    log: Vec<Message>,
    era: u32,
    looked: bool,
    /// What is committed is of this log.
    has_committed: bool,
    /// Batches of which a lost plan may have stored something, as the store said with the ledger.
    partly: HashSet<u64>,
}

struct World {
    random: u64,
    mutation: Mutation,
    faults_left: u32,
    now_s: u32,
    store_began_s: u32,
    poison: Option<u64>,
    rows: BTreeMap<(u64, Unit), u32>,
    tokens: HashMap<Token, u32>,
    late: Vec<Insert>,
    committed: [(i64, Option<OffsetPlan>); 2],
    /// The batch before each committed offset.
    marks: [Option<Mark>; 2],
    logs: [Vec<Message>; 2],
    /// How often each log was replaced.
    eras: [u32; 2],
    generation: [u64; 2],
    owner: [Option<usize>; 2],
    runs: HashMap<(usize, usize), Run>,
    /// What the store remembers of lost plans.
    repairs: HashSet<u64>,
}

impl World {
    fn new(seed: u64, mutation: Mutation) -> World {
        let mut world = World {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            mutation,
            faults_left: 0,
            now_s: 1_000,
            store_began_s: 0,
            poison: None,
            rows: BTreeMap::new(),
            tokens: HashMap::new(),
            late: Vec::new(),
            committed: [(0, None), (0, None)],
            marks: [None, None],
            logs: LOGS.map(|log| messages(log, 0)),
            eras: [0; 2],
            generation: [0; 2],
            owner: [None; 2],
            runs: HashMap::new(),
            repairs: HashSet::new(),
        };
        world.faults_left = u32::try_from(world.choose(14)).unwrap();
        if world.choose(4) == 0 {
            world.poison = Some([1, 3, 12][world.choose(3)]);
        }
        world
    }

    fn choose(&mut self, among: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % among
    }

    /// One time in so many, while there are faults left.
    fn fault(&mut self, among: usize) -> bool {
        let now = self.faults_left > 0 && self.choose(among) == 0;
        self.faults_left -= u32::from(now);
        now
    }

    fn run(&mut self) -> Result<(), String> {
        for _ in 0..5_000 {
            if self.is_done() {
                // Nothing late may change what is stored.
                self.arrive_all();
                self.check()?;
                return self.check_complete();
            }
            self.some_fault();
            self.give_partitions();
            let mut actors: Vec<(usize, usize)> = self.runs.keys().copied().collect();
            actors.sort_unstable();
            let actor = actors[self.choose(actors.len())];
            self.step(actor);
            self.check()?;
        }
        Err("it never ends".to_owned())
    }

    fn is_done(&self) -> bool {
        (0..2).all(|at| self.committed[at] == (self.logs[at].len() as i64, None) && self.is_looked_at(at))
    }

    /// A log that was replaced must have been read by somebody who has seen that.
    fn is_looked_at(&self, partition: usize) -> bool {
        let now = self.eras[partition];
        now == 0
            || self
                .runs
                .iter()
                .any(|((_, of), run)| *of == partition && run.looked && run.era == now && run.has_committed)
    }

    fn check(&self) -> Result<(), String> {
        let ledger: Vec<u64> = self.ledger().into_iter().filter(|stored| *stored < OWN).collect();
        if let Some(one) =
            ledger.iter().find(|one| ledger.iter().any(|two| two % 100 == *one % 100 && two > one))
        {
            return Err(format!("the number of {one} is stored with two contents"));
        }
        match self.rows.iter().find(|(_, count)| **count > 1) {
            Some((row, count)) => Err(format!("{row:?} is stored {count} times")),
            None => Ok(()),
        }
    }

    fn check_complete(&self) -> Result<(), String> {
        for (batch, _) in self.logs.iter().flat_map(|log| log.iter().copied()) {
            let wanted = if self.poison == Some(batch) { vec![QUARANTINE, LEDGER] } else { units_of(batch) };
            let lacks = |stored: u64| wanted.iter().find(|unit| !self.rows.contains_key(&(stored, **unit)));
            if let (Some(unit), Some(_)) = (lacks(batch), lacks(OWN + batch)) {
                return Err(format!("batch {batch} lacks unit {unit}"));
            }
        }
        Ok(())
    }

    fn ledger(&self) -> HashSet<u64> {
        self.rows.keys().filter(|(_, unit)| *unit == LEDGER).map(|(batch, _)| *batch).collect()
    }

    /// The broker loses power, or the topic is made anew: the log ends earlier, and goes on with what was not
    /// acknowledged yet and comes again, and with what is new.
    fn lose_end(&mut self, partition: usize) {
        let from = if self.choose(4) == 0 { 0 } else { self.choose(self.logs[partition].len() + 1) };
        let lost = self.logs[partition].split_off(from);
        let again = self.choose(lost.len() + 1);
        let new = 1 + self.choose(LATER[partition].len());
        let again: Vec<u64> = lost[lost.len() - again..].iter().map(|(batch, _)| *batch).collect();
        self.logs[partition].extend(messages(&again, 100));
        self.logs[partition].extend(messages(&LATER[partition][..new], 200));
        self.eras[partition] += 1;
    }

    fn some_fault(&mut self) {
        if self.fault(40) {
            // The partition goes to the other writer, whose former one does not know it yet.
            let partition = self.choose(2);
            self.owner[partition] = None;
        }
        if self.fault(60) {
            let writer = self.choose(2);
            self.runs.retain(|(of, _), _| *of != writer);
            for owner in &mut self.owner {
                if *owner == Some(writer) {
                    *owner = None;
                }
            }
        }
        if self.fault(60) {
            self.kill_store();
        }
        if self.fault(60) {
            let partition = self.choose(2);
            if self.eras[partition] == 0 {
                self.lose_end(partition);
            }
        }
        if self.fault(40) {
            self.pass_time(70);
        }
        if !self.late.is_empty() && self.choose(4) == 0 {
            let at = self.choose(self.late.len());
            let insert = self.late.swap_remove(at);
            self.store(&insert);
        }
    }

    /// Power loss: what was under way is gone, and any part of the tokens; parts were synced.
    fn kill_store(&mut self) {
        self.late.clear();
        self.now_s += 1;
        self.store_began_s = self.now_s;
        let mut tokens: Vec<Token> = self.tokens.keys().copied().collect();
        tokens.sort_unstable();
        for token in tokens {
            if self.choose(2) == 0 {
                self.tokens.remove(&token);
            }
        }
        self.now_s += 1;
    }

    /// Tokens are kept for as long as an attempt can last, and no longer.
    fn pass_time(&mut self, seconds: u32) {
        self.now_s += seconds;
        let now_s = self.now_s;
        self.tokens.retain(|_, planned_s| now_s <= *planned_s + ATTEMPT + SLACK);
    }

    fn give_partitions(&mut self) {
        for partition in 0..2 {
            if self.owner[partition].is_none() {
                let writer = self.choose(2);
                // Whoever takes it begins anew, even where it never knew that it had lost it.
                self.generation[partition] += 1;
                self.owner[partition] = Some(writer);
                let run = Run {
                    machine: Machine::new(),
                    generation: self.generation[partition],
                    ledger: None,
                    kept: Vec::new(),
                    begin: 0,
                    plan: None,
                    units: Vec::new(),
                    aside: HashSet::new(),
                    answered: false,
                    log: Vec::new(),
                    era: 0,
                    looked: false,
                    has_committed: false,
                    partly: HashSet::new(),
                };
                self.runs.insert((writer, partition), run);
            }
        }
    }

    fn step(&mut self, actor: (usize, usize)) {
        let Some(mut run) = self.runs.remove(&actor) else { return };
        let partition = actor.1;
        let step = run.machine.next();
        let reads =
            matches!(step, Step::Gather { .. }) || matches!(step, Step::Form { .. } if run.kept.is_empty());
        if reads && run.looked && run.era != self.eras[partition] && self.mutation != Mutation::NoLook {
            // Kafka's client says so: everything is taken up anew.
            run = Run { machine: Machine::new(), ledger: None, looked: false, kept: Vec::new(), ..run };
            self.runs.insert(actor, run);
            return;
        }
        let outcome = match step {
            Step::Fetch => self.fetch(&mut run, partition),
            Step::Gather { from, pending } => self.gather(&mut run, partition, from, pending),
            Step::Commit { offset, plan } => self.commit(&mut run, actor, offset, plan),
            Step::Form { begin, plan } => self.form(&mut run, partition, begin, plan),
            Step::Store(step) => {
                let outcome = self.store_step(&run, partition, step);
                run.answered = outcome == plan::Outcome::Inserted;
                Outcome::Store(outcome)
            }
            Step::Replan => Outcome::Clock(self.now_s.max(self.store_began_s + 1)),
            Step::SetAside { unit } => set_aside(&mut run, unit),
            Step::Gone => {
                if self.owner[partition] == Some(actor.0) && self.generation[partition] == run.generation {
                    self.owner[partition] = None;
                }
                return;
            }
        };
        run.machine.seen(outcome);
        self.runs.insert(actor, run);
    }

    /// What is committed, and whether the log is the one that was read.
    fn fetch(&mut self, run: &mut Run, partition: usize) -> Outcome {
        let (offset, plan) = self.committed[partition].clone();
        let log = self.logs[partition].clone();
        let looked = Looked {
            committed: offset,
            low: 0,
            high: log.len() as i64,
            mark: self.marks[partition],
            before: usize::try_from(offset - 1).ok().and_then(|at| log.get(at).copied()).map(mark),
        };
        if run.looked {
            return Outcome::Fetched(offset, plan);
        }
        (run.looked, run.era, run.log) = (true, self.eras[partition], log);
        let is_same = looked.judge() == Log::Same;
        run.has_committed = is_same;
        if is_same || (self.mutation == Mutation::NoLook && offset <= looked.high) {
            return Outcome::Fetched(offset, plan);
        }
        if let Some(plan) = plan {
            self.find_partly_stored(&plan);
        }
        Outcome::Fetched(0, None)
    }

    fn find_partly_stored(&mut self, plan: &OffsetPlan) {
        let over_s = plan.planned_s + ATTEMPT + SLACK;
        if self.now_s <= over_s {
            self.pass_time(over_s + 1 - self.now_s);
        }
        if self.mutation != Mutation::ForgetPartly {
            let ledger = self.ledger();
            let unknown = self.rows.keys().map(|(batch, _)| *batch).filter(|batch| !ledger.contains(batch));
            self.repairs.extend(unknown);
        }
    }

    fn gather(&mut self, run: &mut Run, partition: usize, from: i64, pending: bool) -> Outcome {
        // A finished block is in the ledger.
        let done = std::mem::take(&mut run.kept);
        let stored = self.ledger();
        if run.ledger.is_none() {
            run.partly = self.repairs.difference(&stored).copied().collect();
        }
        let ledger = run.ledger.get_or_insert(stored);
        ledger.extend(done);
        let ledger = ledger.clone();
        let length = self.logs[partition].len() as i64;
        if from >= length || (pending && self.choose(3) == 0) {
            return Outcome::Nothing;
        }
        let end = length.min(from + 1 + self.choose(BLOCK_MAX as usize) as i64);
        let (mut kept, mut skipped, mut renumbered) = (Vec::new(), Vec::new(), Vec::new());
        let mut reached = from;
        for offset in from..end {
            let (batch, _) = self.logs[partition][offset as usize];
            let standing = standing(batch, &ledger, &kept, self.mutation);
            let is_partly = standing.is_some_and(|stored_as| run.partly.contains(&stored_as));
            if is_partly && !kept.is_empty() {
                break;
            }
            reached = offset + 1;
            match standing {
                None => skipped.push(offset),
                Some(stored_as) => {
                    kept.push(stored_as);
                    if stored_as >= OWN {
                        renumbered.push(offset);
                    }
                }
            }
            if is_partly {
                break;
            }
        }
        if kept.is_empty() {
            return Outcome::Known(reached);
        }
        let planned_s = self.now_s.max(self.store_began_s + 1);
        let single = kept.iter().any(|batch| run.partly.contains(batch));
        let (skipped, renumbered) = (ranges(from, skipped.into_iter()), ranges(from, renumbered.into_iter()));
        let hash = hash(&kept);
        let read = read_hash(&self.logs[partition], from, reached);
        Outcome::Gathered(OffsetPlan {
            end: reached,
            attempt: 0,
            planned_s,
            single,
            hash,
            skipped,
            renumbered,
            read,
        })
    }

    fn commit(
        &mut self,
        run: &mut Run,
        actor: (usize, usize),
        offset: i64,
        plan: Option<OffsetPlan>,
    ) -> Outcome {
        let partition = actor.1;
        let is_holder =
            self.owner[partition] == Some(actor.0) && self.generation[partition] == run.generation;
        if !is_holder && self.mutation != Mutation::Unfenced {
            return Outcome::Fenced;
        }
        let lost = self.fault(20);
        if lost && self.choose(2) == 0 {
            return Outcome::Unknown;
        }
        let plan = plan.filter(|_| self.mutation != Mutation::NoPlan);
        self.committed[partition] = (offset, plan);
        run.has_committed = true;
        let before = usize::try_from(offset - 1).ok();
        self.marks[partition] = before.and_then(|at| run.log.get(at).copied()).map(mark);
        if lost { Outcome::Unknown } else { Outcome::Committed }
    }

    fn form(&mut self, run: &mut Run, partition: usize, begin: i64, plan: OffsetPlan) -> Outcome {
        let log = &self.logs[partition];
        let stored_as = |offset: i64| {
            let (batch, _) = log.get(offset as usize)?;
            Some(if plan.renumbers(begin, offset) { OWN + batch } else { *batch })
        };
        let mut kept: Vec<u64> =
            (begin..plan.end).filter(|offset| plan.keeps(begin, *offset)).filter_map(stored_as).collect();
        let is_whole = hash(&kept) == plan.hash && read_hash(log, begin, plan.end) == plan.read;
        if run.kept.is_empty() && !is_whole {
            // What was planned is not in the log any more.
            self.find_partly_stored(&plan);
            run.ledger = None;
            return Outcome::Broken;
        }
        if !run.kept.is_empty() {
            kept.clone_from(&run.kept);
        }
        if [Mutation::AskLedger, Mutation::LedgerFirst].contains(&self.mutation) {
            kept.retain(|batch| !self.rows.contains_key(&(*batch, LEDGER)));
        }
        run.units = if plan.single {
            kept.iter().flat_map(|batch| self.units_single(run, *batch)).collect()
        } else {
            let mut units: Vec<Unit> = kept.iter().flat_map(|batch| units_of(*batch)).collect();
            units.sort_unstable();
            units.dedup();
            if self.mutation == Mutation::LedgerFirst && !units.is_empty() {
                units.rotate_right(1);
            }
            let of = |unit| kept.iter().copied().filter(|batch| units_of(*batch).contains(&unit)).collect();
            units.into_iter().map(|unit| (unit, of(unit))).collect()
        };
        run.kept = kept;
        run.begin = begin;
        run.plan = Some(plan);
        Outcome::Formed(run.units.len())
    }

    fn units_single(&self, run: &Run, batch: u64) -> Vec<(Unit, Vec<u64>)> {
        let units = if run.aside.contains(&batch) { vec![QUARANTINE, LEDGER] } else { units_of(batch) };
        units.into_iter().map(|unit| (unit, vec![batch])).collect()
    }

    fn store_step(&mut self, run: &Run, partition: usize, step: plan::Step) -> plan::Outcome {
        let plan = run.plan.clone().unwrap();
        match step {
            plan::Step::Insert { unit, .. } => {
                let (unit, batches) = run.units[unit].clone();
                let alone = plan.single.then(|| batches[0]);
                let token = (partition, run.begin, plan.end, plan.attempt, unit, alone, plan.hash);
                self.insert(Insert { token, planned_s: plan.planned_s, rows: batches })
            }
            plan::Step::ReadBack { unit } => {
                let (unit, batches) = &run.units[unit];
                let there = batches.iter().any(|batch| self.rows.contains_key(&(*batch, *unit)));
                let believed = run.answered && self.mutation == Mutation::TrustOk;
                if there || believed { plan::Outcome::Present } else { plan::Outcome::Absent }
            }
            plan::Step::Wait => {
                let over_s = plan.planned_s + ATTEMPT + SLACK;
                if self.mutation != Mutation::NoWait && self.now_s <= over_s {
                    self.pass_time(over_s + 1 - self.now_s);
                }
                plan::Outcome::Over
            }
            other => panic!("{other:?} is not the store's"),
        }
    }

    fn insert(&mut self, insert: Insert) -> plan::Outcome {
        use plan::Outcome::{Failed, Inserted, Refused, TooLate};
        if !self.is_in_time(&insert) {
            return TooLate;
        }
        let poisoned = insert.rows.iter().any(|batch| self.poison == Some(*batch % OWN));
        if poisoned && [LOGS_DAY_1, LOGS_DAY_2].contains(&insert.token.4) {
            return Refused;
        }
        if !self.fault(6) {
            self.store(&insert);
            return Inserted;
        }
        match self.choose(5) {
            0 => {}
            1 => self.store(&insert),
            2 => self.late.push(insert),
            // The token is logged, the part is not kept: at a full disk, and by a kill.
            3 => {
                self.tokens.insert(insert.token, insert.planned_s);
            }
            _ => {
                self.tokens.insert(insert.token, insert.planned_s);
                self.kill_store();
                self.tokens.insert(insert.token, insert.planned_s);
            }
        }
        if self.mutation == Mutation::NoWait { TooLate } else { Failed }
    }

    fn is_in_time(&self, insert: &Insert) -> bool {
        self.mutation == Mutation::NoDeadline
            || (self.now_s <= insert.planned_s + ATTEMPT && insert.planned_s > self.store_began_s)
    }

    fn store(&mut self, insert: &Insert) {
        if self.is_in_time(insert) && self.tokens.insert(insert.token, insert.planned_s).is_none() {
            for batch in &insert.rows {
                *self.rows.entry((*batch, insert.token.4)).or_default() += 1;
            }
        }
    }

    fn arrive_all(&mut self) {
        for insert in std::mem::take(&mut self.late) {
            self.store(&insert);
        }
    }
}

/// What a batch is stored as; none where it is known.
fn standing(batch: u64, ledger: &HashSet<u64>, kept: &[u64], mutation: Mutation) -> Option<u64> {
    let is_stored = |wanted: u64| ledger.contains(&wanted);
    let is_kept = |wanted: u64| kept.contains(&wanted) && mutation != Mutation::KeepTwins;
    if mutation == Mutation::HighWater
        && ledger.iter().any(|known| known % 100 >= batch % 100 && known % 100 / 10 == batch % 100 / 10)
    {
        return None;
    }
    let has_number = |one: &&u64| **one < OWN && **one % 100 == batch % 100;
    let is_taken = ledger.iter().any(|one| has_number(&one))
        || (kept.iter().any(|one| has_number(&one)) && mutation != Mutation::KeepTwins);
    if !is_taken {
        return Some(batch);
    }
    if is_stored(batch) || is_kept(batch) || mutation == Mutation::IgnoreContent {
        return None;
    }
    (!is_stored(OWN + batch) && !is_kept(OWN + batch)).then_some(OWN + batch)
}

fn read_hash(log: &[Message], begin: i64, end: i64) -> u64 {
    let mut hash = ReadHash::default();
    let range = log.iter().take(end as usize).skip(begin as usize);
    range.for_each(|message| hash.add(&mark(*message)));
    hash.value()
}

fn hash(kept: &[u64]) -> u64 {
    kept.iter().fold(0, |hash: u64, batch| hash.wrapping_mul(31).wrapping_add(batch + 1))
}

/// What is left of the batch becomes its way into the quarantine.
fn set_aside(run: &mut Run, unit: usize) -> Outcome {
    let batch = run.units[unit].1[0];
    run.aside.insert(batch);
    let rest: Vec<(Unit, Vec<u64>)> =
        run.units[unit..].iter().filter(|(_, batches)| batches[0] != batch).cloned().collect();
    run.units.truncate(unit);
    run.units.extend([(QUARANTINE, vec![batch]), (LEDGER, vec![batch])]);
    run.units.extend(rest);
    Outcome::Replaced(run.units.len())
}

/// Seeds that once failed.
const REGRESSIONS: &[u64] = &[];

fn explore(mutation: Mutation, seeds: u64) -> Result<(), String> {
    for seed in REGRESSIONS.iter().copied().chain(1..=seeds) {
        World::new(seed, mutation).run().map_err(|wrong| format!("seed {seed}: {wrong}"))?;
    }
    Ok(())
}

#[test]
fn every_row_is_stored_once() {
    assert_eq!(explore(Mutation::None, 10_000), Ok(()));
}

#[test]
fn broken_protocols_are_caught() {
    use Mutation::{
        AskLedger, ForgetPartly, HighWater, IgnoreContent, KeepTwins, LedgerFirst, NoDeadline, NoLook,
        NoPlan, NoWait, TrustOk, Unfenced,
    };
    for mutation in [
        Unfenced,
        AskLedger,
        NoPlan,
        LedgerFirst,
        TrustOk,
        NoWait,
        NoDeadline,
        KeepTwins,
        HighWater,
        IgnoreContent,
        NoLook,
        ForgetPartly,
    ] {
        assert!(explore(mutation, 20_000).is_err(), "{mutation:?} was not caught");
    }
}
