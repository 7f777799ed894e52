//! The store as a server of its own, and the quarantine wherever the store is, with the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use lastwords_e2e::{
    eventually,
    program::{Ended, command, count, run},
    up::{Up, engine, get, request},
};
use rustix::process::{Pid, Signal};

const WAIT: Duration = Duration::from_secs(60);

/// `lastwords store serve`; killed when dropped.
struct Served {
    child: Child,
    address: SocketAddr,
    password: String,
}

impl Served {
    fn start(data: &Path) -> Served {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = command(["store", "serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut served = Served { child, address, password: String::new() };
        eventually("the store is ready", WAIT, || (get(address, "/readyz").ok()?.0 == 200).then_some(()));
        served.password = password(data, "writer");
        served
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// SIGTERM; gives the exit code.
    fn terminate(mut self) -> i32 {
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = eventually("the store ends after SIGTERM", WAIT, || self.child.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A user's password, as the first start has made it: in a file of its owner alone.
fn password(data: &Path, user: &str) -> String {
    let path = data.join(format!("clickhouse/{user}.password"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Runs with a server as the store, as its writer.
fn run_remote(url: &str, password: &str, arguments: &[&str]) -> Ended {
    let output = command(arguments)
        .env("LASTWORDS_STORE_URL", url)
        .env("LASTWORDS_STORE_USER", "writer")
        .env("LASTWORDS_STORE_PASSWORD", password)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_served_store_is_migrated_over_http_counts_and_ends_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let migrated = run_remote(&served.url(), &served.password, &["store", "migrate"]).expect(0);
    assert!(migrated.stdout.contains("is up to date (0 migrations applied)"), "{}", migrated.stdout);
    let post = |user: &str, password: &str, sql: &str| {
        let head = format!(
            "POST /?database=lastwords HTTP/1.1\r\nX-ClickHouse-User: {user}\r\nX-ClickHouse-Key: {password}"
        );
        request(served.address, &head, sql).unwrap()
    };
    let reader = password(folder.path(), "reader");
    assert_eq!(post("reader", &reader, "SELECT count() FROM logs"), (200, "0\n".to_owned()));
    assert_eq!(post("writer", &served.password, "SELECT count() FROM logs"), (200, "0\n".to_owned()));
    for (user, secret) in [("default", ""), ("writer", ""), ("writer", reader.as_str()), ("reader", "x")] {
        let (status, text) = post(user, secret, "SELECT 1");
        assert!(status == 403 && text.contains("Code: 516"), "{user}: {status} {text}");
    }
    for user in [("reader", &reader), ("writer", &served.password)] {
        for attack in [
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM `\\x66ile`('/etc/passwd', 'LineAsString')",
            "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS x)",
            "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(`\\x65xecutable`(command 'id' format 'TSV')) \
             LAYOUT(FLAT()) LIFETIME(1)",
            "DROP TABLE logs",
        ] {
            let (status, text) = post(user.0, user.1, attack);
            assert!(status >= 400 && !text.contains("root:"), "{attack}: {status} {text}");
        }
    }
    let asked = run_remote(&served.url(), &served.password, &["query", "panics since 7 days ago"]);
    assert_eq!(asked.code, 1, "{}", asked.stderr);
    let asked = run_remote(
        &served.url(),
        &served.password,
        &[
            "query",
            "--format",
            "csv",
            "SELECT count() AS n FROM correlate('panics', 'network saturation', '5m')",
        ],
    );
    assert_eq!((asked.code, asked.stdout.as_str()), (0, "\"n\"\n0\n"), "{}", asked.stderr);
    let (status, metrics) = get(served.address, "/metrics").unwrap();
    assert_eq!(status, 200);
    assert!(metrics.contains("\nlastwords_store_statements_total "), "{metrics}");
    assert_eq!(served.terminate(), 0);
    let nobody = run_remote("http://127.0.0.1:1", "x", &["store", "migrate"]).expect(3);
    assert!(nobody.stderr.contains("could not be reached"), "{}", nobody.stderr);
}

#[test]
fn statements_for_a_cluster_are_printed_and_nothing_is_touched() {
    let printed = run(["store", "migrate", "--print", "--cluster", "main"]).expect(0).stdout;
    for part in [
        "CREATE DATABASE IF NOT EXISTS lastwords ON CLUSTER 'main';",
        "CREATE TABLE IF NOT EXISTS logs_local ON CLUSTER 'main'",
        "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/lastwords/logs', '{replica}')",
        "ENGINE = Distributed('main', 'lastwords', 'logs_local', cityHash64(Shipper))",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    let one = run(["store", "migrate", "--print"]).expect(0).stdout;
    assert!(!one.contains("CLUSTER") && one.contains("this_run"), "{one}");
    let wrong = run(["store", "migrate", "--print", "--cluster", "a'b"]).expect(2);
    assert!(wrong.stderr.contains("--cluster: wanted a cluster's name"), "{}", wrong.stderr);
}

/// Writes a line that the store's `logs` does not take, and waits until its batch is set aside.
fn poison(up: &Up, data: &Path, log: &Path, line: &str, quarantined: u64) {
    let change = |sql: &str| assert_eq!(engine(data, sql), "");
    change(&format!("ALTER TABLE logs ADD CONSTRAINT broken CHECK Body != '{line}'"));
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    writeln!(file, "{line}").unwrap();
    eventually(&format!("'{line}' is set aside; up said:\n{}", up.log()), WAIT, || {
        let (_, store) = get(up.address("http"), "/api/v1/store").unwrap();
        store.contains(&format!("\"quarantined\":{quarantined}")).then_some(())
    });
    change("ALTER TABLE logs DROP CONSTRAINT broken");
}

#[test]
fn the_quarantine_is_looked_after_through_a_running_up_on_a_folder_and_on_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("lastwords.toml");
    let log = folder.path().join("app.log");
    let collect = format!(
        "[collect]\nfiles = [\"{}\"]\nexclude = []\njournald = false\nkmsg = false\nsamples = false\nconsoles = []\n",
        log.display()
    );
    fs::write(&config, collect).unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--host", "hv01"];
    let up = Up::start(&data, &arguments);
    let here = data.to_str().unwrap();

    // Through the running `up`: listed, shown, stored after all.
    poison(&up, &data, &log, "first poison", 1);
    let rows = run(["quarantine", "list", "--data", here]).expect(0).json_lines();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0]["reason"].as_str().unwrap().contains("broken"), "{}", rows[0]);
    let first = rows[0]["batch"].as_str().unwrap().to_owned();
    let shown = run(["quarantine", "show", "--data", here, &first]).expect(0).json();
    assert_eq!(shown["hosts"], serde_json::json!(["hv01"]));
    assert_eq!(shown["first_records"], serde_json::json!(["first poison"]));
    let stored = run(["quarantine", "retry", "--data", here, &first]).expect(0).json();
    assert_eq!((&stored["stored"], &stored["records"]), (&true.into(), &1.into()), "{stored}");
    let gone = run(["quarantine", "retry", "--data", here, &first]).expect(3);
    assert!(gone.stderr.contains("is not in quarantine"), "{}", gone.stderr);
    let network =
        request(up.address("http"), "POST /api/v1/quarantine HTTP/1.1", "{\"action\":\"list\"}").unwrap();
    assert_eq!(network.0, 403, "any user of the machine could say that: {}", network.1);

    // On the folder.
    poison(&up, &data, &log, "second poison", 1);
    assert_eq!(up.terminate(), 0);
    assert_eq!(run(["quarantine", "retry", "--data", here, "--all"]).expect(0).json()["stored"], true);
    assert!(run(["quarantine", "list", "--data", here]).expect(0).json_lines().is_empty());
    let up = Up::start(&data, &arguments);
    poison(&up, &data, &log, "third poison", 1);
    assert_eq!(up.terminate(), 0);

    // On a server: dropped, not without being asked.
    let served = Served::start(&data);
    let asked = run_remote(&served.url(), &served.password, &["quarantine", "drop", "--all"]).expect(2);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(
        run_remote(&served.url(), &served.password, &["quarantine", "list"]).expect(0).json_lines().len(),
        1
    );
    let dropped = run_remote(&served.url(), &served.password, &["quarantine", "drop", "--all", "--yes"])
        .expect(0)
        .json();
    assert_eq!(dropped["dropped"], true);
    assert!(
        run_remote(&served.url(), &served.password, &["quarantine", "list"])
            .expect(0)
            .json_lines()
            .is_empty()
    );
    assert_eq!(served.terminate(), 0);

    for (body, expected) in [("first poison", 1), ("second poison", 1), ("third poison", 0)] {
        assert_eq!(count(&data, &format!("logs WHERE Body = '{body}'")), expected, "{body}");
    }
}
