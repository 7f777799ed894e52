//! What machines that had events have in common and the others have not.
//!
//! An attribute that varies within hosts is compared within each host (Cochran, Mantel and Haenszel, with the correction
//! for continuity), so that a bad host does not pass for a bad setting. One that is the same for all machines of a host
//! is compared by exchanging hosts' totals. Attributes that are numbers are also cut in two at each value they take.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{discover::benjamini_hochberg, exact::chi_squared, random::Random};

/// Hosts needed to compare them.
const HOSTS_MIN: usize = 6;
const DRAWS: u64 = 9_999;
/// Cuts of a number looked at, at most: evenly spread over the values there are.
const CUTS_MAX: usize = 12;
/// Values of an attribute looked at, at most; one with more, such as a name, tells machines apart and nothing else.
const VALUES_MAX: usize = 50;

/// One machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Its host; for a host itself, its own number.
    pub host: u32,
    /// Whether it had events.
    pub had: bool,
    /// What it is like.
    pub attributes: BTreeMap<String, String>,
}

/// What a machine may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "is", content = "value", rename_all = "snake_case")]
pub enum Trait {
    /// The attribute has this value.
    Equal(String),
    /// The attribute is a number of at least this.
    AtLeast(String),
}

/// A trait, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Compared {
    /// The attribute.
    pub attribute: String,
    /// What it is.
    #[serde(flatten)]
    pub is: Trait,
    /// Machines with the trait that had events.
    pub with_had: u64,
    /// Machines with the trait.
    pub with_all: u64,
    /// Machines without it that had events.
    pub without_had: u64,
    /// Machines without it.
    pub without_all: u64,
    /// Share with events among those with the trait over that among those without; none where that is 0.
    pub ratio: Option<f64>,
    /// How often chance alone makes such a difference; none where hosts are too few to tell.
    pub p: Option<f64>,
    /// The share of false ones among claims as strong as this.
    pub q: Option<f64>,
    /// Whether machines of one host were compared with each other.
    pub within_hosts: bool,
}

/// Compares every trait; the most telling first. Traits that hold for the same machines are one: the first by name.
pub fn distinguish(machines: &[Machine], seed: u64) -> Vec<Compared> {
    let mut found: Vec<Compared> = Vec::new();
    let mut seen: BTreeSet<Vec<bool>> = BTreeSet::new();
    for (attribute, is) in traits(machines) {
        let known: Vec<&Machine> =
            machines.iter().filter(|machine| machine.attributes.contains_key(&attribute)).collect();
        let holds: Vec<bool> = known.iter().map(|machine| has(machine, &attribute, &is)).collect();
        let of_all: Vec<bool> = machines.iter().map(|machine| has(machine, &attribute, &is)).collect();
        let opposite: Vec<bool> = of_all.iter().map(|holds| !holds).collect();
        if seen.contains(&of_all) || seen.contains(&opposite) {
            continue;
        }
        seen.insert(of_all);
        found.push(compared(&known, &holds, attribute, is, seed));
    }
    let p: Vec<f64> = found.iter().filter_map(|one| one.p).collect();
    let q = benjamini_hochberg(&p, p.len());
    for (one, q) in found.iter_mut().filter(|one| one.p.is_some()).zip(q) {
        one.q = Some(q);
    }
    found.sort_by(|a, b| {
        let of = |one: &Compared| one.p.unwrap_or(2.0);
        of(a).total_cmp(&of(b)).then(spread(b).total_cmp(&spread(a))).then(a.attribute.cmp(&b.attribute))
    });
    found
}

/// How far the two shares are apart.
fn spread(one: &Compared) -> f64 {
    let share = |had: u64, all: u64| if all > 0 { had as f64 / all as f64 } else { 0.0 };
    (share(one.with_had, one.with_all) - share(one.without_had, one.without_all)).abs()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn has(machine: &Machine, attribute: &str, is: &Trait) -> bool {
    let Some(value) = machine.attributes.get(attribute) else { return false };
    match is {
        Trait::Equal(wanted) => value == wanted,
        Trait::AtLeast(least) => {
            number(value).zip(number(least)).is_some_and(|(value, least)| value >= least)
        }
    }
}

/// Every value of every attribute that not all machines share, and cuts of numbers.
fn traits(machines: &[Machine]) -> Vec<(String, Trait)> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in machines.iter().flat_map(|machine| &machine.attributes) {
        values.entry(name).or_default().insert(value);
    }
    let mut traits = Vec::new();
    for (name, values) in values {
        let mut numbers: Vec<(f64, &str)> =
            values.iter().filter_map(|value| Some((number(value)?, *value))).collect();
        if numbers.len() == values.len() && values.len() > 1 {
            numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
            let cuts: Vec<&str> = numbers.iter().skip(1).map(|(_, value)| *value).collect();
            let step = cuts.len().div_ceil(CUTS_MAX).max(1);
            let cut = |value: &&str| (name.to_owned(), Trait::AtLeast((*value).to_owned()));
            traits.extend(cuts.iter().step_by(step).map(cut));
        } else if values.len() > 1 && values.len() <= VALUES_MAX {
            traits.extend(values.into_iter().map(|value| (name.to_owned(), Trait::Equal(value.to_owned()))));
        }
    }
    traits
}

fn compared(known: &[&Machine], holds: &[bool], attribute: String, is: Trait, seed: u64) -> Compared {
    let count = |with: bool, had_only: bool| {
        let machines = known.iter().zip(holds);
        machines.filter(|(machine, holds)| **holds == with && (machine.had || !had_only)).count() as u64
    };
    let (with_had, with_all) = (count(true, true), count(true, false));
    let (without_had, without_all) = (count(false, true), count(false, false));
    let share = |had: u64, all: u64| (all > 0).then(|| had as f64 / all as f64);
    let ratio = share(with_had, with_all).zip(share(without_had, without_all));
    let ratio = ratio.filter(|(_, without)| *without > 0.0).map(|(with, without)| with / without);
    let mut strata: BTreeMap<u32, Stratum> = BTreeMap::new();
    for (machine, holds) in known.iter().zip(holds) {
        strata.entry(machine.host).or_default().add(*holds, machine.had);
    }
    let within_hosts = strata.values().any(Stratum::varies);
    let p = if within_hosts { mantel_haenszel(strata.values()) } else { by_hosts(strata.values(), seed) };
    Compared { attribute, is, with_had, with_all, without_had, without_all, ratio, p, q: None, within_hosts }
}

/// Machines of one host.
#[derive(Debug, Clone, Copy, Default)]
struct Stratum {
    with_had: u64,
    with_all: u64,
    had: u64,
    all: u64,
}

impl Stratum {
    fn add(&mut self, with: bool, had: bool) {
        self.all += 1;
        self.had += u64::from(had);
        self.with_all += u64::from(with);
        self.with_had += u64::from(with && had);
    }

    fn varies(&self) -> bool {
        self.with_all > 0 && self.with_all < self.all
    }
}

/// The common association of the strata, corrected for continuity; none where no stratum can show any.
fn mantel_haenszel<'a>(strata: impl Iterator<Item = &'a Stratum>) -> Option<f64> {
    let (mut away, mut variance) = (0.0, 0.0);
    for stratum in strata.filter(|stratum| stratum.all > 1) {
        let (with, had, all) = (stratum.with_all as f64, stratum.had as f64, stratum.all as f64);
        away += stratum.with_had as f64 - with * had / all;
        variance += with * (all - with) * had * (all - had) / (all * all * (all - 1.0));
    }
    (variance > 0.0).then(|| chi_squared((away.abs() - 0.5).max(0.0).powi(2) / variance, 1.0))
}

/// How often hosts' totals, given to hosts by lot, differ as much between those with the trait and those without.
fn by_hosts<'a>(strata: impl Iterator<Item = &'a Stratum>, seed: u64) -> Option<f64> {
    let hosts: Vec<&Stratum> = strata.collect();
    let with: Vec<usize> =
        (0..hosts.len()).filter(|at| hosts.get(*at).is_some_and(|host| host.with_all > 0)).collect();
    if hosts.len() < HOSTS_MIN || with.is_empty() || with.len() == hosts.len() {
        return None;
    }
    let mut shares: Vec<f64> = hosts.iter().map(|host| host.had as f64 / host.all as f64).collect();
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let away = |shares: &[f64]| (shares.iter().take(with.len()).map(|share| share - mean).sum::<f64>()).abs();
    let seen: Vec<f64> = with.iter().filter_map(|at| shares.get(*at).copied()).collect();
    let seen = away(&seen);
    let mut random = Random::new(seed);
    let mut reached = 0;
    for _ in 0..DRAWS {
        random.choose(&mut shares, with.len());
        // Sums in another order differ in their last bits.
        reached += u64::from(away(&shares) >= seen - 1e-9);
    }
    Some((1 + reached) as f64 / (1 + DRAWS) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(host: u32, had: bool, attributes: &[(&str, &str)]) -> Machine {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Machine { host, had, attributes }
    }

    /// Hosts with ten guests each; some hosts are bad, and a guest there fails in half of the cases.
    fn fleet(random: &mut Random, hosts: u32, memory_matters: bool) -> Vec<Machine> {
        let mut machines = Vec::new();
        for host in 0..hosts {
            let bad = random.below(4) == 0;
            let rack = if random.below(2) == 0 { "a" } else { "b" };
            for _ in 0..10 {
                let memory = ["2048", "3072", "4096", "5120"][random.below(4)];
                let per_mille = if memory_matters && memory == "5120" {
                    600
                } else if bad {
                    500
                } else {
                    50
                };
                let had = random.below(1_000) < per_mille;
                machines.push(machine(host, had, &[("memory", memory), ("rack", rack)]));
            }
        }
        machines
    }

    #[test]
    fn bad_hosts_do_not_pass_for_bad_settings() {
        let mut random = Random::new(2);
        let (mut of_memory, mut of_rack, mut any) = (0, 0, 0);
        for seed in 0..1_000 {
            let found = distinguish(&fleet(&mut random, 12, false), seed);
            let p_of = |name: &str| found.iter().find(|one| one.attribute == name).and_then(|one| one.p);
            of_memory += u32::from(p_of("memory").is_some_and(|p| p <= 0.05 / 3.0));
            of_rack += u32::from(p_of("rack").is_some_and(|p| p <= 0.05));
            any += u32::from(found.iter().any(|one| one.q.is_some_and(|q| q <= 0.05)));
        }
        assert!(of_memory <= 65, "{of_memory} of 1,000");
        assert!(of_rack <= 65, "{of_rack} of 1,000");
        assert!(any <= 65, "{any} of 1,000");
    }

    #[test]
    fn what_matters_is_found_with_its_cut() {
        let mut random = Random::new(2);
        let found_at = (0..100)
            .filter(|seed| {
                let found = distinguish(&fleet(&mut random, 12, true), *seed);
                let first = found.first().unwrap();
                first.attribute == "memory"
                    && first.is == Trait::AtLeast("5120".into())
                    && first.q.unwrap() <= 0.05
            })
            .count();
        assert!(found_at >= 90, "{found_at} of 100");
    }

    #[test]
    fn one_stratum_is_counted_by_hand() {
        // 2 × 2 with 8 of 10 and 2 of 10: |8 − 5| − ½ = 2.5; variance 10·10·10·10 / (400·19); χ² = 6.25 / 1.3158 = 4.75.
        let machines: Vec<Machine> = (0..20)
            .map(|at| {
                let with = at < 10;
                let had = if with { at < 8 } else { at < 12 };
                machine(0, had, &[("disk", if with { "nvme" } else { "sata" })])
            })
            .collect();
        let found = distinguish(&machines, 1);
        assert_eq!(found.len(), 1, "both values tell the same machines apart: {found:?}");
        assert!((found[0].p.unwrap() - chi_squared(4.75, 1.0)).abs() < 1e-9);
        assert_eq!(
            (found[0].with_had, found[0].with_all, found[0].without_had, found[0].without_all),
            (8, 10, 2, 10)
        );
        // Five hosts are too few to compare hosts.
        let hosts: Vec<Machine> = (0..5)
            .map(|host| machine(host, host < 2, &[("rack", if host < 2 { "a" } else { "b" })]))
            .collect();
        assert_eq!(distinguish(&hosts, 1)[0].p, None);
    }
}
