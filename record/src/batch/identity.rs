//! Which shipper, which incarnation, which number.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

/// A shipper's identity: derived from its host's name and machine-id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShipperId(pub [u8; 16]);

impl ShipperId {
    /// The identity of the shipper of a host. An import takes the place of a machine-id by what it imports.
    pub fn of(name: &str, machine_id: &str) -> Self {
        let mut hash = Xxh3::new();
        hash.update(name.as_bytes());
        hash.update(&[0]);
        hash.update(machine_id.as_bytes());
        ShipperId(hash.digest128().to_be_bytes())
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
