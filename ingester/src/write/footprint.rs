//! What a batch will be in the store: its units and its bytes; and whether that is within the bounds. Pure, and the same
//! for the same batch every time: a plan that is taken up by another process forms the same units again.

use lastwords_detect::Found;
use lastwords_record::{
    Batch, Sample, TimeBasis,
    batch::Days,
    limits::{AHEAD_NS_MAX, BATCH_DAYS_MAX},
};
use lastwords_store::rows::{day, day_span};
use thiserror::Error;

use super::unit::{Table, Unit};

/// Bytes that an event takes in the store beside its texts.
const EVENT_BYTES: usize = 256;
const ATTRIBUTE_BYTES: usize = 16;

/// What a batch will be in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Tables and days of its rows, without the ledger; each once.
    pub units: Vec<Unit>,
    /// Bytes that its rows become, recognised events included.
    pub bytes: usize,
}

/// Why a batch is set aside although it opens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Each is an insert of its own.
    #[error(
        "its rows are of more than {max} days: programs up to 0.1 made such batches of old files; \
         `lastwords quarantine retry` stores it"
    )]
    Days {
        /// The limit.
        max: usize,
    },
    /// Its shipper's clock cannot have said so.
    #[error(
        "it has {what} of {ahead_s} s after it was sealed, at most {max_s} s may be; \
         mend that machine's clock, then `lastwords quarantine retry` stores it"
    )]
    Ahead {
        /// What.
        what: &'static str,
        /// How long after.
        ahead_s: i64,
        /// The limit.
        max_s: i64,
    },
    /// With what was recognised in it.
    #[error("its rows and the events recognised in it would become {found} bytes, at most {max} are stored")]
    Grows {
        /// What they would.
        found: usize,
        /// The limit.
        max: usize,
    },
}

/// Corrected minus written time.
pub(super) fn offset_ns(batch: &Batch) -> i64 {
    batch.header.clock.offset_ns.unwrap_or(0)
}

/// Corrected start of a sample: a batch has the end of the interval, the store its start.
pub(super) fn sample_ns(batch: &Batch, sample: &Sample) -> i64 {
    sample.begins_ns().saturating_add(offset_ns(batch))
}

/// Corrected start and end of something whose end is told by a later batch. The start is part of what one version
/// replaces the other by, and the clock's offset is measured anew all the time; so here it counts in whole seconds.
pub(super) fn stay(batch: &Batch, start_ns: i64, end_ns: Option<i64>) -> (i64, Option<i64>) {
    const SECOND_NS: i64 = 1_000_000_000;
    let whole =
        offset_ns(batch).saturating_add(SECOND_NS / 2).div_euclid(SECOND_NS).saturating_mul(SECOND_NS);
    let start = start_ns.saturating_add(whole);
    (start, end_ns.map(|end_ns| end_ns.saturating_add(whole).max(start)))
}

/// Whether a batch's days and times are within the bounds of a stream.
///
/// # Errors
/// Where it has to be set aside.
pub(super) fn check(batch: &Batch) -> Result<(), Unfit> {
    check_days(batch)?;
    check_times(batch)
}

fn check_days(batch: &Batch) -> Result<(), Unfit> {
    let offset_ns = offset_ns(batch);
    let mut left = BATCH_DAYS_MAX;
    let mut take = |times: &mut dyn Iterator<Item = i64>| {
        let mut days = Days::default();
        for time_ns in times {
            days.add(time_ns);
            // Not one more is looked at: they are searched one by one.
            if days.len() > left {
                return Err(Unfit::Days { max: BATCH_DAYS_MAX });
            }
        }
        left -= days.len();
        Ok(())
    };
    take(&mut batch.records.time_ns.iter().map(|time_ns| time_ns.saturating_add(offset_ns)))?;
    take(&mut batch.samples.iter().map(|sample| sample_ns(batch, sample)))?;
    take(&mut batch.events.iter().map(|event| stay(batch, event.start_ns, None).0))?;
    take(&mut batch.placements.iter().map(|placement| stay(batch, placement.start_ns, None).0))
}

/// What a shipper has seen by its own clock, it has seen before it sealed the batch.
fn check_times(batch: &Batch) -> Result<(), Unfit> {
    let sealed_ns = batch.header.sealed_time_ns;
    let latest_ns = sealed_ns.saturating_add(AHEAD_NS_MAX);
    let records = &batch.records;
    let unwritten = |(row, time_ns): (usize, &i64)| {
        (*time_ns > latest_ns && records.time_basis(row) == TimeBasis::Observed).then_some(*time_ns)
    };
    let later = |time_ns: &i64| *time_ns > latest_ns;
    let ends = batch.events.iter().map(|event| event.end_ns.unwrap_or(event.start_ns).max(event.start_ns));
    let found = [
        ("a record that was read", records.observed_ns.iter().copied().find(later)),
        ("a record without a time of its own", records.time_ns.iter().enumerate().find_map(unwritten)),
        ("a sample", batch.samples.iter().map(|sample| sample.time_ns).find(later)),
        ("an event", ends.into_iter().find(later)),
    ];
    for (what, time_ns) in found {
        if let Some(time_ns) = time_ns {
            let ahead_s = time_ns.saturating_sub(sealed_ns) / 1_000_000_000;
            return Err(Unfit::Ahead { what, ahead_s, max_s: AHEAD_NS_MAX / 1_000_000_000 });
        }
    }
    Ok(())
}

impl Footprint {
    /// What a batch will be, with the events that were recognised in it.
    ///
    /// # Errors
    /// Where it becomes more than a batch may.
    pub(super) fn measure(batch: &Batch, found: &[Found], bytes_max: usize) -> Result<Footprint, Unfit> {
        let bytes = found.iter().map(found_bytes).fold(batch.stored_bytes(), usize::saturating_add);
        if bytes > bytes_max {
            return Err(Unfit::Grows { found: bytes, max: bytes_max });
        }
        let mut units = Vec::new();
        let mut add = |table, day| {
            let unit = Unit { table, day };
            if !units.contains(&unit) {
                units.push(unit);
            }
        };
        let offset_ns = offset_ns(batch);
        let mut run = None;
        for time_ns in &batch.records.time_ns {
            let time_ns = time_ns.saturating_add(offset_ns);
            if !run.is_some_and(|(first, last)| first <= time_ns && time_ns <= last) {
                run = Some(day_span(time_ns));
                add(Table::Logs, day(time_ns));
            }
        }
        for event in found {
            if let Some(time_ns) = batch.records.time_ns.get(event.record as usize) {
                add(Table::Events, day(time_ns.saturating_add(offset_ns)));
            }
        }
        batch.samples.iter().for_each(|sample| add(Table::Samples, day(sample_ns(batch, sample))));
        for event in &batch.events {
            add(Table::Events, day(stay(batch, event.start_ns, None).0));
        }
        for placement in &batch.placements {
            add(Table::Placement, day(stay(batch, placement.start_ns, None).0));
        }
        Ok(Footprint { units, bytes })
    }
}

fn found_bytes(found: &Found) -> usize {
    let attributes = found.attributes.iter().map(|(key, value)| ATTRIBUTE_BYTES + key.len() + value.len());
    EVENT_BYTES
        + found.class.len()
        + found.title.len()
        + found.function.as_ref().map_or(0, String::len)
        + found.rule.len()
        + attributes.sum::<usize>()
}

#[cfg(test)]
mod tests;
