//! Commands of what a fleet has: stores of their own, Kafka, quarantine.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args as ClapArgs, Subcommand};

use super::{FormatArgs, Listen, PlaceArgs, parse_listen};

/// `lastwords store …`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Bring the schema of a data folder, or of the server of [store], up to this version (`up`, `import`, `query` and
    /// `write` do so by themselves)
    Migrate(MigrateArgs),
    /// Offer the embedded engine to other processes, as a ClickHouse server over HTTP
    Serve(StoreServeArgs),
    /// Compare the ledger of stored batches with the rows (`up` and `write` do so at their start and every day)
    Audit(StoreAuditArgs),
}

/// `lastwords store audit`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords store audit --data /srv/lastwords                 `up` has ended, or says what its last audit found
  lastwords store audit --config lastwords.toml               the server of [store], where --data is not given
  lastwords store audit --repair                              `up` and `write` have ended

Ends with 1 where rows are missing. With --repair the batches of these rows count as not stored, so that what is missing
of them is stored when they come again; where [kafka] is configured, everything that Kafka still has is read again.")]
pub struct StoreAuditArgs {
    /// Where; without --data the server of [store] in the configuration, if it names one.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Have what is missing stored again, as far as somebody still has it
    #[arg(long)]
    pub repair: bool,
}

/// `lastwords store serve`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords store serve --data /srv/lastwords --listen 127.0.0.1:8123
  lastwords store serve --data /srv/lastwords --listen 10.0.0.5:8123 --user fleet --password-file /etc/lastwords/fleet

Who reads comes as `reader`, who inserts as `writer`; their passwords are made at the first start, in
DATA/clickhouse/reader.password and writer.password.")]
pub struct StoreServeArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Speak ClickHouse's HTTP protocol here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8123")]
    pub listen: SocketAddr,
    /// A further user who inserts, beside `writer`; with --password-file [default: default]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File whose first line is that user's password
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `lastwords quarantine …`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  lastwords quarantine list
  lastwords quarantine show a9…/3/7
  lastwords quarantine retry --all                  after an update, or when the store has been mended
  lastwords quarantine drop a9…/3/7 --yes")]
pub enum QuarantineCommand {
    /// Say which batches are in quarantine, and why
    List(ListArgs),
    /// Say what can be read of one
    Show(BatchArgs),
    /// Try to store them again; what is stored already is not stored twice
    Retry(BatchArgs),
    /// Remove them for good
    Drop(BatchArgs),
}

/// `lastwords quarantine list`
#[derive(Debug, ClapArgs)]
pub struct ListArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `lastwords quarantine show|retry|drop`
#[derive(Debug, ClapArgs)]
pub struct BatchArgs {
    /// Where; without --data the server of [store] in the configuration, if it names one.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Batches as `quarantine list` calls them
    #[arg(value_name = "SHIPPER/EPOCH/SEQUENCE")]
    pub batches: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "batches")]
    pub all: bool,
    /// `drop`: do it
    #[arg(long)]
    pub yes: bool,
}

/// `lastwords kafka …`
#[derive(Debug, Subcommand)]
pub enum KafkaCommand {
    /// Make the topics of [kafka] that are missing
    Init(PlaceArgs),
    /// Say whether Kafka answers and the topics are as [kafka] says
    Check(PlaceArgs),
}

/// `lastwords ingest`, `lastwords write`
#[derive(Debug, ClapArgs)]
pub struct ServiceArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// `ingest`: take in shippers' batches (gRPC) here [env: LASTWORDS_LISTEN] [default: 127.0.0.1:4320]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    pub listen: Option<Listen>,
    /// `ingest`: take batches in plain text from other machines, too [env: LASTWORDS_INSECURE]
    #[arg(long)]
    pub insecure: bool,
    /// Serve /metrics, /healthz and /readyz here; `off` for none [env: LASTWORDS_HTTP_LISTEN] [default: 127.0.0.1:8640]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    pub http_listen: Option<Listen>,
}

/// `lastwords store migrate`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords store migrate --data /srv/lastwords
  lastwords store migrate --config lastwords.toml             the server of [store], where --data is not given
  lastwords store migrate --print --cluster main              what would be run on a cluster; nothing is touched")]
pub struct MigrateArgs {
    /// Where; without --data the server of [store] in the configuration, if it names one.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print all statements from nothing to the newest schema instead of running what is missing
    #[arg(long)]
    pub print: bool,
    /// With Replicated and Distributed tables for this cluster [default: store.cluster]
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}
