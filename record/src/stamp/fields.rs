//! Times that stand in a field: of JSON, of logfmt.

use super::{dates::dated, form::Form, numeric::epoch_number};
use crate::envelope::{json, logfmt};
use json::Value;

/// Names of fields with the time of their line, the surest first. Letters may be small or capital.
const NAMES: [&str; 26] = [
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "@t",
    "t",
    "datetime",
    "date",
    "asctime",
    "eventTime",
    "event_time",
    "log_time",
    "logtime",
    "time_iso8601",
    "time_local",
    "timeMillis",
    "timeUnixNano",
    "observedTimeUnixNano",
    "syslog_timestamp",
    "requestReceivedTimestamp",
    "StartUTC",
    "created_at",
    "instant",
    "created",
];

/// The time in an object's fields.
pub(super) fn json(line: &[u8]) -> Option<Form> {
    surest(json::Fields::new(line)?)
}

/// The time in the fields of a line in logfmt.
pub(super) fn logfmt(line: &[u8]) -> Option<Form> {
    surest(logfmt::Fields::new(line)?)
}

fn surest<'a>(fields: impl Iterator<Item = (&'a [u8], Value<'a>)>) -> Option<Form> {
    let mut found: Option<(usize, Form)> = None;
    for (name, value) in fields {
        let Some(rank) = rank(name).filter(|rank| found.is_none_or(|(best, _)| *rank < best)) else {
            continue;
        };
        if let Some(form) = written(value) {
            found = Some((rank, form));
        }
        if rank == 0 {
            break;
        }
    }
    found.map(|(_, form)| form)
}

/// Whether a field of this name has the time of its line.
pub(crate) fn is_time_field(name: &[u8]) -> bool {
    rank(name).is_some()
}

fn rank(name: &[u8]) -> Option<usize> {
    NAMES.iter().position(|known| known.len() == name.len() && name.eq_ignore_ascii_case(known.as_bytes()))
}

fn written(value: Value<'_>) -> Option<Form> {
    match value {
        Value::Text(text, _) => epoch_number(text).or_else(|| dated(text)),
        Value::Bare(text) => epoch_number(text),
        // `{"$date":"…"}` of MongoDB, `{"epochSecond":…,"nanoOfSecond":…}` of Log4j.
        Value::Nested(object, _) => nested(object),
    }
}

fn nested(object: &[u8]) -> Option<Form> {
    let (mut seconds, mut nanoseconds) = (None, 0);
    for (name, value) in json::Fields::new(object)? {
        match (name, value) {
            (b"$date", Value::Text(text, _)) => return dated(text),
            (b"epochSecond", Value::Bare(text)) => seconds = epoch_number(text),
            (b"nanoOfSecond", Value::Bare(text)) => nanoseconds = super::digits::number(text)?,
            _ => {}
        }
    }
    match seconds? {
        Form::Epoch { time_ns } => Some(Form::Epoch { time_ns: time_ns.checked_add(nanoseconds)? }),
        _ => None,
    }
}
