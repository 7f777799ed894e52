use std::collections::BTreeSet;

use lastwords_detect::Detector;
use lastwords_record::{
    BatchBuilder, BatchId, Clock, Guest, Host, Origin, Placement, RecordRef, Severity, ShipperEvent,
    ShipperId, Source,
};
use proptest::prelude::*;

use super::*;
use crate::{
    detect,
    write::{Prepared, form},
};

const DAY_NS: i64 = 86_400_000_000_000;
const NOON_NS: i64 = 1_763_640_000_000_000_000;

thread_local! {
    // Made once: a property has hundreds of cases.
    static DETECTOR: Detector = Detector::built_in();
}

fn host() -> Host {
    Host { name: "hv01".into(), machine_id: String::new() }
}

fn event(start_ns: i64, end_ns: Option<i64>) -> ShipperEvent {
    ShipperEvent {
        class: "network.saturation.nic".into(),
        start_ns,
        end_ns,
        host: host(),
        guest: None,
        title: String::new(),
        severity: Severity::Warning,
        key: String::new(),
        attributes: vec![],
    }
}

fn sample(time_ns: i64) -> Sample {
    Sample {
        time_ns,
        interval_ms: 10_000,
        host: host(),
        guest: None,
        metric: "m".into(),
        device: String::new(),
        direction: String::new(),
        minimum: 0.0,
        mean: 0.0,
        maximum: 0.0,
    }
}

/// A batch as a hostile shipper may make it: no builder's bounds. Each record panics.
fn batch(records: &[(i64, TimeBasis)], offset_ns: i64) -> Batch {
    let mut builder = BatchBuilder::new();
    builder.form_again(true);
    let origin = Origin { host: host(), guest: None, source: Source::Kmsg, attributes: vec![] };
    let origin = builder.origin(&origin);
    for (time_ns, time_basis) in records {
        let record = RecordRef {
            time_ns: *time_ns,
            observed_ns: NOON_NS,
            body: b"Kernel panic - not syncing: x",
            severity: 0,
            program: "kernel",
            time_basis: *time_basis,
            attributes: &[],
        };
        builder.push(origin, &record).unwrap();
    }
    let id = BatchId { shipper: ShipperId::of("hv01", ""), epoch: 1, sequence: 1 };
    builder.finish(id, NOON_NS, Clock { offset_ns: Some(offset_ns), uncertainty_ns: 0 })
}

fn days(count: i64) -> Vec<(i64, TimeBasis)> {
    (0..count).map(|day| (NOON_NS - day * DAY_NS, TimeBasis::Line)).collect()
}

#[test]
fn a_batch_of_many_days_is_unfit() {
    let max = i64::try_from(BATCH_DAYS_MAX).unwrap();
    assert_eq!(check(&batch(&days(max), 0)), Ok(()));
    let too_many = Err(Unfit::Days { max: BATCH_DAYS_MAX });
    assert_eq!(check(&batch(&days(max + 1), 0)), too_many);
    assert_eq!(check(&batch(&days(10_000), 0)), too_many);
    // Days of each section count by themselves.
    let mut mixed = batch(&days(max - 2), 0);
    mixed.samples = vec![sample(NOON_NS)];
    mixed.events = vec![event(NOON_NS, None)];
    assert_eq!(check(&mixed), Ok(()));
    mixed.placements = vec![Placement {
        host: host(),
        guest: Guest::default(),
        start_ns: NOON_NS,
        end_ns: None,
        attributes: vec![],
    }];
    assert_eq!(check(&mixed), too_many);
}

#[test]
fn what_a_builder_makes_is_fit_however_its_clock_is_corrected() {
    let mut builder = BatchBuilder::new();
    let origin = Origin { host: host(), guest: None, source: Source::File, attributes: vec![] };
    let origin = builder.origin(&origin);
    let ends = |day: i64| [day * DAY_NS, (day + 1) * DAY_NS - 1];
    let pushed = (0..100).flat_map(ends).take_while(|time_ns| {
        let record = RecordRef {
            time_ns: *time_ns,
            observed_ns: NOON_NS,
            body: b"",
            severity: 0,
            program: "",
            time_basis: TimeBasis::Line,
            attributes: &[],
        };
        builder.push(origin, &record).is_ok()
    });
    assert!(pushed.count() > 4);
    let id = BatchId { shipper: ShipperId::of("hv01", ""), epoch: 1, sequence: 1 };
    let mut batch = builder.finish(id, NOON_NS, Clock::default());
    for offset_ns in [0, 1, -1, DAY_NS / 2, i64::MAX, i64::MIN] {
        batch.header.clock.offset_ns = Some(offset_ns);
        assert_eq!(check(&batch), Ok(()), "{offset_ns}");
    }
}

#[test]
fn times_by_the_shippers_own_clock_may_be_a_day_after_the_sealing() {
    let late = NOON_NS + AHEAD_NS_MAX + 1;
    let is_ahead = |batch: &Batch| matches!(check(batch), Err(Unfit::Ahead { .. }));
    assert!(!is_ahead(&batch(&[(late - 1, TimeBasis::Observed)], 0)));
    assert!(is_ahead(&batch(&[(NOON_NS, TimeBasis::Observed), (late, TimeBasis::Observed)], 0)));
    // What a line says is kept.
    for time_ns in [late, i64::MAX, i64::MIN] {
        assert!(!is_ahead(&batch(&[(time_ns, TimeBasis::Line)], 0)));
    }
    let mut read = batch(&[(NOON_NS, TimeBasis::Line)], 0);
    read.records.observed_ns = vec![late];
    assert!(is_ahead(&read));
    for (time_ns, wanted) in [(late - 1, false), (late, true)] {
        let mut others = batch(&[], 0);
        others.samples = vec![sample(time_ns)];
        assert_eq!(is_ahead(&others), wanted, "sample");
        others = batch(&[], 0);
        others.events = vec![event(time_ns, None)];
        assert_eq!(is_ahead(&others), wanted, "start");
        others.events = vec![event(NOON_NS, Some(time_ns))];
        assert_eq!(is_ahead(&others), wanted, "end");
    }
}

#[test]
fn what_is_recognised_counts() {
    let batch = batch(&days(3), 0);
    let found = detect::scan(&Detector::built_in(), &batch);
    assert_eq!(found.len(), 3);
    let footprint = Footprint::measure(&batch, &found, usize::MAX).unwrap();
    assert!(footprint.bytes > batch.stored_bytes() + 3 * EVENT_BYTES);
    let max = footprint.bytes - 1;
    assert_eq!(Footprint::measure(&batch, &found, max), Err(Unfit::Grows { found: footprint.bytes, max }));
}

proptest! {
    /// The units that a batch says it has are those that it is formed into.
    #[test]
    fn the_units_are_those_that_are_formed(
        times in prop::collection::vec(prop_oneof![any::<i64>(), -3..3_i64, NOON_NS..NOON_NS + DAY_NS], 0..12),
        others in prop::collection::vec(prop_oneof![any::<i64>(), NOON_NS..NOON_NS + DAY_NS], 0..4),
        offset_ns in prop_oneof![Just(0), any::<i64>(), -5..5_i64],
    ) {
        let records: Vec<_> = times.iter().map(|time_ns| (*time_ns, TimeBasis::Line)).collect();
        let mut batch = batch(&records, offset_ns);
        batch.samples = others.iter().map(|time_ns| sample(*time_ns)).collect();
        batch.events = others.iter().map(|time_ns| event(*time_ns, None)).collect();
        let found = DETECTOR.with(|detector| detect::scan(detector, &batch));
        let footprint = Footprint::measure(&batch, &found, usize::MAX).unwrap();
        let expected: BTreeSet<Unit> = footprint.units.iter().copied().collect();
        prop_assert_eq!(expected.len(), footprint.units.len());
        let prepared = Prepared::Opened(Box::new(batch), found, footprint);
        let formed: BTreeSet<Unit> =
            form(std::iter::once(&prepared), |_, _| true, 1).into_iter().map(|(unit, _)| unit).collect();
        let ledger = Unit { table: Table::Batches, day: 0 };
        prop_assert_eq!(formed, expected.into_iter().chain([ledger]).collect::<BTreeSet<_>>());
    }
}
