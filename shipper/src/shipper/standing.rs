//! How collecting stands, as the steps know it.

use lastwords_record::Source;

use super::Shipper;
use crate::{
    moment::Moment,
    source::Feed,
    status::{FilesState, InFlight, Notice, Status},
    survey::{refused_notice, unmatched_notice},
};

impl Shipper {
    /// From now on this status is kept.
    pub fn set_status(&mut self, status: Status) {
        self.status = status;
        for rule in &self.config.files {
            self.status.begin(rule.source);
        }
        self.tell_epoch();
    }

    /// Tells what was found out by looking at all globs.
    pub(super) fn tell_files(&mut self, now: Moment) {
        let files = &self.files;
        let refused =
            files.refused.iter().map(|refused| refused_notice(&refused.path, &refused.why)).collect();
        self.status.notice("unreadable", refused, now.wall_ns);
        self.status.notice(
            "no_match",
            files.unmatched.iter().map(|glob| unmatched_notice(glob)).collect(),
            now.wall_ns,
        );
        for (path, bytes) in std::mem::take(&mut self.files.skipped) {
            let found = format!(
                "{path} was there before the shipper and is old: {bytes} bytes of it were passed over"
            );
            let way_out = "to read it, import it, or set start = \"beginning\" in a [[collect.file]] of its own before the first start";
            self.status.happened(Notice::new(path, found, way_out), now.wall_ns);
        }
        let files = &self.files;
        let crowded = files.is_crowded.then(|| {
            Notice::new(
                "descriptors",
                format!(
                    "{} files are followed and {} may be open: quiet ones are closed meanwhile",
                    files.by_id.len(),
                    files.open_max
                ),
                "raise the limit of descriptors (LimitNOFILE= of the service)",
            )
        });
        self.status.notice("descriptors", crowded.into_iter().collect(), now.wall_ns);
        let open = files.by_id.values().filter(|followed| !followed.is_parked()).count() as u64;
        let mut state = self.status.lock();
        state.files = FilesState {
            followed: files.by_id.len() as u64,
            open,
            open_max: files.open_max as u64,
            refused: files.refused.len() as u64,
            // Of a finished copy it is not known.
            unread_bytes: files
                .by_id
                .values()
                .filter(|followed| followed.size < u64::MAX)
                .map(|followed| followed.unread())
                .sum(),
            ..state.files
        };
    }

    /// Tells what is under way.
    pub(super) fn tell_in_flight(&self) {
        let oldest = self.outbox.memory().open.front();
        self.status.lock().in_flight = InFlight {
            batches: self.outbox.in_flight() as u64,
            bytes: self.outbox.in_flight_bytes(),
            oldest_ns: oldest.map(|open| open.planned.sealed_time_ns),
        };
    }

    /// Tells why an epoch is over: a clone or a copy is worth knowing for longer than that takes.
    pub(super) fn tell_epoch(&self) {
        if let Some(why) = &self.outbox.memory().epoch_over {
            let way_out = "if this machine is a clone, give each its own /etc/machine-id and host name; a copied state \
                           folder belongs to one machine alone";
            self.status.happened(
                Notice::new("state", format!("a new epoch was begun: {why}"), way_out),
                lastwords_runtime::now_ns(),
            );
        }
    }

    /// Tells what a feed holds.
    pub(super) fn tell_feed(&self, feed: &Feed, now_ns: i64) {
        for (origin, records) in &feed.records {
            let bytes = records.iter().map(|record| record.body.len() as u64).sum();
            self.status.read(origin.source, records.len() as u64, bytes, now_ns);
        }
        if !feed.samples.is_empty() {
            self.status.read(Source::Sample, feed.samples.len() as u64, 0, now_ns);
        }
        let losses = feed.events.iter().filter(|event| event.class == "lastwords.loss").count() as u64;
        self.status.lock().losses += losses;
    }
}
