//! How often the sum over cells, each at one of its 30 offsets, reaches what was seen.

#![allow(
    clippy::indexing_slicing,
    reason = "distributions are indexed by counts that bounded their length when they were made"
)]
#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

use super::cells::OFFSETS;
use super::random::Random;

/// Up to this many heads the distribution is convolved exactly.
const EXACT_HEADS: u64 = 10_000;
/// Draws where neither exact nor normal will do.
const DRAWS: u32 = 9_999;
/// Beyond this share of the variance in one cell the sum is not taken to be normal.
const VARIANCE_SHARE_MAX: f64 = 0.05;
/// Cells below this share of the variance are drawn together, as one normal deviate.
const VARIANCE_SHARE_SMALL: f64 = 1.0 / 2_000.0;

/// Which part of "exactly as many as seen" counts towards p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// P(> K') + ½ P(= K').
    Middle,
    /// P(≥ K').
    Full,
}

impl Tail {
    fn share(self) -> f64 {
        if self == Tail::Middle { 0.5 } else { 1.0 }
    }
}

/// The probability of what was seen, and of the most extreme outcome there could have been.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Probability {
    pub p: f64,
    pub p_extreme: f64,
}

/// `counts` has [`OFFSETS`] entries per cell, the first of which happened.
pub(super) fn local(counts: &[u32], heads: u64, tail: Tail, seed: u64) -> Probability {
    let seen: u64 = counts.iter().step_by(OFFSETS).map(|&count| u64::from(count)).sum();
    if heads <= EXACT_HEADS { exact(counts, seen, tail) } else { approximate(counts, seen, tail, seed) }
}

fn exact(counts: &[u32], seen: u64, tail: Tail) -> Probability {
    let mut least = 0_u64;
    let mut distribution = vec![1.0];
    let mut next = Vec::new();
    for cell in counts.chunks_exact(OFFSETS) {
        let low = cell.iter().min().copied().unwrap_or(0);
        let high = cell.iter().max().copied().unwrap_or(0);
        least += u64::from(low);
        if low == high {
            continue;
        }
        let mut histogram = vec![0_u32; (high - low) as usize + 1];
        for &count in cell {
            histogram[(count - low) as usize] += 1;
        }
        next.clear();
        next.resize(distribution.len() + histogram.len() - 1, 0.0);
        for (count, &times) in histogram.iter().enumerate().filter(|&(_, &times)| times > 0) {
            let share = f64::from(times) / OFFSETS as f64;
            for (sum, p) in next[count..].iter_mut().zip(&distribution) {
                *sum += share * p;
            }
        }
        std::mem::swap(&mut distribution, &mut next);
    }
    let at = usize::try_from(seen.saturating_sub(least)).unwrap_or(usize::MAX);
    let equal = distribution.get(at).copied().unwrap_or(0.0);
    let above: f64 = distribution.iter().skip(at.saturating_add(1)).rev().sum();
    let extreme = distribution.last().copied().unwrap_or(1.0);
    Probability { p: (above + tail.share() * equal).min(1.0), p_extreme: tail.share() * extreme }
}

fn approximate(counts: &[u32], seen: u64, tail: Tail, seed: u64) -> Probability {
    let moments: Vec<(f64, f64)> = counts.chunks_exact(OFFSETS).map(moments).collect();
    let mean: f64 = moments.iter().map(|m| m.0).sum();
    let variance: f64 = moments.iter().map(|m| m.1).sum();
    if variance == 0.0 {
        return Probability { p: tail.share(), p_extreme: tail.share() };
    }
    let largest = moments.iter().map(|m| m.1).fold(0.0, f64::max);
    if largest <= VARIANCE_SHARE_MAX * variance {
        let continuity = if tail == Tail::Full { 0.5 } else { 0.0 };
        let p = normal_tail((seen as f64 - continuity - mean) / variance.sqrt());
        return Probability { p, p_extreme: 0.0 };
    }
    draws(counts, &moments, seen, tail, variance, seed)
}

fn draws(
    counts: &[u32],
    moments: &[(f64, f64)],
    seen: u64,
    tail: Tail,
    variance: f64,
    seed: u64,
) -> Probability {
    let small = VARIANCE_SHARE_SMALL * variance;
    let large: Vec<&[u32]> = counts
        .chunks_exact(OFFSETS)
        .zip(moments)
        .filter(|(_, m)| m.1 > small)
        .map(|(cell, _)| cell)
        .collect();
    let rest = moments.iter().filter(|m| m.1 <= small);
    let (rest_mean, rest_variance) = rest.fold((0.0, 0.0), |sum, m| (sum.0 + m.0, sum.1 + m.1));
    let rest_deviation: f64 = f64::sqrt(rest_variance);

    let mut random = Random::new(seed);
    let (mut above, mut equal) = (0_u32, 0_u32);
    for _ in 0..DRAWS {
        let drawn: u64 = large.iter().map(|cell| u64::from(cell[random.below(OFFSETS)])).sum();
        let rest = if rest_deviation > 0.0 { rest_deviation * random.normal() } else { 0.0 };
        let sum = drawn as f64 + (rest_mean + rest).round();
        above += u32::from(sum > seen as f64);
        equal += u32::from(sum == seen as f64);
    }
    let reached = f64::from(above) + tail.share() * f64::from(equal);
    Probability { p: (1.0 + reached) / f64::from(DRAWS + 1), p_extreme: 1.0 / f64::from(DRAWS + 1) }
}

fn moments(cell: &[u32]) -> (f64, f64) {
    let mean = cell.iter().map(|&count| f64::from(count)).sum::<f64>() / OFFSETS as f64;
    let squares = cell.iter().map(|&count| (f64::from(count) - mean).powi(2)).sum::<f64>();
    (mean, squares / OFFSETS as f64)
}

/// P(Z ≥ z) of the standard normal distribution: its Taylor series about 0 where that is quick, and
/// Laplace's continued fraction beyond.
fn normal_tail(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    if z.abs() < 3.0 {
        let (mut term, mut sum, mut odd) = (z, z, 1.0);
        while term.abs() > 1e-17 {
            odd += 2.0;
            term *= z * z / odd;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let mut fraction = z.abs();
    for step in (1..=60_u32).rev() {
        fraction = z.abs() + f64::from(step) / fraction;
    }
    let tail = density / fraction;
    if z > 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[&[(u32, usize)]]) -> Vec<u32> {
        let mut counts = Vec::new();
        for row in rows {
            for &(count, times) in *row {
                counts.extend(std::iter::repeat_n(count, times));
            }
        }
        assert_eq!(counts.len() % OFFSETS, 0);
        counts
    }

    #[test]
    fn small_sums_are_exact() {
        // Two cells, each matched at 6 of 30 offsets: both matched with (1/5)², one with 2·(1/5)(4/5).
        let both = cells(&[&[(1, 6), (0, 24)], &[(1, 6), (0, 24)]]);
        let found = local(&both, 2, Tail::Full, 0);
        assert!((found.p - 0.04).abs() < 1e-12 && (found.p_extreme - 0.04).abs() < 1e-12);
        assert!((local(&both, 2, Tail::Middle, 0).p - 0.02).abs() < 1e-12);
        let one = cells(&[&[(1, 6), (0, 24)], &[(0, 24), (1, 6)]]);
        assert!((local(&one, 2, Tail::Full, 0).p - 0.36).abs() < 1e-12);
        assert!((local(&one, 2, Tail::Middle, 0).p - 0.2).abs() < 1e-12);
    }

    #[test]
    fn a_cell_that_never_varies_tells_nothing() {
        let full = cells(&[&[(3, 30)]]);
        assert_eq!(local(&full, 3, Tail::Full, 0).p, 1.0);
        assert_eq!(local(&full, 3, Tail::Middle, 0).p, 0.5);
    }

    #[test]
    fn normal_tails_are_those_of_the_tables() {
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (-1.0, 0.841_344_746_068_543),
            (1.959_963_984_540_054, 0.025),
            (3.0, 0.001_349_898_031_630_1),
            (5.0, 2.866_515_718_791_9e-7),
            (-4.0, 0.999_968_328_758_167),
        ] {
            assert!((normal_tail(z) / p - 1.0).abs() < 1e-9, "{z}: {} for {p}", normal_tail(z));
        }
    }

    #[test]
    fn approximations_agree_with_the_exact_sum() {
        let mut random = Random::new(5);
        let mut even = Vec::new();
        for cell in 0..300 {
            let covered = 3 + random.below(10);
            let turn = random.below(OFFSETS);
            even.extend((0..OFFSETS).map(|j| (1 + cell % 4) * u32::from((j + turn) % OFFSETS < covered)));
        }
        let mut uneven = even.clone();
        uneven.extend((0..OFFSETS).map(|j| if j < 4 { 250 } else { 0 }));
        for (counts, bound) in [(even, 0.01), (uneven, 0.02)] {
            let seen: u64 = counts.iter().step_by(OFFSETS).map(|&count| u64::from(count)).sum();
            for tail in [Tail::Middle, Tail::Full] {
                let (exact, near) = (exact(&counts, seen, tail), approximate(&counts, seen, tail, 3));
                assert!((exact.p - near.p).abs() < bound, "{tail:?}: {exact:?} {near:?}");
            }
        }
    }
}
