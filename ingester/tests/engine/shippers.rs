//! Shippers beside each other, and one from its Hello to its last acknowledgement.

use std::sync::Arc;

use bytes::Bytes;
use lastwords_ingester::{AdmitOptions, Incoming, serve_grpc};
use lastwords_proto::v1::{
    Hello, ShipRequest, ship_request, ship_response::Message, shipping_client::ShippingClient,
};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
    batch::FORMAT_VERSION, limits::BATCH_DAYS_MAX,
};

use super::{DAY_NS, MACHINE, NOON_NS, alone, batch, check_once, id, number, open};

#[test]
fn a_shipper_is_served_in_order() {
    alone("shippers::a_shipper_is_served_in_order", async |folder| {
        let (store, direct, writer) = open(&folder).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tokio::spawn(serve_grpc(incoming, direct.clone(), AdmitOptions::default(), async {
            let _ = stopped.await;
        }));
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let mut client = ShippingClient::new(channel);
        let (requests, outgoing) = tokio::sync::mpsc::channel(16);
        let send = async |message| requests.send(ShipRequest { message: Some(message) }).await.unwrap();
        send(ship_request::Message::Hello(Hello {
            shipper: ShipperId::of("hv01", MACHINE).0.to_vec(),
            host: Some(lastwords_proto::v1::Host { name: "hv01".into(), machine_id: MACHINE.into() }),
            epoch: 3,
            next_sequence: 1,
            format_version: FORMAT_VERSION,
            agent: "test".into(),
        }))
        .await;
        let outgoing = tokio_stream::wrappers::ReceiverStream::new(outgoing);
        let mut responses = client.ship(outgoing).await.unwrap().into_inner();
        let mut next = async || responses.message().await.unwrap().unwrap().message.unwrap();
        assert!(matches!(next().await, Message::Welcome(_)));
        send(ship_request::Message::Heartbeat(lastwords_proto::v1::Heartbeat {
            shipper_sent_ns: 9,
            clock_offset_ns: None,
        }))
        .await;
        match next().await {
            Message::Heartbeat(reply) => assert_eq!(reply.shipper_sent_ns, 9),
            other => panic!("wanted the probe's answer, found {other:?}"),
        }
        for sequence in 1..=3 {
            send(ship_request::Message::Batch(batch(sequence).seal(Compression::DEFAULT).unwrap())).await;
        }
        send(ship_request::Message::Batch(Bytes::from_static(b"no batch"))).await;
        let (mut acknowledged, mut events, mut rejected) = (Vec::new(), 0, Vec::new());
        while acknowledged.len() + rejected.len() < 4 {
            match next().await {
                Message::Acknowledgement(one) => {
                    events += one.events;
                    acknowledged.push(one.sequence);
                }
                Message::Rejection(one) => rejected.push(one.sequence),
                other => panic!("wanted acknowledgements, found {other:?}"),
            }
        }
        assert_eq!((acknowledged, events, rejected), (vec![1, 2, 3], 3, vec![4]));
        check_once(&store, 3).await;
        stop.send(()).unwrap();
        while let Ok(Some(_)) = responses.message().await {}
        drop(client);
        server.await.unwrap();
        direct.close();
        writer.await.unwrap();
    });
}

/// A batch of old files' rows on days that no other batch has, as many as are admitted.
fn wide(sequence: u64) -> Batch {
    let mut builder = BatchBuilder::new();
    builder.form_again(true);
    let host = Host { name: "hv66".into(), machine_id: MACHINE.into() };
    let origin = builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
    let days = i64::try_from(BATCH_DAYS_MAX).unwrap();
    for day in 0..days {
        let record = RecordRef {
            time_ns: (sequence as i64 * days + day) * DAY_NS,
            observed_ns: NOON_NS,
            body: b"nothing to see",
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        builder.push(origin, &record).unwrap();
    }
    let id = BatchId { shipper: ShipperId::of("hv66", MACHINE), epoch: 1, sequence };
    builder.finish(id, NOON_NS, Clock::default())
}

/// A batch of one record of now.
fn fresh() -> Batch {
    let now_ns = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let now_ns = i64::try_from(now_ns).unwrap();
    let mut builder = BatchBuilder::new();
    let host = Host { name: "hv01".into(), machine_id: MACHINE.into() };
    let origin = builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
    let record = RecordRef {
        time_ns: now_ns,
        observed_ns: now_ns,
        body: b"a line of now",
        severity: 0,
        program: "",
        time_basis: TimeBasis::Line,
        attributes: &[],
    };
    builder.push(origin, &record).unwrap();
    builder.finish(id(1), now_ns, Clock::default())
}

#[test]
fn one_shippers_widest_batches_do_not_hold_up_another_shipper() {
    alone("shippers::one_shippers_widest_batches_do_not_hold_up_another_shipper", async |folder| {
        const WIDE: u64 = 12;
        let (store, direct, _writer) = open(&folder).await;
        let stored = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let mut waiting = Vec::new();
        for sequence in 1..=WIDE {
            let ticket = direct.submit(Incoming::Opened(wide(sequence))).await.unwrap();
            let stored = Arc::clone(&stored);
            waiting.push(tokio::spawn(async move {
                assert_eq!(ticket.await.unwrap().quarantined, 0);
                stored.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }));
        }
        // The writer is in the middle of them.
        waiting.remove(0).await.unwrap();
        direct.submit(Incoming::Opened(fresh())).await.unwrap().await.unwrap();
        let before = stored.load(std::sync::atomic::Ordering::SeqCst);
        assert!(before <= WIDE / 2, "{before} of {WIDE} wide batches went before the one of now");
        for one in waiting {
            one.await.unwrap();
        }
        let days = WIDE * BATCH_DAYS_MAX as u64;
        assert_eq!(number(&store, "count()) AS n FROM logs WHERE Host = 'hv66'").await, days);
        assert_eq!(
            number(&store, "uniqExact(toDate32(Timestamp))) AS n FROM logs WHERE Host = 'hv66'").await,
            days
        );
    });
}
