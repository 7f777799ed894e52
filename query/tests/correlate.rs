//! The sweep finds what a page of brute force finds, on random events: ties, zero lengths and open ends included.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may"
)]

use lastwords_query::chance::{Input, OPEN, Relation, Windows, assess};
use lastwords_query::{
    correlate::sweep::{Found, Hit, Nearest, nearness, pairs, sweep},
    event::{Events, NO_GUEST, Row},
};
use proptest::prelude::*;

const UNITS: u32 = 3;

/// The meaning of the question, word by word.
fn brute_force(
    anchors: &Events,
    partners: &Events,
    relation: Relation,
    within: i64,
) -> (Found, Vec<Vec<usize>>) {
    let mut found = Found::default();
    let mut lists = Vec::new();
    for a in 0..anchors.len() {
        let (a_start, a_end) = (i128::from(anchors.start_ns[a]), i128::from(anchors.end_ns[a]));
        let mut near = Vec::new();
        for p in 0..partners.len() {
            let (p_start, p_end) = (i128::from(partners.start_ns[p]), i128::from(partners.end_ns[p]));
            let within = i128::from(within);
            let after = p_start <= a_start && a_start <= p_end + within;
            let before = a_start <= p_start && p_start <= a_end + within;
            let holds = match relation {
                Relation::After => after,
                Relation::Before => before,
                Relation::Of => after || before,
            };
            if !holds || anchors.unit[a] != partners.unit[p] {
                continue;
            }
            if anchors.id[a] == partners.id[p] {
                found.same_events = true;
            } else {
                let distance = (a_start - p_end).max(p_start - a_end).max(0);
                near.push(((distance, (a_start - p_start).abs()), p_start, partners.id[p], p));
            }
        }
        near.sort_unstable();
        if let Some(&((gap, between), start, id, _)) = near.first() {
            let nearest = Nearest { nearness: (gap as i64, between as i64), start_ns: start as i64, id };
            let partners = near.len() as u32;
            found.matches.push(Hit { anchor: a as u32, partners, nearest: Some(nearest) });
        }
        let mut list: Vec<usize> = near.into_iter().map(|(.., p)| p).collect();
        list.sort_unstable();
        lists.push(list);
    }
    (found, lists)
}

/// Few instants, so that ties are frequent; lengths of 0 and open ends are frequent as well.
fn events(first_id: u64) -> impl Strategy<Value = Vec<Row>> {
    let length = prop_oneof![3 => Just(0_i64), 4 => 1..12_i64, 1 => Just(-1_i64)];
    prop::collection::vec((0..UNITS, 0..60_i64, length, 0..40_u64), 0..24).prop_map(move |rows| {
        let mut rows: Vec<Row> = rows
            .into_iter()
            .map(|(unit, start_ns, length, id)| Row {
                unit,
                host: unit,
                guest: NO_GUEST,
                key: 0,
                start_ns,
                end_ns: if length < 0 { OPEN } else { start_ns + length },
                id: first_id + id,
            })
            .collect();
        rows.sort_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        rows
    })
}

/// An event that is in both sets is the same in both.
fn shared(anchors: &[Row], partners: &mut [Row]) {
    for partner in partners {
        if let Some(same) = anchors.iter().find(|anchor| anchor.id == partner.id) {
            *partner = *same;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sweep_finds_what_brute_force_finds(
        anchors in events(0),
        mut partners in events(20),
        relation in prop::sample::select(vec![Relation::Of, Relation::Before, Relation::After]),
        within in prop_oneof![Just(0_i64), 0..15_i64, Just(i64::MAX)],
    ) {
        shared(&anchors, &mut partners);
        let (anchors, partners) = (Events::sorted(anchors, UNITS), Events::sorted(partners, UNITS));
        let found = sweep(&anchors, &partners, relation, within);
        let (expected, lists) = brute_force(&anchors, &partners, relation, within);
        prop_assert_eq!(&found, &expected);
        let mut listed = vec![Vec::new(); anchors.len()];
        pairs(&anchors, &partners, relation, within, |anchor, row| {
            if anchors.id[anchor] != partners.id[row] {
                listed[anchor].push(row);
            }
        });
        listed.iter_mut().for_each(|list| list.sort_unstable());
        prop_assert_eq!(listed, lists);
    }

    #[test]
    fn parts_of_the_partners_give_together_what_all_of_them_give(
        anchors in events(0),
        mut partners in events(20),
        parts in prop::collection::vec(0..4_usize, 24),
        relation in prop::sample::select(vec![Relation::Of, Relation::Before, Relation::After]),
        within in prop_oneof![Just(0_i64), 0..15_i64],
        watermark_ns in 60..90_i64,
    ) {
        shared(&anchors, &mut partners);
        let anchors = Events::sorted(anchors, UNITS);
        let of = |rows: Vec<Row>, units| {
            let partners = Events::sorted(rows, units);
            let windows = Windows::around(partners.intervals(), relation, within, watermark_ns, units);
            (sweep(&anchors, &partners, relation, within), windows)
        };
        let part = |number| {
            partners.iter().zip(&parts).filter(|(_, of)| **of == number).map(|(row, _)| *row).collect::<Vec<_>>()
        };
        // Early parts know fewer units than later ones, as where hosts are met on the way.
        let (found, windows) = (0..4)
            .map(|number| {
                let rows = part(number);
                let units = rows.iter().map(|row| row.unit + 1).max().unwrap_or(0);
                of(rows, units)
            })
            .reduce(|(found, windows), (other, others)| (found.merged(other), windows.merged(&others)))
            .unwrap();
        let (expected, all) = of(partners.clone(), UNITS);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(windows.merged(&Windows::around(Default::default(), relation, within, 0, UNITS)), all);
    }

    #[test]
    fn of_is_a_distance_of_at_most_d_between_events(
        anchors in events(0),
        partners in events(100),
        within in 0..15_i64,
    ) {
        let (anchors, partners) = (Events::sorted(anchors, UNITS), Events::sorted(partners, UNITS));
        let near = (0..anchors.len())
            .filter(|a| (0..partners.len()).any(|p| {
                anchors.unit[*a] == partners.unit[p]
                    && nearness((anchors.start_ns[*a], anchors.end_ns[*a]), (partners.start_ns[p], partners.end_ns[p])).0 <= within
            }))
            .count();
        prop_assert_eq!(sweep(&anchors, &partners, Relation::Of, within).matches.len(), near);
    }

    #[test]
    fn chance_counts_the_anchors_and_matches_that_are_listed(
        anchors in events(0),
        partners in events(100),
        relation in prop::sample::select(vec![Relation::Of, Relation::Before, Relation::After]),
        within in 1..15_i64,
        watermark_ns in 60..90_i64,
    ) {
        let (anchors, partners) = (Events::sorted(anchors, UNITS), Events::sorted(partners, UNITS));
        let windows = Windows::around(partners.intervals(), relation, within, watermark_ns, UNITS);
        let assessed = assess(&Input {
            anchors: anchors.intervals(), windows: &windows, relation, within_ns: within, from_ns: 0,
            to_ns: watermark_ns, watermark_ns, time_zone: &jiff::tz::TimeZone::UTC, units: UNITS, seed: 1,
            same_events: false,
        });
        let decided = |anchor: usize| {
            let end_ns = if anchors.end_ns[anchor] == OPEN { watermark_ns } else { anchors.end_ns[anchor] };
            !relation.is_undecided(end_ns, within, watermark_ns)
        };
        let found = sweep(&anchors, &partners, relation, within);
        let matched = found.matches.iter().filter(|one| decided(one.anchor as usize)).count() as u64;
        let all = (0..anchors.len()).filter(|anchor| decided(*anchor)).count() as u64;
        prop_assert_eq!((assessed.matched, assessed.anchors), (matched, all));
    }

    #[test]
    fn sorting_keeps_every_row(rows in events(0)) {
        let events = Events::sorted(rows.clone(), UNITS);
        prop_assert!((1..events.len()).all(|i| (events.unit[i - 1], events.start_ns[i - 1]) <= (events.unit[i], events.start_ns[i])));
        let mut ids = events.id.clone();
        ids.sort_unstable();
        prop_assert_eq!(ids, rows.iter().map(|row| row.id).collect::<Vec<_>>());
    }
}
