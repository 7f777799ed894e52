//! Seals and opens batches of access-log lines: for counting instructions per record, and for the ratio of
//! compression.
//!
//! ```text
//! cargo build --release -p lastwords-record --example seal_open
//! valgrind --tool=callgrind target/release/examples/seal_open 100
//! ```
//! The first argument is the number of batches, the second (default both) `seal` or `open`.

use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let batches: u64 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(100);
    let what = arguments.next();
    let level = std::env::var("LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(1);
    let mut builder = BatchBuilder::new();
    let origin = Origin {
        host: Host { name: "web01".into(), machine_id: String::new() },
        guest: None,
        source: Source::File,
        attributes: vec![("log.file.path".into(), "/var/log/nginx/access.log".into())],
    };
    let origin = builder.origin(&origin);
    let (mut records, mut raw, mut wire) = (0_u64, 0, 0);
    let mut line = Vec::new();
    let mut state = 1_u64;
    for sequence in 1..=batches {
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            line.clear();
            write_line(&mut line, records, state);
            let record = RecordRef {
                time_ns: 1_795_000_000_000_000_000 + i64::try_from(records / 50).unwrap_or(0) * 1_000_000_000,
                observed_ns: 1_795_000_000_000_000_000,
                body: &line,
                severity: 0,
                program: "",
                time_basis: TimeBasis::Line,
                attributes: &[],
            };
            if builder.push(origin, &record).is_err() {
                break;
            }
            records += 1;
            raw += line.len() + 1;
        }
        let id = BatchId { shipper: ShipperId::of("web01", ""), epoch: 1, sequence };
        let batch = builder.finish(id, 1_795_000_000_000_000_000, Clock::default());
        let Ok(sealed) = batch.seal(Compression::Zstd(level)) else { return };
        wire += sealed.len();
        if what.as_deref() != Some("seal") {
            assert!(Batch::open(&sealed).is_ok_and(|opened| opened.records.len() == batch.records.len()));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let ratio = wire as f64 / raw as f64;
    println!("{records} records, {raw} bytes, {wire} on the wire ({ratio:.3})");
}

fn write_line(line: &mut Vec<u8>, number: u64, noise: u64) {
    use std::io::Write;
    let paths = ["/api/v2/orders/", "/api/v2/items/", "/static/js/app.", "/img/products/"];
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0",
        "python-requests/2.32.4 (batch job; contact ops@example.org)",
    ];
    let pick = |shift: u32, count: usize| usize::try_from(noise >> shift).unwrap_or(0) % count;
    let _ = write!(
        line,
        "203.0.{}.{} - - [20/Nov/2026:15:02:{:02} +0000] \"GET {}{number}?page={} HTTP/1.1\" 200 {} \"https://shop.example.org/\" \"{}\" 0.{:03}",
        pick(8, 16),
        pick(16, 255),
        number / 50 % 60,
        paths.get(pick(3, 4)).unwrap_or(&""),
        pick(40, 40),
        pick(20, 90_000),
        agents.get(pick(50, 3)).unwrap_or(&""),
        pick(30, 1000),
    );
}
