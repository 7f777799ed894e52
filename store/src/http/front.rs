//! What listens on a port: ClickHouse's protocol for everybody but this program itself.
//!
//! It is served by this program's own process, not by the engine's. The way of a statement:
//! 1. [`listen`]: connections have their number and their share, and deadlines; TLS where it is configured.
//! 2. [`users`]: nobody comes in without a password.
//! 3. [`super::request`]: the request is read, within bounds; [`session`]: what was set before holds, and [`statements`]
//!    can be ended.
//! 4. [`decide`]: a reader's SQL is [`confined`]; a writer's is an [`insert`] or one of this program's [`own`];
//!    [`settings`] and [`formats`] are those that are listed. What is sent on is printed anew.
//! 5. A reader's statement waits for a place, of which one source cannot have all; [`mod@matches`] are put into it.
//! 6. [`forward`]: to the engine, which has limits for it by its lane; the answer is passed on as it comes.

mod confined;
mod decide;
mod formats;
mod forward;
mod insert;
mod listen;
mod matches;
mod own;
mod session;
mod settings;
mod statements;
mod users;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::cors;
use super::counts::{Counts, During};
use super::failure::Failure;
use super::lanes::Lane;
use super::request::{Bounds, Call};
use super::response;
use super::serve::{ConnectionBounds, accept_until, serve_connection};
use crate::confine::text_literal;
use crate::store::Store;
use forward::Answer;
use listen::{Patient, Share, Shares, source};
pub use matches::{Matches, Matching};
use own::OwnStatements;
use session::{Command, Sessions};
use statements::{Statements, UnderWay};
use users::Users;
pub use users::{Role, User};

/// How long statements may go on when the port is asked to end.
const DRAIN: Duration = Duration::from_secs(10);
/// A request's head has to come within this time, and the next request's: then the connection is closed.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// A wrong password is answered after this time: guessing is slow, and a connection guesses one at a time.
const GUESS_DELAY: Duration = Duration::from_millis(200);
/// Bodies of more than a mebibyte that are in memory at the same time.
const LARGE_BODIES_MAX: usize = 4;
/// A reader's body: a statement and its parameters.
const READERS_BODY: Bounds<'static> =
    Bounds { bytes_max: 1 << 20, patience: Duration::from_secs(20), places: None };

/// A port that others reach.
pub struct Port {
    /// The store that is behind it: the engine of a data folder.
    pub store: Store,
    /// Who may use it. Whoever has no password is nobody.
    pub users: Vec<User>,
    /// How much of it everybody gets.
    pub limits: PortLimits,
    /// Who answers `correlate(…)`; none: nobody does.
    pub matches: Option<Arc<dyn Matches>>,
    /// What a new connection's TLS uses; none: plain text.
    pub tls: Option<TlsNow>,
}

/// Gives what TLS uses now: certificates change while the port is open.
pub type TlsNow = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// How much of a port everybody gets.
#[derive(Debug, Clone, Copy)]
pub struct PortLimits {
    /// Connections at the same time; more are closed at once.
    pub connections_max: usize,
    /// Connections of one source: a machine, or a network of IPv6.
    pub connections_each_max: usize,
    /// Readers' statements that run, or whose answers are on their way.
    pub readers_max: usize,
    /// Those of one source.
    pub readers_each_max: usize,
    /// A reader's statement waits so long for a place; then it is told to come again.
    pub wait_max: Duration,
    /// Whoever takes no part of an answer for so long is cut off.
    pub patience: Duration,
    /// All of an answer has to be taken within this time.
    pub answer_max: Duration,
}

impl Default for PortLimits {
    fn default() -> Self {
        PortLimits {
            connections_max: 256,
            connections_each_max: 192,
            readers_max: 4,
            readers_each_max: 3,
            wait_max: Duration::from_secs(10),
            patience: Duration::from_secs(20),
            answer_max: Duration::from_secs(360),
        }
    }
}

/// What every connection shares.
struct Front {
    store: Store,
    users: Users,
    own: OwnStatements,
    limits: PortLimits,
    readers: Arc<Shares>,
    /// Woken when a reader's place becomes free.
    freed: Arc<tokio::sync::Notify>,
    large_bodies: Arc<Semaphore>,
    counts: Arc<Counts>,
    matches: Option<Arc<dyn Matches>>,
    sessions: Sessions,
    statements: Arc<Statements>,
}

type Reply = Response<Either<Full<Bytes>, Answer<Held>>>;

/// What a statement holds until its answer has gone out.
struct Held {
    _place: Option<Place>,
    _running: During,
    _under_way: UnderWay,
}

/// A reader's place.
struct Place {
    share: Option<Share>,
    freed: Arc<tokio::sync::Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.share = None;
        self.freed.notify_waiters();
    }
}

/// Serves the port until `shutdown` is ready; then statements under way are finished, within limits.
pub async fn serve_port(listener: TcpListener, port: Port, shutdown: impl Future<Output = ()>) {
    let Port { store, users, limits, matches, tls } = port;
    let front = Arc::new(Front {
        users: Users::new(&users),
        own: OwnStatements::of_database(store.database()),
        store,
        limits,
        readers: Shares::new(limits.readers_max, limits.readers_each_max),
        freed: Arc::default(),
        large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
        counts: Arc::default(),
        matches,
        sessions: Sessions::default(),
        statements: Arc::default(),
    });
    let shares = Shares::new(limits.connections_max, limits.connections_each_max);
    let serve = |(stream, address): (TcpStream, SocketAddr), ending| {
        let source = source(address.ip());
        match shares.take(source) {
            Some(share) => {
                let config = tls.as_ref().map(|now| now());
                Some(serve_caller(stream, source, config, Arc::clone(&front), ending, share))
            }
            None => {
                front.refuse_connection(address.ip());
                None
            }
        }
    };
    if !accept_until(listener, usize::MAX, DRAIN, shutdown, serve).await {
        tracing::warn!("statements of the ClickHouse port were cut off at the end");
    }
}

/// Serves one connection until it ends; when `ending` is cancelled, after the statement under way.
async fn serve_caller(
    stream: TcpStream,
    source: IpAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    front: Arc<Front>,
    ending: CancellationToken,
    _share: Share,
) {
    let stream = Patient::new(stream, front.limits.patience);
    let bounds = ConnectionBounds { head_patience: Some(HEAD_PATIENCE), buffer_bytes_max: 256 << 10 };
    let answer = |request| {
        let front = Arc::clone(&front);
        async move { front.handle(request, source).await }
    };
    match tls {
        None => serve_connection(stream, bounds, answer, ending).await,
        Some(config) => {
            let handshake = TlsAcceptor::from(config).accept(stream);
            match tokio::time::timeout(HEAD_PATIENCE, handshake).await {
                Ok(Ok(stream)) => serve_connection(stream, bounds, answer, ending).await,
                Ok(Err(error)) => {
                    tracing::debug!(%source, %error, "no TLS with a client of the ClickHouse port")
                }
                Err(_) => tracing::debug!(%source, "a client of the ClickHouse port began no TLS in time"),
            }
        }
    }
}

impl Front {
    fn refuse_connection(&self, address: IpAddr) {
        // Whoever opens many is told of once in a while.
        if self.counts.connections_refused.fetch_add(1, Ordering::Relaxed).is_multiple_of(100) {
            tracing::warn!(%address, "a connection to the ClickHouse port was closed: there are too many");
        }
    }

    async fn handle(&self, request: Request<Incoming>, source: IpAddr) -> Reply {
        if let Some(plain) = self.plain(&request).await {
            return plain.map(Either::Left);
        }
        let (parts, body) = request.into_parts();
        self.counts.statements.fetch_add(1, Ordering::Relaxed);
        let mut reply = match self.answer(&parts, body, source).await {
            Ok(answered) => {
                if answered.status() != StatusCode::OK {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                }
                answered
            }
            Err(failure) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                if matches!(failure, Failure::Busy) {
                    self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
                }
                failure.reply().map(Either::Left)
            }
        };
        if cors::is_asked(&parts) {
            cors::allow(reply.headers_mut());
        }
        reply
    }

    /// What wants no password and tells nothing.
    async fn plain(&self, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Some(match request.uri().path() {
            "/ping" | "/replicas_status" if reads => response::text(StatusCode::OK, "Ok.\n"),
            "/" if reads && request.uri().query().is_none() => response::text(StatusCode::OK, "Ok.\n"),
            "/readyz" if reads => match self.store.forward(forward::ready()).await {
                Ok(answered) if answered.status() == StatusCode::OK => {
                    response::text(StatusCode::OK, "Ok.\n")
                }
                _ => response::text(StatusCode::SERVICE_UNAVAILABLE, "The engine does not answer.\n"),
            },
            "/metrics" if reads => response::metrics(self.counts.render()),
            "/" if reads || *request.method() == Method::POST => return None,
            _ if *request.method() == Method::OPTIONS => cors::preflight(),
            "/" => response::text(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.\n"),
            _ => response::text(
                StatusCode::NOT_FOUND,
                "There is nothing here; statements go to / and /ping answers Ok.\n",
            ),
        })
    }

    async fn answer(&self, parts: &Parts, body: Incoming, source: IpAddr) -> Result<Reply, Failure> {
        let role = match self.users.check(parts) {
            Ok(role) => role,
            Err(failure) => {
                tokio::time::sleep(GUESS_DELAY).await;
                return Err(failure);
            }
        };
        let writers = Bounds {
            bytes_max: 64 << 20,
            patience: Duration::from_secs(60),
            places: Some(&self.large_bodies),
        };
        let (bounds, lane) = match role {
            Role::Reader => (&READERS_BODY, Lane::Port),
            Role::Writer => (&writers, Lane::stated(&parts.headers)),
        };
        let mut call = Call::read(parts, body, bounds).await?;
        let _large = call.place.take();
        let user = users::name(parts);
        if let Some(done) = self.command(role, &user, &mut call)? {
            return Ok(done.map(Either::Left));
        }
        let sent = decide::decide(role, lane, self.store.database(), &self.own, call)?;
        let (inserts, is_users) = (sent.data.is_some(), role == Role::Reader);
        let place = if is_users { Some(self.place(source).await?) } else { None };
        let running = During::new(&self.counts, |counts| &counts.running);
        let under_way = self.statements.begin(&user, sent.query_id.as_deref())?;
        let asked = async {
            let sent = matches::put(self.matches.as_deref(), sent).await?;
            let request = forward::request(sent).map_err(|error| Failure::Gone(error.to_string()))?;
            self.store.forward(request).await.map_err(|error| {
                tracing::debug!(%error, "a statement of the ClickHouse port got no answer");
                Failure::Closing
            })
        };
        let answered = tokio::select! {
            answered = asked => answered?,
            () = under_way.killed.cancelled() => return Err(killed()),
        };
        if inserts {
            let rows = written_rows(&answered);
            self.counts.rows_inserted.fetch_add(rows, Ordering::Relaxed);
        }
        let token = under_way.killed.clone();
        let held = Held { _place: place, _running: running, _under_way: under_way };
        Ok(forward::answer(answered, self.limits.answer_max, token, held).map(Either::Right))
    }

    /// Gives a call what its session has; answers what concerns the session, and no engine.
    fn command(
        &self,
        role: Role,
        user: &str,
        call: &mut Call,
    ) -> Result<Option<Response<Full<Bytes>>>, Failure> {
        let command = std::str::from_utf8(&call.text).ok().and_then(Command::parse);
        let added = match &command {
            Some(Command::Set(settings)) => settings::kept(role, settings)?,
            _ => Vec::new(),
        };
        let mut settings = self.sessions.settings(user, &call.session, added)?;
        settings.append(&mut call.settings);
        call.settings = settings;
        Ok(match command {
            None => None,
            Some(Command::Set(_)) => Some(response::nothing()),
            Some(Command::Use(database))
                if [self.store.database(), "default"].contains(&database.as_str()) =>
            {
                Some(response::nothing())
            }
            Some(Command::Use(database)) => return Err(decide::unknown_database(&database)),
            Some(Command::Kill(id)) => {
                if self.statements.kill(user, &id) {
                    // Its row, in the format that the client wants.
                    let (id, user) = (text_literal(&id), text_literal(user));
                    call.text =
                        format!("SELECT 'waiting' AS kill_status, {id} AS query_id, {user} AS user").into();
                    None
                } else {
                    Some(response::nothing())
                }
            }
        })
    }

    /// Waits for a reader's place.
    async fn place(&self, source: IpAddr) -> Result<Place, Failure> {
        let _waiting = During::new(&self.counts, |counts| &counts.waiting);
        let free = async {
            loop {
                // Listened to before it is looked, so that nothing is missed in between.
                let freed = self.freed.notified();
                if let Some(share) = self.readers.take(source) {
                    return Place { share: Some(share), freed: Arc::clone(&self.freed) };
                }
                freed.await;
            }
        };
        tokio::time::timeout(self.limits.wait_max, free).await.map_err(|_| Failure::Busy)
    }
}

fn killed() -> Failure {
    Failure::Statement {
        code: 394,
        text: "Code: 394. DB::Exception: Query was cancelled: its user ended it. (QUERY_WAS_CANCELLED)"
            .to_owned(),
    }
}

/// Rows that an insert has stored, by the answer's summary.
fn written_rows(answered: &Response<Incoming>) -> u64 {
    #[derive(serde::Deserialize)]
    struct Summary {
        written_rows: String,
    }
    let summary = answered.headers().get("x-clickhouse-summary").and_then(|value| value.to_str().ok());
    let summary: Option<Summary> = summary.and_then(|text| serde_json::from_str(text).ok());
    summary.and_then(|summary| summary.written_rows.parse().ok()).unwrap_or(0)
}
