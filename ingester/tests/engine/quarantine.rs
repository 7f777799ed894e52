//! What is set aside, and what becomes of it.

use std::sync::Arc;

use bytes::Bytes;
use lastwords_detect::Detector;
use lastwords_ingester::{
    Incoming,
    quarantine::{RetryError, retry},
};
use lastwords_record::{BatchBuilder, Clock, Compression, Host, Origin, RecordRef, Source, TimeBasis};

use super::{DAY_NS, MACHINE, NOON_NS, ROWS, alone, batch, id, number, open};

#[test]
fn poison_is_set_aside_and_the_stream_goes_on() {
    alone("quarantine::poison_is_set_aside_and_the_stream_goes_on", async |folder| {
        let (store, direct, _writer) = open(&folder).await;
        let mut poison = batch(1).seal(Compression::DEFAULT).unwrap().to_vec();
        *poison.last_mut().unwrap() ^= 1;
        let poison = Bytes::from(poison);
        let set_aside = direct.submit(Incoming::Sealed(poison.clone())).await.unwrap();
        let good = direct.submit(Incoming::Opened(batch(2))).await.unwrap();
        assert_eq!(set_aside.await.unwrap().quarantined, 1);
        assert_eq!(good.await.unwrap().quarantined, 0);
        let kept = format!(
            "count()) AS n FROM quarantine WHERE Sequence = 1 AND Reason != '' AND length(Envelope) = {}",
            poison.len()
        );
        assert_eq!(number(&store, &kept).await, 1);
        assert_eq!(number(&store, "count()) AS n FROM logs").await, ROWS as u64);
        assert_eq!(number(&store, "count()) AS n FROM batches").await, 2);
        // It is known now, too.
        direct.submit(Incoming::Sealed(poison)).await.unwrap().await.unwrap();
        assert_eq!(number(&store, "count()) AS n FROM quarantine").await, 1);
        assert!(direct.metrics().contains("lastwords_ingester_quarantined_batches_total 1"));
    });
}

#[test]
fn what_is_retried_is_stored_once_and_leaves_the_quarantine() {
    alone("quarantine::what_is_retried_is_stored_once_and_leaves_the_quarantine", async |folder| {
        let (store, _direct, _writer) = open(&folder).await;
        // As a program would have left it that could not open it: in quarantine, and known.
        let envelope = batch(1).seal(Compression::DEFAULT).unwrap();
        let hex: String = envelope.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = id(1);
        let key =
            format!("unhex('{}') AS Shipper, {} AS Epoch, {} AS Sequence", id.shipper, id.epoch, id.sequence);
        for sql in [
            format!(
                "INSERT INTO quarantine (Shipper, Epoch, Sequence, Time, Reason, Envelope, Planned) SELECT {key}, now64(9), 'too new', unhex('{hex}'), now() + 30"
            ),
            format!(
                "INSERT INTO batches (Shipper, Epoch, Sequence, Quarantined, Planned) SELECT {key}, 'too new', now() + 30"
            ),
        ] {
            store.execute(&sql).await.unwrap();
        }
        let detector = Arc::new(Detector::built_in());
        let stored = retry(&store, Arc::clone(&detector), id).await.unwrap();
        assert_eq!(stored, (ROWS, 1));
        assert_eq!(number(&store, "count()) AS n FROM logs").await, ROWS as u64);
        assert_eq!(number(&store, "count()) AS n FROM events FINAL").await, 1);
        assert_eq!(number(&store, "count()) AS n FROM quarantine FINAL").await, 0);
        let ledger = format!(
            "count()) AS n FROM batches WHERE Quarantined = '' AND Records = {ROWS} AND Hosts = 'hv01'"
        );
        assert_eq!(number(&store, &ledger).await, 1);
        let again = retry(&store, detector, id).await;
        assert!(matches!(again, Err(RetryError::NotThere)), "{again:?}");
    });
}

#[test]
fn what_cannot_be_retried_is_left_alone() {
    alone("quarantine::what_cannot_be_retried_is_left_alone", async |folder| {
        let (store, _direct, _writer) = open(&folder).await;
        let sealed = batch(1).seal(Compression::DEFAULT).unwrap();
        let put = async |sequence: u64, envelope: &[u8], known: bool| {
            let hex: String = envelope.iter().map(|byte| format!("{byte:02x}")).collect();
            let id = id(sequence);
            let key = format!(
                "unhex('{}') AS Shipper, {} AS Epoch, {} AS Sequence",
                id.shipper, id.epoch, id.sequence
            );
            let row = format!(
                "INSERT INTO quarantine (Shipper, Epoch, Sequence, Time, Reason, Envelope, Planned) SELECT {key}, now64(9), 'x', unhex('{hex}'), now() + 30"
            );
            store.execute(&row).await.unwrap();
            if known {
                let row = format!(
                    "INSERT INTO batches (Shipper, Epoch, Sequence, Quarantined, Planned) SELECT {key}, 'x', now() + 30"
                );
                store.execute(&row).await.unwrap();
            }
        };
        put(1, &sealed, false).await;
        put(2, b"no batch", true).await;
        put(3, &sealed, true).await;
        put(4, b"", true).await;
        let tried = async |sequence: u64| {
            retry(&store, Arc::new(Detector::built_in()), id(sequence)).await.unwrap_err()
        };
        assert!(matches!(tried(1).await, RetryError::Unsettled));
        assert!(matches!(tried(2).await, RetryError::Unopenable(_)));
        assert!(matches!(tried(3).await, RetryError::Another(found) if found == id(1)));
        assert!(matches!(tried(4).await, RetryError::Empty));
        assert_eq!(number(&store, "count()) AS n FROM logs").await, 0);
        assert_eq!(number(&store, "count()) AS n FROM quarantine FINAL").await, 4);
    });
}

#[test]
fn a_refused_batch_of_which_a_part_is_stored_is_completed_by_a_retry() {
    alone("quarantine::a_refused_batch_of_which_a_part_is_stored_is_completed_by_a_retry", async |folder| {
        let (store, direct, _writer) = open(&folder).await;
        // The second of the batch's two days is not taken: the first is stored when it is set aside.
        direct.submit(Incoming::Opened(batch(1))).await.unwrap().await.unwrap();
        let day = number(&store, "toDate(max(Timestamp))) AS n FROM logs").await;
        assert!(day > 0);
        store
            .execute(&format!(
                "ALTER TABLE logs ADD CONSTRAINT broken CHECK toUInt64(toDate(Timestamp)) != {day}"
            ))
            .await
            .unwrap();
        let written = direct.submit(Incoming::Opened(batch(2))).await.unwrap().await.unwrap();
        assert_eq!(written.quarantined, 1);
        let part = number(&store, "count()) AS n FROM logs WHERE Sequence = 2").await;
        assert!(part > 0 && part < ROWS as u64, "{part}");
        store.execute("ALTER TABLE logs DROP CONSTRAINT broken").await.unwrap();
        // Two at once, on a store whose writer is at work.
        let detector = Arc::new(Detector::built_in());
        let (one, other) =
            tokio::join!(retry(&store, Arc::clone(&detector), id(2)), retry(&store, detector, id(2)));
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        for (rows, expected) in
            [("logs", ROWS as u64), ("(SELECT DISTINCT Row FROM logs", ROWS as u64), ("quarantine FINAL", 0)]
        {
            let end = if rows.starts_with('(') { ")" } else { "" };
            let found = number(&store, &format!("count()) AS n FROM {rows} WHERE Sequence = 2{end}")).await;
            assert_eq!(found, expected, "{rows}");
        }
        assert_eq!(number(&store, "count()) AS n FROM events FINAL WHERE Sequence = 2").await, 1);
    });
}

#[test]
fn a_batch_beyond_the_bounds_is_set_aside_and_an_operator_can_have_it_stored() {
    alone(
        "quarantine::a_batch_beyond_the_bounds_is_set_aside_and_an_operator_can_have_it_stored",
        async |folder| {
            let (store, direct, _writer) = open(&folder).await;
            let mut builder = BatchBuilder::new();
            // As a program made it that knew no bounds.
            builder.form_again(true);
            let host = Host { name: "hv,x".into(), machine_id: MACHINE.into() };
            let origin =
                builder.origin(&Origin { host, guest: None, source: Source::File, attributes: vec![] });
            for day in 0..40 {
                let record = RecordRef {
                    time_ns: NOON_NS - day * DAY_NS,
                    observed_ns: NOON_NS,
                    body: b"an old line",
                    severity: 0,
                    program: "",
                    time_basis: TimeBasis::Line,
                    attributes: &[],
                };
                builder.push(origin, &record).unwrap();
            }
            let sealed = builder.finish(id(1), NOON_NS, Clock::default()).seal(Compression::DEFAULT).unwrap();
            let set_aside = direct.submit(Incoming::Sealed(sealed)).await.unwrap();
            let good = direct.submit(Incoming::Opened(batch(2))).await.unwrap();
            assert_eq!((set_aside.await.unwrap().quarantined, good.await.unwrap().quarantined), (1, 0));
            assert_eq!(
                number(&store, "count()) AS n FROM quarantine WHERE Reason LIKE '%more than 12 days%'").await,
                1
            );
            assert_eq!(retry(&store, Arc::new(Detector::built_in()), id(1)).await.unwrap(), (40, 0));
            assert_eq!(number(&store, "count()) AS n FROM logs WHERE Host = 'hv,x'").await, 40);
            let named =
                "count()) AS n FROM batches WHERE Sequence = 1 AND HostNames = 'hv,x' AND Quarantined = ''";
            assert_eq!(number(&store, named).await, 1);
        },
    );
}
