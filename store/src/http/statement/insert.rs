//! An `INSERT`: its data goes to the engine as it arrives.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};

use super::stream::tag;
use super::turn::{Body, CHUNKS_WAITING, Started, Turn, prepared};
use crate::http::encoding::Coding;
use crate::http::failure::Failure;
use crate::http::request::{Call, Data, STATEMENT_BYTES_MAX};
use crate::http::words::Head;

/// Data that does not come for so long is not waited for: the insert keeps a place.
const DATA_PATIENCE: Duration = Duration::from_secs(60);

/// Runs it; only data that came whole is stored.
pub(super) async fn run(mut call: Call, head: Head, turn: Turn) -> Result<Started, Failure> {
    if head.text.len() > STATEMENT_BYTES_MAX {
        return Err(Failure::TooLarge { bytes_max: STATEMENT_BYTES_MAX });
    }
    let text = Bytes::from(std::mem::take(&mut call.text));
    let beginning = text.slice(head.data_at.min(text.len())..);
    let following = std::mem::replace(&mut call.data, Data::None);
    let (sender, mut receiver) = mpsc::channel::<Bytes>(CHUNKS_WAITING);
    let (complete, completed) = oneshot::channel::<()>();
    let inserted = tokio::task::spawn_blocking(move || {
        let connection = prepared(&call, &turn)?;
        let mut insertion = connection.insert(&head.text, &head.format)?;
        while let Some(data) = receiver.blocking_recv() {
            insertion.append(&data)?;
        }
        // Only a body that came whole is stored.
        completed.blocking_recv().map_err(|_| Failure::Gone("the client went away".to_owned()))?;
        insertion.finish().map_err(Failure::from)
    });
    let sent = send_data(beginning, following, &sender).await;
    if sent.is_ok() {
        let _ = complete.send(());
    } else {
        drop(complete);
    }
    drop(sender);
    let statistics = inserted.await.unwrap_or(Err(Failure::Closing));
    sent?;
    Ok(Started { body: Body::Whole(Bytes::new()), coding: Coding::None, statistics: statistics?, tag: tag() })
}

/// Hands over an `INSERT`'s data. Ends early, and well, where nobody takes it any more: the statement's error follows.
async fn send_data(beginning: Bytes, following: Data, sender: &mpsc::Sender<Bytes>) -> Result<(), Failure> {
    if !beginning.is_empty() && sender.send(beginning).await.is_err() {
        return Ok(());
    }
    match following {
        Data::None => {}
        Data::Bytes(data) => {
            let _ = sender.send(data).await;
        }
        Data::Coming(mut body) => {
            let gone = |_| Failure::Gone("no data came for too long".to_owned());
            while let Some(frame) = tokio::time::timeout(DATA_PATIENCE, body.frame()).await.map_err(gone)? {
                let Ok(data) = frame.map_err(|error| Failure::Gone(error.to_string()))?.into_data() else {
                    continue;
                };
                if sender.send(data).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
