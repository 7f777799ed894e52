//! Looking for events in what is stored already, by rules of now.

use std::{path::PathBuf, pin::Pin};

use bytes::Bytes;
use lastwords_detect::RuleFiles;
use lastwords_ingester::rescan;
use lastwords_store::Store;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use utoipa::ToSchema;

use crate::{Chunks, Problem, status::Kind};

/// What is to be scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RescanRequest)]
pub struct Rescan {
    /// The first instant, nanoseconds UTC.
    pub from_ns: i64,
    /// The last one.
    pub to_ns: i64,
    /// Only say what would be added.
    #[serde(default)]
    pub dry_run: bool,
    /// Rules files beside those of the configuration: name and text.
    #[serde(default)]
    #[schema(value_type = Vec<Vec<String>>)]
    pub rules: Vec<(PathBuf, String)>,
}

/// A line of the reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RescanStep)]
pub enum Step {
    /// An event that was missing.
    Event(EventFound),
    /// How far it is.
    Progress(Progress),
    /// It is done, and this came of it.
    Done(Progress),
}

/// An event that was found in what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventFound {
    /// Corrected start, nanoseconds UTC.
    pub start_ns: i64,
    /// Its class.
    pub class: String,
    /// info, warning, error, critical.
    pub severity: String,
    /// The host's name.
    pub host: String,
    /// The guest's name, empty for the host itself.
    pub guest: String,
    /// What happened, in a line.
    pub title: String,
    /// The rule that found it.
    pub rule: String,
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Records scanned.
    pub records: u64,
    /// Of so many.
    pub of: u64,
    /// Events found, those that were stored already among them.
    pub found: u64,
    /// Events added.
    pub added: u64,
}

impl From<lastwords_ingester::EventFound> for EventFound {
    fn from(event: lastwords_ingester::EventFound) -> EventFound {
        let lastwords_ingester::EventFound { start_ns, class, severity, host, guest, title, rule } = event;
        EventFound { start_ns, class, severity, host, guest, title, rule }
    }
}

impl From<rescan::Progress> for Progress {
    fn from(progress: rescan::Progress) -> Progress {
        let rescan::Progress { records, of, found, added } = progress;
        Progress { records, of, found, added }
    }
}

/// What happens, as it happens.
pub type Steps = Pin<Box<dyn Stream<Item = Result<Step, Problem>> + Send>>;

/// Begins.
pub(crate) fn start(store: &Store, rules: &RuleFiles, request: Rescan) -> Result<Steps, Problem> {
    let rules = rules.and(&request.rules);
    let detector = rules.map_err(|error| Problem::new(Kind::Invalid, error.to_string()))?.detector();
    let what = rescan::Rescan { from_ns: request.from_ns, to_ns: request.to_ns, dry_run: request.dry_run };
    let store = store.clone();
    let (sender, receiver) = mpsc::channel(64);
    let (tell, mut heard) = mpsc::channel::<(Vec<lastwords_ingester::EventFound>, _)>(1);
    tokio::spawn(async move {
        let passed_on = async {
            while let Some((events, progress)) = heard.recv().await {
                let events = events.into_iter().map(|event| Step::Event(event.into()));
                for step in events.chain([Step::Progress(rescan::Progress::into(progress))]) {
                    if sender.send(Ok(step)).await.is_err() {
                        heard.close();
                    }
                }
            }
        };
        let (ended, ()) = tokio::join!(rescan::rescan(&store, detector, what, tell), passed_on);
        let ended = ended.map(|progress| Step::Done(progress.into())).map_err(Problem::failed);
        // Nobody may listen any more; then there is nobody to tell.
        let _ = sender.send(ended).await;
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// As lines of JSON.
pub(crate) fn lines(steps: Steps) -> Chunks {
    Box::pin(steps.map(|step| {
        let mut line = serde_json::to_vec(&step?).map_err(Problem::failed)?;
        line.push(b'\n');
        Ok(Bytes::from(line))
    }))
}
