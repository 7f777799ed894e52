//! The uplink of one content, as a blocking loop uses it.

use lastwords_record::{BatchId, Host};
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

use super::{ImportError, Imported};
use crate::{
    shipper::Outbox,
    uplink::{self, Identity, Outgoing, Report, Uplink},
};

const OUTGOING_MAX: usize = 64;
/// Bytes of batches that are not acknowledged. The store writes faster in large blocks.
const WINDOW_BYTES: u64 = 96 << 20;
const SYNC_TOGETHER: usize = 8;

pub(super) struct Link<'a> {
    handle: &'a Handle,
    outgoing: mpsc::Sender<Outgoing>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<()>,
    rejected: Option<(u64, u64, String)>,
}

impl<'a> Link<'a> {
    pub(super) fn open(uplink: Uplink, next: BatchId, host: Host, handle: &'a Handle) -> Link<'a> {
        let (outgoing, taken) = mpsc::channel(OUTGOING_MAX);
        let (said, reports) = mpsc::channel(OUTGOING_MAX);
        let task = handle.spawn(uplink::drive(uplink, Identity { next, given: u64::MAX, host }, taken, said));
        Link { handle, outgoing, reports, task, rejected: None }
    }

    /// Makes durable and sends what is worth it, and takes in reports; waits while the window is full.
    pub(super) fn turn(&mut self, outbox: &mut Outbox, added: &mut Imported) -> Result<(), ImportError> {
        while let Ok(report) = self.reports.try_recv() {
            self.take_in(report, outbox, added)?;
        }
        if outbox.unsynced() >= SYNC_TOGETHER {
            self.flush(outbox, added)?;
        }
        while outbox.in_flight_bytes() > WINDOW_BYTES {
            self.flush(outbox, added)?;
            self.wait(outbox, added)?;
        }
        Ok(())
    }

    /// Makes everything durable and sends it.
    pub(super) fn flush(&mut self, outbox: &mut Outbox, added: &mut Imported) -> Result<(), ImportError> {
        outbox.sync()?;
        while let Some(batch) = outbox.take_ready() {
            let mut batch = Some(batch);
            while let Some(outgoing) = batch.take() {
                match self.outgoing.try_send(outgoing) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Full(back)) => {
                        batch = Some(back);
                        self.wait(outbox, added)?;
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => return Err(ImportError::Interrupted),
                }
            }
        }
        Ok(())
    }

    /// Sends the rest and waits until all is acknowledged.
    pub(super) fn finish(mut self, outbox: &mut Outbox, added: &mut Imported) -> Result<(), ImportError> {
        self.flush(outbox, added)?;
        while outbox.in_flight() > 0 {
            self.wait(outbox, added)?;
        }
        match self.rejected.take() {
            Some((batches, records, reason)) => Err(ImportError::Rejected { batches, records, reason }),
            None => Ok(()),
        }
    }

    fn wait(&mut self, outbox: &mut Outbox, added: &mut Imported) -> Result<(), ImportError> {
        let report = self.handle.block_on(self.reports.recv()).ok_or(ImportError::Interrupted)?;
        self.take_in(report, outbox, added)
    }

    fn take_in(
        &mut self,
        report: Report,
        outbox: &mut Outbox,
        added: &mut Imported,
    ) -> Result<(), ImportError> {
        match report {
            Report::Acknowledged { sequence, delivered } => {
                outbox.acknowledged(sequence)?;
                added.events += delivered.events;
                added.quarantined += delivered.quarantined;
            }
            Report::Rejected { sequence, reason } | Report::Refused { sequence, reason } => {
                if let Some(batch) = outbox.rejected(sequence)? {
                    let (batches, records, _) = self.rejected.get_or_insert((0, 0, reason));
                    *batches += 1;
                    *records += batch.records;
                }
            }
            // What is imported again gets the same numbers for the same content.
            Report::Clock(_) | Report::Ahead { .. } | Report::SealAfter(_) | Report::Connection { .. } => {}
        }
        Ok(())
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
