//! What every connection of a listener shares.

use std::sync::Arc;

use super::lanes::Lanes;
use crate::engine::Engine;

/// The engine, and the places of its statements.
pub(crate) struct Served {
    pub(super) engine: Arc<Engine>,
    pub(super) lanes: Lanes,
}

impl Served {
    pub(crate) fn new(engine: Arc<Engine>) -> Arc<Served> {
        let lanes = Lanes::new(engine.statements_max(), engine.port_wait_max());
        Arc::new(Served { engine, lanes })
    }
}
