//! After a restart: the batches that were under way, formed again exactly as they were.

use std::collections::BTreeSet;

use lastwords_record::Batch;
use xxhash_rust::xxh3::xxh3_64;

use super::{OutboxError, Shipper};
use crate::{
    form::{Dater, Ending, Stretch},
    plan::Planned,
    source::loss_event,
};

impl Shipper {
    pub(super) fn reform(&mut self, now_ns: i64) -> Result<(), OutboxError> {
        for open in self.outbox.memory().open.clone() {
            if open.planned.sealed {
                self.outbox.resend_sealed(&open);
                continue;
            }
            let mut formed = self.form_again(&open.planned);
            if formed.is_err() && self.go_on_in_copies(&open.planned)? {
                // A file was rotated only just now.
                formed = self.form_again(&open.planned);
            }
            match formed {
                Ok(batch) => self.outbox.resend(batch)?,
                Err(why) => self.give_up(&open.planned, &why, now_ns)?,
            }
        }
        self.outbox.sync()?;
        Ok(())
    }

    /// Goes on in copies of the files of a batch that hold something else by now: whether there are any.
    fn go_on_in_copies(&mut self, planned: &Planned) -> Result<bool, OutboxError> {
        let mut found = false;
        let files: BTreeSet<u64> = planned.extents.iter().map(|extent| extent.file).collect();
        for id in files {
            let is_other = self.files.get(id).is_some_and(|file| !file.is_itself().unwrap_or_default());
            found |= is_other && self.files.go_on_in_copy(id, &mut self.outbox)?;
        }
        Ok(found)
    }

    pub(super) fn form_again(&mut self, planned: &Planned) -> Result<Batch, String> {
        self.builder.form_again(true);
        let formed = self.push_extents(planned);
        self.builder.form_again(false);
        let id = self.outbox.memory().batch_id(planned.sequence);
        // Also after a failure: the builder must be empty.
        let batch = self.builder.finish(id, planned.sealed_time_ns, planned.clock());
        formed.map(|()| batch)
    }

    fn push_extents(&mut self, planned: &Planned) -> Result<(), String> {
        for extent in &planned.extents {
            let voice = planned.voices.get(extent.voice).ok_or("the plan names no voice for it")?;
            self.files.unpark(extent.file);
            let file = self.files.get(extent.file).ok_or("its file is gone")?;
            let length = usize::try_from(extent.end - extent.start).map_err(|_| "its plan makes no sense")?;
            let buffer = self.buffer.get_mut(..length).ok_or("its plan makes no sense")?;
            let read = file.content.read_at(extent.start, buffer).map_err(|error| error.to_string())?;
            if read < length || xxh3_64(buffer) != extent.hash {
                return Err(format!("{} holds something else now", file.state.path));
            }
            let origin = self.builder.origin(&voice.origin());
            let mut dater = Dater::new(voice, Some(extent.stamp_before));
            let stretch = Stretch { bytes: buffer, ending: Ending::All, observed_ns: extent.observed_ns };
            let formed = self.former.form(&mut self.builder, origin, &mut dater, stretch);
            if formed.taken < length {
                return Err("it does not fit a batch any more".to_owned());
            }
        }
        Ok(())
    }

    /// The batch's number goes out with nothing but the news of its loss: whether the batch had arrived before is
    /// not known, so that its readable parts must not go under another number.
    fn give_up(&mut self, planned: &Planned, why: &str, now_ns: i64) -> Result<(), OutboxError> {
        let bytes: u64 = planned.extents.iter().map(|extent| extent.end - extent.start).sum();
        tracing::error!(sequence = planned.sequence, bytes, %why, "a batch under way cannot be formed again");
        let id = self.outbox.memory().batch_id(planned.sequence);
        let title = format!("batch {} could not be formed again after a restart: {why}", planned.sequence);
        let key = format!("{}/batch/{}", id.epoch, id.sequence);
        let event = loss_event(&self.config.host, now_ns, key, title, &[("bytes", bytes)]);
        // An event is far below what an empty batch holds.
        let _ = self.builder.push_event(&event);
        let batch = self.builder.finish(id, planned.sealed_time_ns, planned.clock());
        let planned = Planned { extents: Vec::new(), voices: Vec::new(), ..planned.clone() };
        self.outbox.plan_sealed(planned, &batch)
    }
}
