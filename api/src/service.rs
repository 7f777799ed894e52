//! What can be asked of a store at hand: the one thing behind all faces.

use std::{sync::Arc, time::Instant};

use jiff::tz::TimeZone;
use lastwords_detect::RuleFiles;
use lastwords_query::{
    AskOptions, Catalog,
    language::{self, Completions},
};
use lastwords_store::{Contents, Store};

use crate::{
    Ask, Known, Problem, Reply, ask,
    metrics::AskMetrics,
    quarantine::{self, Act, Done},
    rescan::{self, Rescan, Steps},
};

/// A store, and what it is asked with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    store: Store,
    known: Known,
    rules: RuleFiles,
    /// What is kept of the store's own names from one question to the next.
    catalog: Arc<Catalog>,
    metrics: Arc<AskMetrics>,
}

impl Service {
    /// Over this store; `rules` find events where it is scanned.
    #[must_use]
    pub fn new(store: Store, known: Known, rules: RuleFiles) -> Service {
        Service { store, known, rules, catalog: Arc::default(), metrics: Arc::default() }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Answers a question, or runs a statement that reads.
    ///
    /// # Errors
    /// Where it is wrong, or the store fails.
    pub async fn ask(&self, ask: &Ask) -> Result<Reply, Problem> {
        let since = Instant::now();
        let replied = ask::reply(&self.store, ask, |time_zone| self.options(time_zone)).await;
        self.metrics.observe(ask, since.elapsed(), replied.as_ref().err());
        replied
    }

    /// What was asked so far, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics.render()
    }

    fn options(&self, time_zone: TimeZone) -> AskOptions {
        AskOptions { catalog: Arc::clone(&self.catalog), ..self.known.options(time_zone) }
    }

    /// What may stand at a place of a question, in bytes; none: at its end.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn complete(&self, question: &str, at: Option<usize>) -> Result<Completions, Problem> {
        let options = self.options(TimeZone::UTC);
        let vocabulary = lastwords_query::ask::vocabulary(&self.store, &options).await?;
        Ok(language::complete(question, at.unwrap_or(question.len()), &vocabulary))
    }

    /// What there is to know about the store at a glance.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn contents(&self) -> Result<Contents, Problem> {
        Ok(self.store.contents().await?)
    }

    /// Does something with the quarantine. That a batch stays where it is, is no error.
    ///
    /// # Errors
    /// Where there is no such batch, or the store fails.
    pub async fn quarantine(&self, act: &Act) -> Result<Done, Problem> {
        quarantine::act(&self.store, &self.rules, act).await
    }

    /// Looks for events in what is stored. Where nobody listens any more it ends after the piece under way.
    ///
    /// # Errors
    /// Where rules are wrong.
    pub fn rescan(&self, request: Rescan) -> Result<Steps, Problem> {
        rescan::start(&self.store, &self.rules, request)
    }
}
