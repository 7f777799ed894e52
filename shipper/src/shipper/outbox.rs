//! Batches between the plan and the uplink: planned, durable, sent, acknowledged.

use std::{collections::VecDeque, path::Path};

use bytes::Bytes;
use lastwords_record::{Batch, BatchId, Clock, Compression, Host, SealError, ShipperId};

use crate::{
    plan::{Entry, Open, Plan, PlanError, Planned, Remembered},
    source::Stop,
    uplink::{Content, Outgoing},
};

/// Why a batch cannot go out.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It cannot be sealed.
    #[error("a batch cannot be sealed: {0}")]
    Seal(#[from] SealError),
}

/// Holds the plan, and what waits because of it.
#[derive(Debug)]
pub struct Outbox {
    plan: Plan,
    /// None: batches stay columns (the uplink is this process).
    sealing: Option<Compression>,
    /// Planned, not yet durable, or to be sent behind what is not.
    unsynced: Vec<Outgoing>,
    dirty: bool,
    /// Durable, to be sent.
    ready: VecDeque<Outgoing>,
    /// Number, bytes and records of what is neither acknowledged nor rejected.
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: u64,
}

/// A batch that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// Its number.
    pub sequence: u64,
    /// Bytes that it holds here.
    pub bytes: u64,
    /// Its records.
    pub records: u64,
}

impl Outbox {
    /// Opens the plan in a folder.
    ///
    /// # Errors
    /// As [`Plan::open`].
    pub fn open(
        folder: &Path,
        shipper: ShipperId,
        epoch: u64,
        sealing: Option<Compression>,
    ) -> Result<Outbox, PlanError> {
        Ok(Outbox {
            plan: Plan::open(folder, shipper, epoch)?,
            sealing,
            unsynced: Vec::new(),
            dirty: false,
            ready: VecDeque::new(),
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
        })
    }

    /// Says that the epoch belongs to this machine and this folder, as [`Plan::settle_in`].
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn settle_in(&mut self) -> Result<(), PlanError> {
        self.plan.settle_in()
    }

    /// Goes on under a host's new name, as [`Plan::follow_name`].
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn follow_name(&mut self, host: &Host, epoch: u64) -> Result<(), PlanError> {
        self.plan.follow_name(host, epoch)
    }

    /// A full disk is waited for, as [`Plan::wait_for_room`].
    pub fn wait_for_room(&mut self, giving_up: Stop) {
        self.plan.wait_for_room(giving_up);
    }

    /// No new batch gets a number of this epoch.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end_epoch(&mut self, why: &str) -> Result<(), PlanError> {
        if self.memory().epoch_over.is_some() {
            return Ok(());
        }
        self.remember(Entry::EpochOver { why: why.to_owned() })
    }

    /// Begins a new epoch. What was refused or is under way is to be formed and sent again.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<(), PlanError> {
        self.plan.begin_epoch(epoch)?;
        self.unsynced.clear();
        self.ready.clear();
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        Ok(())
    }

    /// The other side holds another content under a number: the batch waits for a new epoch.
    ///
    /// # Errors
    /// Where it cannot be written down.
    pub fn refused(&mut self, sequence: u64) -> Result<Option<InFlight>, PlanError> {
        self.leave(sequence, Entry::Refused { sequence })
    }

    /// What the plan remembers.
    pub fn memory(&self) -> &Remembered {
        self.plan.memory()
    }

    /// What was wrong with the plan that was found.
    pub fn damage(&self) -> Option<&str> {
        self.plan.damage()
    }

    /// The identity of the next batch.
    pub fn next_id(&self) -> BatchId {
        self.memory().batch_id(self.memory().next_sequence)
    }

    /// The first number that goes out: of the oldest batch under way, else of the next.
    pub fn first_id(&self) -> BatchId {
        let first =
            self.memory().open.front().map_or(self.memory().next_sequence, |open| open.planned.sequence);
        self.memory().batch_id(first)
    }

    /// The plan entry of the next batch, without what it is made of.
    pub fn planned(&self, now_ns: i64, clock: Clock) -> Planned {
        Planned {
            sequence: self.memory().next_sequence,
            sealed_time_ns: now_ns,
            clock_offset_ns: clock.offset_ns,
            clock_uncertainty_ns: clock.uncertainty_ns,
            sealed: false,
            unfinished: false,
            cursors: Vec::new(),
            voices: Vec::new(),
            extents: Vec::new(),
        }
    }

    /// Bytes of batches that are not acknowledged.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    /// Batches that are not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// How many batches are planned and not yet durable.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Remembers something beside batches.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn remember(&mut self, entry: Entry) -> Result<(), PlanError> {
        self.dirty = true;
        self.plan.append(entry, Bytes::new())
    }

    /// Plans a batch that its extents give again.
    ///
    /// # Errors
    /// Where it cannot be sealed or written down.
    pub fn plan(&mut self, planned: Planned, batch: Batch) -> Result<(), OutboxError> {
        let outgoing = self.outgoing(batch)?;
        self.plan.append(Entry::Batch(planned), Bytes::new())?;
        self.unsynced.push(outgoing);
        Ok(())
    }

    /// Plans a batch that nothing gives again: its bytes are written down with it.
    ///
    /// # Errors
    /// Where it cannot be sealed or written down.
    pub fn plan_sealed(&mut self, planned: Planned, batch: &Batch) -> Result<(), OutboxError> {
        let envelope = batch.seal(self.sealing.unwrap_or(Compression::DEFAULT))?;
        let (id, records) = (batch.header.id, u64::from(batch.header.records));
        self.count(id.sequence, envelope.len() as u64, records);
        self.plan.append(Entry::Batch(Planned { sealed: true, ..planned }), envelope.clone())?;
        self.unsynced.push(Outgoing { id, content: Content::Sealed(envelope) });
        Ok(())
    }

    /// Keeps the bytes of a batch under way: what it was made of cannot be read again for much longer.
    ///
    /// # Errors
    /// Where it cannot be sealed or written down.
    pub fn keep_sealed(&mut self, planned: &Planned, batch: &Batch) -> Result<(), OutboxError> {
        let envelope = batch.seal(self.sealing.unwrap_or(Compression::DEFAULT))?;
        let planned = Planned { sealed: true, ..planned.clone() };
        self.dirty = true;
        self.plan.append(Entry::Batch(planned), envelope)?;
        Ok(())
    }

    /// Sends a batch again whose bytes the plan holds.
    pub fn resend_sealed(&mut self, open: &Open) {
        let id = self.memory().batch_id(open.planned.sequence);
        self.count(id.sequence, open.envelope.len() as u64, 0);
        self.unsynced.push(Outgoing { id, content: Content::Sealed(open.envelope.clone()) });
    }

    /// Sends a batch again that was formed again.
    ///
    /// # Errors
    /// Where it cannot be sealed.
    pub fn resend(&mut self, batch: Batch) -> Result<(), OutboxError> {
        let outgoing = self.outgoing(batch)?;
        self.unsynced.push(outgoing);
        Ok(())
    }

    fn outgoing(&mut self, batch: Batch) -> Result<Outgoing, OutboxError> {
        let (id, records) = (batch.header.id, u64::from(batch.header.records));
        let bytes = batch.records.text.len() as u64 + records * 32;
        let (content, bytes) = match self.sealing {
            None => (Content::Open(Box::new(batch)), bytes),
            Some(compression) => {
                let envelope = batch.seal(compression)?;
                let bytes = envelope.len() as u64;
                (Content::Sealed(envelope), bytes)
            }
        };
        self.count(id.sequence, bytes, records);
        Ok(Outgoing { id, content })
    }

    fn count(&mut self, sequence: u64, bytes: u64, records: u64) {
        self.in_flight.push_back(InFlight { sequence, bytes, records });
        self.in_flight_bytes += bytes;
    }

    /// Makes what was planned durable: only then it may be sent.
    ///
    /// # Errors
    /// Where the disk does not.
    pub fn sync(&mut self) -> Result<(), PlanError> {
        if self.unsynced.is_empty() && !self.dirty {
            return Ok(());
        }
        self.plan.sync()?;
        self.dirty = false;
        self.ready.extend(self.unsynced.drain(..));
        Ok(())
    }

    /// The next batch to send.
    pub fn take_ready(&mut self) -> Option<Outgoing> {
        self.ready.pop_front()
    }

    /// Gives a batch back that the uplink has no room for: it is the next one.
    pub fn put_back(&mut self, batch: Outgoing) {
        self.ready.push_front(batch);
    }

    /// Whether a batch waits for room on its way to the uplink.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// This batch and all before it are durable on the other side. Not synced: forgotten, it is sent again, and
    /// known there.
    ///
    /// # Errors
    /// Where it cannot be written down.
    pub fn acknowledged(&mut self, through: u64) -> Result<(), PlanError> {
        self.plan.append(Entry::Acknowledged { through }, Bytes::new())?;
        while let Some(done) = self.in_flight.pop_front_if(|batch| batch.sequence <= through) {
            self.in_flight_bytes -= done.bytes;
        }
        Ok(())
    }

    /// The batch of a number that is under way.
    pub fn find(&self, sequence: u64) -> Option<InFlight> {
        self.in_flight.iter().find(|batch| batch.sequence == sequence).copied()
    }

    /// This batch will never be taken.
    ///
    /// # Errors
    /// Where it cannot be written down.
    pub fn rejected(&mut self, sequence: u64) -> Result<Option<InFlight>, PlanError> {
        self.leave(sequence, Entry::Rejected { sequence })
    }

    fn leave(&mut self, sequence: u64, entry: Entry) -> Result<Option<InFlight>, PlanError> {
        let Some(place) = self.in_flight.iter().position(|batch| batch.sequence == sequence) else {
            return Ok(None);
        };
        self.plan.append(entry, Bytes::new())?;
        self.dirty = true;
        let batch = self.in_flight.remove(place);
        self.in_flight_bytes -= batch.map_or(0, |batch| batch.bytes);
        Ok(batch)
    }
}
