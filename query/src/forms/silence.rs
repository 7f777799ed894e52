//! Answers `hosts|guests silent for D`: times in which a machine that had spoken said nothing.
//!
//! A machine speaks by its log records and its samples. Gaps between them are found in the store, by their first and
//! last instants in buckets of at most D/2: a gap of D never fits into one.

use serde::{Deserialize, Serialize};

use crate::{
    answer::{Listing, Range, rfc3339, row},
    context::Asked,
    error::AskError,
    event::Row,
    fetch::extent::extent,
    language::{MachineKind, Silent},
    names::Interner,
    words::numbers::{duration, grouped},
};

/// Rows listed unless told otherwise.
const ROWS: usize = 100;
/// Where anything was observed within this time of now, silence lasts until now; else until the last observation, since
/// then nothing is collected any more and all are silent alike.
const CURRENT_NS: i64 = 3_600_000_000_000;

#[derive(Debug, Deserialize)]
struct Gap {
    machine: String,
    host: String,
    from_ns: i64,
    /// 0 while it lasts.
    to_ns: i64,
}

#[derive(Debug, Serialize)]
struct Line {
    machine: String,
    host: String,
    from: String,
    to: Option<String>,
    seconds: f64,
    still: bool,
}

pub(crate) async fn answer(asked: &Asked<'_>, question: Silent) -> Result<Listing, AskError> {
    let now_ns = asked.now_ns;
    let bounds = &question.bounds;
    let extent = extent(asked.store).await?.unwrap_or_default();
    let known_ns = if now_ns.saturating_sub(extent.last_ns) < CURRENT_NS { now_ns } else { extent.last_ns };
    let range = Range {
        from: bounds.from_ns.unwrap_or(extent.first_ns),
        to: bounds.to_ns.unwrap_or(i64::MAX).min(known_ns),
    };
    let found: Vec<Gap> = asked.store.rows(&statement(&question, range)).await?;
    let found = asked.at(&question, found);
    let lines: Vec<Line> = found
        .into_iter()
        .filter_map(|gap| {
            let still = gap.to_ns == 0;
            let to_ns = if still { range.to } else { gap.to_ns };
            let length_ns = to_ns.saturating_sub(gap.from_ns);
            #[allow(clippy::cast_precision_loss, reason = "seconds to a double's precision")]
            let seconds = length_ns as f64 / 1e9;
            (length_ns >= question.for_ns).then(|| Line {
                machine: gap.machine,
                host: gap.host,
                from: rfc3339(gap.from_ns),
                to: (!still).then(|| rfc3339(to_ns)),
                seconds,
                still,
            })
        })
        .collect();
    Ok(told(asked, &question, range, &lines))
}

impl Asked<'_> {
    /// Gaps at the places that are asked about.
    fn at(&self, question: &Silent, gaps: Vec<Gap>) -> Vec<Gap> {
        let (hosts, guests) = (Interner::default(), Interner::default());
        let mut rows: Vec<Row> = (0_u64..)
            .zip(&gaps)
            .map(|(id, gap)| Row {
                unit: 0,
                host: hosts.number(&gap.host),
                guest: guests.number(&gap.machine),
                key: 0,
                start_ns: gap.from_ns,
                end_ns: gap.to_ns,
                id,
            })
            .collect();
        self.placement.only_at(&question.bounds.places, &mut rows, &hosts, &guests);
        let kept: std::collections::HashSet<u64> = rows.iter().map(|row| row.id).collect();
        (0_u64..).zip(gaps).filter(|(id, _)| kept.contains(id)).map(|(_, gap)| gap).collect()
    }
}

fn statement(question: &Silent, range: Range) -> String {
    let (machine, which) = match question.machines {
        MachineKind::Hosts => ("toString(Host)", "Host != ''"),
        MachineKind::Guests => (
            "if(GuestUuid != '', toString(GuestUuid), concat(Host, '/', Guest))",
            "(Guest != '' OR GuestUuid != '')",
        ),
    };
    let bucket_ns = (question.for_ns / 2).max(1);
    let instant = |time_ns: i64| format!("fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')");
    // What was said before the range tells since when a machine is silent in it.
    let spoken = |table: &str| {
        format!(
            "SELECT {machine} AS machine, greatest(intDiv(toUnixTimestamp64Nano(Timestamp), {bucket_ns}), \
             intDiv(toInt64({from}), {bucket_ns}) - 1) AS bucket, anyLast(toString(Host)) AS host, \
             min(toUnixTimestamp64Nano(Timestamp)) AS first, max(toUnixTimestamp64Nano(Timestamp)) AS last \
             FROM {table} WHERE {which} AND Timestamp < {to} GROUP BY machine, bucket",
            from = range.from,
            to = instant(range.to),
        )
    };
    format!(
        "WITH spoken AS (SELECT machine, bucket, anyLast(host) AS host, min(first) AS first, max(last) AS last FROM \
         ({} UNION ALL {}) GROUP BY machine, bucket), \
         gaps AS (SELECT machine, host, last AS from_ns, leadInFrame(first) OVER (PARTITION BY machine ORDER BY bucket \
         ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS to_ns FROM spoken) \
         SELECT machine, host, from_ns, to_ns FROM gaps WHERE to_ns = 0 OR \
         (to_ns - from_ns >= {for_ns} AND to_ns > {from}) ORDER BY from_ns, machine",
        spoken("logs"),
        spoken("samples"),
        for_ns = question.for_ns,
        from = range.from,
    )
}

fn told(asked: &Asked<'_>, question: &Silent, range: Range, lines: &[Line]) -> Listing {
    let machines = match question.machines {
        MachineKind::Hosts => "host",
        MachineKind::Guests => "guest",
    };
    let mut silent: Vec<&str> = lines.iter().map(|line| line.machine.as_str()).collect();
    silent.sort_unstable();
    silent.dedup();
    let still = lines.iter().filter(|line| line.still).count();
    let many = |count: usize, word: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{} {word}{s}", grouped(count as u64))
    };
    let length = duration(question.for_ns);
    let sentence = if lines.is_empty() {
        format!("No {machines} was silent for {length} in this range.")
    } else {
        let now = match still {
            0 => "none of them still is".to_owned(),
            1 => "1 of them still is".to_owned(),
            many => format!("{} of them still are", grouped(many as u64)),
        };
        format!(
            "{} said nothing for {length} or longer, {}; {now}.",
            many(silent.len(), machines),
            match lines.len() {
                1 => "once".to_owned(),
                times => many(times, "time"),
            }
        )
    };
    let limit = asked.options.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(ROWS);
    Listing {
        question: asked.text.to_owned(),
        range,
        time_zone: asked.options.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        matched: lines.len() as u64,
        sentence,
        notes: Vec::new(),
        figures: row(serde_json::json!({ "machines": silent.len(), "still": still })),
        columns: vec!["machine", "host", "from", "to", "seconds"],
        truncated: lines.len() > limit,
        rows: lines.iter().take(limit).map(row).collect(),
    }
}
