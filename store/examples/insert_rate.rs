//! How fast rows become blocks, and blocks parts: `cargo run --release -p lastwords-store --example insert_rate`.
//! Prints rows a second of each step, CPU seconds per million rows, and bytes a row on disk after a merge.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement, not a service"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::rows::{LogRow, LogsBlock};
use lastwords_store::{Engine, EngineOptions, Inserting, Store};

const BLOCKS: u64 = 4;
const BLOCK_ROWS: u64 = 250_000;

/// CPU time of this process, the engine's threads included.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<i64> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_ascii_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // utime and stime; the state, a letter, is left out by the parse. Ticks are hundredths of a second.
    Duration::from_millis(u64::try_from(fields[10] + fields[11]).unwrap() * 10)
}

/// A line of an access log whose fields vary as a real one's do.
fn line(number: u64, random: &mut u64, out: &mut Vec<u8>) {
    use std::io::Write;
    let mut next = |below: u64| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % below
    };
    let path = ["/api/v2/orders/", "/api/v2/items/", "/static/js/app.", "/search/q/"][next(4) as usize];
    let agent = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0",
    ][next(2) as usize];
    write!(
        out,
        "203.0.{}.{} - - [20/Nov/2026:15:{:02}:{:02} +0000] \"GET {path}{number}?page={} HTTP/1.1\" {} {} \"https://shop.example.org/cart\" \"{agent}\" 0.{:03} {:08x}",
        next(16), next(254), number / 63 / 60 % 60, number / 63 % 60, next(40), [200, 200, 304, 404][next(4) as usize], next(90_000), next(1000), next(1 << 31)
    )
    .unwrap();
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::open(&EngineOptions::new(folder.path().join("engine"))).unwrap();
    let store = Store::embedded(Arc::new(engine));
    store.migrate().await.unwrap();
    let attributes = [("log.file.path".to_owned(), "/var/log/nginx/access.log".to_owned())];
    let (mut text, mut ends, mut random) = (Vec::new(), Vec::new(), 1);
    for number in 0..BLOCKS * BLOCK_ROWS {
        line(number, &mut random, &mut text);
        ends.push(text.len());
    }
    println!("{} bytes a line", text.len() as u64 / (BLOCKS * BLOCK_ROWS));
    let (mut encoding, mut inserting, cpu_before) = (Duration::ZERO, Duration::ZERO, cpu());
    for block_number in 0..BLOCKS {
        let planned_s = store.planning_time_s().await.unwrap();
        let begun = Instant::now();
        let mut block = LogsBlock::new();
        for number in block_number * BLOCK_ROWS..(block_number + 1) * BLOCK_ROWS {
            let place = number as usize;
            let start = if place == 0 { 0 } else { ends[place - 1] };
            block.push(LogRow {
                timestamp_ns: 1_763_650_800_000_000_000 + i64::try_from(number / 63).unwrap() * 1_000_000_000,
                clock_offset_ns: 0,
                clock_uncertainty_ns: 0,
                observed_ns: 1_763_750_000_000_000_000,
                severity: 0,
                body: &text[start..ends[place]],
                resource_attributes: &attributes,
                log_attributes: std::iter::empty::<(&str, &str)>(),
                host: "web01",
                guest: "",
                guest_uuid: "",
                source: "file",
                program: "nginx",
                class: "",
                template: 0,
                time_basis: 1,
                batch: BatchId { shipper: ShipperId::of("web01", "id"), epoch: 1, sequence: number / 5000 },
                row: u32::try_from(number % 5000).unwrap(),
                planned_s,
            });
        }
        let encoded = block.encode();
        encoding += begun.elapsed();
        let begun = Instant::now();
        let token = Inserting { token: Some(block_number.to_string()), ..Inserting::default() };
        store.insert_native("logs", encoded, &token).await.unwrap();
        inserting += begun.elapsed();
    }
    let cpu = cpu() - cpu_before;
    let rows = (BLOCKS * BLOCK_ROWS) as f64;
    println!("{:.0} rows/s into blocks", rows / encoding.as_secs_f64());
    println!(
        "{:.0} rows/s of blocks into the store, one after the other, synced",
        rows / inserting.as_secs_f64()
    );
    println!("{:.2} CPU s per million rows", cpu.as_secs_f64() / rows * 1e6);
    store.execute("OPTIMIZE TABLE logs FINAL").await.unwrap();
    #[derive(serde::Deserialize)]
    struct Size {
        size: f64,
    }
    let size: Vec<Size> = store
        .rows(
            "SELECT sum(bytes_on_disk) / sum(rows) AS size FROM system.parts WHERE table = 'logs' AND active",
        )
        .await
        .unwrap();
    println!("{:.1} B a row after merging", size[0].size);
}
