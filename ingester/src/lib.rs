//! Takes batches in and stores them, exactly once. The stages in flow order:
//!
//! 1. [`grpc`]: shippers' calls over TCP and unix sockets; acknowledgements in the order of the stream.
//! 2. [`admit`]: a batch is judged by its header alone.
//! 3. [`queue`]: bounded in bytes: the direct one, which feeds the writer of this process, or [`kafka`], which feeds the
//!    writers of others.
//! 4. [`detect`]: events are found in the opened batch's text.
//! 5. [`write`]: columns become blocks, and blocks are stored by a plan that survives every kill.
//! 6. [`quarantine`]: poison is set aside, and the stream goes on.
//!
//! [`metrics`] counts.

pub mod admit;
pub mod detect;
pub mod grpc;
pub mod kafka;
pub mod metrics;
pub mod quarantine;
pub mod queue;
pub mod write;

pub use admit::AdmitOptions;
pub use grpc::serve_grpc;
pub use metrics::Counters;
pub use queue::{
    Direct, DirectOptions, Durability, Incoming, Queue, SubmitError, Ticket, WriteError, Written,
};
pub use write::{BlockLimits, IntentError, StartError};
