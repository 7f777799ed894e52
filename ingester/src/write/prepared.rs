//! A batch that is ready to be stored: opened and scanned, or set aside as poison.

use bytes::Bytes;
use lastwords_detect::Found;
use lastwords_record::{Batch, BatchId, Compression};

use super::{envelope::envelope_hash, footprint::Footprint, unit::Unit};

/// A batch that is ready to be stored.
#[derive(Debug)]
pub enum Prepared {
    /// Opened, scanned, and found to be within the bounds.
    Opened(Box<Batch>, Vec<Found>, Footprint),
    /// To be set aside.
    Aside(Aside),
}

impl Prepared {
    /// The batch's identity.
    pub fn id(&self) -> BatchId {
        match self {
            Prepared::Opened(batch, ..) => batch.header.id,
            Prepared::Aside(aside) => aside.id,
        }
    }

    /// What tells it from another batch under its number, as the ledger has it.
    pub(crate) fn content(&self) -> u64 {
        match self {
            Prepared::Opened(batch, ..) => batch.content_hash(),
            Prepared::Aside(aside) => envelope_hash(&aside.envelope),
        }
    }

    /// Rows of any kind.
    pub fn rows(&self) -> usize {
        match self {
            Prepared::Opened(batch, found, _) => {
                batch.records.len()
                    + batch.samples.len()
                    + batch.events.len()
                    + batch.placements.len()
                    + found.len()
            }
            Prepared::Aside(_) => 1,
        }
    }

    /// Bytes that its rows become.
    pub fn bytes(&self) -> usize {
        match self {
            Prepared::Opened(_, _, footprint) => footprint.bytes,
            Prepared::Aside(aside) => aside.envelope.len(),
        }
    }

    /// The units of its rows, without the ledger's.
    pub fn units(&self) -> &[Unit] {
        match self {
            Prepared::Opened(_, _, footprint) => &footprint.units,
            Prepared::Aside(_) => &[],
        }
    }

    /// Events in it: those that were recognised, and those that the shipper reports as ended. (It reports each twice,
    /// at its begin and at its end: only one of them counts.)
    pub fn events(&self) -> usize {
        match self {
            Prepared::Opened(batch, found, _) => {
                found.len() + batch.events.iter().filter(|event| event.end_ns.is_some()).count()
            }
            Prepared::Aside(_) => 0,
        }
    }

    /// The same on its way to the quarantine.
    pub(crate) fn set_aside(&self, reason: String) -> Prepared {
        Prepared::Aside(match self {
            Prepared::Opened(batch, ..) => Aside::opened(batch, reason),
            Prepared::Aside(aside) => aside.clone(),
        })
    }
}

/// A batch that is set aside.
#[derive(Debug, Clone)]
pub struct Aside {
    /// The batch.
    pub id: BatchId,
    /// The bytes as they came, or sealed anew where it came open; empty where it cannot even be sealed.
    pub envelope: Bytes,
    /// Why, for people.
    pub reason: String,
    /// When it was sealed, as far as known.
    pub sealed_ns: i64,
}

impl Aside {
    /// Sets a batch aside that could be opened.
    pub fn opened(batch: &Batch, reason: String) -> Aside {
        let (id, sealed_ns) = (batch.header.id, batch.header.sealed_time_ns);
        match batch.seal(Compression::DEFAULT) {
            Ok(envelope) => Aside { id, envelope, reason, sealed_ns },
            Err(error) => {
                Aside { id, envelope: Bytes::new(), reason: format!("{reason}; {error}"), sealed_ns }
            }
        }
    }
}
