//! Admits batches by their header alone: limits, damage, and whether the header speaks for whom the call may speak.

use std::{collections::HashSet, sync::Arc, time::Duration};

use lastwords_proto::v1::{Hello, rejection::Reason};
use lastwords_record::{Guest, Header, Host, NameError, OpenError, ShipperId, batch::FORMAT_VERSION};
use lastwords_runtime::tls::Leaf;
use thiserror::Error;

use crate::{
    limits::Limits,
    metrics::CallMetrics,
    refusals::{CallReason, Refusals},
};

/// What is admitted.
#[derive(Debug, Clone)]
pub struct AdmitOptions {
    /// Bytes of batches that may be unacknowledged on one call.
    pub in_flight_bytes_max: u64,
    /// Names of the hosts that are known; none: every host is.
    pub hosts: Option<HashSet<String>>,
    /// For whom a call may speak.
    pub speakers: Speakers,
    /// How long batches that were taken may take to become durable once the server is to end.
    pub grace: Duration,
    /// Where refusals are counted.
    pub refusals: Arc<Refusals>,
    /// What is counted of calls.
    pub calls: Arc<CallMetrics>,
    /// What all calls of this process may take together.
    pub limits: Limits,
}

/// For whom a call may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speakers {
    /// For the host that its Hello names, under the identity that follows from that host's name and machine-id, and
    /// for the guests placed on it. A batch's rows refer to a host of its header, so a header that lists this host
    /// alone makes every guest in it a guest of this host: nothing can be written in another host's name. Where there
    /// is a client certificate, it has to name the host.
    #[default]
    OwnHost,
    /// For any host: imports speak for whatever they read. Only for sockets that the owner alone can reach.
    AnyHost,
}

impl Default for AdmitOptions {
    fn default() -> Self {
        AdmitOptions {
            in_flight_bytes_max: 32 << 20,
            hosts: None,
            speakers: Speakers::default(),
            grace: Duration::from_secs(10),
            refusals: Arc::default(),
            calls: Arc::default(),
            limits: Limits::default(),
        }
    }
}

/// Why a call is not welcome.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HelloError {
    /// Not 16 bytes.
    #[error("Hello: the shipper's identity has {0} bytes, wanted 16")]
    Identity(usize),
    /// Its host's name or machine-id is none.
    #[error("Hello: {0}")]
    Host(#[from] NameError),
    /// Not on the list.
    #[error("Hello: the host '{0}' is not known here; add it to the ingester's hosts")]
    UnknownHost(String),
    /// Newer than we are.
    #[error("Hello: the shipper seals format version {}.{}, batches up to {}.x are opened here: update the ingester first",
        .0 >> 16, .0 & 0xffff, FORMAT_VERSION >> 16)]
    Version(u32),
    /// Not what follows from the host's name and machine-id: another shipper's numbers would be used up.
    #[error("Hello: wanted the identity {wanted} of the host '{host}' with its machine-id, found {found}")]
    OtherIdentity {
        /// The host's name.
        host: String,
        /// What follows from it.
        wanted: ShipperId,
        /// What it says.
        found: ShipperId,
    },
    /// The certificate is for someone else.
    #[error(
        "Hello: the certificate is for {}, found the host '{host}': \
         set host.name, or use a certificate for that name", names.join(", ")
    )]
    OtherCertificate {
        /// The host's name.
        host: String,
        /// Whom the certificate names.
        names: Vec<String>,
    },
}

impl HelloError {
    /// As it is counted.
    #[must_use]
    pub fn reason(&self) -> CallReason {
        match self {
            HelloError::Identity(_) | HelloError::Host(_) => CallReason::Malformed,
            HelloError::UnknownHost(_) => CallReason::UnknownHost,
            HelloError::Version(_) => CallReason::Version,
            HelloError::OtherIdentity { .. } => CallReason::Identity,
            HelloError::OtherCertificate { .. } => CallReason::Certificate,
        }
    }
}

/// A batch that will never be admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Epoch and number, where they could be read.
    pub id: Option<(u64, u64)>,
    /// In the wire's terms.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

/// One call's rights.
#[derive(Debug, Clone)]
pub struct Admission {
    shipper: ShipperId,
    epoch: u64,
    /// The number that follows the last one; numbers rise within a call.
    next: u64,
    hosts: Option<HashSet<String>>,
    host: Host,
    speakers: Speakers,
}

impl Admission {
    /// Judges a call's first message; `certificate` is the caller's, verified.
    ///
    /// # Errors
    /// Where the shipper may not speak here.
    pub fn begin(
        hello: &Hello,
        options: &AdmitOptions,
        certificate: Option<&Leaf>,
    ) -> Result<Admission, HelloError> {
        let shipper: [u8; 16] =
            hello.shipper.as_slice().try_into().map_err(|_| HelloError::Identity(hello.shipper.len()))?;
        let shipper = ShipperId(shipper);
        let host = hello
            .host
            .as_ref()
            .map(|host| Host { name: host.name.clone(), machine_id: host.machine_id.clone() })
            .unwrap_or_default();
        // Before anything of it is compared, logged or said: it may be of any length.
        match (options.speakers, shipper.version()) {
            (Speakers::OwnHost, 2..) => host.check()?,
            // Old shippers took for a machine-id whatever they found, and go on under the identity that followed.
            (Speakers::AnyHost, _) | (Speakers::OwnHost, _) => host.check_version_1()?,
        }
        if hello.format_version >> 16 > FORMAT_VERSION >> 16 {
            return Err(HelloError::Version(hello.format_version));
        }
        // Names are compared byte by byte: another spelling would be another host in the store.
        if let Some(leaf) = certificate
            && !leaf.names.contains(&host.name)
        {
            return Err(HelloError::OtherCertificate { host: host.name, names: leaf.names.clone() });
        }
        // Each version by its own rule: no identity of version 2 is one of version 1 that was searched for.
        let wanted = shipper.expected(&host);
        if options.speakers == Speakers::OwnHost && shipper != wanted {
            return Err(HelloError::OtherIdentity { host: host.name, wanted, found: shipper });
        }
        if options.hosts.as_ref().is_some_and(|hosts| !hosts.contains(&host.name)) {
            return Err(HelloError::UnknownHost(host.name));
        }
        Ok(Admission {
            shipper,
            epoch: hello.epoch,
            next: hello.next_sequence,
            hosts: options.hosts.clone(),
            host,
            speakers: options.speakers,
        })
    }

    /// Whose batches they are.
    #[must_use]
    pub fn shipper(&self) -> ShipperId {
        self.shipper
    }

    /// In which epoch they are.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The name of the host that called.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host.name
    }

    /// Judges a batch by its header; its body's hash is checked, but it is not opened.
    ///
    /// # Errors
    /// Where it will never be admitted.
    pub fn admit(&mut self, envelope: &[u8]) -> Result<Header, Rejected> {
        let header = Header::verify(envelope).map_err(|error| {
            let reason = match error {
                OpenError::Damaged(_) => Reason::Damaged,
                OpenError::Version { .. } => Reason::Version,
                OpenError::TooLarge { .. } | OpenError::Grows { .. } => Reason::TooLarge,
            };
            // A batch with a damaged body still says which it is. One that does not is the one that was due.
            let id = Header::peek(envelope)
                .map_or((self.epoch, self.next), |header| (header.id.epoch, header.id.sequence));
            self.next = id.1.max(self.next).saturating_add(1);
            Rejected { id: Some(id), reason, detail: error.to_string() }
        })?;
        let rejected =
            |reason, detail| Rejected { id: Some((header.id.epoch, header.id.sequence)), reason, detail };
        if header.id.shipper != self.shipper || header.id.epoch != self.epoch {
            let detail = format!("wanted a batch of {}/{}, found {}", self.shipper, self.epoch, header.id);
            return Err(rejected(Reason::Identity, detail));
        }
        if header.id.sequence < self.next {
            let detail = format!("wanted number {} or a later one, found {}", self.next, header.id.sequence);
            return Err(rejected(Reason::Identity, detail));
        }
        self.next = header.id.sequence.saturating_add(1);
        if let Some(detail) = self.not_allowed(&header) {
            return Err(rejected(Reason::NotAllowed, detail));
        }
        Ok(header)
    }

    /// Why the call may not speak for whom the header speaks.
    fn not_allowed(&self, header: &Header) -> Option<String> {
        let hosts = header.hosts.iter().map(Host::check_version_1);
        if let Some(Err(error)) = hosts.chain(header.guests.iter().map(Guest::check)).find(Result::is_err) {
            return Some(error.to_string());
        }
        if self.speakers == Speakers::OwnHost {
            if let Some(host) = header.hosts.iter().find(|host| **host != self.host) {
                return Some(format!(
                    "it speaks for the host '{}' (machine-id '{}'), the call is that of '{}' ('{}')",
                    host.name, host.machine_id, self.host.name, self.host.machine_id
                ));
            }
            if let (Some(guest), true) = (header.guests.first(), header.hosts.is_empty()) {
                return Some(format!("it speaks for the guest '{}' on no host", guest.name));
            }
        }
        let known = |host: &&Host| self.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host.name));
        let unknown = header.hosts.iter().find(|host| !known(host))?;
        Some(format!("it speaks for the host '{}', which is not known here", unknown.name))
    }
}

#[cfg(test)]
mod tests;
