//! Which shipper, which incarnation, which number.
//!
//! A shipper's identity follows from its host's name and machine-id. There are two versions:
//!
//! ```text
//! version 2 = "LWI2" hash     hash = the first 12 bytes of BLAKE3, derived for the context below, of
//!                                    length name length machine-id      (lengths: u64, little endian)
//! version 1 = 16 bytes        XXH3-128 of name 0x00 machine-id, big endian
//! ```
//!
//! New shippers have version 2. One whose state was made with version 1 keeps that, so that its numbers go on. XXH3 is
//! made to be fast: names that give a wanted identity can be searched for. Since version 2 begins with its mark, and no
//! identity that does counts as version 1, none of version 2 can be found that way.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::Host;

/// The first bytes of an identity of version 2. One in four thousand million of version 1 begins so by chance.
const MARK: [u8; 4] = *b"LWI2";
const CONTEXT: &str = "lastwords 2026-11 shipper identity version 2";

/// A shipper's identity: derived from its host's name and machine-id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShipperId(pub [u8; 16]);

impl ShipperId {
    /// The identity of the shipper of a host, version 2. An import takes the place of a machine-id by what it imports.
    pub fn of(name: &str, machine_id: &str) -> Self {
        let mut hash = blake3::Hasher::new_derive_key(CONTEXT);
        for part in [name, machine_id] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; 16];
        let (mark, rest) = bytes.split_at_mut(MARK.len());
        mark.copy_from_slice(&MARK);
        hash.finalize_xof().fill(rest);
        ShipperId(bytes)
    }

    /// The identity that the first programs gave to the shipper of a host.
    pub fn version_1(name: &str, machine_id: &str) -> Self {
        let mut hash = Xxh3::new();
        hash.update(name.as_bytes());
        hash.update(&[0]);
        hash.update(machine_id.as_bytes());
        ShipperId(hash.digest128().to_be_bytes())
    }

    /// The version that it is of.
    pub fn version(&self) -> u8 {
        if self.0.starts_with(&MARK) { 2 } else { 1 }
    }

    /// The identity of this one's version that follows from a host.
    pub fn expected(&self, host: &Host) -> ShipperId {
        match self.version() {
            1 => ShipperId::version_1(&host.name, &host.machine_id),
            _ => ShipperId::of(&host.name, &host.machine_id),
        }
    }
}

impl fmt::Display for ShipperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What makes a batch the same batch when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId {
    /// Who sealed it.
    pub shipper: ShipperId,
    /// In which incarnation.
    pub epoch: u64,
    /// Under which number; the first is 1.
    pub sequence: u64,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.shipper, self.epoch, self.sequence)
    }
}

/// What a shipper knows of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// Ingester's clock minus shipper's clock, in nanoseconds; none: never measured.
    pub offset_ns: Option<i64>,
    /// Half the round trip of that measurement, in nanoseconds.
    pub uncertainty_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "0123456789abcdef0123456789abcdef";

    /// Identities must never change: a shipper's numbers would begin anew, and what is under way would come twice.
    #[test]
    fn identities_are_what_they_always_were() {
        let check = |id: ShipperId, version: u8, expected: &str| {
            assert_eq!((id.version(), id.to_string().as_str()), (version, expected));
        };
        check(ShipperId::version_1("hv01", MACHINE), 1, "b00a48ff665a9bba55bc9d65d7e51dcb");
        check(ShipperId::of("hv01", MACHINE), 2, "4c574932285080efd1cdb5262ea81af6");
    }

    #[test]
    fn other_names_and_machines_are_other_shippers() {
        let cases = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("a\0b", "c"), ("a", "b\0c")];
        let ids: std::collections::HashSet<_> =
            cases.iter().map(|(name, machine)| ShipperId::of(name, machine)).collect();
        assert_eq!(ids.len(), cases.len());
        // Version 1 knew no lengths.
        assert_eq!(ShipperId::version_1("a\0b", "c"), ShipperId::version_1("a", "b\0c"));
    }

    #[test]
    fn each_version_is_compared_with_what_its_own_rule_gives() {
        let host = Host { name: "hv01".to_owned(), machine_id: MACHINE.to_owned() };
        let other = Host { name: "hv02".to_owned(), ..host.clone() };
        for id in [ShipperId::of("hv01", MACHINE), ShipperId::version_1("hv01", MACHINE)] {
            assert_eq!(id.expected(&host), id);
            assert_ne!(id.expected(&other), id);
        }
    }
}
