//! What many commands take: where data and configuration are, and how results are printed.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::output::Format;

/// Where the data folder and the configuration are.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct PlaceArgs {
    /// Data folder [env: LASTWORDS_DATA] [default: /var/lib/lastwords for root, else ~/.local/share/lastwords]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Configuration file [default: /etc/lastwords/lastwords.toml where it exists]
    #[arg(long, value_name = "FILE", env = "LASTWORDS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Say a key of the configuration, such as engine.memory_max=4GiB; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct FormatArgs {
    /// How to print [default: table on a terminal, jsonl in a pipe]
    #[arg(long, short, value_enum)]
    pub format: Option<Format>,
}
