//! Lines that are one event: the lines of one hardware report, a failed command with its sense data, the same said again
//! of the same thing within a minute.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    fingerprint,
    found::{Found, Hit, titled},
    rules::Rule,
    second::Second,
};

/// Runs that go on beside each other, of different logs and things.
const RUNS_MAX: usize = 32;
/// Lines, or records, from one line of a run to the next.
const GAP_LINES: u32 = 24;
/// Seconds from one line of a run to the next, and from one repetition to the next.
const GAP_S: i64 = 5;
const REPEATED_WITHIN_S: i64 = 60;

/// What lines of one run have in common, where they say it: a report's number, a device.
const IN_COMMON: [&str; 3] = ["report", "device", "domain"];
/// How often something was said.
const COUNT: &str = "count";

/// An event that further lines may belong to.
struct Run {
    rule: usize,
    stream: u32,
    record: u32,
    line: u32,
    second: Option<Second>,
    /// The event's place.
    event: usize,
    decided: bool,
    count: u32,
}

/// The runs that are not over.
#[derive(Default)]
pub(crate) struct Runs {
    open: VecDeque<Run>,
}

impl Runs {
    /// Takes a line into the event that it belongs to; whether there is one.
    pub(crate) fn take(&mut self, rules: &[Rule], rule: &Rule, hit: &Hit, out: &mut [Found]) -> bool {
        for run in &mut self.open {
            let (Some(first), Some(event)) = (rules.get(run.rule), out.get_mut(run.event)) else { continue };
            let is_run = rule.run.is_some() && rule.run == first.run && continues(run, hit, event);
            let is_repeated = rule.repeats && run.rule == hit.rule && repeats(run, hit, event);
            if !is_run && !is_repeated {
                continue;
            }
            if run.record == hit.record {
                event.line_end = event.line_end.max(hit.line);
            }
            (run.record, run.line, run.second) = (hit.record, hit.line, hit.second.or(run.second));
            if is_run {
                join(event, rule, hit, rule.decides && !run.decided);
                run.decided |= rule.decides;
            }
            if run.rule == hit.rule && rule.repeats {
                run.count += 1;
                event.attributes.retain(|(name, _)| name != COUNT);
                event.attributes.push((COUNT.to_owned(), run.count.to_string()));
            }
            return true;
        }
        false
    }

    /// Remembers an event that further lines may belong to.
    pub(crate) fn begin(&mut self, rule: &Rule, hit: &Hit, event: usize) {
        if rule.run.is_none() && !rule.repeats {
            return;
        }
        self.open.truncate(RUNS_MAX - 1);
        self.open.push_front(Run {
            rule: hit.rule,
            stream: hit.stream,
            record: hit.record,
            line: hit.line,
            second: hit.second,
            event,
            decided: rule.decides,
            count: 1,
        });
    }
}

/// Whether a line stands close behind a run's last one and is not of another report.
fn continues(run: &Run, hit: &Hit, event: &Found) -> bool {
    let value = |attributes: &'_ [(String, String)], name: &str| {
        attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    // A partition's lines belong to its disk's.
    let is_same = |one: String, other: String| one.starts_with(&other) || other.starts_with(&one);
    let is_other =
        IN_COMMON.iter().any(|name| match (value(&event.attributes, name), value(&hit.captures, name)) {
            (Some(one), Some(other)) => !is_same(one, other),
            _ => false,
        });
    !is_other && is_near(run, hit) && is_within(run, hit, GAP_S).unwrap_or(true)
}

/// Whether a line says the same as a run's, within a minute.
fn repeats(run: &Run, hit: &Hit, event: &Found) -> bool {
    run.stream == hit.stream
        && event.title == hit.title
        && is_within(run, hit, REPEATED_WITHIN_S).unwrap_or_else(|| is_near(run, hit))
}

fn is_near(run: &Run, hit: &Hit) -> bool {
    let lines = if run.record == hit.record {
        hit.line.saturating_sub(run.line)
    } else {
        hit.record.saturating_sub(run.record)
    };
    run.stream == hit.stream && lines <= GAP_LINES
}

fn is_within(run: &Run, hit: &Hit, seconds: i64) -> Option<bool> {
    run.second?.is_within(hit.second?, seconds)
}

/// Adds to an event what a further line says.
fn join(event: &mut Found, rule: &Rule, hit: &Hit, decides: bool) {
    let before = event.attributes.len();
    for (name, value) in &hit.captures {
        if !event.attributes.iter().any(|(known, _)| known == name) {
            event.attributes.push((name.clone(), value.clone()));
        }
    }
    if event.rule == rule.id && event.attributes.len() > before {
        event.title = titled(rule.title_with(&event.attributes), event.function.as_deref());
    }
    if decides {
        event.class = Arc::clone(&rule.class);
        event.severity = rule.severity;
        event.rule.clone_from(&rule.id);
        event.function = event.function.take().or_else(|| hit.function.clone());
        event.title = titled(rule.title_with(&event.attributes), event.function.as_deref());
        let function: Vec<String> = event.function.iter().cloned().collect();
        event.fingerprint = fingerprint::of(&event.class, &rule.title, &function);
    }
}
