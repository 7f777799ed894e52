//! The fields of JSON and logfmt.

use std::borrow::Cow;

use super::{
    found::{FIELDS_MAX, Fields, PROCESS},
    level,
};
use crate::{
    envelope::{self, json, logfmt},
    stamp,
};
use json::Value;

/// Names of fields with a level, the surest first.
const LEVELS: [&str; 14] = [
    "PRIORITY",
    "severity",
    "level",
    "lvl",
    "@l",
    "loglevel",
    "log_level",
    "log.level",
    "levelname",
    "severity_text",
    "SeverityText",
    "severityText",
    "levelno",
    "syslog_severity",
];
/// Names of fields with the name of who wrote it, the surest first.
const PROGRAMS: [&str; 13] = [
    "SYSLOG_IDENTIFIER",
    "ident",
    "program",
    "appname",
    "app_name",
    "app",
    "component",
    "service",
    "service.name",
    "service_name",
    "_COMM",
    "process.name",
    "container_name",
];
/// Names of fields with the number of the process.
const PROCESSES: [&str; 6] = ["_PID", "pid", "process.pid", "process_id", "SYSLOG_PID", "procid"];
/// Fields that logfmt has where it is more than words with an equals sign.
const TELLING: [&str; 8] = ["msg", "message", "level", "lvl", "ts", "time", "severity", "logger"];
/// Objects within objects that are looked into.
const DEPTH_MAX: usize = 3;
const NONE: usize = usize::MAX;

/// What was found of program and level so far: the surest name counts.
struct Found<'a> {
    message: Option<(usize, Cow<'a, [u8]>)>,
    level_rank: usize,
    severity: u8,
    program_rank: usize,
    program: Cow<'a, str>,
    has_process: bool,
}

/// Takes an object's fields in; gives its message, where it has one.
pub(super) fn json<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<Cow<'a, [u8]>> {
    let mut found = Found::new();
    object(json::Fields::new(text)?, "", 0, &mut found, fields);
    found.tell(fields)
}

/// Takes the fields of a line in logfmt in; none: it is no such line.
pub(super) fn logfmt<'a>(text: &'a [u8], fields: &mut Fields<'a>) -> Option<Option<Cow<'a, [u8]>>> {
    let mut telling = 0;
    let mut count = 0;
    for (name, _) in logfmt::Fields::new(text)? {
        count += 1;
        telling += usize::from(TELLING.iter().any(|known| known.as_bytes() == name));
    }
    (telling > 0 && count > 1).then_some(())?;
    let mut found = Found::new();
    object(logfmt::Fields::new(text)?, "", 0, &mut found, fields);
    Some(found.tell(fields))
}

fn object<'a>(
    object_fields: impl Iterator<Item = (&'a [u8], Value<'a>)>,
    outer: &str,
    depth: usize,
    found: &mut Found<'a>,
    fields: &mut Fields<'a>,
) {
    for (name, value) in object_fields.take(FIELDS_MAX * 2) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let name = if outer.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{outer}.{name}")) };
        if let Value::Nested(nested, _) = value
            && depth < DEPTH_MAX
            && let Some(inner) = json::Fields::new(nested)
        {
            object(inner, &name, depth + 1, found, fields);
            continue;
        }
        field(name, value, found, fields);
    }
}

fn field<'a>(name: Cow<'a, str>, value: Value<'a>, found: &mut Found<'a>, fields: &mut Fields<'a>) {
    let written = match value {
        Value::Text(written, _) | Value::Bare(written) | Value::Nested(written, _) => written,
    };
    if let (Some(rank), Value::Text(..)) = (envelope::message_rank(name.as_bytes()), value) {
        if found.message.as_ref().is_none_or(|(best, _)| rank < *best) {
            found.message = Some((rank, envelope::unescape(written)));
        }
        return;
    }
    if stamp::is_time_field(name.as_bytes()) || written == b"null" {
        return;
    }
    let bytes =
        if matches!(value, Value::Text(..)) { envelope::unescape(written) } else { Cow::Borrowed(written) };
    let text = match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    };
    let rank = |names: &[&str]| names.iter().position(|known| *known == name).unwrap_or(NONE);
    let level_rank = rank(&LEVELS);
    if level_rank < found.level_rank {
        let severity = level::of_field(text.as_bytes());
        if severity > 0 {
            (found.level_rank, found.severity) = (level_rank, severity);
        }
    }
    let program_rank = rank(&PROGRAMS);
    if program_rank < found.program_rank && !text.is_empty() {
        (found.program_rank, found.program) = (program_rank, text.clone());
    }
    if name == "_TRANSPORT" && text == "kernel" {
        (found.program_rank, found.program) = (0, Cow::Borrowed("kernel"));
    }
    if !found.has_process && rank(&PROCESSES) != NONE && text.bytes().all(|byte| byte.is_ascii_digit()) {
        found.has_process = true;
        fields.add(Cow::Borrowed(PROCESS), text);
        return;
    }
    fields.add(name, text);
}

impl<'a> Found<'a> {
    fn new() -> Found<'a> {
        Found {
            message: None,
            level_rank: NONE,
            severity: 0,
            program_rank: NONE,
            program: Cow::Borrowed(""),
            has_process: false,
        }
    }

    fn tell(self, fields: &mut Fields<'a>) -> Option<Cow<'a, [u8]>> {
        fields.set_program(self.program);
        fields.set_severity(self.severity);
        self.message.map(|(_, message)| message)
    }
}
