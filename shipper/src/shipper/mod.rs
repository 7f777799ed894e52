//! The shipper's steps, each of which either happened or did not when the process is killed between two of them:
//!
//! 1. [`Shipper::open`] reads the plan and forms again what was under way,
//! 2. [`Shipper::scan`] finds which files there are now,
//! 3. [`Shipper::form`] and [`Shipper::feed`] make the next batch, planned but not durable,
//! 4. [`Shipper::sync`] makes it durable,
//! 5. [`Shipper::take_ready`] gives it to the uplink,
//! 6. [`Shipper::report`] takes in what the uplink says.
//!
//! No threads, no clock, no network: [`run`](crate::run()) drives it, and so does the simulation in the tests.

mod done;
mod files;
mod generations;
mod identity;
mod kinship;
mod lookup;
mod outbox;
mod parking;
mod placing;
mod reform;
mod registry;
mod standing;
mod waiting;

use lastwords_record::{BatchBuilder, BatchId, Clock, Compression, Full, ShipperEvent};

pub(crate) use identity::settle;
pub(crate) use lookup::awaited;
pub use outbox::{InFlight, Outbox, OutboxError};

use crate::{
    config::ShipperConfig,
    descriptors,
    form::{Ending, Former, Stretch},
    moment::{Moment, nanoseconds},
    plan::{Extent, PlanError, Planned},
    source::{Feed, Stop, followed::Patience, loss_event, trace::Trace},
    status::Status,
    uplink::{Outgoing, Report},
};
use registry::Files;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Stretches of files in one batch, at most.
const EXTENTS_MAX: usize = 512;

/// Everything between the sources and the uplink.
#[derive(Debug)]
pub struct Shipper {
    config: ShipperConfig,
    outbox: Outbox,
    files: Files,
    builder: BatchBuilder,
    former: Former,
    buffer: Vec<u8>,
    clock: Clock,
    /// Told with the next batch.
    losses: Vec<ShipperEvent>,
    status: Status,
}

impl Shipper {
    /// Reads the plan and forms again what was under way. `now` is the epoch where a new one is needed.
    ///
    /// # Errors
    /// Where the state folder cannot be used.
    pub fn open(
        mut config: ShipperConfig,
        sealing: Option<Compression>,
        now: Moment,
    ) -> Result<Shipper, OutboxError> {
        let now_ns = now.wall_ns;
        let shipper = settle(&mut config.host, &config.state_dir);
        let outbox = Outbox::open(&config.state_dir, shipper, now_ns.unsigned_abs(), sealing)?;
        let mut this = Shipper {
            outbox,
            files: Files::new(descriptors::raise()),
            builder: BatchBuilder::new(),
            former: Former::default(),
            buffer: vec![0; READ_BYTES],
            clock: Clock::default(),
            losses: Vec::new(),
            status: Status::default(),
            config,
        };
        if let Some(damage) = this.outbox.damage().map(str::to_owned) {
            this.lost(now_ns, "state", format!("the shipper's state was damaged: {damage}"), &[]);
        }
        this.outbox.follow_name(&this.config.host, now_ns.unsigned_abs())?;
        this.outbox.settle_in()?;
        this.files.reopen(&this.config, &mut this.outbox, now)?;
        this.reform(now_ns)?;
        this.turn_epoch(now)?;
        Ok(this)
    }

    /// Where the epoch is over and nothing of it is under way any more, begins a new one: whether it did. The uplink then
    /// has to introduce itself anew.
    ///
    /// # Errors
    /// Where it cannot be written down.
    pub fn turn_epoch(&mut self, now: Moment) -> Result<bool, OutboxError> {
        let memory = self.outbox.memory();
        let Some(why) = memory.epoch_over.clone().filter(|_| self.outbox.in_flight() == 0) else {
            return Ok(false);
        };
        let (old, again) = (memory.epoch, memory.refused.len());
        self.tell_epoch();
        self.outbox.begin_epoch(now.wall_ns.unsigned_abs())?;
        let epoch = self.outbox.memory().epoch;
        tracing::warn!(old, epoch, %why, again, "the shipper begins a new epoch");
        self.reform(now.wall_ns)?;
        Ok(true)
    }

    /// Whether a batch waits for room on its way to the uplink.
    pub fn has_ready(&self) -> bool {
        self.outbox.has_ready()
    }

    /// Gives a batch back that the uplink has no room for.
    pub fn put_back(&mut self, batch: Outgoing) {
        self.outbox.put_back(batch);
    }

    /// From now on a full disk is waited for, until `giving_up` is set.
    pub fn wait_for_room(&mut self, giving_up: Stop) {
        self.outbox.wait_for_room(giving_up);
    }

    /// The first batch that goes out: what an uplink introduces itself with.
    pub fn first_id(&self) -> BatchId {
        self.outbox.first_id()
    }

    /// The highest number of this epoch that was given to a batch.
    pub fn given(&self) -> u64 {
        self.outbox.memory().next_sequence - 1
    }

    /// Where a feed goes on.
    pub fn cursor(&self, stream: &str) -> Option<&[u8]> {
        self.outbox.memory().streams.get(stream).map(Vec::as_slice)
    }

    /// Batches that are neither acknowledged nor rejected.
    pub fn in_flight(&self) -> usize {
        self.outbox.in_flight()
    }

    /// Whether there is room for another batch under way. None is planned in an epoch that is over.
    pub fn has_room(&self) -> bool {
        self.outbox.memory().epoch_over.is_none() && self.outbox.in_flight_bytes() < self.config.window_bytes
    }

    /// How many batches are planned and not durable.
    pub fn unsynced(&self) -> usize {
        self.outbox.unsynced()
    }

    /// Looks at all globs: what is new, what was renamed, what is gone. Gives the folders that were looked into.
    ///
    /// # Errors
    /// Where it cannot be remembered.
    pub fn scan(&mut self, now: Moment) -> Result<Vec<std::path::PathBuf>, OutboxError> {
        let folders = self.files.scan(&self.config, &mut self.outbox, now)?;
        self.tell_files(now);
        self.keep_deleted()?;
        Ok(folders)
    }

    /// Whether there are bytes to read of files that have lost their names: who ends now is the last who can.
    pub fn has_unread_deleted(&self) -> bool {
        self.files.by_id.values().any(|followed| followed.deleted && followed.has_more())
    }

    /// Batches under way whose files have lost their names are kept with their bytes: after a restart nobody could read
    /// them again.
    fn keep_deleted(&mut self) -> Result<(), OutboxError> {
        let deleted = self.files.deleted();
        if deleted.is_empty() {
            return Ok(());
        }
        for open in self.outbox.memory().open.clone() {
            let is_meant = |extent: &Extent| deleted.contains(&extent.file);
            if open.planned.sealed || !open.planned.extents.iter().any(is_meant) {
                continue;
            }
            match self.form_again(&open.planned) {
                Ok(batch) => self.outbox.keep_sealed(&open.planned, &batch)?,
                Err(why) => {
                    tracing::warn!(sequence = open.planned.sequence, %why, "a batch under way cannot be kept");
                }
            }
        }
        Ok(())
    }

    /// These files were written to.
    pub fn touched(&mut self, paths: &[std::path::PathBuf]) {
        self.files.touched(paths);
    }

    /// Reads files and plans one batch from them. False: there is nothing to read now.
    ///
    /// # Errors
    /// Where it cannot be planned.
    pub fn form(&mut self, now: Moment) -> Result<bool, OutboxError> {
        if self.files.scan_due {
            self.scan(now)?;
        }
        self.losses.append(&mut self.files.losses);
        if !self.losses.is_empty() {
            let events = std::mem::take(&mut self.losses);
            self.feed(vec![Feed { events, ..Feed::default() }], now.wall_ns)?;
        }
        let mut planned = self.outbox.planned(now.wall_ns, self.clock);
        for id in self.files.in_turn() {
            if planned.extents.len() >= EXTENTS_MAX || self.form_file(id, &mut planned, now)? {
                break;
            }
        }
        if self.builder.is_empty() {
            // What was read may have left descriptors for what was found and could not be opened.
            let more = self.files.has_deferred() && self.files.has_descriptor();
            self.files.scan_due |= more;
            return Ok(more);
        }
        let batch = self.builder.finish(self.outbox.next_id(), planned.sealed_time_ns, planned.clock());
        let is_deleted =
            |extent: &Extent| self.files.by_id.get(&extent.file).is_some_and(|followed| followed.deleted);
        if planned.extents.iter().any(is_deleted) {
            self.outbox.plan_sealed(planned, &batch)?;
        } else {
            self.outbox.plan(planned, batch)?;
        }
        Ok(true)
    }

    /// Takes what one file has; whether the batch is full.
    fn form_file(&mut self, id: u64, planned: &mut Planned, now: Moment) -> Result<bool, OutboxError> {
        let now_ns = now.wall_ns;
        loop {
            let in_work = planned.extents.iter().any(|extent| extent.file == id);
            let Some(ready) = self.files.ready(id, &mut self.outbox, &self.config, in_work, now)? else {
                return Ok(false);
            };
            let patience = Patience {
                group_ns: nanoseconds(self.config.group_timeout),
                partial_ns: nanoseconds(self.config.partial_timeout),
            };
            if ready.allowed(now) == 0 {
                self.status.lock().files.throttled += 1;
                return Ok(false);
            }
            let position = ready.state.position;
            let length = match ready.content.read_at(position, &mut self.buffer) {
                Ok(length) => length,
                Err(error) => {
                    tracing::warn!(file = %ready.state.path, %error, "cannot be read; trying again later");
                    ready.touched = false;
                    return Ok(false);
                }
            };
            let bytes = self.buffer.get(..length).unwrap_or_default();
            let whole = length < READ_BYTES;
            if whole && ready.content.plain().is_none() {
                ready.size = position + length as u64;
            }
            ready.learn_encoding(bytes);
            let ending = if whole { ready.ending(now, patience) } else { Ending::Open };
            let origin = self.builder.origin(&ready.voice.origin());
            let stamp_before = ready.dater.memory();
            let stretch = Stretch { bytes, ending, observed_ns: now_ns };
            let formed = self.former.form(&mut self.builder, origin, &mut ready.dater, stretch);
            if formed.taken == 0 {
                ready.touched &= formed.full;
                return Ok(formed.full);
            }
            let taken = bytes.get(..formed.taken).unwrap_or_default();
            self.status.read(ready.voice.source, formed.records, formed.taken as u64, now_ns);
            if formed.dropped + formed.redacted > 0 {
                let mut state = self.status.lock();
                state.files.dropped += formed.dropped;
                state.files.redacted += formed.redacted;
            }
            if formed.blank_bytes > 0 {
                self.status.lock().files.blank_bytes += formed.blank_bytes;
                tracing::warn!(file = %ready.state.path, bytes = formed.blank_bytes, "NULs that a crash has left, or a writer that goes on behind a hole, are left out");
            }
            // Read after the bytes: where the file was written anew meanwhile, its beginning is another one.
            let identity = match ready.identity_after(taken) {
                Ok(identity) => identity,
                Err(_) => ready.state.identity.with_tail(taken),
            };
            let voice = planned.voices.iter().position(|voice| *voice == ready.voice).unwrap_or_else(|| {
                planned.voices.push(ready.voice.clone());
                planned.voices.len() - 1
            });
            let trace = Trace::of_bytes(taken);
            ready.state.trace.append(position, &trace);
            let extent = Extent {
                file: id,
                start: position,
                end: position + formed.taken as u64,
                hash: xxh3_64(taken),
                voice,
                observed_ns: now_ns,
                stamp_before,
                stamp_after: ready.dater.memory(),
                identity,
                trace,
                digest: String::new(),
            };
            ready.use_up(formed.taken as u64);
            ready.state.position = extent.end;
            ready.state.stamp = extent.stamp_after;
            ready.state.identity = identity;
            planned.extents.push(extent);
            if formed.full {
                return Ok(true);
            }
        }
    }

    /// Plans batches from feeds; their bytes are in the plan.
    ///
    /// # Errors
    /// Where they cannot be planned.
    pub fn feed(&mut self, feeds: Vec<Feed>, now_ns: i64) -> Result<(), OutboxError> {
        for feed in feeds {
            self.tell_feed(&feed, now_ns);
            let has_cursor = !feed.cursor.is_empty();
            for (origin, records) in &feed.records {
                let origin = self.builder.origin(origin);
                for record in records {
                    self.push(now_ns, has_cursor, |builder| {
                        record.with_ref(|record| builder.push(origin, record))
                    })?;
                }
            }
            for sample in &feed.samples {
                self.push(now_ns, has_cursor, |builder| builder.push_sample(sample))?;
            }
            for event in &feed.events {
                self.push(now_ns, has_cursor, |builder| builder.push_event(event))?;
            }
            for placement in &feed.placements {
                self.push(now_ns, has_cursor, |builder| builder.push_placement(placement))?;
            }
            let cursors = if feed.cursor.is_empty() { Vec::new() } else { vec![(feed.stream, feed.cursor)] };
            self.seal(now_ns, cursors, false)?;
        }
        Ok(())
    }

    /// Pushes a row; where the batch is full, it goes out and the row is the first of the next one.
    fn push(
        &mut self,
        now_ns: i64,
        has_cursor: bool,
        mut row: impl FnMut(&mut BatchBuilder) -> Result<(), Full>,
    ) -> Result<(), OutboxError> {
        if row(&mut self.builder).is_ok() {
            return Ok(());
        }
        // Without the batches behind it, with its cursor, the feed is read again.
        self.seal(now_ns, Vec::new(), has_cursor)?;
        if row(&mut self.builder).is_err() {
            self.lost(now_ns, "row", "a row is larger than a batch may be".to_owned(), &[("records", 1)]);
        }
        Ok(())
    }

    fn seal(
        &mut self,
        now_ns: i64,
        cursors: Vec<(String, Vec<u8>)>,
        unfinished: bool,
    ) -> Result<(), OutboxError> {
        let planned = Planned { cursors, unfinished, ..self.outbox.planned(now_ns, self.clock) };
        if self.builder.is_empty() {
            // Nothing but a cursor: it may go on without a batch.
            for (name, cursor) in planned.cursors {
                self.outbox.remember(crate::plan::Entry::Stream { name, cursor })?;
            }
            return Ok(());
        }
        let batch = self.builder.finish(self.outbox.next_id(), planned.sealed_time_ns, planned.clock());
        self.outbox.plan_sealed(planned, &batch)
    }

    /// Makes durable what was planned.
    ///
    /// # Errors
    /// Where the disk does not.
    pub fn sync(&mut self) -> Result<(), PlanError> {
        self.outbox.sync()?;
        self.tell_in_flight();
        Ok(())
    }

    /// The next batch to send.
    pub fn take_ready(&mut self) -> Option<Outgoing> {
        self.outbox.take_ready()
    }

    /// Takes in what the uplink says.
    ///
    /// # Errors
    /// Where it cannot be remembered.
    pub fn report(&mut self, report: Report, now_ns: i64) -> Result<(), OutboxError> {
        match report {
            Report::Clock(clock) => self.clock = clock,
            // Whoever drives it asks for batches at that pace.
            Report::SealAfter(_) => {}
            Report::Connection { is_up } => self.status.lock().is_connected = is_up,
            Report::Acknowledged { sequence, .. } => {
                let before = self.outbox.in_flight();
                self.outbox.acknowledged(sequence)?;
                let mut state = self.status.lock();
                state.acknowledged += (before - self.outbox.in_flight()) as u64;
                state.is_connected = true;
            }
            Report::Ahead { sequence } => {
                tracing::warn!(
                    known = sequence,
                    "the ingester knows numbers of this shipper that it has not given: its state was set back, or another machine sends under its name"
                );
                self.outbox.end_epoch("the ingester knew numbers that it had not given")?;
            }
            Report::Refused { sequence, reason } => {
                if self.outbox.refused(sequence)?.is_some() {
                    tracing::warn!(sequence, %reason, "the ingester holds another batch under this number; it is sent again in a new epoch");
                    self.outbox.end_epoch("the ingester held another batch under one of its numbers")?;
                }
            }
            Report::Rejected { sequence, reason } => {
                if let Some(batch) = self.outbox.find(sequence) {
                    tracing::error!(sequence, %reason, records = batch.records, "a batch was rejected; its records are lost");
                    let title = format!("batch {sequence} was rejected: {reason}");
                    let lost = [("records", batch.records), ("bytes", batch.bytes)];
                    self.lost(now_ns, &format!("rejected/{sequence}"), title, &lost);
                    // The loss is planned before the rejection: a kill between the two tells it twice (under one
                    // key), never not at all.
                    let events = std::mem::take(&mut self.losses);
                    self.feed(vec![Feed { events, ..Feed::default() }], now_ns)?;
                    self.outbox.rejected(sequence)?;
                }
            }
        }
        Ok(())
    }

    fn lost(&mut self, now_ns: i64, key: &str, title: String, lost: &[(&str, u64)]) {
        let key = format!("{}/{key}", self.outbox.memory().epoch);
        self.losses.push(loss_event(&self.config.host, now_ns, key, title, lost));
    }
}

#[cfg(test)]
mod tests;
