//! What is stored, once, whatever is killed.

use std::time::{Duration, Instant};

use lastwords_ingester::Incoming;
use lastwords_record::Compression;

use super::{DAY_NS, NOON_NS, ROLE, alone, batch, check_once, intents, number, open, start};

#[test]
fn what_comes_is_stored_and_what_comes_again_is_not() {
    alone("stored::what_comes_is_stored_and_what_comes_again_is_not", async |folder| {
        let (store, direct, writer) = open(&folder).await;
        let first = direct.submit(Incoming::Opened(batch(1))).await.unwrap();
        // The same number again, while it may be under way and afterwards.
        let twin = direct.submit(Incoming::Opened(batch(1))).await.unwrap();
        assert_eq!(first.await.unwrap().events, 1);
        twin.await.unwrap();
        let sealed = Incoming::Sealed(batch(1).seal(Compression::DEFAULT).unwrap());
        direct.submit(sealed).await.unwrap().await.unwrap();
        direct.submit(Incoming::Opened(batch(2))).await.unwrap().await.unwrap();
        check_once(&store, 2).await;
        let exact = format!(
            "count()) AS n FROM logs WHERE Sequence = 2 AND Row = 7 AND Host = 'hv01' AND Guest = 'web07' AND Program = 'kernel' \
             AND Class = 'kernel.panic' AND Source = 'console' AND LogAttributes['k'] = 'v' AND SeverityNumber = 9 \
             AND toUnixTimestamp64Nano(Timestamp) = {0} + 5 AND toUnixTimestamp64Nano(TimestampWritten) = {0} \
             AND startsWith(Body, 'Kernel panic')",
            NOON_NS + DAY_NS + 7
        );
        assert_eq!(number(&store, &exact).await, 1);
        assert_eq!(
            number(
                &store,
                &format!(
                    "count()) AS n FROM events WHERE Start = End AND toUnixTimestamp64Nano(Start) = {} + 5",
                    NOON_NS + DAY_NS + 7
                )
            )
            .await,
            2
        );
        direct.close();
        writer.await.unwrap();
        assert_eq!(intents(&folder), 0, "an intent was left open");
        assert!(direct.submit(Incoming::Opened(batch(3))).await.is_err(), "a closed queue takes nothing");
    });
}

#[test]
fn kills_at_any_time_lose_nothing_and_double_nothing() {
    const TEST: &str = "stored::kills_at_any_time_lose_nothing_and_double_nothing";
    const BATCHES: u64 = 60;
    match std::env::var(ROLE).as_deref() {
        Ok("send") => alone(TEST, async |folder| {
            let (_, direct, _) = open(&folder).await;
            for sequence in 1..=BATCHES {
                direct.submit(Incoming::Opened(batch(sequence))).await.unwrap().await.unwrap();
            }
        }),
        Ok(_) => alone(TEST, async |folder| {
            let (store, _direct, _writer) = open(&folder).await;
            check_once(&store, BATCHES).await;
            assert_eq!(intents(&folder), 0, "an intent was left open");
        }),
        Err(_) => {
            let folder = tempfile::tempdir().unwrap();
            for round in 0..12u32 {
                let mut child = start(TEST, "send", folder.path());
                let since = Instant::now();
                // Killed a little later each time, once it has begun to write.
                while intents(folder.path()) == 0 && since.elapsed() < Duration::from_secs(60) {
                    if child.try_wait().unwrap().is_some() {
                        break;
                    }
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(u64::from(round * 3)));
                child.kill().unwrap();
                child.wait().unwrap();
            }
            assert!(start(TEST, "send", folder.path()).wait().unwrap().success(), "see its output above");
            assert!(start(TEST, "check", folder.path()).wait().unwrap().success(), "see its output above");
        }
    }
}
