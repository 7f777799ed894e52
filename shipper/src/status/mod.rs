//! How collecting goes: what was read of each source, what waits, and what stands in the way. For `/metrics`, `/readyz` and
//! `doctor`; nothing here decides anything.

mod metrics;
mod notices;
mod state;

pub use notices::{FILE_NAME, Notice, NoticeError, Notices, read_notices};
pub use state::{FilesState, InFlight, SourceState, Status};

#[cfg(test)]
mod tests {
    use lastwords_record::Source;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_source_that_fails_for_long_and_an_ingester_that_is_not_there_are_named() {
        let status = Status::default();
        assert_eq!(status.ready(0), Err("the ingester is not reached".to_owned()));
        status.lock().is_connected = true;
        status.failed(Source::Journald, "no journal", 10 * SECOND);
        assert_eq!(status.ready(20 * SECOND), Ok(()));
        status.failed(Source::Journald, "no journal", 100 * SECOND);
        assert_eq!(status.ready(100 * SECOND), Err("journald cannot be read: no journal".to_owned()));
        status.read(Source::Journald, 1, 5, 101 * SECOND);
        assert_eq!(status.ready(200 * SECOND), Ok(()));
    }

    #[test]
    fn metrics_tell_each_source_and_what_is_in_the_way() {
        let status = Status::default();
        status.read(Source::File, 3, 70, 5 * SECOND);
        status.failed(Source::Kmsg, "x", SECOND);
        status.notice("unreadable", vec![Notice::new("/a", "cannot be read", "chmod")], 0);
        let text = status.metrics();
        for line in [
            "lastwords_shipper_records{source=\"file\"} 3.0",
            "lastwords_shipper_bytes{source=\"file\"} 70.0",
            "lastwords_shipper_last_read_seconds{source=\"file\"} 5.0",
            "lastwords_shipper_source_errors{source=\"kmsg\"} 1.0",
            "lastwords_shipper_notices{kind=\"unreadable\"} 1.0",
            "lastwords_shipper_connected 0.0",
        ] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line} in {text}");
        }
    }
}
