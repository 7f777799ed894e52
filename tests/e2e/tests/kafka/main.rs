//! The way through a real Kafka: lines in are rows out once, whatever is killed; poison is set aside; standard tools
//! can look at what lies on the topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

mod broker;
mod hold;
mod secured;
mod service;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use broker::Broker;
use hold::Hold;
use lastwords_e2e::{
    eventually,
    program::run,
    up::{engine, request},
};
use service::Service;

/// Password of the store's user `default`, who writes.
const STORE_PASSWORD: &str = "sesame";

const ARRIVAL: Duration = Duration::from_secs(120);
const TOPIC: &str = "lastwords.batches";
const QUARANTINE: &str = "lastwords.quarantine";

/// Ports that nobody has, below those from which the system takes ports of outgoing connections: who is killed must
/// find its port free when it comes back.
fn free_ports(count: u16) -> Vec<u16> {
    let start = 12_000 + u16::try_from(std::process::id() * 41 % 19_000).unwrap();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (start..32_000)
        .chain(12_000..start)
        .step_by(usize::from(count))
        .map(|first| (first..first + count).collect::<Vec<u16>>())
        .find(|ports| ports.iter().all(free))
        .unwrap()
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Kafka, the store, and as many ingesters, writers and shippers as wanted. Shipper n talks to ingester n.
struct Fleet {
    folder: tempfile::TempDir,
    store: SocketAddr,
    config: PathBuf,
    /// By name: `store`, `ingest0`, `write0`, `shipper0`, …
    services: BTreeMap<String, Service>,
    broker: Broker,
    /// Ports that none of these uses.
    spare_ports: Vec<u16>,
    /// Lines written so far by each shipper's host.
    written: Vec<u64>,
}

impl Fleet {
    fn start(each: usize) -> Fleet {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let ports = free_ports(11);
        let broker = Broker::start(path, ports[0]);
        let mut services = BTreeMap::new();
        let store = local(ports[2]);
        let data = path.join("store");
        let password = path.join("store-password");
        fs::write(&password, format!("{STORE_PASSWORD}\n")).unwrap();
        let password = password.to_str().unwrap();
        let arguments = [
            "store",
            "serve",
            "--data",
            data.to_str().unwrap(),
            "--listen",
            &store,
            "--password-file",
            password,
        ];
        services.insert("store".to_owned(), Service::start(path, "store", &arguments));

        let config = |name: &str, grpc: &str, http: &str| {
            let file = path.join(format!("{name}.toml"));
            let text = format!(
                "[kafka]\nbrokers = \"{}\"\npartitions = 6\nreplication = 1\n\
                 [kafka.consumer_properties]\n\"session.timeout.ms\" = \"6000\"\n\"heartbeat.interval.ms\" = \"500\"\n\
                 [listen]\ngrpc = \"{grpc}\"\nhttp = \"{http}\"\n[store]\nurl = \"http://{store}\"\npassword_file = \"{password}\"\n",
                broker.address()
            );
            fs::write(&file, text).unwrap();
            file
        };
        let first = config("ingest0", &local(ports[3]), &local(ports[4]));
        let first_name = first.to_str().unwrap().to_owned();
        let _ = run(["kafka", "check", "--config", &first_name]).expect(3);
        let _ = run(["kafka", "init", "--config", &first_name]).expect(0);
        let _ = run(["kafka", "check", "--config", &first_name]).expect(0);
        for number in 0..each {
            let ports = &ports[3 + number * 4..];
            let ingester = local(ports[0]);
            for (verb, grpc, http) in
                [("ingest", &ingester, local(ports[1])), ("write", &local(ports[2]), local(ports[3]))]
            {
                let name = format!("{verb}{number}");
                let file = config(&name, grpc, &http);
                let service = Service::start(path, &name, &[verb, "--config", file.to_str().unwrap()]);
                services.insert(name, service);
            }
            let name = format!("shipper{number}");
            fs::create_dir_all(path.join(&name)).unwrap();
            let file = path.join(format!("{name}.toml"));
            let text = format!(
                "state_dir = \"{0}/{name}-state\"\n[host]\nname = \"hv{number}\"\n\
                 [uplink]\ningester = \"http://{ingester}\"\n\
                 [sources]\njournald = false\nkmsg = false\nsamples = false\n[[file]]\npaths = [\"{0}/{name}/*.log\"]\n",
                path.display()
            );
            fs::write(&file, text).unwrap();
            let service = Service::start(path, &name, &["--config", file.to_str().unwrap()]);
            services.insert(name, service);
        }
        let store = store.parse().unwrap();
        let spare_ports = ports[3 + each * 4..].to_vec();
        Fleet { folder, store, config: first, services, broker, spare_ports, written: vec![0; each] }
    }

    /// Each host's log grows by so many lines.
    fn grow(&mut self, lines: u64) {
        for (number, written) in self.written.iter_mut().enumerate() {
            let path = self.folder.path().join(format!("shipper{number}/app.log"));
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            let text: String =
                (*written..*written + lines).map(|line| format!("e2e hv{number} {line}\n")).collect();
            file.write_all(text.as_bytes()).unwrap();
            *written += lines;
        }
    }

    /// Waits until the topic has so many records.
    fn await_topic(&self, records: u64) {
        eventually(&format!("{records} records are on the topic"), ARRIVAL, || {
            let listed = self.broker.listed(TOPIC);
            let of = |line: &String| {
                line.split(['\t', ','])
                    .find_map(|header| header.strip_prefix("records="))?
                    .parse::<u64>()
                    .ok()
            };
            (listed.iter().filter_map(of).sum::<u64>() >= records).then_some(())
        });
    }

    fn service(&mut self, name: &str) -> &mut Service {
        self.services.get_mut(name).unwrap()
    }

    /// The store's answer, or nothing where it has none now.
    fn ask(&self, sql: &str) -> Option<String> {
        let head = format!(
            "POST /?database=lastwords HTTP/1.1\r\nX-ClickHouse-User: default\r\nX-ClickHouse-Key: {STORE_PASSWORD}"
        );
        let (status, body) = request(self.store, &head, sql).ok()?;
        (status == 200).then(|| body.trim_end().to_owned())
    }

    /// Runs a statement past the port, as only the owner of the store's folder can.
    fn engine(&self, sql: &str) {
        let _ = engine(&self.folder.path().join("store"), sql);
    }

    fn number(&self, sql: &str) -> Option<u64> {
        self.ask(sql)?.parse().ok()
    }

    /// Waits until there are as many rows as lines.
    fn await_all(&mut self, when: &str) {
        for service in self.services.values_mut() {
            service.assert_runs();
        }
        let wanted: u64 = self.written.iter().sum();
        let said = || self.services.values().map(Service::said).collect::<String>();
        let rows = || self.number("SELECT count() FROM logs WHERE startsWith(Body, 'e2e ')");
        let since = std::time::Instant::now();
        while rows().is_none_or(|rows| rows < wanted) {
            assert!(since.elapsed() < ARRIVAL, "{when}: {:?} of {wanted} rows\n{}", rows(), said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Every line once, by its identity, and in the order of its file.
    fn assert_each_once(&self) {
        let sql =
            "SELECT Body FROM logs WHERE startsWith(Body, 'e2e ') ORDER BY Shipper, Epoch, Sequence, Row";
        let bodies = self.ask(sql).unwrap();
        for (number, written) in self.written.iter().enumerate() {
            let host = format!("hv{number}");
            let stored: Vec<u64> = bodies
                .lines()
                .filter_map(|body| body.strip_prefix("e2e ")?.strip_prefix(&host)?.trim_start().parse().ok())
                .collect();
            let expected: Vec<u64> = (0..*written).collect();
            let differs = stored.iter().zip(&expected).position(|(stored, expected)| stored != expected);
            assert!(
                stored == expected,
                "{host}: {} rows of {written} lines, from line {differs:?} on not as written",
                stored.len()
            );
        }
    }
}

#[test]
fn each_line_is_stored_once_though_everything_is_killed_once() {
    let mut fleet = Fleet::start(2);
    fleet.grow(3_000);
    fleet.await_all("at first");
    for killed in ["write0", "ingest0", "shipper0", "store", "broker", "write1"] {
        // In the middle of it: the files grow before and after.
        fleet.grow(1_500);
        if killed == "broker" {
            fleet.broker.kill();
            fleet.grow(500);
            fleet.broker.start_again();
        } else {
            fleet.service(killed).kill();
            fleet.grow(500);
            fleet.service(killed).start_again();
        }
        fleet.grow(500);
        fleet.await_all(&format!("after {killed} was killed"));
    }
    fleet.assert_each_once();
    assert_eq!(fleet.number("SELECT count() FROM quarantine"), Some(0));
}

#[test]
fn poison_is_set_aside_and_standard_tools_see_what_is_on_the_topic() {
    let mut fleet = Fleet::start(1);
    let poison = fleet.folder.path().join("poison");
    fs::write(&poison, b"not a batch at all").unwrap();
    // On each partition, so that lines come after it whichever is theirs.
    for partition in ["0", "1", "2", "3", "4", "5"] {
        fleet.broker.put(TOPIC, partition, &poison);
    }
    fleet.grow(1_000);
    fleet.await_all("after poison");
    fleet.assert_each_once();
    eventually("the poison is in the table", ARRIVAL, || {
        (fleet.number("SELECT count() FROM quarantine")? == 6).then_some(())
    });
    assert_eq!(fleet.number("SELECT countIf(Reason = '') FROM quarantine"), Some(0));
    let config = fleet.config.to_str().unwrap();
    let listed = run(["quarantine", "list", "--format", "jsonl", "--config", config]).expect(0).json_lines();
    assert_eq!(listed.len(), 6, "{listed:?}");
    let aside = eventually("the poison is on its topic", ARRIVAL, || {
        let aside = fleet.broker.listed(QUARANTINE);
        (aside.len() >= 6).then_some(aside)
    });
    assert!(aside.iter().all(|line| line.ends_with("\t18")), "the very bytes: {aside:?}");

    let mut records = 0;
    for line in fleet.broker.listed(TOPIC) {
        let (headers, size) = line.split_once('\t').unwrap();
        if size == "18" {
            continue;
        }
        let headers: BTreeMap<&str, &str> =
            headers.split(',').filter_map(|header| header.split_once('=')).collect();
        let names: Vec<&str> = headers.keys().copied().collect();
        assert_eq!(names, ["epoch", "format", "records", "sequence", "shipper"]);
        assert_eq!(headers["format"], "1.1");
        assert_eq!(headers["shipper"].len(), 32);
        records += headers["records"].parse::<u64>().unwrap();
    }
    assert_eq!(records, 1_000);
}

/// A writer stands still in the middle of an insert for longer than the store takes it; meanwhile another one takes its
/// partitions over, the tokens are forgotten, and then the rest of the insert arrives.
#[test]
fn an_insert_that_arrives_after_its_time_adds_no_row() {
    let mut fleet = Fleet::start(1);
    let more = fleet.spare_ports.clone();
    let hold = Hold::start(more[0], fleet.store);
    let path = fleet.folder.path().to_owned();
    let direct = fs::read_to_string(path.join("write0.toml")).unwrap();
    let moved = |name: &str, store: &str, http: u16| {
        let text = direct.replace(&format!("http://{}", fleet.store), store);
        let old = text.lines().find(|line| line.starts_with("http = ")).unwrap();
        let file = path.join(format!("{name}.toml"));
        fs::write(&file, text.replace(old, &format!("http = \"{}\"", local(http)))).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let through = moved("through", &format!("http://{}", local(more[0])), more[1]);
    let beside = moved("beside", &format!("http://{}", fleet.store), more[2]);
    fleet.services.remove("write0");
    let stalled = Service::start(&path, "stalled", &["write", "--config", &through]);
    fleet.services.insert("stalled".to_owned(), stalled);
    fleet.grow(500);
    fleet.await_all("at first");

    hold.arm();
    fleet.grow(500);
    eventually("an insert is held in the middle", ARRIVAL, || hold.is_holding().then_some(()));
    let since = std::time::Instant::now();
    fleet.service("stalled").signal("-STOP");
    let successor = Service::start(&path, "beside", &["write", "--config", &beside]);
    fleet.services.insert("beside".to_owned(), successor);
    fleet.await_all("after another writer has taken over");
    fleet.engine("ALTER TABLE logs MODIFY SETTING non_replicated_deduplication_window = 1");
    for _ in 0..3 {
        fleet.grow(100);
        fleet.await_all("while tokens are forgotten");
    }
    // The attempt's minute, and what a commit may take.
    let window = Duration::from_secs(70);
    std::thread::sleep(window.saturating_sub(since.elapsed()));
    hold.release();
    fleet.service("stalled").signal("-CONT");
    // The store's port lets nothing of an insert in before all of it is there, and waits for a minute; what came in
    // whole and late the store itself would refuse.
    eventually("the store is done with the late insert", ARRIVAL, || hold.is_settled().then_some(()));
    let answer = hold.answer();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    fleet.grow(300);
    fleet.await_all("after the stalled writer went on");
    fleet.assert_each_once();
}

#[test]
fn a_batch_that_the_store_refuses_is_set_aside_alone_and_stored_once_when_it_may() {
    let mut fleet = Fleet::start(1);
    fleet.grow(500);
    fleet.await_all("at first");
    // An operator's own rule, of which the batch falls foul for good.
    fleet.engine("ALTER TABLE logs ADD CONSTRAINT no_poison CHECK NOT (Body LIKE '%poison%')");
    // Good batches before and behind it, all in one block: nobody writes while they come.
    fleet.service("write0").kill();
    fleet.grow(500);
    fleet.await_topic(1_000);
    let log = fleet.folder.path().join("shipper0/app.log");
    let mut log = OpenOptions::new().append(true).open(log).unwrap();
    // What is said after the name of our own constraint must not pass for it.
    log.write_all(b"a poison pill `in_time`\n").unwrap();
    fleet.await_topic(1_001);
    fleet.grow(500);
    fleet.await_topic(1_501);
    fleet.service("write0").start_again();
    fleet.await_all("after the refused batch");
    eventually("the refused batch is in the table", ARRIVAL, || {
        (fleet.number("SELECT count() FROM quarantine")? == 1).then_some(())
    });
    fleet.assert_each_once();
    let config = fleet.config.to_str().unwrap().to_owned();
    let quarantine = |verb: &str, more: &[&str], code: i32| {
        let arguments = [&["quarantine", verb, "--config", &config], more].concat();
        run(arguments).expect(code)
    };
    let listed = quarantine("list", &["--format", "jsonl"], 0).json_lines();
    assert!(listed[0]["reason"].as_str().unwrap().contains("no_poison"), "{listed:?}");
    let batch = listed[0]["batch"].as_str().unwrap();
    let shown = quarantine("show", &[batch], 0).stdout;
    assert!(shown.contains("a poison pill `in_time`"), "{shown}");
    eventually("it is on the quarantine topic", ARRIVAL, || {
        (!fleet.broker.listed(QUARANTINE).is_empty()).then_some(())
    });
    let _ = quarantine("retry", &[batch], 3);
    fleet.engine("ALTER TABLE logs DROP CONSTRAINT no_poison");
    let _ = quarantine("retry", &[batch], 0);
    let _ = quarantine("retry", &[batch], 3);
    assert_eq!(fleet.number("SELECT count() FROM logs WHERE Body LIKE '%poison%'"), Some(1));
    assert_eq!(fleet.number("SELECT count() FROM quarantine FINAL"), Some(0));
}
