//! Message templates: what records say, whatever machine and number they speak of.

use serde::Deserialize;

use super::literal::{instant, list};
use crate::{Store, store::QueryError};

/// Bytes of a record from which its template's text is made.
const BODY_BYTES_MAX: usize = 4_096;
/// Records that have a template and in which nothing was recognised.
const PLAIN: &str = "Template != 0 AND Class = ''";

/// A template with its records of a time; one of them shows what it says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TemplateCount {
    /// Its fingerprint.
    pub template: u64,
    /// The text of one of its records.
    pub body: String,
    /// The program that wrote that.
    pub program: String,
    /// How many records it has.
    pub records: u64,
}

/// Templates that were seen most often within some spans, with their records of a time; those with more than
/// `records_max` are left out.
///
/// # Errors
/// Where the store fails.
pub async fn read_templates_near(
    store: &Store,
    spans: &[(i64, i64)],
    (from_ns, to_ns): (i64, i64),
    templates_max: u64,
    records_max: u64,
) -> Result<Vec<TemplateCount>, QueryError> {
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let spans: Vec<String> = spans
        .iter()
        .map(|(start, end)| format!("Timestamp BETWEEN {} AND {}", instant(*start), instant(*end)))
        .collect();
    let sql = format!(
        "WITH near AS (SELECT Template, count() AS seen FROM logs WHERE {PLAIN} AND ({}) GROUP BY Template \
         ORDER BY seen DESC LIMIT {templates_max}) \
         SELECT Template AS template, toValidUTF8(substring(any(Body), 1, {BODY_BYTES_MAX})) AS body, \
         any(toString(Program)) AS program, count() AS records FROM logs \
         WHERE {PLAIN} AND Template IN (SELECT Template FROM near) AND Timestamp >= {} AND Timestamp < {} \
         GROUP BY Template HAVING records <= {records_max} ORDER BY template",
        spans.join(" OR "),
        instant(from_ns),
        instant(to_ns)
    );
    store.rows(&sql).await
}

/// How many templates a time has.
///
/// # Errors
/// Where the store fails.
pub async fn count_templates(store: &Store, from_ns: i64, to_ns: i64) -> Result<u64, QueryError> {
    #[derive(Deserialize)]
    struct Counted {
        templates: u64,
    }
    let sql = format!(
        "SELECT uniqExact(Template) AS templates FROM logs WHERE {PLAIN} AND Timestamp >= {} AND Timestamp < {}",
        instant(from_ns),
        instant(to_ns)
    );
    Ok(store.rows::<Counted>(&sql).await?.first().map_or(0, |counted| counted.templates))
}

/// A template, or one template of one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct TemplateSeen {
    /// Its fingerprint.
    pub template: u64,
    /// The host; empty where machines are not told apart.
    pub host: String,
    /// The guest's UUID or name; empty for a host's own, and where machines are not told apart.
    pub machine: String,
    /// How many records from the beginning of the time on.
    pub records: u64,
    /// On how many hosts.
    pub hosts: u64,
    /// When it was seen first.
    pub first_ns: i64,
    /// And last.
    pub last_ns: i64,
    /// The most severe of them.
    pub severity: u8,
}

/// Which templates were seen when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateSelection {
    /// Records are counted from here on.
    pub from_ns: i64,
    /// Up to here.
    pub to_ns: i64,
    /// Whether those before are looked at as well, so that it is seen what is new.
    pub since_ever: bool,
    /// Whether machines are told apart.
    pub by_machine: bool,
}

/// Templates of a selection, in no order.
///
/// # Errors
/// Where the store fails.
pub async fn read_templates(
    store: &Store,
    selection: &TemplateSelection,
) -> Result<Vec<TemplateSeen>, QueryError> {
    let (from, to) = (instant(selection.from_ns), instant(selection.to_ns));
    let since = if selection.since_ever { String::new() } else { format!(" AND Timestamp >= {from}") };
    let (host, machine, group) = if selection.by_machine {
        ("toString(Host)", "if(GuestUuid != '', toString(GuestUuid), toString(Guest))", ", host, machine")
    } else {
        ("''", "''", "")
    };
    let sql = format!(
        "SELECT Template AS template, {host} AS host, {machine} AS machine, countIf(Timestamp >= {from}) AS records, \
         uniq(Host) AS hosts, toUnixTimestamp64Nano(min(Timestamp)) AS first_ns, \
         toUnixTimestamp64Nano(max(Timestamp)) AS last_ns, max(SeverityNumber) AS severity \
         FROM logs WHERE Template != 0 AND Timestamp < {to}{since} GROUP BY template{group}"
    );
    store.rows(&sql).await
}

/// What a template's last record says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TemplateText {
    /// Its fingerprint.
    pub template: u64,
    /// The record's text.
    pub body: String,
    /// The program that wrote it.
    pub program: String,
    /// What was recognised in it; empty for nothing.
    pub class: String,
}

/// The texts of templates at the instants at which they were seen; those that were removed meanwhile are left out.
///
/// # Errors
/// Where the store fails.
pub async fn read_template_texts(
    store: &Store,
    seen: &[(u64, i64)],
    body_bytes_max: usize,
) -> Result<Vec<TemplateText>, QueryError> {
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT Template AS template, toValidUTF8(substring(Body, 1, {body_bytes_max})) AS body, \
         toString(Program) AS program, toString(Class) AS class FROM logs \
         WHERE Timestamp IN ({}) AND (Template, Timestamp) IN ({}) LIMIT 1 BY template",
        list(seen, |(_, time_ns)| instant(*time_ns)),
        list(seen, |(template, time_ns)| format!("({template}, {})", instant(*time_ns))),
    );
    store.rows(&sql).await
}
