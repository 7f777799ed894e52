//! Permuting days (or hosts): how often another assignment matches at least as many.

#![allow(
    clippy::indexing_slicing,
    reason = "rows and columns come from the matrix whose shape the table states"
)]
#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

use super::random::Random;

/// Draws, where the assignments are too many to try each. With what was seen they make 10,000.
pub(super) const DRAWS: u64 = 9_999;

/// A permutation test is used when its smallest possible p is at most this.
pub(super) const FLOOR_MAX: f64 = 0.02;

/// How far ahead [`days_needed`] looks.
const DAYS_AHEAD_MAX: u32 = 3_660;

/// Matches of the heads of each row (a day) at each column (the same or another day).
#[derive(Debug)]
pub(super) struct Table {
    /// Rows × columns.
    pub matches: Vec<u32>,
    pub columns: usize,
    /// For each row, the column that happened.
    pub own: Vec<usize>,
    /// For each column, the stratum within which it may be exchanged: 0 or 1.
    pub stratum: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Permuted {
    pub p: f64,
    /// The p of the best assignment that was tried.
    pub p_extreme: f64,
    /// The smallest p there can be with this many assignments.
    pub floor: f64,
}

/// The smallest p that permuting can give: the share of one placing of `used` rows among `all`,
/// (all − used)! / all!.
pub(super) fn floor(all: usize, used: usize) -> f64 {
    (0..used.min(all)).map(|i| 1.0 / (all - i) as f64).product()
}

/// One stratum: the rows to place and the columns to place them on.
struct Stratum {
    rows: Vec<usize>,
    columns: Vec<usize>,
}

pub(super) fn permute(table: &Table, draws: u64, seed: u64) -> Permuted {
    let seen: u64 = table.own.iter().enumerate().map(|(row, &own)| table.at(row, own)).sum();
    let strata: Vec<Stratum> = [0, 1].into_iter().map(|stratum| table.stratum(stratum)).collect();
    // Placings of the rows: every other permutation repeats one of these equally often.
    let placings: f64 = strata.iter().map(|s| 1.0 / floor(s.columns.len(), s.rows.len())).product();
    let mut tally = Tally { seen, reached: 0, best: 0, at_best: 0, tried: 0 };
    if placings <= draws as f64 {
        try_all(table, strata, &mut tally);
        Permuted {
            p: tally.reached as f64 / tally.tried.max(1) as f64,
            p_extreme: tally.at_best as f64 / tally.tried.max(1) as f64,
            floor: 1.0 / placings,
        }
    } else {
        tally.count(seen);
        draw(table, strata, &mut tally, draws, seed);
        let all = (draws + 1) as f64;
        Permuted { p: tally.reached as f64 / all, p_extreme: tally.at_best as f64 / all, floor: 1.0 / all }
    }
}

impl Table {
    fn at(&self, row: usize, column: usize) -> u64 {
        u64::from(self.matches[row * self.columns + column])
    }

    /// Rows that match nowhere add nothing wherever they are placed.
    fn stratum(&self, stratum: u8) -> Stratum {
        let matches_somewhere =
            |row: &usize| self.matches[row * self.columns..][..self.columns].iter().any(|&m| m > 0);
        Stratum {
            rows: (0..self.own.len())
                .filter(|&row| self.stratum[self.own[row]] == stratum)
                .filter(matches_somewhere)
                .collect(),
            columns: (0..self.columns).filter(|&column| self.stratum[column] == stratum).collect(),
        }
    }
}

struct Tally {
    seen: u64,
    reached: u64,
    best: u64,
    at_best: u64,
    tried: u64,
}

impl Tally {
    fn count(&mut self, sum: u64) {
        self.tried += 1;
        self.reached += u64::from(sum >= self.seen);
        if sum > self.best {
            (self.best, self.at_best) = (sum, 0);
        }
        self.at_best += u64::from(sum == self.best);
    }
}

/// Every placing, the strata one after the other.
fn try_all(table: &Table, strata: Vec<Stratum>, tally: &mut Tally) {
    let rows: Vec<(usize, usize)> = strata
        .iter()
        .enumerate()
        .flat_map(|(s, stratum)| stratum.rows.iter().map(move |&row| (s, row)))
        .collect();
    let mut columns: Vec<Vec<usize>> = strata.into_iter().map(|stratum| stratum.columns).collect();
    let mut placed = [0; 2];
    place(table, &rows, &mut columns, &mut placed, 0, tally);
}

/// Places the first of `rows` on each column that its stratum has left, and the others after it.
fn place(
    table: &Table,
    rows: &[(usize, usize)],
    columns: &mut [Vec<usize>],
    placed: &mut [usize; 2],
    sum: u64,
    tally: &mut Tally,
) {
    let Some((&(stratum, row), others)) = rows.split_first() else {
        tally.count(sum);
        return;
    };
    let first = placed[stratum];
    for choice in first..columns[stratum].len() {
        columns[stratum].swap(first, choice);
        placed[stratum] += 1;
        let sum = sum + table.at(row, columns[stratum][first]);
        place(table, others, columns, placed, sum, tally);
        placed[stratum] -= 1;
        columns[stratum].swap(first, choice);
    }
}

fn draw(table: &Table, mut strata: Vec<Stratum>, tally: &mut Tally, draws: u64, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..draws {
        let mut sum = 0;
        for Stratum { rows, columns } in &mut strata {
            random.choose(columns, rows.len());
            sum += rows.iter().zip(columns.iter()).map(|(&row, &column)| table.at(row, column)).sum::<u64>();
        }
        tally.count(sum);
    }
}

/// M: how many more days would let days be compared, if anchors go on falling on the same share of
/// them. The first day so far is weekday `first_weekday` (0 is Monday); those to come go on with the
/// week. None when not even ten years would do.
pub fn days_needed(first_weekday: u8, days: usize, anchor_days: usize) -> Option<u32> {
    // Less than a day, or anchors outside the whole days, count as one day with anchors.
    let (days, anchor_days) = (days.max(1), anchor_days.max(1));
    let workday = |day: usize| (usize::from(first_weekday) + day) % 7 < 5;
    let mut working = (0..days).filter(|&day| workday(day)).count();
    for more in 1..=DAYS_AHEAD_MAX {
        let all = days + more as usize;
        working += usize::from(workday(all - 1));
        let used = anchor_days * all / days;
        let reached = if all < 7 {
            floor(all, used)
        } else {
            let on_workdays = (2 * used * working + all) / (2 * all);
            floor(working, on_workdays) * floor(all - working, used - on_workdays)
        };
        if reached <= FLOOR_MAX {
            return Some(more);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers of a test's own")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(matches: &[&[u32]], own: &[usize], stratum: &[u8]) -> Table {
        Table {
            matches: matches.concat(),
            columns: stratum.len(),
            own: own.to_vec(),
            stratum: stratum.to_vec(),
        }
    }

    #[test]
    fn few_placings_are_all_tried() {
        // Three days, each matching on itself alone: one of 3! = 6 keeps all three.
        let all = table(&[&[1, 0, 0], &[0, 1, 0], &[0, 0, 1]], &[0, 1, 2], &[0; 3]);
        let found = permute(&all, DRAWS, 1);
        assert!((found.p - 1.0 / 6.0).abs() < 1e-12 && (found.floor - 1.0 / 6.0).abs() < 1e-12);
        // One row of five columns matches on two of them.
        let one = permute(&table(&[&[1, 0, 0, 1, 0]], &[0], &[0; 5]), DRAWS, 1);
        assert!((one.p - 0.4).abs() < 1e-12 && (one.p_extreme - 0.4).abs() < 1e-12);
        // Strata keep a weekend row off the workdays, where it would match as well.
        let strata = permute(&table(&[&[1, 1, 1, 0, 1, 0, 0]], &[4], &[0, 0, 0, 0, 1, 1, 1]), DRAWS, 1);
        assert!((strata.p - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn draws_never_give_zero() {
        let mut matches = vec![0; 14 * 14];
        for day in 0..14 {
            matches[day * 14 + day] = 1;
        }
        let table = Table { matches, columns: 14, own: (0..14).collect(), stratum: vec![0; 14] };
        assert_eq!(permute(&table, DRAWS, 7).p, 1e-4);
    }

    proptest! {
        #[test]
        fn placings_equal_all_permutations(
            matches in prop::collection::vec(0_u32..4, 30), strata in prop::collection::vec(0_u8..2, 5), rows in 1_usize..6,
        ) {
            let own: Vec<usize> = (0..rows).collect();
            let table = Table { matches: matches[..rows * 5].to_vec(), columns: 5, own, stratum: strata.clone() };
            let seen: u32 = (0..rows).map(|d| matches[d * 5 + d]).sum();
            let (mut reached, mut all) = (0, 0);
            let mut order = [0_usize; 5];
            for code in 0..5_usize.pow(5) {
                (0..5).for_each(|i| order[i] = code / 5_usize.pow(i as u32) % 5);
                let mut sorted = order;
                sorted.sort_unstable();
                if sorted == [0, 1, 2, 3, 4] && (0..5).all(|d| strata[d] == strata[order[d]]) {
                    all += 1;
                    reached += u32::from((0..rows).map(|d| matches[d * 5 + order[d]]).sum::<u32>() >= seen);
                }
            }
            let found = permute(&table, DRAWS, 1);
            prop_assert!((found.p - f64::from(reached) / f64::from(all)).abs() < 1e-12);
        }

        #[test]
        fn days_needed_is_the_first_that_reaches_the_floor(first in 0_usize..7, days in 1_usize..30, anchor_days in 1_usize..30) {
            let anchor_days = anchor_days.min(days);
            let workday = |day: usize| (first + day) % 7 < 5;
            let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
            let reaches = |more: usize| {
                let all = days + more;
                let used = anchor_days * all / days;
                if all < 7 {
                    return factorial(all - used) / factorial(all) <= 0.02;
                }
                let working = (0..all).filter(|&day| workday(day)).count();
                let on_workdays = ((used * working) as f64 / all as f64 + 0.5).floor() as usize;
                let (w, e) = (working, all - working);
                factorial(w - on_workdays) / factorial(w) * factorial(e - (used - on_workdays)) / factorial(e) <= 0.02
            };
            let expected = (1..120).find(|&more| reaches(more));
            prop_assert_eq!(days_needed(first as u8, days, anchor_days).map(|m| m as usize), expected);
        }
    }
}
