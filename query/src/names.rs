//! Numbers for names, so that events are columns of numbers and equal hosts are equal numbers.
//!
//! Names are only ever added. Whoever looks one up takes no lock, so that a sweep over millions of rows and the rows that
//! come meanwhile do not wait for each other.

use std::{
    collections::HashMap,
    str::Utf8Error,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use foldhash::quality::RandomState;

/// Names in the first shelf; each further one has twice as many.
const SHELF_NAMES: u32 = 64;
/// So many shelves hold every number that there is.
const SHELVES: usize = 27;

/// Names in order of their numbers; each place is filled once.
type Shelf = Box<[OnceLock<Box<str>>]>;

/// Numbers for names, from 0 in order of appearance.
#[derive(Debug, Default)]
pub struct Interner {
    numbers: Mutex<HashMap<Box<[u8]>, u32, RandomState>>,
    shelves: [OnceLock<Shelf>; SHELVES],
    count: AtomicU32,
}

impl Interner {
    /// The number of a name.
    pub fn number(&self, name: &str) -> u32 {
        self.number_locked(&mut self.lock(), name)
    }

    /// The numbers of names as the store sends them; `unnamed`: of the empty name, where that is none.
    ///
    /// # Errors
    /// Where one is not UTF-8.
    pub fn number_all(&self, names: &[&[u8]], unnamed: Option<u32>) -> Result<Vec<u32>, Utf8Error> {
        let mut numbers = self.lock();
        let number = |name: &&[u8]| match (unnamed, numbers.get(*name)) {
            (Some(unnamed), _) if name.is_empty() => Ok(unnamed),
            (_, Some(number)) => Ok(*number),
            (_, None) => std::str::from_utf8(name).map(|name| self.number_locked(&mut numbers, name)),
        };
        names.iter().map(number).collect()
    }

    /// The name of a number.
    pub fn name(&self, number: u32) -> &str {
        let (shelf, at) = place(number);
        let shelf = self.shelves.get(shelf).and_then(OnceLock::get);
        shelf.and_then(|names| names.get(at)?.get()).map_or("", |name| name)
    }

    /// How many names there are.
    pub fn len(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, u32, RandomState>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number_locked(&self, numbers: &mut HashMap<Box<[u8]>, u32, RandomState>, name: &str) -> u32 {
        if let Some(number) = numbers.get(name.as_bytes()) {
            return *number;
        }
        // Four billion names do not fit in memory.
        let number = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let (shelf, at) = place(number);
        if let Some(shelf) = self.shelves.get(shelf) {
            let names = shelf.get_or_init(|| (0..names_of_shelf(number)).map(|_| OnceLock::new()).collect());
            names.get(at).map(|empty| empty.set(name.into()));
        }
        numbers.insert(name.as_bytes().into(), number);
        self.count.store(number.saturating_add(1), Ordering::Release);
        number
    }
}

/// Where a name stands: its shelf, and its place on that.
fn place(number: u32) -> (usize, usize) {
    let doubled = number / SHELF_NAMES + 1;
    let shelf = doubled.ilog2();
    let first = ((1_u32 << shelf) - 1) * SHELF_NAMES;
    (shelf as usize, (number - first) as usize)
}

/// How many names the shelf of a number has.
fn names_of_shelf(number: u32) -> u64 {
    u64::from(SHELF_NAMES) << (number / SHELF_NAMES + 1).ilog2()
}

/// Names met by all sets of a question, so that equal hosts have equal numbers.
#[derive(Debug, Default)]
pub struct Names {
    /// Hosts.
    pub hosts: Interner,
    /// Guests as units.
    pub guests: Interner,
    /// What is counted by.
    pub keys: Interner,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_however_it_comes_and_must_be_text() {
        let names = Interner::default();
        assert_eq!(names.number("hv01"), 0);
        assert_eq!(names.number_all(&[b"hv02", b"hv01", b""], None).unwrap(), [1, 0, 2]);
        assert_eq!(names.number_all(&[b"hv03", b""], Some(u32::MAX)).unwrap(), [3, u32::MAX]);
        assert_eq!((names.number("hv02"), names.name(1), names.name(2), names.len()), (1, "hv02", "", 4));
        assert!(names.number_all(&[b"hv04", b"\xff"], None).is_err());
        assert_eq!(names.name(1_000_000), "", "nobody has this number");
    }

    #[test]
    fn names_are_found_again_on_every_shelf() {
        let names = Interner::default();
        let all: Vec<String> = (0..10_000).map(|number| format!("host {number}")).collect();
        for (number, name) in (0..).zip(&all) {
            assert_eq!(names.number(name), number);
        }
        for (number, name) in (0..).zip(&all) {
            assert_eq!(names.name(number), name);
        }
        for number in [0, 63, 64, 191, 192, u32::MAX] {
            let (shelf, at) = place(number);
            assert!(shelf < SHELVES && (at as u64) < names_of_shelf(number), "{number}: {shelf} {at}");
        }
    }

    #[test]
    fn names_are_read_while_others_are_added() {
        let names = Interner::default();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..50_000).for_each(|number| _ = names.number(&number.to_string())));
            scope.spawn(|| {
                while names.len() < 50_000 {
                    let last = names.len().saturating_sub(1);
                    let name = names.name(last);
                    assert!(names.is_empty() || name == last.to_string() || last == 0, "{last}: {name}");
                }
            });
        });
    }
}
