//! The queue's bounds, and what becomes of it and of those who wait where its writer breaks.

use hyper::{Method, StatusCode};
use lastwords_record::{Batch, BatchBuilder, BatchId, Clock, ShipperId};
use lastwords_runtime::Health;
use tokio::task::JoinError;

use super::*;

fn batch(sequence: u64) -> Batch {
    let id = BatchId { shipper: ShipperId([1; 16]), epoch: 1, sequence };
    BatchBuilder::new().finish(id, 1, Clock::default())
}

/// A queue with room for one batch, before a writer.
fn before<W>(writer: impl FnOnce(mpsc::UnboundedReceiver<Submitted>) -> W) -> (Direct, JoinHandle<()>)
where
    W: Future<Output = Result<(), Broken>> + Send + 'static,
{
    Direct::before(1, Arc::default(), writer)
}

/// What `/readyz` says of a process whose work is this queue.
fn readiness(direct: &Direct) -> StatusCode {
    let queue = direct.clone();
    let health = Health::new(String::new, move || queue.broken().map_or(Ok(()), |why| Err(why.to_string())));
    health.answer(&Method::GET, "/readyz").unwrap().status()
}

/// Submits a batch that the writer breaks on and one that waits for room behind it; says how the writer's task ended.
async fn break_on_a_batch(direct: Direct, writer: JoinHandle<()>, why: &str) -> Result<(), JoinError> {
    assert_eq!((direct.broken(), readiness(&direct)), (None, StatusCode::OK));
    let taken = direct.submit(Incoming::Opened(batch(1))).await.unwrap();
    let behind = direct.clone();
    let waiting = tokio::spawn(async move { behind.submit(Incoming::Opened(batch(2))).await.map(drop) });
    let ended = writer.await;
    assert_eq!(taken.await, Err(WriteError::Stopped), "its lease has ended");
    for refused in [waiting.await.unwrap(), direct.submit(Incoming::Opened(batch(3))).await.map(drop)] {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, SubmitError::Broken(found) if found.contains(why)), "{refused}");
    }
    assert!(direct.broken().is_some_and(|found| found.contains(why)), "{:?}", direct.broken());
    assert_eq!(readiness(&direct), StatusCode::SERVICE_UNAVAILABLE);
    ended
}

#[tokio::test]
async fn a_writer_that_panics_ends_all_leases_and_turns_readiness_red() {
    let (direct, writer) = before(|mut batches| async move {
        let _taken = batches.recv().await;
        panic!("as it does in this test");
    });
    assert!(break_on_a_batch(direct, writer, "the writer panicked").await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_writer_of_which_a_part_breaks_or_that_ends_by_itself_does_so_too() {
    let broken = Broken("forming a block broke".to_owned());
    let (direct, writer) = before(|mut batches| async move {
        let _taken = batches.recv().await;
        Err(broken)
    });
    break_on_a_batch(direct, writer, "forming a block broke").await.unwrap();
    let (direct, writer) = before(|mut batches| async move {
        let _taken = batches.recv().await;
        Ok(())
    });
    break_on_a_batch(direct, writer, "ended by itself").await.unwrap();
}

#[test]
fn a_writer_that_is_lost_with_its_threads_does_so_too() {
    let build =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (theirs, ours) = (build(), build());
    let (direct, _writer) = theirs.block_on(async {
        before(|batches| async move {
            let _batches = batches;
            std::future::pending().await
        })
    });
    let taken = ours.block_on(direct.submit(Incoming::Opened(batch(1)))).unwrap();
    theirs.shutdown_timeout(std::time::Duration::from_secs(60));
    assert_eq!(ours.block_on(taken), Err(WriteError::Stopped));
    let refused = ours.block_on(direct.submit(Incoming::Opened(batch(2)))).map(drop).unwrap_err();
    assert!(matches!(&refused, SubmitError::Broken(found) if found.contains("gone")), "{refused}");
    assert_eq!(readiness(&direct), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_queue_that_is_closed_is_not_broken() {
    let (direct, writer) = before(|mut batches| async move {
        while let Some(Submitted { reply, .. }) = batches.recv().await {
            let _ = reply.send(Written::default());
        }
        Ok(())
    });
    direct.submit(Incoming::Opened(batch(1))).await.unwrap().await.unwrap();
    direct.close();
    writer.await.unwrap();
    assert_eq!((direct.broken(), readiness(&direct)), (None, StatusCode::OK));
    let refused = direct.submit(Incoming::Opened(batch(2))).await.map(drop);
    assert!(matches!(refused, Err(SubmitError::Closed)), "{refused:?}");
}

#[test]
fn a_batch_that_claims_rows_beyond_measure_takes_no_more_room_than_the_largest() {
    let claims = Header { records: u32::MAX, ..batch(1).header };
    assert!(sealed_bytes(&claims, 1000) < 2 << 20, "{}", sealed_bytes(&claims, 1000));
}
