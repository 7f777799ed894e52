//! Answers that go out as they are made.

use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::joining::Joiner;
use super::turn::{Body, CHUNKS_WAITING, Started, Turn, column_types};
use crate::engine::{Statistics, Streaming};
use crate::http::encoding::{Coding, Encoder};
use crate::http::failure::Failure;
use crate::http::request::Call;
use crate::http::response::{Chunks, Cut, exception_frame};

/// An answer up to this size goes out whole, with its length in front.
const WHOLE_BYTES_MAX: usize = 1 << 20;
/// An answer that is wanted whole may be so large.
const WANTED_WHOLE_BYTES_MAX: usize = 64 << 20;
/// A user who takes no part of an answer for so long is cut off.
const USERS_PATIENCE: Duration = Duration::from_secs(20);
/// This program itself may have to compute between two parts of an answer.
const OWN_PATIENCE: Duration = Duration::from_secs(300);

/// Sends an answer chunk by chunk, as one document. A client that goes away, or takes nothing for too long, ends the statement.
pub(super) fn send(
    mut stream: Streaming,
    mut joiner: Joiner,
    call: &Call,
    turn: Turn,
    begin: oneshot::Sender<Result<Started, Failure>>,
) {
    let coding = call.coding;
    let wanted = call.buffer_bytes.map_or(WHOLE_BYTES_MAX, |bytes| bytes.min(WHOLE_BYTES_MAX));
    let at_once = if call.whole { WANTED_WHOLE_BYTES_MAX } else { wanted };
    // What fits goes out whole: a statement that fails early then fails with a status, not inside its answer.
    let mut first = Vec::new();
    let mut bytes = 0;
    let mut statistics = Statistics::default();
    let ended = loop {
        match stream.next() {
            Ok(Some(chunk)) => {
                statistics.add(&chunk.statistics());
                bytes += chunk.as_ref().len();
                first.push(chunk);
                if bytes >= at_once {
                    break false;
                }
            }
            Ok(None) => break true,
            Err(error) => {
                drop((stream, turn));
                return drop(begin.send(Err(error.into())));
            }
        }
    };
    if first.first().is_some_and(|chunk| joiner.wants_types(chunk.as_ref())) {
        joiner.know_types(column_types(call, &turn));
    }
    let tag = tag();
    if ended {
        let chunks: Vec<&[u8]> = first.iter().map(AsRef::as_ref).collect();
        let started = whole(&chunks, &mut joiner, coding).map(|(body, coding)| Started {
            body: Body::Whole(body),
            coding,
            statistics,
            tag,
        });
        drop((stream, turn));
        return drop(begin.send(started));
    }
    let mut encoder = match Encoder::new(coding) {
        Ok(encoder) => encoder,
        Err(error) => return drop(begin.send(Err(Failure::Encoding(error.to_string())))),
    };
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let body = Body::Coming(Chunks::new(receiver));
    if begin.send(Ok(Started { body, coding, statistics, tag: tag.clone() })).is_err() {
        return;
    }
    let patience = if turn.lane.is_users() { USERS_PATIENCE } else { OWN_PATIENCE };
    let runtime = Handle::current();
    let hand_over = |part: Result<Bytes, Cut>| {
        let sent = runtime.block_on(async { tokio::time::timeout(patience, sender.send(part)).await });
        if sent.is_err() {
            tracing::info!(lane = turn.lane.name(), "an answer that nobody took for too long was cut off");
        }
        matches!(sent, Ok(Ok(())))
    };
    let packed = |bytes: std::io::Result<Bytes>| match bytes {
        Ok(bytes) if bytes.is_empty() => true,
        Ok(bytes) => hand_over(Ok(bytes)),
        Err(_) => {
            hand_over(Err(Cut));
            false
        }
    };
    let mut first = first.into_iter();
    let broken = loop {
        let next = match first.next() {
            Some(chunk) => Ok(Some(chunk)),
            None => stream.next(),
        };
        let part = match &next {
            Ok(Some(chunk)) => joiner.part(chunk.as_ref()),
            Ok(None) => match joiner.finish() {
                Ok(()) => {
                    packed(encoder.finish());
                    return;
                }
                Err(error) => break error,
            },
            Err(error) => break error.clone(),
        };
        match part {
            Ok(part) if packed(encoder.chunk(&part)) => {}
            Ok(_) => return,
            Err(error) => break error,
        }
    };
    // The compressed stream is not ended, so that what came does not unpack as a whole.
    packed(encoder.chunk(&exception_frame(&tag, &broken)));
    hand_over(Err(Cut));
}

/// A whole answer, of the engine's chunks. Nothing at all is not compressed.
pub(super) fn whole(
    chunks: &[&[u8]],
    joiner: &mut Joiner,
    coding: Coding,
) -> Result<(Bytes, Coding), Failure> {
    let failed = |error: std::io::Error| Failure::Encoding(error.to_string());
    if chunks.iter().all(|chunk| chunk.is_empty()) {
        return Ok((Bytes::new(), Coding::None));
    }
    let mut encoder = Encoder::new(coding).map_err(failed)?;
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&encoder.chunk(&joiner.part(chunk)?).map_err(failed)?);
    }
    joiner.finish()?;
    out.extend_from_slice(&encoder.finish().map_err(failed)?);
    Ok((out.into(), coding))
}

/// A word by which an error inside an answer is told from the answer: not to be guessed by who wrote the data.
pub(super) fn tag() -> String {
    use std::hash::{BuildHasher, Hasher};
    // A RandomState has keys that nobody outside knows.
    let mut bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (0..13)
        .map(|_| {
            let letter = char::from(b'a' + u8::try_from(bits % 26).unwrap_or(0));
            bits /= 26;
            letter
        })
        .collect::<String>()
        + "lst"
}
