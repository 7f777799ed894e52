//! Which of the events asked for meet all conditions. Pure.
//!
//! Each condition is about the events asked for, in the units of its own scope. An event without such a unit, say a
//! host's own under `on the same guest`, has no partner there.

use std::collections::{HashMap, HashSet};

use crate::{
    columns::Interner,
    correlate::{self, Events, Found, Match, NO_GUEST, Row},
    language::{Matches, Near, Scope},
    machines::{LabelUnits, Machines},
};

/// Late data has so much time: only then absence is told.
pub const LATENESS_NS: i64 = 60_000_000_000;

/// A condition with what it compares, in the units of its scope.
#[derive(Debug, Default, Clone)]
pub struct Side {
    /// The events asked for.
    pub anchors: Events,
    /// What has to be near them, or must not.
    pub partners: Events,
    /// Units are numbered below this.
    pub units: u32,
    /// Which are near which.
    pub found: Found,
    /// Events asked for without a unit.
    pub without_unit: u64,
}

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

/// What units are numbered by.
#[derive(Clone, Copy)]
pub struct Numbered<'a> {
    /// Names of hosts.
    pub hosts: &'a Interner,
    /// How many guests there are.
    pub guests: u32,
    /// Labels.
    pub machines: &'a Machines,
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

/// Finds the events that meet all conditions. `partners`: one set for each condition, in their order.
pub fn evaluate(
    question: &Matches,
    mut anchors: Vec<Row>,
    partners: Vec<Vec<Row>>,
    numbered: Numbered<'_>,
    watermark_ns: i64,
) -> Evaluated {
    let main = question.main();
    let mut evaluated = Evaluated::default();
    let mut main_partners = Vec::new();
    for (at, (near, rows)) in question.conditions.iter().zip(partners).enumerate() {
        if Some(at) == main {
            main_partners = rows;
            continue;
        }
        let side = side(near, anchors.clone(), rows, numbered);
        let with_partner = side.with_partner();
        anchors.retain(|row| {
            match met(near, with_partner.contains(&row.id), (row.start_ns, row.end_ns), watermark_ns) {
                Met::Yes => return true,
                Met::No => evaluated.unmet += 1,
                Met::Undecided => evaluated.undecided += 1,
            }
            false
        });
        evaluated.others.push((at, side));
    }
    evaluated.main = match question.near() {
        Some(near) => side(near, anchors, main_partners, numbered),
        None => {
            anchors.iter_mut().for_each(|row| row.unit = row.host);
            Side { anchors: Events::sorted(anchors, numbered.hosts.len()), ..Side::default() }
        }
    };
    match question.near() {
        None => evaluated.main.found.matches = every(&evaluated.main.anchors),
        Some(near) if near.negated => evaluated.main.only_without_partner(near, watermark_ns),
        Some(_) => {}
    }
    evaluated
}

/// Without conditions every event is what was asked for.
fn every(anchors: &Events) -> Vec<Match> {
    let rows = u32::try_from(anchors.len()).unwrap_or(u32::MAX);
    (0..rows).map(|anchor| Match { anchor, nearest: u32::MAX, partners: 0 }).collect()
}

/// Sorts both sides into the units of the condition's scope and finds which are near which.
pub fn side(near: &Near, anchors: Vec<Row>, partners: Vec<Row>, numbered: Numbered<'_>) -> Side {
    let mut labels = LabelUnits::default();
    let before = anchors.len();
    let anchors = in_units(anchors, &near.scope, numbered, &mut labels);
    let without_unit = before.saturating_sub(anchors.len()) as u64;
    let partners = in_units(partners, &near.scope, numbered, &mut labels);
    let units = match &near.scope {
        Scope::Host => numbered.hosts.len(),
        Scope::Guest => numbered.guests,
        Scope::Label(_) => labels.len(),
        Scope::Anywhere => 1,
    };
    // The larger set is sorted beside the smaller one.
    let (anchors, partners) = std::thread::scope(|scope| {
        let partners = scope.spawn(|| Events::sorted(partners, units));
        let anchors = Events::sorted(anchors, units);
        (anchors, partners.join().unwrap_or_default())
    });
    let found = correlate::sweep(&anchors, &partners, near.relation, near.within_ns);
    Side { anchors, partners, units, found, without_unit }
}

fn in_units(mut rows: Vec<Row>, scope: &Scope, numbered: Numbered<'_>, labels: &mut LabelUnits) -> Vec<Row> {
    match scope {
        Scope::Host => rows.iter_mut().for_each(|row| row.unit = row.host),
        Scope::Anywhere => rows.iter_mut().for_each(|row| row.unit = 0),
        Scope::Guest => {
            // What happened to a host itself happened on no guest.
            rows.retain_mut(|row| {
                row.unit = row.guest;
                row.guest != NO_GUEST
            });
        }
        Scope::Label(label) => rows.retain_mut(|row| {
            let host = numbered.hosts.name(row.host);
            let unit = labels.of(numbered.machines, host, label, row.start_ns);
            row.unit = unit.unwrap_or_default();
            unit.is_some()
        }),
    }
    rows
}

/// Whether a condition holds for an event asked for, given whether it has a partner by now.
pub fn met(near: &Near, has_partner: bool, span: (i64, i64), watermark_ns: i64) -> Met {
    match (near.negated, has_partner) {
        (false, true) => Met::Yes,
        (true, true) => Met::No,
        (false, false) => {
            let end_ns = correlate::end_of(span.1).unwrap_or(watermark_ns).max(span.0);
            if near.relation.is_undecided(end_ns, near.within_ns, watermark_ns) {
                Met::Undecided
            } else {
                Met::No
            }
        }
        (true, false) => {
            let end_ns = correlate::end_of(span.1).unwrap_or(i64::MAX).max(span.0);
            let closes_ns = match near.relation {
                crate::chance::Relation::After => span.0,
                _ => end_ns.saturating_add(near.within_ns),
            };
            if closes_ns > watermark_ns.saturating_sub(LATENESS_NS) { Met::Undecided } else { Met::Yes }
        }
    }
}

impl Side {
    /// Takes as matches the events that have no partner and will not get one.
    fn only_without_partner(&mut self, near: &Near, watermark_ns: i64) {
        let with_partner: HashSet<u32> = self.found.matches.iter().map(|one| one.anchor).collect();
        self.found.matches = every(&self.anchors);
        self.found.matches.retain(|one| {
            let row = one.anchor as usize;
            let span = self.anchors.start_ns.get(row).copied().zip(self.anchors.end_ns.get(row).copied());
            !with_partner.contains(&one.anchor)
                && span.is_some_and(|span| met(near, false, span, watermark_ns) == Met::Yes)
        });
    }

    /// Ids of the events asked for that have a partner.
    pub fn with_partner(&self) -> HashSet<u64> {
        self.found
            .matches
            .iter()
            .filter_map(|one| self.anchors.id.get(one.anchor as usize).copied())
            .collect()
    }

    /// Rows of these events asked for, by their ids.
    pub fn rows_of(&self, ids: &HashSet<u64>) -> HashMap<u64, usize> {
        let rows = self.anchors.id.iter().enumerate().filter(|(_, id)| ids.contains(id));
        rows.map(|(row, id)| (*id, row)).collect()
    }
}
