//! Guests' consoles: recordings of real guests, set to the story's times.
//!
//! A recording is the console of a guest that booted, worked for two seconds and died (`tests/lab/guests/record`
//! makes them). Its boot and its death are kept word for word; only the kernel's clock in front of the death's
//! lines is moved, so that the guest has lived as long as the story says.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, rngs::StdRng};

use super::story::{Incident, Interruption};

/// A line of a log and its time.
pub type Line = (Timestamp, String);

const DEATHS: [&str; 5] = [
    include_str!("recordings/hung.console"),
    include_str!("recordings/ext4.console"),
    include_str!("recordings/oom.console"),
    include_str!("recordings/init.console"),
    include_str!("recordings/sysrq.console"),
];
const OOM_KILL: &str = include_str!("recordings/oomkill.console");
const REBOOT: &str = include_str!("recordings/reboot.console");

/// The last line before a recorded guest does what it was started for.
const LAST_WORK: &str = "app[1]: request 1 handled";
const FIRST_WORK: &str = "app[1]: request 0 handled";
/// What a recording ends with although the story's guest lives on.
const POWER_OFF: [&str; 2] = ["Preparing to enter system sleep state S5", "reboot: Power down"];
/// What a recorded guest says so late only because it died so soon after its boot.
const OF_BOOT: &str = "random: crng init done";

/// The console of one guest from `start` to `end`: it boots, works, is interrupted, boots again.
pub fn console(start: Timestamp, end: Timestamp, incidents: &[Incident], rng: &mut StdRng) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut boot = start + SignedDuration::from_secs(rng.random_range(60..3_000));
    boot_lines(boot, &mut lines);
    let mut working_since = boot;
    for incident in incidents {
        let recording = match incident.what {
            Interruption::Panic => DEATHS.get(rng.random_range(0..DEATHS.len())).copied().unwrap_or(REBOOT),
            Interruption::OomKill => OOM_KILL,
            Interruption::Reboot => REBOOT,
        };
        work(working_since, incident.at, rng, &mut lines);
        interruption(recording, boot, incident.at, &mut lines);
        working_since = incident.at + SignedDuration::from_secs(20);
        if incident.what != Interruption::OomKill {
            boot = incident.at + SignedDuration::from_secs(rng.random_range(6..20));
            boot_lines(boot, &mut lines);
        }
    }
    work(working_since, end, rng, &mut lines);
    lines
}

/// What a guest prints while it works: a line every half an hour or so.
fn work(from: Timestamp, to: Timestamp, rng: &mut StdRng, lines: &mut Vec<Line>) {
    let mut at = from + SignedDuration::from_secs(rng.random_range(30..1_800));
    // The last minute belongs to what happens then: some recordings begin well before the panic.
    while at < to - SignedDuration::from_secs(60) {
        lines.push((at, format!("app[1]: {} requests handled", rng.random_range(500..90_000))));
        at += SignedDuration::from_secs(rng.random_range(900..2_700));
    }
}

fn boot_lines(boot: Timestamp, lines: &mut Vec<Line>) {
    let mut at = boot;
    for text in REBOOT.lines().map(str::trim_end).take_while(|line| *line != FIRST_WORK) {
        if let Some((uptime, _)) = kernel_clock(text) {
            at = boot + uptime;
        }
        lines.push((at, text.to_owned()));
    }
}

/// The recorded death, placed so that its decisive line falls at `at`.
fn interruption(recording: &str, boot: Timestamp, at: Timestamp, lines: &mut Vec<Line>) {
    let death: Vec<&str> = recording
        .lines()
        .map(str::trim_end)
        .skip_while(|line| *line != LAST_WORK)
        .skip(1)
        .filter(|line| !POWER_OFF.iter().any(|words| line.contains(words)) && !line.contains(OF_BOOT))
        .collect();
    let decisive = ["Kernel panic", "Killed process", "reboot: "];
    let recorded = death
        .iter()
        .filter(|line| decisive.iter().any(|words| line.contains(words)))
        .find_map(|line| kernel_clock(line))
        .map_or(SignedDuration::ZERO, |(clock, _)| clock);
    let mut line_time = at;
    for text in death {
        let Some((clock, rest)) = kernel_clock(text) else {
            lines.push((line_time, text.to_owned()));
            continue;
        };
        line_time = at + (clock - recorded);
        let uptime = line_time.duration_since(boot);
        lines.push((line_time, format!("[{:>5}.{:06}]{rest}", uptime.as_secs(), uptime.subsec_micros())));
    }
}

/// Splits `[    4.895213] text` into the kernel's clock and the rest behind the bracket.
fn kernel_clock(line: &str) -> Option<(SignedDuration, &str)> {
    let (clock, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (seconds, micros) = clock.trim().split_once('.')?;
    let clock =
        SignedDuration::from_secs(seconds.parse().ok()?) + SignedDuration::from_micros(micros.parse().ok()?);
    Some((clock, rest))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_panic_of_the_story_is_on_the_console_at_its_time() {
        let start = Timestamp::from_second(1_795_000_000).unwrap();
        let at = |hours| start + SignedDuration::from_hours(hours);
        let incident = |hours, what| Incident { host: 0, guest: 0, at: at(hours), what };
        let incidents = [
            incident(3, Interruption::Panic),
            incident(5, Interruption::OomKill),
            incident(7, Interruption::Reboot),
            incident(9, Interruption::Panic),
        ];
        for seed in 0..10 {
            let lines = console(start, at(12), &incidents, &mut StdRng::seed_from_u64(seed));
            let panics: Vec<_> = lines.iter().filter(|(_, text)| text.contains("Kernel panic - ")).collect();
            assert_eq!(
                panics.iter().map(|(time, _)| *time).collect::<Vec<_>>(),
                [at(3), at(9)],
                "seed {seed}"
            );
            assert!(lines.iter().all(|(_, text)| !text.contains("Power down")));
            assert!(lines.is_sorted_by_key(|(time, _)| *time), "seed {seed}");
        }
    }
}
