//! `[host]`: what this machine is called in records.

use lastwords_config::Invalid;
use lastwords_record::Host;
use lastwords_runtime::host;
use serde::{Deserialize, Serialize};

/// `[host]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostSettings {
    /// Name in records, answers and questions; none: the machine's host name.
    pub name: Option<String>,
}

impl HostSettings {
    /// Says what nobody said.
    pub fn fill(&mut self) {
        self.name.get_or_insert_with(host::name);
    }

    /// This machine.
    ///
    /// # Errors
    /// Where nothing can be called so.
    pub fn check(&self) -> Result<Host, Invalid> {
        let mut settings = self.clone();
        settings.fill();
        let host = Host { name: settings.name.unwrap_or_default(), machine_id: host::machine_id() };
        if host.check_version_1().is_err() {
            // A part of it says which it is.
            let found: String = host.name.chars().take(64).collect();
            return Err(Invalid::wanted("host.name", "1 to 255 bytes without control characters", &found));
        }
        Ok(host)
    }
}
