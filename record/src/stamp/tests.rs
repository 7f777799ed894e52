use proptest::prelude::*;

use super::*;

fn rules(zone: &str) -> StampRules {
    StampRules { time_zone: TimeZone::get(zone).unwrap(), year: None, modified_ns: None, boots: Vec::new() }
}

fn ns(time: &str) -> i64 {
    i64::try_from(time.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
}

fn check(zone: &str, observed: &str, line: &str, expected: &str) {
    let mut stamper = Stamper::new(rules(zone));
    let (found, basis) = stamper.stamp(line.as_bytes(), ns(observed));
    let found = jiff::Timestamp::from_nanosecond(i128::from(found)).unwrap();
    assert_eq!(found.to_string(), expected, "{line}");
    let doubt = ["ambiguous", "skipped", "doubt"].iter().any(|word| line.contains(word));
    assert_eq!(basis, if doubt { TimeBasis::LineInDoubt } else { TimeBasis::Line }, "{line}");
    // A second line of the same minute takes the short way.
    assert_eq!(stamper.stamp(line.as_bytes(), ns(observed)).0, ns(expected));
}

#[test]
fn times_as_programs_write_them() {
    let berlin = "Europe/Berlin";
    let now = "2026-11-23T12:00:00Z";
    for (line, expected) in [
        ("2026-11-20T15:02:11Z x", "2026-11-20T15:02:11Z"),
        ("2026-11-20T15:02:11.123456+01:00 web07 kernel: [ 12.34] text", "2026-11-20T14:02:11.123456Z"),
        ("2026-11-20T15:02:11,5-0330 x", "2026-11-20T18:32:11.5Z"),
        ("2026-11-20 15:02:11.25 UTC x", "2026-11-20T15:02:11.25Z"),
        ("2026-11-20 15:02:11 INFO local", "2026-11-20T14:02:11Z"),
        ("2026/11/20 15:02:11 [error] nginx", "2026-11-20T14:02:11Z"),
        ("[2026-11-20 15:02:11] [   12.345] xenconsoled", "2026-11-20T14:02:11Z"),
        ("Nov 20 15:02:11 hv01 sshd[1]: x", "2026-11-20T14:02:11Z"),
        ("<13>Nov  2 15:02:11.5 hv01 sshd[1]: x", "2026-11-02T14:02:11.5Z"),
        ("Dec 31 23:59:59 last year", "2025-12-31T22:59:59Z"),
        ("Nov 24 01:00:00 a clock ahead", "2026-11-24T00:00:00Z"),
        ("Fri Nov 20 15:02:11 2026 ctime", "2026-11-20T14:02:11Z"),
        ("[Fri Nov 20 15:02:11.123456 2026] [core:error] apache", "2026-11-20T14:02:11.123456Z"),
        ("192.0.2.1 - - [20/Nov/2026:15:02:11 +0200] \"GET / HTTP/1.1\" 200", "2026-11-20T13:02:11Z"),
        ("I1120 15:02:11.123456    1 klog.go:3] x", "2026-11-20T14:02:11.123456Z"),
        ("1795000000.123 squid", "2026-11-18T11:06:40.123Z"),
        ("2026-07-20T15:02:11 summer", "2026-07-20T13:02:11Z"),
        ("2026-10-25 02:30:00 ambiguous: the earlier", "2026-10-25T00:30:00Z"),
        ("2026-03-29 02:30:00 skipped: moved forward", "2026-03-29T01:30:00Z"),
        ("Feb 29 10:00:00 the last leap year", "2024-02-29T09:00:00Z"),
        ("2026-06-27 18:26:29 CST in doubt", "2026-06-28T00:26:29Z"),
        ("2026-06-27 18:26:29 GMT+3 in doubt", "2026-06-27T15:26:29Z"),
        ("06/07/2026 18:26:43 in doubt", "2026-06-07T16:26:43Z"),
        ("2026-06-27 18:26 x", "2026-06-27T16:26:00Z"),
        ("2026-06-27  9:26:46 0 [Note] x", "2026-06-27T07:26:46Z"),
        ("2026-06-27 18:26:29 GET /api 200", "2026-06-27T16:26:29Z"),
        ("{\"t\":{\"$date\":\"2026-06-27T18:26:29.5+00:00\"},\"s\":\"I\"}", "2026-06-27T18:26:29.5Z"),
        ("{\"instant\":{\"epochSecond\":1782584792,\"nanoOfSecond\":500000000}}", "2026-06-27T18:26:32.5Z"),
        ("{\"level\":\"info\",\"ts\":1.7825847925e+09}", "2026-06-27T18:26:32.5Z"),
        ("{\"log\":\"2026-06-27T18:26:32Z x\\n\",\"stream\":\"stderr\"}", "2026-06-27T18:26:32Z"),
        ("\u{1b}[0;31m2026-06-27T18:26:32Z x", "2026-06-27T18:26:32Z"),
    ] {
        check(berlin, now, line, expected);
    }
}

#[test]
fn a_configured_year_dates_the_first_line_and_a_step_back_adds_one() {
    let mut stamper = Stamper::new(StampRules { year: Some(2019), ..rules("UTC") });
    let lines = [
        "Dec 30 10:00:00 a",
        "Dec 30 09:59:00 late",
        "Jan  1 00:00:00 b",
        "Jun  1 00:00:00 c",
        "Dec  1 00:00:00 d",
        "Jan  2 00:00:00 e",
    ];
    let years: Vec<i16> = lines
        .iter()
        .map(|line| {
            let (time, _) = stamper.stamp(line.as_bytes(), 0);
            jiff::Timestamp::from_nanosecond(i128::from(time))
                .unwrap()
                .to_zoned_datetime(TimeZone::UTC)
                .year()
        })
        .collect();
    assert_eq!(years, [2019, 2019, 2020, 2020, 2020, 2021]);
    let resumed = Stamper::resume(rules("UTC"), stamper.state());
    assert_eq!(resumed.state().year, Some(2021));
}

#[test]
fn without_a_year_the_file_s_modification_dates_the_last_line() {
    let modified = ns("2021-02-03T04:05:06Z");
    let mut stamper = Stamper::new(StampRules { modified_ns: Some(modified), ..rules("UTC") });
    let observed = ns("2026-11-23T12:00:00Z");
    assert_eq!(stamper.stamp(b"Dec 31 23:59:59 x", observed).0, ns("2020-12-31T23:59:59Z"));
    assert_eq!(stamper.stamp(b"Feb  3 04:05:06 x", observed).0, modified);
}

#[test]
fn a_line_without_a_time_takes_the_one_before_only_where_it_follows_within_moments() {
    let observed = ns("2026-11-23T12:00:00Z");
    let mut stamper = Stamper::new(rules("UTC"));
    assert_eq!(stamper.stamp(b"no time", observed), (observed, TimeBasis::Observed));
    let (time, _) = stamper.stamp(b"2026-11-20T15:02:11Z x", observed);
    let soon = observed + SECOND_NS / 2;
    assert_eq!(stamper.stamp(b"  at Foo.bar(Foo.java:1)", soon), (time, TimeBasis::Carried));
    let later = observed + 2 * SECOND_NS;
    assert_eq!(stamper.stamp(b"Kernel panic - not syncing: x", later), (later, TimeBasis::Observed));
    // A shipper that was away meanwhile.
    let mut resumed = Stamper::resume(rules("UTC"), stamper.state());
    assert_eq!(resumed.stamp(b"Kernel panic - not syncing: x", later), (later, TimeBasis::Observed));
}

#[test]
fn a_line_without_a_time_in_a_finished_file_takes_the_one_before_or_the_files() {
    let modified = ns("2026-11-23T12:00:00Z");
    let mut stamper = Stamper::new(StampRules { modified_ns: Some(modified), ..rules("UTC") });
    assert_eq!(stamper.stamp(b"no time", 7), (modified, TimeBasis::FileModified));
    let (time, _) = stamper.stamp(b"2026-11-20T15:02:11Z x", 7);
    assert_eq!(stamper.stamp(b"  at Foo.bar(Foo.java:1)", 7), (time, TimeBasis::Carried));
}

#[test]
fn a_time_that_has_not_come_yet_is_not_taken_over() {
    let observed = ns("2026-11-23T12:00:00Z");
    let mut stamper = Stamper::new(rules("UTC"));
    assert_eq!(stamper.stamp(b"2099-01-01T00:00:00Z x", observed).0, ns("2099-01-01T00:00:00Z"));
    assert_eq!(stamper.stamp(b"no time", observed), (observed, TimeBasis::Observed));
    let mut finished = Stamper::new(StampRules { modified_ns: Some(observed), ..rules("UTC") });
    finished.stamp(b"2099-01-01T00:00:00Z x", 7);
    assert_eq!(finished.stamp(b"no time", 7), (observed, TimeBasis::FileModified));
}

#[test]
fn years_that_cannot_be_stored_are_no_times() {
    let observed = ns("2026-11-23T12:00:00Z");
    for year in ["0001", "1677", "1899", "1969", "2263", "9999"] {
        let line = format!("{year}-06-15T10:00:00Z x");
        assert_eq!(
            Stamper::new(rules("UTC")).stamp(line.as_bytes(), observed),
            (observed, TimeBasis::Observed),
            "{year}"
        );
    }
}

#[test]
fn an_hour_that_happens_twice_does_not_go_back() {
    let check = |lines: &[&str], expected: &[(&str, TimeBasis)]| {
        let mut stamper = Stamper::new(StampRules { year: Some(2024), ..rules("Europe/Berlin") });
        for (line, (time, basis)) in lines.iter().zip(expected) {
            assert_eq!(
                stamper.stamp(line.as_bytes(), ns("2026-11-23T12:00:00Z")),
                (ns(time), *basis),
                "{line}"
            );
        }
    };
    check(
        &[
            "Oct 27 01:59:58 a",
            "Oct 27 02:59:58 b",
            "Oct 27 02:00:01 c",
            "Oct 27 02:59:59 d",
            "Oct 27 03:00:00 e",
        ],
        &[
            ("2024-10-26T23:59:58Z", TimeBasis::Line),
            ("2024-10-27T00:59:58Z", TimeBasis::LineInDoubt),
            ("2024-10-27T01:00:01Z", TimeBasis::Line),
            ("2024-10-27T01:59:59Z", TimeBasis::LineInDoubt),
            ("2024-10-27T02:00:00Z", TimeBasis::Line),
        ],
    );
    // A little disorder is no second pass.
    check(
        &["Oct 27 02:30:10 a", "Oct 27 02:30:09 b"],
        &[("2024-10-27T00:30:10Z", TimeBasis::LineInDoubt), ("2024-10-27T00:30:09Z", TimeBasis::LineInDoubt)],
    );
}

#[test]
fn an_abbreviation_with_several_meanings_does_not_go_back() {
    let mut stamper = Stamper::new(rules("UTC"));
    let observed = ns("2026-11-23T12:00:00Z");
    stamper.stamp(b"2026-06-27T10:00:00Z x", observed);
    // -06:00 is 14 hours ahead, +08:00 the next second.
    assert_eq!(stamper.stamp(b"2026-06-27 18:00:01 CST x", observed).0, ns("2026-06-27T10:00:01Z"));
    let mut stamper = Stamper::new(rules("Asia/Shanghai"));
    let found = stamper.stamp(b"2026-06-27 18:00:01 CST x", observed);
    assert_eq!(found, (ns("2026-06-27T10:00:01Z"), TimeBasis::Line));
}

#[test]
fn dmesg_for_people_counts_from_the_line_before() {
    let mut stamper = Stamper::new(StampRules { year: Some(2025), ..rules("UTC") });
    assert_eq!(stamper.stamp(b"[Dec14 00:03] a", 0).0, ns("2025-12-14T00:03:00Z"));
    assert_eq!(stamper.stamp(b"[  +1.250000] b", 0).0, ns("2025-12-14T00:03:01.25Z"));
    assert_eq!(stamper.stamp(b"[  +0.500000] c", 0).0, ns("2025-12-14T00:03:01.75Z"));
}

#[test]
fn the_kernel_s_clock_counts_from_boot_and_anew_at_each() {
    let boot = |start_s: i64, by_age| Boot { start_ns: start_s * SECOND_NS, by_age };
    let modified_ns = Some(9_000 * SECOND_NS);
    let boots = vec![boot(1_000, false), boot(2_000, true)];
    let mut stamper = Stamper::new(StampRules { boots, modified_ns, ..rules("UTC") });
    for (line, seconds, basis) in [
        ("[   12.345678] x", 1_012, TimeBasis::KernelClock),
        ("[   12.345000] of another CPU", 1_012, TimeBasis::KernelClock),
        ("[  100.000000] x", 1_100, TimeBasis::KernelClock),
        ("without a time", 1_100, TimeBasis::Carried),
        ("[    0.000000] x", 2_000, TimeBasis::KernelClockByAge),
        ("[   30.000000] x", 2_030, TimeBasis::KernelClockByAge),
        // One more than was known begins when the one before ended.
        ("[    1.000000] x", 2_031, TimeBasis::KernelClockByAge),
    ] {
        let (time_ns, found) = stamper.stamp(line.as_bytes(), 0);
        assert_eq!((time_ns / SECOND_NS, found), (seconds, basis), "{line}");
    }
    let mut unknown = Stamper::new(StampRules { modified_ns, ..rules("UTC") });
    assert_eq!(unknown.stamp(b"[   12.345678] x", 7), (9_000 * SECOND_NS, TimeBasis::FileModified));
}

#[test]
fn the_kernel_s_clock_of_a_file_that_grows_is_known_from_reading() {
    let mut stamper = Stamper::new(rules("UTC"));
    let now = |seconds: i64| (100_000 + seconds) * SECOND_NS;
    assert_eq!(stamper.stamp(b"[   10.000000] a", now(12)), (now(12), TimeBasis::KernelClock));
    // Read sooner after it was written: the boot was earlier than thought.
    assert_eq!(stamper.stamp(b"[   20.000000] b", now(20)), (now(20), TimeBasis::KernelClock));
    // Read late: the clock tells.
    assert_eq!(stamper.stamp(b"[   30.000000] c", now(900)), (now(30), TimeBasis::KernelClock));
    assert_eq!(
        stamper.stamp(b"[    0.000000] another boot", now(1_000)),
        (now(1_000), TimeBasis::KernelClock)
    );
    let mut resumed = Stamper::resume(rules("UTC"), stamper.state());
    assert_eq!(resumed.stamp(b"[    5.000000] d", now(2_000)), (now(1_005), TimeBasis::KernelClock));
}

#[test]
fn what_only_looks_like_a_time_is_none() {
    let observed = ns("2026-11-23T12:00:00Z");
    for line in [
        "2026-13-20T15:02:11Z",
        "2026-11-31 10:00:00",
        "Nov 31 10:00:00",
        "Nov 20 25:02:11",
        "2026-11-20",
        "Novice 1 10:00:00",
        "12345",
        "[20/Nox/2026:15:02:11 +0000]",
        "",
        "[",
    ] {
        assert_eq!(
            Stamper::new(rules("UTC")).stamp(line.as_bytes(), observed).1,
            TimeBasis::Observed,
            "{line}"
        );
    }
}

proptest! {
    #[test]
    fn every_instant_is_found_again(seconds in 0_i64..4_000_000_000, zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])) {
        let at = jiff::Timestamp::from_second(seconds).unwrap();
        let zoned = at.to_zoned_datetime(TimeZone::get(zone).unwrap());
        for format in ["%Y-%m-%dT%H:%M:%S%:z x", "1.1.1.1 - - [%d/%b/%Y:%H:%M:%S %z] x", "%Y-%m-%d %H:%M:%S %z"] {
            let line = jiff::fmt::strtime::format(format, &zoned).unwrap();
            let found = Stamper::new(rules("UTC")).stamp(line.as_bytes(), 0);
            prop_assert_eq!(found, (seconds * SECOND_NS, TimeBasis::Line), "{}", line);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_danger(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..9)) {
        let mut stamper = Stamper::new(rules("Europe/Berlin"));
        for line in lines {
            stamper.stamp(&line, 0);
        }
    }
}
