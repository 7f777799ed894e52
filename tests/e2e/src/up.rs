//! `lastwords up` as a child process.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::{eventually, program::command};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running `up`; killed when dropped.
pub struct Up {
    child: Child,
    addresses: Arc<Mutex<HashMap<String, SocketAddr>>>,
    log: Arc<Mutex<String>>,
}

impl Up {
    /// Starts it and waits until it serves. Ports are the system's choice.
    ///
    /// # Panics
    /// Where it doesn't serve in time.
    #[must_use]
    pub fn start(data: &Path, arguments: &[&str]) -> Up {
        let up = Up::spawn(data, arguments);
        up.wait_until_ready();
        up
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn spawn(data: &Path, arguments: &[&str]) -> Up {
        let mut child =
            command(["up", "--log-json", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"])
                .arg("--data")
                .arg(data)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("lastwords can be started");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let addresses = Arc::new(Mutex::new(HashMap::new()));
        let log = Arc::new(Mutex::new(String::new()));
        let (found, said) = (Arc::clone(&addresses), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((what, address)) = serving(&line) {
                    found.lock().unwrap().insert(what, address);
                }
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        Up { child, addresses, log }
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Panics
    /// Where it doesn't in time.
    pub fn wait_until_ready(&self) {
        eventually(&format!("up is ready; it said:\n{}", self.log()), START, || {
            let address = self.find("http")?;
            (get(address, "/readyz").ok()?.0 == 200).then_some(())
        });
    }

    fn find(&self, what: &str) -> Option<SocketAddr> {
        self.addresses.lock().unwrap().get(what).copied()
    }

    /// Where it serves `grpc`, `http` or `clickhouse`.
    ///
    /// # Panics
    /// Where it doesn't.
    #[must_use]
    pub fn address(&self, what: &str) -> SocketAddr {
        self.find(what).unwrap_or_else(|| panic!("up serves no {what}; it said:\n{}", self.log()))
    }

    /// What it has logged so far.
    ///
    /// # Panics
    /// Never, unless another test thread did.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    ///
    /// # Panics
    /// Where it had ended by itself.
    pub fn kill(mut self) {
        let ended = self.child.try_wait().expect("up can be waited for");
        assert!(ended.is_none(), "up ended by itself: {ended:?}\n{}", self.log());
        self.child.kill().expect("up can be killed");
        self.child.wait().expect("up can be waited for");
    }

    /// SIGTERM; gives the exit code.
    ///
    /// # Panics
    /// Where it doesn't end within the default grace period and a bit.
    #[must_use]
    pub fn terminate(mut self) -> i32 {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, Signal::TERM).expect("up can be signalled");
        let status = eventually("up ends after SIGTERM", Duration::from_secs(30), || {
            self.child.try_wait().expect("up can be waited for")
        });
        status.code().unwrap_or(-1)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads `{"fields": {"message": "serving", "what": …, "address": …}}`.
fn serving(line: &str) -> Option<(String, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    let address = fields.get("address")?.as_str()?.parse().ok()?;
    Some((fields.get("what")?.as_str()?.to_owned(), address))
}

/// One HTTP request on a connection of its own: status and body. What is sent to the API is JSON.
///
/// # Errors
/// Where nobody answers.
pub fn request(address: SocketAddr, head: &str, body: &str) -> std::io::Result<(u16, String)> {
    let json = if head.contains(" /api/") { "\r\nContent-Type: application/json" } else { "" };
    let (status, _, body) = exchange(connect(address)?, &format!("{head}{json}\r\nHost: {address}"), body)?;
    Ok((status, body))
}

/// Runs a statement on a data folder's engine past all checks, as only the folder's owner can: over its socket.
///
/// # Panics
/// Where the engine refuses it.
#[must_use]
pub fn engine(data: &Path, sql: &str) -> String {
    let stream = UnixStream::connect(data.join("engine.sock")).expect("the engine's socket is there");
    let head = "POST /?database=lastwords HTTP/1.1\r\nHost: engine";
    let (status, _, text) = exchange(stream, head, sql).expect("the engine answers");
    assert_eq!(status, 200, "{sql}: {text}");
    text
}

/// A connection that does not wait for ever.
///
/// # Errors
/// Where nobody answers.
pub fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// One HTTP request, whose head says everything but its length: status, head and body of the answer.
///
/// # Errors
/// Where nobody answers.
pub fn exchange<S: Read + Write>(
    mut stream: S,
    head: &str,
    body: &str,
) -> std::io::Result<(u16, String, String)> {
    let length = body.len();
    let sent = write!(stream, "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let mut answer = Vec::new();
    // A server may refuse by the head alone, and not read on.
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        sent.and(read.map(drop))?;
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let head = head.to_ascii_lowercase();
    let body = if head.contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_owned() };
    Ok((status, head, body))
}

/// GET.
///
/// # Errors
/// Where nobody answers.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    request(address, &format!("GET {path} HTTP/1.1"), "")
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
