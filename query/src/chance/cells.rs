//! The local comparison: every anchor against its own surroundings.
//!
//! The range is cut into cells of 6·D on a fixed grid. All heads of a cell, over all units, move
//! together by one circular offset `j·L/30`; had the cell nothing to do with the partners beyond
//! what happens over its whole length, the 30 counts would be equally likely.

#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "offsets are clipped to 0..30 before they index, and each slot was made from the cells that are looked up"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "lengths below 2^53 ns (104 days) are exact, longer ones near enough for a share"
)]

use std::ops::RangeInclusive;

use super::episodes::Probes;
use super::windows::Windows;

/// How many offsets a cell is tried at.
pub(super) const OFFSETS: usize = 30;

/// A cell is this many D long.
pub(super) const CELL_WITHINS: i64 = 6;

/// The grid of cells over the range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub from_ns: i64,
    pub to_ns: i64,
    pub cell_ns: i64,
}

impl Grid {
    /// A year long D still fits the arithmetic of offsets (30 · L).
    pub(super) fn new(from_ns: i64, to_ns: i64, within_ns: i64) -> Grid {
        const YEAR_NS: i64 = 366 * 86_400 * 1_000_000_000;
        // "During" has no length of its own: in cells of nothing everything is covered that touches at all.
        const DURING_NS: i64 = 300 * 1_000_000_000;
        let within_ns = if within_ns <= 0 { DURING_NS } else { within_ns.min(YEAR_NS) };
        Grid { from_ns, to_ns, cell_ns: within_ns * CELL_WITHINS }
    }

    /// The cell that holds `time`: its number, its start and its length. The last cell ends with the
    /// range, since nothing is known of what comes after it.
    pub(super) fn cell(&self, time: i64) -> (i64, i64, i64) {
        let number = time.saturating_sub(self.from_ns).div_euclid(self.cell_ns);
        let start = self.from_ns.saturating_add(number.saturating_mul(self.cell_ns));
        let end = start.saturating_add(self.cell_ns);
        let end = if time < self.to_ns { end.min(self.to_ns) } else { end };
        (number, start, (end - start).max(1))
    }
}

/// What the cells gave.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// Matches of each cell's heads at each offset; [`OFFSETS`] per cell, offset 0 is what happened.
    pub counts: Vec<u32>,
    /// For each anchor the share of its cell that its windows cover.
    pub share: Vec<f64>,
    /// Whether any anchor's unit has a window at all.
    pub any_window: bool,
    /// Whether windows cover every anchor's cell from end to end.
    pub full: bool,
}

pub(super) fn local(probes: &Probes, windows: &Windows, grid: Grid) -> Local {
    let mut numbers: Vec<i64> = (0..probes.len())
        .filter(|&row| probes.head[row])
        .map(|row| grid.cell(probes.time_ns[row]).0)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();

    // Per cell, differences between neighbouring offsets; one more entry takes what ends with the last.
    let mut steps = vec![0_i32; numbers.len() * (OFFSETS + 1)];
    let mut out = Local { full: probes.len() > 0, ..Local::default() };
    out.share.reserve(probes.len());
    for (unit, rows) in probes.by_unit() {
        let windows = windows.of_unit(unit);
        out.any_window |= !windows.start_ns.is_empty();
        let mut first = 0;
        for row in rows {
            let (time, length) = (probes.time_ns[row], probes.length_ns[row]);
            let (number, start, cell_ns) = grid.cell(time);
            let slot = if probes.head[row] { numbers.binary_search(&number).ok() } else { None };
            while first < windows.end_ns.len() && windows.end_ns[first] < start {
                first += 1;
            }
            let (mut covered, mut next, mut at) = (0, 0, first);
            while at < windows.start_ns.len() {
                let begin = windows.start_ns[at].saturating_sub(length).saturating_sub(start);
                if begin >= cell_ns {
                    break;
                }
                // The length of an anchor may make neighbouring windows overlap: each begins where
                // the last one ended.
                let piece = begin.max(next)..=windows.end_ns[at].saturating_sub(start).min(cell_ns - 1);
                if !piece.is_empty() {
                    covered += piece.end() - piece.start() + 1;
                    next = piece.end() + 1;
                    if let Some(slot) = slot {
                        mark(&mut steps[slot * (OFFSETS + 1)..][..=OFFSETS], piece, time - start, cell_ns);
                    }
                }
                at += 1;
            }
            out.full &= covered == cell_ns;
            out.share.push(covered as f64 / cell_ns as f64);
        }
    }

    out.counts.reserve(numbers.len() * OFFSETS);
    for cell in steps.chunks_exact(OFFSETS + 1) {
        let mut count = 0;
        out.counts.extend(cell[..OFFSETS].iter().map(|step| {
            count += step;
            count as u32
        }));
    }
    out
}

/// Adds one to the offsets that move an anchor at `at` of its cell into `piece` of it.
fn mark(steps: &mut [i32], piece: RangeInclusive<i64>, at: i64, cell_ns: i64) {
    for turn in [0, cell_ns] {
        let low = (piece.start() - at + turn).max(0);
        let high = (piece.end() - at + turn).min(cell_ns - 1);
        if low <= high {
            // Offset j is floor(j·L/30), so the first at or past v is ceil(30·v/L).
            let (low, high) = (reach(low, cell_ns), reach(high + 1, cell_ns));
            if low < high {
                steps[low] += 1;
                steps[high] -= 1;
            }
        }
    }
}

fn reach(offset_ns: i64, cell_ns: i64) -> usize {
    let offsets = OFFSETS as i64;
    ((offset_ns * offsets + cell_ns - 1) / cell_ns).min(offsets) as usize
}

#[cfg(test)]
mod tests {
    use super::super::assessment::Basis;
    use super::super::input::Input;
    use super::super::judge::assess;
    use super::super::relation::Relation;
    use super::super::windows::Intervals;
    use super::*;
    use proptest::prelude::*;

    /// The counts by trying every offset of every head against every partner.
    fn brute(
        probes: &Probes,
        partners: &[(u32, i64, i64)],
        relation: Relation,
        within: i64,
        grid: Grid,
    ) -> Vec<u32> {
        let mut cells = std::collections::BTreeMap::new();
        for row in (0..probes.len()).filter(|&row| probes.head[row]) {
            let (number, start, length) = grid.cell(probes.time_ns[row]);
            let counts = cells.entry(number).or_insert([0; OFFSETS]);
            for (j, count) in counts.iter_mut().enumerate() {
                let t = start + (probes.time_ns[row] - start + j as i64 * length / OFFSETS as i64) % length;
                let near = partners.iter().any(|&(unit, s, e)| {
                    unit == probes.unit[row]
                        && match relation {
                            Relation::After => s <= t && t <= e + within,
                            Relation::Before => s - within <= t + probes.length_ns[row] && t <= s,
                            Relation::Of => s - within <= t + probes.length_ns[row] && t <= e + within,
                        }
                });
                *count += u32::from(near);
            }
        }
        cells.into_values().flatten().collect()
    }

    proptest! {
        #[test]
        fn counts_equal_brute_force(
            anchors in prop::collection::vec((0_u32..3, 0_i64..1000, 0_i64..30), 1..40),
            partners in prop::collection::vec((0_u32..3, -50_i64..1000, 0_i64..40), 0..40),
            within in 1_i64..40,
            relation in prop::sample::select(vec![Relation::After, Relation::Before, Relation::Of]),
        ) {
            let (unit, start): (Vec<_>, Vec<_>) = anchors.iter().map(|&(u, s, _)| (u, s)).unzip();
            let end: Vec<_> = anchors.iter().map(|&(_, s, l)| s + l).collect();
            let p_unit: Vec<_> = partners.iter().map(|p| p.0).collect();
            let p_start: Vec<_> = partners.iter().map(|p| p.1).collect();
            let p_end: Vec<_> = partners.iter().map(|p| p.1 + p.2).collect();
            let closed: Vec<_> = partners.iter().map(|&(u, s, l)| (u, s, s + l)).collect();
            let windows = Windows::around(
                Intervals { unit: &p_unit, start_ns: &p_start, end_ns: &p_end }, relation, within, 5000, 3,
            );
            let input = Input {
                anchors: Intervals { unit: &unit, start_ns: &start, end_ns: &end },
                windows: &windows, relation, within_ns: within, from_ns: 0, to_ns: 1000, watermark_ns: 5000,
                time_zone: &jiff::tz::TimeZone::UTC, units: 3, seed: 1, same_events: false,
            };
            let probes = Probes::new(&input);
            let grid = Grid::new(0, 1000, within);
            let expected = brute(&probes, &closed, relation, within, grid);
            let found = local(&probes, &windows, grid);
            prop_assert_eq!(&found.counts, &expected);

            // K' is what offset 0 counts, and K is counted anew from the partners.
            let assessed = assess(&input);
            let heads_matched: u32 = expected.iter().step_by(OFFSETS).sum();
            prop_assert_eq!(assessed.heads_matched, u64::from(heads_matched));
            let near = |u: u32, s: i64, e: i64| closed.iter().any(|&(pu, ps, pe)| pu == u && match relation {
                Relation::After => ps <= s && s <= pe + within,
                Relation::Before => s <= ps && ps <= e + within,
                Relation::Of => ps - within <= e && s <= pe + within,
            });
            let matched = anchors.iter().filter(|&&(u, s, l)| near(u, s, s + l)).count();
            prop_assert_eq!(assessed.matched, matched as u64);
            if assessed.heads_matched == 0 {
                prop_assert_eq!((assessed.basis, assessed.p), (Basis::None, Some(1.0)));
            }
        }
    }
}
