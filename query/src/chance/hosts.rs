//! Where days are too few: matches of each host's anchors on every other host at the same instant.

#![allow(
    clippy::indexing_slicing,
    reason = "rows and columns are positions in the chosen hosts, whose number shapes the table"
)]
#![allow(clippy::cast_precision_loss, reason = "counts of hosts")]

use super::episodes::Probes;
use super::permute::{Table, floor};
use super::random::Random;
use super::windows::{UnitWindows, Windows};

/// More hosts than this are represented by a random choice, those with anchors first.
const HOSTS_MAX: usize = 512;
const ANCHORS_AT_ONCE: usize = 512;

/// What the hosts gave.
#[derive(Debug)]
pub(super) struct Hosts {
    pub table: Table,
    /// For each anchor the share of other hosts that match at its instant; none without another.
    pub share: Vec<Option<f64>>,
    /// With how many other hosts an anchor was compared, on average.
    pub compared: f64,
}

/// The smallest p that permuting the hosts can give.
pub(super) fn hosts_floor(probes: &Probes, units: u32) -> f64 {
    floor(units as usize, units_with_heads(probes).len())
}

fn units_with_heads(probes: &Probes) -> Vec<u32> {
    probes
        .by_unit()
        .filter(|(_, rows)| probes.head[rows.clone()].contains(&true))
        .map(|(unit, _)| unit)
        .collect()
}

pub(super) fn hosts(probes: &Probes, windows: &Windows, units: u32, seed: u64) -> Hosts {
    let (chosen, with_heads) = choose(probes, units, seed);
    let columns = chosen.len();
    let mut column_of = vec![None; units as usize];
    for (column, &unit) in chosen.iter().enumerate() {
        column_of[unit as usize] = Some(column);
    }

    let mut order: Vec<usize> = (0..probes.len()).collect();
    order.sort_unstable_by_key(|&row| probes.time_ns[row]);
    let anchors: Vec<Anchor> = order
        .iter()
        .map(|&row| {
            let column = column_of[probes.unit[row] as usize];
            Anchor {
                time: probes.time_ns[row],
                length: probes.length_ns[row],
                column,
                // Hosts with heads come first among the chosen, so the row is the column.
                row: column.filter(|&column| probes.head[row] && column < with_heads),
            }
        })
        .collect();
    let mut covered = vec![0_u32; anchors.len()];
    let mut matches_by_column = vec![0_u32; columns * with_heads];
    let windows: Vec<UnitWindows<'_>> = chosen.iter().map(|&unit| windows.of_unit(unit)).collect();
    let mut pointers = vec![0; columns];
    // A few anchors against every host in turn, so that the anchors stay in the fastest cache.
    for (anchors, covered) in anchors.chunks(ANCHORS_AT_ONCE).zip(covered.chunks_mut(ANCHORS_AT_ONCE)) {
        for (column, (windows, at)) in windows.iter().zip(&mut pointers).enumerate() {
            let matches = &mut matches_by_column[column * with_heads..][..with_heads];
            for (anchor, covered) in anchors.iter().zip(&mut *covered) {
                if windows.touches(at, anchor.time, anchor.length) {
                    *covered += u32::from(anchor.column != Some(column));
                    if let Some(row) = anchor.row {
                        matches[row] += 1;
                    }
                }
            }
        }
    }
    let matches = (0..with_heads)
        .flat_map(|row| (0..columns).map(move |column| column * with_heads + row))
        .map(|at| matches_by_column[at])
        .collect();

    let mut share = vec![None; probes.len()];
    let mut compared = 0;
    for ((anchor, &covered), &row) in anchors.iter().zip(&covered).zip(&order) {
        let others = columns - usize::from(anchor.column.is_some());
        if others > 0 {
            compared += others;
            share[row] = Some(f64::from(covered) / others as f64);
        }
    }
    let compared = compared as f64 / anchors.len().max(1) as f64;
    let table = Table { matches, columns, own: (0..with_heads).collect(), stratum: vec![0; columns] };
    Hosts { table, share, compared }
}

struct Anchor {
    time: i64,
    length: i64,
    /// Its host's column, if chosen.
    column: Option<usize>,
    /// Its host's row, if it begins an episode on a chosen host.
    row: Option<usize>,
}

/// Hosts with heads, then others, at most [`HOSTS_MAX`]; and how many of them have heads.
fn choose(probes: &Probes, units: u32, seed: u64) -> (Vec<u32>, usize) {
    let mut random = Random::new(seed);
    let mut chosen = units_with_heads(probes);
    let mut has_heads = vec![false; units as usize];
    for &unit in &chosen {
        has_heads[unit as usize] = true;
    }
    random.choose(&mut chosen, HOSTS_MAX);
    chosen.truncate(HOSTS_MAX);
    let with_heads = chosen.len();
    let mut others: Vec<u32> =
        (0_u32..).zip(&has_heads).filter(|(_, heads)| !**heads).map(|(unit, _)| unit).collect();
    let room = HOSTS_MAX - with_heads;
    random.choose(&mut others, room);
    chosen.extend(others.into_iter().take(room));
    (chosen, with_heads)
}
