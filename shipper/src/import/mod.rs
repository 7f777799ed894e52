//! Finished files through the same forming, plan and uplink, once. What was imported before is known by content:
//! host, guest, source and the hash of all (decompressed) bytes up to the checkpoint. The same file again adds
//! nothing, under whatever name; a file that grew goes on where it ended; an import that was killed goes on with
//! every line once, because its batches under way are formed again from their planned extents.
//!
//! - [`job`]: what is to be imported, and what came of it,
//! - [`inputs`]: files, folders, standard input into contents,
//! - [`kind`]: what a content is,
//! - [`archive`]: what is in an archive,
//! - [`known`]: which import a content belongs to,
//! - [`stream`]: its bytes in order, hashed,
//! - [`one`]: the batches of one content,
//! - [`journal`]: those of a journal's export,
//! - [`link`]: the uplink, waited for.

mod archive;
mod inputs;
mod job;
mod journal;
mod kind;
mod known;
mod link;
mod one;
mod samples;
mod stay;
mod stream;
mod work;

use lastwords_record::{Guest, Host};
use tokio::runtime::Handle;

pub use job::{ImportError, ImportOptions, Imported, Input, Progress, Trouble};

use crate::uplink::Uplink;
use job::About;

/// Imports everything, in the order given. Returns when all is acknowledged. What cannot be read, or holds no lines, is
/// told in [`Imported::troubles`], and the next input comes all the same.
///
/// # Errors
/// Where an input is not there, or the state cannot be written, or a batch is rejected.
pub async fn import(
    options: ImportOptions,
    uplink: Uplink,
    progress: impl Fn(Progress) + Send + 'static,
) -> Result<Imported, ImportError> {
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || all(&options, &uplink, &progress, &handle))
        .await
        .map_err(|_| ImportError::Interrupted)?
}

fn all(
    options: &ImportOptions,
    uplink: &Uplink,
    progress: &dyn Fn(Progress),
    handle: &Handle,
) -> Result<Imported, ImportError> {
    let _runtime = handle.enter();
    let inputs = inputs::expand(&options.inputs)?;
    let bytes_total = inputs::bytes_total(&inputs);
    let about = About {
        host: Host { name: options.host.clone(), machine_id: String::new() },
        guest: options.guest.clone().map(|name| Guest { name, uuid: String::new() }),
        options,
        uplink,
        handle,
    };
    about.host.check()?;
    about.guest.as_ref().map_or(Ok(()), Guest::check)?;
    let mut importer = one::Importer::new(&about);
    let mut before = 0;
    for input in inputs {
        let told = |bytes: u64| progress(Progress { bytes: before + bytes, bytes_total });
        before += importer.take_input(input, &told)?;
    }
    Ok(importer.finish())
}

#[cfg(test)]
mod tests;
