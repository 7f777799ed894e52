//! What was refused and why: connections, calls, batches. Counted for the metrics by whoever refuses; the log has the
//! details.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use lastwords_proto::v1::rejection::Reason;

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

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionReason {
    /// No TLS on a port that speaks TLS.
    PlainText,
    /// TLS on a port that does not.
    TlsToPlain,
    /// No client certificate where one is wanted.
    NoCertificate,
    /// A client certificate of a CA that is not trusted here.
    UnknownCa,
    /// A client certificate that is not valid at this time.
    Expired,
    /// A client certificate without a name.
    Nameless,
    /// The other side does not trust this one's certificate.
    RefusedByPeer,
    /// Nothing came for a while.
    Timeout,
    /// Anything else about TLS.
    Handshake,
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
}

impl Refused {
    const ALL: [Refused; 20] = {
        use {CallReason as Call, ConnectionReason as Connection};
        [
            Refused::Connection(Connection::PlainText),
            Refused::Connection(Connection::TlsToPlain),
            Refused::Connection(Connection::NoCertificate),
            Refused::Connection(Connection::UnknownCa),
            Refused::Connection(Connection::Expired),
            Refused::Connection(Connection::Nameless),
            Refused::Connection(Connection::RefusedByPeer),
            Refused::Connection(Connection::Timeout),
            Refused::Connection(Connection::Handshake),
            Refused::Call(Call::Malformed),
            Refused::Call(Call::Version),
            Refused::Call(Call::UnknownHost),
            Refused::Call(Call::Identity),
            Refused::Call(Call::Certificate),
            Refused::Batch(Reason::Damaged),
            Refused::Batch(Reason::Version),
            Refused::Batch(Reason::TooLarge),
            Refused::Batch(Reason::NotAllowed),
            Refused::Batch(Reason::Identity),
            Refused::Reload,
        ]
    };

    /// What and why, as labels.
    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Refused::Connection(reason) => ("connection", reason.as_str()),
            Refused::Call(reason) => ("call", reason.as_str()),
            Refused::Batch(reason) => ("batch", batch_reason(reason)),
            Refused::Reload => ("reload", "broken_file"),
        }
    }
}

impl ConnectionReason {
    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionReason::PlainText => "plain_text",
            ConnectionReason::TlsToPlain => "tls_to_plain",
            ConnectionReason::NoCertificate => "no_certificate",
            ConnectionReason::UnknownCa => "unknown_ca",
            ConnectionReason::Expired => "expired",
            ConnectionReason::Nameless => "nameless",
            ConnectionReason::RefusedByPeer => "refused_by_peer",
            ConnectionReason::Timeout => "timeout",
            ConnectionReason::Handshake => "handshake",
        }
    }
}

impl CallReason {
    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CallReason::Malformed => "malformed",
            CallReason::Version => "version",
            CallReason::UnknownHost => "unknown_host",
            CallReason::Identity => "identity",
            CallReason::Certificate => "certificate",
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
        Reason::Unspecified => "unspecified",
    }
}

/// How often what was refused. Refusals are rare: a lock does.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<Refused, u64>>);

impl Refusals {
    /// One more.
    pub fn count(&self, refused: Refused) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(refused).or_default() += 1;
    }

    /// How many so far.
    #[must_use]
    pub fn of(&self, refused: Refused) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&refused).copied().unwrap_or(0)
    }

    /// In the text format of Prometheus; every reason is there from the start.
    #[must_use]
    pub fn metrics(&self) -> String {
        const NAME: &str = "lastwords_ingester_refused_total";
        let mut text = format!(
            "# HELP {NAME} Connections, calls and batches that were refused, and changed certificates that were not taken.\n\
             # TYPE {NAME} counter\n"
        );
        for refused in Refused::ALL {
            let ((what, reason), count) = (refused.labels(), self.of(refused));
            text.push_str(&format!("{NAME}{{what=\"{what}\",reason=\"{reason}\"}} {count}\n"));
        }
        text
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
            Refused::ALL.len()
        );
        for (times, refused) in Refused::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| refusals.count(refused));
        }
        let text = refusals.metrics();
        for (times, refused) in Refused::ALL.into_iter().enumerate() {
            let (what, reason) = refused.labels();
            let line =
                format!("lastwords_ingester_refused_total{{what=\"{what}\",reason=\"{reason}\"}} {times}");
            assert_eq!(text.lines().filter(|found| **found == line).count(), 1, "{line} in {text}");
        }
    }
}
