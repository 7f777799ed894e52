//! Admits batches by their header alone: limits, damage, and whether the header speaks for whom the call may speak.

use std::collections::HashSet;

use lastwords_proto::v1::{Hello, rejection::Reason};
use lastwords_record::{Header, OpenError, ShipperId, batch::FORMAT_VERSION};
use thiserror::Error;

/// What is admitted.
#[derive(Debug, Clone)]
pub struct AdmitOptions {
    /// Bytes of batches that may be unacknowledged on one call.
    pub in_flight_bytes_max: u64,
    /// Names of the hosts that are known; none: every host is.
    pub hosts: Option<HashSet<String>>,
}

impl Default for AdmitOptions {
    fn default() -> Self {
        AdmitOptions { in_flight_bytes_max: 32 << 20, hosts: None }
    }
}

/// Why a call is not welcome.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HelloError {
    /// Not 16 bytes.
    #[error("Hello: the shipper's identity has {0} bytes, wanted 16")]
    Identity(usize),
    /// Nameless.
    #[error("Hello: the host has no name; configure one")]
    Nameless,
    /// Not on the list.
    #[error("Hello: the host '{0}' is not known here; add it to the ingester's hosts")]
    UnknownHost(String),
    /// Newer than we are.
    #[error("Hello: the shipper seals format version {}.{}, batches up to {}.x are opened here: update the ingester first",
        .0 >> 16, .0 & 0xffff, FORMAT_VERSION >> 16)]
    Version(u32),
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
}

impl Admission {
    /// Judges a call's first message.
    ///
    /// # Errors
    /// Where the shipper may not speak here.
    pub fn begin(hello: &Hello, options: &AdmitOptions) -> Result<Admission, HelloError> {
        let shipper: [u8; 16] =
            hello.shipper.as_slice().try_into().map_err(|_| HelloError::Identity(hello.shipper.len()))?;
        let name = hello.host.as_ref().map_or("", |host| host.name.as_str());
        if name.is_empty() {
            return Err(HelloError::Nameless);
        }
        if options.hosts.as_ref().is_some_and(|hosts| !hosts.contains(name)) {
            return Err(HelloError::UnknownHost(name.to_owned()));
        }
        if hello.format_version >> 16 > FORMAT_VERSION >> 16 {
            return Err(HelloError::Version(hello.format_version));
        }
        let (epoch, next) = (hello.epoch, hello.next_sequence);
        Ok(Admission { shipper: ShipperId(shipper), epoch, next, hosts: options.hosts.clone() })
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
                OpenError::TooLarge { .. } => Reason::TooLarge,
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
        let unknown = header
            .hosts
            .iter()
            .find(|host| self.hosts.as_ref().is_some_and(|hosts| !hosts.contains(&host.name)));
        if let Some(host) = unknown {
            let detail = format!("it speaks for the host '{}', which is not known here", host.name);
            return Err(rejected(Reason::NotAllowed, detail));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use lastwords_record::{BatchBuilder, BatchId, Clock, Compression, Host, RecordRef, Source, TimeBasis};

    use super::*;

    fn hello() -> Hello {
        Hello {
            shipper: vec![7; 16],
            host: Some(lastwords_proto::v1::Host { name: "hv01".into(), machine_id: String::new() }),
            epoch: 3,
            next_sequence: 5,
            format_version: FORMAT_VERSION,
            agent: String::new(),
        }
    }

    fn envelope(shipper: u8, epoch: u64, sequence: u64, host: &str) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        let host = Host { name: host.into(), machine_id: String::new() };
        let origin = lastwords_record::Origin { host, guest: None, source: Source::File, attributes: vec![] };
        let origin = builder.origin(&origin);
        let record = RecordRef {
            time_ns: 1,
            observed_ns: 1,
            body: b"x",
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        builder.push(origin, &record).unwrap();
        let id = BatchId { shipper: ShipperId([shipper; 16]), epoch, sequence };
        builder.finish(id, 1, Clock::default()).seal(Compression::None).unwrap().to_vec()
    }

    #[test]
    fn calls_are_judged_by_their_hello() {
        let known =
            AdmitOptions { hosts: Some(HashSet::from(["hv02".to_owned()])), ..AdmitOptions::default() };
        let open = AdmitOptions::default();
        let check = |hello: Hello, options: &AdmitOptions, wanted: Option<HelloError>| {
            assert_eq!(Admission::begin(&hello, options).err(), wanted);
        };
        check(hello(), &open, None);
        check(Hello { shipper: vec![1; 3], ..hello() }, &open, Some(HelloError::Identity(3)));
        check(Hello { host: None, ..hello() }, &open, Some(HelloError::Nameless));
        check(hello(), &known, Some(HelloError::UnknownHost("hv01".into())));
        check(Hello { format_version: 2 << 16, ..hello() }, &open, Some(HelloError::Version(2 << 16)));
    }

    #[test]
    fn batches_are_judged_by_their_header() {
        let known =
            AdmitOptions { hosts: Some(HashSet::from(["hv01".to_owned()])), ..AdmitOptions::default() };
        let mut damaged = envelope(7, 3, 5, "hv01");
        *damaged.last_mut().unwrap() ^= 1;
        let cases = [
            (envelope(7, 3, 5, "hv01"), None),
            (envelope(7, 3, 9, "hv01"), None),
            (damaged, Some(Reason::Damaged)),
            (b"no batch".to_vec(), Some(Reason::Damaged)),
            (vec![0; lastwords_record::limits::ENVELOPE_BYTES_MAX + 1], Some(Reason::TooLarge)),
            (envelope(8, 3, 5, "hv01"), Some(Reason::Identity)),
            (envelope(7, 4, 5, "hv01"), Some(Reason::Identity)),
            (envelope(7, 3, 4, "hv01"), Some(Reason::Identity)),
            (envelope(7, 3, 5, "hv02"), Some(Reason::NotAllowed)),
        ];
        for (number, (envelope, wanted)) in cases.into_iter().enumerate() {
            let mut admission = Admission::begin(&hello(), &known).unwrap();
            let reason = admission.admit(&envelope).err().map(|rejected| rejected.reason);
            assert_eq!(reason, wanted, "case {number}");
        }
    }
}
