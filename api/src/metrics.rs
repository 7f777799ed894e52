//! What is counted of asking.

use std::{fmt, time::Duration};

use lastwords_runtime::metrics::{self, Family, Histogram, Registry};

use crate::{Ask, Problem, status::Ending};

/// Names of labels and their values: what was asked, and what came of it.
type Labels = [(&'static str, &'static str); 2];

/// How long answers take, by what was asked and by what came of it.
pub(crate) struct AskMetrics {
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    registry: Registry,
}

impl Default for AskMetrics {
    fn default() -> AskMetrics {
        let seconds = Family::new_with_constructor(metrics::seconds as fn() -> Histogram);
        let mut registry = Registry::default();
        let help = "Seconds from a question or statement to its answer or its first rows";
        registry.register("lastwords_question_seconds", help, seconds.clone());
        AskMetrics { seconds, registry }
    }
}

impl fmt::Debug for AskMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskMetrics").finish_non_exhaustive()
    }
}

impl AskMetrics {
    /// One more that took so long, and why it failed where it did.
    pub(crate) fn observe(&self, ask: &Ask, took: Duration, problem: Option<&Problem>) {
        let form = match (&ask.question, ask.explain) {
            (Some(_), Some(true)) => "explanation",
            (Some(_), _) => "question",
            (None, _) => "sql",
        };
        let ended = match problem.map(|problem| problem.kind.ending()) {
            None => "answered",
            Some(Ending::Usage) => "refused",
            Some(Ending::Failure) => "failed",
        };
        let labels = [("form", form), ("ended", ended)];
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// In the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        metrics::render(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Kind;

    #[test]
    fn each_form_and_each_ending_has_a_histogram_of_its_own() {
        let metrics = AskMetrics::default();
        let question = Ask { question: Some("panics".to_owned()), ..Ask::default() };
        let sql = Ask { sql: Some("SELECT 1".to_owned()), ..Ask::default() };
        let wrong = Problem::new(Kind::NotUnderstood, "no");
        let failed = Problem::new(Kind::Unavailable, "away");
        metrics.observe(&question, Duration::from_millis(500), None);
        metrics.observe(&question, Duration::from_millis(500), None);
        metrics.observe(&question, Duration::ZERO, Some(&wrong));
        metrics.observe(&sql, Duration::from_secs(1), Some(&failed));
        let text = metrics.render();
        for line in [
            "lastwords_question_seconds_count{form=\"question\",ended=\"answered\"} 2",
            "lastwords_question_seconds_sum{form=\"question\",ended=\"answered\"} 1.0",
            "lastwords_question_seconds_count{form=\"question\",ended=\"refused\"} 1",
            "lastwords_question_seconds_count{form=\"sql\",ended=\"failed\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
