//! Small cases whose figures and words are known by hand.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    missing_docs,
    reason = "a test's own data"
)]

use jiff::tz::TimeZone;
use lastwords_query::{
    chance::{Assessment, Basis, Input, Intervals, OPEN, Relation, Verdict, Windows, assess, seed},
    words::chance as words,
};

const MINUTE_NS: i64 = 60_000_000_000;
const DAY: i64 = 1440;
/// Monday, 2024-01-01 00:00 UTC.
const FROM_NS: i64 = 1_704_067_200 * 1_000_000_000;

/// A question over hosts in UTC, D = 5 minutes; times in minutes since a Monday's midnight.
struct Case {
    relation: Relation,
    days: i64,
    hosts: u32,
    /// Host, start, end.
    anchors: Vec<(u32, i64, i64)>,
    /// Host, start, end; an end of [`OPEN`] has not come.
    partners: Vec<(u32, i64, i64)>,
    watermark: i64,
}

impl Case {
    fn days(days: i64) -> Case {
        Case {
            relation: Relation::After,
            days,
            hosts: 1,
            anchors: Vec::new(),
            partners: Vec::new(),
            watermark: days * DAY,
        }
    }

    fn assess(&self) -> Assessment {
        self.assess_with(false)
    }

    fn assess_with(&self, same_events: bool) -> Assessment {
        let at = |minute: i64| if minute == OPEN { OPEN } else { FROM_NS + minute * MINUTE_NS };
        let columns = |rows: &[(u32, i64, i64)]| -> (Vec<u32>, Vec<i64>, Vec<i64>) {
            let unit = rows.iter().map(|r| r.0).collect();
            (unit, rows.iter().map(|r| at(r.1)).collect(), rows.iter().map(|r| at(r.2)).collect())
        };
        let (unit, start_ns, end_ns) = columns(&self.partners);
        let partners = Intervals { unit: &unit, start_ns: &start_ns, end_ns: &end_ns };
        let (unit, start_ns, end_ns) = columns(&self.anchors);
        let within_ns = 5 * MINUTE_NS;
        let windows = Windows::around(partners, self.relation, within_ns, at(self.watermark), self.hosts);
        assess(&Input {
            anchors: Intervals { unit: &unit, start_ns: &start_ns, end_ns: &end_ns },
            windows: &windows,
            relation: self.relation,
            within_ns,
            from_ns: FROM_NS,
            to_ns: at(self.days * DAY),
            watermark_ns: at(self.watermark),
            time_zone: &TimeZone::UTC,
            units: self.hosts,
            seed: seed("panics within 5 minutes after saturation", FROM_NS, at(self.days * DAY)),
            same_events,
        })
    }
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
}

#[test]
fn without_anchors_there_are_no_statistics() {
    let mut case = Case::days(14);
    case.partners = vec![(0, 100, 110)];
    let found = case.assess();
    assert_eq!(
        (found.p, found.basis, found.verdict, found.anchors),
        (None, Basis::None, Verdict::NoAnchors, 0)
    );
    assert_eq!(words::figures(&found), "");
}

#[test]
fn without_partners_on_the_hosts_nothing_is_expected() {
    let mut case = Case::days(14);
    case.hosts = 2;
    case.anchors = (0..14).map(|day| (0, day * DAY + 600, day * DAY + 600)).collect();
    case.partners = vec![(1, 100, 110)];
    let found = case.assess();
    assert_eq!((found.p, found.verdict, found.lift), (Some(1.0), Verdict::NoneOnTheseHosts, None));
    assert!(found.none_on_these_hosts && found.expected == 0.0);
    assert!(words::verdict(&found).contains("none on these hosts"));
}

#[test]
fn windows_that_fill_the_time_tell_nothing() {
    let mut case = Case::days(14);
    case.anchors = (0..14).map(|day| (0, day * DAY + 600 + 7 * day, day * DAY + 600 + 7 * day)).collect();
    case.partners = vec![(0, -60, OPEN)];
    let found = case.assess();
    assert_eq!((found.verdict, found.matched, found.p), (Verdict::CoversNearlyAll, 14, Some(1.0)));
    assert!(found.covers_nearly_all && words::verdict(&found).contains("nothing can be told"));
}

#[test]
fn a_window_reaches_from_the_start_to_d_after_the_end_and_both_count() {
    for (relation, inside, outside) in [
        (Relation::After, [(100, 103), (125, 140)], [(99, 99), (126, 126)]),
        (Relation::Before, [(50, 95), (100, 160)], [(90, 94), (101, 120)]),
        (Relation::Of, [(50, 95), (125, 200)], [(50, 94), (126, 126)]),
    ] {
        for (anchors, matched) in [(inside, 2), (outside, 0)] {
            let mut case = Case::days(2);
            case.relation = relation;
            case.partners = vec![(0, 100, 120)];
            case.anchors = anchors.iter().map(|&(start, end)| (0, start, end)).collect();
            let found = case.assess();
            assert_eq!((found.matched, found.anchors), (matched, 2), "{relation:?} {anchors:?}");
        }
    }
}

#[test]
fn partners_begun_before_the_range_count_and_open_ones_end_at_the_watermark() {
    let mut case = Case::days(2);
    case.partners = vec![(0, -500, -2), (0, 2000, OPEN)];
    case.anchors = vec![(0, 3, 3), (0, 1999, 1999), (0, 2879, 2879)];
    assert_eq!(case.assess().matched, 2);
}

#[test]
fn anchors_that_a_partner_may_still_follow_are_undecided() {
    let mut case = Case::days(2);
    case.partners = vec![(0, 2000, 2010)];
    case.anchors = vec![(0, 1998, 1998), (0, 2874, 2874), (0, 2875, 2875), (0, 2876, 2876)];
    for (relation, decided) in [(Relation::After, 4), (Relation::Before, 3), (Relation::Of, 3)] {
        case.relation = relation;
        let found = case.assess();
        assert_eq!((found.anchors, found.undecided), (decided, 4 - decided), "{relation:?}");
    }
}

#[test]
fn only_the_first_anchor_of_an_episode_is_tested() {
    // Each within 10 minutes of the one before, so the chain is one episode; 11 minutes begin the next.
    let mut case = Case::days(14);
    case.partners = vec![(0, 95, 96)];
    case.anchors = [100, 110, 120, 131].into_iter().map(|minute| (0, minute, minute)).collect();
    let found = case.assess();
    assert_eq!((found.matched, found.anchors, found.heads_matched, found.heads), (1, 4, 1, 2));
}

#[test]
fn nothing_matched_is_not_more_than_chance() {
    let mut case = Case::days(14);
    case.partners = (0..14).map(|day| (0, day * DAY + 700, day * DAY + 701)).collect();
    case.anchors = (0..14).map(|day| (0, day * DAY + 600, day * DAY + 600)).collect();
    let found = case.assess();
    assert_eq!((found.p, found.basis, found.lift), (Some(1.0), Basis::None, None));
    assert!(matches!(found.verdict, Verdict::NotMore | Verdict::TooFew));
}

#[test]
fn matches_at_irregular_times_on_many_days_follow() {
    let mut case = Case::days(14);
    let minutes: Vec<i64> = (0..14).map(|day| day * DAY + 97 * day + 11).collect();
    case.partners = minutes.iter().map(|&minute| (0, minute, minute + 1)).collect();
    case.anchors = minutes.iter().map(|&minute| (0, minute + 2, minute + 2)).collect();
    let found = case.assess();
    assert_eq!(
        (found.basis, found.verdict, found.matched, found.days),
        (Basis::Day, Verdict::Follows, 14, 14)
    );
    assert_eq!((found.p, found.p_day), (Some(1e-4), Some(1e-4)));
    // No other day has partners at those times of day, so the lift has a lower bound only: ten
    // workdays with nine others each and four weekend days with three, by the rule of three.
    assert_eq!((found.lift, found.expected), (None, 0.0));
    close(found.lift_at_least.unwrap(), (10.0 * 9.0 + 4.0 * 3.0) / 3.0);
    assert_eq!(words::figures(&found), "chance would give 0 (lift at least 34.0, p ≤ 0.0001)");
    assert!(words::verdict(&found).starts_with("They follow it more often than chance, the hour of day"));
    assert_eq!(case.assess(), found, "the same question gives the same figures");
}

#[test]
fn five_days_are_permuted_exactly() {
    // Each day matches on itself alone: one of 5! = 120 placings.
    let mut case = Case::days(5);
    let minutes: Vec<i64> = (0..5).map(|day| day * DAY + 97 * day + 11).collect();
    case.partners = minutes.iter().map(|&minute| (0, minute, minute)).collect();
    case.anchors = minutes.iter().map(|&minute| (0, minute + 2, minute + 2)).collect();
    let found = case.assess();
    assert_eq!(found.basis, Basis::Day);
    close(found.p_day.unwrap(), 1.0 / 120.0);
    close(found.floor_day, 1.0 / 120.0);
}

#[test]
fn one_day_is_compared_with_other_hosts_and_never_with_the_hour_of_day() {
    let mut case = Case::days(1);
    case.hosts = 8;
    for host in 0..8 {
        let minute = 60 + 133 * i64::from(host);
        case.partners.push((host, minute, minute));
        case.anchors.push((host, minute + 1, minute + 1));
    }
    let found = case.assess();
    assert_eq!((found.basis, found.verdict, found.matched), (Basis::Host, Verdict::MoreThanOtherHosts, 8));
    assert!(found.p_host.unwrap() <= 1e-4 && found.p_day.is_none());
    // Every day had anchors: 5! = 120 is the first factorial to reach 1/50, so four more days.
    assert_eq!(found.days_needed, Some(4));
    assert_eq!(
        words::verdict(&found),
        "That is more than on other hosts at the same moment; 1 day cannot separate it from a daily rhythm: needs 4 more days."
    );
}

#[test]
fn partners_that_all_hosts_have_at_once_are_fleet_wide() {
    let mut case = Case::days(1);
    case.hosts = 8;
    for spell in 0..8 {
        let minute = 60 + 133 * i64::from(spell);
        case.partners.extend((0..8).map(|host| (host, minute, minute)));
        case.anchors.push((spell, minute + 1, minute + 1));
    }
    let found = case.assess();
    assert_eq!((found.basis, found.verdict, found.p_host), (Basis::Host, Verdict::FleetWide, Some(1.0)));
    assert!(found.fleet_wide && words::verdict(&found).starts_with("It is fleet-wide"));
    close(found.expected, 8.0);
}

#[test]
fn one_host_and_one_day_leave_the_surroundings_alone() {
    let mut case = Case::days(1);
    for spell in 0..6 {
        let minute = 60 + 180 * spell;
        case.partners.push((0, minute, minute));
        case.anchors.push((0, minute + 1, minute + 1));
    }
    let found = case.assess();
    assert_eq!((found.basis, found.verdict), (Basis::Local, Verdict::CloserThanSurroundings));
    // Six cells of 30 minutes, in each of which 6 of 30 offsets match.
    close(found.p.unwrap(), 0.2_f64.powi(6));
    assert!((found.expected - 6.0 * 5.0 / 30.0).abs() < 1e-6, "{}", found.expected);
    assert_eq!(found.days_needed, Some(4));
    assert_eq!(
        words::verdict(&found),
        "They are closer than the 30 min around them explain; a shared schedule is not excluded: needs 4 more days."
    );
}

#[test]
fn one_match_is_too_few_to_tell() {
    let mut case = Case::days(1);
    case.partners = vec![(0, 600, 600)];
    case.anchors = vec![(0, 601, 601)];
    let found = case.assess();
    close(found.p.unwrap(), 0.2);
    assert!(found.too_few && found.verdict == Verdict::TooFew);
    assert_eq!(words::verdict(&found), "There are too few to tell.");
}

#[test]
fn the_same_events_on_both_sides_are_not_assessed() {
    let mut case = Case::days(14);
    case.anchors = (0..14).map(|day| (0, day * DAY + 600, day * DAY + 600)).collect();
    case.partners = case.anchors.clone();
    let found = case.assess_with(true);
    assert_eq!((found.p, found.verdict, found.matched), (None, Verdict::SameEvents, 14));
}

#[test]
fn a_range_that_ends_in_the_future_is_cut_at_the_watermark() {
    let mut case = Case::days(14);
    case.watermark = 7 * DAY;
    case.anchors = vec![(0, 600, 600)];
    case.partners = vec![(0, 598, 599)];
    assert_eq!(case.assess().days, 7);
    // The delay of what just arrived does not cost a day.
    case.watermark = 14 * DAY - 2;
    assert_eq!(case.assess().days, 14);
}

#[test]
fn less_than_a_day_leaves_hosts_or_surroundings() {
    let mut case = Case::days(0);
    case.watermark = 0;
    case.anchors = vec![(0, -600, -600), (0, -300, -300)];
    case.partners = vec![(0, -602, -601)];
    let found = case.assess();
    assert_eq!((found.days, found.floor_day, found.basis), (0, 1.0, Basis::Local));
    assert_eq!(found.days_needed, Some(4));
}

#[test]
fn busy_surroundings_are_mentioned_beside_what_other_days_give() {
    // One bad half hour a day, each at another time, half of it within 5 minutes after a partner.
    let mut case = Case::days(14);
    for day in 0..14 {
        let minute = day * DAY + 90 * day;
        case.partners.extend((0..3).map(|spell| (0, minute + 10 * spell, minute + 10 * spell)));
        case.anchors.push((0, minute + 2, minute + 2));
    }
    let found = case.assess();
    assert!(found.expected == 0.0 && (found.expected_local - 7.0).abs() < 1e-6, "{found:?}");
    let notes = words::notes(&found);
    assert!(
        notes.len() == 1 && notes[0].starts_with("The 30 min around them alone would give "),
        "{notes:?}"
    );
}

#[test]
fn no_sentence_claims_a_cause() {
    let mut found = {
        let mut case = Case::days(1);
        case.anchors = vec![(0, 601, 601)];
        case.assess()
    };
    for verdict in [
        Verdict::NoAnchors,
        Verdict::SameEvents,
        Verdict::NoneOnTheseHosts,
        Verdict::CoversNearlyAll,
        Verdict::Follows,
        Verdict::SameTimesOfDay,
        Verdict::SameBadPeriods,
        Verdict::MoreThanOtherHosts,
        Verdict::FleetWide,
        Verdict::CloserThanSurroundings,
        Verdict::NotMore,
        Verdict::TooFew,
    ] {
        for relation in [Relation::After, Relation::Before, Relation::Of] {
            (found.verdict, found.relation) = (verdict, relation);
            let said = words::verdict(&found);
            assert!(!said.contains("cause") && said.ends_with('.'), "{said}");
        }
    }
}

#[test]
fn probabilities_are_never_printed_below_their_floor() {
    for (p, floor, text) in [
        (0.000_1, 0.000_1, "p ≤ 0.0001"),
        (0.000_2, 0.000_1, "p < 0.001"),
        (1.0 / 120.0, 1.0 / 120.0, "p ≤ 0.0083"),
        (0.034, 0.000_1, "p = 0.034"),
        (0.5, 0.000_1, "p = 0.5"),
        (1.0, 0.000_1, "p = 1"),
        (1e-12, 1e-12, "p < 0.001"),
        (0.000_999_9, 0.0, "p < 0.001"),
    ] {
        assert_eq!(words::probability(p, floor), text, "{p} {floor}");
    }
}
