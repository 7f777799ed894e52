//! CSV: `host,guest,uuid,start,end` in any order; every other column is an attribute. A row without guest and UUID says
//! what the host itself is like: its rack, its zone.

use jiff::{Timestamp, civil::DateTime};
use lastwords_record::{Guest, Placement};

use super::about::{About, Unreadable, host};

pub(super) fn read(text: &str, about: &About<'_>) -> Result<Vec<Placement>, Unreadable> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| Unreadable(error.to_string()))?.clone();
    if !names.iter().any(|name| name.eq_ignore_ascii_case("host")) && about.host.is_none() {
        return Err(Unreadable(format!(
            "wanted a first line with the columns host, guest, uuid, start, end and attributes; found {:?}",
            names.iter().collect::<Vec<_>>().join(",")
        )));
    }
    let mut found = Vec::new();
    for (number, row) in (2_u64..).zip(reader.records()) {
        let row = row.map_err(|error| Unreadable(error.to_string()))?;
        let line = row.position().map_or(number, csv::Position::line);
        let wrong = |what: String| Unreadable(format!("line {line}: {what}"));
        let mut placement = Placement {
            host: host(about.host.unwrap_or_default()),
            guest: Guest { name: String::new(), uuid: String::new() },
            start_ns: about.since_ns,
            end_ns: None,
            attributes: Vec::new(),
        };
        for (name, value) in names.iter().zip(&row).filter(|(_, value)| !value.is_empty()) {
            match name.to_ascii_lowercase().as_str() {
                "host" => placement.host.name = value.to_owned(),
                "guest" => placement.guest.name = value.to_owned(),
                "uuid" => placement.guest.uuid = value.to_ascii_lowercase(),
                "start" => placement.start_ns = instant(value, about).map_err(wrong)?,
                "end" => placement.end_ns = Some(instant(value, about).map_err(wrong)?),
                _ => placement.attributes.push((name.to_owned(), value.to_owned())),
            }
        }
        if placement.host.name.is_empty() {
            return Err(wrong("there is no host".to_owned()));
        }
        if placement.end_ns.is_some_and(|end_ns| end_ns <= placement.start_ns) {
            return Err(wrong("it ends before it starts".to_owned()));
        }
        placement.attributes.sort();
        found.push(placement);
    }
    Ok(found)
}

/// RFC 3339, or a date and time in the zone that was named.
fn instant(text: &str, about: &About<'_>) -> Result<i64, String> {
    let time = text.parse::<Timestamp>().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        about.time_zone.to_ambiguous_timestamp(local).compatible().ok()
    });
    let time = time.ok_or_else(|| format!("wanted a time such as 2026-11-20T15:00:00Z, found {text:?}"))?;
    i64::try_from(time.as_nanosecond()).map_err(|_| format!("{text} is out of range"))
}
