//! One question for each of many candidates: which of them come more often than chance, and how many such claims are wrong.
//!
//! Benjamini and Hochberg, 1995: of the claims at `q ≤ 0.05` at most 5 % are expected to be false, for tests that are
//! independent or depend positively. `m` counts every candidate that could have matched, those that never did included.

use super::{
    assessment::{Assessment, Basis},
    input::Input,
    judge::{assess, assess_drawing},
};

/// The false-discovery rate of what is claimed.
pub const RATE: f64 = 0.05;
/// Candidates that match so much of the same anchors are one finding.
const SAME: f64 = 0.9;
/// Permutations for a candidate that 10,000 do not tell apart from better ones.
const MORE_DRAWS: u64 = 999_999;
/// Of so many candidates at most.
const MORE_DRAWN_MAX: usize = 50;

/// A candidate, tested.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// Its figures.
    pub assessment: Assessment,
    /// Which anchors it matched: ids in rising order.
    pub matched: Vec<u64>,
}

/// A candidate's place among the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Its place in what was given.
    pub candidate: usize,
    /// The share of false ones among claims as strong as this; none without the basis of days.
    pub q: Option<f64>,
    /// Weaker candidates that match nearly the same anchors.
    pub same: Vec<usize>,
}

/// Tests a candidate; more finely where `m` tests leave no room for the coarse result.
pub fn test(input: &Input<'_>, m: usize, drawn: &mut usize) -> Assessment {
    let coarse = assess(input);
    let at_floor = coarse.p.is_some_and(|p| p <= coarse.p_floor) && coarse.basis == Basis::Day;
    #[allow(clippy::cast_precision_loss, reason = "a number of candidates")]
    let too_coarse = coarse.p_floor * m as f64 > RATE;
    if at_floor && too_coarse && *drawn < MORE_DRAWN_MAX {
        *drawn += 1;
        return assess_drawing(input, MORE_DRAWS);
    }
    coarse
}

/// Orders candidates: first those that may be claimed, by how many anchors they account for beyond chance, then the
/// others by how far they are above chance. `m`: how many could have
/// matched, at least as many as are given.
pub fn rank(tested: &[Tested], m: usize) -> Vec<Ranked> {
    let by_days = tested.iter().any(|one| one.assessment.basis == Basis::Day);
    let p: Vec<f64> = tested.iter().map(|one| one.assessment.p.unwrap_or(1.0)).collect();
    let q = by_days.then(|| benjamini_hochberg(&p, m));
    let q_of = |at: usize| q.as_ref().and_then(|q| q.get(at)).copied();
    let mut order: Vec<usize> = (0..tested.len()).collect();
    let claimed = |at: usize| q_of(at).unwrap_or(1.0) <= RATE;
    order.sort_by(|a, b| {
        let of = |at: &usize| match tested.get(*at).map(|one| &one.assessment) {
            Some(one) if claimed(*at) => accounted_for(one),
            Some(one) => above_chance(one),
            None => 0.0,
        };
        claimed(*b).cmp(&claimed(*a)).then(of(b).total_cmp(&of(a))).then(a.cmp(b))
    });
    let mut ranked: Vec<Ranked> = Vec::new();
    for candidate in order {
        let Some(one) = tested.get(candidate) else { continue };
        let same = ranked.iter_mut().find(|first| {
            let first = tested.get(first.candidate).map(|first| first.matched.as_slice()).unwrap_or_default();
            !one.matched.is_empty() && overlap(first, &one.matched) >= SAME
        });
        match same {
            Some(first) => first.same.push(candidate),
            None => ranked.push(Ranked { candidate, q: q_of(candidate), same: Vec::new() }),
        }
    }
    ranked
}

/// Anchors matched beyond what chance would give: what precedes three of forty with a lift of hundred explains less of
/// the night than what precedes thirty with a lift of nine.
#[allow(clippy::cast_precision_loss, reason = "counts of events")]
fn accounted_for(assessment: &Assessment) -> f64 {
    assessment.matched as f64 - assessment.expected
}

/// Matches over expected, both with one half added, so that one of one does not stand above thirty of forty.
#[allow(clippy::cast_precision_loss, reason = "counts of events")]
fn above_chance(assessment: &Assessment) -> f64 {
    (assessment.matched as f64 + 0.5) / (assessment.expected + 0.5)
}

/// Of anchors that either matches, the share that both do. Ids in rising order.
#[allow(clippy::cast_precision_loss, reason = "counts of events")]
fn overlap(a: &[u64], b: &[u64]) -> f64 {
    let both = a.iter().filter(|id| b.binary_search(id).is_ok()).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

/// The smallest rate at which each would be claimed, of `m` tests of which these are the ones below 1.
#[allow(clippy::cast_precision_loss, reason = "a number of candidates")]
pub fn benjamini_hochberg(p: &[f64], m: usize) -> Vec<f64> {
    let m = m.max(p.len()) as f64;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p.get(*a).unwrap_or(&1.0).total_cmp(p.get(*b).unwrap_or(&1.0)));
    let mut q = vec![1.0; p.len()];
    let mut least: f64 = 1.0;
    for (rank, at) in order.iter().enumerate().rev() {
        least = least.min(p.get(*at).unwrap_or(&1.0) * m / (rank + 1) as f64);
        if let Some(q) = q.get_mut(*at) {
            *q = least;
        }
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_is_the_smallest_rate_at_which_the_step_up_procedure_claims() {
        let p = [0.01, 0.04, 0.03, 0.005, 0.55];
        for m in [5, 20] {
            let q = benjamini_hochberg(&p, m);
            for rate in (1..1000).map(|rate| f64::from(rate) / 1000.0) {
                // By definition: the largest k with p(k) ≤ k·rate/m, and everything up to it.
                let mut sorted = p;
                sorted.sort_by(f64::total_cmp);
                let last =
                    (1..=p.len()).rev().find(|k| sorted[*k - 1] <= *k as f64 * rate / m as f64 + 1e-12);
                let claimed = |p: f64| last.is_some_and(|k| p <= sorted[k - 1]);
                for (p, q) in p.iter().zip(&q) {
                    assert_eq!(claimed(*p), *q <= rate + 1e-9, "m {m} rate {rate} p {p} q {q}");
                }
            }
        }
    }

    #[test]
    fn overlap_is_of_either() {
        assert!((overlap(&[1, 2, 3, 4], &[2, 3, 4, 5]) - 0.6).abs() < 1e-9);
        assert!((overlap(&[], &[1]) - 0.0).abs() < 1e-9);
    }
}
