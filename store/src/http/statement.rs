//! A statement runs on a connection of its own, in a thread of its own.

mod guard;
mod words;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Served;
use super::access::Rights;
use super::counts::During;
use super::encoding::{Coding, Encoder};
use super::request::{Call, Data, STATEMENT_BYTES_MAX};
use super::response::{self, Chunks, Cut, Failure, Head, Reply, exception_frame};
use crate::engine::watchdog::{ClientHere, Kind, Watched};
use crate::engine::{Class, Connection, Engine, Statement, StatementError, Statistics, Streaming};

/// An answer up to this size goes out whole, with its length in front.
const WHOLE_BYTES_MAX: usize = 1 << 20;
/// Chunks that wait for a slow client.
const CHUNKS_WAITING: usize = 4;
/// Format of an answer for which nothing else was asked.
const FORMAT: &str = "TabSeparated";

/// Runs the statement and gives its answer, which may still be coming.
pub(super) async fn answer(mut call: Call, served: &Arc<Served>) -> Result<Reply, Failure> {
    let engine = Arc::clone(&served.engine);
    let slot = turn(&call, served).await?;
    let during = During::new(&served.counts.running);
    let number = engine.statement_id();
    let query_id =
        call.query_id.take().unwrap_or_else(|| format!("lastwords-{}-{number}", std::process::id()));
    let format =
        stated_format(&call.text).or_else(|| call.format.take()).unwrap_or_else(|| FORMAT.to_owned());
    // The mark by which the statement is found among the running ones when nobody waits for it any more.
    let mark = format!("lastwords-{number}");
    let head = words::insert_head(&call.text);
    let kind = if head.is_some() { Kind::Insert } else { Kind::Other };
    let (watched, client) = engine.running().watch(number, &mark, kind, limit(&call.settings));
    let mut abandoned =
        Abandoned { engine: Arc::clone(&engine), mark: mark.clone(), armed: true, _client: client };
    let place = Place { _slot: slot, watched };
    let running = match head {
        Some(head) => insert(call, head, &engine, place, &mark).await,
        None => run(call, &engine, place, &mark, &format).await,
    };
    abandoned.armed = false;
    let begun = running?;
    drop(abandoned);
    served.counts.rows_inserted.fetch_add(begun.statistics.rows_written, Ordering::Relaxed);
    drop(during);
    let head = Head {
        format: &format,
        query_id: &query_id,
        coding: begun.coding,
        statistics: begun.statistics,
        tag: &begun.tag,
    };
    Ok(response::answer(&head, begun.body))
}

/// Waits for a place among the running statements; whoever came over a port not for ever.
async fn turn(call: &Call, served: &Served) -> Result<OwnedSemaphorePermit, Failure> {
    let over_port = call.rights != Rights::All;
    let _during = During::new(&served.counts.waiting);
    let slot = served.engine.slot(over_port);
    let slot = if over_port {
        tokio::time::timeout(served.engine.port_wait_max(), slot).await.map_err(|_| Failure::Busy)?
    } else {
        slot.await
    };
    slot.ok_or(Failure::Closing)
}

/// A statement's place among the running ones; kept until the engine has let go of it.
struct Place {
    _slot: OwnedSemaphorePermit,
    watched: Watched,
}

/// How long the statement may run, where it says so.
fn limit(settings: &[(String, String)]) -> Option<Duration> {
    let (_, seconds) = settings.iter().rev().find(|(name, _)| name == "max_execution_time")?;
    let seconds: f64 = seconds.parse().ok()?;
    // 0 means none.
    Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
}

/// An answer whose beginning is known.
struct Begun {
    body: Either<Full<Bytes>, Chunks>,
    coding: Coding,
    statistics: Statistics,
    tag: String,
}

/// A connection that is set up as the call wants it.
fn prepared(engine: &Engine, call: &Call, mark: &str) -> Result<Connection, StatementError> {
    let mut connection = engine.connect()?;
    // Times without a zone mean UTC, wherever the machine stands.
    let mut settings = format!("SET session_timezone = 'UTC', log_comment = '{mark}'");
    // Whoever may not write gets the engine's own read-only mode, which also refuses a change of settings; it comes last.
    let mut readonly = if call.rights == Rights::Read || call.reads_only { 2 } else { 0 };
    for (name, value) in &call.settings {
        if name == "readonly" {
            readonly = readonly.max(value.parse().unwrap_or(1));
        } else {
            settings.push_str(&format!(", {name} = '{}'", escape(value)));
        }
    }
    run_quietly(&mut connection, &settings)?;
    if let Some(database) = &call.database {
        run_quietly(
            &mut connection,
            &format!("USE `{}`", database.replace('\\', "\\\\").replace('`', "\\`")),
        )?;
    }
    if readonly > 0 {
        run_quietly(&mut connection, &format!("SET readonly = {}", readonly.min(2)))?;
    }
    Ok(connection)
}

fn run_quietly(connection: &mut Connection, text: &str) -> Result<(), StatementError> {
    connection.run(&Statement { text: text.as_bytes(), format: FORMAT, parameters: &[] }).map(drop)
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}

/// Runs a statement that is all there.
async fn run(
    call: Call,
    engine: &Arc<Engine>,
    place: Place,
    mark: &str,
    format: &str,
) -> Result<Begun, Failure> {
    if call.text.len() > STATEMENT_BYTES_MAX {
        return Err(Failure::TooLarge { bytes_max: STATEMENT_BYTES_MAX });
    }
    let (begin, begun) = oneshot::channel();
    let (engine, mark, format) = (Arc::clone(engine), mark.to_owned(), format.to_owned());
    tokio::task::spawn_blocking(move || {
        let place = place;
        let statement = Statement { text: &call.text, format: &format, parameters: &call.parameters };
        let started = prepared(&engine, &call, &mark).map_err(Failure::from).and_then(|mut connection| {
            let class = connection.classify(&call.text);
            guard::check(call.rights, class, &call.text)?;
            Ok((connection, class))
        });
        let (mut connection, class) = match started {
            Ok(started) => started,
            Err(failure) => return drop(begin.send(Err(failure))),
        };
        let begun = if class == Class::Reads && words::is_select(&call.text) {
            match connection.stream(&statement) {
                Ok(stream) => {
                    return send(stream, call.coding, call.whole, begin, &place.watched);
                }
                Err(error) => Err(error.into()),
            }
        } else {
            connection.run(&statement).map_err(Failure::from).and_then(|answer| {
                whole(&[answer.as_ref()], call.coding).map(|(body, coding)| Begun {
                    body: Either::Left(Full::new(body)),
                    coding,
                    statistics: answer.statistics(),
                    tag: tag(),
                })
            })
        };
        drop(begin.send(begun));
    });
    begun.await.unwrap_or(Err(Failure::Closing))
}

/// Sends an answer chunk by chunk. A client that goes away ends the statement at its next chunk.
fn send(
    mut stream: Streaming,
    coding: Coding,
    whole_wanted: bool,
    begin: oneshot::Sender<Result<Begun, Failure>>,
    watched: &Watched,
) {
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
                if bytes > WHOLE_BYTES_MAX && !whole_wanted {
                    break false;
                }
            }
            Ok(None) => break true,
            Err(error) => return drop(begin.send(Err(error.into()))),
        }
    };
    let tag = tag();
    if ended {
        let parts: Vec<&[u8]> = first.iter().map(AsRef::as_ref).collect();
        let begun = whole(&parts, coding).map(|(body, coding)| Begun {
            body: Either::Left(Full::new(body)),
            coding,
            statistics,
            tag,
        });
        return drop(begin.send(begun));
    }
    let mut encoder = match Encoder::new(coding) {
        Ok(encoder) => encoder,
        Err(error) => return drop(begin.send(Err(Failure::Encoding(error.to_string())))),
    };
    let Some(client) = watched.client() else { return };
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let body = Either::Right(Chunks::new(receiver, client));
    if begin.send(Ok(Begun { body, coding, statistics, tag: tag.clone() })).is_err() {
        return;
    }
    let send = |bytes: std::io::Result<Bytes>| match bytes {
        Ok(bytes) if bytes.is_empty() => true,
        Ok(bytes) => sender.blocking_send(Ok(bytes)).is_ok(),
        Err(_) => {
            let _ = sender.blocking_send(Err(Cut));
            false
        }
    };
    for chunk in first.drain(..) {
        if !send(encoder.chunk(chunk.as_ref())) {
            return;
        }
    }
    loop {
        match stream.next() {
            Ok(Some(chunk)) => {
                if !send(encoder.chunk(chunk.as_ref())) {
                    return;
                }
            }
            Ok(None) => {
                send(encoder.finish());
                return;
            }
            Err(error) => {
                send(encoder.chunk(&exception_frame(&tag, &error)));
                send(encoder.finish());
                let _ = sender.blocking_send(Err(Cut));
                return;
            }
        }
    }
}

/// A whole answer; small ones are not worth compressing.
fn whole(parts: &[&[u8]], coding: Coding) -> Result<(Bytes, Coding), Failure> {
    const COMPRESSED_BYTES_MIN: usize = 4096;
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    if coding != Coding::Blocks && bytes < COMPRESSED_BYTES_MIN {
        return Ok((parts.concat().into(), Coding::None));
    }
    let failed = |error: std::io::Error| Failure::Encoding(error.to_string());
    let mut encoder = Encoder::new(coding).map_err(failed)?;
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&encoder.chunk(part).map_err(failed)?);
    }
    out.extend_from_slice(&encoder.finish().map_err(failed)?);
    Ok((out.into(), coding))
}

/// Runs an `INSERT`: its data goes to the engine as it arrives.
async fn insert(
    mut call: Call,
    head: words::Head,
    engine: &Arc<Engine>,
    place: Place,
    mark: &str,
) -> Result<Begun, Failure> {
    if head.text.len() > STATEMENT_BYTES_MAX {
        return Err(Failure::TooLarge { bytes_max: STATEMENT_BYTES_MAX });
    }
    let text = Bytes::from(std::mem::take(&mut call.text));
    let beginning = text.slice(head.data_at.min(text.len())..);
    let following = std::mem::replace(&mut call.data, Data::None);
    let (sender, mut receiver) = mpsc::channel::<Bytes>(CHUNKS_WAITING);
    let (complete, completed) = oneshot::channel::<()>();
    let (engine, mark) = (Arc::clone(engine), mark.to_owned());
    let inserted = tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut connection = prepared(&engine, &call, &mark)?;
        // The parser wants the statement with its format, and the insertion without.
        let whole = format!("{} FORMAT {}", head.text, head.format);
        let class = connection.classify(whole.as_bytes());
        guard::check(call.rights, class, whole.as_bytes())?;
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
    Ok(Begun {
        body: Either::Left(Full::new(Bytes::new())),
        coding: Coding::None,
        statistics: statistics?,
        tag: tag(),
    })
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
            while let Some(frame) = body.frame().await {
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

/// The format that a query names at its end.
fn stated_format(text: &[u8]) -> Option<String> {
    let tail = text.get(text.len().saturating_sub(256)..)?;
    let tail = String::from_utf8_lossy(tail);
    let mut words = tail.trim_end().trim_end_matches(';').split_ascii_whitespace().rev();
    let format = words.next()?.to_owned();
    let named = format.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (named && words.next()?.eq_ignore_ascii_case("format")).then_some(format)
}

/// A word by which an error inside an answer is told from the answer: not to be guessed by who wrote the data.
fn tag() -> String {
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

/// Ends the statement if the client goes away before its answer has begun.
struct Abandoned {
    engine: Arc<Engine>,
    mark: String,
    armed: bool,
    /// Goes with this, so that the watchdog sees to it where asking does not help.
    _client: ClientHere,
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (engine, mark) = (Arc::clone(&self.engine), std::mem::take(&mut self.mark));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || {
                let text = format!("KILL QUERY WHERE Settings['log_comment'] = '{mark}' ASYNC");
                let statement = Statement { text: text.as_bytes(), format: FORMAT, parameters: &[] };
                if let Err(error) = engine.run_blocking(&statement) {
                    tracing::debug!(%error, "could not end an abandoned statement");
                }
            });
        }
    }
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
