//! Messages of a call, read one by one out of its body. The length of each is known before a byte of it is taken into
//! memory, so that the caller can refuse it, or wait for room first; nothing beyond it is read meanwhile. How a gRPC
//! message is framed: a byte that says whether it is compressed, 4 bytes of length (big endian), the message.

use std::{pin::pin, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

const PREFIX_BYTES: usize = 5;
/// A message gives way when room is short and it is older than this and slower than `PATIENT_RATE`.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes a second.
const PATIENT_RATE: u64 = 64 * 1024;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there is no next message, other than that the call has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// By the other side, or the connection.
    #[error("the call broke: {0}")]
    Gone(String),
    /// In the middle of a message.
    #[error("wanted a whole message, found the end of the call")]
    Cut,
    /// No compression was agreed on.
    #[error("wanted messages without gRPC's own compression, found the flag {0}")]
    Compressed(u8),
    /// Above the bound.
    #[error("wanted a message of at most {bytes_max} bytes, found one of {bytes}")]
    TooLarge {
        /// What it says.
        bytes: usize,
        /// What may be.
        bytes_max: usize,
    },
    /// Nothing came.
    #[error("wanted a message within {0:?}, found none; a heartbeat keeps a call alive")]
    Idle(Duration),
    /// It began, and did not end.
    #[error("wanted the whole of a message within {0:?} of its begin, found a part")]
    Slow(Duration),
    /// Others need the room that it holds.
    #[error("room is short, and this message came slowly; send it again later")]
    GaveWay,
}

/// A call's body, as messages.
#[derive(Debug)]
pub(crate) struct Messages<B> {
    body: B,
    /// What has come beyond the message before; at most one frame.
    rest: Bytes,
}

impl<B: Body<Data = Bytes> + Unpin> Messages<B>
where
    B::Error: std::fmt::Display,
{
    pub(crate) fn new(body: B) -> Messages<B> {
        Messages { body, rest: Bytes::new() }
    }

    /// Waits for the next message and gives its length; none: the call has ended. The message has to be read next.
    pub(crate) async fn announced(
        &mut self,
        bytes_max: usize,
        within: Duration,
    ) -> Result<Option<usize>, Broken> {
        timeout(within, self.prefix(bytes_max)).await.map_err(|_| Broken::Idle(within))?
    }

    async fn prefix(&mut self, bytes_max: usize) -> Result<Option<usize>, Broken> {
        let mut prefix = [0; PREFIX_BYTES];
        let mut have = 0;
        while have < PREFIX_BYTES {
            if self.rest.is_empty() && !self.more().await? {
                return if have == 0 { Ok(None) } else { Err(Broken::Cut) };
            }
            let part = self.rest.split_to(self.rest.len().min(PREFIX_BYTES - have));
            for (place, byte) in prefix.iter_mut().skip(have).zip(&part) {
                *place = *byte;
            }
            have += part.len();
        }
        let [compressed, length @ ..] = prefix;
        if compressed != 0 {
            return Err(Broken::Compressed(compressed));
        }
        let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if bytes > bytes_max { Err(Broken::TooLarge { bytes, bytes_max }) } else { Ok(Some(bytes)) }
    }

    /// Reads the message that was announced. It has to come within a time; where `room_is_short`, it has to come fast,
    /// too.
    pub(crate) async fn read(
        &mut self,
        bytes: usize,
        within: Duration,
        room_is_short: impl Fn() -> bool,
    ) -> Result<Bytes, Broken> {
        let since = Instant::now();
        let mut look = interval_at(since + PATIENCE, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut message = BytesMut::with_capacity(bytes);
        let mut deadline = pin!(tokio::time::sleep(within));
        loop {
            let part = self.rest.split_to(self.rest.len().min(bytes - message.len()));
            message.put(part);
            if message.len() == bytes {
                return Ok(message.freeze());
            }
            tokio::select! {
                more = self.more() => if !more? {
                    return Err(Broken::Cut);
                },
                () = &mut deadline => return Err(Broken::Slow(within)),
                now = look.tick() => {
                    let wanted = PATIENT_RATE * now.duration_since(since).as_secs();
                    if (message.len() as u64) < wanted && room_is_short() {
                        return Err(Broken::GaveWay);
                    }
                }
            }
        }
    }

    /// Takes the next frame that holds something; false: there is none.
    async fn more(&mut self) -> Result<bool, Broken> {
        loop {
            let Some(frame) = self.body.frame().await else { return Ok(false) };
            let frame = frame.map_err(|error| Broken::Gone(error.to_string()))?;
            // Trailers mean nothing in a request.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                self.rest = data;
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::sync::mpsc;
    use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    type Chunks = mpsc::Sender<Bytes>;

    fn messages() -> (Chunks, Messages<impl Body<Data = Bytes, Error = Infallible> + Unpin>) {
        let (chunks, received) = mpsc::channel(64);
        let frames = ReceiverStream::new(received).map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
        (chunks, Messages::new(StreamBody::new(frames)))
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend(message);
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn messages_come_out_whole_however_they_are_cut() {
        let wanted: Vec<Vec<u8>> = vec![b"one".to_vec(), vec![], vec![7; 1000], b"last".to_vec()];
        let bytes: Vec<u8> = wanted.iter().flat_map(|message| framed(message)).collect();
        for cut in [1, 2, 3, 5, 7, 64, 5000] {
            let (chunks, mut messages) = messages();
            let sent: Vec<Bytes> = bytes.chunks(cut).map(Bytes::copy_from_slice).collect();
            tokio::spawn(async move {
                for chunk in sent {
                    chunks.send(Bytes::new()).await.unwrap();
                    chunks.send(chunk).await.unwrap();
                }
            });
            let mut found = Vec::new();
            while let Some(bytes) = messages.announced(1000, WITHIN).await.unwrap() {
                found.push(messages.read(bytes, WITHIN, || false).await.unwrap().to_vec());
            }
            assert_eq!(found, wanted, "cut into {cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_above_the_bound_is_refused_before_it_is_read() {
        let (chunks, mut messages) = messages();
        chunks.send(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff])).await.unwrap();
        let wanted = Broken::TooLarge { bytes: u32::MAX as usize, bytes_max: 1000 };
        assert_eq!(messages.announced(1000, WITHIN).await, Err(wanted));
    }

    #[tokio::test(start_paused = true)]
    async fn compressed_and_cut_messages_are_refused() {
        let (chunks, mut compressed) = messages();
        chunks.send(Bytes::from_static(&[1, 0, 0, 0, 1, 9])).await.unwrap();
        assert_eq!(compressed.announced(1000, WITHIN).await, Err(Broken::Compressed(1)));
        let (chunks, mut cut) = messages();
        chunks.send(Bytes::from_static(&[0, 0, 0])).await.unwrap();
        drop(chunks);
        assert_eq!(cut.announced(1000, WITHIN).await, Err(Broken::Cut));
        let (chunks, mut cut) = messages();
        chunks.send(Bytes::from_static(&[0, 0, 0, 0, 9, 1])).await.unwrap();
        drop(chunks);
        assert_eq!(cut.announced(1000, WITHIN).await, Ok(Some(9)));
        assert_eq!(cut.read(9, WITHIN, || false).await, Err(Broken::Cut));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_trickle_of_empty_frames_end_in_time() {
        let (chunks, mut messages) = messages();
        let trickle = tokio::spawn(async move {
            while chunks.send(Bytes::new()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let since = Instant::now();
        assert_eq!(messages.announced(1000, WITHIN).await, Err(Broken::Idle(WITHIN)));
        assert_eq!(since.elapsed(), WITHIN);
        trickle.abort();
    }

    /// Sends a message of 100,000 bytes, so many a second.
    fn trickle(chunks: Chunks, each_second: usize) {
        tokio::spawn(async move {
            for chunk in framed(&vec![1; 100_000]).chunks(each_second) {
                chunks.send(Bytes::copy_from_slice(chunk)).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_trickles_is_given_up_in_time() {
        let (chunks, mut messages) = messages();
        trickle(chunks, 10);
        let bytes = messages.announced(200_000, WITHIN).await.unwrap().unwrap();
        let since = Instant::now();
        assert_eq!(messages.read(bytes, WITHIN, || false).await, Err(Broken::Slow(WITHIN)));
        assert_eq!(since.elapsed(), WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_message_gives_way_where_room_is_short_and_a_fast_one_does_not() {
        for (each_second, wanted) in [(10_000, Err(Broken::GaveWay)), (70_000, Ok(100_000))] {
            let (chunks, mut messages) = messages();
            trickle(chunks, each_second);
            let bytes = messages.announced(200_000, WITHIN).await.unwrap().unwrap();
            let since = Instant::now();
            let read = messages.read(bytes, WITHIN, || true).await;
            assert_eq!(read.map(|message| message.len()), wanted, "{each_second} bytes a second");
            assert!(since.elapsed() <= PATIENCE + LOOK_EVERY);
        }
    }
}
