//! What questions may name beside classes.

use std::{collections::HashMap, sync::Arc};

use jiff::tz::TimeZone;
use lastwords_query::{AskOptions, Attributes, language::Vocabulary};

/// Saved sets, and hosts' labels from configuration; and what a question may take.
#[derive(Debug, Clone)]
pub struct Known {
    /// Names.
    pub vocabulary: Arc<Vocabulary>,
    /// Labels by host.
    pub labels: Arc<HashMap<String, Attributes>>,
    /// Memory that a question may take; none: the default.
    pub memory_bytes_max: Option<u64>,
}

impl Default for Known {
    fn default() -> Known {
        Known {
            vocabulary: Arc::new(lastwords_query::vocabulary().clone()),
            labels: Arc::default(),
            memory_bytes_max: None,
        }
    }
}

impl Known {
    /// How a question is asked that may name these.
    #[must_use]
    pub fn options(&self, time_zone: TimeZone) -> AskOptions {
        let (vocabulary, labels) = (Arc::clone(&self.vocabulary), Arc::clone(&self.labels));
        let defaults = AskOptions::new(time_zone);
        let memory_bytes_max = self.memory_bytes_max.unwrap_or(defaults.memory_bytes_max);
        AskOptions { vocabulary, labels, memory_bytes_max, ..defaults }
    }
}
