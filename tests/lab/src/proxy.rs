//! A TCP proxy whose connections can be broken, or held up, on demand.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const HELD_POLL: Duration = Duration::from_millis(20);

/// Passes bytes between its clients and whichever of its upstreams takes the connection, in turn.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstreams: Vec<SocketAddr>,
    turn: AtomicUsize,
    held: AtomicBool,
    ended: AtomicBool,
    number: AtomicU64,
    /// Both ends of each connection that lives.
    connections: Mutex<HashMap<u64, [TcpStream; 2]>>,
}

impl Proxy {
    /// Listens on a port of loopback that the system chooses.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn start(upstreams: Vec<SocketAddr>) -> io::Result<Proxy> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstreams,
            turn: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            number: AtomicU64::new(0),
            connections: Mutex::new(HashMap::new()),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.ended.load(Ordering::Acquire) {
                    return;
                }
                let Ok(client) = client else { continue };
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(client));
            }
        });
        Ok(Proxy { address, shared })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection in the middle of whatever it carries. Returns how many there were.
    pub fn break_all(&self) -> usize {
        let mut connections = self.shared.connections();
        let count = connections.len();
        for (_, ends) in connections.drain() {
            close(&ends);
        }
        count
    }

    /// Lets no byte through, without a sign of it to either end, until `release`.
    pub fn hold(&self) {
        self.shared.held.store(true, Ordering::Release);
    }

    /// Lets bytes through again.
    pub fn release(&self) {
        self.shared.held.store(false, Ordering::Release);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.break_all();
        // Wakes the thread that accepts; where that fails it has ended.
        let _ = TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT);
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, [TcpStream; 2]>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(self: &Arc<Self>, client: TcpStream) {
        let Some(upstream) = self.connect() else { return };
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (Ok(kept_client), Ok(kept_upstream)) = (client.try_clone(), upstream.try_clone()) else { return };
        let (Ok(client_out), Ok(upstream_in)) = (client.try_clone(), upstream.try_clone()) else { return };
        self.connections().insert(number, [kept_client, kept_upstream]);
        let back = Arc::clone(self);
        let backward = thread::spawn(move || back.copy(upstream_in, client_out));
        self.copy(client, upstream);
        // It ends with its connection, and has nothing to say.
        let _ = backward.join();
        self.connections().remove(&number);
    }

    fn connect(&self) -> Option<TcpStream> {
        let count = self.upstreams.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..count).find_map(|step| {
            let address = self.upstreams.get((first + step) % count)?;
            TcpStream::connect_timeout(address, CONNECT_TIMEOUT).ok()
        })
    }

    /// Copies until either end is gone, then takes the other one down as well.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let _ = to.set_nodelay(true);
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            while self.held.load(Ordering::Acquire) && !self.ended.load(Ordering::Acquire) {
                thread::sleep(HELD_POLL);
            }
            if buffer.get(..count).is_none_or(|bytes| to.write_all(bytes).is_err()) {
                break;
            }
        }
        close(&[from, to]);
    }
}

fn close(ends: &[TcpStream; 2]) {
    for end in ends {
        // Whoever is gone already needs no closing.
        let _ = end.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test helpers assert, too")]
mod tests {
    use super::*;

    /// Sends back whatever comes.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut out = stream.try_clone().unwrap();
                    // Ends with an error where the connection is broken, as it is meant to be.
                    let _ = io::copy(&mut &stream, &mut out);
                });
            }
        });
        address
    }

    fn said_back(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
        stream.write_all(text)?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer)?;
        assert_eq!(answer, text);
        Ok(())
    }

    #[test]
    fn what_is_broken_stays_broken_and_a_new_connection_works() {
        let proxy = Proxy::start(vec![echo()]).unwrap();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        said_back(&mut stream, b"first").unwrap();
        assert_eq!(proxy.break_all(), 1);
        assert!(said_back(&mut stream, b"second").is_err());
        said_back(&mut TcpStream::connect(proxy.address()).unwrap(), b"third").unwrap();
    }

    #[test]
    fn an_upstream_that_is_gone_is_passed_over() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let proxy = Proxy::start(vec![gone, echo()]).unwrap();
        for _ in 0..4 {
            said_back(&mut TcpStream::connect(proxy.address()).unwrap(), b"hello").unwrap();
        }
    }

    #[test]
    fn what_is_held_arrives_later() {
        let proxy = Proxy::start(vec![echo()]).unwrap();
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        said_back(&mut stream, b"before").unwrap();
        proxy.hold();
        stream.write_all(b"late").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        assert!(stream.read(&mut [0; 4]).is_err());
        proxy.release();
        stream.set_read_timeout(None).unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"late");
    }
}
