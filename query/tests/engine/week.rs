//! A week of planted events.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use lastwords_query::{AskError, AskOptions, ask};
use lastwords_record::batch::{BatchId, ShipperId};
use lastwords_store::{
    Engine, EngineOptions, Inserting, Store,
    rows::{EventRow, EventsBlock, LogRow, LogsBlock},
};
use serde_json::Value;
use tempfile::TempDir;

pub const SECOND: i64 = 1_000_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const DAY: i64 = 86_400 * SECOND;
/// 2026-11-09T00:00:00Z, a Monday.
pub const MONDAY: i64 = 1_794_182_400 * SECOND;

pub struct Week {
    pub store: Store,
    _folder: TempDir,
}

pub struct Planted {
    pub class: &'static str,
    pub start: i64,
    pub end: Option<i64>,
    pub host: &'static str,
    pub guest: &'static str,
    pub row: u32,
}

fn saturation(day: i64) -> Planted {
    let start = MONDAY + day * DAY + 15 * 60 * MINUTE;
    Planted {
        class: "network.saturation.nic",
        start,
        end: Some(start + 20 * MINUTE),
        host: "hv01",
        guest: "",
        row: 0,
    }
}

fn panic_at(offset: i64, host: &'static str, guest: &'static str, row: u32) -> Planted {
    let start = MONDAY + offset;
    Planted { class: "kernel.panic", start, end: Some(start), host, guest, row }
}

/// A week: hv01's network is saturated from 15:00 to 15:20 every day.
fn planted() -> Vec<Planted> {
    let mut planted: Vec<Planted> = (0..7).map(saturation).collect();
    let afternoon = 15 * 60 * MINUTE;
    planted.extend([
        panic_at(afternoon + 5 * MINUTE, "hv01", "db01", 1),
        panic_at(DAY + afternoon + 25 * MINUTE, "hv01", "db01", 2),
        panic_at(2 * DAY + afternoon + 25 * MINUTE + 1, "hv01", "db01", 3),
        panic_at(3 * DAY + afternoon - 5 * MINUTE, "hv01", "db01", 4),
        panic_at(4 * DAY + afternoon - 5 * MINUTE - 1, "hv01", "db01", 5),
        panic_at(5 * DAY + afternoon, "hv01", "db01", 6),
        panic_at(6 * DAY + 180 * MINUTE, "hv01", "db01", 7),
        panic_at(afternoon + 7 * MINUTE, "hv02", "db02", 8),
    ]);
    planted.push(Planted {
        class: "memory.pressure",
        start: MONDAY + 6 * DAY,
        end: None,
        host: "hv01",
        guest: "",
        row: 9,
    });
    planted
}

impl Week {
    pub async fn stored() -> Week {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&EngineOptions::new(folder.path().join("engine")))
            .unwrap_or_else(|error| panic!("{error}\nscripts/setup fetches the engine"));
        let store = Store::embedded(Arc::new(engine));
        store.migrate().await.unwrap();
        let week = Week { store, _folder: folder };
        week.plant().await;
        week
    }

    async fn plant(&self) {
        for one in planted() {
            self.plant_one(&one).await;
        }
    }

    pub async fn plant_one(&self, one: &Planted) {
        let planned_s = self.store.planning_time_s().await.unwrap();
        let batch = BatchId { shipper: ShipperId([7; 16]), epoch: 1, sequence: 1 };
        let mut logs = LogsBlock::new();
        let body = format!("a line before\n{} of {}\nCall Trace:", one.class, one.guest);
        logs.push(LogRow::<std::iter::Empty<(&str, &str)>> {
            timestamp_ns: one.start,
            clock_offset_ns: 0,
            clock_uncertainty_ns: 2 * SECOND as u64,
            observed_ns: one.start,
            severity: 17,
            body: body.as_bytes(),
            resource_attributes: &[],
            log_attributes: std::iter::empty(),
            host: one.host,
            guest: one.guest,
            guest_uuid: "",
            source: "console",
            program: "kernel",
            class: one.class,
            template: lastwords_detect::template::of_record(body.as_bytes(), "kernel"),
            time_basis: 1,
            batch,
            row: one.row,
            planned_s,
        });
        self.store.insert_native("logs", logs.encode(), &Inserting::default()).await.unwrap();
        // An earlier version without an end is replaced.
        for (version, end_ns) in [(1, None), (2, one.end)] {
            let mut events = EventsBlock::new();
            events.push(&EventRow {
                id: one.start.cast_unsigned() ^ u64::from(one.row),
                version,
                class: one.class,
                start_ns: one.start,
                end_ns,
                host: one.host,
                guest: one.guest,
                guest_uuid: "",
                title: "Kernel panic: 'it' \\ died",
                function: "",
                fingerprint: 0,
                severity: "critical",
                cause: 0,
                attributes: &[],
                clock_uncertainty_ns: 2 * SECOND as u64,
                rule: "test",
                batch,
                row: one.row,
                line_start: 1,
                line_end: 2,
                planned_s,
            });
            self.store.insert_native("events", events.encode(), &Inserting::default()).await.unwrap();
        }
    }

    pub async fn ask(&self, question: &str) -> Result<Value, AskError> {
        self.ask_with(question, &options()).await
    }

    /// The answer as JSON.
    pub async fn ask_with(&self, question: &str, options: &AskOptions) -> Result<Value, AskError> {
        Ok(serde_json::to_value(ask(&self.store, question, options).await?).unwrap())
    }
}

pub fn options() -> AskOptions {
    let now: Timestamp = "2026-11-16T12:00:00Z".parse().unwrap();
    AskOptions { now, ..AskOptions::new(TimeZone::UTC) }
}
