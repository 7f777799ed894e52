//! Questions to a store that speaks ClickHouse's HTTP protocol.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

/// Password of the user `default`, who writes: of `store serve`, of `up`'s ClickHouse port, and of whoever asks them.
pub const STORE_PASSWORD: &str = "laboratory";
const TIMEOUT: Duration = Duration::from_secs(120);

/// The store of a run.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub SocketAddr);

impl Client {
    /// Runs SQL and gives the body of its answer to be read as it comes.
    ///
    /// # Errors
    /// Where there is no answer, or a refusal.
    pub fn query(self, sql: &str) -> anyhow::Result<impl BufRead + use<>> {
        let mut stream = TcpStream::connect_timeout(&self.0, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        // HTTP 1.0: the answer is not chunked and ends with the connection.
        write!(
            stream,
            "POST /?database=lastwords HTTP/1.0\r\nHost: {}\r\nX-ClickHouse-User: default\r\nX-ClickHouse-Key: {STORE_PASSWORD}\r\nContent-Length: {}\r\n\r\n{sql}",
            self.0,
            sql.len()
        )?;
        let mut reader = BufReader::with_capacity(1 << 20, stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line.trim_end() != "" {
            line.clear();
            ensure!(reader.read_line(&mut line)? > 0, "the store hung up");
        }
        if status != "200" {
            let mut said = String::new();
            reader.read_to_string(&mut said)?;
            bail!("the store says {status} to {sql}: {said}");
        }
        Ok(reader)
    }

    /// The one number that a statement gives.
    ///
    /// # Errors
    /// Where there is none.
    pub fn number(self, sql: &str) -> anyhow::Result<u64> {
        let mut text = String::new();
        self.query(sql)?.read_to_string(&mut text)?;
        text.trim().parse().with_context(|| format!("no number for {sql}: {text}"))
    }
}
