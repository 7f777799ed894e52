//! One connection while it is served, gRPC or HTTP: it does not get what it has not earned. Until one of its calls is
//! welcome (in HTTP: until a request is under way) it may send little and has not much time; a reader that takes nothing
//! ends it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::Sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    places::{Kept, Place},
    refusal::ConnectionReason,
};

/// Bytes that a connection without a call that is welcome may send: HTTP/2's own, headers and a Hello.
const UNWELCOME_BYTES_MAX: u64 = 64 * 1024;

/// A connection, as its calls and its socket see it.
#[derive(Debug)]
pub struct Link {
    number: u64,
    /// None once it has ended: calls may outlive their connection.
    place: Mutex<Option<Arc<Place>>>,
    /// Calls that are welcome.
    calls: watch::Sender<usize>,
    unwelcome_bytes: AtomicU64,
    doom: CancellationToken,
    reason: OnceLock<ConnectionReason>,
}

impl Link {
    /// A new one, with its place where it has one.
    pub fn new(place: Option<Arc<Place>>) -> Arc<Link> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Link {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            place: Mutex::new(place),
            calls: watch::Sender::new(0),
            unwelcome_bytes: AtomicU64::new(0),
            doom: CancellationToken::new(),
            reason: OnceLock::new(),
        })
    }

    /// Its number in this process.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A call is welcome for as long as the result lives.
    pub fn welcome(self: &Arc<Self>) -> Welcomed {
        self.unwelcome_bytes.store(0, Ordering::Relaxed);
        self.calls.send_modify(|calls| *calls += 1);
        Welcomed { link: Arc::clone(self), _kept: self.place().as_deref().map(Place::keep) }
    }

    fn place(&self) -> Option<Arc<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection has ended: its place is free.
    pub fn ended(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Ends the connection; the first reason counts.
    pub fn doom(&self, reason: ConnectionReason) {
        let _ = self.reason.set(reason);
        self.doom.cancel();
    }

    /// Resolves when the connection has to end, with the reason. `patience` is how long it may be without a welcome
    /// call, at its begin and later.
    pub async fn must_end(&self, patience: Duration) -> ConnectionReason {
        let place = self.place();
        let leave = async {
            match &place {
                Some(place) => place.must_leave().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.doom.cancelled() => self.reason.get().copied().unwrap_or(ConnectionReason::NoCall),
            () = leave => ConnectionReason::GaveWay,
            () = self.without_calls_for(patience) => ConnectionReason::NoCall,
        }
    }

    async fn without_calls_for(&self, patience: Duration) {
        let mut calls = self.calls.subscribe();
        loop {
            // The sender is this one's own: neither of the two waits can fail.
            if tokio::time::timeout(patience, calls.wait_for(|calls| *calls > 0)).await.is_err() {
                return;
            }
            let _ = calls.wait_for(|calls| *calls == 0).await;
        }
    }

    /// Counts what was received. False: too much for a connection without a welcome call.
    fn received(&self, bytes: usize) -> bool {
        if *self.calls.borrow() > 0 {
            self.unwelcome_bytes.store(0, Ordering::Relaxed);
            return true;
        }
        let bytes = bytes as u64;
        self.unwelcome_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= UNWELCOME_BYTES_MAX
    }
}

/// A call that is welcome.
#[derive(Debug)]
pub struct Welcomed {
    link: Arc<Link>,
    _kept: Option<Kept>,
}

impl Drop for Welcomed {
    fn drop(&mut self) {
        self.link.calls.send_modify(|calls| *calls = calls.saturating_sub(1));
    }
}

/// A connection's bytes under watch.
#[derive(Debug)]
pub struct Watched<IO> {
    io: IO,
    link: Arc<Link>,
    /// How long the other side may take nothing.
    stall_max: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<IO> Watched<IO> {
    /// Watches over the bytes of a connection; who takes nothing for so long is let go.
    pub fn new(io: IO, link: Arc<Link>, stall_max: Duration) -> Watched<IO> {
        Watched { io, link, stall_max, stalled: None }
    }

    /// Ends the connection where writing has stalled for too long.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall_max)));
        if stalled.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.link.doom(ConnectionReason::SlowReader);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        if !this.link.received(buffer.filled().len() - before) {
            // An error says that nothing was read.
            buffer.set_filled(before);
            this.link.doom(ConnectionReason::Flood);
            return Poll::Ready(Err(io::ErrorKind::QuotaExceeded.into()));
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        this.watch(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(context, buffers);
        this.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(context);
        this.watch(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.io).poll_shutdown(context);
        this.watch(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;
    use crate::places::{PlaceLimits, Places};

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_welcome_call_ends_in_time_at_its_begin_and_later() {
        let link = Link::new(None);
        let since = Instant::now();
        assert_eq!(link.must_end(PATIENCE).await, ConnectionReason::NoCall);
        assert_eq!(since.elapsed(), PATIENCE);

        let link = Link::new(None);
        let welcomed = link.welcome();
        let hour = Duration::from_secs(3600);
        tokio::spawn(async move {
            tokio::time::sleep(hour).await;
            drop(welcomed);
        });
        let since = Instant::now();
        assert_eq!(link.must_end(PATIENCE).await, ConnectionReason::NoCall);
        assert_eq!(since.elapsed(), hour + PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_wanted_ends_the_connection_unless_a_call_keeps_it() {
        let places = Places::new(PlaceLimits { total: 1, per_address: 1 });
        let address = IpAddr::from([127, 0, 0, 1]);
        let link = Link::new(Some(Arc::new(places.enter(address).unwrap())));
        let welcomed = link.welcome();
        assert!(places.enter(address).is_err());
        drop(welcomed);
        let _newcomer = places.enter(address).unwrap();
        assert_eq!(link.must_end(PATIENCE).await, ConnectionReason::GaveWay);
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_much_before_a_call_is_welcome_is_cut_off() {
        let (mut outside, inside) = tokio::io::duplex(1 << 20);
        outside.write_all(&vec![0; 200_000]).await.unwrap();
        let link = Link::new(None);
        let mut watched = Watched::new(inside, Arc::clone(&link), PATIENCE);
        let mut taken = Vec::new();
        let error = watched.read_to_end(&mut taken).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert_eq!(link.must_end(PATIENCE).await, ConnectionReason::Flood);

        let (mut outside, inside) = tokio::io::duplex(1 << 20);
        outside.write_all(&vec![0; 200_000]).await.unwrap();
        drop(outside);
        let link = Link::new(None);
        let _welcomed = link.welcome();
        let mut watched = Watched::new(inside, Arc::clone(&link), PATIENCE);
        assert_eq!(watched.read_to_end(&mut taken).await.unwrap(), 200_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_ends_the_connection_and_a_slow_one_does_not() {
        let (outside, inside) = tokio::io::duplex(1000);
        let link = Link::new(None);
        let _welcomed = link.welcome();
        let mut watched = Watched::new(inside, Arc::clone(&link), PATIENCE);
        let since = Instant::now();
        assert_eq!(watched.write_all(&[0; 2000]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(since.elapsed(), PATIENCE);
        assert_eq!(link.must_end(PATIENCE).await, ConnectionReason::SlowReader);
        drop(outside);

        let (mut outside, inside) = tokio::io::duplex(1000);
        let mut watched = Watched::new(inside, Link::new(None), PATIENCE);
        tokio::spawn(async move {
            let mut taken = [0; 1000];
            while outside.read(&mut taken).await.is_ok_and(|bytes| bytes > 0) {
                tokio::time::sleep(PATIENCE / 2).await;
            }
        });
        watched.write_all(&[0; 10_000]).await.unwrap();
    }
}
