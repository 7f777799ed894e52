//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

use crate::tree::Origin;

/// A value that cannot be used, by its key. Where it was said is known to the layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {message}")]
pub struct Invalid {
    /// Dotted key (`collect.files[1]`), flag or variable.
    pub key: String,
    /// What was wanted, what was found, and the way out.
    pub message: String,
}

impl Invalid {
    /// This key's value cannot be used.
    pub fn new(key: impl Into<String>, message: impl ToString) -> Invalid {
        Invalid { key: key.into(), message: message.to_string() }
    }

    /// This would do, and that was found.
    pub fn wanted(key: impl Into<String>, wanted: &str, found: &str) -> Invalid {
        Invalid::new(key, format_args!("wanted {wanted}, found {found:?}"))
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {source}; name another with --config")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("{path}:{line}: {message}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value cannot be used.
    #[error("{}", place(.origin.as_ref(), .invalid))]
    Invalid {
        /// Where it was said; none: it is a default, or nowhere.
        origin: Option<Origin>,
        /// Which, and why.
        invalid: Invalid,
    },
    /// The command needs a part of the configuration that is not there.
    #[error("{0}")]
    Lacking(&'static str),
}

impl From<Invalid> for ConfigError {
    fn from(invalid: Invalid) -> ConfigError {
        ConfigError::Invalid { origin: None, invalid }
    }
}

fn place(origin: Option<&Origin>, invalid: &Invalid) -> String {
    match origin {
        None => invalid.to_string(),
        Some(Origin::File { path, line }) => {
            format!("{}:{line}: key `{}`: {}", path.display(), invalid.key, invalid.message)
        }
        Some(Origin::Variable(name)) => format!("environment variable {name}: {}", invalid.message),
        Some(Origin::Flag(name)) => format!("{name}: {}", invalid.message),
    }
}
