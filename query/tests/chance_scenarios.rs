//! The statistics on random fleets: where both sides have nothing to do with each other no more than
//! 6.5 % may be called more than chance (surges, which deceive every method known, no more than
//! 30 %); where a share of the anchors does follow, the power stays within 5 points of what was
//! measured when the procedure was chosen.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a test's own data"
)]

mod chance_generator;

use chance_generator::{Random, Rhythm, Scenario, dataset};
use lastwords_query::{
    chance::{ALPHA, Assessment, Basis, Verdict},
    words::chance as words,
};

const DATASETS: u64 = 1_000;
const SEED: u64 = 2;

fn assessments(scenario: Scenario) -> Vec<Assessment> {
    (0..DATASETS).map(|i| dataset(scenario, &mut Random::new(SEED, i)).assess(i)).collect()
}

/// The share in percent that is more than chance by p, and that no basis but the expected claims it.
fn check(name: &str, scenario: Scenario, low: f64, high: f64) {
    let found = assessments(scenario);
    let rejected = found.iter().filter(|a| a.p.is_some_and(|p| p <= ALPHA)).count();
    let percent = 100.0 * rejected as f64 / found.len() as f64;
    println!("{name}: {percent:.1} % (allowed {low}–{high})");
    assert!(
        (low..=high).contains(&percent),
        "{name}: {percent:.1} % are called more than chance, allowed {low}–{high}"
    );
    for a in &found {
        let claims = matches!(
            a.verdict,
            Verdict::Follows | Verdict::MoreThanOtherHosts | Verdict::CloserThanSurroundings
        );
        assert_eq!(claims, a.p.is_some_and(|p| p <= ALPHA), "{name}: {a:?}");
        if scenario.days < 4 {
            assert!(a.basis != Basis::Day, "{name}: {} days cannot be compared", scenario.days);
            assert!(!words::verdict(a).contains("hour of day"), "{name}: {}", words::verdict(a));
        }
    }
}

const BASE: Scenario = Scenario::BASE;
const WIDE: Scenario = Scenario { rhythm: Rhythm::Wide, ..BASE };

macro_rules! unrelated {
    ($($name:ident: $high:expr, $scenario:expr;)*) => {
        mod unrelated {
            use super::*;
            $(#[test] fn $name() { check(stringify!($name), $scenario, 0.0, $high); })*
        }
    };
}

macro_rules! power {
    ($($name:ident: $measured:expr, $scenario:expr;)*) => {
        mod power {
            use super::*;
            $(#[test] fn $name() { check(stringify!($name), $scenario, $measured - 5.0, $measured + 5.0); })*
        }
    };
}

unrelated! {
    homogeneous: 6.5, BASE;
    daily_wide: 6.5, WIDE;
    daily_narrow: 6.5, Scenario { rhythm: Rhythm::Narrow, ..BASE };
    cron: 6.5, Scenario { rhythm: Rhythm::Cron, ..BASE };
    weekly_and_daily: 6.5, Scenario { weekly: true, ..WIDE };
    clustered_anchors: 6.5, Scenario { anchor_burst: 5, anchors: 100, ..BASE };
    clustered_partners: 6.5, Scenario { partner_burst: 8, ..BASE };
    uneven_hosts_weekly_and_daily: 6.5, Scenario { uneven: 1.5, weekly: true, ..WIDE };
    global_outages: 6.5, Scenario { outages: 1.0, length: 20.0, partners: 0.5, fleet_anchors: 6, anchors: 10, ..BASE };
    bad_host_days: 6.5, Scenario { bad_days: 0.15, ..BASE };
    five_anchors: 6.5, Scenario { anchors: 5, ..WIDE };
    twenty_anchors: 6.5, Scenario { anchors: 20, ..WIDE };
    one_day: 6.5, Scenario { days: 1, ..WIDE };
    three_days_of_cron: 6.5, Scenario { days: 3, rhythm: Rhythm::Cron, ..BASE };
    one_host_two_days: 6.5, Scenario { hosts: 1, days: 2, anchors: 20, ..WIDE };
    partners_that_are_consequences: 5.0, Scenario { reverse: true, anchors: 40, partners: 0.5, ..BASE };
    mild_surges: 30.0, Scenario { surges: 60, ..BASE };
    strong_surges: 30.0, Scenario { surges: 15, ..BASE };
}

power! {
    ten_anchors_a_fifth: 15.0, Scenario { anchors: 10, following: 0.2, ..WIDE };
    ten_anchors_half: 74.0, Scenario { anchors: 10, following: 0.5, ..WIDE };
    ten_anchors_most: 100.0, Scenario { anchors: 10, following: 0.9, ..WIDE };
    forty_anchors_a_fifth: 69.0, Scenario { anchors: 40, following: 0.2, ..WIDE };
    forty_anchors_half: 100.0, Scenario { anchors: 40, following: 0.5, ..WIDE };
    forty_anchors_most: 100.0, Scenario { anchors: 40, following: 0.9, ..WIDE };
    five_anchors_half: 36.0, Scenario { anchors: 5, following: 0.5, ..WIDE };
    five_anchors_most: 89.0, Scenario { anchors: 5, following: 0.9, ..WIDE };
    half_of_forty_in_cron: 41.0, Scenario { anchors: 40, following: 0.5, rhythm: Rhythm::Cron, ..BASE };
    half_of_forty_in_bursts: 33.0, Scenario { anchors: 40, following: 0.5, partner_burst: 8, anchor_burst: 4, ..BASE };
    half_of_forty_in_one_day: 100.0, Scenario { anchors: 40, following: 0.5, days: 1, ..WIDE };
}

/// Most of a scenario's fleets get the words meant for it.
fn check_words(scenario: Scenario, verdict: Verdict, phrase: &str, at_least: f64) {
    let found = assessments(scenario);
    let said =
        found.iter().filter(|a| words::verdict(a).contains(phrase)).count() as f64 / found.len() as f64;
    assert!(said >= at_least, "“{phrase}” in {:.0} %, expected {:.0} %", 100.0 * said, 100.0 * at_least);
    assert!(found.iter().all(|a| (a.verdict == verdict) == words::verdict(a).contains(phrase)));
}

#[test]
fn a_sharp_schedule_is_said_to_be_the_same_times_of_day() {
    let sharp = Scenario { rhythm: Rhythm::Sharp, length: 1.0, ..BASE };
    check_words(sharp, Verdict::SameTimesOfDay, "same times of day", 0.9);
}

#[test]
fn a_loose_schedule_is_seldom_said_to_be_anything_but_the_same_times_of_day() {
    // Jobs of ten minutes that start within eight: the half hour around them holds little but the
    // schedule itself, so closeness shows only in some fleets, and following must not be claimed.
    let found = assessments(Scenario { rhythm: Rhythm::Cron, ..BASE });
    let close: Vec<_> = found.iter().filter(|a| a.p_local.is_some_and(|p| p <= ALPHA)).collect();
    let same_times = close.iter().filter(|a| words::verdict(a).contains("same times of day")).count();
    assert!(close.len() > 50 && same_times * 10 >= close.len() * 8, "{same_times} of {}", close.len());
    assert!(
        found.iter().all(|a| a.verdict != Verdict::SameBadPeriods || a.p_day.is_some_and(|p| p <= ALPHA))
    );
}

#[test]
fn bad_host_days_are_said_to_be_bad_periods() {
    let bad = Scenario { bad_days: 0.15, ..BASE };
    check_words(bad, Verdict::SameBadPeriods, "same bad periods", 0.9);
}

#[test]
fn expected_by_chance_is_what_unrelated_anchors_match() {
    // Under a narrow peak shared by all, uniform coverage would expect a tenth of what happens.
    for rhythm in [Rhythm::Wide, Rhythm::Narrow, Rhythm::Cron] {
        let found = assessments(Scenario { rhythm, ..BASE });
        let matched: f64 = found.iter().map(|a| a.matched as f64).sum();
        let expected: f64 = found.iter().map(|a| a.expected).sum();
        assert!((matched / expected - 1.0).abs() < 0.05, "matched {matched}, expected {expected}");
    }
}
