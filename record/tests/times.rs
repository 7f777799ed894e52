//! Lines in many forms, in many zones, around changes of the clocks, against instants that Python's zoneinfo gave
//! (`times/generate.py`).

#![allow(clippy::unwrap_used, reason = "in a test file helpers assert, too")]

use jiff::tz::TimeZone;
use lastwords_record::{
    TimeBasis,
    stamp::{StampRules, Stamper},
};

const WRITTEN: &str = include_str!("times/written.tsv");

#[test]
fn lines_in_all_forms_and_zones_stand_for_the_instants_that_they_name() {
    let observed_ns = 1_780_000_000_000_000_000;
    let (mut rows, mut wrong) = (0, Vec::new());
    for row in WRITTEN.lines() {
        let [zone, year, expected, sure, line] = row.splitn(5, '\t').collect::<Vec<_>>()[..] else {
            unreachable!("five columns: {row}")
        };
        let mut stamper = Stamper::new(StampRules {
            time_zone: TimeZone::get(zone).unwrap(),
            year: year.parse().ok(),
            modified_ns: None,
            boots: Vec::new(),
        });
        let basis = if sure == "doubt" { TimeBasis::LineInDoubt } else { TimeBasis::Line };
        let expected = (expected.parse::<i64>().unwrap(), basis);
        let found = stamper.stamp(line.as_bytes(), observed_ns);
        rows += 1;
        if found != expected {
            wrong.push(format!("{row}: {found:?}"));
        }
    }
    assert!(rows > 3_000, "{rows} rows");
    assert!(
        wrong.is_empty(),
        "{} of {rows} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}
