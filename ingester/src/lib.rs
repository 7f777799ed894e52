//! Takes batches in and stores them, exactly once. The stages in flow order:
//!
//! 1. [`accept`]: connections, with or without TLS ([`tls`]); who may not connect is refused here.
//! 2. [`grpc`]: shippers' calls over TCP and unix sockets; `call`: acknowledgements in the order of the stream.
//! 3. [`admit`]: a call is judged by its Hello, a batch by its header alone.
//! 4. [`queue`]: bounded in bytes: the direct one, which feeds the writer of this process, or [`kafka`], which feeds the
//!    writers of others.
//! 5. [`detect`]: events are found in the opened batch's text.
//! 6. [`write`]: columns become blocks, and blocks are stored by a plan that survives every kill.
//! 7. [`quarantine`]: poison is set aside, and the stream goes on.
//!
//! [`rescan`] looks for events in what is stored already, with newer rules.
//!
//! [`metrics`] counts, [`refusals`] counts what was refused and why, [`health`] tells both over HTTP.

pub mod accept;
pub mod admit;
mod call;
pub mod detect;
pub mod grpc;
pub mod health;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod quarantine;
pub mod queue;
pub mod refusals;
pub mod rescan;
pub mod tls;
pub mod write;

pub use accept::connections;
pub use admit::{AdmitOptions, Speakers};
pub use grpc::serve_grpc;
pub use health::{Health, serve_health};
pub use metrics::Counters;
pub use queue::{
    Direct, DirectOptions, Durability, Incoming, Pending, Queue, SubmitError, Ticket, WriteError, Written,
};
pub use refusals::Refusals;
pub use rescan::{Progress, Rescan, RescanError, rescan};
pub use tls::{ServerTls, TlsFiles};
pub use write::{BlockLimits, EventFound, IntentError, StartError};
