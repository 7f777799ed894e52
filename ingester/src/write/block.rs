//! Forms the units of a block: columns of opened batches are copied into the store's blocks, each of which holds one
//! table's rows of one day.

use std::collections::BTreeMap;

use lastwords_detect::Found;
use lastwords_record::{Batch, BatchId, Host};
use lastwords_runtime::now_ns;
use lastwords_store::{
    NativeBlock,
    rows::{
        BatchRow, BatchesBlock, EventRow, EventsBlock, LogRow, LogsBlock, PlacementBlock, PlacementRow,
        QuarantineBlock, QuarantineRow, SampleRow, SamplesBlock, day, day_span,
    },
};

use super::{
    envelope::envelope_hash,
    events::{event_ids, found_rows, guest, shipped_id},
    footprint::{offset_ns, sample_ns, stay},
    prepared::{Aside, Prepared},
    unit::{Table, Unit},
};

/// Rows of one block while it is formed.
struct Former<L> {
    lacks: L,
    planned_s: u32,
    stored_ns: i64,
    events: BTreeMap<i64, EventsBlock>,
    samples: BTreeMap<i64, SamplesBlock>,
    placement: BTreeMap<i64, PlacementBlock>,
    logs: BTreeMap<i64, LogsBlock>,
    quarantine: QuarantineBlock,
    batches: BatchesBlock,
}

/// Forms a block's units in the order of insertion. `lacks` says whether a batch's rows of a unit have still to be
/// inserted; the same batches give the same units every time.
pub fn form<'a>(
    batches: impl Iterator<Item = &'a Prepared>,
    lacks: impl Fn(&BatchId, Unit) -> bool,
    planned_s: u32,
) -> Vec<(Unit, NativeBlock)> {
    let mut former = Former {
        lacks,
        planned_s,
        stored_ns: now_ns(),
        events: BTreeMap::new(),
        samples: BTreeMap::new(),
        placement: BTreeMap::new(),
        logs: BTreeMap::new(),
        quarantine: QuarantineBlock::new(),
        batches: BatchesBlock::new(),
    };
    for prepared in batches {
        match prepared {
            Prepared::Opened(batch, found, _) => {
                let ids = event_ids(batch, found);
                former.found(batch, found, &ids);
                former.shipped(batch);
                former.samples(batch);
                former.placements(batch);
                former.logs(batch, found);
                former.ledger(batch, found.len());
            }
            Prepared::Aside(aside) => former.aside(aside),
        }
    }
    former.units()
}

impl<L: Fn(&BatchId, Unit) -> bool> Former<L> {
    fn lacks(&self, batch: &Batch, table: Table, day: i64) -> bool {
        (self.lacks)(&batch.header.id, Unit { table, day })
    }

    /// The hot loop. Rows of one day are handled as a run, so that the block is looked up once for each run.
    fn logs(&mut self, batch: &Batch, found: &[Found]) {
        let records = &batch.records;
        let offset_ns = offset_ns(batch);
        let corrected = |time_ns: &i64| time_ns.saturating_add(offset_ns);
        // The first class of a record counts; the detector gives them in the order of records.
        let mut classes = found.iter().peekable();
        let mut start = 0;
        while let Some(first) = records.time_ns.get(start) {
            let (day, (day_begins, day_ends)) = (day(corrected(first)), day_span(corrected(first)));
            let rest = records.time_ns.get(start..).unwrap_or_default();
            let is_of_day = |time_ns: &&i64| (day_begins..=day_ends).contains(&corrected(time_ns));
            let run = rest.iter().take_while(is_of_day).count();
            let rows = start..start + run;
            start += run;
            if !self.lacks(batch, Table::Logs, day) {
                continue;
            }
            let block = self.logs.entry(day).or_default();
            for row in rows {
                let Some(time_ns) = records.time_ns.get(row) else { break };
                let number = u32::try_from(row).unwrap_or(u32::MAX);
                while classes.next_if(|found| found.record < number).is_some() {}
                let class =
                    classes.peek().filter(|found| found.record == number).map_or("", |found| &*found.class);
                let origin = records.origin.get(row).and_then(|origin| records.origins.get(*origin as usize));
                let Some(origin) = origin else { continue };
                let (guest, guest_uuid) = guest(origin.guest.as_ref());
                let program =
                    records.program.get(row).and_then(|index| batch.dictionary.get(*index as usize));
                let program = program.map_or("", String::as_str);
                let body = records.body(row);
                block.push(LogRow {
                    timestamp_ns: corrected(time_ns),
                    clock_offset_ns: offset_ns,
                    clock_uncertainty_ns: batch.header.clock.uncertainty_ns,
                    observed_ns: records.observed_ns.get(row).copied().unwrap_or(*time_ns),
                    severity: records.severity.get(row).copied().unwrap_or(0),
                    body,
                    resource_attributes: &origin.attributes,
                    log_attributes: records.attributes(row, &batch.dictionary),
                    host: &origin.host.name,
                    guest,
                    guest_uuid,
                    source: origin.source.as_str(),
                    program,
                    class,
                    template: lastwords_detect::template::of_record(body, program),
                    time_basis: records.time_basis.get(row).copied().unwrap_or(0),
                    batch: batch.header.id,
                    row: number,
                    planned_s: self.planned_s,
                });
            }
        }
    }

    fn found(&mut self, batch: &Batch, found: &[Found], ids: &[u64]) {
        for row in found_rows(batch, found, ids, self.planned_s) {
            if self.lacks(batch, Table::Events, day(row.start_ns)) {
                self.events.entry(day(row.start_ns)).or_default().push(&row);
            }
        }
    }

    fn shipped(&mut self, batch: &Batch) {
        for (row, event) in (0u32..).zip(&batch.events) {
            let (start_ns, end_ns) = stay(batch, event.start_ns, event.end_ns);
            if !self.lacks(batch, Table::Events, day(start_ns)) {
                continue;
            }
            let (guest, guest_uuid) = guest(event.guest.as_ref());
            self.events.entry(day(start_ns)).or_default().push(&EventRow {
                id: shipped_id(event),
                version: version(batch, event.end_ns),
                class: &event.class,
                start_ns,
                end_ns,
                host: &event.host.name,
                guest,
                guest_uuid,
                title: &event.title,
                function: "",
                fingerprint: 0,
                severity: event.severity.as_str(),
                cause: 0,
                attributes: &event.attributes,
                clock_uncertainty_ns: batch.header.clock.uncertainty_ns,
                rule: "",
                batch: batch.header.id,
                row,
                line_start: 0,
                line_end: 0,
                planned_s: self.planned_s,
            });
        }
    }

    fn samples(&mut self, batch: &Batch) {
        for (row, sample) in (0u32..).zip(&batch.samples) {
            let timestamp_ns = sample_ns(batch, sample);
            if !self.lacks(batch, Table::Samples, day(timestamp_ns)) {
                continue;
            }
            let (guest, guest_uuid) = guest(sample.guest.as_ref());
            self.samples.entry(day(timestamp_ns)).or_default().push(&SampleRow {
                timestamp_ns,
                interval_ms: sample.interval_ms,
                host: &sample.host.name,
                guest,
                guest_uuid,
                metric: &sample.metric,
                device: &sample.device,
                direction: &sample.direction,
                minimum: sample.minimum,
                mean: sample.mean,
                maximum: sample.maximum,
                observed_ns: batch.header.sealed_time_ns,
                batch: batch.header.id,
                row,
                planned_s: self.planned_s,
            });
        }
    }

    fn placements(&mut self, batch: &Batch) {
        for (row, placement) in (0u32..).zip(&batch.placements) {
            let (start_ns, end_ns) = stay(batch, placement.start_ns, placement.end_ns);
            if !self.lacks(batch, Table::Placement, day(start_ns)) {
                continue;
            }
            self.placement.entry(day(start_ns)).or_default().push(&PlacementRow {
                host: &placement.host.name,
                guest: &placement.guest.name,
                guest_uuid: &placement.guest.uuid,
                start_ns,
                end_ns,
                attributes: &placement.attributes,
                version: version(batch, placement.end_ns),
                batch: batch.header.id,
                row,
                planned_s: self.planned_s,
            });
        }
    }

    fn ledger(&mut self, batch: &Batch, found: usize) {
        let header = &batch.header;
        self.batches.push(&BatchRow {
            batch: header.id,
            records: count(batch.records.len()),
            samples: count(batch.samples.len()),
            events: count(batch.events.len() + found),
            placements: count(batch.placements.len()),
            // A batch that came open was never encoded: its text is what is known of its size.
            bytes: u64::from(header.body_bytes).max(batch.records.text.len() as u64),
            hosts: &host_names(&header.hosts),
            quarantined: "",
            content: batch.content_hash(),
            sealed_ns: header.sealed_time_ns,
            stored_ns: self.stored_ns,
            planned_s: self.planned_s,
        });
    }

    fn aside(&mut self, aside: &Aside) {
        if (self.lacks)(&aside.id, Unit { table: Table::Quarantine, day: 0 }) {
            self.quarantine.push(&QuarantineRow {
                batch: aside.id,
                reason: &aside.reason,
                envelope: &aside.envelope,
                time_ns: self.stored_ns,
                planned_s: self.planned_s,
            });
        }
        self.batches.push(&BatchRow {
            batch: aside.id,
            records: 0,
            samples: 0,
            events: 0,
            placements: 0,
            bytes: aside.envelope.len() as u64,
            hosts: "",
            quarantined: &aside.reason,
            content: envelope_hash(&aside.envelope),
            sealed_ns: aside.sealed_ns,
            stored_ns: self.stored_ns,
            planned_s: self.planned_s,
        });
    }

    fn units(self) -> Vec<(Unit, NativeBlock)> {
        let mut units = Vec::new();
        let mut add = |table, day, block: NativeBlock| {
            if block.rows > 0 {
                units.push((Unit { table, day }, block));
            }
        };
        self.events.into_iter().for_each(|(day, block)| add(Table::Events, day, block.encode()));
        self.samples.into_iter().for_each(|(day, block)| add(Table::Samples, day, block.encode()));
        self.placement.into_iter().for_each(|(day, block)| add(Table::Placement, day, block.encode()));
        self.logs.into_iter().for_each(|(day, block)| add(Table::Logs, day, block.encode()));
        add(Table::Quarantine, 0, self.quarantine.encode());
        add(Table::Batches, 0, self.batches.encode());
        units
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Names of hosts, a line each, as the ledger has them.
pub(crate) fn host_names(hosts: &[Host]) -> String {
    hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join("\n")
}

/// A version with an end is above every one without; among equals the one that was sealed later counts.
fn version(batch: &Batch, end_ns: Option<i64>) -> u64 {
    const ENDED: u64 = 1 << 63;
    let sealed = u64::try_from(batch.header.sealed_time_ns).unwrap_or(0);
    if end_ns.is_some() { ENDED | sealed } else { sealed }
}
