//! What a batch may become is bounded before anything is made of it, and a builder keeps to that.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "in a test file helpers assert, too"
)]

use bytes::Bytes;
use lastwords_proto::v1;
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Full, Guest, Header, Host, OpenError, Origin,
    Placement, RecordRef, Sample, Severity, ShipperEvent, ShipperId, Source, TimeBasis,
    limits::{BATCH_STORED_BYTES_MAX, BUILT_DAYS_MAX, RETRY_STORED_BYTES_MAX},
};
use proptest::prelude::*;
use prost::Message as _;

const DAY_NS: i64 = 86_400_000_000_000;
const NOON_NS: i64 = 1_763_640_000_000_000_000;

fn host() -> Host {
    Host { name: "hv01".to_owned(), machine_id: "0123456789abcdef0123456789abcdef".to_owned() }
}

fn id() -> BatchId {
    BatchId { shipper: ShipperId::of("hv01", &host().machine_id), epoch: 1, sequence: 1 }
}

fn origin(guest: Option<Guest>) -> Origin {
    Origin {
        host: host(),
        guest,
        source: Source::File,
        attributes: vec![("log.file.path".to_owned(), "/var/log/messages".to_owned())],
    }
}

fn record<'a>(time_ns: i64, attributes: &'a [(&'a str, &'a str)]) -> RecordRef<'a> {
    RecordRef {
        time_ns,
        observed_ns: NOON_NS,
        body: b"a line",
        severity: 0,
        program: "cron",
        time_basis: TimeBasis::Line,
        attributes,
    }
}

fn guest(number: usize) -> Guest {
    Guest { name: format!("guest-{number:06}"), uuid: format!("5f0e8d1c-0000-4000-8000-{number:012}") }
}

fn placement(number: usize) -> Placement {
    Placement { host: host(), guest: guest(number), start_ns: NOON_NS, end_ns: None, attributes: vec![] }
}

fn event(start_ns: i64) -> ShipperEvent {
    ShipperEvent {
        class: "network.saturation.nic".to_owned(),
        start_ns,
        end_ns: Some(start_ns),
        host: host(),
        guest: None,
        title: "eth0 saturated".to_owned(),
        severity: Severity::Warning,
        key: "eth0 transmit".to_owned(),
        attributes: vec![("drops".to_owned(), "7".to_owned())],
    }
}

fn sample(time_ns: i64) -> Sample {
    Sample {
        time_ns,
        interval_ms: 10_000,
        host: host(),
        guest: Some(guest(1)),
        metric: "network.bytes_per_second".to_owned(),
        device: "eth0".to_owned(),
        direction: "receive".to_owned(),
        minimum: 0.0,
        mean: 1.5,
        maximum: 1e12,
    }
}

/// An envelope around a body, with a header that fits it.
fn envelope(body: &v1::BatchBody) -> Bytes {
    sealed(&body.encode_to_vec(), |header| {
        header.records = body.records.as_ref().map_or(0, |records| records.origin.len() as u32);
        header.samples = body.samples.as_ref().map_or(0, |samples| samples.host.len() as u32);
    })
}

fn sealed(body: &[u8], change: impl FnOnce(&mut v1::BatchHeader)) -> Bytes {
    let compressed = zstd::bulk::compress(body, 1).unwrap();
    let mut header = v1::BatchHeader {
        format_version: 0x0001_0000,
        shipper: vec![7; 16],
        sequence: 1,
        hosts: vec![v1::Host { name: "hv01".to_owned(), machine_id: String::new() }],
        compression: v1::Compression::Zstd.into(),
        body_bytes: body.len() as u32,
        body_hash: xxhash_rust::xxh3::xxh3_64(&compressed),
        ..v1::BatchHeader::default()
    };
    change(&mut header);
    let header = header.encode_to_vec();
    [b"LWB1", &(header.len() as u32).to_le_bytes()[..], &header, &compressed].concat().into()
}

/// A record section of so many records from one file, without text.
fn records(count: usize) -> v1::Records {
    v1::Records {
        origins: vec![v1::Origin { source: 1, ..v1::Origin::default() }],
        origin: vec![0; count],
        time_delta_ns: vec![0; count],
        observed_delta_ns: vec![0; count],
        text_length: vec![0; count],
        ..v1::Records::default()
    }
}

fn check_refused(what: &str, envelope: &Bytes) {
    let opened = Batch::open(envelope);
    assert!(
        matches!(opened, Err(OpenError::Grows { found, .. }) if found > BATCH_STORED_BYTES_MAX),
        "{what}"
    );
}

#[test]
fn indices_that_point_to_a_long_text_again_and_again_are_refused() {
    let long = "x".repeat(900_000);
    let words = vec![String::new(), "file".to_owned(), long];
    let of_records = |records| v1::BatchBody {
        dictionary: words.clone(),
        records: Some(records),
        ..v1::BatchBody::default()
    };
    // 5,000 records, each with an attribute of 900 KB: 4.5 GB in the store.
    let attributes = v1::Records {
        attribute_count: vec![1; 5_000],
        attribute_key: vec![1; 5_000],
        attribute_value: vec![2; 5_000],
        ..records(5_000)
    };
    let bomb = envelope(&of_records(attributes));
    assert!(bomb.len() < 500, "{} bytes", bomb.len());
    check_refused("values", &bomb);
    let keys = v1::Records {
        attribute_count: [vec![0; 19], vec![1_000]].concat(),
        attribute_key: vec![2; 1_000],
        attribute_value: vec![1; 1_000],
        ..records(20)
    };
    check_refused("keys", &envelope(&of_records(keys)));
    check_refused("programs", &envelope(&of_records(v1::Records { program: vec![2; 20], ..records(20) })));
    let with_path =
        v1::Origin { source: 1, attribute_keys: vec![1], attribute_values: vec![2], ..v1::Origin::default() };
    check_refused(
        "an origin's attributes",
        &envelope(&of_records(v1::Records { origins: vec![with_path], ..records(20) })),
    );
}

#[test]
fn messages_without_content_are_refused_before_they_are_decoded() {
    // Field 4, the events, and field 1 in it: two bytes an event.
    let many = |section: u8, message: [u8; 2]| {
        let messages = message.repeat(450_000);
        let length = messages.len() as u32;
        let varint = [length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8];
        [&[section][..], &varint, &messages].concat()
    };
    for (what, body) in [
        ("origins", many(0x12, [0x0a, 0])),
        ("events", many(0x22, [0x0a, 0])),
        ("placements", many(0x2a, [0x0a, 0])),
    ] {
        check_refused(what, &sealed(&body, |_| {}));
    }
}

#[test]
fn an_operator_may_open_more_than_a_stream() {
    let attributes = v1::Records {
        attribute_count: vec![1; 300],
        attribute_key: vec![1; 300],
        attribute_value: vec![2; 300],
        ..records(300)
    };
    let dictionary = vec![String::new(), "file".to_owned(), "x".repeat(100_000)];
    let envelope =
        envelope(&v1::BatchBody { dictionary, records: Some(attributes), ..v1::BatchBody::default() });
    check_refused("30 MB", &envelope);
    assert_eq!(Batch::open_within(&envelope, RETRY_STORED_BYTES_MAX).unwrap().records.len(), 300);
}

fn finished(builder: &mut BatchBuilder) -> Batch {
    builder.finish(id(), NOON_NS, Clock::default())
}

#[test]
fn a_builder_ends_a_batch_before_it_has_too_many_days() {
    let mut builder = BatchBuilder::new();
    let file = builder.origin(&origin(None));
    for day in 0..BUILT_DAYS_MAX as i64 - 2 {
        builder.push(file, &record(NOON_NS - day * DAY_NS, &[])).unwrap();
    }
    builder.push_sample(&sample(NOON_NS)).unwrap();
    builder.push_event(&event(NOON_NS)).unwrap();
    assert_eq!(builder.push(file, &record(0, &[])), Err(Full));
    assert_eq!(builder.push_sample(&sample(NOON_NS - DAY_NS)), Err(Full));
    assert_eq!(builder.push_event(&event(NOON_NS - DAY_NS)), Err(Full));
    assert_eq!(builder.push_placement(&placement(1)), Err(Full));
    // Days that are there already take as many rows as fit.
    builder.push(file, &record(NOON_NS - DAY_NS, &[])).unwrap();
    finished(&mut builder);
    builder.push(file, &record(0, &[])).unwrap();
    // What an old program had planned is formed again as it was.
    builder.form_again(true);
    for day in 0..100 {
        builder.push(file, &record(NOON_NS - day * DAY_NS, &[])).unwrap();
    }
    assert_eq!(finished(&mut builder).records.len(), 101);
}

#[test]
fn a_builder_counts_the_machines_of_the_header() {
    let mut builder = BatchBuilder::new();
    let mut batches = Vec::new();
    for number in 0..5_000 {
        if builder.push_placement(&placement(number)).is_err() {
            batches.push(finished(&mut builder));
            builder.push_placement(&placement(number)).unwrap();
        }
    }
    batches.push(finished(&mut builder));
    let guests: usize = batches
        .iter()
        .map(|batch| Header::peek(&batch.seal(Compression::DEFAULT).unwrap()).unwrap().guests.len())
        .sum();
    assert_eq!((guests, batches.len() > 2), (5_000, true));
}

#[test]
fn a_builder_ends_a_batch_before_its_rows_become_too_large() {
    let value = "v".repeat(2_000);
    let attributes = [("k", value.as_str())];
    let mut builder = BatchBuilder::new();
    let file = builder.origin(&origin(None));
    let count = (0..).take_while(|_| builder.push(file, &record(NOON_NS, &attributes)).is_ok()).count();
    assert!((7_000..8_000).contains(&count), "{count}");
    let batch = finished(&mut builder);
    assert_eq!(Batch::open(&batch.seal(Compression::DEFAULT).unwrap()).unwrap().records.len(), count);
}

#[test]
fn room_is_kept_for_a_placement_that_comes_last() {
    let mut builder = BatchBuilder::new();
    builder.keep_room_for(&placement(1));
    let file = builder.origin(&origin(None));
    let days = (0..100).take_while(|day| builder.push(file, &record(day * DAY_NS, &[])).is_ok()).count();
    assert_eq!(days, BUILT_DAYS_MAX - 1);
    builder.push_placement(&placement(1)).unwrap();
}

#[test]
fn a_batch_is_sealed_when_the_last_of_it_was_read_or_later() {
    let mut builder = BatchBuilder::new();
    let file = builder.origin(&origin(None));
    // The clock was set back since; what a line says of its time is no matter.
    builder.push(file, &RecordRef { observed_ns: NOON_NS + 5, ..record(i64::MAX, &[]) }).unwrap();
    assert_eq!(finished(&mut builder).header.sealed_time_ns, NOON_NS + 5);
    builder.push_event(&ShipperEvent { end_ns: Some(NOON_NS + 9), ..event(NOON_NS + 7) }).unwrap();
    assert_eq!(finished(&mut builder).header.sealed_time_ns, NOON_NS + 9);
    builder.push(file, &RecordRef { observed_ns: NOON_NS - 5, ..record(0, &[]) }).unwrap();
    assert_eq!(finished(&mut builder).header.sealed_time_ns, NOON_NS);
}

/// What is pushed: the kind of row, a day, lengths of texts.
type Push = (u8, i64, usize, usize);

fn push(builder: &mut BatchBuilder, (kind, day, length, other): Push) -> Result<(), Full> {
    let text = "t".repeat(length);
    let time_ns = NOON_NS + day * DAY_NS;
    match kind {
        0 => builder.push_sample(&Sample { metric: text, guest: Some(guest(other)), ..sample(time_ns) }),
        1 => builder.push_event(&ShipperEvent { title: text, ..event(time_ns) }),
        2 => builder
            .push_placement(&Placement { attributes: vec![("a".to_owned(), text)], ..placement(other) }),
        _ => {
            let file = builder.origin(&origin((other % 3 > 0).then(|| guest(other % 50))));
            let key = format!("k{}", other % 7);
            builder.push(file, &record(time_ns, &[(&key, &text), ("b", "c")]))
        }
    }
}

proptest! {
    #[test]
    fn whatever_a_builder_takes_is_counted_alike_by_all_and_opens(
        pushes in prop::collection::vec(
            (0..9_u8, 0..5_i64, prop_oneof![0..40_usize, Just(20_000)], 0..2_000_usize),
            0..400,
        ),
    ) {
        let mut builder = BatchBuilder::new();
        for one in pushes {
            if push(&mut builder, one).is_ok() {
                continue;
            }
            let stored = builder.stored_bytes();
            let batch = finished(&mut builder);
            prop_assert_eq!(batch.stored_bytes(), stored);
            let opened = Batch::open(&batch.seal(Compression::DEFAULT).unwrap()).unwrap();
            prop_assert_eq!(opened.stored_bytes(), stored);
            push(&mut builder, one).unwrap();
        }
        let stored = builder.stored_bytes();
        let opened = Batch::open(&finished(&mut builder).seal(Compression::DEFAULT).unwrap()).unwrap();
        prop_assert_eq!(opened.stored_bytes(), stored);
    }
}
