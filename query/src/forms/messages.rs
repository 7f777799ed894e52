//! Answers `messages` and `new messages`: which messages there are, whatever machine and number they speak of, and
//! which of them nobody has seen before.

use std::collections::HashMap;

use lastwords_detect::template;
use serde::Deserialize;

use crate::{
    answer::{MessageRow, MessagesAnswer, MessagesFigures, Range},
    context::Asked,
    error::AskError,
    event::Row,
    fetch::extent::extent,
    language::Messages,
    names::Interner,
};

/// What is new is what was not seen before the last so many nanoseconds of the store: a day.
const NEW_NS: i64 = 86_400_000_000_000;

/// One template, or where places are asked about one template of one machine.
#[derive(Debug, Default, Deserialize)]
struct Seen {
    template: u64,
    host: String,
    machine: String,
    records: u64,
    hosts: u64,
    first_ns: i64,
    last_ns: i64,
    severity: u8,
}

/// Answers it; also says from when on anything is stored.
pub(crate) async fn answer(
    asked: &Asked<'_>,
    question: &Messages,
    limit: usize,
) -> Result<(MessagesAnswer, i64), AskError> {
    let bounds = &question.bounds;
    let extent = extent(asked.store).await?.unwrap_or_default();
    let to = bounds.to_ns.unwrap_or(extent.last_ns.saturating_add(1));
    let from = match (bounds.from_ns, question.new) {
        (Some(from_ns), _) => from_ns,
        (None, true) => to.saturating_sub(NEW_NS),
        (None, false) => extent.first_ns,
    };
    let range = Range { from, to };
    let found: Vec<Seen> = asked.store.rows(&statement(question, range)).await?;
    let mut found = if bounds.places.is_empty() { found } else { asked.seen_at(question, found) };
    found.retain(|seen| seen.records > 0 && (!question.new || seen.first_ns >= from));
    if question.new {
        found.sort_by_key(|seen| (seen.first_ns, seen.template));
    } else {
        found.sort_by_key(|seen| (std::cmp::Reverse(seen.records), seen.template));
    }
    let figures = MessagesFigures {
        messages: found.len() as u64,
        records: found.iter().map(|seen| seen.records).sum(),
    };
    let rows = asked.rows(found.get(..limit.min(found.len())).unwrap_or_default()).await?;
    let columns: &[&str] = if question.new {
        &["first", "records", "hosts", "message"]
    } else {
        &["records", "hosts", "first", "last", "message"]
    };
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    let mut header = asked.header(range);
    (header.matched, header.truncated) = (figures.messages, rows.len() < found.len());
    Ok((MessagesAnswer { header, figures, columns, rows }, extent.first_ns))
}

fn instant(time_ns: i64) -> String {
    format!("fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')")
}

fn statement(question: &Messages, range: Range) -> String {
    let (from, to) = (instant(range.from), instant(range.to));
    // What is new must not have been there at any time before.
    let since = if question.new { String::new() } else { format!(" AND Timestamp >= {from}") };
    let (host, machine, group) = if question.bounds.places.is_empty() {
        ("''", "''", "")
    } else {
        ("toString(Host)", "if(GuestUuid != '', toString(GuestUuid), toString(Guest))", ", host, machine")
    };
    format!(
        "SELECT Template AS template, {host} AS host, {machine} AS machine, countIf(Timestamp >= {from}) AS records, \
         uniq(Host) AS hosts, toUnixTimestamp64Nano(min(Timestamp)) AS first_ns, \
         toUnixTimestamp64Nano(max(Timestamp)) AS last_ns, max(SeverityNumber) AS severity \
         FROM logs WHERE Template != 0 AND Timestamp < {to}{since} GROUP BY template{group}"
    )
}

impl Asked<'_> {
    /// The templates of the places that are asked about, each once.
    fn seen_at(&self, question: &Messages, seen: Vec<Seen>) -> Vec<Seen> {
        let (hosts, guests) = (Interner::default(), Interner::default());
        let mut rows: Vec<Row> = (0_u64..)
            .zip(&seen)
            .map(|(id, one)| Row {
                unit: 0,
                host: hosts.number(&one.host),
                guest: guests.number(&one.machine),
                key: 0,
                start_ns: one.last_ns,
                end_ns: one.last_ns,
                id,
            })
            .collect();
        self.placement.only_at(&question.bounds.places, &mut rows, &hosts, &guests);
        let mut whole: HashMap<u64, (Seen, Vec<u32>)> = HashMap::new();
        for at in rows {
            let Some(one) = usize::try_from(at.id).ok().and_then(|id| seen.get(id)) else { continue };
            let (sum, of) = whole.entry(one.template).or_insert_with(|| {
                (
                    Seen { template: one.template, first_ns: i64::MAX, last_ns: i64::MIN, ..Seen::default() },
                    Vec::new(),
                )
            });
            sum.records += one.records;
            sum.first_ns = sum.first_ns.min(one.first_ns);
            sum.last_ns = sum.last_ns.max(one.last_ns);
            sum.severity = sum.severity.max(one.severity);
            of.push(at.host);
        }
        whole
            .into_values()
            .map(|(sum, mut of)| {
                of.sort_unstable();
                of.dedup();
                Seen { hosts: of.len() as u64, ..sum }
            })
            .collect()
    }

    /// Templates in words: each has been the last time what it is.
    async fn rows(&self, seen: &[Seen]) -> Result<Vec<MessageRow>, AskError> {
        #[derive(Deserialize)]
        struct Of {
            template: u64,
            body: String,
            program: String,
            class: String,
        }
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let of = |each: fn(&Seen) -> String| seen.iter().map(each).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT Template AS template, toValidUTF8(substring(Body, 1, {})) AS body, toString(Program) AS program, \
             toString(Class) AS class FROM logs WHERE Timestamp IN ({}) AND (Template, Timestamp) IN ({}) LIMIT 1 BY template",
            template::BODY_BYTES_MAX,
            of(|seen| instant(seen.last_ns)),
            of(|seen| format!("({}, {})", seen.template, instant(seen.last_ns))),
        );
        let found: Vec<Of> = self.store.rows(&sql).await?;
        let by_template: HashMap<u64, Of> = found.into_iter().map(|of| (of.template, of)).collect();
        let row = |seen: &Seen| {
            // Only what was removed in between is missing.
            let of = by_template.get(&seen.template)?;
            Some(MessageRow {
                message: template::text_of_record(of.body.as_bytes(), &of.program),
                records: seen.records,
                hosts: seen.hosts,
                first: seen.first_ns,
                last: seen.last_ns,
                severity: seen.severity,
                program: of.program.clone(),
                class: of.class.clone(),
                ask: format!("{{Template = {}}}", seen.template),
            })
        };
        Ok(seen.iter().filter_map(row).collect())
    }
}
