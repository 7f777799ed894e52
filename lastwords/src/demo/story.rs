//! What happens to the fleet, decided from a seed before a line is written: saturations on weekday afternoons,
//! panics most of which follow them on the same host, and decoys.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, civil::Weekday, tz::TimeZone};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::fleet::{Guest, Host};

/// An interface of a host driven to its limit.
#[derive(Debug, Clone, Copy)]
pub struct Saturation {
    /// Index into the fleet.
    pub host: usize,
    /// When the traffic reaches the limit.
    pub start: Timestamp,
    /// When it falls below again.
    pub end: Timestamp,
}

/// How a guest's life is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The guest's kernel panics and the guest starts again.
    Panic,
    /// Somebody reboots it; a decoy.
    Reboot,
    /// The guest's OOM killer takes a process; the guest lives on. A decoy.
    OomKill,
}

/// Something that happens to one guest.
#[derive(Debug, Clone, Copy)]
pub struct Incident {
    /// Index into the fleet.
    pub host: usize,
    /// Index into the host's guests.
    pub guest: usize,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Interruption,
}

/// Everything that happens, in the order of time, and when it begins and ends.
#[derive(Debug, Clone)]
pub struct Story {
    /// The first instant of the first day.
    pub start: Timestamp,
    /// The first instant after the last day.
    pub end: Timestamp,
    /// Saturated interfaces.
    pub saturations: Vec<Saturation>,
    /// What happens to guests.
    pub incidents: Vec<Incident>,
}

/// How far a panic that has nothing to do with the network stays from any saturation of its host.
const UNRELATED_DISTANCE: SignedDuration = SignedDuration::from_mins(25);
const UNRELATED_PANICS: usize = 6;
/// How often a guest with more memory is the one that dies.
const MORE_MEMORY_DIES: f64 = 0.93;
const REBOOTS: usize = 30;
const OOM_KILLS: usize = 24;

impl Story {
    /// Decides what happens in `days` whole days that end with `last_day`, in the fleet's zone.
    ///
    /// # Errors
    /// Where the days lie outside the calendar.
    pub fn tell(
        seed: u64,
        days: u32,
        last_day: Date,
        zone: &TimeZone,
        fleet: &[Host],
    ) -> Result<Story, jiff::Error> {
        let mut rng = StdRng::seed_from_u64(seed);
        let first_day = last_day.checked_sub(i64::from(days.saturating_sub(1)).days())?;
        let midnight = |date: Date| date.to_zoned_datetime(zone.clone()).map(|zoned| zoned.timestamp());
        let mut story = Story {
            start: midnight(first_day)?,
            end: midnight(last_day.tomorrow()?)?,
            saturations: Vec::new(),
            incidents: Vec::new(),
        };
        for offset in 0..i64::from(days) {
            let day = first_day.checked_add(offset.days())?;
            if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
                story.afternoon(midnight(day)?, day, zone, fleet, &mut rng)?;
            }
            story.night(midnight(day)?, fleet.len(), &mut rng);
        }
        story.unrelated(Interruption::Panic, UNRELATED_PANICS, fleet, &mut rng);
        story.unrelated(Interruption::Reboot, REBOOTS, fleet, &mut rng);
        story.unrelated(Interruption::OomKill, OOM_KILLS, fleet, &mut rng);
        story.incidents.sort_by_key(|incident| incident.at);
        Ok(story)
    }

    /// The other department's transfers: a few hosts, each some time after three, some with consequences.
    fn afternoon(
        &mut self,
        midnight: Timestamp,
        day: Date,
        zone: &TimeZone,
        fleet: &[Host],
        rng: &mut StdRng,
    ) -> Result<(), jiff::Error> {
        let three = day.at(15, 0, 0, 0).to_zoned_datetime(zone.clone())?.timestamp();
        let mut hosts: Vec<usize> = (0..fleet.len()).collect();
        hosts.shuffle(rng);
        debug_assert!(midnight < three, "three in the afternoon comes after midnight");
        for host in hosts.into_iter().take(rng.random_range(3..=5)) {
            let start = three + SignedDuration::from_secs(rng.random_range(-120..2_700));
            let end = start + SignedDuration::from_secs(rng.random_range(360..900));
            self.saturations.push(Saturation { host, start, end });
            let guests = fleet.get(host).map_or(&[][..], |host| &host.guests);
            let victims = victims(guests, rng);
            let count = if rng.random_bool(0.25) { 0 } else { 1 + usize::from(rng.random_bool(0.2)) };
            for guest in victims.into_iter().take(count) {
                let at = start + SignedDuration::from_millis(rng.random_range(40_000..285_000));
                self.incidents.push(Incident { host, guest, at, what: Interruption::Panic });
            }
        }
        Ok(())
    }

    /// Nightly backups: saturation without consequence.
    fn night(&mut self, midnight: Timestamp, hosts: usize, rng: &mut StdRng) {
        for _ in 0..rng.random_range(1..=2) {
            let start = midnight + SignedDuration::from_secs(rng.random_range(5_400..12_600));
            let end = start + SignedDuration::from_secs(rng.random_range(300..1_500));
            self.saturations.push(Saturation { host: rng.random_range(0..hosts), start, end });
        }
    }

    /// Things that happen at any time, away from the saturations of their host.
    fn unrelated(&mut self, what: Interruption, count: usize, fleet: &[Host], rng: &mut StdRng) {
        let seconds = self.end.duration_since(self.start).as_secs();
        let mut left = count;
        while left > 0 {
            let host = rng.random_range(0..fleet.len());
            let guests = fleet.get(host).map_or(&[][..], |host| &host.guests);
            let at = self.start + SignedDuration::from_secs(rng.random_range(3_600..seconds - 3_600));
            let guest = match what {
                Interruption::Panic => victims(guests, rng).first().copied().unwrap_or(0),
                Interruption::Reboot | Interruption::OomKill => rng.random_range(0..guests.len()),
            };
            let near_saturation = self.saturations.iter().any(|saturation| {
                saturation.host == host
                    && at >= saturation.start - UNRELATED_DISTANCE
                    && at <= saturation.end + UNRELATED_DISTANCE
            });
            let near_incident = self.incidents.iter().any(|other| {
                other.host == host
                    && other.guest == guest
                    && at.duration_since(other.at).abs() < UNRELATED_DISTANCE
            });
            if !near_saturation && !near_incident {
                self.incidents.push(Incident { host, guest, at, what });
                left -= 1;
            }
        }
    }

    /// The planted truth: how many panics there are, and how many of them lie within `distance` of a
    /// saturation of their host.
    pub fn truth(&self, distance: SignedDuration) -> (usize, usize) {
        let panics = || self.incidents.iter().filter(|incident| incident.what == Interruption::Panic);
        let matched = panics().filter(|panic| {
            self.saturations.iter().any(|saturation| {
                saturation.host == panic.host
                    && panic.at >= saturation.start - distance
                    && panic.at <= saturation.end + distance
            })
        });
        (panics().count(), matched.count())
    }
}

/// The guests of a host in the order in which they die: mostly those first that have more memory.
fn victims(guests: &[Guest], rng: &mut StdRng) -> Vec<usize> {
    let mut victims: Vec<usize> = (0..guests.len()).collect();
    victims.shuffle(rng);
    if rng.random_bool(MORE_MEMORY_DIES) {
        victims.sort_by_key(|guest| guests.get(*guest).map(|guest| Reverse(guest.memory_mib)));
    }
    victims
}

#[cfg(test)]
mod tests {
    use super::super::fleet::{TIME_ZONE, fleet};
    use super::*;

    fn story(seed: u64) -> Story {
        let zone = TimeZone::get(TIME_ZONE).unwrap();
        Story::tell(seed, 14, jiff::civil::date(2026, 11, 20), &zone, &fleet()).unwrap()
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        assert_eq!(format!("{:?}", story(7)), format!("{:?}", story(7)));
        assert_ne!(format!("{:?}", story(7)), format!("{:?}", story(8)));
    }

    #[test]
    fn most_panics_follow_a_saturation_and_some_do_not() {
        for seed in 0..20 {
            let (panics, matched) = story(seed).truth(SignedDuration::from_mins(5));
            assert_eq!(panics - matched, UNRELATED_PANICS, "seed {seed}");
            assert!(matched * 10 >= panics * 7, "seed {seed}: {matched} of {panics}");
        }
    }
}
