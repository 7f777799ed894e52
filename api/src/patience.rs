//! Rows for readers that may stop reading: what is asked of the store for them must not be held up for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc::{self, error::SendTimeoutError};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use crate::{Chunks, Problem};

/// A reader that takes nothing for so long is let go, and the statement that it holds up ends. Whoever pages through an
/// answer reads a screen in that time, and hundreds of kilobytes of it are on the way already.
const READER_PATIENCE: Duration = Duration::from_secs(60);

/// Passes rows on; where nobody takes the next ones in time, they break off.
pub(crate) fn bounded(rows: Chunks) -> Chunks {
    bounded_by(READER_PATIENCE, rows)
}

fn bounded_by(patience: Duration, mut rows: Chunks) -> Chunks {
    let (sender, receiver) = mpsc::channel(1);
    let late = Arc::new(AtomicBool::new(false));
    let is_late = Arc::clone(&late);
    tokio::spawn(async move {
        loop {
            let chunk = tokio::select! {
                // Dropped with the rows, the statement is cancelled.
                () = sender.closed() => return,
                chunk = rows.next() => chunk,
            };
            let Some(chunk) = chunk else { return };
            match sender.send_timeout(chunk, patience).await {
                Ok(()) => {}
                Err(SendTimeoutError::Closed(_)) => return,
                Err(SendTimeoutError::Timeout(_)) => {
                    is_late.store(true, Ordering::Release);
                    return;
                }
            }
        }
    });
    let broken = tokio_stream::once(()).filter_map(move |()| {
        let message = format!("nothing of the answer was read for {} s", patience.as_secs());
        late.load(Ordering::Acquire).then(|| Err(Problem::failed(message)))
    });
    Box::pin(ReceiverStream::new(receiver).chain(broken))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// Rows without end, and whether they are asked for still.
    fn endless() -> (Chunks, Arc<()>) {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let rows = tokio_stream::iter(std::iter::repeat_with(move || {
            let _held = &holds;
            Ok(Bytes::from_static(b"row\n"))
        }));
        (Box::pin(rows), held)
    }

    async fn released(held: &Arc<()>) {
        let gone = async {
            while Arc::strong_count(held) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone).await.expect("the rows are asked for still");
    }

    #[tokio::test]
    async fn a_reader_that_stops_is_let_go_and_its_rows_end() {
        let (rows, held) = endless();
        let read = bounded_by(Duration::from_millis(1), rows);
        released(&held).await;
        let rest: Vec<_> = read.collect().await;
        let error = rest.last().unwrap().as_ref().unwrap_err();
        assert!(rest.len() < 5 && error.detail.contains("nothing of the answer was read"), "{rest:?}");
    }

    #[tokio::test]
    async fn a_reader_that_reads_on_is_not() {
        let (rows, held) = endless();
        let mut read = bounded(rows);
        for _ in 0..1_000 {
            assert!(read.next().await.unwrap().is_ok());
        }
        drop(read);
        released(&held).await;
    }

    #[tokio::test]
    async fn rows_that_never_come_end_with_their_reader() {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let never: Chunks = Box::pin(tokio_stream::pending().map(move |()| {
            let _held = &holds;
            Ok(Bytes::new())
        }));
        let read = bounded(never);
        tokio::task::yield_now().await;
        drop(read);
        released(&held).await;
    }

    #[tokio::test]
    async fn rows_that_are_read_come_whole() {
        let chunks = ["a", "b", "c"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        let read: Vec<_> = bounded(Box::pin(tokio_stream::iter(chunks.clone()))).collect().await;
        assert_eq!(read, chunks);
    }
}
