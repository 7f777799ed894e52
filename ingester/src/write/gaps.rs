//! Gaps in shippers' numbers. A shipper sends its batches in order, again and again until each is acknowledged or
//! rejected. Where the first one that comes is not the one after what is stored, those between were acknowledged once and
//! are gone: the store was put back to an earlier state, or Kafka lost them. (Or they were rejected, which is a loss as
//! well.)

use std::collections::HashSet;

use lastwords_record::{BatchId, Header, Host, ShipperId};

use super::{ledger::Ledger, loss::Loss};
use crate::queue::Incoming;

/// Shippers and epochs that have been met.
#[derive(Debug, Default)]
pub(crate) struct Gaps(HashSet<(ShipperId, u64)>);

impl Gaps {
    /// Everybody is met anew.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// The numbers that are missing before this batch, both included, the first time that its shipper and epoch are met.
    /// Of a shipper of whom nothing is stored nothing is missing: it may have sent elsewhere before.
    pub(crate) fn find(&mut self, id: &BatchId, ledger: &Ledger) -> Option<(u64, u64)> {
        if !self.0.insert((id.shipper, id.epoch)) || !ledger.has(&id.shipper) {
            return None;
        }
        let first = ledger.highest(id.shipper, id.epoch).unwrap_or(0).saturating_add(1);
        (first < id.sequence).then(|| (first, id.sequence - 1))
    }
}

/// The loss of these numbers of a shipper.
pub(crate) fn gap_loss(id: &BatchId, (first, last): (u64, u64), host: &str, time_ns: i64) -> Loss {
    let who = if host.is_empty() { id.shipper.to_string() } else { host.to_owned() };
    let batches = last - first + 1;
    Loss {
        key: format!("gap/{}/{}/{first}/{last}", id.shipper, id.epoch),
        time_ns,
        host: host.to_owned(),
        title: format!(
            "{batches} batches of {who} are missing (numbers {first} to {last}): what follows them was sent, and they are not in the store; was it put back to an earlier state?"
        ),
        attributes: [
            ("cause", "missing_batches".to_owned()),
            ("shipper", id.shipper.to_string()),
            ("epoch", id.epoch.to_string()),
            ("first_sequence", first.to_string()),
            ("last_sequence", last.to_string()),
            ("batches", batches.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec(),
    }
}

/// The host that a batch speaks for first, and when it was sealed, nanoseconds.
pub(super) fn origin(incoming: &Incoming) -> (String, i64) {
    let of = |hosts: &[Host], sealed_ns| {
        (hosts.first().map(|host| host.name.clone()).unwrap_or_default(), sealed_ns)
    };
    match incoming {
        Incoming::Opened(batch) => of(&batch.header.hosts, batch.header.sealed_time_ns),
        Incoming::Sealed(envelope) => match Header::peek(envelope) {
            Ok(header) => of(&header.hosts, header.sealed_time_ns),
            Err(_) => (String::new(), 0),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_found_when_a_shipper_is_first_met() {
        let id = |shipper, epoch, sequence| BatchId { shipper: ShipperId([shipper; 16]), epoch, sequence };
        let mut ledger = Ledger::default();
        ledger.insert_range(ShipperId([1; 16]), 1, 1, 5);
        let mut gaps = Gaps::default();
        for (batch, wanted) in [
            (id(1, 1, 9), Some((6, 8))),
            (id(1, 1, 20), None),
            (id(1, 2, 1), None),
            (id(1, 3, 4), Some((1, 3))),
            // Nothing is known of it.
            (id(2, 1, 700), None),
        ] {
            assert_eq!(gaps.find(&batch, &ledger), wanted, "{batch}");
        }
        gaps.forget();
        assert_eq!(gaps.find(&id(1, 1, 7), &ledger), Some((6, 6)));
        assert_eq!(gaps.find(&id(1, 1, 7), &ledger), None);
    }

    #[test]
    fn the_same_gap_is_the_same_event() {
        let id = BatchId { shipper: ShipperId([1; 16]), epoch: 7, sequence: 9 };
        let loss = gap_loss(&id, (6, 8), "hv01", 5);
        assert!(loss.title.starts_with("3 batches of hv01 are missing (numbers 6 to 8)"), "{}", loss.title);
        assert_eq!(loss, gap_loss(&BatchId { sequence: 10, ..id }, (6, 8), "hv01", 5));
    }
}
