//! Memory for what came from outside and is not durable yet: one pool of bytes for the whole process. Nothing is read
//! into memory before a lease of its size has been given, and the lease lives until the batch is durable or gone.
//!
//! Who waits is served by how little its shipper holds, then by age: a shipper that sends one batch passes those that
//! have a hundred under way. The last eighth of the pool is kept for shippers that hold no more than their equal part.
//! [`Accounts`] decides; [`Budget`] waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lastwords_record::ShipperId;
use lastwords_runtime::metrics::look;
use tokio::sync::oneshot;

/// The part of the pool that is kept for those who hold little: one in so many bytes.
const RESERVE_PART: usize = 8;

/// For whom bytes are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The shipper of the call.
    pub shipper: ShipperId,
    /// The connection's number in this process.
    pub connection: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Bytes of the whole pool.
    pub total_bytes: usize,
    /// Bytes that one shipper may hold on all its connections, and one connection for all its shippers.
    pub share_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Account {
    Shipper(ShipperId),
    Connection(u64),
}

impl Holder {
    fn accounts(self) -> [Account; 2] {
        [Account::Shipper(self.shipper), Account::Connection(self.connection)]
    }
}

/// Why bytes are not given now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lacks {
    /// The pool has not as many. What is given back next goes to whoever waits for this.
    Room,
    /// The holder's own share is used up, or what is left is kept for those who hold less.
    Share,
}

/// Who holds how much. Pure.
#[derive(Debug)]
struct Accounts {
    limits: BudgetLimits,
    used: usize,
    taken: HashMap<Account, usize>,
    shippers: usize,
}

impl Accounts {
    fn taken(&self, account: Account) -> usize {
        self.taken.get(&account).copied().unwrap_or(0)
    }

    fn taken_by_shipper(&self, holder: Holder) -> usize {
        self.taken(Account::Shipper(holder.shipper))
    }

    /// Whether the holder may have so many bytes more. One request is always granted to who holds nothing, as far as
    /// there is room: a batch must never wait for ever.
    fn check(&self, holder: Holder, bytes: usize) -> Result<(), Lacks> {
        let over = |account| {
            let taken = self.taken(account);
            taken > 0 && taken + bytes > self.limits.share_bytes
        };
        if holder.accounts().into_iter().any(over) {
            return Err(Lacks::Share);
        }
        let taken = self.taken_by_shipper(holder);
        let left = self.limits.total_bytes.checked_sub(self.used + bytes).ok_or(Lacks::Room)?;
        let equal_part = self.limits.total_bytes / self.shippers.max(1);
        if left < self.limits.total_bytes / RESERVE_PART && taken > 0 && taken + bytes > equal_part {
            return Err(Lacks::Share);
        }
        Ok(())
    }

    fn charge(&mut self, holder: Holder, bytes: usize) {
        self.used += bytes;
        for account in holder.accounts() {
            let taken = self.taken.entry(account).or_insert_with(|| {
                self.shippers += usize::from(matches!(account, Account::Shipper(_)));
                0
            });
            *taken += bytes;
        }
    }

    fn release(&mut self, holder: Holder, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
        for account in holder.accounts() {
            if let Some(taken) = self.taken.get_mut(&account) {
                *taken = taken.saturating_sub(bytes);
                if *taken == 0 {
                    self.taken.remove(&account);
                    self.shippers -= usize::from(matches!(account, Account::Shipper(_)));
                }
            }
        }
    }
}

#[derive(Debug)]
struct Waiter {
    holder: Holder,
    bytes: usize,
    granted: oneshot::Sender<Lease>,
}

#[derive(Debug)]
struct Pool {
    accounts: Accounts,
    /// Oldest first.
    waiting: Vec<Waiter>,
    /// Requests that had to wait, since the start.
    waited: u64,
}

impl Pool {
    /// Who is served next: who holds least, of those the oldest. None: nobody can be. Where the first in this order
    /// lacks nothing but room, nobody passes it, else big requests would starve behind small ones.
    fn next(&mut self) -> Option<Waiter> {
        self.waiting.retain(|waiter| !waiter.granted.is_closed());
        let accounts = &self.accounts;
        let (place, lacks) = self
            .waiting
            .iter()
            .enumerate()
            .map(|(place, waiter)| (place, waiter, accounts.check(waiter.holder, waiter.bytes)))
            .filter(|(.., check)| *check != Err(Lacks::Share))
            .min_by_key(|(place, waiter, _)| (accounts.taken_by_shipper(waiter.holder), *place))
            .map(|(place, _, check)| (place, check.is_err()))?;
        (!lacks).then(|| self.waiting.remove(place))
    }
}

/// The pool of bytes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<Pool>>);

/// Bytes that are held; given back when dropped.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    holder: Holder,
    bytes: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.lock().accounts.release(self.holder, self.bytes);
        self.budget.serve();
    }
}

impl Budget {
    /// A pool of its own.
    #[must_use]
    pub fn new(limits: BudgetLimits) -> Budget {
        let accounts = Accounts { limits, used: 0, taken: HashMap::new(), shippers: 0 };
        Budget(Arc::new(Mutex::new(Pool { accounts, waiting: Vec::new(), waited: 0 })))
    }

    /// Waits until there are so many bytes for the holder. A request above the whole pool takes all there is.
    pub async fn take(&self, holder: Holder, bytes: usize) -> Lease {
        let (granted, lease) = oneshot::channel();
        {
            let mut pool = self.lock();
            let bytes = bytes.min(pool.accounts.limits.total_bytes);
            if pool.waiting.is_empty() && pool.accounts.check(holder, bytes).is_ok() {
                pool.accounts.charge(holder, bytes);
                return Lease { budget: self.clone(), holder, bytes };
            }
            pool.waited += 1;
            pool.waiting.push(Waiter { holder, bytes, granted });
        }
        // It may pass those who wait for their own share.
        self.serve();
        match lease.await {
            Ok(lease) => lease,
            // The pool itself holds the other end for as long as this one waits.
            Err(_) => std::future::pending().await,
        }
    }

    /// Serves those who wait, as far as there is room.
    fn serve(&self) {
        loop {
            let (waiter, lease) = {
                let mut pool = self.lock();
                let Some(waiter) = pool.next() else { return };
                pool.accounts.charge(waiter.holder, waiter.bytes);
                let lease = Lease { budget: self.clone(), holder: waiter.holder, bytes: waiter.bytes };
                (waiter, lease)
            };
            // Who has gone meanwhile gives it back by its drop.
            drop(waiter.granted.send(lease));
        }
    }

    /// Whether somebody waits for bytes that others hold.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let pool = self.lock();
        pool.waiting.iter().any(|waiter| {
            !waiter.granted.is_closed()
                && pool.accounts.check(waiter.holder, waiter.bytes) == Err(Lacks::Room)
        })
    }

    /// What there is.
    #[must_use]
    pub fn limits(&self) -> BudgetLimits {
        self.lock().accounts.limits
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.lock().accounts.used
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let pool = self.lock();
        let waiting = pool.waiting.iter().filter(|waiter| !waiter.granted.is_closed()).count();
        let (accounts, waited) = (&pool.accounts, pool.waited);
        let gauges = [
            ("bytes", "Bytes of batches that are half received or not durable yet.", accounts.used),
            ("bytes_max", "Bytes of batches that may be so.", accounts.limits.total_bytes),
            ("shippers", "Shippers that hold some of these bytes.", accounts.shippers),
            ("waiting", "Batches that wait for such bytes.", waiting),
        ];
        look(move |looked| {
            for (name, help, value) in gauges {
                looked.gauge(&format!("lastwords_ingester_in_flight_{name}"), help, value as u64);
            }
            let help = "Batches that had to wait for such bytes.";
            looked.counter("lastwords_ingester_in_flight_waited", help, waited);
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
