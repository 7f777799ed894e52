//! What a partition's log tells that is not the one that was read: retention deleted what nobody had read, the broker
//! lost the log's end, or the topic was made anew. Pure; `partition` looks, and tells what is lost.
//!
//! The committed offset's [`Mark`] says which message came before it. A log that has another one there is another log,
//! however long it has grown since.

use super::offset_plan::Mark;
use crate::write::loss::Loss;

/// A log is read again from this long before the last message that is known to have been written: clocks of brokers
/// differ, and what was written already is known.
pub(super) const OVERLAP_MS: i64 = 3_600_000;

/// What was found at a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looked {
    /// The committed offset.
    pub committed: i64,
    /// The first offset that the log has, and the one after the last.
    pub low: i64,
    /// The one after the last.
    pub high: i64,
    /// What was noted of the message before the committed offset.
    pub mark: Option<Mark>,
    /// What is there now; none where it could not be read, or nothing is.
    pub before: Option<Mark>,
}

/// Whether the log is the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// As far as can be seen.
    Same,
    /// Messages from the committed offset up to this one were deleted.
    Deleted {
        /// The first offset that is left.
        to: i64,
    },
    /// It ends before the committed offset.
    Shorter,
    /// Another message stands before the committed offset.
    Another,
}

impl Looked {
    pub fn judge(&self) -> Log {
        let Looked { committed, low, high, mark, before } = *self;
        match (mark, before) {
            _ if committed > high => Log::Shorter,
            _ if committed < low => Log::Deleted { to: low },
            (Some(mark), Some(before)) if mark != before => Log::Another,
            _ => Log::Same,
        }
    }

    /// The loss to tell of; none where the log is the same.
    pub fn loss(&self, topic: &str, partition: i32) -> Option<Loss> {
        let Looked { committed, low, high, mark, .. } = *self;
        let place = format!("{topic}/{partition}");
        let time_ns = mark.map_or(0, |mark| mark.time_ms.saturating_mul(1_000_000));
        let (kind, title, first, last) = match self.judge() {
            Log::Same => return None,
            Log::Deleted { to } => (
                "deleted",
                format!(
                    "Kafka deleted {} batches of {place} before they were written (offsets {committed} to {}); \
                     a longer kafka.retention_hours outlasts a longer pause of `lastwords write`",
                    to - committed,
                    to - 1
                ),
                committed,
                to - 1,
            ),
            Log::Shorter => (
                "lost_end",
                format!(
                    "Kafka lost the end of {place}: wanted offset {committed}, found that it ends at {high}; \
                     batches that are missing are told as they are noticed"
                ),
                high,
                committed - 1,
            ),
            Log::Another => (
                "another_log",
                format!(
                    "{place} is not the log that was read up to offset {committed}: it lost its end, or was made \
                     anew; batches that are missing are told as they are noticed"
                ),
                low,
                committed - 1,
            ),
        };
        Some(Loss {
            key: format!("kafka/{place}/{kind}/{first}/{last}/{time_ns}"),
            time_ns,
            host: String::new(),
            title,
            attributes: [
                ("cause", kind.to_owned()),
                ("topic", topic.to_owned()),
                ("partition", partition.to_string()),
                ("first_offset", first.to_string()),
                ("last_offset", last.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { last: 7, time_ms: 1_700_000_000_000 };

    #[test]
    fn a_log_is_judged_by_its_ends_and_by_what_stands_before_the_committed_offset() {
        let looked = |committed, low, high, before| Looked { committed, low, high, mark: Some(MARK), before };
        for (looked, wanted) in [
            (looked(10, 0, 20, Some(MARK)), Log::Same),
            (looked(10, 0, 10, Some(MARK)), Log::Same),
            (looked(10, 10, 20, None), Log::Same),
            (Looked { mark: None, ..looked(10, 0, 20, Some(Mark { last: 8, ..MARK })) }, Log::Same),
            (looked(10, 0, 9, None), Log::Shorter),
            (looked(10, 12, 20, None), Log::Deleted { to: 12 }),
            (looked(10, 0, 20, Some(Mark { last: 8, ..MARK })), Log::Another),
            // The same batch, which came again.
            (looked(10, 0, 20, Some(Mark { time_ms: 8, ..MARK })), Log::Another),
        ] {
            assert_eq!(looked.judge(), wanted, "{looked:?}");
            let loss = looked.loss("t", 3);
            assert_eq!(loss.is_some(), wanted != Log::Same);
            assert_eq!(loss, looked.loss("t", 3), "the same loss is told as the same event");
        }
        let told = looked(10, 12, 20, None).loss("t", 3).map(|loss| (loss.title, loss.attributes));
        let (title, attributes) = told.unwrap_or_default();
        assert!(title.starts_with("Kafka deleted 2 batches of t/3"), "{title}");
        assert!(attributes.contains(&("last_offset".to_owned(), "11".to_owned())), "{attributes:?}");
    }
}
