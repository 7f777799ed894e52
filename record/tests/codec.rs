//! What goes into a batch comes out of it, and nothing else opens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use bytes::Bytes;
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Full, Guest, Header, Host, OpenError, Origin,
    Placement, RecordRef, Sample, SealError, Severity, ShipperEvent, ShipperId, Source, TimeBasis,
    batch::FORMAT_VERSION,
    limits::{BATCH_BODY_BYTES_MAX, BATCH_RECORDS_MAX, ENVELOPE_BYTES_MAX, RECORD_BYTES_MAX},
};
use proptest::prelude::*;

/// A default Kafka broker's `message.max.bytes`, less the overhead of a record batch.
const KAFKA_MESSAGE_BYTES: usize = 1_048_588 - 512;

fn id(sequence: u64) -> BatchId {
    BatchId { shipper: ShipperId::of("hv01", "0123"), epoch: 3, sequence }
}

fn origin(number: u8) -> Origin {
    Origin {
        host: Host {
            name: format!("hv{:02}", number % 3),
            machine_id: "m".repeat(usize::from(number % 2) * 32),
        },
        guest: (!number.is_multiple_of(4)).then(|| Guest { name: format!("g{number}"), uuid: String::new() }),
        source: Source::ALL[usize::from(number) % Source::ALL.len()],
        attributes: vec![("log.file.path".to_owned(), format!("/var/log/{number}"))],
    }
}

#[derive(Debug, Clone)]
struct OwnedRecord {
    origin: u8,
    time_ns: i64,
    observed_ns: i64,
    body: Vec<u8>,
    severity: u8,
    program: String,
    basis: u8,
    attributes: Vec<(String, String)>,
}

/// Times of three days, the first and the last that there are among them: a batch has few.
fn time() -> impl Strategy<Value = i64> {
    let first = prop_oneof![Just(i64::MIN), Just(1_795_000_000_000_000_000), Just(i64::MAX - 1_000_000)];
    (first, 0..1_000_000_i64).prop_map(|(first, more)| first + more)
}

fn record() -> impl Strategy<Value = OwnedRecord> {
    (
        0..6_u8,
        time(),
        any::<i64>(),
        prop::collection::vec(any::<u8>(), 0..60),
        prop_oneof![Just(0_u8), 0..25_u8],
        prop_oneof![Just(String::new()), "[a-z]{0,5}"],
        prop_oneof![Just(0_u8), 0..8_u8],
        prop::collection::vec(("[a-c]{1,2}", "[\\PC]{0,6}"), 0..3),
    )
        .prop_map(|(origin, time_ns, observed_ns, body, severity, program, basis, attributes)| {
            OwnedRecord { origin, time_ns, observed_ns, body, severity, program, basis, attributes }
        })
}

fn push(builder: &mut BatchBuilder, record: &OwnedRecord) -> Result<(), Full> {
    let id = builder.origin(&origin(record.origin));
    let attributes: Vec<(&str, &str)> =
        record.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    builder.push(
        id,
        &RecordRef {
            time_ns: record.time_ns,
            observed_ns: record.observed_ns,
            body: &record.body,
            severity: record.severity,
            program: &record.program,
            time_basis: TimeBasis::from_byte(record.basis),
            attributes: &attributes,
        },
    )
}

fn check_records(batch: &Batch, records: &[OwnedRecord]) {
    assert_eq!(batch.records.len(), records.len());
    for (row, record) in records.iter().enumerate() {
        assert_eq!(batch.records.origins[batch.records.origin[row] as usize], origin(record.origin));
        assert_eq!(
            (batch.records.time_ns[row], batch.records.observed_ns[row]),
            (record.time_ns, record.observed_ns)
        );
        assert_eq!(batch.records.body(row), record.body);
        assert_eq!(batch.records.severity.get(row).copied().unwrap_or(0), record.severity);
        assert_eq!(
            batch.dictionary[batch.records.program.get(row).copied().unwrap_or(0) as usize],
            record.program
        );
        assert_eq!(batch.records.time_basis(row) as u8, record.basis);
        let attributes: Vec<_> = batch.records.attributes(row, &batch.dictionary).collect();
        let expected: Vec<_> = record.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(attributes, expected);
    }
}

fn event(number: i64) -> ShipperEvent {
    ShipperEvent {
        class: "network.saturation.nic".into(),
        start_ns: number,
        end_ns: (number % 2 == 0).then_some(number + 5),
        host: origin(1).host,
        guest: None,
        title: "eth0 saturated".into(),
        severity: Severity::Warning,
        key: "eth0 transmit".into(),
        attributes: vec![("drops".into(), "7".into()), ("interface".into(), "eth0".into())],
    }
}

fn sample(number: i64) -> Sample {
    Sample {
        time_ns: number,
        interval_ms: 10_000,
        host: origin(2).host,
        guest: origin(2).guest,
        metric: "network.bytes_per_second".into(),
        device: "eth0".into(),
        direction: "receive".into(),
        minimum: 0.0,
        mean: 1.5,
        maximum: 1e12,
    }
}

fn placement() -> Placement {
    Placement {
        host: origin(1).host,
        guest: Guest { name: "g1".into(), uuid: "u".into() },
        start_ns: 1,
        end_ns: None,
        attributes: vec![("memory_bytes".into(), "1".into())],
    }
}

fn whole(records: &[OwnedRecord]) -> Batch {
    let mut builder = BatchBuilder::new();
    for record in records {
        push(&mut builder, record).unwrap();
    }
    for number in 0..3 {
        builder.push_event(&event(number)).unwrap();
        builder.push_sample(&sample(number)).unwrap();
    }
    builder.push_placement(&placement()).unwrap();
    builder.finish(id(9), 77, Clock { offset_ns: Some(-5), uncertainty_ns: 3 })
}

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was(records in prop::collection::vec(record(), 0..40), compress in any::<bool>()) {
        let batch = whole(&records);
        let sealed = batch.seal(if compress { Compression::DEFAULT } else { Compression::None }).unwrap();
        let opened = Batch::open(&sealed).unwrap();
        check_records(&opened, &records);
        prop_assert_eq!(&opened.events, &batch.events);
        prop_assert_eq!(&opened.samples, &batch.samples);
        prop_assert_eq!(&opened.placements, &batch.placements);
        let header = Header::verify(&sealed).unwrap();
        prop_assert_eq!(&header, &opened.header);
        prop_assert_eq!((header.id, header.clock), (id(9), Clock { offset_ns: Some(-5), uncertainty_ns: 3 }));
        prop_assert_eq!(&header.hosts, &batch.header.hosts);
        for record in &records {
            let origin = origin(record.origin);
            prop_assert!(header.hosts.contains(&origin.host));
            prop_assert!(origin.guest.is_none_or(|guest| header.guests.contains(&guest)));
        }
    }

    #[test]
    fn a_batch_that_is_full_is_as_it_was_before(records in prop::collection::vec(record(), 1..10)) {
        let mut builder = BatchBuilder::new();
        let filler = OwnedRecord { body: vec![b'x'; RECORD_BYTES_MAX], ..records[0].clone() };
        let mut count = 0;
        while push(&mut builder, &filler).is_ok() {
            count += 1;
        }
        prop_assert!(count >= 3);
        prop_assert_eq!(builder.records(), count);
        let batch = builder.finish(id(1), 0, Clock::default());
        prop_assert_eq!(batch.records.len(), count);
        prop_assert!(builder.is_empty());
        for record in &records {
            push(&mut builder, record).unwrap();
        }
        let batch = Batch::open(&builder.finish(id(2), 0, Clock::default()).seal(Compression::DEFAULT).unwrap()).unwrap();
        check_records(&batch, &records);
    }

    #[test]
    fn a_flipped_or_missing_byte_is_an_error_and_never_a_panic(
        records in prop::collection::vec(record(), 1..20),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let sealed = whole(&records).seal(Compression::DEFAULT).unwrap();
        let mut damaged = sealed.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= flip;
        // A byte of the header may be one that still makes sense (a clock's offset); the body's never.
        let header_bytes = 8 + u32::from_le_bytes(sealed[4..8].try_into().unwrap()) as usize;
        let opened = Batch::open(&Bytes::from(damaged));
        if at < 4 || at >= header_bytes {
            prop_assert!(opened.is_err());
        }
        prop_assert!(Batch::open(&sealed.slice(..at)).is_err());
    }

    #[test]
    fn a_body_that_was_changed_with_its_hash_is_an_error_or_a_batch_that_seals_again(
        records in prop::collection::vec(record(), 1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let sealed = whole(&records).seal(Compression::None).unwrap();
        let header_bytes = 8 + u32::from_le_bytes(sealed[4..8].try_into().unwrap()) as usize;
        let mut changed = sealed.to_vec();
        for (at, byte) in changes {
            let at = header_bytes + at.index(sealed.len() - header_bytes);
            changed[at] = byte;
        }
        let hash = xxhash_rust::xxh3::xxh3_64(&changed[header_bytes..]);
        let changed = reheader(&Bytes::from(changed), |header| header.body_hash = hash);
        if let Ok(batch) = Batch::open(&changed) {
            for row in 0..batch.records.len() {
                let _ = (batch.records.body(row), batch.records.attributes(row, &batch.dictionary).count());
            }
            let again = Batch::open(&batch.seal(Compression::DEFAULT).unwrap()).unwrap();
            prop_assert_eq!(again.records.text, batch.records.text);
            prop_assert_eq!(again.samples.len(), batch.samples.len());
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_open(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut envelope = b"LWB1".to_vec();
        envelope.extend(&bytes);
        let _ = Header::peek(&envelope);
        let _ = Batch::open(&Bytes::from(envelope));
        prop_assert!(Batch::open(&Bytes::from(bytes)).is_err());
    }
}

#[test]
fn a_full_batch_that_cannot_be_compressed_fits_a_default_kafka_message() {
    // Noise: a linear congruential generator's upper bytes.
    let mut state = 1_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[0]
            })
            .collect()
    };
    for length in [0, 10, 5_000, RECORD_BYTES_MAX] {
        let mut builder = BatchBuilder::new();
        let mut count = 0;
        loop {
            let record = OwnedRecord {
                origin: 1,
                time_ns: i64::MAX - count,
                observed_ns: -count,
                body: noise(length),
                severity: 3,
                program: format!("p{count}"),
                basis: 1,
                attributes: vec![(format!("k{count}"), "v".to_owned())],
            };
            if push(&mut builder, &record).is_err() {
                break;
            }
            count += 1;
        }
        let batch = builder.finish(id(1), 0, Clock::default());
        for compression in [Compression::None, Compression::DEFAULT] {
            let sealed = batch.seal(compression).unwrap();
            assert!(
                sealed.len() <= ENVELOPE_BYTES_MAX && sealed.len() < KAFKA_MESSAGE_BYTES,
                "{}",
                sealed.len()
            );
            assert_eq!(Batch::open(&sealed).unwrap().records, batch.records);
        }
    }
}

#[test]
fn a_record_of_the_largest_size_fits_and_so_do_the_most_records() {
    let mut builder = BatchBuilder::new();
    let large = record_of(vec![b'x'; RECORD_BYTES_MAX]);
    push(&mut builder, &large).unwrap();
    builder.finish(id(1), 0, Clock::default());
    let empty = OwnedRecord { body: vec![], ..large };
    let mut count = 0;
    while push(&mut builder, &empty).is_ok() {
        count += 1;
    }
    assert_eq!(count, BATCH_RECORDS_MAX);
}

#[test]
fn an_empty_batch_uses_up_its_number() {
    let sealed = BatchBuilder::new().finish(id(5), 1, Clock::default()).seal(Compression::DEFAULT).unwrap();
    let batch = Batch::open(&sealed).unwrap();
    assert_eq!((batch.header.id.sequence, batch.records.len()), (5, 0));
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let mut builder = BatchBuilder::new();
    push(&mut builder, &record_of(vec![0; RECORD_BYTES_MAX])).unwrap();
    let batch = builder.finish(id(1), 0, Clock::default());
    let sealed = batch.seal(Compression::DEFAULT).unwrap();
    let mut wire = Batch::open(&sealed).unwrap();
    assert!(wire.header.body_bytes as usize > RECORD_BYTES_MAX);
    // The header claims fewer bytes than the body unpacks to: nothing beyond them is written.
    let lying = reheader(&sealed, |header| header.body_bytes = 100);
    assert!(matches!(Batch::open(&lying), Err(OpenError::Damaged(_))));
    let claiming = reheader(&sealed, |header| header.body_bytes = u32::MAX);
    assert!(matches!(Batch::open(&claiming), Err(OpenError::TooLarge { .. })));
    wire.header.hosts = vec![Host { name: "h".repeat(100_000), machine_id: String::new() }];
    assert!(matches!(wire.seal(Compression::None), Err(SealError::TooLarge { .. })));
    let oversized = vec![0; ENVELOPE_BYTES_MAX + 1];
    assert!(matches!(Header::peek(&oversized), Err(OpenError::TooLarge { .. })));
    const { assert!(BATCH_BODY_BYTES_MAX < ENVELOPE_BYTES_MAX) };
}

#[test]
fn rows_that_repeat_a_long_name_are_refused_before_they_are_copied() {
    let name = "n".repeat(BATCH_BODY_BYTES_MAX / 4);
    let mut batch = whole(&[]);
    batch.samples = (0..4).map(|number| Sample { metric: name.clone(), ..sample(number) }).collect();
    batch.header.samples = 4;
    // Four of them, with their hosts and guests, are more than a body may have, though the body has the name once.
    let sealed = batch.seal(Compression::None).unwrap();
    assert!(sealed.len() < BATCH_BODY_BYTES_MAX / 2);
    assert!(matches!(Batch::open(&sealed), Err(OpenError::Damaged(_))));
    batch.samples.truncate(3);
    batch.header.samples = 3;
    assert_eq!(Batch::open(&batch.seal(Compression::None).unwrap()).unwrap().samples, batch.samples);
}

#[test]
fn what_a_builder_fills_with_samples_opens() {
    let mut builder = BatchBuilder::new();
    let named = |number: i64| Sample { metric: format!("metric {}", number % 7), ..sample(number) };
    push(&mut builder, &OwnedRecord { program: "metric 3".to_owned(), ..record_of(vec![]) }).unwrap();
    let count = (0..).take_while(|number| builder.push_sample(&named(*number)).is_ok()).count();
    let opened = Batch::open(&builder.finish(id(1), 0, Clock::default()).seal(Compression::DEFAULT).unwrap());
    let expected: Vec<Sample> = (0..).take(count).map(named).collect();
    assert_eq!(opened.unwrap().samples, expected);
}

#[test]
fn a_newer_major_version_is_no_damage_and_a_newer_minor_opens() {
    let sealed = whole(&[]).seal(Compression::DEFAULT).unwrap();
    let newer = reheader(&sealed, |header| header.format_version = 0x0002_0000);
    assert_eq!(Header::peek(&newer), Err(OpenError::Version { found: 0x0002_0000, newest: FORMAT_VERSION }));
    assert!(Batch::open(&newer).unwrap_err().to_string().contains("2.0"));
    let minor = reheader(&sealed, |header| header.format_version = 0x0001_0007);
    assert!(Batch::open(&minor).is_ok());
}

/// The envelope with another header, as a program of another version or a hostile one might write it.
fn reheader(sealed: &Bytes, change: impl FnOnce(&mut lastwords_proto::v1::BatchHeader)) -> Bytes {
    use prost::Message;
    let length = u32::from_le_bytes(sealed[4..8].try_into().unwrap()) as usize;
    let mut header = lastwords_proto::v1::BatchHeader::decode(&sealed[8..8 + length]).unwrap();
    change(&mut header);
    let header = header.encode_to_vec();
    let mut envelope = b"LWB1".to_vec();
    envelope.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    envelope.extend(&header);
    envelope.extend(&sealed[8 + length..]);
    envelope.into()
}

fn record_of(body: Vec<u8>) -> OwnedRecord {
    OwnedRecord {
        origin: 0,
        time_ns: 0,
        observed_ns: 0,
        body,
        severity: 0,
        program: String::new(),
        basis: 0,
        attributes: vec![],
    }
}

/// The batch of the stored fixture.
fn fixture() -> (Batch, Vec<OwnedRecord>) {
    let records: Vec<OwnedRecord> = (0..5_u8)
        .map(|number| OwnedRecord {
            origin: number,
            time_ns: 1_795_000_000_000_000_000 + i64::from(number) * 1_000,
            observed_ns: 1_795_000_001_000_000_000,
            body: format!("line {number} \u{e9}\n second").into_bytes(),
            severity: number,
            program: if number > 2 { "kernel".into() } else { String::new() },
            basis: number,
            attributes: if number == 3 { vec![("_PID".into(), "7".into())] } else { vec![] },
        })
        .collect();
    (whole(&records), records)
}

/// Format version 1 must open for ever. The file was sealed by the program that introduced the format; it is never written again.
#[test]
fn the_fixture_of_version_1_opens() {
    let sealed = Bytes::from_static(include_bytes!("fixtures/batch-v1.lwb"));
    let (expected, records) = fixture();
    let batch = Batch::open(&sealed).unwrap();
    check_records(&batch, &records);
    assert_eq!(batch.header.format_version, 0x0001_0000);
    assert_eq!(
        (batch.samples, batch.events, batch.placements),
        (expected.samples, expected.events, expected.placements)
    );
}

/// Format version 1.1, with an identity of version 2. Like the other it is never written again.
#[test]
fn the_fixture_of_version_1_1_opens() {
    let sealed = Bytes::from_static(include_bytes!("fixtures/batch-v1.1.lwb"));
    let (expected, records) = fixture();
    let batch = Batch::open(&sealed).unwrap();
    check_records(&batch, &records);
    assert_eq!((batch.header.format_version, batch.header.id), (0x0001_0001, id(9)));
    assert_eq!(batch.header.id.shipper.version(), 2);
    assert_eq!(
        (batch.samples, batch.events, batch.placements),
        (expected.samples, expected.events, expected.placements)
    );
}
