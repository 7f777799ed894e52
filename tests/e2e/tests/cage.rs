//! The engine's process: what it cannot reach whatever SQL says, and that it can end at any moment.
//!
//! Statements go straight to the engine's socket, past the confinement of users' SQL: as if that check were switched off.
//! On a kernel without Landlock or seccomp these tests fail; there is no cage there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lastwords_e2e::{
    engine::{engine_process, is_alive, kill_now, next_engine, statement},
    eventually,
    program::{count, run, sql},
    up::Up,
};

/// A server that is not there is not tried again and again.
const SETTINGS: &str = "max_execution_time=20&http_max_tries=1&s3_retry_attempts=0";
const SECRET: &str = "the-planted-secret-7d1f";

/// A running `up` that collects nothing, and what lies around its engine.
struct Around {
    folder: tempfile::TempDir,
    data: PathBuf,
    up: Up,
    /// Beside the data folder.
    secret: PathBuf,
    listener: TcpListener,
    unix: UnixListener,
    unix_path: PathBuf,
}

impl Around {
    fn start() -> Around {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let secret = folder.path().join("secret.txt");
        fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let up = Up::start(&data, &["--no-collect"]);
        // What else is in the data folder is not the engine's either.
        fs::create_dir_all(data.join("shipper")).unwrap();
        fs::write(data.join("shipper/state"), format!("{SECRET}\n")).unwrap();
        fs::write(data.join("reader.password"), format!("{SECRET}\n")).unwrap();
        // A link within its folder leads to where it may not go.
        let links = data.join("engine/user_files");
        fs::create_dir_all(&links).unwrap();
        for (name, target) in [("secret", secret.as_path()), ("etc", Path::new("/etc")), ("up", &data)] {
            std::os::unix::fs::symlink(target, links.join(name)).unwrap();
        }
        fs::write(data.join("engine/inside.txt"), "inside\n").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let unix_path = folder.path().join("other.sock");
        let unix = UnixListener::bind(&unix_path).unwrap();
        unix.set_nonblocking(true).unwrap();
        Around { folder, data, up, secret, listener, unix, unix_path }
    }

    /// Status and answer; 0 where the engine ended under the statement, which is its right and costs a restart.
    fn ask(&self, text: &str) -> (u16, String) {
        let answer = statement(&self.data, text, SETTINGS);
        self.settle();
        answer.unwrap_or_default()
    }

    /// The engine takes statements.
    fn settle(&self) {
        eventually("the engine answers", Duration::from_secs(60), || {
            statement(&self.data, "SELECT 1", "").ok().filter(|(status, _)| *status == 200)
        });
    }

    /// The statement ends with nothing of the outside in its answer.
    fn check(&self, text: &str) {
        let (status, answer) = self.ask(text);
        assert!(!answer.contains(SECRET), "{text}\n{status} {answer}");
        assert!(!answer.contains("root:"), "{text}\n{status} {answer}");
        assert!(!answer.contains("LASTWORDS_"), "{text}\n{status} {answer}");
    }

    /// Nobody came.
    fn untouched(&self, text: &str) {
        for accepted in [self.listener.accept().map(drop), self.unix.accept().map(drop)] {
            let kind = accepted.map(|()| "a connection").map_err(|error| error.kind());
            assert_eq!(kind, Err(ErrorKind::WouldBlock), "{text}");
        }
    }
}

#[test]
fn no_file_outside_the_engines_folder_is_read() {
    let around = Around::start();
    // The same words do read what is inside: it is the cage that holds, not a mistake in the statement.
    let inside = around.data.join("engine/inside.txt");
    let (status, answer) = around.ask(&format!("SELECT * FROM file('{}', 'LineAsString')", inside.display()));
    assert_eq!((status, answer.as_str()), (200, "inside\n"));
    let secrets = [
        around.secret.clone(),
        around.data.join("shipper/state"),
        around.data.join("reader.password"),
        around.data.join("engine/user_files/secret"),
        around.data.join("engine/user_files/up/reader.password"),
        around.data.join("engine/../reader.password"),
        around.data.join("engine/user_files/etc/passwd"),
        "/etc/passwd".into(),
        "/etc/shadow".into(),
        "/proc/self/environ".into(),
        format!("/proc/{}/environ", around.up.pid()).into(),
        format!("/proc/{}/root{}", around.up.pid(), around.secret.display()).into(),
    ];
    for secret in secrets {
        let path = secret.display();
        for text in [
            format!("SELECT * FROM file('{path}', 'LineAsString')"),
            format!("SELECT * FROM file('{path}', 'RawBLOB')"),
            format!("SELECT file('{path}')"),
            format!("SELECT * FROM '{path}'"),
            format!("SELECT * APPLY(file) FROM (SELECT '{path}' AS x)"),
            format!("SELECT * FROM sqlite('{path}', 't')"),
            format!("SELECT * FROM loop(file('{path}', 'LineAsString')) LIMIT 3"),
            format!("SELECT count() FROM executable('cat {path}', 'LineAsString', 's String')"),
        ] {
            around.check(&text);
        }
    }
    let secret = around.secret.display();
    for text in [
        format!("CREATE TABLE stolen (s String) ENGINE = File(LineAsString, '{secret}')"),
        "SELECT * FROM stolen".to_owned(),
        format!(
            "CREATE DICTIONARY stolen_d (s String) PRIMARY KEY s SOURCE(FILE(path '{secret}' format 'LineAsString')) \
             LAYOUT(COMPLEX_KEY_DIRECT())"
        ),
        "SELECT * FROM dictionary('stolen_d')".to_owned(),
        format!(
            "INSERT INTO FUNCTION file('inside2.txt', 'LineAsString') SELECT * FROM file('{secret}', 'LineAsString')"
        ),
        format!("CREATE TABLE copied ENGINE = Memory AS SELECT * FROM file('{secret}', 'RawBLOB')"),
        "SELECT * FROM copied".to_owned(),
        format!("SELECT catboostEvaluate('{secret}', 1)"),
    ] {
        around.check(&text);
    }
    assert!(is_alive(around.up.pid()));
}

#[test]
fn nothing_outside_the_engines_folder_is_written_and_no_program_is_run() {
    let around = Around::start();
    let out = around.folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let path = out.display();
    let link = around.data.join("engine/user_files/out");
    std::os::unix::fs::symlink(&out, &link).unwrap();
    for text in [
        format!("INSERT INTO FUNCTION file('{path}/a', 'CSV', 'x Int8') VALUES (1)"),
        format!("INSERT INTO FUNCTION file('{}/b', 'CSV', 'x Int8') VALUES (1)", link.display()),
        "INSERT INTO FUNCTION file('../../x', 'CSV', 'x Int8') VALUES (1)".to_owned(),
        format!("SELECT 1 INTO OUTFILE '{path}/c'"),
        format!("CREATE TABLE t1 (x Int8) ENGINE = File(CSV, '{path}/d')"),
        "INSERT INTO t1 VALUES (1)".to_owned(),
        format!(
            "CREATE TABLE t2 (x Int8) ENGINE = MergeTree ORDER BY x SETTINGS disk = disk(type = local, path = '{path}/e/')"
        ),
        "INSERT INTO t2 VALUES (1)".to_owned(),
        format!("BACKUP DATABASE lastwords TO File('{path}/f')"),
        format!("BACKUP DATABASE lastwords TO Disk('default', '../../{path}/g')"),
        format!("SELECT * FROM executable('touch {path}/h', 'CSV', 'x Int8')"),
        format!("SELECT * FROM executable('sh', 'CSV', 'x Int8', (SELECT 'touch {path}/i'))"),
        format!(
            "CREATE DICTIONARY run (x UInt64) PRIMARY KEY x SOURCE(EXECUTABLE(command 'touch {path}/j' format 'CSV')) \
             LAYOUT(DIRECT())"
        ),
        "SELECT * FROM dictionary('run')".to_owned(),
        format!("CREATE TABLE t3 (x Int8) ENGINE = Executable('touch {path}/k', 'CSV')"),
        "SELECT * FROM t3".to_owned(),
        "SYSTEM SHUTDOWN".to_owned(),
        "SYSTEM KILL".to_owned(),
    ] {
        around.ask(&text);
    }
    let written: Vec<_> = fs::read_dir(&out).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(written, Vec::<PathBuf>::new());
    assert!(!around.data.join("../x").exists() && !around.data.join("x").exists());
    assert!(is_alive(around.up.pid()), "{}", around.up.log());
}

#[test]
fn no_network_is_reached() {
    let around = Around::start();
    let port = around.listener.local_addr().unwrap().port();
    let unix = around.unix_path.display();
    for text in [
        format!("SELECT * FROM url('http://127.0.0.1:{port}/x', 'LineAsString')"),
        format!("SELECT * FROM url('http://localhost:{port}/x', 'LineAsString')"),
        format!("SELECT * FROM remote('127.0.0.1:{port}', 'system.one')"),
        format!("SELECT * FROM remoteSecure('127.0.0.1:{port}', 'system.one')"),
        "SELECT * FROM cluster('x', 'system.one')".to_owned(),
        format!("SELECT * FROM mysql('127.0.0.1:{port}', 'd', 't', 'u', 'p')"),
        format!("SELECT * FROM postgresql('127.0.0.1:{port}', 'd', 't', 'u', 'p')"),
        format!("SELECT * FROM postgresql('{unix}', 'd', 't', 'u', 'p')"),
        format!("SELECT * FROM mongodb('127.0.0.1:{port}', 'd', 'c', 'u', 'p', 'x Int8')"),
        format!("SELECT * FROM redis('127.0.0.1:{port}', 'x', 'x Int8')"),
        format!("SELECT * FROM s3('http://127.0.0.1:{port}/b/k', 'CSV')"),
        format!("SELECT * FROM hdfs('hdfs://127.0.0.1:{port}/x', 'CSV', 'x Int8')"),
        format!("INSERT INTO FUNCTION url('http://127.0.0.1:{port}/x', 'CSV', 'x Int8') VALUES (1)"),
        format!("CREATE TABLE web (x Int8) ENGINE = URL('http://127.0.0.1:{port}/x', CSV)"),
        "SELECT * FROM web".to_owned(),
        format!(
            "CREATE DICTIONARY web_d (x UInt64) PRIMARY KEY x SOURCE(HTTP(url 'http://127.0.0.1:{port}/x' format 'CSV')) \
             LAYOUT(DIRECT())"
        ),
        "SELECT * FROM dictionary('web_d')".to_owned(),
        format!("BACKUP TABLE lastwords.logs TO S3('http://127.0.0.1:{port}/b/k')"),
    ] {
        around.check(&text);
        around.untouched(&text);
    }
}

#[test]
fn the_engines_process_has_no_privileges_and_its_files_are_its_owners_alone() {
    let around = Around::start();
    let engine = engine_process(around.up.pid()).expect("an engine's process");
    let status = fs::read_to_string(format!("/proc/{engine}/status")).unwrap();
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(&format!("{name}:"))).expect(name);
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(value("NoNewPrivs"), "1");
    assert_eq!(value("Seccomp"), "2");
    // At most the right to a folder of another user's.
    assert!(["0000000000000000", "0000000000000002"].contains(&value("CapEff").as_str()), "{status}");
    assert_eq!(value("CapInh"), "0000000000000000");
    let limits = fs::read_to_string(format!("/proc/{engine}/limits")).unwrap();
    assert!(
        limits.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")),
        "{limits}"
    );
    assert_eq!(fs::read_to_string(format!("/proc/{engine}/oom_score_adj")).unwrap().trim(), "500");
    match fs::read(format!("/proc/{engine}/environ")) {
        Ok(environment) => {
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let names: Vec<&str> =
                environment.split('\0').filter_map(|one| Some(one.split_once('=')?.0)).collect();
            let known = ["TZ", "TZDIR", "LASTWORDS_LOG"];
            assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
        }
        // Whoever is not root does not even see it.
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&around.data.join("engine.sock")), 0o600);
    let mut open = vec![around.data.join("engine")];
    let mut looked_at = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            // What this test has put there itself is as it is.
            let ours = ["user_files", "inside.txt"].contains(&entry.file_name().to_str().unwrap());
            if kind.is_symlink() || ours {
                continue;
            }
            looked_at += 1;
            assert_eq!(mode(&entry.path()) & 0o077, 0, "{}", entry.path().display());
            if kind.is_dir() {
                open.push(entry.path());
            }
        }
    }
    assert!(looked_at > 20, "{looked_at} files");
}

#[test]
fn a_killed_engine_is_started_again_and_nothing_else_ends() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let mut engine = next_engine(up.pid(), None);
    for round in 0..3 {
        let log = folder.path().join(format!("app{round}.log"));
        fs::write(&log, (0..500).map(|line| format!("round {round} line {line}\n")).collect::<String>())
            .unwrap();
        let import =
            run(["import", "--data", data.to_str().unwrap(), "--host", "hv01", log.to_str().unwrap()]);
        let _ = import.expect(0);
        kill_now(engine);
        let since = Instant::now();
        assert_eq!(count(&data, "logs WHERE Host = 'hv01'"), 500 * (round + 1));
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        engine = next_engine(up.pid(), Some(engine));
    }
    assert!(up.log().contains("started again"), "{}", up.log());
    assert_eq!(up.terminate(), 0);
    eventually("the engine has ended with up", Duration::from_secs(5), || (!is_alive(engine)).then_some(()));
    assert!(!data.join("engine.sock").exists());
}

#[test]
fn the_engine_ends_with_a_process_that_is_killed_and_the_next_one_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let engine = next_engine(up.pid(), None);
    kill_now(up.pid());
    eventually("the engine has ended, too", Duration::from_secs(10), || (!is_alive(engine)).then_some(()));
    drop(up);
    let up = Up::start(&data, &["--no-collect"]);
    assert_eq!(up.terminate(), 0);
}

#[test]
fn a_statement_that_does_not_end_costs_the_engines_process_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let engine = next_engine(up.pid(), None);
    // One block, and within it no place where the engine would look whether it is to end.
    let endless =
        "SELECT max(editDistance(repeat(toString(number), 60000), repeat('b', 60000))) FROM numbers(1000)";
    let since = Instant::now();
    let ended = statement(&data, endless, "max_execution_time=1");
    // The process went away under it.
    assert!(ended.is_err(), "{ended:?}");
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    let next = next_engine(up.pid(), Some(engine));
    assert_ne!(next, engine);
    assert_eq!(sql(&data, "SELECT 1 AS one").len(), 1);
    assert!(up.log().contains("a statement does not end although it was cancelled"), "{}", up.log());
    assert_eq!(up.terminate(), 0);
}

#[test]
fn the_engine_can_still_run_in_the_process_that_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("lastwords.toml");
    fs::write(&config, "[engine]\nin_process = true\n").unwrap();
    let up = Up::start(&data, &["--no-collect", "--config", config.to_str().unwrap()]);
    assert_eq!(engine_process(up.pid()), None);
    assert!(!data.join("engine.sock").exists());
    assert_eq!(up.terminate(), 0);
    // And afterwards in a process of its own, on the same folder.
    let up = Up::start(&data, &["--no-collect"]);
    assert!(engine_process(up.pid()).is_some());
    assert_eq!(up.terminate(), 0);
}

#[test]
fn doctor_says_how_the_cage_stands() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let doctor = || {
        let ended = run(["doctor", "--data", data.to_str().unwrap(), "--format", "jsonl"]);
        ended
            .json_lines()
            .into_iter()
            .filter(|row| row["check"].as_str().is_some_and(|check| check.starts_with("engine's")))
            .map(|row| format!("{} {}: {}", row["state"], row["check"], row["found"]))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let running = doctor();
    assert!(
        running.contains("process ") && running.contains("Landlock") && running.contains("seccomp"),
        "{running}"
    );
    assert_eq!(up.terminate(), 0);
    let at_rest = doctor();
    assert!(
        at_rest.contains("Landlock") && at_rest.contains("seccomp") && !at_rest.contains("warn"),
        "{at_rest}"
    );
}

/// The caged engine may not lower its threads itself.
#[test]
fn merges_take_what_inserts_and_questions_leave_over() {
    let around = Around::start();
    let engine = engine_process(around.up.pid()).unwrap();
    let niceness = |name: &str| {
        let tasks = fs::read_dir(format!("/proc/{engine}/task")).unwrap().flatten();
        let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        let named = stats.filter(|stat| stat.contains(&format!("({name})")));
        // The 19th field (proc_pid_stat(5)); the second ends with the bracket.
        let nice = |stat: String| stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse::<i32>().ok();
        named.filter_map(nice).collect::<Vec<i32>>()
    };
    eventually("the merging threads have the lowest priority", Duration::from_secs(60), || {
        let merging = niceness("MergeMutate");
        (!merging.is_empty() && merging.iter().all(|nice| *nice == 15)).then_some(())
    });
    assert!(niceness("tokio-rt-worker").iter().all(|nice| *nice == 0), "nothing else is lowered");
}
