//! Commands of detection: events in a file or in the store, and rules.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{FormatArgs, PlaceArgs};

/// `lastwords detect`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords detect /var/log/kern.log
  journalctl -k | lastwords detect --format jsonl - | jq -r .title
  lastwords detect --stored --since '7 days ago' --rules own.toml --dry-run

With --stored, records in the store are scanned with the rules of now and of --rules; events that are missing are
added. What was found before stays, and doing it again adds nothing.")]
pub struct DetectArgs {
    /// Where the store is, with --stored.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Also print events of severity info
    #[arg(long)]
    pub all: bool,
    /// A file of further rules (TOML); may be given more than once
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Scan what is in the store, and add the events that are missing
    #[arg(long, conflicts_with = "file", requires = "since")]
    pub stored: bool,
    /// From when on, as in questions: '7 days ago', 2026-11-20, '2026-11-20 15:00'
    #[arg(long, value_name = "TIME", requires = "stored")]
    pub since: Option<String>,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME", requires = "stored")]
    pub until: Option<String>,
    /// Time zone of times that don't say theirs [default: TZ, else this machine's]
    #[arg(long, value_name = "TZ", requires = "stored")]
    pub time_zone: Option<String>,
    /// Only print what would be added
    #[arg(long, requires = "stored")]
    pub dry_run: bool,
    /// A log file (.gz too), or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "stored")]
    pub file: Option<PathBuf>,
}

/// `lastwords rules …`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Rules of detection
    #[command(subcommand)]
    Detect(DetectRulesCommand),
}

/// `lastwords rules detect …`
#[derive(Debug, Subcommand)]
pub enum DetectRulesCommand {
    /// Read rules files and say what is wrong with them: file, line, rule and key
    Check(RulesFilesArgs),
    /// Try rules on their own examples, as they would be used: besides the built-in ones
    Test(RulesFilesArgs),
}

/// `lastwords rules detect check|test`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords rules detect check own.toml
  lastwords rules detect test own.toml && lastwords detect --rules own.toml /var/log/syslog")]
pub struct RulesFilesArgs {
    /// Rules files (TOML), used together
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
