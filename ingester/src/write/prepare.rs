//! Opens a batch and looks for events in it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_record::{
    Batch, BatchId,
    limits::{BATCH_STORED_BYTES_MAX, RETRY_STORED_BYTES_MAX},
};
use lastwords_runtime::now_ns;

use super::{
    footprint::{self, Footprint},
    prepared::{Aside, Prepared},
};
use crate::{detect, queue::Incoming};

/// By what bounds a batch is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// It came in a stream, with others behind it.
    Stream,
    /// An operator takes it out of the quarantine: old programs knew no bounds.
    Retry,
}

/// Opens and scans a batch; whatever goes wrong, it becomes something that can be stored. The same batch gives the same
/// every time.
pub fn prepare(detector: &Detector, id: BatchId, incoming: Incoming) -> Prepared {
    prepare_within(detector, id, incoming, Bounds::Stream)
}

/// The same within other bounds.
pub fn prepare_within(detector: &Detector, id: BatchId, incoming: Incoming, bounds: Bounds) -> Prepared {
    let stored_bytes_max = match bounds {
        Bounds::Stream => BATCH_STORED_BYTES_MAX,
        Bounds::Retry => RETRY_STORED_BYTES_MAX,
    };
    let envelope = match incoming {
        Incoming::Opened(batch) => return scanned(detector, batch, None, bounds, stored_bytes_max),
        Incoming::Sealed(envelope) => envelope,
    };
    let opened = catch_unwind(AssertUnwindSafe(|| Batch::open_within(&envelope, stored_bytes_max)));
    let reason = match opened {
        Ok(Ok(batch)) => return scanned(detector, batch, Some(envelope), bounds, stored_bytes_max),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "opening it broke the program".to_owned(),
    };
    Prepared::Aside(Aside { id, envelope, reason, sealed_ns: now_ns() })
}

/// A batch on which the detector breaks would break it again and again: it is poison.
fn scanned(
    detector: &Detector,
    batch: Batch,
    envelope: Option<Bytes>,
    bounds: Bounds,
    stored_bytes_max: usize,
) -> Prepared {
    let aside = |reason: String| {
        Prepared::Aside(match envelope {
            Some(envelope) => {
                Aside { id: batch.header.id, envelope, reason, sealed_ns: batch.header.sealed_time_ns }
            }
            None => Aside::opened(&batch, reason),
        })
    };
    if bounds == Bounds::Stream
        && let Err(unfit) = footprint::check(&batch)
    {
        return aside(unfit.to_string());
    }
    let found = match catch_unwind(AssertUnwindSafe(|| detect::scan(detector, &batch))) {
        Ok(found) => found,
        Err(_) => return aside("looking for events in it broke the program".to_owned()),
    };
    match Footprint::measure(&batch, &found, stored_bytes_max) {
        Ok(footprint) => Prepared::Opened(Box::new(batch), found, footprint),
        Err(unfit) => aside(unfit.to_string()),
    }
}
