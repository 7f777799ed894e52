//! What every resource answers from.

use lastwords_runtime::Health;

use crate::Service;

/// What every resource answers from.
pub(super) struct Shared {
    pub(super) service: Service,
    pub(super) health: Health,
}
