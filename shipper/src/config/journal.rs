//! `[collect.journal]`: what is read of systemd's journal.

use serde::{Deserialize, Serialize};

use lastwords_config::Invalid;

/// `[collect.journal]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JournalSettings {
    /// The namespace; empty: the default one, `*`: all.
    pub namespace: String,
    /// At the first start all boots are read, not only this one.
    pub all_boots: bool,
    /// These units alone; empty: all.
    pub units: Vec<String>,
    /// Units that are left out.
    pub exclude_units: Vec<String>,
}

/// What is read of systemd's journal, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalOptions {
    /// The namespace; empty: the default one, `*`: all.
    pub namespace: String,
    /// At the first start all boots are read, not only this one.
    pub all_boots: bool,
    /// These units alone; empty: all.
    pub units: Vec<String>,
    /// Units that are left out.
    pub exclude_units: Vec<String>,
}

impl JournalSettings {
    pub(super) fn check(&self) -> Result<JournalOptions, Invalid> {
        let texts = [
            ("namespace", std::slice::from_ref(&self.namespace)),
            ("units", &self.units),
            ("exclude_units", &self.exclude_units),
        ];
        for (key, texts) in texts {
            if let Some(text) = texts.iter().find(|text| text.chars().any(char::is_control)) {
                let wanted = "a name without control characters";
                return Err(Invalid::wanted(format!("collect.journal.{key}"), wanted, text));
            }
        }
        Ok(JournalOptions {
            namespace: self.namespace.clone(),
            all_boots: self.all_boots,
            units: self.units.clone(),
            exclude_units: self.exclude_units.clone(),
        })
    }
}
