//! Which of the events asked for meet all conditions. Pure.
//!
//! Each condition is about the events asked for, in the units of its own scope. An event without such a unit, say a
//! host's own under `on the same guest`, has no partner there.

use std::{collections::HashSet, sync::Arc};

use crate::{
    chance::Windows,
    columns::Interner,
    correlate::{self, Events, Found, Match, NO_GUEST, Row},
    language::{Matches, Near, Scope},
    machines::{LabelUnits, Machines},
};

/// Late data has so much time: only then absence is told.
pub const LATENESS_NS: i64 = 60_000_000_000;

/// Open for longer than this, an event may only lack its end.
const OPEN_NS: i64 = 86_400_000_000_000;

/// A condition with what it compares, in the units of its scope.
#[derive(Debug, Default, Clone)]
pub struct Side {
    /// The events asked for.
    pub anchors: Arc<Events>,
    /// What has to be near them, or must not, piece by piece; none where it does not fit in memory.
    pub partners: Option<Vec<Events>>,
    /// Instants that count as near them, where chance is to be told of this condition.
    pub windows: Windows,
    /// Units are numbered below this.
    pub units: u32,
    /// Which are near which.
    pub found: Found,
    /// Where the condition is negated: rows of the events asked for that have no partner, but may still get one.
    pub undecided: Vec<u32>,
    /// Events asked for without a unit.
    pub without_unit: u64,
    /// Partners where there are events asked for that have been open for long.
    pub open: Open,
}

/// Events that have been open for longer than a day.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// How many.
    pub count: u64,
    /// The start of the first of them; 0 without any.
    pub since_ns: i64,
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
                self.evaluated.main.only_without_partner(near, self.watermark_ns);
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

    /// What came of all. Without conditions every event is what was asked for.
    pub fn finish(mut self, hosts: &Interner) -> Evaluated {
        if self.question.conditions.is_empty() {
            self.anchors.iter_mut().for_each(|row| row.unit = row.host);
            let side = &mut self.evaluated.main;
            side.anchors = Arc::new(Events::sorted(self.anchors, hosts.len()));
            side.found.matches = every(&side.anchors);
        }
        self.evaluated
    }
}

fn every(anchors: &Events) -> Vec<Match> {
    let rows = u32::try_from(anchors.len()).unwrap_or(u32::MAX);
    (0..rows).map(|anchor| Match { anchor, partners: 0, nearest: None }).collect()
}

/// Compares the events asked for with partners that come piece by piece, in any order: what pieces give is merged.
#[derive(Debug, Clone)]
pub struct Comparison {
    near: Near,
    anchors: Arc<Events>,
    labels: LabelUnits,
    without_unit: u64,
    units_with_anchors: Arc<HashSet<u32>>,
    watermark_ns: i64,
    with_windows: bool,
    /// What pieces gave, the heavier before the lighter, so that little is merged often.
    found: Vec<Part>,
    partners: Option<Vec<Events>>,
    open: Open,
}

#[derive(Debug, Default, Clone)]
struct Part {
    found: Found,
    windows: Windows,
}

impl Part {
    fn len(&self) -> usize {
        self.found.matches.len() + self.windows.len()
    }

    fn merged(self, other: Part) -> Part {
        let windows = self.windows.merged(&other.windows);
        Part { found: self.found.merged(other.found), windows }
    }
}

impl Comparison {
    /// Of these events under a condition. `with_windows`: whether chance is to be told of it.
    pub fn new(
        near: &Near,
        anchors: Vec<Row>,
        numbered: Numbered<'_>,
        watermark_ns: i64,
        with_windows: bool,
    ) -> Comparison {
        let mut labels = LabelUnits::default();
        let before = anchors.len();
        let anchors = in_units(anchors, &near.scope, numbered, &mut labels);
        let without_unit = before.saturating_sub(anchors.len()) as u64;
        let anchors = Events::sorted(anchors, units(&near.scope, numbered, &labels));
        Comparison {
            units_with_anchors: Arc::new(anchors.unit.iter().copied().collect()),
            near: near.clone(),
            anchors: Arc::new(anchors),
            labels,
            without_unit,
            watermark_ns,
            with_windows,
            found: Vec::new(),
            partners: Some(Vec::new()),
            open: Open::default(),
        }
    }

    /// Adds partners. They are kept unless [`Comparison::forget_partners`] was called.
    pub fn add(&mut self, partners: Vec<Row>, numbered: Numbered<'_>) {
        let partners = self.sorted(partners, numbered);
        let mut part = Part {
            found: correlate::sweep(&self.anchors, &partners, self.near.relation, self.near.within_ns),
            windows: Windows::default(),
        };
        if self.with_windows {
            let (relation, within_ns) = (self.near.relation, self.near.within_ns);
            let units = self.units(numbered);
            part.windows =
                Windows::around(partners.intervals(), relation, within_ns, self.watermark_ns, units);
        }
        while let Some(last) = self.found.pop_if(|last| last.len() <= part.len().saturating_mul(2)) {
            part = last.merged(part);
        }
        self.found.push(part);
        self.see_open(&partners);
        if let Some(kept) = &mut self.partners {
            kept.push(partners);
        }
    }

    /// Partners near an event asked for, each with that event's id; nothing is kept of them.
    pub fn pairs(&mut self, partners: Vec<Row>, numbered: Numbered<'_>) -> Vec<(u64, Row)> {
        let partners = self.sorted(partners, numbered);
        pairs(&self.near, &self.anchors, &partners)
    }

    fn sorted(&mut self, partners: Vec<Row>, numbered: Numbered<'_>) -> Events {
        let partners = in_units(partners, &self.near.scope, numbered, &mut self.labels);
        Events::sorted(partners, self.units(numbered))
    }

    /// Looks for partners that perhaps only lack their end.
    fn see_open(&mut self, partners: &Events) {
        let since_ns = self.watermark_ns.saturating_sub(OPEN_NS);
        let rows = partners.unit.iter().zip(&partners.start_ns).zip(&partners.end_ns);
        for ((unit, start_ns), end_ns) in rows {
            let long_open = correlate::end_of(*end_ns).is_none() && *start_ns < since_ns;
            if long_open && self.units_with_anchors.contains(unit) {
                let first = self.open.count == 0;
                self.open.since_ns = if first { *start_ns } else { self.open.since_ns.min(*start_ns) };
                self.open.count += 1;
            }
        }
    }

    /// The events asked for.
    pub fn anchors(&self) -> &Events {
        &self.anchors
    }

    /// Units are numbered below this.
    pub fn units(&self, numbered: Numbered<'_>) -> u32 {
        units(&self.near.scope, numbered, &self.labels)
    }

    /// Whether there is nothing to find partners for.
    pub fn is_idle(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Memory of the events asked for and of what is kept of the pieces, bytes.
    pub fn bytes(&self) -> usize {
        self.anchors.bytes() + self.pieces_bytes()
    }

    /// Memory of what is kept of the pieces, bytes.
    pub fn pieces_bytes(&self) -> usize {
        let parts = self.found.iter().map(|part| {
            part.found.matches.len() * size_of::<Match>() + part.windows.len() * size_of::<(i64, i64)>()
        });
        parts.sum::<usize>() + self.partners_bytes()
    }

    /// Memory of the partners that are kept, bytes.
    pub fn partners_bytes(&self) -> usize {
        self.partners.iter().flatten().map(Events::bytes).sum()
    }

    /// Keeps no partners, which are then to be fetched again where they are listed.
    pub fn forget_partners(&mut self) {
        self.partners = None;
    }

    /// What came of all pieces.
    pub fn finish(self, numbered: Numbered<'_>) -> Side {
        let units = self.units(numbered);
        let parts = self.found.into_iter().rev();
        let all = parts.reduce(Part::merged).unwrap_or_default();
        Side {
            units,
            anchors: self.anchors,
            partners: self.partners,
            windows: all.windows,
            found: all.found,
            undecided: Vec::new(),
            without_unit: self.without_unit,
            open: self.open,
        }
    }
}

/// Partners near an event, each with that event's id. An event is not its own partner.
pub fn pairs(near: &Near, anchors: &Events, partners: &Events) -> Vec<(u64, Row)> {
    let mut found = Vec::new();
    correlate::pairs(anchors, partners, near.relation, near.within_ns, |anchor, row| {
        let (anchor, partner) = (anchors.row(anchor), partners.row(row));
        if anchor.id != partner.id {
            found.push((anchor.id, partner));
        }
    });
    found
}

/// Units are numbered below this.
fn units(scope: &Scope, numbered: Numbered<'_>, labels: &LabelUnits) -> u32 {
    match scope {
        Scope::Host => numbered.hosts.len(),
        Scope::Guest => numbered.guests,
        Scope::Label(_) => labels.len(),
        Scope::Anywhere => 1,
    }
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
    /// Whether any unit with an event asked for has a window.
    pub fn any_window(&self) -> bool {
        let mut units = self.anchors.unit.iter().copied();
        units.any(|unit| self.windows.any_of(unit))
    }

    /// Takes as matches the events that have no partner and will not get one.
    fn only_without_partner(&mut self, near: &Near, watermark_ns: i64) {
        let with_partner: HashSet<u32> = self.found.matches.iter().map(|one| one.anchor).collect();
        self.found.matches.clear();
        for one in every(&self.anchors).into_iter().filter(|one| !with_partner.contains(&one.anchor)) {
            let row = self.anchors.row(one.anchor as usize);
            match met(near, false, (row.start_ns, row.end_ns), watermark_ns) {
                Met::Yes => self.found.matches.push(one),
                Met::No | Met::Undecided => self.undecided.push(one.anchor),
            }
        }
    }

    /// Ids of the events asked for that have a partner.
    pub fn with_partner(&self) -> HashSet<u64> {
        self.found
            .matches
            .iter()
            .filter_map(|one| self.anchors.id.get(one.anchor as usize).copied())
            .collect()
    }

    /// The events asked for with these ids.
    pub fn anchors_of(&self, ids: &HashSet<u64>) -> Vec<Row> {
        let rows = (0..self.anchors.len()).map(|at| self.anchors.row(at));
        rows.filter(|row| ids.contains(&row.id)).collect()
    }
}
