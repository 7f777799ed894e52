//! Looking for events in what is stored already, by rules of now: on a store at hand or by a running `up`.

use std::{path::PathBuf, pin::Pin};

use bytes::Bytes;
use lastwords_ingester::{EventFound, Progress, Rescan, rescan};
use lastwords_store::Store;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};

use crate::{questions::Refusal, rules::Rules};

/// What is to be scanned: the body of `POST /api/v1/rescan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The first instant, nanoseconds UTC.
    pub from_ns: i64,
    /// The last one.
    pub to_ns: i64,
    /// Only say what would be added.
    #[serde(default)]
    pub dry_run: bool,
    /// Rules files beside those of the configuration: name and text.
    #[serde(default)]
    pub rules: Vec<(PathBuf, String)>,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// An event that was missing.
    Event(EventFound),
    /// How far it is.
    Progress(Progress),
    /// It is done, and this came of it.
    Done(Progress),
}

/// What is told, as it happens.
pub type Telling = Pin<Box<dyn Stream<Item = Result<Told, Refusal>> + Send>>;

/// Begins. Where nobody listens any more it ends after the piece under way.
///
/// # Errors
/// Where rules are wrong.
pub fn start(store: &Store, rules: &Rules, request: Request) -> Result<Telling, Refusal> {
    let detector = rules.and(&request.rules).map_err(Refusal::usage)?.detector();
    let what = Rescan { from_ns: request.from_ns, to_ns: request.to_ns, dry_run: request.dry_run };
    let store = store.clone();
    let (sender, receiver) = mpsc::channel(64);
    let (tell, mut heard) = mpsc::channel::<(Vec<EventFound>, _)>(1);
    tokio::spawn(async move {
        let told = async {
            while let Some((events, progress)) = heard.recv().await {
                for told in events.into_iter().map(Told::Event).chain([Told::Progress(progress)]) {
                    if sender.send(Ok(told)).await.is_err() {
                        heard.close();
                    }
                }
            }
        };
        let (ended, ()) = tokio::join!(rescan(&store, detector, what, tell), told);
        let ended = ended.map(Told::Done).map_err(|error| Refusal::failed(error.to_string()));
        // Nobody may listen any more; then there is nobody to tell.
        let _ = sender.send(ended).await;
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// As lines of JSON.
pub fn lines(telling: Telling) -> impl Stream<Item = Result<Bytes, Refusal>> + Send {
    telling.map(|told| {
        let mut line = serde_json::to_vec(&told?).map_err(|error| Refusal::failed(error.to_string()))?;
        line.push(b'\n');
        Ok(line.into())
    })
}
