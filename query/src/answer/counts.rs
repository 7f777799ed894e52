//! Counts of anchors and matches: by lag, hour, day, host, guest and by what the question says.

use jiff::{Timestamp, tz::TimeZone};

use super::matches::{Bar, Counted, Groups};
use crate::{
    correlate::sweep::Found,
    event::{Events, NO_GUEST},
    language::{Grouping, Matches, Pick},
};

/// Hosts and guests listed at most.
const TOP_HOSTS: usize = 10;
/// Bars of the lag histogram at most.
const BARS_MAX: i64 = 20;
/// Widths that a bar may have, seconds.
const BAR_SECONDS: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    604_800, 2_592_000, 31_536_000,
];
const SECOND_NS: i64 = 1_000_000_000;

/// Everything that is counted in one pass over the matches.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// See [`MatchesAnswer::lag_histogram`](super::MatchesAnswer::lag_histogram).
    pub lag_histogram: Vec<Bar>,
    /// See [`MatchesAnswer::hour_of_day`](super::MatchesAnswer::hour_of_day).
    pub hour_of_day: [u64; 24],
    /// See [`MatchesAnswer::day_of_week`](super::MatchesAnswer::day_of_week).
    pub day_of_week: [u64; 7],
    /// See [`MatchesAnswer::top_hosts`](super::MatchesAnswer::top_hosts).
    pub top_hosts: Vec<Counted>,
    /// See [`MatchesAnswer::top_guests`](super::MatchesAnswer::top_guests).
    pub top_guests: Vec<Counted>,
    /// See [`MatchesAnswer::by`](super::MatchesAnswer::by).
    pub by: Option<Groups>,
}

/// What gives names of numbers.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Namers<H, G, K> {
    pub host: H,
    pub guest: G,
    pub key: K,
}

/// Counts of anchors whose windows have closed: of these the sentence speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decided {
    /// How many there are.
    pub anchors: u64,
    /// Those that have a partner.
    pub matched: u64,
    /// The same by the hour of the asker's day.
    pub hour_of_day: [u64; 24],
}

impl Decided {
    /// Counts those anchors for which `decided` holds.
    pub fn count(
        anchors: &Events,
        found: &Found,
        zone: &TimeZone,
        decided: impl Fn(usize) -> bool,
    ) -> Decided {
        let all = (0..anchors.len()).filter(|anchor| decided(*anchor)).count() as u64;
        let mut counts = Decided { anchors: all, ..Decided::default() };
        let mut clock = Clock::new(zone);
        for one in found.matches.iter().filter(|one| decided(one.anchor as usize)) {
            let Some(start_ns) = anchors.start_ns.get(one.anchor as usize) else { continue };
            counts.matched += 1;
            add(&mut counts.hour_of_day, clock.hour_and_day(*start_ns).0);
        }
        counts
    }
}

impl Counts {
    /// Counts anchors and matches.
    pub fn count<'n>(
        question: &Matches,
        anchors: &Events,
        found: &Found,
        zone: &TimeZone,
        names: Namers<impl Fn(u32) -> &'n str, impl Fn(u32) -> &'n str, impl Fn(u32) -> &'n str>,
    ) -> Counts {
        let Namers { host, guest, key } = names;
        let matched = || found.matches.iter().filter_map(|one| row(anchors, one.anchor as usize));
        let lags = found.matches.iter().filter_map(|one| {
            let start = anchors.start_ns.get(one.anchor as usize)?;
            Some(start.saturating_sub(one.nearest?.start_ns))
        });
        let mut clock = Clock::new(zone);
        let mut counts =
            Counts { lag_histogram: histogram(&lags.collect::<Vec<i64>>()), ..Counts::default() };
        for one in matched() {
            let (hour, day) = clock.hour_and_day(one.start_ns);
            add(&mut counts.hour_of_day, hour);
            add(&mut counts.day_of_week, day);
        }
        let all = || (0..anchors.len()).filter_map(|at| row(anchors, at));
        counts.top_hosts = tally(all().map(|one| one.host), matched().map(|one| one.host), host);
        let with_guest = |one: One| (one.guest != NO_GUEST).then_some(one.guest);
        counts.top_guests = tally(all().filter_map(with_guest), matched().filter_map(with_guest), guest);
        counts.by = question.by.as_ref().map(|by| {
            let groups = match by {
                Grouping::HourOfDay | Grouping::DayOfWeek => {
                    let mut group_of = |start_ns| {
                        let (hour, day) = clock.hour_and_day(start_ns);
                        if *by == Grouping::HourOfDay { hour } else { day }
                    };
                    let mut groups: Vec<Counted> = if *by == Grouping::HourOfDay {
                        (0..24).map(|hour| Counted::none(format!("{hour:02}:00"))).collect()
                    } else {
                        DAYS.iter().map(|day| Counted::none((*day).to_owned())).collect()
                    };
                    for one in all() {
                        groups
                            .get_mut(group_of(one.start_ns))
                            .into_iter()
                            .for_each(|group| group.anchors += 1);
                    }
                    for one in matched() {
                        groups
                            .get_mut(group_of(one.start_ns))
                            .into_iter()
                            .for_each(|group| group.matched += 1);
                    }
                    groups
                }
                Grouping::Host => counts.top_hosts.clone(),
                Grouping::Guest | Grouping::Class | Grouping::Title | Grouping::Label(_) => {
                    tally(all().map(|one| one.key), matched().map(|one| one.key), key)
                }
                Grouping::Day | Grouping::Week | Grouping::Month => {
                    let mut groups = tally(all().map(|one| one.key), matched().map(|one| one.key), key);
                    groups.sort_by(|a, b| a.name.cmp(&b.name));
                    groups
                }
            };
            let groups = match question.pick {
                Some(Pick::Top(count)) => {
                    let mut groups: Vec<Counted> =
                        groups.into_iter().filter(|group| group.matched > 0).collect();
                    groups.sort_by(|a, b| {
                        (b.matched, b.anchors, &a.name).cmp(&(a.matched, a.anchors, &b.name))
                    });
                    groups.truncate(usize::try_from(count).unwrap_or(usize::MAX));
                    groups
                }
                _ => groups,
            };
            Groups { of: by.words().to_owned(), groups }
        });
        counts.top_hosts.retain(|host| host.matched > 0);
        counts.top_hosts.truncate(TOP_HOSTS);
        counts.top_guests.retain(|guest| guest.matched > 0);
        counts.top_guests.truncate(TOP_HOSTS);
        counts
    }
}

/// Days of week as they are listed.
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Counted {
    fn none(name: String) -> Counted {
        Counted { name, anchors: 0, matched: 0 }
    }
}

struct One {
    start_ns: i64,
    host: u32,
    guest: u32,
    key: u32,
}

fn row(events: &Events, at: usize) -> Option<One> {
    Some(One {
        start_ns: *events.start_ns.get(at)?,
        host: *events.host.get(at)?,
        guest: *events.guest.get(at)?,
        key: *events.key.get(at)?,
    })
}

fn add(counts: &mut [u64], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

/// Counts by number; those with the most matches, then the most anchors, then by name.
fn tally<'n>(
    anchors: impl Iterator<Item = u32>,
    matched: impl Iterator<Item = u32>,
    name: impl Fn(u32) -> &'n str,
) -> Vec<Counted> {
    let mut counts: Vec<(u64, u64)> = Vec::new();
    let mut at = |number: u32, of_matches: bool| {
        let number = number as usize;
        if counts.len() <= number {
            counts.resize(number + 1, (0, 0));
        }
        if let Some(count) = counts.get_mut(number) {
            if of_matches { count.1 += 1 } else { count.0 += 1 }
        }
    };
    anchors.for_each(|number| at(number, false));
    matched.for_each(|number| at(number, true));
    let mut found: Vec<Counted> = (0..)
        .zip(counts)
        .filter(|(_, (anchors, _))| *anchors > 0)
        .map(|(number, (anchors, matched))| Counted { name: name(number).to_owned(), anchors, matched })
        .collect();
    found.sort_by(|a, b| (b.matched, b.anchors, &a.name).cmp(&(a.matched, a.anchors, &b.name)));
    found
}

/// The asker's hour and day; the rule of a quarter of an hour is kept, since every zone changes on one.
struct Clock<'a> {
    zone: &'a TimeZone,
    quarter: Option<(i64, (usize, usize))>,
}

impl<'a> Clock<'a> {
    fn new(zone: &'a TimeZone) -> Clock<'a> {
        Clock { zone, quarter: None }
    }

    fn hour_and_day(&mut self, time_ns: i64) -> (usize, usize) {
        let quarter = time_ns.div_euclid(900 * SECOND_NS);
        if let Some((of, found)) = self.quarter
            && of == quarter
        {
            return found;
        }
        let Ok(time) = Timestamp::from_nanosecond(i128::from(time_ns)) else { return (0, 0) };
        let local = time.to_zoned_datetime(self.zone.clone());
        let found = (
            usize::try_from(local.hour()).unwrap_or(0),
            usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0),
        );
        self.quarter = Some((quarter, found));
        found
    }
}

/// Bars of one round width from the least lag to the greatest, empty ones between included.
fn histogram(lags_ns: &[i64]) -> Vec<Bar> {
    let (Some(least), Some(most)) = (lags_ns.iter().min(), lags_ns.iter().max()) else { return Vec::new() };
    let bar_of = |lag_ns: i64, width: i64| lag_ns.div_euclid(width * SECOND_NS);
    let fits = |width: &&i64| bar_of(*most, **width) - bar_of(*least, **width) < BARS_MAX;
    let width = BAR_SECONDS.iter().find(fits).or(BAR_SECONDS.last()).copied().unwrap_or(1);
    let first = bar_of(*least, width);
    let mut bars: Vec<Bar> = (first..=bar_of(*most, width))
        .map(|bar| Bar { from_seconds: bar * width, to_seconds: (bar + 1) * width, count: 0 })
        .collect();
    for lag in lags_ns {
        let at = usize::try_from(bar_of(*lag, width) - first).ok();
        if let Some(bar) = at.and_then(|at| bars.get_mut(at)) {
            bar.count += 1;
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_has_round_bars_that_hold_every_lag() {
        for (seconds, first, last, bars) in [
            (vec![], None, None, 0),
            (vec![0], Some(0), Some(1), 1),
            (vec![-300, 300], Some(-300), Some(360), 11),
            (vec![-1, 0], Some(-1), Some(1), 2),
            (vec![10, 3600 * 24 * 400], Some(0), Some(2_592_000 * 14), 14),
        ] {
            let lags: Vec<i64> = seconds.iter().map(|s| s * SECOND_NS).collect();
            let found = histogram(&lags);
            assert_eq!(found.first().map(|bar| bar.from_seconds), first, "{seconds:?}");
            assert_eq!(found.last().map(|bar| bar.to_seconds), last, "{seconds:?}");
            assert_eq!(found.len(), bars, "{seconds:?}");
            assert_eq!(found.iter().map(|bar| bar.count).sum::<u64>(), seconds.len() as u64);
        }
    }

    #[test]
    fn hours_and_days_are_the_askers_across_changes_of_the_clock() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut clock = Clock::new(&zone);
        for (time, hour, day) in [
            ("2026-03-29T00:59:59Z", 1, 6),
            ("2026-03-29T01:00:00Z", 3, 6),
            ("2026-10-25T00:30:00Z", 2, 6),
            ("2026-10-25T01:30:00Z", 2, 6),
            ("2026-11-22T23:30:00Z", 0, 0),
        ] {
            let at: Timestamp = time.parse().unwrap();
            let at = i64::try_from(at.as_nanosecond()).unwrap();
            assert_eq!(clock.hour_and_day(at), (hour, day), "{time}");
        }
    }
}
