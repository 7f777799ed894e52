//! Collects batches until a block is worth its insert. While the store is busy, blocks grow; when it is idle, a block
//! leaves after a moment, so that a fresh line is soon found. Which batch is next, and which block takes it, say the
//! [`turns`](super::turns).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use lastwords_detect::Detector;
use lastwords_record::{
    Batch, BatchId, ShipperId,
    limits::{BATCH_STORED_BYTES_MAX, RETRY_STORED_BYTES_MAX},
};
use lastwords_runtime::now_ns;
use lastwords_store::{NativeBlock, Store, rows::day};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, Permit},
    },
    time::Instant,
};

use super::{
    BlockLimits, Shared, Unit,
    block::{self, Prepared},
    footprint::{self, Footprint},
    insert::{ATTEMPT, SLACK},
    turns::{Filling, Lane, Turns, Weight},
};
use crate::{
    detect,
    metrics::Counters,
    quarantine::Aside,
    queue::{Incoming, Submitted, Written},
};

/// Units of a block of history that the first inserter takes, too: what comes live meanwhile waits for so many.
const FEW_UNITS: usize = 8;

/// A block on its way to the store.
#[derive(Debug)]
pub struct Block {
    /// Its batches.
    pub batches: Vec<Arc<Prepared>>,
    /// Their rows.
    pub units: Vec<(Unit, NativeBlock)>,
    /// The store's clock when it was formed, seconds.
    pub planned_s: u32,
    /// When that was by our clock.
    pub formed: Instant,
    /// Room in the queue, given back with the block.
    pub room: Vec<OwnedSemaphorePermit>,
}

/// The ways of blocks to the inserters, or the inserters' ends of them. One block waits on each; of the two kinds of
/// history on one of both.
#[derive(Debug)]
pub struct Ways<T> {
    /// Rows of these days.
    pub live: T,
    /// History of a few units.
    pub few: T,
    /// History of more.
    pub many: T,
}

/// The first half of the writer.
#[derive(Debug)]
pub struct Gatherer {
    pub store: Store,
    pub detector: Arc<Detector>,
    pub limits: BlockLimits,
    pub counters: Arc<Counters>,
    pub shared: Arc<Shared>,
}

/// A batch that waits for its turn.
struct Waiting {
    id: BatchId,
    content: Content,
    room: OwnedSemaphorePermit,
    /// What it takes of a block; known once it has been opened.
    weight: Option<Weight>,
}

enum Content {
    Incoming(Box<Incoming>),
    Prepared(Box<Prepared>),
}

/// A block that is gathered.
#[derive(Default)]
struct Gathered {
    filling: Filling,
    batches: Vec<Arc<Prepared>>,
    room: Vec<OwnedSemaphorePermit>,
    /// When it leaves although it is small.
    settled: Option<Instant>,
}

#[derive(Default)]
struct Gathering {
    turns: Turns<Waiting>,
    live: Gathered,
    history: Gathered,
}

impl Gathered {
    fn is_due(&self, limits: &BlockLimits, open: bool) -> bool {
        // A steady stream must not keep an idle store waiting.
        let is_settled = self.settled.is_some_and(|settled| Instant::now() >= settled);
        !self.batches.is_empty() && (is_settled || !open || self.filling.is_full(limits))
    }
}

impl Gathering {
    fn lane(&mut self, lane: Lane) -> &mut Gathered {
        match lane {
            Lane::Live => &mut self.live,
            Lane::History => &mut self.history,
        }
    }

    /// The batch whose turn it is, of those that fit a block or may fit one.
    fn next(&mut self, limits: &BlockLimits) -> Option<(ShipperId, Waiting)> {
        let (live, history) = (&self.live.filling, &self.history.filling);
        self.turns.next(|shipper, waiting| match &waiting.weight {
            Some(weight) if weight.lane == Lane::Live => live.fits(shipper, weight, limits),
            Some(weight) => history.fits(shipper, weight, limits),
            None => live.has_room_for(shipper, limits) || history.has_room_for(shipper, limits),
        })
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.live.batches.is_empty() && self.history.batches.is_empty()
    }

    /// When a block will next be due for its age alone; none where that is so already.
    fn settles(&self) -> Option<Instant> {
        let now = Instant::now();
        let settled = [&self.live, &self.history].into_iter().filter_map(|gathered| gathered.settled);
        settled.filter(|settled| *settled > now).min()
    }
}

impl Gatherer {
    /// Runs until the queue is closed and empty.
    pub async fn run(self, mut queue: mpsc::UnboundedReceiver<Submitted>, ways: Ways<mpsc::Sender<Block>>) {
        let mut gathering = Gathering::default();
        let mut open = true;
        loop {
            while let Ok(next) = queue.try_recv() {
                self.enqueue(next, &mut gathering);
            }
            let live_due = gathering.live.is_due(&self.limits, open);
            let history_due = gathering.history.is_due(&self.limits, open);
            if live_due && let Ok(slot) = ways.live.try_reserve() {
                match self.send(&mut gathering.live, slot).await {
                    Some(()) => continue,
                    None => return,
                }
            }
            if history_due && let (Ok(few), Ok(many)) = (ways.few.try_reserve(), ways.many.try_reserve()) {
                match self.send_history(&mut gathering.history, few, many).await {
                    Some(()) => continue,
                    None => return,
                }
            }
            if let Some((shipper, waiting)) = gathering.next(&self.limits) {
                self.take(shipper, waiting, &mut gathering).await;
                continue;
            }
            if !open && gathering.is_empty() {
                return;
            }
            let settles = gathering.settles();
            let sent = tokio::select! {
                biased;
                next = queue.recv(), if open => {
                    match next {
                        Some(next) => self.enqueue(next, &mut gathering),
                        None => open = false,
                    }
                    Some(())
                }
                slot = ways.live.reserve(), if live_due => match slot {
                    Ok(slot) => self.send(&mut gathering.live, slot).await,
                    Err(_) => None,
                },
                slots = async { tokio::try_join!(ways.few.reserve(), ways.many.reserve()) }, if history_due => {
                    match slots {
                        Ok((few, many)) => self.send_history(&mut gathering.history, few, many).await,
                        Err(_) => None,
                    }
                }
                () = tokio::time::sleep_until(settles.unwrap_or_else(Instant::now)), if settles.is_some() => Some(()),
            };
            if sent.is_none() {
                return;
            }
        }
    }

    /// Takes a batch in, unless it is known or under way already.
    fn enqueue(&self, submitted: Submitted, gathering: &mut Gathering) {
        let Submitted { id, incoming, reply, room } = submitted;
        {
            let mut state = self.shared.lock();
            if state.memory.knows(&id) {
                Counters::add(&self.counters.known_batches, 1);
                // Whoever sent it may be gone.
                let _ = reply.send(Written::default());
                return;
            }
            let waiting = state.under_way.entry(id).or_default();
            waiting.push(reply);
            if waiting.len() > 1 {
                Counters::add(&self.counters.known_batches, 1);
                return;
            }
        }
        let waiting = Waiting { id, content: Content::Incoming(Box::new(incoming)), room, weight: None };
        gathering.turns.push(id.shipper, waiting);
    }

    /// Opens and scans one batch and puts it into its block; where it does not fit, it is its shipper's next one.
    async fn take(&self, shipper: ShipperId, waiting: Waiting, gathering: &mut Gathering) {
        let Waiting { id, content, room, .. } = waiting;
        // What comes sealed waits sealed: opened it may take many times as much.
        let sealed = match &content {
            Content::Incoming(incoming) => match &**incoming {
                Incoming::Sealed(envelope) => Some(envelope.clone()),
                Incoming::Opened(_) => None,
            },
            Content::Prepared(_) => None,
        };
        let detector = Arc::clone(&self.detector);
        let prepared = tokio::task::spawn_blocking(move || match content {
            Content::Incoming(incoming) => Box::new(prepare(&detector, id, *incoming)),
            Content::Prepared(prepared) => prepared,
        });
        let prepared = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => {
                // Its sender gets no acknowledgement and sends it again.
                tracing::error!(batch = %id, %error, "opening a batch broke");
                self.shared.lock().under_way.remove(&id);
                gathering.turns.pay(&shipper, 0);
                return;
            }
        };
        let weight = Weight {
            lane: Lane::choose(prepared.units(), day(now_ns())),
            rows: prepared.rows(),
            bytes: prepared.bytes(),
            units: prepared.units().to_vec(),
        };
        let settled = Instant::now() + self.limits.settle;
        let gathered = gathering.lane(weight.lane);
        if gathered.filling.fits(&shipper, &weight, &self.limits) {
            gathered.settled.get_or_insert(settled);
            let cost = gathered.filling.add(shipper, &weight);
            gathered.batches.push(Arc::from(prepared));
            gathered.room.push(room);
            gathering.turns.pay(&shipper, cost);
        } else {
            let content = match sealed {
                Some(envelope) => Content::Incoming(Box::new(Incoming::Sealed(envelope))),
                None => Content::Prepared(prepared),
            };
            gathering.turns.put_back(shipper, Waiting { id, content, room, weight: Some(weight) });
        }
    }

    async fn send_history(
        &self,
        gathered: &mut Gathered,
        few: Permit<'_, Block>,
        many: Permit<'_, Block>,
    ) -> Option<()> {
        let slot = if gathered.filling.units() <= FEW_UNITS { few } else { many };
        self.send(gathered, slot).await
    }

    /// Forms the block and sends it; none where this process is ending.
    async fn send(&self, gathered: &mut Gathered, slot: Permit<'_, Block>) -> Option<()> {
        let Gathered { batches, room, .. } = std::mem::take(gathered);
        let planned_s = planning_time_s(&self.store).await;
        let units = form_units(&self.shared, &batches, planned_s).await?;
        slot.send(Block { batches, units, planned_s, formed: Instant::now(), room });
        Some(())
    }
}

/// The store's clock, asked until it answers.
pub async fn planning_time_s(store: &Store) -> u32 {
    let mut pause = Duration::from_millis(50);
    loop {
        match store.planning_time_s().await {
            Ok(planned_s) => return planned_s,
            Err(error) => tracing::warn!(%error, "the store does not tell its time; asking again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Waits until nothing that was planned then can arrive in the store any more.
pub async fn attempt_over(store: &Store, planned_s: u32) {
    let mut pause = Duration::from_millis(200);
    loop {
        match store.is_over(planned_s, ATTEMPT + SLACK).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the store does not tell its time; asking again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Forms units away from the threads that serve; none where this process is ending.
pub async fn form_units(
    shared: &Shared,
    batches: &[Arc<Prepared>],
    planned_s: u32,
) -> Option<Vec<(Unit, NativeBlock)>> {
    // A batch is in one block at a time, so what is stored of it does not change meanwhile.
    let partly = shared.lock().memory.partly_stored_among(batches.iter().map(|batch| batch.id()));
    let batches = batches.to_vec();
    let formed = tokio::task::spawn_blocking(move || {
        let lacks = |id: &BatchId, unit: Unit| !partly.get(id).is_some_and(|units| units.contains(&unit));
        block::form(batches.iter().map(Arc::as_ref), lacks, planned_s)
    });
    match formed.await {
        Ok(units) => Some(units),
        Err(error) => {
            tracing::error!(%error, "forming a block broke");
            None
        }
    }
}

/// By what bounds a batch is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// It came in a stream, with others behind it.
    Stream,
    /// An operator takes it out of the quarantine: old programs knew no bounds.
    Retry,
}

/// Opens and scans a batch; whatever goes wrong, it becomes something that can be stored. The same batch gives the same
/// every time.
pub fn prepare(detector: &Detector, id: BatchId, incoming: Incoming) -> Prepared {
    prepare_within(detector, id, incoming, Bounds::Stream)
}

/// The same within other bounds.
pub fn prepare_within(detector: &Detector, id: BatchId, incoming: Incoming, bounds: Bounds) -> Prepared {
    let stored_bytes_max = match bounds {
        Bounds::Stream => BATCH_STORED_BYTES_MAX,
        Bounds::Retry => RETRY_STORED_BYTES_MAX,
    };
    let envelope = match incoming {
        Incoming::Opened(batch) => return scanned(detector, batch, None, bounds, stored_bytes_max),
        Incoming::Sealed(envelope) => envelope,
    };
    let opened = catch_unwind(AssertUnwindSafe(|| Batch::open_within(&envelope, stored_bytes_max)));
    let reason = match opened {
        Ok(Ok(batch)) => return scanned(detector, batch, Some(envelope), bounds, stored_bytes_max),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "opening it broke the program".to_owned(),
    };
    Prepared::Aside(Aside { id, envelope, reason, sealed_ns: now_ns() })
}

/// A batch on which the detector breaks would break it again and again: it is poison.
fn scanned(
    detector: &Detector,
    batch: Batch,
    envelope: Option<bytes::Bytes>,
    bounds: Bounds,
    stored_bytes_max: usize,
) -> Prepared {
    let aside = |reason: String| {
        Prepared::Aside(match envelope {
            Some(envelope) => {
                Aside { id: batch.header.id, envelope, reason, sealed_ns: batch.header.sealed_time_ns }
            }
            None => Aside::opened(&batch, reason),
        })
    };
    if bounds == Bounds::Stream
        && let Err(unfit) = footprint::check(&batch)
    {
        return aside(unfit.to_string());
    }
    let found = match catch_unwind(AssertUnwindSafe(|| detect::scan(detector, &batch))) {
        Ok(found) => found,
        Err(_) => return aside("looking for events in it broke the program".to_owned()),
    };
    match Footprint::measure(&batch, &found, stored_bytes_max) {
        Ok(footprint) => Prepared::Opened(Box::new(batch), found, footprint),
        Err(unfit) => aside(unfit.to_string()),
    }
}
