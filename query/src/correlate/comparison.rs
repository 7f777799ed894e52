//! Events asked for against the partners of one condition, which come piece by piece. Pure.

use std::{collections::HashSet, sync::Arc};

use super::{
    scope::{LabelUnits, Numbered, count_units, set_units},
    sweep::{self, Found, Hit},
};
use crate::{
    chance::Windows,
    event::{Events, Row, end_of},
    language::Near,
};

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

impl Side {
    /// Whether any unit with an event asked for has a window.
    pub fn any_window(&self) -> bool {
        let mut units = self.anchors.unit.iter().copied();
        units.any(|unit| self.windows.any_of(unit))
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
        let anchors = set_units(anchors, &near.scope, numbered, &mut labels);
        let without_unit = before.saturating_sub(anchors.len()) as u64;
        let anchors = Events::sorted(anchors, count_units(&near.scope, numbered, &labels));
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
            found: sweep::sweep(&self.anchors, &partners, self.near.relation, self.near.within_ns),
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
        let partners = set_units(partners, &self.near.scope, numbered, &mut self.labels);
        Events::sorted(partners, self.units(numbered))
    }

    /// Looks for partners that perhaps only lack their end.
    fn see_open(&mut self, partners: &Events) {
        let since_ns = self.watermark_ns.saturating_sub(OPEN_NS);
        let rows = partners.unit.iter().zip(&partners.start_ns).zip(&partners.end_ns);
        for ((unit, start_ns), end_ns) in rows {
            let long_open = end_of(*end_ns).is_none() && *start_ns < since_ns;
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
        count_units(&self.near.scope, numbered, &self.labels)
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
            part.found.matches.len() * size_of::<Hit>() + part.windows.len() * size_of::<(i64, i64)>()
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
    sweep::pairs(anchors, partners, near.relation, near.within_ns, |anchor, row| {
        let (anchor, partner) = (anchors.row(anchor), partners.row(row));
        if anchor.id != partner.id {
            found.push((anchor.id, partner));
        }
    });
    found
}
