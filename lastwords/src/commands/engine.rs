//! `lastwords engine`: the engine's own process, in its cage. No command for people: `up` and the others start it.

use lastwords_store::engine::{ChildOptions, serve_child};

use crate::{
    args::{EngineArgs, GlobalArgs},
    outcome::Outcome,
    telemetry,
};

/// Runs until the process that started it ends, or asks it to.
///
/// # Errors
/// What kept it from serving.
pub fn run(engine: &EngineArgs, global: &GlobalArgs) -> anyhow::Result<Outcome> {
    telemetry::start_child(global.log.as_deref().unwrap_or("info"))?;
    serve_child(&ChildOptions {
        folder: engine.folder.clone(),
        library: engine.library.clone(),
        memory_bytes_max: engine.memory_max,
        parent: engine.parent,
    })?;
    Ok(Outcome::Done)
}
