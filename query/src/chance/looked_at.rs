//! At which instants windows are looked at. It follows from the anchors alone, so that a set of partners need not be
//! known elsewhere.

use super::cells::Grid;
use super::days::{Calendar, days};
use super::episodes::Probes;
use super::hosts::hosts_floor;
use super::input::Input;
use super::judge::compared;
use super::permute::FLOOR_MAX;
use super::windows::Windows;

/// Where windows are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookedAt {
    /// Closed spans of instants, in no order; they may overlap.
    pub spans: Vec<(i64, i64)>,
    /// Whether windows of units without anchors are looked at as well.
    pub other_units: bool,
}

/// Where [`assess`](super::assess) looks at windows when it is given these anchors; the input's windows do not matter. None
/// where that would be more than `spans_max` spans.
pub fn looked_at(input: &Input<'_>, spans_max: usize) -> Option<LookedAt> {
    let probes = Probes::new(input);
    let (from_ns, to_ns) = compared(input);
    let calendar = Calendar::new(from_ns, to_ns, input.time_zone);
    if probes.len().saturating_mul(calendar.days + 1) > spans_max {
        return None;
    }
    let too_few_days = days(&probes, &Windows::default(), &calendar).floor > FLOOR_MAX;
    let other_units = too_few_days && hosts_floor(&probes, input.units) <= FLOOR_MAX;
    let grid = Grid::new(from_ns, to_ns, input.within_ns);
    let pieces = calendar.pieces();
    let mut spans = Vec::new();
    for (time, length) in probes.time_ns.iter().copied().zip(probes.length_ns.iter().copied()) {
        let (_, start, cell_ns) = grid.cell(time);
        spans.push((start, start.saturating_add(cell_ns).max(time).saturating_add(length)));
        if !too_few_days {
            calendar.moved(&pieces, time, |moved| spans.push((moved, moved.saturating_add(length))));
        }
    }
    Some(LookedAt { spans, other_units })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::super::judge::assess_drawing;
    use super::super::relation::Relation;
    use super::super::windows::Intervals;
    use super::*;

    const MINUTE_NS: i64 = 60_000_000_000;
    const DAY_NS: i64 = 1_440 * MINUTE_NS;
    /// 2026-10-12, two weeks before clocks change in Berlin.
    const FROM_NS: i64 = 1_791_763_200_000_000_000;

    fn columns(rows: &[(u32, i64, i64)]) -> (Vec<u32>, Vec<i64>, Vec<i64>) {
        let unit = rows.iter().map(|row| row.0).collect();
        (unit, rows.iter().map(|row| row.1).collect(), rows.iter().map(|row| row.1 + row.2).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn partners_elsewhere_change_no_figure(
            anchors in prop::collection::vec((0_u32..4, 0_i64..30 * 1_440, 0_i64..20), 1..30),
            partners in prop::collection::vec((0_u32..4, 0_i64..30 * 1_440), 1..200),
            days in 1_i64..30,
            within in 1_i64..90,
            relation in prop::sample::select(vec![Relation::After, Relation::Before, Relation::Of]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin"]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let to_ns = FROM_NS + days * DAY_NS;
            let within_ns = within * MINUTE_NS;
            let of = |minute: i64| FROM_NS + minute * MINUTE_NS;
            let anchors: Vec<_> = anchors.into_iter().map(|(unit, at, length)| (unit, of(at), length * MINUTE_NS)).collect();
            let partners: Vec<_> = partners.into_iter().map(|(unit, at)| (unit, of(at), 0)).collect();
            let (unit, start_ns, end_ns) = columns(&anchors);
            let around = |rows: &[(u32, i64, i64)]| {
                let (unit, start_ns, end_ns) = columns(rows);
                let partners = Intervals { unit: &unit, start_ns: &start_ns, end_ns: &end_ns };
                Windows::around(partners, relation, within_ns, to_ns, 4)
            };
            let whole = around(&partners);
            let input = Input {
                anchors: Intervals { unit: &unit, start_ns: &start_ns, end_ns: &end_ns },
                windows: &whole, relation, within_ns, from_ns: FROM_NS, to_ns, watermark_ns: to_ns,
                time_zone: &zone, units: 4, seed: 1, same_events: false,
            };
            let looked = looked_at(&Input { windows: &Windows::default(), ..input }, usize::MAX).unwrap();
            let needed: Vec<_> = looked.spans.iter().map(|span| relation.partners_of(*span, within_ns)).collect();
            let kept: Vec<_> = partners
                .into_iter()
                .filter(|(of, at, _)| {
                    (looked.other_units || unit.contains(of))
                        && needed.iter().any(|(from, to)| (from..=to).contains(&at))
                })
                .collect();
            let less = around(&kept);
            let (mut of_whole, mut of_less) = (assess_drawing(&input, 200), assess_drawing(&Input { windows: &less, ..input }, 200));
            // That there is a partner somewhere on these hosts is told apart.
            if of_less.none_on_these_hosts {
                of_whole.none_on_these_hosts = true;
                of_less.verdict = of_whole.verdict;
            }
            prop_assert_eq!(of_whole, of_less);
        }
    }
}
