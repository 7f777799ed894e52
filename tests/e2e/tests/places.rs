//! Readers who take their time, beside those who write and those who ask, with the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    io::Write,
    net::TcpStream,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use lastwords_e2e::{
    program::run,
    up::{Up, engine},
};

const IDLE: usize = 16;
/// What an import of a few lines, or a question, may take on a busy machine. Idle readers are cut off after 20 s and
/// have others behind them: with their places alone it would take minutes.
const WAIT: Duration = Duration::from_secs(60);

/// Asks for an endless answer and takes nothing of it.
fn idle(mut stream: impl Write, target: &str, header: &str, body: &str) {
    write!(
        stream,
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
}

#[test]
fn idle_readers_keep_neither_ingestion_nor_questions_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect", "--clickhouse-listen", "127.0.0.1:0"]);
    let password = fs::read_to_string(data.join("clickhouse/reader.password")).unwrap();
    let user = format!("X-ClickHouse-User: reader\r\nX-ClickHouse-Key: {}", password.trim());
    let sql = "SELECT number FROM numbers(1000000000000)";
    let (mut sockets, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..IDLE {
        let stream = UnixStream::connect(data.join("query.sock")).unwrap();
        idle(&stream, "/api/v1/query", "Content-Type: application/json", &format!("{{\"sql\":\"{sql}\"}}"));
        sockets.push(stream);
        let stream = TcpStream::connect(up.address("clickhouse")).unwrap();
        idle(&stream, "/", &user, sql);
        ports.push(stream);
    }
    let log = folder.path().join("app.log");
    fs::write(&log, "2026-11-20T15:00:00Z app[1]: a line\n".repeat(100)).unwrap();
    let here = data.to_str().unwrap();
    let since = Instant::now();
    let _ = run(["import", "--host", "hv01", "--data", here, log.to_str().unwrap()]).expect(0);
    assert!(since.elapsed() < WAIT, "the import took {:?}", since.elapsed());
    assert_eq!(engine(&data, "SELECT count() FROM logs"), "100\n");
    let since = Instant::now();
    let _ = run(["query", "--data", here, "panics since 2026-11-01"]).expect(1);
    assert!(since.elapsed() < WAIT, "the question took {:?}", since.elapsed());
}
