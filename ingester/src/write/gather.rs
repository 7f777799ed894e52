//! Collects batches until a block is worth its insert. While the store is busy, blocks grow; when it is idle, a block
//! leaves after a moment, so that a fresh line is soon found. Which batch is next, and which block takes it, say the
//! [`turns`](super::turns).

use std::{sync::Arc, time::Duration};

use lastwords_detect::Detector;
use lastwords_record::{BatchId, ShipperId};
use lastwords_runtime::now_ns;
use lastwords_store::{NativeBlock, Store, rows::day};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, Permit},
        oneshot,
    },
    time::Instant,
};

use super::{
    attempt::planning_time_s,
    gaps::{gap_loss, origin},
    known::{self, Comparison},
    loss,
    pace::Pace,
    prepare::prepare,
    prepared::Prepared,
    state::{Broken, Shared, State, Submitted, form_units},
    turns::{BlockLimits, Filling, Lane, Turns, Weight},
    unit::Unit,
};
use crate::{
    metrics::Counters,
    queue::{Incoming, Written},
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

/// Bytes that a batch takes beyond its own while it waits: in the queue, then for its turn, with an entry among those
/// under way, and what its call keeps of it.
pub(crate) const WAITING_BYTES: usize =
    size_of::<Submitted>() + size_of::<Waiting>() + size_of::<Incoming>() + ENTRIES_BYTES;
/// An entry of a map with a list of one, the task that waits for the answer, and what the allocator rounds up.
const ENTRIES_BYTES: usize = 512;

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
    /// When its first batch came, and how long that waits although the block is small.
    begun: Option<(Instant, Duration)>,
}

struct Gathering {
    turns: Turns<Waiting>,
    live: Gathered,
    history: Gathered,
    pace: Pace,
    /// Batches whose number is known, on their way to be compared. Bounded by the room that they hold.
    known: mpsc::UnboundedSender<Comparison>,
}

impl Gathered {
    /// When it leaves although it is small.
    fn settles(&self, pace: &Pace) -> Option<Instant> {
        let (rows, bytes) = self.filling.amount();
        self.begun.map(|(begun, wait)| begun + pace.wait_with(wait, rows, bytes))
    }

    fn is_due(&self, limits: &BlockLimits, pace: &Pace, open: bool) -> bool {
        // A steady stream must not keep an idle store waiting.
        let is_settled = self.settles(pace).is_some_and(|settled| Instant::now() >= settled);
        !self.batches.is_empty() && (is_settled || !open || self.filling.is_full(limits))
    }
}

impl Gathering {
    fn new(limits: &BlockLimits, known: mpsc::UnboundedSender<Comparison>) -> Gathering {
        let (live, history) = (Gathered::default(), Gathered::default());
        Gathering { turns: Turns::default(), live, history, pace: Pace::new(limits), known }
    }

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
        let settled = [&self.live, &self.history].into_iter().filter_map(|one| one.settles(&self.pace));
        settled.filter(|settled| *settled > now).min()
    }
}

impl Gatherer {
    /// Runs until the queue is closed and empty.
    ///
    /// # Errors
    /// Where blocks cannot be formed, or nobody takes them.
    pub async fn run(
        self,
        mut queue: mpsc::UnboundedReceiver<Submitted>,
        ways: Ways<mpsc::Sender<Block>>,
    ) -> Result<(), Broken> {
        let (known, comparisons) = mpsc::unbounded_channel();
        tokio::spawn(known::answer(self.store.clone(), Arc::clone(&self.counters), comparisons));
        let mut gathering = Gathering::new(&self.limits, known);
        let mut open = true;
        loop {
            while let Ok(next) = queue.try_recv() {
                self.enqueue(next, &mut gathering);
            }
            let live_due = gathering.live.is_due(&self.limits, &gathering.pace, open);
            let history_due = gathering.history.is_due(&self.limits, &gathering.pace, open);
            if live_due && let Ok(slot) = ways.live.try_reserve() {
                self.send_live(&mut gathering, slot).await?;
                continue;
            }
            if history_due && let (Ok(few), Ok(many)) = (ways.few.try_reserve(), ways.many.try_reserve()) {
                self.send_history(&mut gathering.history, few, many).await?;
                continue;
            }
            if let Some((shipper, waiting)) = gathering.next(&self.limits) {
                self.take(shipper, waiting, &mut gathering).await;
                continue;
            }
            if !open && gathering.is_empty() {
                return Ok(());
            }
            let settles = gathering.settles();
            tokio::select! {
                biased;
                next = queue.recv(), if open => match next {
                    Some(next) => self.enqueue(next, &mut gathering),
                    None => open = false,
                },
                slot = ways.live.reserve(), if live_due => {
                    self.send_live(&mut gathering, slot.map_err(|_| nobody())?).await?;
                }
                slots = async { tokio::try_join!(ways.few.reserve(), ways.many.reserve()) }, if history_due => {
                    let (few, many) = slots.map_err(|_| nobody())?;
                    self.send_history(&mut gathering.history, few, many).await?;
                }
                () = tokio::time::sleep_until(settles.unwrap_or_else(Instant::now)), if settles.is_some() => {}
            }
        }
    }

    /// Takes a batch in, unless its number is known or under way already.
    fn enqueue(&self, submitted: Submitted, gathering: &mut Gathering) {
        let Submitted { id, incoming, reply, room } = submitted;
        let mut state = self.shared.lock();
        if state.memory.knows(&id) {
            self.counters.known_batches.inc();
            // Where nobody answers any more, it comes again.
            let _ = gathering.known.send(Comparison { id, incoming, reply, room });
            return;
        }
        let waiting = state.under_way.entry(id).or_default();
        if !waiting.is_empty() {
            let (stored, first) = oneshot::channel();
            waiting.push(stored);
            let comparison = Comparison { id, incoming, reply, room };
            self.compare_with_first(comparison, first, gathering.known.clone());
            return;
        }
        waiting.push(reply);
        let State { memory, gaps, .. } = &mut *state;
        if let Some(gap) = gaps.find(&id, memory.ledger()) {
            self.counters.losses.inc();
            let (store, (host, sealed_ns)) = (self.store.clone(), origin(&incoming));
            tokio::spawn(async move { loss::tell(&store, &gap_loss(&id, gap, &host, sealed_ns)).await });
        }
        let waiting = Waiting { id, content: Content::Incoming(Box::new(incoming)), room, weight: None };
        gathering.turns.push(id.shipper, waiting);
    }

    /// Has a batch compared whose number will be stored once `first` resolves.
    fn compare_with_first(
        &self,
        comparison: Comparison,
        first: oneshot::Receiver<Written>,
        known: mpsc::UnboundedSender<Comparison>,
    ) {
        self.counters.known_batches.inc();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            // Where the first was not stored: no answer, and it comes again.
            if first.await.is_ok() && shared.lock().memory.knows(&comparison.id) {
                let _ = known.send(comparison);
            }
        });
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
        let now = Instant::now();
        let wait = match weight.lane {
            Lane::Live => gathering.pace.wait(now.into_std()),
            Lane::History => self.limits.settle,
        };
        let gathered = gathering.lane(weight.lane);
        if gathered.filling.fits(&shipper, &weight, &self.limits) {
            gathered.begun.get_or_insert((now, wait));
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

    async fn send_live(&self, gathering: &mut Gathering, slot: Permit<'_, Block>) -> Result<(), Broken> {
        let (rows, bytes) = gathering.live.filling.amount();
        let batches = gathering.live.batches.len();
        let waited = gathering.live.begun.map_or(self.limits.settle, |(_, wait)| wait);
        gathering.pace.left(Instant::now().into_std(), waited, batches, rows, bytes);
        self.send(&mut gathering.live, slot).await
    }

    async fn send_history(
        &self,
        gathered: &mut Gathered,
        few: Permit<'_, Block>,
        many: Permit<'_, Block>,
    ) -> Result<(), Broken> {
        let slot = if gathered.filling.units() <= FEW_UNITS { few } else { many };
        self.send(gathered, slot).await
    }

    /// Forms the block and sends it.
    async fn send(&self, gathered: &mut Gathered, slot: Permit<'_, Block>) -> Result<(), Broken> {
        let Gathered { batches, room, .. } = std::mem::take(gathered);
        let planned_s = planning_time_s(&self.store).await;
        let units = form_units(&self.shared, &batches, planned_s).await?;
        slot.send(Block { batches, units, planned_s, formed: Instant::now(), room });
        Ok(())
    }
}

fn nobody() -> Broken {
    Broken("the inserters are gone".to_owned())
}
