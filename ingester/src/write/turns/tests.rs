use proptest::prelude::*;

use super::*;
use crate::write::Table;

const TODAY: i64 = 20_000;

fn shipper(number: u8) -> ShipperId {
    ShipperId([number; 16])
}

fn weight(bytes: usize, days: &[i64]) -> Weight {
    let units: Vec<Unit> = days.iter().map(|day| Unit { table: Table::Logs, day: *day }).collect();
    Weight { lane: Lane::choose(&units, TODAY), rows: 10, bytes, units }
}

/// The worst that is admitted: logs and events of a dozen days, none of which another batch has.
fn worst(number: i64) -> Weight {
    let days: Vec<i64> = (0..12).map(|day| number * 12 + day).collect();
    let mut weight = weight(16 << 20, &days);
    weight.units.extend(days.iter().map(|day| Unit { table: Table::Events, day: *day }));
    weight
}

fn limits() -> BlockLimits {
    BlockLimits::default()
}

/// Fills the next block of a lane as the gatherer does; who had what in it.
fn fill(turns: &mut Turns<Weight>, lane: Lane) -> (Filling, Vec<ShipperId>) {
    let (mut filling, mut taken) = (Filling::default(), Vec::new());
    while let Some((shipper, weight)) =
        turns.next(|shipper, weight| weight.lane == lane && filling.fits(shipper, weight, &limits()))
    {
        let cost = filling.add(shipper, &weight);
        turns.pay(&shipper, cost);
        taken.push(shipper);
    }
    (filling, taken)
}

#[test]
fn rows_of_these_days_are_live_and_all_others_history() {
    for (days, wanted) in [
        (&[][..], Lane::Live),
        (&[TODAY - 1, TODAY, TODAY + 1], Lane::Live),
        (&[TODAY - 2], Lane::History),
        (&[TODAY, TODAY + 2], Lane::History),
        (&[i64::MIN / 2], Lane::History),
    ] {
        assert_eq!(weight(1, days).lane, wanted, "{days:?}");
    }
    let without_day = Unit { table: Table::Quarantine, day: 0 };
    assert_eq!(Lane::choose(&[without_day], TODAY), Lane::Live);
}

#[test]
fn a_live_batch_never_waits_for_history() {
    let mut turns = Turns::default();
    (0..200).for_each(|number| turns.push(shipper(1), worst(number)));
    turns.push(shipper(2), weight(1_000, &[TODAY]));
    let (filling, taken) = fill(&mut turns, Lane::Live);
    assert_eq!((taken, filling.units()), (vec![shipper(2)], 1));
}

#[test]
fn a_block_of_history_has_a_bounded_number_of_units() {
    let mut turns = Turns::default();
    (0..50).for_each(|number| turns.push(shipper(1), worst(number)));
    for _ in 0..50 {
        let (filling, taken) = fill(&mut turns, Lane::History);
        assert!(!taken.is_empty() && filling.units() <= limits().units_max, "{}", filling.units());
    }
    assert!(turns.is_empty());
}

#[test]
fn another_importer_is_in_the_next_block_but_one() {
    let mut turns = Turns::default();
    (0..200).for_each(|number| turns.push(shipper(1), worst(number)));
    let (_, taken) = fill(&mut turns, Lane::History);
    assert_eq!(taken, [shipper(1)]);
    (0..20).for_each(|_| turns.push(shipper(2), weight(40_000, &[5_000, 5_001])));
    let blocks: Vec<Vec<ShipperId>> = (0..2).map(|_| fill(&mut turns, Lane::History).1).collect();
    let others = blocks.concat().into_iter().filter(|one| *one == shipper(2)).count();
    assert_eq!(others, 20, "{blocks:?}");
}

#[test]
fn who_comes_late_is_still_taken_into_a_full_block() {
    let limits = limits();
    let mut filling = Filling::default();
    while filling.has_room_for(&shipper(1), &limits) {
        filling.add(shipper(1), &weight(4 << 20, &[TODAY]));
    }
    assert!(filling.is_full(&limits));
    assert!(filling.fits(&shipper(2), &weight(1_000, &[TODAY]), &limits));
    // Not without end.
    while filling.has_room_for(&shipper(2), &limits) {
        filling.add(shipper(2), &weight(4 << 20, &[TODAY]));
    }
    assert!(!filling.fits(&shipper(3), &weight(1, &[TODAY]), &limits));
}

#[test]
fn what_does_not_fit_stays_the_first_of_its_shipper() {
    let mut turns = Turns::default();
    turns.push(shipper(1), 1);
    turns.push(shipper(1), 2);
    let (who, first) = turns.next(|_, _| true).unwrap();
    turns.put_back(who, first);
    assert_eq!(turns.next(|_, item| *item == 2), None);
    assert_eq!(turns.next(|_, _| true), Some((shipper(1), 1)));
    turns.pay(&shipper(1), i64::MAX);
    assert_eq!(turns.next(|_, _| true), Some((shipper(1), 2)), "whoever is alone has every turn");
    turns.pay(&shipper(1), 1);
    assert!(turns.is_empty());
}

proptest! {
    /// While all have something waiting, nobody has had more than a turn and a batch more than another.
    #[test]
    fn turns_are_worth_the_same_to_all(costs in prop::collection::vec(1..20_000_000_i64, 2..6), rounds in 20..200_usize) {
        let mut turns = Turns::default();
        for (number, _) in (0_u8..).zip(&costs) {
            (0..rounds).for_each(|_| turns.push(shipper(number), ()));
        }
        let mut paid = vec![0_i64; costs.len()];
        for _ in 0..rounds {
            let (who, ()) = turns.next(|_, ()| true).unwrap();
            let number = usize::from(who.0[0]);
            turns.pay(&who, costs[number]);
            paid[number] += costs[number];
        }
        let worst = costs.iter().max().unwrap() + TURN_COST;
        let (least, most) = (paid.iter().min().unwrap(), paid.iter().max().unwrap());
        prop_assert!(most - least <= worst, "{paid:?} of {costs:?}");
    }

    /// Whatever waits is taken, each shipper's in its order.
    #[test]
    fn nothing_is_forgotten(items in prop::collection::vec((0..4_u8, 1..9_000_000_i64), 0..60)) {
        let mut turns = Turns::default();
        for (number, (who, cost)) in items.iter().enumerate() {
            turns.push(shipper(*who), (number, *cost));
        }
        let mut taken: Vec<Vec<usize>> = vec![Vec::new(); 4];
        while let Some((who, (number, cost))) = turns.next(|_, _| true) {
            taken[usize::from(who.0[0])].push(number);
            turns.pay(&who, cost);
        }
        prop_assert!(turns.is_empty());
        prop_assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), items.len());
        prop_assert!(taken.iter().all(|numbers| numbers.is_sorted()));
    }
}
