//! The answer on a terminal: the sentence first, then the matches, then small plots.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    look::{Look, wrapped},
    plot::{bar, cut, lag, signed, spark},
    terminal::on_a_line,
};
use crate::{
    answer::{Bar, Match, MatchesAnswer, Wording, counts::DAYS},
    words::numbers::group_digits,
};

/// Narrowest that is worded for.
const WIDTH_MIN: usize = 60;
/// Lines of evidence shown of one match.
const EVIDENCE_LINES: usize = 6;
/// Columns of a plot's bars.
const PLOT_COLUMNS: usize = 40;

/// Words an answer for a terminal.
pub(super) fn render(answer: &MatchesAnswer, wording: &Wording, look: &Look) -> String {
    let page = Page {
        look: Look { width: look.width.max(WIDTH_MIN), ..*look },
        zone: zone(answer),
        out: String::new(),
    };
    page.answer(answer, wording)
}

struct Page {
    look: Look,
    zone: TimeZone,
    out: String,
}

fn zone(answer: &MatchesAnswer) -> TimeZone {
    TimeZone::get(&answer.header.time_zone).unwrap_or(TimeZone::UTC)
}

impl Page {
    fn answer(mut self, answer: &MatchesAnswer, wording: &Wording) -> String {
        let sentence = self.strong(&wrapped(&on_a_line(&wording.sentence), self.look.width, ""));
        self.line(&sentence);
        for note in &wording.notes {
            let note = self.faint(&wrapped(&on_a_line(note), self.look.width, ""));
            self.line(&note);
        }
        // What is counted by something is asked for its counts.
        self.groups(answer);
        if answer.header.matched > 0 {
            self.matches(answer);
            self.lags(&answer.lag_histogram);
            self.hours(answer);
            self.hosts(answer);
        }
        self.out
    }

    fn matches(&mut self, answer: &MatchesAnswer) {
        if answer.matches.is_empty() {
            return;
        }
        let with_lag = answer.matches.iter().any(|one| !one.partners.is_empty());
        let mut rows = vec![[
            "time".to_owned(),
            "host".to_owned(),
            "guest".to_owned(),
            if with_lag { "lag".to_owned() } else { String::new() },
            "what".to_owned(),
        ]];
        rows.extend(answer.matches.iter().map(|one| self.row(one)));
        let widths: Vec<usize> = (0..4)
            .map(|column| {
                rows.iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        self.line("");
        let mut matches = answer.matches.iter();
        for (at, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                if *width > 0 {
                    let _ = write!(line, "{cell:<width$}  ");
                }
            }
            let left = self.look.width.saturating_sub(line.chars().count());
            line += &cut(row.last().map_or("", String::as_str), left.max(20));
            let line = if at == 0 { self.faint(line.trim_end()) } else { line.trim_end().to_owned() };
            self.line(&line);
            if at > 0
                && let Some(one) = matches.next()
            {
                self.evidence(one);
            }
        }
        if answer.header.truncated {
            let more = answer.header.matched.saturating_sub(answer.matches.len() as u64);
            let line = self.faint(&format!(
                "… and {} more; --limit N lists more, --format json all",
                group_digits(more)
            ));
            self.line(&line);
        }
    }

    fn row(&self, one: &Match) -> [String; 5] {
        let lag = one.partners.first().map_or(String::new(), |partner| signed(partner.lag_seconds));
        [
            self.time(one.start),
            on_a_line(&one.host),
            on_a_line(one.guest.as_deref().unwrap_or("")),
            lag,
            on_a_line(&one.title),
        ]
    }

    fn evidence(&mut self, one: &Match) {
        let width = self.look.width.saturating_sub(6);
        let mut line = |mark: char, text: &str| {
            let line = self.faint(&format!("    {mark} {}", cut(text, width)));
            self.line(&line);
        };
        one.before.iter().for_each(|text| line('┆', &on_a_line(text)));
        // A single line says what the title says.
        if one.evidence.len() > 1 {
            one.evidence.iter().take(EVIDENCE_LINES).for_each(|text| line('│', &on_a_line(text)));
        }
        if one.evidence.len() > EVIDENCE_LINES {
            line('│', &format!("… {} more lines", one.evidence.len() - EVIDENCE_LINES));
        }
        one.after.iter().for_each(|text| line('┆', &on_a_line(text)));
    }

    fn lags(&mut self, bars: &[Bar]) {
        if bars.is_empty() {
            return;
        }
        self.heading("lag behind the nearest partner");
        let labels: Vec<String> =
            bars.iter().map(|bar| format!("{} … {}", lag(bar.from_seconds), lag(bar.to_seconds))).collect();
        self.bars(
            &labels.iter().map(String::as_str).zip(bars.iter().map(|bar| bar.count)).collect::<Vec<_>>(),
        );
    }

    fn hours(&mut self, answer: &MatchesAnswer) {
        let zone = answer.header.time_zone.clone();
        self.heading(&format!("hour of day ({zone})"));
        let most = answer.hour_of_day.iter().max().copied().unwrap_or(0).max(1);
        let sparks: String =
            answer.hour_of_day.iter().map(|count| format!("{0}{0} ", spark(*count, most))).collect();
        let hours: String = (0..24).map(|hour| format!("{hour:02} ")).collect();
        self.line(&format!("  {}", sparks.trim_end()));
        let hours = self.faint(&format!("  {}", hours.trim_end()));
        self.line(&hours);
        let most = answer.day_of_week.iter().max().copied().unwrap_or(0).max(1);
        let days: Vec<String> = DAYS
            .iter()
            .zip(answer.day_of_week)
            .map(|(day, count)| {
                format!(
                    "{} {} {}",
                    day.chars().take(3).collect::<String>(),
                    spark(count, most),
                    group_digits(count)
                )
            })
            .collect();
        self.line(&format!("  {}", days.join("  ")));
    }

    fn hosts(&mut self, answer: &MatchesAnswer) {
        if answer.top_hosts.len() < 2 {
            return;
        }
        self.heading("hosts with the most matches");
        let bars: Vec<(String, u64)> =
            answer.top_hosts.iter().map(|host| (on_a_line(&host.name), host.matched)).collect();
        self.bars(&bars.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>());
    }

    fn groups(&mut self, answer: &MatchesAnswer) {
        let Some(by) = &answer.by else { return };
        self.heading(&format!("by {}", by.of));
        let bars: Vec<(String, u64)> = by
            .groups
            .iter()
            .map(|group| {
                let name = if group.name.is_empty() { "(none)".to_owned() } else { on_a_line(&group.name) };
                (name, group.matched)
            })
            .collect();
        self.bars(&bars.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>());
    }

    fn bars(&mut self, bars: &[(&str, u64)]) {
        let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
        let labels = bars.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        let room = self.look.width.saturating_sub(labels + 14).clamp(10, PLOT_COLUMNS);
        for (label, count) in bars {
            let bar = self.coloured(&bar(*count, most, room));
            let line = format!("  {label:>labels$}  {bar} {}", group_digits(*count));
            self.line(&line);
        }
    }

    fn time(&self, time_ns: i64) -> String {
        match Timestamp::from_nanosecond(i128::from(time_ns)) {
            Ok(time) => time.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Err(_) => String::new(),
        }
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        let text = self.faint(text);
        self.line(&text);
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn strong(&self, text: &str) -> String {
        if self.look.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn faint(&self, text: &str) -> String {
        if self.look.colour { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn coloured(&self, text: &str) -> String {
        if self.look.colour { format!("\u{1b}[36m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
