//! A shipper's side of HTTP/2 without good manners.

use std::{future::poll_fn, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use lastwords_proto::v1::{Hello, ShipRequest, ShipResponse, ship_request, ship_response};
use lastwords_record::batch::FORMAT_VERSION;
use prost::Message as _;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use super::batches::Author;

const STEP: Duration = Duration::from_secs(5);

/// One connection; closed when dropped.
pub struct Link {
    send: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// One call on it.
pub struct Call {
    send: SendStream<Bytes>,
    state: State,
    rest: Vec<u8>,
}

enum State {
    Waiting(ResponseFuture),
    Open(RecvStream),
    Ended,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An answer.
    Answer(ship_response::Message),
    /// Its end, by the other side or the connection.
    Ended,
    /// Nothing so far.
    Nothing,
}

impl Link {
    /// Connects; `window` is how much of the answers the other side may send.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn open(address: SocketAddr, window: u32) -> anyhow::Result<Link> {
        let opened = async {
            let stream = TcpStream::connect(address).await?;
            let (send, connection) = Builder::new()
                .initial_window_size(window)
                .max_send_buffer_size(4 << 20)
                .handshake(stream)
                .await?;
            let driver = tokio::spawn(async move {
                // How it ends is seen by its calls.
                let _ = connection.await;
            });
            anyhow::Ok(Link { send, driver })
        };
        timeout(STEP, opened).await.context("no connection within 5 s")?
    }

    /// Whether the other side has closed it.
    pub fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }

    /// Begins a call, with further headers.
    ///
    /// # Errors
    /// Where none may be begun.
    pub async fn call(&self, headers: &[(&str, String)]) -> anyhow::Result<Call> {
        let mut request = http::Request::post("http://ingester/lastwords.v1.Shipping/Ship")
            .header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut send = timeout(STEP, self.send.clone().ready()).await.context("no call within 5 s")??;
        let (answer, send) = send.send_request(request.body(())?, false)?;
        Ok(Call { send, state: State::Waiting(answer), rest: Vec::new() })
    }

    /// Begins a call and says Hello.
    ///
    /// # Errors
    /// Where it is not welcome.
    pub async fn welcome(&self, author: &Author) -> anyhow::Result<Call> {
        let mut call = self.call(&[]).await?;
        call.send(&framed(ship_request::Message::Hello(hello(author)))).await?;
        match call.heard(STEP).await {
            Heard::Answer(ship_response::Message::Welcome(_)) => Ok(call),
            other => anyhow::bail!("wanted a welcome, found {other:?}"),
        }
    }
}

impl Call {
    /// Sends bytes as far as the other side takes them within a while.
    ///
    /// # Errors
    /// Where it takes no more.
    pub async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            self.send.reserve_capacity(left.len());
            let capacity = timeout(STEP, poll_fn(|context| self.send.poll_capacity(context)));
            let capacity =
                capacity.await.context("not taken within 5 s")?.context("the call has ended")??;
            let (part, rest) = left.split_at(capacity.min(left.len()));
            self.send.send_data(Bytes::copy_from_slice(part), false)?;
            left = rest;
        }
        Ok(())
    }

    /// Gives it up.
    pub fn reset(&mut self) {
        self.send.send_reset(h2::Reason::CANCEL);
    }

    /// What comes next.
    pub async fn heard(&mut self, within: Duration) -> Heard {
        timeout(within, self.next()).await.unwrap_or(Heard::Nothing)
    }

    async fn next(&mut self) -> Heard {
        loop {
            if let Some(message) = self.answer() {
                return Heard::Answer(message);
            }
            self.state = match &mut self.state {
                State::Waiting(answer) => match answer.await {
                    Ok(answer) => State::Open(answer.into_body()),
                    Err(_) => State::Ended,
                },
                State::Open(body) => match body.data().await {
                    Some(Ok(data)) => {
                        let _ = body.flow_control().release_capacity(data.len());
                        self.rest.extend(data);
                        continue;
                    }
                    Some(Err(_)) | None => State::Ended,
                },
                State::Ended => return Heard::Ended,
            };
        }
    }

    fn answer(&mut self) -> Option<ship_response::Message> {
        let length = self.rest.get(1..5)?.try_into().map(u32::from_be_bytes).ok()? as usize;
        let message = ShipResponse::decode(self.rest.get(5..5 + length)?).ok()?.message;
        self.rest.drain(..5 + length);
        message
    }
}

/// The Hello of a shipper.
pub fn hello(author: &Author) -> Hello {
    Hello {
        shipper: author.shipper().0.to_vec(),
        host: Some(author.host()),
        epoch: author.epoch,
        next_sequence: 1,
        format_version: FORMAT_VERSION,
        agent: "cargo lab attack".to_owned(),
    }
}

/// A message with its length before it.
pub fn framed(message: ship_request::Message) -> Vec<u8> {
    let message = ShipRequest { message: Some(message) }.encode_to_vec();
    let mut bytes = prefix(message.len()).to_vec();
    bytes.extend(message);
    bytes
}

/// What stands before a message of this length.
pub fn prefix(length: usize) -> [u8; 5] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}
