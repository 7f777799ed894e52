//! Places for connections: fewer than there are descriptors, and fewer than their memory allows. A connection whose
//! caller has proved himself (a Hello, a request under way) keeps its place; the others make place for newcomers, the
//! oldest first, so that whoever only opens connections shuts nobody out. One source address has at most half of the
//! places.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceLimits {
    /// At once.
    pub total: usize,
    /// Of one source address (of one /64 network in IPv6); loopback may have all.
    pub per_address: usize,
}

impl PlaceLimits {
    /// So many, half of them for one address.
    #[must_use]
    pub fn new(total: usize) -> PlaceLimits {
        PlaceLimits { total, per_address: total.div_ceil(2) }
    }
}

/// There is no place, and nobody who could make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// None at all.
    #[error("{0} connections are open, which is the bound")]
    All(usize),
    /// None for this address.
    #[error("{0} connections of this address are open, which is its share")]
    Address(usize),
}

/// Places of one listener. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    limits: PlaceLimits,
    next: u64,
    /// By age.
    entries: BTreeMap<u64, Entry>,
    addresses: HashMap<IpAddr, usize>,
    /// Entries that were told to go and have not gone yet.
    leaving: usize,
    gave_way: u64,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// How many calls or requests keep it.
    kept: usize,
    leave: CancellationToken,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    number: u64,
    leave: CancellationToken,
}

/// While it lives, the place need not make way. It may outlive the place.
#[derive(Debug)]
pub struct Kept {
    places: Places,
    number: u64,
}

impl Places {
    /// Places for one listener.
    #[must_use]
    pub fn new(limits: PlaceLimits) -> Places {
        Places(Arc::new(Mutex::new(Taken {
            limits,
            next: 0,
            entries: BTreeMap::new(),
            addresses: HashMap::new(),
            leaving: 0,
            gave_way: 0,
        })))
    }

    /// Takes a place for a connection from this address. Where all are taken, the oldest connection that nobody keeps
    /// is told to leave.
    ///
    /// # Errors
    /// Where nobody can make way.
    pub fn enter(&self, address: IpAddr) -> Result<Place, Full> {
        let address = network(address);
        let mut taken = self.lock();
        taken.make_way(address)?;
        let (number, leave) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.entries.insert(number, Entry { address, kept: 0, leave: leave.clone() });
        *taken.addresses.entry(address).or_default() += 1;
        Ok(Place { places: self.clone(), number, leave })
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.lock().entries.len()
    }

    /// How many connections had to make way.
    #[must_use]
    pub fn gave_way(&self) -> u64 {
        self.lock().gave_way
    }

    /// How many there are.
    #[must_use]
    pub fn limits(&self) -> PlaceLimits {
        self.lock().limits
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn make_way(&mut self, address: IpAddr) -> Result<(), Full> {
        let own = self.addresses.get(&address).copied().unwrap_or(0);
        let own_only = own >= self.limits.per_address && !address.is_loopback();
        // Those who leave count as gone already, but only so many: their descriptors are still open.
        let open = self.entries.len() - self.leaving;
        if !own_only && open < self.limits.total {
            return Ok(());
        }
        let full = if own_only { Full::Address(own) } else { Full::All(open) };
        if self.leaving > self.limits.total / 8 {
            return Err(full);
        }
        let victim = self.entries.values().find(|entry| {
            entry.kept == 0 && !entry.leave.is_cancelled() && (!own_only || entry.address == address)
        });
        victim.ok_or(full)?.leave.cancel();
        self.leaving += 1;
        self.gave_way += 1;
        Ok(())
    }
}

/// What counts as one address: in IPv6 whoever has one address has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

impl Place {
    /// Its number in this process's listener.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Resolves when it has to make way.
    pub async fn must_leave(&self) {
        self.leave.cancelled().await;
    }

    /// Keeps the place for as long as the result lives.
    #[must_use]
    pub fn keep(&self) -> Kept {
        if let Some(entry) = self.places.lock().entries.get_mut(&self.number) {
            entry.kept += 1;
        }
        Kept { places: self.places.clone(), number: self.number }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(entry) = self.places.lock().entries.get_mut(&self.number) {
            entry.kept = entry.kept.saturating_sub(1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        let Some(entry) = taken.entries.remove(&self.number) else { return };
        taken.leaving -= usize::from(entry.leave.is_cancelled());
        if let Some(count) = taken.addresses.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                taken.addresses.remove(&entry.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn places(total: usize, per_address: usize) -> Places {
        Places::new(PlaceLimits { total, per_address })
    }

    #[test]
    fn the_oldest_that_nobody_keeps_makes_way() {
        let places = places(3, 3);
        let own: Vec<Place> = (1..=3).map(|last| places.enter(v4(last)).unwrap()).collect();
        let _kept = own[0].keep();
        let newcomer = places.enter(v4(9)).unwrap();
        let left: Vec<bool> = own.iter().map(|place| place.leave.is_cancelled()).collect();
        assert_eq!(left, [false, true, false]);
        assert_eq!((places.gave_way(), places.taken()), (1, 4));
        drop(own);
        assert_eq!(places.taken(), 1);
        drop(newcomer);
        assert_eq!(places.taken(), 0);
    }

    #[test]
    fn where_all_are_kept_newcomers_are_refused_until_one_is_free() {
        let places = places(2, 2);
        let own: Vec<Place> = (1..=2).map(|last| places.enter(v4(last)).unwrap()).collect();
        let mut kept: Vec<Kept> = own.iter().map(Place::keep).collect();
        assert_eq!(places.enter(v4(9)).unwrap_err(), Full::All(2));
        kept.pop();
        assert!(places.enter(v4(9)).is_ok());
    }

    #[test]
    fn one_address_has_its_share_and_makes_way_to_itself_alone() {
        let places = places(10, 2);
        let other = places.enter(v4(1)).unwrap();
        let own: Vec<Place> = (0..2).map(|_| places.enter(v4(2)).unwrap()).collect();
        let third = places.enter(v4(2)).unwrap();
        assert!(own[0].leave.is_cancelled() && !own[1].leave.is_cancelled() && !other.leave.is_cancelled());
        let _kept: Vec<Kept> = own.iter().map(Place::keep).collect();
        drop(third);
        assert!(matches!(places.enter(v4(2)).unwrap_err(), Full::Address(_)));
        assert!(places.enter(v4(1)).is_ok());
    }

    #[test]
    fn loopback_may_have_all_and_a_network_of_ipv6_is_one_address() {
        let places = places(4, 1);
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let _own: Vec<Place> = (0..2)
            .map(|_| {
                let place = places.enter(loopback).unwrap();
                std::mem::forget(place.keep());
                place
            })
            .collect();
        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let first = places.enter(host(1)).unwrap();
        let _kept = first.keep();
        assert_eq!(places.enter(host(2)).unwrap_err(), Full::Address(1));
    }

    #[test]
    fn a_flood_does_not_count_on_those_who_have_not_gone_yet() {
        let places = places(16, 16);
        let stay: Vec<Place> = (0..16).map(|last| places.enter(v4(last)).unwrap()).collect();
        let more: Vec<Result<Place, Full>> = (0..16).map(|last| places.enter(v4(last))).collect();
        assert!(more.iter().filter(|entered| entered.is_ok()).count() <= 3, "descriptors stay bounded");
        assert!(places.taken() <= 16 + 3);
        drop(stay);
    }
}
