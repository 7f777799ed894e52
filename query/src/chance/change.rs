//! Before and after a moment: did events become rarer, beyond chance and beyond what happened elsewhere?
//!
//! Counted are episodes of hosts: everything on one host within ten minutes is one, since ten guests that die together
//! do not prove the same thing ten times. Given how many there were in all, those after the moment are binomial with the
//! share of the time observed after it. Where episodes come in clusters, by host or by day, more than that allows, the
//! variance is taken from the clusters. With a control, what happened there in the same time is what is compared with.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::exact::{binomial, chi_squared, clopper_pearson, hypergeometric, student, student_quantile};

/// Episodes on one host within this time of one another are one.
pub const EPISODE_NS: i64 = 600_000_000_000;
/// Clusters are looked for at this level, in two ways.
const CLUSTERED: f64 = 0.1;
/// Intervals hold the ratio in 95 % of cases.
const ALPHA: f64 = 0.05;

/// One side of the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChangeSide)]
pub struct Side {
    /// Episodes.
    pub episodes: u64,
    /// Machine-days observed.
    pub days: f64,
}

/// Both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sides {
    /// Before the moment.
    pub before: Side,
    /// From it on.
    pub after: Side,
}

/// What is compared.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Of each host.
    pub hosts: Vec<Sides>,
    /// Of each day before the moment, then of each from it on.
    pub days: (Vec<Side>, Vec<Side>),
    /// Of everything that was not changed, if there is such.
    pub control: Option<Sides>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Where the change was made.
    #[serde(flatten)]
    pub sides: Sides,
    /// The rate after over the rate before; none where there was none before, or nothing was observed.
    pub ratio: Option<f64>,
    /// In which the ratio lies in 95 % of cases; an open end is none.
    pub ratio_from: f64,
    /// See `ratio_from`.
    pub ratio_to: Option<f64>,
    /// How often chance alone makes a difference like this; none without episodes or on one side alone.
    pub p: Option<f64>,
    /// By how much episodes vary more than independent ones would; 1 where they do not.
    pub dispersion: f64,
    /// The control, where there is one.
    pub control: Option<Sides>,
    /// The ratio over that of the control.
    pub ratio_to_control: Option<f64>,
    /// How often chance alone makes the two ratios differ like this.
    pub p_control: Option<f64>,
}

/// Compares both sides.
pub fn change(input: &Input) -> Change {
    let mut sides = Sides::default();
    for host in &input.hosts {
        add(&mut sides.before, &host.before);
        add(&mut sides.after, &host.after);
    }
    let (x0, x1) = (sides.before.episodes, sides.after.episodes);
    let (e0, e1) = (sides.before.days, sides.after.days);
    let mut change = Change {
        sides,
        ratio: ratio(&sides),
        ratio_from: 0.0,
        ratio_to: None,
        p: None,
        dispersion: 1.0,
        control: input.control,
        ratio_to_control: None,
        p_control: None,
    };
    if x0 + x1 == 0 || e0 <= 0.0 || e1 <= 0.0 {
        return change;
    }
    let (n, theta) = (x0 + x1, e1 / (e0 + e1));
    let of_ratio = |theta: f64| (theta < 1.0).then(|| theta / (1.0 - theta) * e0 / e1);
    let by_host = dispersion(
        input
            .hosts
            .iter()
            .map(|host| (host.before.episodes + host.after.episodes, host.before.days + host.after.days)),
    );
    let of_days = |side: &[Side]| dispersion(side.iter().map(|day| (day.episodes, day.days)));
    let (before, after) = (of_days(&input.days.0), of_days(&input.days.1));
    let by_day = (before.0 + after.0, before.1 + after.1);
    let p_clustered = [by_host, by_day].map(|(squares, degrees)| chi_squared(squares, degrees));
    if 2.0 * p_clustered.into_iter().fold(1.0, f64::min) < CLUSTERED && input.hosts.len() > 1 {
        let over = |(squares, degrees): (f64, f64)| if degrees > 0.0 { squares / degrees } else { 1.0 };
        change.dispersion = over(by_host).max(over(by_day)).max(1.0);
        let degrees = (input.hosts.len() - 1) as f64;
        let spread = (change.dispersion * n as f64 * theta * (1.0 - theta)).sqrt();
        let away = ((x1 as f64 - n as f64 * theta).abs() - 0.5).max(0.0);
        change.p = Some(student(away / spread, degrees));
        // The same spread around what was seen.
        let seen = (x1 as f64 + 0.5) / (n as f64 + 1.0);
        let half =
            student_quantile(ALPHA, degrees) * (change.dispersion * seen * (1.0 - seen) / n as f64).sqrt();
        change.ratio_from = of_ratio((seen - half).max(0.0)).unwrap_or(0.0);
        change.ratio_to = of_ratio((seen + half).min(1.0));
    } else {
        let (below, above) = binomial(x1, n, theta);
        change.p = Some((2.0 * below.min(above)).min(1.0));
        let (low, high) = clopper_pearson(x1, n, ALPHA);
        change.ratio_from = of_ratio(low).unwrap_or(0.0);
        change.ratio_to = of_ratio(high);
    }
    if let Some(control) = &input.control {
        let (c0, c1) = (control.before.episodes, control.after.episodes);
        let (f0, f1) = (control.before.days, control.after.days);
        if c0 + c1 > 0 && f0 > 0.0 && f1 > 0.0 {
            let odds = e1 * f0 / (e0 * f1);
            let (below, above) = hypergeometric(x1, x0 + x1, c0 + c1, x1 + c1, odds);
            let mut p = (2.0 * below.min(above)).min(1.0);
            // Clusters make both tests as uncertain.
            if change.dispersion > 1.0 {
                p = p.max(change.p.unwrap_or(1.0));
            }
            change.p_control = Some(p);
            change.ratio_to_control = change
                .ratio
                .zip(ratio(control))
                .filter(|(_, there)| *there > 0.0)
                .map(|(here, there)| here / there);
        }
    }
    change
}

fn add(sum: &mut Side, part: &Side) {
    sum.episodes += part.episodes;
    sum.days += part.days;
}

/// Episodes a machine-day; 0 where nothing was observed.
pub fn rate(side: &Side) -> f64 {
    if side.days > 0.0 { side.episodes as f64 / side.days } else { 0.0 }
}

fn ratio(sides: &Sides) -> Option<f64> {
    let (before, after) = (rate(&sides.before), rate(&sides.after));
    (before > 0.0 && sides.after.days > 0.0).then(|| after / before)
}

/// Chi-squared and its degrees of freedom of counts that would be in proportion to the time observed. What was observed
/// for less than a tenth of the average is counted together: one episode of a machine that was heard of for a minute
/// would be thousands of times what is expected there.
fn dispersion(counts: impl Iterator<Item = (u64, f64)>) -> (f64, f64) {
    let observed: Vec<(u64, f64)> = counts.filter(|(_, days)| *days > 0.0).collect();
    let sum = |counts: &[(u64, f64)]| counts.iter().fold((0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (episodes, days) = sum(&observed);
    if episodes == 0 {
        return (0.0, 0.0);
    }
    let short = days / observed.len() as f64 / 10.0;
    let (mut cells, together): (Vec<_>, Vec<_>) = observed.into_iter().partition(|(_, days)| *days >= short);
    let together = sum(&together);
    let longest = cells.iter_mut().max_by(|a, b| a.1.total_cmp(&b.1));
    match longest {
        Some(longest) if together.1 < short => *longest = (longest.0 + together.0, longest.1 + together.1),
        _ => cells.push(together),
    }
    let expected = |of: f64| episodes as f64 * of / days;
    let squares = cells.iter().map(|(count, of)| (*count as f64 - expected(*of)).powi(2) / expected(*of));
    (squares.sum(), cells.len().saturating_sub(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::random::Random;

    const HOSTS: usize = 20;
    const DAYS: usize = 14;

    /// Two weeks on both sides, so many episodes a side on average. `burst`: of how many hosts on the same day.
    fn fleet(random: &mut Random, before: f64, after: f64, burst: u64, control: Option<f64>) -> Input {
        let mut hosts = vec![Sides::default(); HOSTS];
        let mut days = (vec![Side::default(); DAYS], vec![Side::default(); DAYS]);
        for side in [&mut days.0, &mut days.1] {
            side.iter_mut().for_each(|day| day.days = HOSTS as f64);
        }
        for host in &mut hosts {
            (host.before.days, host.after.days) = (DAYS as f64, DAYS as f64);
        }
        for (is_after, mean) in [(false, before), (true, after)] {
            for _ in 0..poisson(random, mean / burst as f64) {
                let day = random.below(DAYS);
                for _ in 0..burst {
                    let host = &mut hosts[random.below(HOSTS)];
                    let (host, day) = if is_after {
                        (&mut host.after, &mut days.1[day])
                    } else {
                        (&mut host.before, &mut days.0[day])
                    };
                    host.episodes += 1;
                    day.episodes += 1;
                }
            }
        }
        let side = |random: &mut Random, mean: f64| Side {
            episodes: poisson(random, mean),
            days: (DAYS * HOSTS) as f64,
        };
        let control = control.map(|mean| Sides { before: side(random, mean), after: side(random, mean) });
        Input { hosts, days, control }
    }

    fn poisson(random: &mut Random, mean: f64) -> u64 {
        let (limit, mut product, mut count) = ((-mean).exp(), 1.0, 0);
        loop {
            product *= ((random.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
            if product <= limit {
                return count;
            }
            count += 1;
        }
    }

    /// How many percent of a thousand are called a change.
    fn rejected(seed: u64, fleet: impl Fn(&mut Random) -> Input, p: impl Fn(&Change) -> Option<f64>) -> f64 {
        let mut random = Random::new(seed);
        let rejected =
            (0..1_000).filter(|_| p(&change(&fleet(&mut random))).is_some_and(|p| p <= 0.05)).count();
        rejected as f64 / 10.0
    }

    #[test]
    fn what_did_not_change_is_seldom_called_a_change() {
        for (name, before, burst) in [("few", 6.0, 1), ("many", 60.0, 1), ("in bursts", 60.0, 5)] {
            let found = rejected(2, |random| fleet(random, before, before, burst, None), |change| change.p);
            assert!(found <= 6.5, "{name}: {found} %");
            let with = rejected(
                2,
                |random| fleet(random, before, before, burst, Some(before)),
                |change| change.p_control,
            );
            assert!(with <= 6.5, "{name} with control: {with} %");
        }
    }

    #[test]
    fn half_the_rate_is_seen_as_often_as_was_measured() {
        // 28 to 14: 51 % by itself, 31 % against a control.
        let found = rejected(2, |random| fleet(random, 28.0, 14.0, 1, None), |change| change.p);
        assert!((46.0..=56.0).contains(&found), "{found} %");
        let found = rejected(2, |random| fleet(random, 28.0, 14.0, 1, Some(28.0)), |change| change.p_control);
        assert!((26.0..=36.0).contains(&found), "{found} %");
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let empty = change(&Input::default());
        assert_eq!((empty.p, empty.ratio), (None, None));
        let host =
            Sides { before: Side { episodes: 0, days: 10.0 }, after: Side { episodes: 3, days: 10.0 } };
        let new = change(&Input { hosts: vec![host], ..Input::default() });
        assert_eq!((new.ratio, new.ratio_to), (None, None));
        assert!((new.p.unwrap() - 0.25).abs() < 1e-9, "2 · (1/2)³");
    }

    #[test]
    fn a_machine_heard_of_for_a_moment_is_no_cluster() {
        let moment = 1e-14;
        let even = [(3, 7.0), (4, 7.0), (1, moment)];
        assert!(dispersion(even.into_iter()).0 < 1.0, "{:?}", dispersion(even.into_iter()));
        assert!((dispersion(even.into_iter()).1 - 1.0).abs() < 1e-9);
        // Many short ones are a cell, and clusters still show.
        let (squares, degrees) = dispersion((0..10).map(|_| (0, 0.1)).chain([(0, 10.0), (20, 10.0)]));
        assert!(squares > 20.0 && (degrees - 2.0).abs() < 1e-9, "{squares} {degrees}");
        assert_eq!(dispersion([(0, 1.0), (0, 0.0)].into_iter()), (0.0, 0.0));
    }
}
