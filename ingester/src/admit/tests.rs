use lastwords_record::{
    BatchBuilder, BatchId, Clock, Compression, Guest, Origin, RecordRef, Source, TimeBasis,
};

use super::*;

const MACHINE: &str = "0123456789abcdef0123456789abcdef";

fn host(name: &str) -> Host {
    Host { name: name.to_owned(), machine_id: MACHINE.to_owned() }
}

fn hello() -> Hello {
    Hello {
        shipper: ShipperId::of("hv01", MACHINE).0.to_vec(),
        host: Some(lastwords_proto::v1::Host { name: "hv01".into(), machine_id: MACHINE.into() }),
        epoch: 3,
        next_sequence: 5,
        format_version: FORMAT_VERSION,
        agent: String::new(),
    }
}

fn leaf(names: &[&str]) -> Leaf {
    Leaf { names: names.iter().map(|&name| name.to_owned()).collect(), not_after_s: i64::MAX }
}

fn envelope(shipper: ShipperId, epoch: u64, sequence: u64, origins: &[(Host, Option<&str>)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (host, guest) in origins {
        let guest = guest.map(|name| Guest { name: name.to_owned(), uuid: String::new() });
        let origin = Origin { host: host.clone(), guest, source: Source::File, attributes: vec![] };
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
    }
    let id = BatchId { shipper, epoch, sequence };
    builder.finish(id, 1, Clock::default()).seal(Compression::None).unwrap().to_vec()
}

/// The envelope's header with other hosts and guests, over the same body.
fn retitled(envelope: &[u8], change: impl Fn(&mut lastwords_proto::v1::BatchHeader)) -> Vec<u8> {
    use prost::Message as _;
    let length = u32::from_le_bytes(*envelope[4..].first_chunk().unwrap()) as usize;
    let mut header = lastwords_proto::v1::BatchHeader::decode(&envelope[8..8 + length]).unwrap();
    change(&mut header);
    let header = header.encode_to_vec();
    let length = u32::try_from(header.len()).unwrap().to_le_bytes();
    [
        b"LWB1",
        &length[..],
        &header,
        &envelope[8 + u32::from_le_bytes(*envelope[4..].first_chunk().unwrap()) as usize..],
    ]
    .concat()
}

#[test]
fn calls_are_judged_by_their_hello_and_their_certificate() {
    let known = AdmitOptions { hosts: Some(HashSet::from(["hv02".to_owned()])), ..AdmitOptions::default() };
    let open = AdmitOptions::default();
    let any = AdmitOptions { speakers: Speakers::AnyHost, ..AdmitOptions::default() };
    let check =
        |hello: Hello, options: &AdmitOptions, certificate: Option<&Leaf>, wanted: Option<CallReason>| {
            let found = Admission::begin(&hello, options, certificate).err();
            assert_eq!(found.as_ref().map(HelloError::reason), wanted, "{found:?}");
        };
    check(hello(), &open, None, None);
    check(Hello { shipper: vec![1; 3], ..hello() }, &open, None, Some(CallReason::Malformed));
    check(Hello { host: None, ..hello() }, &open, None, Some(CallReason::Malformed));
    check(hello(), &known, None, Some(CallReason::UnknownHost));
    let named = |name: &str, machine_id: &str, shipper: ShipperId| Hello {
        shipper: shipper.0.to_vec(),
        host: Some(lastwords_proto::v1::Host { name: name.into(), machine_id: machine_id.into() }),
        ..hello()
    };
    let malformed = Some(CallReason::Malformed);
    for (name, machine_id, wanted, wanted_version_1) in [
        ("", MACHINE, malformed, malformed),
        (&"h".repeat(256), MACHINE, malformed, malformed),
        ("hv\u{1b}[2J", MACHINE, malformed, malformed),
        ("hv01", "uninitialized", malformed, None),
        ("hv01", &"m".repeat(1_000_000), malformed, malformed),
        ("hv,x", "", None, None),
    ] {
        check(named(name, machine_id, ShipperId::of(name, machine_id)), &open, None, wanted);
        check(named(name, machine_id, ShipperId::version_1(name, machine_id)), &open, None, wanted_version_1);
    }
    // One of version 1 is compared with version 1, one of version 2 with version 2.
    check(
        named("hv02", MACHINE, ShipperId::version_1("hv01", MACHINE)),
        &open,
        None,
        Some(CallReason::Identity),
    );
    let mixed = ShipperId(ShipperId::version_1("hv01", MACHINE).0.map(|byte| byte ^ 1));
    check(named("hv01", MACHINE, mixed), &open, None, Some(CallReason::Identity));
    check(Hello { format_version: 2 << 16, ..hello() }, &open, None, Some(CallReason::Version));
    // Another shipper's identity: its numbers would be used up.
    let stolen = Hello { shipper: ShipperId::of("hv02", MACHINE).0.to_vec(), ..hello() };
    check(stolen.clone(), &open, None, Some(CallReason::Identity));
    check(stolen, &any, None, None);
    for (names, wanted) in [
        (&["hv01"][..], None),
        (&["hv02", "hv01"], None),
        (&["hv02"], Some(CallReason::Certificate)),
        (&["*"], Some(CallReason::Certificate)),
        (&["hv01.example.org"], Some(CallReason::Certificate)),
        (&["HV01"], Some(CallReason::Certificate)),
        (&[], Some(CallReason::Certificate)),
    ] {
        check(hello(), &open, Some(&leaf(names)), wanted);
        check(hello(), &any, Some(&leaf(names)), wanted);
    }
}

#[test]
fn batches_are_judged_by_their_header() {
    let ours = ShipperId::of("hv01", MACHINE);
    let own = |epoch, sequence| envelope(ours, epoch, sequence, &[(host("hv01"), None)]);
    let mut damaged = own(3, 5);
    *damaged.last_mut().unwrap() ^= 1;
    let other_machine = Host { machine_id: "f".repeat(32), ..host("hv01") };
    let cases = [
        ("the number that was due", own(3, 5), None),
        ("a later number", own(3, 9), None),
        ("a guest of its own", envelope(ours, 3, 5, &[(host("hv01"), Some("web07"))]), None),
        ("an empty batch", envelope(ours, 3, 5, &[]), None),
        ("damage", damaged, Some(Reason::Damaged)),
        ("no batch", b"no batch".to_vec(), Some(Reason::Damaged)),
        ("too large", vec![0; lastwords_record::limits::ENVELOPE_BYTES_MAX + 1], Some(Reason::TooLarge)),
        (
            "another shipper",
            envelope(ShipperId([8; 16]), 3, 5, &[(host("hv01"), None)]),
            Some(Reason::Identity),
        ),
        ("another epoch", own(4, 5), Some(Reason::Identity)),
        ("an earlier number", own(3, 4), Some(Reason::Identity)),
        ("another host", envelope(ours, 3, 5, &[(host("hv02"), None)]), Some(Reason::NotAllowed)),
        ("the host's name alone", envelope(ours, 3, 5, &[(other_machine, None)]), Some(Reason::NotAllowed)),
        (
            "another host beside its own",
            envelope(ours, 3, 5, &[(host("hv01"), None), (host("hv02"), None)]),
            Some(Reason::NotAllowed),
        ),
        (
            "another host's guest",
            envelope(ours, 3, 5, &[(host("hv01"), None), (host("hv02"), Some("db01"))]),
            Some(Reason::NotAllowed),
        ),
        (
            "a guest with a name that clears a screen",
            envelope(ours, 3, 5, &[(host("hv01"), Some("web\u{1b}[2J"))]),
            Some(Reason::NotAllowed),
        ),
        (
            "a guest with a name without end",
            envelope(ours, 3, 5, &[(host("hv01"), Some(&"g".repeat(30_000)))]),
            Some(Reason::NotAllowed),
        ),
        (
            "a guest on no host",
            retitled(&envelope(ours, 3, 5, &[(host("hv01"), Some("web07"))]), |header| header.hosts.clear()),
            Some(Reason::NotAllowed),
        ),
    ];
    for (what, envelope, wanted) in cases {
        let mut admission = Admission::begin(&hello(), &AdmitOptions::default(), None).unwrap();
        let found = admission.admit(&envelope).err();
        assert_eq!(found.as_ref().map(|rejected| rejected.reason), wanted, "{what}: {found:?}");
    }
}

#[test]
fn a_header_that_lists_its_own_host_alone_cannot_hide_another_in_its_body() {
    // Rows refer to hosts by their place in the header. With the second one taken out, its rows refer to nothing.
    let ours = ShipperId::of("hv01", MACHINE);
    let both = envelope(ours, 3, 5, &[(host("hv01"), None), (host("hv02"), Some("db01"))]);
    let hidden = retitled(&both, |header| header.hosts.truncate(1));
    let mut admission = Admission::begin(&hello(), &AdmitOptions::default(), None).unwrap();
    assert!(admission.admit(&hidden).is_ok(), "its header is in order");
    let opened = lastwords_record::Batch::open(&hidden.into());
    assert!(matches!(opened, Err(OpenError::Damaged(_))), "{opened:?}");
}

#[test]
fn a_socket_of_the_owner_takes_batches_of_any_host_that_is_known() {
    let options = AdmitOptions {
        speakers: Speakers::AnyHost,
        hosts: Some(HashSet::from(["hv01".to_owned(), "hv02".to_owned()])),
        ..AdmitOptions::default()
    };
    let ours = ShipperId::of("hv01", MACHINE);
    for (name, wanted) in [("hv02", None), ("hv03", Some(Reason::NotAllowed))] {
        let mut admission = Admission::begin(&hello(), &options, None).unwrap();
        let found = admission.admit(&envelope(ours, 3, 5, &[(host(name), None)])).err();
        assert_eq!(found.map(|rejected| rejected.reason), wanted, "{name}");
    }
}
