//! What every process needs and no domain owns.
//!
//! - [`host`], [`clock`]: who and when this machine is; [`shutdown`]: when a process is asked to end.
//! - [`backoff`]: how long to wait before the next try. [`poison`]: a worker that broke, and who has to know.
//! - [`health`], [`metrics`]: what a process tells about itself.
//! - [`http`]: connections are accepted, served and drained: [`places`] says how many, [`link`] what one may do,
//!   [`descriptors`] what the system allows, [`refusal`] why one is refused, [`quiet`] what outsiders can make the log say.
//! - [`tls`]: certificates, keys and trust.
//! - [`private`]: folders for their owner alone; [`address`]: what may be shown of an address.

pub mod address;
pub mod backoff;
pub mod clock;
pub mod descriptors;
pub mod health;
pub mod host;
pub mod http;
pub mod link;
pub mod metrics;
pub mod places;
pub mod poison;
pub mod private;
pub mod quiet;
pub mod refusal;
pub mod shutdown;
pub mod tls;

pub use backoff::{Backoff, Pauses};
pub use clock::now_ns;
pub use health::{Health, serve_health};
pub use poison::Poison;
