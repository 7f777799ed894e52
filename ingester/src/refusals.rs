//! What was refused and why: connections, calls, batches. Counted for the metrics by whoever refuses; the log has the
//! details.

use lastwords_proto::v1::rejection::Reason;
use lastwords_runtime::metrics::{Counter, Family, Registry, render};
pub use lastwords_runtime::refusal::ConnectionReason;

/// What can be refused. With the reason it is a label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// Before a call could begin.
    Connection(ConnectionReason),
    /// By its Hello.
    Call(CallReason),
    /// By its header.
    Batch(Reason),
    /// A changed certificate, key or CA file; the one before is still used.
    Reload,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallReason {
    /// No Hello, or one that cannot be understood.
    Malformed,
    /// A newer format.
    Version,
    /// A host that is not on the list.
    UnknownHost,
    /// The shipper's identity is not that of its host.
    Identity,
    /// The certificate is another host's.
    Certificate,
    /// No Hello within the time.
    NoHello,
    /// A message that is larger than any may be.
    TooLarge,
    /// A message that did not end within the time.
    Slow,
    /// No message within the time.
    Idle,
    /// A message that came slowly while room was short.
    GaveWay,
    /// Newer calls of the same shipper took its place.
    Replaced,
}

impl Refused {
    /// Everything that is counted.
    fn all() -> impl Iterator<Item = Refused> {
        use lastwords_proto::v1::rejection::Reason as Batch;
        let connections = ConnectionReason::ALL.into_iter().map(Refused::Connection);
        let calls = CallReason::ALL.into_iter().map(Refused::Call);
        let batches = [
            Batch::Damaged,
            Batch::Version,
            Batch::TooLarge,
            Batch::NotAllowed,
            Batch::Identity,
            Batch::Conflict,
        ];
        connections.chain(calls).chain(batches.map(Refused::Batch)).chain([Refused::Reload])
    }

    /// What and why, as labels.
    fn labels(self) -> Labels {
        let (what, reason) = match self {
            Refused::Connection(reason) => ("connection", reason.as_str()),
            Refused::Call(reason) => ("call", reason.as_str()),
            Refused::Batch(reason) => ("batch", batch_reason(reason)),
            Refused::Reload => ("reload", "broken_file"),
        };
        [("what", what), ("reason", reason)]
    }
}

impl CallReason {
    const ALL: [CallReason; 11] = [
        CallReason::Malformed,
        CallReason::Version,
        CallReason::UnknownHost,
        CallReason::Identity,
        CallReason::Certificate,
        CallReason::NoHello,
        CallReason::TooLarge,
        CallReason::Slow,
        CallReason::Idle,
        CallReason::GaveWay,
        CallReason::Replaced,
    ];

    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CallReason::Malformed => "malformed",
            CallReason::Version => "version",
            CallReason::UnknownHost => "unknown_host",
            CallReason::Identity => "identity",
            CallReason::Certificate => "certificate",
            CallReason::NoHello => "no_hello",
            CallReason::TooLarge => "too_large",
            CallReason::Slow => "slow",
            CallReason::Idle => "idle",
            CallReason::GaveWay => "gave_way",
            CallReason::Replaced => "replaced",
        }
    }
}

fn batch_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Damaged => "damaged",
        Reason::Version => "version",
        Reason::TooLarge => "too_large",
        Reason::NotAllowed => "not_allowed",
        Reason::Identity => "identity",
        Reason::Conflict => "conflict",
        Reason::Unspecified => "unspecified",
    }
}

/// How often what was refused; every reason is told from the start.
#[derive(Debug)]
pub struct Refusals {
    counts: Family<Labels, Counter>,
    registry: Registry,
}

/// What, and why.
type Labels = [(&'static str, &'static str); 2];

impl Default for Refusals {
    fn default() -> Self {
        let (counts, mut registry) = (Family::<Labels, Counter>::default(), Registry::default());
        for refused in Refused::all() {
            // Made where it is missing.
            drop(counts.get_or_create(&refused.labels()));
        }
        registry.register(
            "lastwords_ingester_refused",
            "Connections, calls and batches that were refused, and changed certificates that were not taken",
            counts.clone(),
        );
        Refusals { counts, registry }
    }
}

impl Refusals {
    /// One more.
    pub fn count(&self, refused: Refused) {
        self.counts.get_or_create(&refused.labels()).inc();
    }

    /// How many so far.
    #[must_use]
    pub fn total(&self, refused: Refused) -> u64 {
        self.counts.get_or_create(&refused.labels()).get()
    }

    /// In the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        render(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_from_the_start_and_counted_by_itself() {
        let refusals = Refusals::default();
        assert_eq!(
            refusals.metrics().lines().filter(|line| line.ends_with("} 0")).count(),
            Refused::all().count()
        );
        for (times, refused) in Refused::all().enumerate() {
            (0..times).for_each(|_| refusals.count(refused));
        }
        let text = refusals.metrics();
        for (times, refused) in Refused::all().enumerate() {
            let [(_, what), (_, reason)] = refused.labels();
            let line =
                format!("lastwords_ingester_refused_total{{what=\"{what}\",reason=\"{reason}\"}} {times}");
            assert_eq!(text.lines().filter(|found| **found == line).count(), 1, "{line} in {text}");
        }
    }
}
