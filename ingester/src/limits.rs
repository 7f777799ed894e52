//! What the front may take from the machine: memory, places, time. One set for all listeners of a process.
//!
//! `memory_max` bounds what comes from outside until it is stored: a quarter for connections ([`CONNECTION_BYTES`]
//! each), three eighths for batches that are half received or wait for storage, three eighths for the queue behind.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lastwords_record::ShipperId;
use lastwords_runtime::{
    descriptors::{self, DescriptorPlan},
    metrics::look,
    places::{PlaceLimits, Places},
};
use tokio_util::sync::CancellationToken;

use crate::{
    budget::{Budget, BudgetLimits},
    turns::Turns,
};

/// What HTTP/2 lets one connection send before it is read: of all its streams together.
pub(crate) const WINDOW_BYTES: u32 = 64 * 1024;
/// What one connection may take at most beside its batches: its window, buffers of TLS and HTTP/2 in both directions,
/// headers of its streams, a half message before the Hello.
pub const CONNECTION_BYTES: usize = 256 * 1024;
/// What a process takes without any caller: program, rules for events, the allocator's own.
pub(crate) const BASE_BYTES: usize = 256 << 20;
/// Below this a machine's worst hour has no room.
pub const MEMORY_BYTES_MIN: usize = 64 << 20;
/// Where nobody says otherwise: an eighth of the machine's memory within these.
const DEFAULT_BYTES: std::ops::RangeInclusive<usize> = 256 << 20..=2 << 30;
/// What one shipper, and one connection, may have in flight at most.
const SHARE_BYTES_MAX: usize = 32 << 20;
/// What the queue may hold: more would only make everybody wait longer.
const QUEUE_BYTES_MAX: usize = 192 << 20;
/// Calls of one shipper at once: a newer one ends the oldest, which a cut connection may have left behind.
const CALLS_PER_SHIPPER_MAX: usize = 4;

/// How `memory_max` is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// All of it.
    pub memory_bytes_max: usize,
    /// Connections of shippers: as many as have memory and descriptors.
    pub connections: usize,
    /// Batches that are half received or not durable yet.
    pub in_flight_bytes: usize,
    /// What one shipper may have of these.
    pub share_bytes: usize,
    /// The queue behind: opened batches until they are stored, or what Kafka has not acknowledged.
    pub queue_bytes: usize,
}

impl MemoryPlan {
    /// Divides. Pure.
    #[must_use]
    pub fn new(memory_bytes_max: usize, descriptors: &DescriptorPlan) -> MemoryPlan {
        let in_flight_bytes = memory_bytes_max / 8 * 3;
        MemoryPlan {
            memory_bytes_max,
            connections: (memory_bytes_max / 4 / CONNECTION_BYTES).clamp(4, descriptors.shippers.max(4)),
            in_flight_bytes,
            share_bytes: (in_flight_bytes / 4).min(SHARE_BYTES_MAX),
            queue_bytes: in_flight_bytes.min(QUEUE_BYTES_MAX),
        }
    }

    /// What is used where nobody says how much, on a machine with so much memory.
    #[must_use]
    pub fn default_bytes(machine_bytes: usize) -> usize {
        (machine_bytes / 8).clamp(*DEFAULT_BYTES.start(), *DEFAULT_BYTES.end())
    }

    /// What a process with these limits takes at most, the engine's memory aside: what there is without any caller, what
    /// is planned here, and once more what the writer makes of the queue: rows, and blocks of them.
    #[must_use]
    pub fn process_bytes_max(&self) -> usize {
        BASE_BYTES + self.memory_bytes_max + 2 * self.queue_bytes
    }

    /// The plan in words, for `config check` and `doctor`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "{} MiB at most for what comes from outside: {} connections, {} MiB of batches in flight ({} MiB a shipper), {} MiB queued",
            self.memory_bytes_max >> 20,
            self.connections,
            self.in_flight_bytes >> 20,
            self.share_bytes >> 20,
            self.queue_bytes >> 20
        )
    }
}

/// How long others may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From a connection's begin, and from the end of its last call, to a Hello that is welcome.
    pub hello: Duration,
    /// Between two messages of a call; shippers send heartbeats every 5 s.
    pub idle: Duration,
    /// From the first byte of a message to its last.
    pub message: Duration,
    /// For taking an answer.
    pub reply: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            hello: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            message: Duration::from_secs(30),
            reply: Duration::from_secs(30),
        }
    }
}

/// The limits of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How memory is divided.
    pub plan: MemoryPlan,
    /// Bytes of batches in flight.
    pub budget: Budget,
    /// Places for shippers' connections over TCP.
    pub places: Places,
    /// How long others may take.
    pub deadlines: Deadlines,
    pub(crate) callers: Callers,
    pub(crate) turns: Turns,
}

impl Limits {
    /// New pools by a plan.
    #[must_use]
    pub fn new(plan: MemoryPlan) -> Limits {
        let budget = BudgetLimits { total_bytes: plan.in_flight_bytes, share_bytes: plan.share_bytes };
        Limits {
            plan,
            budget: Budget::new(budget),
            places: Places::new(PlaceLimits::new(plan.connections)),
            deadlines: Deadlines::default(),
            callers: Callers::default(),
            turns: Turns::default(),
        }
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let gauges = [
            ("memory_bytes_max", "Bytes that what comes from outside may take.", self.plan.memory_bytes_max),
            ("connections", "Connections of shippers.", self.places.taken()),
            ("connections_max", "Connections of shippers that may be.", self.places.limits().total),
        ];
        let own = look(move |looked| {
            for (name, help, value) in gauges {
                looked.gauge(&format!("lastwords_ingester_{name}"), help, value as u64);
            }
        });
        self.budget.metrics() + &own
    }
}

impl Default for Limits {
    /// For half a GiB, whatever machine this is.
    fn default() -> Self {
        Limits::new(MemoryPlan::new(512 << 20, &descriptors::current()))
    }
}

type Calls = HashMap<ShipperId, VecDeque<(u64, CancellationToken)>>;

/// Calls that are welcome, by shipper.
#[derive(Debug, Clone, Default)]
pub(crate) struct Callers(Arc<Mutex<(u64, Calls)>>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Caller {
    callers: Callers,
    shipper: ShipperId,
    number: u64,
    replaced: CancellationToken,
}

impl Callers {
    /// One more call of a shipper; the oldest one above the bound ends.
    pub(crate) fn enter(&self, shipper: ShipperId) -> Caller {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.0 += 1;
        let (number, replaced) = (inside.0, CancellationToken::new());
        let calls = inside.1.entry(shipper).or_default();
        calls.push_back((number, replaced.clone()));
        if calls.len() > CALLS_PER_SHIPPER_MAX
            && let Some((_, oldest)) = calls.pop_front()
        {
            oldest.cancel();
        }
        Caller { callers: self.clone(), shipper, number, replaced }
    }

    /// How many shippers call.
    pub(crate) fn shippers(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.len()
    }
}

impl Caller {
    /// Resolves when newer calls have taken its place.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut inside = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = inside.1.get_mut(&self.shipper) {
            calls.retain(|(number, _)| *number != self.number);
            if calls.is_empty() {
                inside.1.remove(&self.shipper);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_memory_never_exceed_the_whole() {
        for memory in [MEMORY_BYTES_MIN, 256 << 20, 512 << 20, 2 << 30, 64 << 30] {
            for descriptors in [256, 1024, 20_000, 1 << 20] {
                let plan = MemoryPlan::new(memory, &descriptors::plan(descriptors));
                let sum = plan.connections * CONNECTION_BYTES + plan.in_flight_bytes + plan.queue_bytes;
                assert!(sum <= memory, "{plan:?}");
                assert!(plan.share_bytes * 4 <= plan.in_flight_bytes, "{plan:?}");
                assert!(plan.share_bytes > 2 * lastwords_record::limits::ENVELOPE_BYTES_MAX, "{plan:?}");
                assert!(plan.connections <= usize::try_from(descriptors).unwrap() / 2, "{plan:?}");
            }
        }
        assert_eq!(MemoryPlan::default_bytes(1 << 30), 256 << 20);
        assert_eq!(MemoryPlan::default_bytes(8 << 30), 1 << 30);
        assert_eq!(MemoryPlan::default_bytes(1 << 40), 2 << 30);
    }

    #[tokio::test]
    async fn a_fifth_call_of_a_shipper_ends_its_oldest_and_nobody_elses() {
        let callers = Callers::default();
        let other = callers.enter(ShipperId([2; 16]));
        let mut calls: VecDeque<Caller> = (0..4).map(|_| callers.enter(ShipperId([1; 16]))).collect();
        drop(calls.pop_back());
        calls.push_back(callers.enter(ShipperId([1; 16])));
        assert!(calls.iter().chain([&other]).all(|call| !call.replaced.is_cancelled()));
        let _fifth = callers.enter(ShipperId([1; 16]));
        let replaced: Vec<bool> = calls.iter().map(|call| call.replaced.is_cancelled()).collect();
        assert_eq!(replaced, [true, false, false, false]);
        assert!(!other.replaced.is_cancelled());
    }
}
