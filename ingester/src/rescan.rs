//! Looks for events in what is stored already, with rules that were not there when it was stored.
//!
//! Records are read back batch by batch and scanned as the writer scans a batch. An event's id says where in which
//! batch which rule found it, so that those that are stored are known: only missing ones are inserted, and whoever does
//! it again, or at the same time, adds nothing. Batches that the ledger does not have are left to their writer.

use std::{collections::HashSet, sync::Arc, time::Duration};

use lastwords_detect::Detector;
use lastwords_record::{Batch, BatchBuilder, BatchId, Clock, Guest, Host, Origin, RecordRef, TimeBasis};
use lastwords_runtime::{Backoff, Pauses};
use lastwords_store::{
    InsertError, Inserting, NativeBlock, QueryError, Store,
    store::{StoredBatch, StoredRecord},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{
    detect::scan,
    write::{EventFound, FoundAgain, Table, planning_time_s},
};

/// Records that are read back at once; a batch has at most a few times as many.
const RECORDS_MAX: u64 = 100_000;
/// Batches that are asked for at once.
const BATCHES_MAX: usize = 2_000;
/// A report may have begun so long before the range, nanoseconds.
const AROUND_NS: i64 = 3_600_000_000_000;
/// An insert that fails for a passing reason is tried so many times.
const ATTEMPTS: u32 = 5;
/// Between two tries.
const PAUSES: Pauses = Pauses::between(Duration::from_secs(1), Duration::from_secs(5));

/// What to scan.
#[derive(Debug, Clone, Copy)]
pub struct Rescan {
    /// The first instant, nanoseconds UTC.
    pub from_ns: i64,
    /// The last one.
    pub to_ns: i64,
    /// Only say what would be added.
    pub dry_run: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Records scanned.
    pub records: u64,
    /// Of so many.
    pub of: u64,
    /// Events found, those that were stored already among them.
    pub found: u64,
    /// Events added.
    pub added: u64,
}

/// Why it ended early. What was added stays; to do it again adds the rest.
#[derive(Debug, Error)]
pub enum RescanError {
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] QueryError),
    /// The store does not take the events.
    #[error(transparent)]
    Insert(#[from] InsertError),
    /// Our own work was ended.
    #[error("the scan was not finished: {0}")]
    Ended(String),
}

/// Scans what is stored; `tell` hears of the events that were added and how far it is, after each piece. Where nobody
/// listens it ends.
///
/// # Errors
/// Where the store fails.
pub async fn rescan(
    store: &Store,
    detector: Arc<Detector>,
    what: Rescan,
    tell: mpsc::Sender<(Vec<EventFound>, Progress)>,
) -> Result<Progress, RescanError> {
    let around = (what.from_ns.saturating_sub(AROUND_NS), what.to_ns.saturating_add(AROUND_NS));
    let batches = store.stored_batches(around.0.max(0), around.1).await?;
    let mut progress =
        Progress { of: batches.iter().map(|batch| batch.records).sum(), ..Progress::default() };
    for piece in pieces(&batches) {
        let (added, found) = settled(store, &detector, piece, what).await?;
        progress.records += piece.iter().map(|batch| batch.records).sum::<u64>();
        progress.found += found;
        progress.added += added.len() as u64;
        if tell.send((added, progress)).await.is_err() {
            break;
        }
    }
    Ok(progress)
}

/// Scans a piece and stores what is missing; what was missing at first, and how many events there are.
async fn settled(
    store: &Store,
    detector: &Arc<Detector>,
    piece: &[StoredBatch],
    what: Rescan,
) -> Result<(Vec<EventFound>, u64), RescanError> {
    let records = Arc::new(store.stored_records(piece).await?);
    let (mut first, mut backoff) = (None, Backoff::new(PAUSES));
    for attempt in 1.. {
        let known = store.stored_event_ids(piece).await?;
        let (detector, records) = (Arc::clone(detector), Arc::clone(&records));
        let planned_s = planning_time_s(store).await;
        let scanned =
            tokio::task::spawn_blocking(move || scanned(&detector, &records, &known, what, planned_s));
        let Scanned { blocks, missing, found } =
            scanned.await.map_err(|error| RescanError::Ended(error.to_string()))?;
        let (added, _) = first.get_or_insert((missing, found));
        let inserted = if what.dry_run || added.is_empty() { Ok(()) } else { insert(store, blocks).await };
        match inserted {
            Ok(()) => break,
            Err(error @ InsertError::Refused { .. }) => return Err(error.into()),
            Err(error) if attempt == ATTEMPTS => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, attempt, "events were not stored; trying again");
                backoff.wait().await;
            }
        }
    }
    Ok(first.unwrap_or_default())
}

async fn insert(store: &Store, blocks: Vec<NativeBlock>) -> Result<(), InsertError> {
    for block in blocks {
        store.insert_native(Table::Events.name(), block, &Inserting::default()).await?;
    }
    Ok(())
}

/// Consecutive batches that are read back together.
fn pieces(batches: &[StoredBatch]) -> impl Iterator<Item = &[StoredBatch]> {
    let mut records = 0;
    let mut count = 0;
    batches.chunk_by(move |one, _| {
        records += one.records;
        count += 1;
        let goes_on = records < RECORDS_MAX && count < BATCHES_MAX;
        if !goes_on {
            (records, count) = (0, 0);
        }
        goes_on
    })
}

struct Scanned {
    /// One a day.
    blocks: Vec<NativeBlock>,
    missing: Vec<EventFound>,
    found: u64,
}

fn scanned(
    detector: &Detector,
    records: &[StoredRecord],
    known: &HashSet<u64>,
    what: Rescan,
    planned_s: u32,
) -> Scanned {
    let mut again = FoundAgain::default();
    let mut count = 0;
    let mut builder = BatchBuilder::new();
    builder.form_again(true);
    for of_batch in records.chunk_by(|one, next| one.batch == next.batch) {
        let Some(batch) = rebuilt(&mut builder, of_batch) else { continue };
        let found = scan(detector, &batch);
        count += found.len() as u64;
        again.add(&batch, &found, planned_s, |id, start_ns| {
            !known.contains(&id) && (what.from_ns..=what.to_ns).contains(&start_ns)
        });
    }
    let (blocks, missing) = again.finish();
    Scanned { blocks, missing, found: count }
}

/// The batch as far as detection looks at it. Where records are missing, since they were removed or lie outside the
/// range, empty ones keep the numbers of the others.
fn rebuilt(builder: &mut BatchBuilder, records: &[StoredRecord]) -> Option<Batch> {
    let first = records.first()?;
    let mut clock = Clock { offset_ns: None, uncertainty_ns: first.clock_uncertainty_ns };
    let mut next = 0;
    for record in records {
        let guest = (!record.guest.is_empty() || !record.guest_uuid.is_empty())
            .then(|| Guest { name: record.guest.clone(), uuid: record.guest_uuid.clone() });
        let host = Host { name: record.host.clone(), machine_id: String::new() };
        let origin = Origin { host, guest, source: record.source, attributes: Vec::new() };
        let origin = builder.origin(&origin);
        let empty = RecordRef {
            time_ns: record.time_ns,
            observed_ns: record.time_ns,
            body: b"",
            severity: 0,
            program: "",
            time_basis: TimeBasis::default(),
            attributes: &[],
        };
        while next < record.row {
            builder.push(origin, &empty).ok()?;
            next += 1;
        }
        let filled = RecordRef { body: &record.body, program: &record.program, ..empty };
        builder.push(origin, &filled).ok()?;
        next += 1;
        clock.uncertainty_ns = clock.uncertainty_ns.max(record.clock_uncertainty_ns);
    }
    let id: BatchId = first.batch;
    Some(builder.finish(id, first.time_ns, clock))
}
