//! Answers `hosts|guests silent for D`: times in which a machine that had spoken said nothing.
//!
//! A machine speaks by its log records and its samples.

use lastwords_store::select::{Gap, Machines, read_gaps};

use crate::{
    answer::{Range, SilenceAnswer, SilenceFigures, SilenceRow},
    context::Asked,
    error::AskError,
    event::Row,
    fetch::extent::fetch_extent,
    language::{MachineKind, Silent},
    names::Interner,
};

/// Where anything was observed within this time of now, silence lasts until now; else until the last observation, since
/// then nothing is collected any more and all are silent alike.
const CURRENT_NS: i64 = 3_600_000_000_000;

/// Answers it with all of its rows.
pub(crate) async fn answer(asked: &Asked<'_>, question: &Silent) -> Result<SilenceAnswer, AskError> {
    let now_ns = asked.now_ns;
    let bounds = &question.bounds;
    let extent = fetch_extent(asked.store).await?.unwrap_or_default();
    let known_ns = if now_ns.saturating_sub(extent.last_ns) < CURRENT_NS { now_ns } else { extent.last_ns };
    let range = Range {
        from: bounds.from_ns.unwrap_or(extent.first_ns),
        to: bounds.to_ns.unwrap_or(i64::MAX).min(known_ns),
    };
    let which = match question.machines {
        MachineKind::Hosts => Machines::Hosts,
        MachineKind::Guests => Machines::Guests,
    };
    let found = read_gaps(asked.store, which, question.for_ns, (range.from, range.to)).await?;
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
