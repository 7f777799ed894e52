//! A connection between a writer and the store on which an insert can be held in the middle.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The next insert of records is held.
    Armed,
    /// One is: its head has gone to the store, the rest has not.
    Holding,
}

/// Hands everything on, but for what it is told to hold.
#[derive(Clone, Default)]
pub struct Hold {
    state: Arc<(Mutex<State>, Condvar)>,
    /// What the store answered to what was held.
    answer: Arc<Mutex<Vec<u8>>>,
    /// Whether the store has hung up on it.
    hung_up: Arc<AtomicBool>,
}

impl Hold {
    /// Listens at `port` for connections to the store.
    pub fn start(port: u16, store: SocketAddr) -> Hold {
        let hold = Hold::default();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let accepting = hold.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(store) else { continue };
                let hold = accepting.clone();
                thread::spawn(move || hold.serve(client, server));
            }
        });
        hold
    }

    /// Holds the next insert of records.
    pub fn arm(&self) {
        *self.state.0.lock().unwrap() = State::Armed;
    }

    pub fn is_holding(&self) -> bool {
        *self.state.0.lock().unwrap() == State::Holding
    }

    /// Lets go of it.
    pub fn release(&self) {
        *self.state.0.lock().unwrap() = State::Open;
        self.state.1.notify_all();
    }

    /// What the store answered to what was held, as far as it came.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.answer.lock().unwrap()).into_owned()
    }

    /// Whether the store is done with what was held: it has answered or hung up.
    pub fn is_settled(&self) -> bool {
        self.hung_up.load(Ordering::SeqCst) || !self.answer.lock().unwrap().is_empty()
    }

    fn serve(&self, mut client: TcpStream, mut server: TcpStream) {
        let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let held = Arc::new(Mutex::new(false));
        let (is_held, answer) = (Arc::clone(&held), Arc::clone(&self.answer));
        let hung_up = Arc::clone(&self.hung_up);
        thread::spawn(move || {
            let mut buffer = [0; 16_384];
            while let Ok(read @ 1..) = from_server.read(&mut buffer) {
                if *is_held.lock().unwrap() {
                    answer.lock().unwrap().extend_from_slice(&buffer[..read]);
                }
                if to_client.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            if *is_held.lock().unwrap() {
                hung_up.store(true, Ordering::SeqCst);
            }
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]);
            let inserts = text.contains("INSERT") && text.contains("logs");
            let mut state = self.state.0.lock().unwrap();
            let mut from = 0;
            if inserts && *state == State::Armed {
                *state = State::Holding;
                *held.lock().unwrap() = true;
                // The store has begun to read the rows when the rest does not come.
                let head = text.find("\r\n\r\n").map_or(read, |end| (end + 4).min(read));
                from = head + (read - head) / 2;
                server.write_all(&buffer[..from]).unwrap();
                while *state == State::Holding {
                    state = self.state.1.wait(state).unwrap();
                }
            }
            drop(state);
            if server.write_all(&buffer[from..read]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }
}
