//! The HTTP API as a web page, a neighbour on the machine and a neighbour on the network would use it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::Path,
    process::Stdio,
};

use lastwords_e2e::{
    eventually,
    program::{command, run},
    up::{Up, connect, exchange, get},
};

const QUERY: &str = "POST /api/v1/query HTTP/1.1";
const ONE: &str = "{\"sql\":\"SELECT 1 AS one\"}";
const LIST: &str = "{\"action\":\"list\"}";
const NOTHING: &str = "{\"from_ns\":0,\"to_ns\":1}";

fn ask(address: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    exchange(connect(address).unwrap(), head, body).unwrap()
}

#[test]
fn pages_of_other_origins_and_under_other_names_are_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lastwords.toml");
    fs::write(&config, "[listen]\nhttp_hosts = [\"lastwords.example.org\"]\n").unwrap();
    let up = Up::start(&folder.path().join("data"), &["--no-collect", "--config", config.to_str().unwrap()]);
    let http = up.address("http");
    let own = format!("Host: {http}\r\nContent-Type: application/json");
    let cases = [
        (own.clone(), 200),
        (format!("Host: localhost:{}\r\nContent-Type: application/json; charset=utf-8", http.port()), 200),
        ("Host: lastwords.example.org\r\nContent-Type: application/json".to_owned(), 200),
        (format!("{own}\r\nOrigin: http://{http}\r\nSec-Fetch-Site: same-origin"), 200),
        (format!("{own}\r\nOrigin: https://lastwords.example.org"), 200),
        // A page whose name means 127.0.0.1 all of a sudden.
        (format!("Host: evil.example:{}\r\nContent-Type: application/json", http.port()), 421),
        ("Content-Type: application/json".to_owned(), 400),
        (format!("{own}\r\nHost: evil.example"), 400),
        // A page elsewhere that asks this machine.
        (format!("{own}\r\nOrigin: http://evil.example"), 403),
        (format!("{own}\r\nOrigin: null"), 403),
        (format!("{own}\r\nSec-Fetch-Site: cross-site"), 403),
        (format!("Host: {http}\r\nContent-Type: text/plain"), 415),
        (format!("Host: {http}"), 415),
    ];
    let kind = |status| match status {
        400 => "malformed",
        403 => "forbidden",
        415 => "unsupported_media_type",
        421 => "misdirected",
        _ => "",
    };
    for (headers, expected) in cases {
        let (status, head, body) = ask(http, &format!("{QUERY}\r\n{headers}"), ONE);
        assert_eq!(status, expected, "{headers}\n{head}\n{body}");
        assert_eq!(body.contains("\"one\":1"), expected == 200, "{body}");
        assert!(!head.contains("access-control-"), "{head}");
        for guard in
            ["x-content-type-options: nosniff", "cache-control: no-store", "content-security-policy: "]
        {
            assert!(head.contains(guard), "{head}");
        }
        let said = format!("\"kind\":\"{}\"", kind(expected));
        assert!(expected == 200 || body.contains(&said), "{body}");
    }
    // What is read with GET is not told to another name either.
    for path in ["/api/v1/store", "/api/v1/complete?q=p", "/metrics", "/healthz", "/readyz"] {
        let get = |host: &str| ask(http, &format!("GET {path} HTTP/1.1\r\nHost: {host}"), "").0;
        assert_eq!((get(&http.to_string()), get("evil.example")), (200, 421), "{path}");
    }
    // No page is told that it may ask.
    let preflight = format!(
        "OPTIONS /api/v1/query HTTP/1.1\r\nHost: {http}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST"
    );
    assert_eq!(ask(http, &preflight, "").0, 403);
    let (status, head, _) = ask(http, &format!("OPTIONS /api/v1/query HTTP/1.1\r\nHost: {http}"), "");
    assert_eq!((status, head.contains("\r\nallow: post,options")), (204, true), "{head}");
    // The client says whom it asks.
    let url = format!("http://localhost:{}", http.port());
    let _ = run(["query", "--server", &url, "SELECT 1"]).expect(0);
}

#[test]
fn what_changes_the_store_or_brings_rules_is_answered_on_the_socket_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--no-collect"]);
    let http = up.address("http");
    for (path, body) in [("/api/v1/quarantine", LIST), ("/api/v1/rescan", NOTHING)] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: {http}\r\nContent-Type: application/json");
        let (status, _, refused) = ask(http, &head, body);
        assert_eq!(status, 403, "{refused}");
        assert!(refused.contains("on the socket in the data folder only"), "{refused}");
        let socket = || UnixStream::connect(data.join("query.sock")).unwrap();
        let (status, _, answer) = exchange(socket(), &head, body).unwrap();
        assert_eq!(status, 200, "{answer}");
        // Not in plain text, even here.
        let plain = head.replace("application/json", "text/plain");
        assert_eq!(exchange(socket(), &plain, body).unwrap().0, 415);
    }
    assert!(run(["quarantine", "list", "--data", data.to_str().unwrap()]).expect(0).json_lines().is_empty());
}

#[test]
fn requests_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), &["--no-collect"]);
    let http = up.address("http");
    let head = format!("{QUERY}\r\nHost: {http}\r\nContent-Type: application/json");
    // Refused by what it announces, and by what comes where it announces nothing.
    for rest in [
        "Content-Length: 1000000000000\r\n\r\n".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n100001\r\n{}", "x".repeat(0x10_0001)),
    ] {
        let mut stream = connect(http).unwrap();
        write!(stream, "{head}\r\n{rest}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    let long = format!("GET /api/v1/complete?q={} HTTP/1.1\r\nHost: {http}", "x".repeat(20_000));
    assert_eq!(ask(http, &long, "").0, 414);
    let wide = format!("GET /healthz HTTP/1.1\r\nHost: {http}\r\nX-Wide: {}", "x".repeat(40_000));
    assert_eq!(ask(http, &wide, "").0, 431);
    assert_eq!(get(http, "/healthz").unwrap().0, 200);
}

#[test]
fn listening_beyond_loopback_has_to_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("lastwords.toml"));
    let (here, file) = (data.to_str().unwrap(), config.to_str().unwrap());
    for address in ["0.0.0.0:0", "[::]:0", "10.255.255.1:0"] {
        let refused = run(["up", "--no-collect", "--data", here, "--http-listen", address]).expect(3);
        assert!(refused.stderr.contains("asks nobody for a password"), "{}", refused.stderr);
        assert!(refused.stderr.contains("--insecure"), "{}", refused.stderr);
        fs::write(&config, format!("[listen]\nhttp = \"{address}\"\n")).unwrap();
        let refused = run(["config", "check", file]).expect(3);
        assert!(refused.stderr.contains("key `listen.http`"), "{}", refused.stderr);
        // Health and metrics alone are for scrapers elsewhere.
        fs::write(&config, format!("[listen]\nhttp = \"{address}\"\n[kafka]\nbrokers = \"a:9092\"\n"))
            .unwrap();
        let _ = run(["config", "check", file]).expect(0);
        let refused = run(["up", "--no-collect", "--data", here, "--config", file]).expect(3);
        assert!(refused.stderr.contains("asks nobody for a password"), "{}", refused.stderr);
    }
    assert!(!data.exists());
    open_to_all(&data, &config);
}

/// With `--insecure` it answers, says so, and doctor says so, too; names are still looked at.
fn open_to_all(data: &Path, config: &Path) {
    let mut child =
        command(["up", "--no-collect", "--log-json", "--listen", "off", "--http-listen", "0.0.0.0:0"])
            .args(["--insecure", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(config.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
    let log = || fs::read_to_string(config.with_extension("log")).unwrap();
    let port: u16 = eventually("it says where it serves", std::time::Duration::from_secs(60), || {
        let line = log().lines().find(|line| line.contains("\"http\"")).map(str::to_owned)?;
        let rest = line.split_once("0.0.0.0:")?.1.to_owned();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    });
    let http = SocketAddr::from(([127, 0, 0, 1], port));
    let status = |host: &str| ask(http, &format!("GET /healthz HTTP/1.1\r\nHost: {host}"), "").0;
    assert_eq!(status(&http.to_string()), 200);
    assert_eq!(status(&format!("192.0.2.7:{port}")), 200);
    assert_eq!(status(&format!("evil.example:{port}")), 421);
    assert!(log().contains("whoever reaches the port can read everything"), "{}", log());
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(config, "[listen]\nhttp = \"0.0.0.0:8640\"\ninsecure = true\n").unwrap();
    let said = run(["doctor", "--config", config.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    assert!(said.stdout.contains("whoever reaches it can read everything"), "{}", said.stdout);
}
