//! Room for reading: trees are as deep as a statement's brackets, and who asks may have little stack left.

use std::thread;

use super::refusal::{Place, Refusal};

/// Bytes of stack. A level takes some 15 KiB where nothing is optimised, and there are at most
/// [`super::parse::HEIGHT_MAX`] levels.
const STACK_BYTES: usize = 8 << 20;

/// Does the work on a stack of its own.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> Result<T, Refusal> + Send) -> Result<T, Refusal> {
    let failed = |what: &str| Err(Refusal::new(format!("This could not be read: {what}."), Place::default()));
    thread::scope(|scope| match thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work) {
        Ok(reader) => reader.join().unwrap_or_else(|_| failed("reading it ended early")),
        Err(error) => failed(&error.to_string()),
    })
}
