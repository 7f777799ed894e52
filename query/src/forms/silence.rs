//! Answers `hosts|guests silent for D`: times in which a machine that had spoken said nothing.
//!
//! A machine speaks by its log records and its samples. Gaps between them are found in the store, by their first and
//! last instants in buckets of at most D/2: a gap of D never fits into one.

use serde::Deserialize;

use crate::{
    answer::{Range, SilenceAnswer, SilenceFigures, SilenceRow},
    context::Asked,
    error::AskError,
    event::Row,
    fetch::extent::extent,
    language::{MachineKind, Silent},
    names::Interner,
};

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

/// Answers it with all of its rows.
pub(crate) async fn answer(asked: &Asked<'_>, question: &Silent) -> Result<SilenceAnswer, AskError> {
    let now_ns = asked.now_ns;
    let bounds = &question.bounds;
    let extent = extent(asked.store).await?.unwrap_or_default();
    let known_ns = if now_ns.saturating_sub(extent.last_ns) < CURRENT_NS { now_ns } else { extent.last_ns };
    let range = Range {
        from: bounds.from_ns.unwrap_or(extent.first_ns),
        to: bounds.to_ns.unwrap_or(i64::MAX).min(known_ns),
    };
    let found: Vec<Gap> = asked.store.rows(&statement(question, range)).await?;
    let found = asked.at(question, found);
    let rows: Vec<SilenceRow> =
        found.into_iter().filter_map(|gap| silence(gap, range, question.for_ns)).collect();
    let mut silent: Vec<&str> = rows.iter().map(|row| row.machine.as_str()).collect();
    silent.sort_unstable();
    silent.dedup();
    let still = rows.iter().filter(|row| row.still).count() as u64;
    let figures = SilenceFigures { machines: silent.len() as u64, still };
    let mut header = asked.header(range);
    header.matched = rows.len() as u64;
    let columns = ["machine", "host", "from", "to", "seconds"].map(str::to_owned).to_vec();
    Ok(SilenceAnswer { header, figures, columns, rows })
}

/// A gap of a range; none where it is too short.
fn silence(gap: Gap, range: Range, for_ns: i64) -> Option<SilenceRow> {
    let still = gap.to_ns == 0;
    let to_ns = if still { range.to } else { gap.to_ns };
    let length_ns = to_ns.saturating_sub(gap.from_ns);
    #[allow(clippy::cast_precision_loss, reason = "seconds to a double's precision")]
    let seconds = length_ns as f64 / 1e9;
    let (machine, host, from) = (gap.machine, gap.host, gap.from_ns);
    (length_ns >= for_ns).then_some(SilenceRow {
        machine,
        host,
        from,
        to: (!still).then_some(to_ns),
        seconds,
        still,
    })
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
