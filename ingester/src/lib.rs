//! Takes batches in and stores them, exactly once. The stages in flow order:
//!
//! 1. [`accept`]: connections ([`connection`]), with or without TLS ([`tls`]), each on one of the places; who may not
//!    connect is refused here.
//! 2. [`grpc`]: shippers' calls over TCP and unix sockets; `messages`: no byte
//!    without room for it; `call`: acknowledgements in the order of the stream.
//! 3. [`admit`]: a call is judged by its Hello, a batch by its header alone.
//! 4. [`queue`]: bounded in bytes: the [`direct`] one, which feeds the writer of this process, or [`kafka`], which feeds
//!    the writers of others.
//! 5. [`detect`]: events are found in the opened batch's text.
//! 6. [`mod@write`]: columns become blocks, and blocks are stored by a plan that survives every kill.
//! 7. [`quarantine`]: poison is set aside, and the stream goes on.
//!
//! [`limits`] says how much memory, how many places and how much time there are, [`budget`] who may have which bytes.
//!
//! `gathering_time` says how long shippers gather before they close a batch.
//!
//! `turns` keeps calls that send what has to be set aside from holding up the others.
//!
//! [`mod@audit`] compares the ledger with the rows, at the start and every day.
//!
//! [`mod@rescan`] looks for events in what is stored already, with newer rules.
//!
//! [`metrics`] counts, [`refusals`] counts what was refused and why.

pub mod accept;
pub mod admit;
pub mod audit;
pub mod budget;
mod call;
pub mod connection;
pub mod detect;
pub mod direct;
mod gathering_time;
pub mod grpc;
pub mod kafka;
pub mod limits;
mod messages;
pub mod metrics;
pub mod quarantine;
pub mod queue;
pub mod refusals;
pub mod rescan;
pub mod tls;
mod turns;
pub mod write;

pub use accept::connections;
pub use admit::{AdmitOptions, Speakers};
pub use direct::{Direct, DirectOptions, Ticket};
pub use grpc::serve_grpc;
pub use limits::{Deadlines, Limits, MemoryPlan};
pub use metrics::{CallMetrics, Counters};
pub use queue::{Durability, Incoming, Pending, Queue, SubmitError, WriteError, Written};
pub use refusals::Refusals;
pub use rescan::{Progress, Rescan, RescanError, rescan};
pub use tls::{ServerTls, TlsFiles};
pub use write::{BlockLimits, EventFound, IntentError, StartError};
