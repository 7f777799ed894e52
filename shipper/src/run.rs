//! Drives the steps: time, inotify, feeds and the uplink's reports on one side, the [`Shipper`] on the other. The
//! steps run on a thread of their own, because they read and sync files; the uplink and feeds come by channels.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use lastwords_record::{Compression, Source};
use lastwords_runtime::{Backoff, now_ns};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::{Notify, mpsc, watch},
};

use crate::{
    config::ShipperConfig,
    discover::Watch,
    moment::Moment,
    plan::{self, PlanError},
    sample::network::Network,
    shipper::{OutboxError, Shipper, awaited, settle},
    source::{Feed, FeedSender, FeedSource, Stop, journald::Journald, kmsg::Kmsg},
    status::{Notice, Status},
    uplink::{self, Identity, Outgoing, Report, Uplink},
};

/// Batches between the steps and the uplink. The window of bytes is what bounds them.
const OUTGOING_MAX: usize = 64;
const REPORTS_MAX: usize = 64;
/// How long a folder is waited for at the start that a batch under way is made of.
const MOUNT_PATIENCE: Duration = Duration::from_secs(60);
/// How long the end waits for acknowledgements: what is missing then is sent again at the next start.
const DRAIN: Duration = Duration::from_secs(5);
/// Batches that are kept at the end of files that nobody else has any more.
const DELETED_BATCHES_MAX: usize = 64;
/// How often files are looked at that inotify says nothing about (rotated away, waiting for a line's rest).
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How soon names that changed are looked at.
const SOON: Duration = Duration::from_millis(20);
/// How often files in folders are looked at that nobody watches.
const UNWATCHED_SCAN: Duration = Duration::from_secs(2);
/// Looking at all files takes at most this part of the time: where names change, and where nothing does.
const BUSY_SHARE: u32 = 3;
const IDLE_SHARE: u32 = 400;
/// Batches that become durable together.
const SYNC_TOGETHER: usize = 8;

/// Why a shipper ended.
#[derive(Debug, thiserror::Error)]
pub enum ShipperError {
    /// Its state.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A batch.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Its thread was lost.
    #[error("the shipper's thread ended unexpectedly")]
    Thread,
}

/// Ships what the configuration names until `shutdown` resolves; then waits a few seconds for acknowledgements.
///
/// # Errors
/// Where the state folder cannot be used: nothing is sent that is not planned there.
pub async fn run(
    config: ShipperConfig,
    uplink: Uplink,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ShipperError> {
    run_with_status(config, uplink, Status::default(), shutdown).await
}

/// The same, telling how it goes.
///
/// # Errors
/// As [`run`].
pub async fn run_with_status(
    config: ShipperConfig,
    uplink: Uplink,
    status: Status,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ShipperError> {
    let (end, ending) = watch::channel(false);
    let (ready, opened) = tokio::sync::oneshot::channel();
    let handle = Handle::current();
    let worker = tokio::task::spawn_blocking(move || work(config, uplink, status, &ending, &handle, ready));
    tokio::pin!(worker);
    // Started or failed: a failure to start is an error at once, not at the end.
    let _ = opened.await;
    tokio::select! {
        ended = &mut worker => return ended.map_err(|_| ShipperError::Thread)?,
        () = shutdown => {}
    }
    let _ = end.send(true);
    worker.await.map_err(|_| ShipperError::Thread)?
}

/// What the thread of the steps holds.
struct Worker {
    shipper: Shipper,
    watch: Option<Watch>,
    feeds: mpsc::Receiver<Feed>,
    way: Way,
    config: ShipperConfig,
    uplink: Uplink,
    status: Status,
    next_scan: Instant,
    next_look: Instant,
    next_flush: Instant,
    /// How long the ingester wants batches to be gathered.
    seal_after: Duration,
    /// Something has come that does not wait for that.
    urgent: Arc<Notify>,
    /// How long no folder is looked at after the last look: looking at many files takes no more than a part of the time.
    scan_pause: Duration,
}

/// The way to the uplink, and back. A new epoch takes a new one.
struct Way {
    outgoing: mpsc::Sender<Outgoing>,
    reports: mpsc::Receiver<Report>,
    _driver: AbortOnDrop,
}

impl Way {
    fn open(uplink: &Uplink, shipper: &Shipper, config: &ShipperConfig, handle: &Handle) -> Way {
        let (outgoing, taken) = mpsc::channel(OUTGOING_MAX);
        let (said, reports) = mpsc::channel(REPORTS_MAX);
        let identity =
            Identity { next: shipper.first_id(), given: shipper.given(), host: config.host.clone() };
        let driver = AbortOnDrop(handle.spawn(uplink::drive(uplink.clone(), identity, taken, said)));
        Way { outgoing, reports, _driver: driver }
    }
}

fn work(
    config: ShipperConfig,
    uplink: Uplink,
    status: Status,
    ending: &watch::Receiver<bool>,
    handle: &Handle,
    ready: tokio::sync::oneshot::Sender<()>,
) -> Result<(), ShipperError> {
    let _runtime = handle.enter();
    let mut config = config;
    settle(&mut config.host, &config.state_dir);
    let sealing = match uplink {
        Uplink::InProcess(_) => None,
        Uplink::Grpc(_) | Uplink::GrpcTls(..) | Uplink::Unix(_) => Some(Compression::DEFAULT),
    };
    let (mut shipper, ready) = match open(&config, sealing, ending, ready)? {
        Some(opened) => opened,
        None => return Ok(()),
    };
    status.keep_in(&config.state_dir);
    shipper.set_status(status.clone());
    if matches!(uplink, Uplink::InProcess(_)) {
        status.lock().is_connected = true;
    }
    let giving_up = Stop::default();
    shipper.wait_for_room(giving_up.clone());
    let _watcher = AbortOnDrop(handle.spawn(set_at_end(ending.clone(), giving_up)));
    let way = Way::open(&uplink, &shipper, &config, handle);
    let (sender, feeds) = FeedSender::channel();
    let stop = Stop::default();
    let sources = start_sources(&config, &shipper, &sender, &stop, &status);
    let urgent = sender.urgent();
    drop(sender);
    let watch = Watch::new()
        .inspect_err(|error| status.notice("inotify", vec![unwatched("inotify", error)], now_ns()))
        .ok();
    let now = Instant::now();
    let (next_scan, next_look, next_flush) = (now, now, now);
    let seal_after = Duration::ZERO;
    let mut worker = Worker {
        shipper,
        watch,
        feeds,
        way,
        config,
        uplink,
        status,
        next_scan,
        next_look,
        next_flush,
        seal_after,
        urgent,
        scan_pause: Duration::ZERO,
    };
    let _ = ready.map(|ready| ready.send(()));
    let outcome = worker.follow(ending, handle);
    stop.set();
    // Sources that wait for room must not wait for ever.
    worker.feeds.close();
    for source in sources {
        let _ = source.join();
    }
    outcome?;
    worker.drain(handle)
}

type Ready = tokio::sync::oneshot::Sender<()>;

/// Opens the shipper; where its disk is full, once there is room. None: the end came first.
fn open(
    config: &ShipperConfig,
    sealing: Option<Compression>,
    ending: &watch::Receiver<bool>,
    ready: Ready,
) -> Result<Option<(Shipper, Option<Ready>)>, ShipperError> {
    let mut ready = Some(ready);
    let patience = Instant::now() + MOUNT_PATIENCE;
    let mut is_told = false;
    loop {
        if let Some(path) = awaited(config).filter(|_| Instant::now() < patience) {
            if !is_told {
                tracing::warn!(file = %path.display(), patience = ?MOUNT_PATIENCE, "a batch under way is made of a file whose folder is not there; it is waited for: it may be mounted late");
            }
            is_told = true;
            if let Some(ready) = ready.take() {
                let _ = ready.send(());
            }
            if *ending.borrow() {
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        match Shipper::open(config.clone(), sealing, Moment::now()) {
            Ok(shipper) => return Ok(Some((shipper, ready))),
            Err(OutboxError::Plan(PlanError::Io { source, path, .. })) if plan::is_full(&source) => {
                if let Some(ready) = ready.take() {
                    tracing::warn!(folder = %path.display(), error = %source, "the shipper's state cannot be written; nothing is read until there is room");
                    let _ = ready.send(());
                }
                if *ending.borrow() {
                    return Ok(None);
                }
                std::thread::sleep(LOOK_EVERY);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says that it is time once the end is near.
async fn set_at_end(mut ending: watch::Receiver<bool>, giving_up: Stop) {
    let _ = ending.wait_for(|ending| *ending).await;
    giving_up.set();
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worker {
    fn follow(&mut self, ending: &watch::Receiver<bool>, handle: &Handle) -> Result<(), ShipperError> {
        let mut ending = ending.clone();
        // What was under way before the start is durable already.
        self.send()?;
        while !*ending.borrow() {
            self.look()?;
            let busy = self.turn(handle)?;
            if busy {
                continue;
            }
            handle.block_on(self.wait(&mut ending))?;
        }
        Ok(())
    }

    /// Takes in what has changed in the folders.
    fn look(&mut self) -> Result<(), ShipperError> {
        let now = Instant::now();
        let changes = self.watch.as_mut().map(Watch::changes).unwrap_or_default();
        if changes.names {
            // Renames come in groups: look once for all of them, soon.
            self.next_scan = self.next_scan.min(now + SOON.max(self.scan_pause));
        }
        self.shipper.touched(&changes.written);
        if now >= self.next_scan {
            let folders = self.shipper.scan(Moment::now())?;
            let unwatched = match &mut self.watch {
                Some(watch) => {
                    let unwatched = watch.add(&folders);
                    let notices = unwatched
                        .first()
                        .map(|(folder, error)| unwatched_notice(folder, error, unwatched.len()));
                    self.status.notice("inotify", notices.into_iter().collect(), now_ns());
                    !unwatched.is_empty()
                }
                None => true,
            };
            let took = now.elapsed();
            self.scan_pause = took * BUSY_SHARE;
            // What nobody tells of is looked at more often.
            let interval = if unwatched {
                self.config.rescan_interval.min(UNWATCHED_SCAN)
            } else {
                self.config.rescan_interval
            };
            self.next_scan = now + interval.max(took * IDLE_SHARE);
            self.status.save();
        }
        Ok(())
    }

    /// Plans, syncs and sends what there is; whether there may be more at once.
    fn turn(&mut self, handle: &Handle) -> Result<bool, ShipperError> {
        while let Ok(report) = self.way.reports.try_recv() {
            self.report(report)?;
        }
        if self.shipper.turn_epoch(Moment::now())? {
            self.way = Way::open(&self.uplink, &self.shipper, &self.config, handle);
        }
        let now = Instant::now();
        let mut more = false;
        if now >= self.next_flush {
            let mut feeds = Vec::new();
            while feeds.len() < crate::source::FEEDS_WAITING_MAX && self.shipper.has_room() {
                let Ok(feed) = self.feeds.try_recv() else { break };
                feeds.push(feed);
            }
            if !feeds.is_empty() {
                self.shipper.feed(feeds, now_ns())?;
            }
            while self.shipper.has_room()
                && self.shipper.unsynced() < SYNC_TOGETHER
                && self.shipper.form(Moment::now())?
            {
                more = true;
            }
            if self.shipper.unsynced() > 0 {
                self.next_flush = now + self.config.flush_interval.max(self.seal_after);
            }
            if more && self.shipper.unsynced() >= SYNC_TOGETHER {
                // A backlog: don't wait for company.
                self.next_flush = now;
            } else {
                more = false;
            }
        }
        self.shipper.sync()?;
        self.send()?;
        Ok(more && self.shipper.has_room())
    }

    /// Hands over what the uplink has room for: while it has none, files are looked at all the same.
    fn send(&mut self) -> Result<(), ShipperError> {
        while let Some(batch) = self.shipper.take_ready() {
            match self.way.outgoing.try_send(batch) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(batch)) => {
                    self.shipper.put_back(batch);
                    return Ok(());
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(ShipperError::Thread),
            }
        }
        Ok(())
    }

    /// Until something happens.
    async fn wait(&mut self, ending: &mut watch::Receiver<bool>) -> Result<(), ShipperError> {
        let now = Instant::now();
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
        }
        let deadline = self.next_look.min(self.next_scan).max(now + Duration::from_millis(1));
        let room = self.shipper.has_room();
        let flush_due = now >= self.next_flush;
        let watched = self.watch.as_ref().map(Watched::new).transpose().ok().flatten();
        let readable = async {
            match &watched {
                Some(watched) if flush_due && room => watched.readable().await,
                _ => std::future::pending().await,
            }
        };
        let has_ready = self.shipper.has_ready();
        let report = tokio::select! {
            report = self.way.reports.recv() => Some(report.ok_or(ShipperError::Thread)?),
            feed = self.feeds.recv(), if room && flush_due && !self.feeds.is_closed() => {
                if let Some(feed) = feed {
                    self.shipper.feed(vec![feed], now_ns())?;
                }
                None
            }
            () = readable => None,
            _ = self.way.outgoing.reserve(), if has_ready => None,
            () = self.urgent.notified(), if !flush_due => {
                self.next_flush = now;
                None
            }
            () = tokio::time::sleep_until(self.next_flush.into()), if !flush_due => None,
            () = tokio::time::sleep_until(deadline.into()) => None,
            _ = ending.changed() => None,
        };
        drop(watched);
        report.map_or(Ok(()), |report| self.report(report))
    }

    /// Takes in what the uplink says.
    fn report(&mut self, report: Report) -> Result<(), ShipperError> {
        if let Report::SealAfter(seal_after) = report {
            self.seal_after = seal_after;
        }
        Ok(self.shipper.report(report, now_ns())?)
    }

    /// Plans what is left in the feeds, and waits a moment for acknowledgements.
    fn drain(&mut self, handle: &Handle) -> Result<(), ShipperError> {
        let mut feeds = Vec::new();
        while let Ok(feed) = self.feeds.try_recv() {
            feeds.push(feed);
        }
        self.shipper.feed(feeds, now_ns())?;
        self.shipper.scan(Moment::now())?;
        for _ in 0..DELETED_BATCHES_MAX {
            if !self.shipper.has_unread_deleted() || !self.shipper.form(Moment::now())? {
                break;
            }
        }
        self.shipper.sync()?;
        let deadline = tokio::time::Instant::now() + DRAIN;
        while self.shipper.in_flight() > 0 {
            self.send()?;
            let Ok(Some(report)) =
                handle.block_on(async { tokio::time::timeout_at(deadline, self.way.reports.recv()).await })
            else {
                tracing::info!(
                    batches = self.shipper.in_flight(),
                    "not acknowledged yet; sent again at the next start"
                );
                break;
            };
            self.shipper.report(report, now_ns())?;
        }
        self.shipper.sync()?;
        Ok(())
    }
}

/// inotify's descriptor as the runtime waits for it.
struct Watched<'a>(AsyncFd<BorrowedFd<'a>>);

impl<'a> Watched<'a> {
    fn new(watch: &'a Watch) -> std::io::Result<Watched<'a>> {
        // SAFETY: the descriptor is borrowed for 'a, so that it stays open, and the same, as long as it is registered.
        let registered = unsafe { AsyncFd::register_with_interest(watch.as_fd(), Interest::READABLE)? };
        Ok(Watched(registered))
    }

    async fn readable(&self) {
        let _ = self.0.readable().await;
    }
}

fn start_sources(
    config: &ShipperConfig,
    shipper: &Shipper,
    feed: &FeedSender,
    stop: &Stop,
    status: &Status,
) -> Vec<std::thread::JoinHandle<()>> {
    let mut sources: Vec<Box<dyn FeedSource>> = Vec::new();
    if config.kmsg {
        match Kmsg::new(config.host.clone()) {
            Ok(source) => sources.push(Box::new(source)),
            Err(error) => {
                status.failed(Source::Kmsg, &error.to_string(), now_ns());
                tracing::warn!(%error, "the kernel's ring is not read");
            }
        }
    }
    if config.journald {
        sources.push(Box::new(Journald::new(config.host.clone(), config.journal.clone())));
    }
    if let Some(options) = &config.samples {
        sources.push(Box::new(Network::new(config.host.clone(), options.clone())));
    }
    let start = |source: Box<dyn FeedSource>| {
        let name = source.name().to_owned();
        let cursor = shipper.cursor(&name).map(<[u8]>::to_vec);
        let (feed, stop, status) = (feed.clone(), stop.clone(), status.clone());
        let thread = std::thread::Builder::new().name(name.clone());
        thread
            .spawn(move || keep_running(source, cursor, &feed, &stop, &status))
            .inspect_err(|error| tracing::error!(source = %name, %error, "cannot be started"))
            .ok()
    };
    sources.into_iter().filter_map(start).collect()
}

/// The kind of a feed's rows.
fn kind_of(name: &str) -> Source {
    match name {
        "kmsg" => Source::Kmsg,
        "journald" => Source::Journald,
        _ => Source::Sample,
    }
}

fn unwatched(about: &str, error: &std::io::Error) -> Notice {
    Notice::new(
        about,
        format!(
            "changes in folders are not told by the kernel ({error}): files are looked at every few seconds"
        ),
        "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches (sysctl)",
    )
}

fn unwatched_notice(folder: &std::path::Path, error: &std::io::Error, count: usize) -> Notice {
    let about = folder.display().to_string();
    let notice = unwatched(&about, error);
    Notice { found: format!("{about} and {} more folders: {}", count - 1, notice.found), ..notice }
}

/// Runs a source again after a pause where it failed: with the cursor of the last feed that it handed over, or that of
/// its first start where it handed over none.
fn keep_running(
    mut source: Box<dyn FeedSource>,
    cursor: Option<Vec<u8>>,
    feed: &FeedSender,
    stop: &Stop,
    status: &Status,
) {
    let kind = kind_of(source.name());
    status.begin(kind);
    let mut backoff = Backoff::default();
    while !stop.is_set() {
        let cursor = feed.last_cursor(source.name()).or_else(|| cursor.clone());
        match source.run(cursor.as_deref(), feed, stop) {
            Ok(()) => return,
            Err(crate::source::SourceError::Closed(_)) => return,
            Err(error) => {
                let pause = backoff.pause();
                status.failed(kind, &error.to_string(), now_ns());
                let way_out = "see what the message says; the source is started again by itself";
                let found = format!("{} cannot be read: {error}", source.name());
                status.happened(Notice::new(source.name(), found, way_out), now_ns());
                tracing::warn!(source = source.name(), %error, ?pause, "a source failed; starting it again");
                let until = Instant::now() + pause;
                while !stop.is_set() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;

    /// Numbers from its cursor on; fails after each of the first runs.
    struct Counting {
        failures: usize,
        started_with: std::sync::mpsc::Sender<Option<Vec<u8>>>,
    }

    impl FeedSource for Counting {
        fn name(&self) -> &str {
            "counting"
        }

        fn run(&mut self, cursor: Option<&[u8]>, feed: &FeedSender, _stop: &Stop) -> Result<(), SourceError> {
            self.started_with.send(cursor.map(<[u8]>::to_vec)).unwrap();
            let next = cursor.map_or(1, |cursor| cursor[0] + 1);
            for number in next..next + 2 {
                feed.send(Feed { stream: "counting".to_owned(), cursor: vec![number], ..Feed::default() })?;
            }
            feed.send(Feed { stream: "counting".to_owned(), ..Feed::default() })?;
            if self.failures == 0 {
                return Ok(());
            }
            self.failures -= 1;
            Err(SourceError::Unreadable("for a test".to_owned()))
        }
    }

    #[test]
    fn a_source_that_failed_goes_on_after_the_last_feed_that_it_handed_over() {
        for (first, expected) in
            [(None, vec![None, Some(vec![2])]), (Some(vec![7]), vec![Some(vec![7]), Some(vec![9])])]
        {
            let (feed, mut feeds) = FeedSender::channel();
            let (started_with, starts) = std::sync::mpsc::channel();
            let status = Status::default();
            let source = Box::new(Counting { failures: 1, started_with });
            keep_running(source, first, &feed, &Stop::default(), &status);
            drop(feed);
            assert_eq!(starts.iter().collect::<Vec<_>>(), expected);
            let mut cursors = Vec::new();
            while let Some(feed) = feeds.blocking_recv() {
                cursors.extend(feed.cursor);
            }
            assert!(cursors.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{cursors:?}");
            assert_eq!(cursors.len(), 4);
        }
    }
}
