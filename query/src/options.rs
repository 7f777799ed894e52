//! How a question is asked.

use std::{collections::HashMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    catalog::{Catalog, Configured},
    correlate::placement::Attributes,
    language::{Vocabulary, built_in},
};

/// Memory of a question unless told otherwise: 4 GiB.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// How a question is asked.
#[derive(Debug, Clone)]
pub struct AskOptions {
    /// The zone of the asker's days and hours.
    pub time_zone: TimeZone,
    /// Now.
    pub now: Timestamp,
    /// At most so many matches are listed; none: all of them.
    pub limit: Option<u64>,
    /// Whether chance is assessed.
    pub statistics: bool,
    /// Of so many matches, from the first, the lines behind them are fetched.
    pub evidence: usize,
    /// Memory that the question may take, beside the store's.
    pub memory_bytes_max: u64,
    /// Whether sets are fetched whole where a part would do: to compare with.
    pub whole_sets: bool,
    /// What may be named beside the language's own words.
    pub vocabulary: Arc<Vocabulary>,
    /// Labels of hosts from configuration, by host.
    pub labels: Arc<HashMap<String, Attributes>>,
    /// What is kept of the store's own names. Questions of one store are faster with the same one.
    pub catalog: Arc<Catalog>,
}

impl AskOptions {
    /// Everything, asked now.
    pub fn new(time_zone: TimeZone) -> AskOptions {
        AskOptions {
            time_zone,
            now: Timestamp::now(),
            limit: None,
            statistics: true,
            evidence: 3,
            memory_bytes_max: MEMORY_BYTES_MAX,
            whole_sets: false,
            vocabulary: Arc::new(built_in().clone()),
            labels: Arc::default(),
            catalog: Arc::default(),
        }
    }

    /// What is known without asking the store.
    pub(crate) fn configured(&self) -> Configured {
        Configured { labels: Arc::clone(&self.labels), vocabulary: Arc::clone(&self.vocabulary) }
    }

    /// How many rows are listed where so many are unless told otherwise.
    pub(crate) fn rows(&self, unless_told: usize) -> usize {
        self.limit.map_or(unless_told, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }
}
