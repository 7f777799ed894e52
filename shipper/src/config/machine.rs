//! What this machine has of what is to be collected, and the folder in which is remembered what was.

use lastwords_runtime::private::{self, PrivateError};

use super::ShipperConfig;

impl ShipperConfig {
    /// Makes the state folder where it is missing, and lets nobody else into it: it holds what has been read and not been
    /// acknowledged yet.
    ///
    /// # Errors
    /// Where it cannot be made, or is not ours alone.
    pub fn close_state(&self) -> Result<(), PrivateError> {
        let mode = private::make_private(&self.state_dir)?;
        let entries = private::close_contents(&self.state_dir, &[]);
        if mode.is_some() || entries > 0 {
            let (folder, mode) = (self.state_dir.display(), mode.map(|mode| format!("{mode:04o}")));
            tracing::warn!(%folder, mode, entries, "others could read the state folder; it is closed to them now");
        }
        Ok(())
    }

    /// Leaves out what this machine does not have, and says so.
    pub fn fit_machine(&mut self) {
        self.journald = self.journald && has_journalctl();
        self.kmsg = self.kmsg && can_read_kmsg();
    }
}

fn has_journalctl() -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("journalctl").is_file()));
    if !found {
        tracing::info!("no journalctl here: the journal is not collected");
    }
    found
}

fn can_read_kmsg() -> bool {
    match std::fs::File::open("/dev/kmsg") {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "/dev/kmsg cannot be read: the kernel's ring is not collected");
            false
        }
    }
}
