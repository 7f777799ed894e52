//! Batches that no shipper would seal, and some that it would.

use std::sync::LazyLock;

use bytes::Bytes;
use lastwords_proto::v1::{BatchBody, BatchHeader, Compression, Host, Origin, Records};
use lastwords_record::{ShipperId, batch::FORMAT_VERSION};
use prost::Message as _;
use rand::{Rng as _, RngCore as _, rngs::StdRng};
use xxhash_rust::xxh3::xxh3_64;

const DAY_NS: i64 = 86_400_000_000_000;
/// 2150-01-01, where the table's dates end.
const AFTER_DATES_NS: i64 = 5_680_281_600_000_000_000;
const ROWS_MAX: usize = 20_000;
const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef";

/// 256 MiB of nothing, compressed.
static BOMB: LazyLock<Vec<u8>> =
    LazyLock::new(|| zstd::bulk::compress(&vec![0; 256 << 20], 1).unwrap_or_default());

/// A shipper that seals what it likes.
#[derive(Debug, Clone)]
pub struct Author {
    /// Its host's name.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
}

/// What is wrong with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: so many ordinary lines.
    None(usize),
    /// Nothing, but it is as large as may be, and zstd cannot shrink it.
    Huge,
    /// Every row's attribute points to one text of 700 KB.
    AttributeBomb,
    /// Each row on a day of its own, so many days.
    Days(usize),
    /// Times that the table's dates do not reach.
    FarFuture,
    /// It speaks for another host.
    WrongHost,
    /// A body that is far larger than its header says.
    ZstdBomb,
    /// A header that claims four thousand million rows.
    RowsClaimed,
    /// Noise where the body should be.
    Noise,
    /// The end is missing.
    Cut,
}

impl Author {
    /// Of a host with a machine-id that everybody has.
    pub fn new(name: impl Into<String>, epoch: u64) -> Author {
        Author { name: name.into(), epoch }
    }

    /// Its identity.
    pub fn shipper(&self) -> ShipperId {
        ShipperId::of(&self.name, MACHINE_ID)
    }

    /// Its host on the wire.
    pub fn host(&self) -> Host {
        Host { name: self.name.clone(), machine_id: MACHINE_ID.to_owned() }
    }

    /// An envelope.
    ///
    /// # Errors
    /// Where zstd fails.
    pub fn envelope(
        &self,
        sequence: u64,
        now_ns: i64,
        flaw: Flaw,
        rng: &mut StdRng,
    ) -> anyhow::Result<Bytes> {
        let body = body(now_ns, flaw, rng);
        let rows = body.records.as_ref().map_or(0, |records| records.text_length.len());
        let plain = body.encode_to_vec();
        let mut sealed = if flaw == Flaw::ZstdBomb { BOMB.clone() } else { zstd::bulk::compress(&plain, 1)? };
        if flaw == Flaw::Noise {
            rng.fill_bytes(&mut sealed);
        }
        let host = match flaw {
            Flaw::WrongHost => Author::new("somebody-else", 1).host(),
            _ => self.host(),
        };
        let header = BatchHeader {
            format_version: FORMAT_VERSION,
            shipper: self.shipper().0.to_vec(),
            epoch: self.epoch,
            sequence,
            sealed_time_ns: now_ns,
            hosts: vec![host],
            compression: Compression::Zstd.into(),
            body_bytes: u32::try_from(plain.len())?,
            body_hash: xxh3_64(&sealed),
            records: if flaw == Flaw::RowsClaimed { u32::MAX } else { u32::try_from(rows)? },
            ..BatchHeader::default()
        }
        .encode_to_vec();
        let mut envelope = b"LWB1".to_vec();
        envelope.extend(u32::try_from(header.len())?.to_le_bytes());
        envelope.extend(header);
        envelope.extend(sealed);
        if flaw == Flaw::Cut {
            envelope.truncate(envelope.len() / 2);
        }
        Ok(envelope.into())
    }
}

fn body(now_ns: i64, flaw: Flaw, rng: &mut StdRng) -> BatchBody {
    let (rows, line) = match flaw {
        Flaw::None(rows) => (rows, 150),
        Flaw::Huge => (10, 90_000),
        Flaw::AttributeBomb => (ROWS_MAX, 1),
        Flaw::Days(days) => (days.min(ROWS_MAX), 20),
        _ => (100, 100),
    };
    let mut text = vec![0; rows * line];
    match flaw {
        Flaw::Huge => rng.fill_bytes(&mut text),
        _ => text.fill(rng.random_range(b'a'..=b'z')),
    }
    let step = |row: usize| match (flaw, row) {
        (Flaw::Days(_), _) => -DAY_NS,
        (Flaw::FarFuture, 0) => AFTER_DATES_NS - now_ns,
        _ => 1_000,
    };
    let mut dictionary = vec![String::new(), "file".to_owned(), "key".to_owned()];
    let mut records = Records {
        origins: vec![Origin { host: 0, guest: 0, source: 1, ..Origin::default() }],
        origin: vec![0; rows],
        time_delta_ns: (0..rows).map(step).collect(),
        observed_delta_ns: vec![0; rows],
        text_length: vec![u32::try_from(line).unwrap_or(0); rows],
        text: text.into(),
        ..Records::default()
    };
    if flaw == Flaw::AttributeBomb {
        dictionary.push("v".repeat(700_000));
        records.attribute_count = vec![1; rows];
        records.attribute_key = vec![2; rows];
        records.attribute_value = vec![3; rows];
    }
    BatchBody { dictionary, records: Some(records), ..BatchBody::default() }
}

#[cfg(test)]
mod tests {
    use lastwords_record::{Batch, Header};
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn honest_batches_open_and_headers_of_flawed_ones_can_be_read() {
        let (author, mut rng) = (Author::new("hv01", 7), StdRng::seed_from_u64(1));
        for flaw in [Flaw::None(50), Flaw::Huge] {
            let envelope = author.envelope(3, 1_700_000_000_000_000_000, flaw, &mut rng).unwrap();
            let batch = Batch::open(&envelope).unwrap();
            assert_eq!(batch.header.id.sequence, 3, "{flaw:?}");
        }
        for flaw in [Flaw::AttributeBomb, Flaw::Days(300), Flaw::FarFuture, Flaw::WrongHost, Flaw::ZstdBomb] {
            let envelope = author.envelope(3, 1_700_000_000_000_000_000, flaw, &mut rng).unwrap();
            let verified = Header::verify(&envelope);
            assert!(verified.is_ok(), "{flaw:?}: the front must not refuse it for its form: {verified:?}");
            assert!(envelope.len() < 1_000_000, "{flaw:?}");
        }
        let cut = author.envelope(3, 1_700_000_000_000_000_000, Flaw::Cut, &mut rng).unwrap();
        assert!(Header::verify(&cut).is_err());
    }
}
