//! `lastwords up`: fresh lines are found, kills lose and double nothing, and it ends when told to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use lastwords_e2e::{
    eventually,
    program::{command, count, run, sql},
    up::{Up, get, request},
};
use serde_json::Value;

/// Collects the files of one folder and nothing else.
fn config(folder: &Path) -> PathBuf {
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).unwrap();
    let path = folder.join("lastwords.toml");
    let text = format!(
        "[collect]\nfiles = [\"{}/*.log\"]\nexclude = []\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n",
        logs.display()
    );
    fs::write(&path, text).unwrap();
    path
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

#[test]
fn a_fresh_line_is_found_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), config(folder.path()));
    let up = Up::start(&data, &["--config", config.to_str().unwrap(), "--host", "hv01"]);
    let mut file = open(&folder.path().join("logs/app.log"));
    let mut latencies = Vec::new();
    for round in 0..10 {
        writeln!(file, "fresh line {round}").unwrap();
        let since = Instant::now();
        let body = format!("{{\"sql\":\"SELECT Host FROM logs WHERE Body = 'fresh line {round}'\"}}");
        let found = eventually(
            &format!("round {round} is found; up said:\n{}", up.log()),
            Duration::from_secs(20),
            || {
                let (status, rows) =
                    request(up.address("http"), "POST /api/v1/query HTTP/1.1", &body).unwrap();
                assert_eq!(status, 200, "{rows}");
                (!rows.is_empty()).then_some(rows)
            },
        );
        latencies.push(since.elapsed());
        assert_eq!(found.trim(), "{\"Host\":\"hv01\"}");
    }
    latencies.sort();
    println!("line written to found: median {:?}, worst {:?}", latencies[5], latencies[9]);
    // The command line takes the same way.
    assert_eq!(count(&data, "logs WHERE startsWith(Body, 'fresh line ')"), 10);
    let url = format!("http://{}", up.address("http"));
    let _ = run(["query", "--server", &url, "SELECT Body FROM logs WHERE Body = 'fresh line 3'"]).expect(0);
    let _ = run(["query", "--server", &url, "SELECT Body FROM logs WHERE Body = 'no such line'"]).expect(1);
    let _ = run(["query", "--server", &url, "panics within of"]).expect(2);
    assert_eq!(up.terminate(), 0);
    // What was taken in before the end is there after it.
    assert_eq!(count(&data, "logs WHERE startsWith(Body, 'fresh line ')"), 10);
}

#[test]
fn kills_lose_and_double_nothing_while_files_grow_and_rotate() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), config(folder.path()));
    let path = folder.path().join("logs/grow.log");
    let mut written = 0_u64;
    let grow = |lines: u64, written: &mut u64| {
        let mut file = open(&path);
        for _ in 0..lines {
            writeln!(file, "grow {written} {:x}", written.wrapping_mul(0x9E37_79B9_7F4A_7C15)).unwrap();
            *written += 1;
        }
    };
    // The first line of the file that is written now.
    let mut first = 0;
    for (round, life_ms) in [150, 600, 1_200, 400, 2_000, 900].into_iter().enumerate() {
        let rotates = round % 2 == 1;
        let arguments = ["--config", config.to_str().unwrap()];
        let up = if rotates { Up::start(&data, &arguments) } else { Up::spawn(&data, &arguments) };
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(life_ms) {
            grow(200, &mut written);
            std::thread::sleep(Duration::from_millis(20));
        }
        if rotates {
            // A file that is renamed before anybody has seen it is nobody's file, however slow the machine is.
            let seen = format!("logs WHERE startsWith(Body, 'grow {first} ')");
            while count(&data, &seen) == 0 && since.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(50));
            }
            fs::rename(&path, folder.path().join(format!("logs/grow.log.{round}"))).unwrap();
            first = written;
            grow(50, &mut written);
        }
        up.kill();
        grow(100, &mut written);
    }
    let up = Up::start(&data, &["--config", config.to_str().unwrap()]);
    // All there, or nothing new for a while although there should be: then what is missing is named below.
    let (mut stored, mut since) = (0, Instant::now());
    while stored < written && since.elapsed() < Duration::from_secs(15) {
        std::thread::sleep(Duration::from_millis(100));
        let now = count(&data, "logs WHERE startsWith(Body, 'grow ')");
        if now != stored {
            (stored, since) = (now, Instant::now());
        }
    }
    let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
    for row in sql(&data, "SELECT Body FROM logs WHERE startsWith(Body, 'grow ')") {
        let number = row["Body"].as_str().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        *seen.entry(number).or_default() += 1;
    }
    let lost: Vec<u64> = (0..written).filter(|number| !seen.contains_key(number)).collect();
    let doubled: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(lost.is_empty(), "{} of {written} lost, {:?} to {:?}", lost.len(), lost.first(), lost.last());
    assert!(doubled.is_empty(), "{} doubled, first {:?}", doubled.len(), doubled.first());
    assert_eq!(up.terminate(), 0);
}

#[test]
fn a_second_up_is_refused_and_names_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let second = run([
        "up",
        "--no-collect",
        "--listen",
        "off",
        "--http-listen",
        "off",
        "--data",
        data.to_str().unwrap(),
    ])
    .expect(3);
    assert!(second.stderr.contains(&format!("process {}", up.pid())), "{}", second.stderr);
}

#[test]
fn health_metrics_and_wrong_requests() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let http = up.address("http");
    assert_eq!(get(http, "/healthz").unwrap(), (200, "ok\n".to_owned()));
    assert_eq!(get(http, "/readyz").unwrap().0, 200);
    let (status, metrics) = get(http, "/metrics").unwrap();
    assert_eq!(status, 200);
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("lastwords_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(metrics.contains("# TYPE lastwords_"), "{metrics}");

    let post = |body: &str| request(http, "POST /api/v1/query HTTP/1.1", body).unwrap();
    let cases = [
        ("{\"sql\":\"SELECT 1 AS one\"}", 200, "{\"one\":1}"),
        ("{\"sql\":\"SELECT nothing\"}", 422, "\"kind\":\"not_understood\""),
        ("{\"question\":\"panics within of\"}", 422, "\"place\":{\"start\":14,\"end\":16}"),
        ("{\"question\":\"panics\",\"sql\":\"SELECT 1\"}", 422, "\"kind\":\"invalid\""),
        ("{\"query\":\"panics\"}", 422, "unknown field"),
        ("{}", 422, "\"kind\":\"invalid\""),
        ("not JSON", 400, "\"kind\":\"malformed\""),
    ];
    for (body, status, expected) in cases {
        let (found, text) = post(body);
        assert_eq!(found, status, "{body}: {text}");
        assert!(text.contains(expected), "{body}: {text}");
    }
    let (_, metrics) = get(http, "/metrics").unwrap();
    for (ended, count) in [("answered", 1), ("refused", 2)] {
        let counted = format!("lastwords_question_seconds_count{{form=\"sql\",ended=\"{ended}\"}} {count}");
        assert!(metrics.lines().any(|line| line == counted), "{counted} in {metrics}");
    }
    assert_eq!(get(http, "/api/v1/query").unwrap().0, 405);
    let about: Value = serde_json::from_str(&get(http, "/").unwrap().1).unwrap();
    assert_eq!(about["name"], "lastwords");
    assert_eq!(get(http, about["openapi"].as_str().unwrap()).unwrap().0, 200);
    let (status, offered) = get(http, "/api/v1/complete?q=panics+within+5m+of+network+sat").unwrap();
    assert!(status == 200 && offered.contains("\"text\":\"network saturation\""), "{offered}");
    assert_eq!(get(http, "/api/v1/complete?q=panics&at=x").unwrap().0, 400);
    assert_eq!(get(http, "/nothing").unwrap().0, 404);
}

#[test]
fn clickhouse_clients_are_served_with_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let password = folder.path().join("password");
    fs::write(&password, "sesame\n").unwrap();
    let named = password.to_str().unwrap();
    let refused = run(["up", "--clickhouse-user", "grafana", "--data", data.to_str().unwrap()]).expect(3);
    assert!(refused.stderr.contains("wanted a password"), "{}", refused.stderr);
    let up = Up::start(
        &data,
        &[
            "--no-collect",
            "--clickhouse-listen",
            "127.0.0.1:0",
            "--clickhouse-user",
            "grafana",
            "--clickhouse-password-file",
            named,
        ],
    );
    let address = up.address("clickhouse");
    assert_eq!(get(address, "/ping").unwrap(), (200, "Ok.\n".to_owned()));
    let post = |credentials: &str, statement: &str| {
        request(address, &format!("POST /{credentials} HTTP/1.1"), statement).unwrap()
    };
    assert_eq!(post("?user=grafana&password=sesame", "SELECT 40 + 2"), (200, "42\n".to_owned()));
    assert_eq!(post("?user=grafana&password=sesame", "SELECT count() FROM lastwords.logs").0, 200);
    let made = fs::read_to_string(data.join("clickhouse/reader.password")).unwrap();
    let reader = format!("?user=reader&password={}", made.trim());
    assert_eq!(post(&reader, "SELECT count() FROM logs"), (200, "0\n".to_owned()));
    assert_eq!(post(&reader, "SELECT 1 FORMAT JSONEachRow").0, 200);
    let matches = "SELECT count() FROM correlate('panics', 'network saturation', '5m')";
    assert_eq!(post(&reader, matches), (200, "0\n".to_owned()));
    assert_eq!(post(&reader, "SELECT count() FROM otel_logs"), (200, "0\n".to_owned()));
    for wrong in [
        "",
        "?user=grafana&password=open",
        "?user=default&password=sesame",
        "?user=reader",
        "?user=writer&password=",
    ] {
        let (status, text) = post(wrong, "SELECT 1");
        assert!([401, 403, 516].contains(&status), "{wrong}: {status} {text}");
    }
    let (status, text) = post("?user=grafana&password=sesame", "SELECT nothing");
    assert!(status >= 400 && text.contains("nothing"), "{status} {text}");
}

#[test]
fn a_shipper_elsewhere_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let (data, state, config) =
        (folder.path().join("data"), folder.path().join("state"), config(folder.path()));
    let up = Up::start(&data, &["--no-collect"]);
    let mut file = open(&folder.path().join("logs/app.log"));
    writeln!(file, "from afar 1").unwrap();
    let ingester = format!("http://{}", up.address("grpc"));
    let mut ship = command(["ship", "--ingester", &ingester, "--host", "hv09"])
        .arg("--data")
        .arg(&state)
        .arg("--config")
        .arg(&config)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(file, "from afar 2").unwrap();
    eventually(&format!("both lines arrive; up said:\n{}", up.log()), Duration::from_secs(30), || {
        (count(&data, "logs WHERE Host = 'hv09' AND startsWith(Body, 'from afar ')") == 2).then_some(())
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&ship), rustix::process::Signal::TERM)
        .unwrap();
    let status = eventually("ship ends after SIGTERM", Duration::from_secs(30), || ship.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&data, "logs WHERE startsWith(Body, 'from afar ')"), 2);
}
