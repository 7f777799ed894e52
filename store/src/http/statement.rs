//! A statement runs on a connection of its own, in a thread of its own.
//!
//! It is over when its thread has ended, not before: until then it keeps its place in its lane and stands among the
//! running ones. When nobody waits for it any more, or its time is over, it is told to end.

mod insert;
mod joining;
mod limits;
mod stream;
mod turn;

use std::sync::Arc;

use http_body_util::{Either, Full};
use tokio::sync::oneshot;

use super::failure::Failure;
use super::lanes::Lane;
use super::request::{Call, STATEMENT_BYTES_MAX};
use super::response::{self, Head, Reply};
use super::served::Served;
use super::words::{self, insert_head};
use crate::engine::running::Kind;
use crate::engine::{Class, Statement};
use joining::{Joiner, Joining};
use stream::{send, tag, whole};
use turn::{Body, FORMAT, Started, Turn, prepared};

/// Runs the statement and gives its answer, which may still be coming.
pub(super) async fn answer(mut call: Call, lane: Lane, served: &Arc<Served>) -> Result<Reply, Failure> {
    let engine = Arc::clone(&served.engine);
    let place = served.lanes.place(lane).await?;
    let number = engine.statement_id();
    let query_id =
        call.query_id.take().unwrap_or_else(|| format!("lastwords-{}-{number}", std::process::id()));
    let format =
        stated_format(&call.text).or_else(|| call.format.take()).unwrap_or_else(|| FORMAT.to_owned());
    call.settings = limits::within(lane, engine.memory_bytes_max(), std::mem::take(&mut call.settings));
    call.reads_only |= lane != Lane::Own;
    // The mark by which the statement is found among the running ones when it is to end.
    let mark = format!("lastwords-{number}");
    let head = insert_head(&call.text);
    let kind = if head.is_some() { Kind::Insert } else { Kind::Other };
    let progress = call.progress;
    let (watched, client) = engine.running().watch(number, &mark, kind, limits::time(&call.settings));
    let turn = Turn { engine, lane, mark, _watched: watched, _place: place };
    let started = match head {
        Some(head) => insert::run(call, head, turn).await?,
        None => run(call, turn, &format).await?,
    };
    let body = match started.body {
        Body::Whole(body) => Either::Left(Full::new(body)),
        Body::Coming(chunks) => Either::Right(chunks.waited_for(client)),
    };
    let head = Head {
        format: &format,
        query_id: &query_id,
        coding: started.coding,
        statistics: started.statistics,
        tag: &started.tag,
        progress,
    };
    Ok(response::answer(&head, body))
}

/// Runs a statement that is all there.
async fn run(call: Call, turn: Turn, format: &str) -> Result<Started, Failure> {
    if call.text.len() > STATEMENT_BYTES_MAX && call.text.len() > limits::query_bytes(&call.settings) {
        return Err(Failure::TooLarge { bytes_max: STATEMENT_BYTES_MAX });
    }
    let (begin, begun) = oneshot::channel();
    let format = format.to_owned();
    tokio::task::spawn_blocking(move || {
        let statement = Statement { text: &call.text, format: &format, parameters: &call.parameters };
        let mut connection = match prepared(&call, &turn) {
            Ok(connection) => connection,
            Err(error) => {
                drop(turn);
                return drop(begin.send(Err(error.into())));
            }
        };
        let class = connection.classify(&call.text);
        let joining = Joining::new(&format, call.revision);
        let comes_in_chunks =
            class == Class::Reads && words::is_select(&call.text) && joining != Joining::Whole;
        let mut joiner = Joiner::new(joining);
        let started = if comes_in_chunks {
            match connection.stream(&statement) {
                Ok(stream) => return send(stream, joiner, &call, turn, begin),
                Err(error) => Err(error.into()),
            }
        } else {
            connection.run(&statement).map_err(Failure::from).and_then(|answer| {
                whole(&[answer.as_ref()], &mut joiner, call.coding).map(|(body, coding)| Started {
                    body: Body::Whole(body),
                    coding,
                    statistics: answer.statistics(),
                    tag: tag(),
                })
            })
        };
        drop(turn);
        drop(begin.send(started));
    });
    begun.await.unwrap_or(Err(Failure::Closing))
}

/// The format that a query names at its end.
fn stated_format(text: &[u8]) -> Option<String> {
    let tail = text.get(text.len().saturating_sub(256)..)?;
    let tail = String::from_utf8_lossy(tail);
    let mut words = tail.trim_end().trim_end_matches(';').split_ascii_whitespace().rev();
    let format = words.next()?.to_owned();
    let named = format.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (named && words.next()?.eq_ignore_ascii_case("format")).then_some(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_querys_format_is_the_word_after_the_last_format() {
        assert_eq!(stated_format(b"SELECT 1 FORMAT JSON;").as_deref(), Some("JSON"));
        assert_eq!(stated_format(b"SELECT format").as_deref(), None);
        assert_eq!(stated_format(b"SELECT 1").as_deref(), None);
    }
}
