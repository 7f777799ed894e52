//! Which of the events asked for meet all conditions. Pure.
//!
//! Each condition is about the events asked for, in the units of its own scope. An event without such a unit, say a
//! host's own under `on the same guest`, has no partner there.

use std::{collections::HashSet, sync::Arc};

use super::{comparison::Side, sweep::Hit};
use crate::{
    chance::Relation,
    event::{Events, Row, end_of},
    language::{Matches, Near},
};

/// Late data has so much time: only then absence is told.
pub const LATENESS_NS: i64 = 60_000_000_000;

/// What happened to an event asked for under a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It holds.
    Yes,
    /// It does not, and nothing that still comes can change that.
    No,
    /// It is too early to tell.
    Undecided,
}

/// What came of all conditions.
#[derive(Debug, Default, Clone)]
pub struct Evaluated {
    /// The condition that chance is told of, over the events asked for that meet the others. Its matches meet all.
    pub main: Side,
    /// The other conditions by their place in the question.
    pub others: Vec<(usize, Side)>,
    /// Events asked for that do not meet the others.
    pub unmet: u64,
    /// Events asked for of which it is too early to tell whether they meet the others.
    pub undecided: u64,
}

/// Finds the events that meet all conditions: one condition after the other, that which chance is told of last.
#[derive(Debug)]
pub struct Evaluation<'a> {
    question: &'a Matches,
    anchors: Vec<Row>,
    watermark_ns: i64,
    /// Places of the conditions that are still to come, last to first.
    left: Vec<usize>,
    evaluated: Evaluated,
}

impl<'a> Evaluation<'a> {
    /// Begins with the events asked for.
    pub fn new(question: &'a Matches, anchors: Vec<Row>, watermark_ns: i64) -> Evaluation<'a> {
        let main = question.main();
        let others = (0..question.conditions.len()).filter(|at| Some(*at) != main);
        let mut left: Vec<usize> = others.chain(main).collect();
        left.reverse();
        Evaluation { question, anchors, watermark_ns, left, evaluated: Evaluated::default() }
    }

    /// The next condition by its place in the question, and the events asked for that meet those before.
    pub fn condition(&mut self) -> Option<(usize, Vec<Row>)> {
        let at = *self.left.last()?;
        let last = self.left.len() == 1;
        Some((at, if last { std::mem::take(&mut self.anchors) } else { self.anchors.clone() }))
    }

    /// Takes what came of it.
    pub fn take(&mut self, side: Side) {
        let Some((at, near)) = self.left.pop().and_then(|at| Some((at, self.question.conditions.get(at)?)))
        else {
            return;
        };
        if self.left.is_empty() {
            self.evaluated.main = side;
            if near.negated {
                keep_without_partner(&mut self.evaluated.main, near, self.watermark_ns);
            }
            return;
        }
        let with_partner = side.with_partner();
        self.anchors.retain(|row| {
            match met(near, with_partner.contains(&row.id), (row.start_ns, row.end_ns), self.watermark_ns) {
                Met::Yes => return true,
                Met::No => self.evaluated.unmet += 1,
                Met::Undecided => self.evaluated.undecided += 1,
            }
            false
        });
        self.evaluated.others.push((at, side));
    }

    /// What came of all; `hosts` are numbered below that. Without conditions every event is what was asked for.
    pub fn finish(mut self, hosts: u32) -> Evaluated {
        if self.question.conditions.is_empty() {
            self.anchors.iter_mut().for_each(|row| row.unit = row.host);
            let side = &mut self.evaluated.main;
            side.anchors = Arc::new(Events::sorted(self.anchors, hosts));
            side.found.matches = every(&side.anchors);
        }
        self.evaluated
    }
}

fn every(anchors: &Events) -> Vec<Hit> {
    let rows = u32::try_from(anchors.len()).unwrap_or(u32::MAX);
    (0..rows).map(|anchor| Hit { anchor, partners: 0, nearest: None }).collect()
}

/// Whether a condition holds for an event asked for, given whether it has a partner by now.
pub fn met(near: &Near, has_partner: bool, span: (i64, i64), watermark_ns: i64) -> Met {
    match (near.negated, has_partner) {
        (false, true) => Met::Yes,
        (true, true) => Met::No,
        (false, false) => {
            let end_ns = end_of(span.1).unwrap_or(watermark_ns).max(span.0);
            if near.relation.is_undecided(end_ns, near.within_ns, watermark_ns) {
                Met::Undecided
            } else {
                Met::No
            }
        }
        (true, false) => {
            let end_ns = end_of(span.1).unwrap_or(i64::MAX).max(span.0);
            let closes_ns = match near.relation {
                Relation::After => span.0,
                _ => end_ns.saturating_add(near.within_ns),
            };
            if closes_ns > watermark_ns.saturating_sub(LATENESS_NS) { Met::Undecided } else { Met::Yes }
        }
    }
}

/// Takes as matches the events that have no partner and will not get one.
fn keep_without_partner(side: &mut Side, near: &Near, watermark_ns: i64) {
    let with_partner: HashSet<u32> = side.found.matches.iter().map(|one| one.anchor).collect();
    side.found.matches.clear();
    for one in every(&side.anchors).into_iter().filter(|one| !with_partner.contains(&one.anchor)) {
        let row = side.anchors.row(one.anchor as usize);
        match met(near, false, (row.start_ns, row.end_ns), watermark_ns) {
            Met::Yes => side.found.matches.push(one),
            Met::No | Met::Undecided => side.undecided.push(one.anchor),
        }
    }
}
