//! Commands of placement: who ran where.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{FormatArgs, PlaceArgs};

/// `lastwords placement …`
#[derive(Debug, Subcommand)]
pub enum PlacementCommand {
    /// Import who ran where from libvirt's XML, `xl list -l` or CSV
    Import(PlacementImportArgs),
}

/// `lastwords placement import`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  virsh dumpxml web07 | lastwords placement import --host hv01 -
  ssh hv02 xl list -l | lastwords placement import --host hv02 --since 2026-11-20T08:00:00Z -
  lastwords placement import stays.csv

CSV has a first line with the columns host, guest, uuid, start and end, of which all but host may be missing; every
other column is an attribute. A row without guest and uuid says what the host itself is like, such as its rack.
The same file again adds nothing; a later stay of a guest takes over from its start on.")]
pub struct PlacementImportArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The host, for files that do not name it
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// From when it holds, for files that do not say [default: now]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Time zone of times that don't say theirs [default: TZ, else this machine's]
    #[arg(long, value_name = "TZ")]
    pub time_zone: Option<String>,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Files, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
