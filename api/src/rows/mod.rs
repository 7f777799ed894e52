//! SQL's rows as one document, whatever pieces the store gives them in.

mod array;
mod format;
pub mod table;
mod typed;
mod writer;

use bytes::Bytes;
use lastwords_query::AskOptions;
use lastwords_store::Store;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use crate::{Chunks, Problem};
use format::{content_type, stated_type};
use writer::Writer;

pub use format::RowFormat;

/// Rows as they come.
pub struct Rows {
    /// MIME type of the bytes.
    pub content_type: String,
    /// Whether there are rows.
    pub found: bool,
    /// The bytes.
    pub chunks: Chunks,
}

/// Runs a statement that reads.
///
/// # Errors
/// Where it is not allowed, is wrong, or fails before its first row.
pub(crate) async fn run(
    store: &Store,
    sql: &str,
    format: RowFormat,
    options: &AskOptions,
) -> Result<Rows, Problem> {
    let (engine_format, writer) = Writer::new(format);
    let rows = lastwords_query::sql(store, sql, engine_format, options).await?;
    let (content_type, writer) = match rows.stated_format() {
        // A statement that says FORMAT itself has its rows as they come.
        Some(stated) => (stated_type(stated), Writer::Plain),
        None => (content_type(format), writer),
    };
    let mut document = Document { rows, writer, any_bytes: false, ended: false };
    // Whether there are rows is known before the first of them is sent.
    let mut first = Vec::new();
    let ended = loop {
        match document.next().await? {
            Some(piece) => first.extend_from_slice(&piece),
            None => break true,
        }
        if document.has_row() {
            break false;
        }
    };
    let found = document.has_row();
    let first = tokio_stream::iter((!first.is_empty()).then(|| Ok(Bytes::from(first))));
    let chunks: Chunks = if ended { Box::pin(first) } else { Box::pin(first.chain(spawned(document))) };
    Ok(Rows { content_type: content_type.to_owned(), found, chunks })
}

/// Rows that are being written as a document.
struct Document {
    rows: lastwords_query::Rows,
    writer: Writer,
    any_bytes: bool,
    ended: bool,
}

impl Document {
    /// The next piece of the document, none behind its end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.ended {
            return Ok(None);
        }
        if let Some(chunk) = self.rows.next().await? {
            self.any_bytes |= !chunk.is_empty();
            return self.writer.push(chunk).map(Some);
        }
        self.ended = true;
        Ok(Some(self.writer.finish()))
    }

    fn has_row(&self) -> bool {
        self.writer.has_row(self.any_bytes)
    }
}

/// Rows that wait for the engine, asked for one piece ahead at most.
fn spawned(mut document: Document) -> ReceiverStream<Result<Bytes, Problem>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                // Where nobody waits any more, the statement is cancelled with its rows.
                () = sender.closed() => return,
                next = document.next() => next,
            };
            match next {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => {
                    if sender.send(Ok(piece)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(problem) => {
                    // Nobody may read on; then there is nobody to tell.
                    let _ = sender.send(Err(problem)).await;
                    return;
                }
            }
        }
    });
    ReceiverStream::new(receiver)
}
