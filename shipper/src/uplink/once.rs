//! A few finished batches, without a shipper's state: whoever made them makes the same ones again after a crash.

use lastwords_record::{Batch, Host};
use tokio::sync::mpsc;

use super::{Content, Delivered, Identity, Outgoing, Report, Uplink, drive};

const OUTGOING_MAX: usize = 16;

/// Why batches were not all taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The other side will never take one.
    #[error("it was refused: {0}")]
    Rejected(String),
    /// The way broke off.
    #[error("the way to the store broke off")]
    Interrupted,
}

/// Sends batches of one shipper and epoch, in the order of their numbers, and returns when all are durable.
///
/// # Errors
/// Where one is refused for good. Passing troubles are waited out.
pub async fn send(uplink: Uplink, host: Host, batches: Vec<Batch>) -> Result<Delivered, SendError> {
    let Some(first) = batches.first() else { return Ok(Delivered::default()) };
    let next = first.header.id;
    let last = batches.last().map_or(next.sequence, |batch| batch.header.id.sequence);
    let (outgoing, taken) = mpsc::channel(OUTGOING_MAX);
    let (said, mut reports) = mpsc::channel(OUTGOING_MAX);
    let driver = tokio::spawn(drive(uplink, Identity { next, given: u64::MAX, host }, taken, said));
    let feeder = tokio::spawn(async move {
        for batch in batches {
            let one = Outgoing { id: batch.header.id, content: Content::Open(Box::new(batch)) };
            // Where nobody takes them, the reports have ended as well.
            if outgoing.send(one).await.is_err() {
                return;
            }
        }
    });
    let mut sum = Delivered::default();
    let ended = loop {
        match reports.recv().await {
            Some(Report::Acknowledged { sequence, delivered }) => {
                sum.events += delivered.events;
                sum.quarantined += delivered.quarantined;
                if sequence >= last {
                    break Ok(sum);
                }
            }
            Some(Report::Rejected { reason, .. } | Report::Refused { reason, .. }) => {
                break Err(SendError::Rejected(reason));
            }
            // Whoever made them makes the same ones under the same numbers again.
            Some(
                Report::Clock(_) | Report::Ahead { .. } | Report::SealAfter(_) | Report::Connection { .. },
            ) => {}
            None => break Err(SendError::Interrupted),
        }
    };
    feeder.abort();
    driver.abort();
    ended
}
