//! From columns to figures: chooses what to compare with, and what the figures allow to be said.

#![allow(clippy::cast_precision_loss, reason = "counts of anchors stay far below 2^53")]

use super::assessment::{ALPHA, Assessment, Basis, Verdict};
use super::cells::{Grid, Local, OFFSETS, local};
use super::days::{Calendar, Days, days};
use super::episodes::Probes;
use super::hosts::{Hosts, hosts, hosts_floor};
use super::input::Input;
use super::permute::{DRAWS, FLOOR_MAX, days_needed, permute};
use super::tail::{self, Tail};
use super::windows::Windows;

/// A range that ends further ahead of the watermark than this is cut there; less is the ordinary
/// delay of a range that ends now, whose whole days must stay whole.
const AHEAD_NS_MAX: i64 = 3_600 * 1_000_000_000;
/// Far enough from the ends of `i64` that no difference of two times overflows.
const TIME_NS_MAX: i64 = i64::MAX / 2 - 7 * 86_400 * 1_000_000_000;

/// How likely chance alone is to match as many anchors.
pub fn assess(input: &Input<'_>) -> Assessment {
    assess_drawing(input, DRAWS)
}

/// As [`assess`], by so many permutations where there are too many to try each.
pub fn assess_drawing(input: &Input<'_>, draws: u64) -> Assessment {
    let probes = Probes::new(input);
    let mut out = nothing(input, &probes);
    if probes.len() == 0 || input.same_events {
        return out;
    }
    let (from_ns, to_ns) = compared(input);
    let near = local(&probes, input.windows, Grid::new(from_ns, to_ns, input.within_ns));
    out.matched = matched(&probes, input.windows);
    out.heads_matched = near.counts.iter().step_by(OFFSETS).map(|&count| u64::from(count)).sum();
    out.expected_local = near.share.iter().sum();

    let calendar = Calendar::new(from_ns, to_ns, input.time_zone);
    let by_day = days(&probes, input.windows, &calendar);
    out.days = u32::try_from(calendar.days).unwrap_or(u32::MAX);
    out.floor_day = by_day.floor;
    out.floor_host = hosts_floor(&probes, input.units);
    let comparison = if out.floor_day <= FLOOR_MAX {
        Comparison::Days(by_day)
    } else {
        out.days_needed = days_needed(calendar.first_weekday, calendar.days, by_day.used);
        if out.floor_host <= FLOOR_MAX {
            Comparison::Hosts(hosts(&probes, input.windows, input.units, input.seed))
        } else {
            Comparison::Cells
        }
    };

    out.expected = comparison.expected(&near);
    out.lift = (out.expected > 0.0).then(|| out.matched as f64 / out.expected);
    if out.matched > 0 && out.expected == 0.0 {
        out.lift_at_least = comparison.compared().map(|others| out.matched as f64 * others / 3.0);
    }
    out.none_on_these_hosts = !near.any_window;
    out.covers_nearly_all = near.full;
    test(&mut out, &comparison, &near, draws, input.seed);
    out
}

/// The range that is compared.
pub(super) fn compared(input: &Input<'_>) -> (i64, i64) {
    let from_ns = input.from_ns.clamp(-TIME_NS_MAX, TIME_NS_MAX);
    let late = input.to_ns.saturating_sub(input.watermark_ns) > AHEAD_NS_MAX;
    let to_ns = if late { input.watermark_ns } else { input.to_ns }.clamp(from_ns, TIME_NS_MAX);
    (from_ns, to_ns)
}

/// The answer before anything is compared.
fn nothing(input: &Input<'_>, probes: &Probes) -> Assessment {
    Assessment {
        basis: Basis::None,
        verdict: if input.same_events && probes.len() > 0 { Verdict::SameEvents } else { Verdict::NoAnchors },
        p: None,
        p_day: None,
        p_host: None,
        p_local: None,
        p_floor: 0.0,
        expected: 0.0,
        expected_local: 0.0,
        lift: None,
        lift_at_least: None,
        matched: if input.same_events { matched(probes, input.windows) } else { 0 },
        anchors: probes.len() as u64,
        heads_matched: 0,
        heads: probes.head.iter().filter(|&&head| head).count() as u64,
        undecided: probes.undecided,
        days: 0,
        floor_day: 1.0,
        floor_host: 1.0,
        days_needed: None,
        cell_ns: Grid::new(0, 0, input.within_ns).cell_ns,
        relation: input.relation,
        fleet_wide: false,
        covers_nearly_all: false,
        none_on_these_hosts: false,
        too_few: false,
    }
}

/// K, counted apart from every comparison.
fn matched(probes: &Probes, windows: &Windows) -> u64 {
    let mut matched = 0;
    for (unit, rows) in probes.by_unit() {
        let (windows, mut at) = (windows.of_unit(unit), 0);
        let times = probes.time_ns.get(rows.clone()).unwrap_or_default();
        let lengths = probes.length_ns.get(rows).unwrap_or_default();
        matched += times
            .iter()
            .zip(lengths)
            .filter(|&(&time, &length)| windows.touches(&mut at, time, length))
            .count() as u64;
    }
    matched
}

/// What the anchors are compared with besides their surroundings.
enum Comparison {
    Days(Days),
    Hosts(Hosts),
    Cells,
}

impl Comparison {
    /// Where an anchor has no other day or host to compare with, its surroundings stand in.
    fn expected(&self, near: &Local) -> f64 {
        let share = match self {
            Comparison::Days(days) => &days.share,
            Comparison::Hosts(hosts) => &hosts.share,
            Comparison::Cells => return near.share.iter().sum(),
        };
        share.iter().zip(&near.share).map(|(share, near)| share.unwrap_or(*near)).sum()
    }

    /// R: with how many others an anchor was compared.
    fn compared(&self) -> Option<f64> {
        match self {
            Comparison::Days(days) => Some(days.compared),
            Comparison::Hosts(hosts) => Some(hosts.compared),
            Comparison::Cells => None,
        }
    }
}

/// Fills in p and the verdict.
fn test(out: &mut Assessment, comparison: &Comparison, near: &Local, draws: u64, seed: u64) {
    let (basis, permuted, tail) = match comparison {
        Comparison::Days(days) => (Basis::Day, Some(permute(&days.table, draws, seed)), Tail::Middle),
        Comparison::Hosts(hosts) => (Basis::Host, Some(permute(&hosts.table, draws, seed)), Tail::Full),
        Comparison::Cells => (Basis::Local, None, Tail::Full),
    };
    let local = tail::local(&near.counts, out.heads, tail, seed);
    let extreme = permuted.map_or(0.0, |permuted| permuted.p_extreme).max(local.p_extreme);

    let (mut far, mut close) = (false, false);
    let mut p = 1.0;
    if out.heads_matched > 0 {
        out.basis = basis;
        out.p_local = Some(local.p);
        match basis {
            Basis::Day => out.p_day = permuted.map(|permuted| permuted.p),
            Basis::Host => out.p_host = permuted.map(|permuted| permuted.p),
            Basis::Local | Basis::None => {}
        }
        p = permuted.map_or(local.p, |permuted| permuted.p.max(local.p));
        out.p_floor = permuted.map_or(0.0, |permuted| permuted.floor).max(local.p_extreme);
        far = permuted.is_none_or(|permuted| permuted.p <= ALPHA);
        close = local.p <= ALPHA;
    }
    out.p = Some(p);
    out.too_few = p > ALPHA && extreme > ALPHA;
    out.fleet_wide = basis == Basis::Host && close && !far;
    out.verdict = match (basis, far, close) {
        _ if out.none_on_these_hosts => Verdict::NoneOnTheseHosts,
        _ if out.covers_nearly_all => Verdict::CoversNearlyAll,
        (Basis::Day, true, true) => Verdict::Follows,
        (Basis::Day, false, true) => Verdict::SameTimesOfDay,
        (Basis::Day, true, false) => Verdict::SameBadPeriods,
        (Basis::Host, true, true) => Verdict::MoreThanOtherHosts,
        (Basis::Host, false, true) => Verdict::FleetWide,
        (_, true, true) => Verdict::CloserThanSurroundings,
        _ if out.too_few => Verdict::TooFew,
        _ => Verdict::NotMore,
    };
}
