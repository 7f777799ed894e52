//! The stages of a record in the pure domain, each alone, on access-log lines: `cargo bench -p lastwords-record`.

use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
use lastwords_record::{
    Batch, BatchBuilder, BatchId, Clock, Compression, Host, Origin, RecordRef, ShipperId, Source, TimeBasis,
    frame::Lines,
    group::Grouper,
    stamp::{StampRules, Stamper},
};

fn main() {
    divan::main();
}

fn text() -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0..5_000_u32 {
        text.extend_from_slice(
            format!(
                "203.0.{}.{} - - [20/Nov/2026:15:{:02}:{:02} +0000] \"GET /api/v2/orders/{number}?page={} HTTP/1.1\" 200 {} \"https://shop.example.org/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0\" 0.{}\n",
                number % 16, number % 255, number / 600 % 60, number / 10 % 60, number % 40, number * 7_919 % 90_000, number * 31 % 1_000
            )
            .as_bytes(),
        );
    }
    text
}

fn batch(text: &[u8]) -> Batch {
    let mut builder = BatchBuilder::new();
    let origin = builder.origin(&Origin {
        host: Host::default(),
        guest: None,
        source: Source::File,
        attributes: vec![],
    });
    for line in Lines::new(text) {
        let record = RecordRef {
            time_ns: 0,
            observed_ns: 0,
            body: line.text,
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        if builder.push(origin, &record).is_err() {
            break;
        }
    }
    builder.finish(BatchId { shipper: ShipperId::of("h", ""), epoch: 1, sequence: 1 }, 0, Clock::default())
}

#[divan::bench]
fn frame(bencher: Bencher<'_, '_>) {
    let text = text();
    bencher.counter(BytesCount::new(text.len())).bench(|| Lines::new(&text).count());
}

#[divan::bench]
fn group(bencher: Bencher<'_, '_>) {
    let text = text();
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut grouper = Grouper::new();
        Lines::new(&text)
            .map(|line| grouper.push(line.text))
            .filter(|verdict| *verdict != lastwords_record::group::Verdict::Alone)
            .count()
    });
}

#[divan::bench]
fn stamp(bencher: Bencher<'_, '_>) {
    let text = text();
    let rules =
        StampRules { time_zone: jiff::tz::TimeZone::UTC, year: None, modified_ns: None, boots: Vec::new() };
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut stamper = Stamper::new(rules.clone());
        Lines::new(&text).map(|line| stamper.stamp(line.text, 0).0).fold(0, i64::wrapping_add)
    });
}

#[divan::bench]
fn build(bencher: Bencher<'_, '_>) {
    let text = text();
    bencher.counter(BytesCount::new(text.len())).bench(|| batch(&text));
}

#[divan::bench(args = [1, 3])]
fn seal(bencher: Bencher<'_, '_>, level: i32) {
    let batch = batch(&text());
    bencher.counter(ItemsCount::new(batch.records.len())).bench(|| batch.seal(Compression::Zstd(level)));
}

#[divan::bench]
fn open(bencher: Bencher<'_, '_>) {
    let batch = batch(&text());
    let Ok(sealed) = batch.seal(Compression::DEFAULT) else { return };
    bencher.counter(ItemsCount::new(batch.records.len())).bench(|| Batch::open(&sealed));
}
