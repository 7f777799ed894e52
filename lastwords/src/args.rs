//! The command line: what may be said, and its help. Raw flags only; `config` and the commands validate them.

#![allow(rustdoc::broken_intra_doc_links, reason = "help texts name tables of the configuration: [store]")]

mod detect;
mod fleet;
mod listen;
mod place;
mod placement;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, builder::ArgAction};

pub use detect::*;
pub use fleet::*;
pub use listen::{Listen, parse_listen};
pub use place::{FormatArgs, PlaceArgs};
pub use placement::*;

/// Keeps the last words of a fleet of hypervisor hosts and their guests, and answers questions about them.
#[derive(Debug, Parser)]
#[command(name = "lastwords", version, max_term_width = 110, after_help = EXAMPLES, propagate_version = true)]
pub struct Args {
    /// Flags that every command knows.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  lastwords demo                                    see the whole thing work on a reconstructed bad week
  lastwords up                                      collect this machine's own logs and answer questions
  lastwords import --host hv01 --guest web07 /var/log/xen/console/guest-web07.log
  lastwords query 'panics within 5 minutes of network saturation'
  lastwords query 'SELECT Host, count() FROM events GROUP BY Host'
  lastwords detect /var/log/kern.log                what happened in one file; needs no store

Exit codes: 0 found or done, 1 nothing found (query and detect only), 2 usage, 3 failed.";

/// Flags that every command knows.
#[derive(Debug, Clone, ClapArgs)]
pub struct GlobalArgs {
    /// What is logged to stderr: error, warn, info, debug, trace, or a filter such as `lastwords=debug,info`
    #[arg(long, global = true, value_name = "LEVEL", env = "LASTWORDS_LOG")]
    pub log: Option<String>,
    /// Log one JSON object a line instead of text
    #[arg(long, global = true, action = ArgAction::SetTrue, env = "LASTWORDS_LOG_JSON")]
    pub log_json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect this machine's logs, take in other shippers' batches, store them, answer questions
    Up(UpArgs),
    /// Reconstruct a fleet's bad week, send it through the whole pipeline and ask the question
    Demo(DemoArgs),
    /// Send existing log files through the pipeline; the same file again adds nothing
    Import(ImportArgs),
    /// Ask a question or run read-only SQL
    #[command(visible_alias = "ask")]
    Query(QueryArgs),
    /// Say which guests ran on which hosts, and what machines are like
    #[command(subcommand)]
    Placement(PlacementCommand),
    /// Print the events found in a log file; needs no store
    Detect(DetectArgs),
    /// Check everything that Lastwords needs on this machine and say what to do about it
    Doctor(DoctorArgs),
    /// Check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check and try rules files
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Send this machine's logs to an ingester elsewhere; stores nothing here
    Ship(ShipArgs),
    /// Take in shippers' batches and put them on Kafka; any number of these, behind any load balancer
    Ingest(ServiceArgs),
    /// Take batches from Kafka, find events in them and store them; a consumer group, any number of these
    Write(ServiceArgs),
    /// Look after batches that could not be opened, or that the store refused
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Look after Kafka's topics
    #[command(subcommand)]
    Kafka(KafkaCommand),
    /// The engine's own process, started by the other commands
    #[command(hide = true)]
    Engine(EngineArgs),
}

/// `lastwords engine`: what the process that starts it says. Standard input is the socket to serve, standard output the
/// connection to that process.
#[derive(Debug, ClapArgs)]
pub struct EngineArgs {
    /// The engine's folder
    #[arg(long)]
    pub folder: PathBuf,
    /// The engine's library
    #[arg(long)]
    pub library: PathBuf,
    /// Bytes that the engine may use
    #[arg(long)]
    pub memory_max: u64,
    /// The process that started it
    #[arg(long)]
    pub parent: u32,
}

/// `lastwords up`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords up
  lastwords up --data /srv/lastwords --config lastwords.toml
  lastwords up --config lastwords.toml --listen 0.0.0.0:4320          with [listen.tls], see docs/security.md
  lastwords up --clickhouse-listen 127.0.0.1:8123       Grafana comes as `reader`, with DATA/clickhouse/reader.password")]
pub struct UpArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Take in shippers' batches (gRPC) here; `off` for none [env: LASTWORDS_LISTEN] [default: 127.0.0.1:4320]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    pub listen: Option<Listen>,
    /// Let anyone in who reaches an address that is not loopback: batches in plain text, so that they can write as any
    /// host, and the HTTP API, so that they can read everything [env: LASTWORDS_INSECURE]
    #[arg(long)]
    pub insecure: bool,
    /// Serve the HTTP API here; `off` for none; not beyond loopback without --insecure
    /// [env: LASTWORDS_HTTP_LISTEN] [default: 127.0.0.1:8640]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    pub http_listen: Option<Listen>,
    /// Speak ClickHouse's HTTP protocol here, for Grafana, DBeaver and any ClickHouse client
    /// [env: LASTWORDS_CLICKHOUSE_LISTEN] [default: off]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    pub clickhouse_listen: Option<Listen>,
    /// A further user who inserts, beside `writer`; with --clickhouse-password-file
    /// [env: LASTWORDS_CLICKHOUSE_USER] [default: default]
    #[arg(long, value_name = "NAME")]
    pub clickhouse_user: Option<String>,
    /// File whose first line is that user's password
    /// [env: LASTWORDS_CLICKHOUSE_PASSWORD_FILE; the password itself: LASTWORDS_CLICKHOUSE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub clickhouse_password_file: Option<PathBuf>,
    /// Name of this host in records [env: LASTWORDS_HOST] [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Collect nothing from this machine: only take in what shippers send
    #[arg(long)]
    pub no_collect: bool,
}

/// `lastwords demo`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords demo
  lastwords demo --data /tmp/story --seed 7 && lastwords query --data /tmp/story 'oom kills since 14 days ago'")]
pub struct DemoArgs {
    /// Keep the store here [default: a fresh temporary folder that is removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Seed of all that is random in the story
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many days the story lasts
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub days: u32,
    /// The story's last day, as YYYY-MM-DD [default: yesterday]
    #[arg(long, value_name = "DATE")]
    pub until: Option<jiff::civil::Date>,
    /// Keep the temporary folder
    #[arg(long)]
    pub keep: bool,
}

/// `lastwords import`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords import --host hv01 /var/log/syslog /var/log/syslog.1.gz
  lastwords import --host hv01 --guest web07 --source console --time-zone Europe/Berlin guest-web07.log
  lastwords import --host hv01 --source sample nic.jsonl
  zcat old.gz | lastwords import --host hv01 --year 2025 -

The same file again adds nothing, a file that grew is read from where it ended, and an import that was killed
goes on where it was.")]
pub struct ImportArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The host that wrote the logs
    #[arg(long, value_name = "NAME")]
    pub host: String,
    /// The guest that wrote them
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// What kind of source they are
    #[arg(long, value_name = "KIND", default_value = "file", value_parser = parse_source)]
    pub source: lastwords_record::Source,
    /// Time zone of lines that don't say theirs [default: TZ, else this machine's]
    #[arg(long, value_name = "TZ")]
    pub time_zone: Option<String>,
    /// Year of the first line, where lines don't say it [default: so that the last line fits the file's time]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1970..=2200))]
    pub year: Option<i16>,
    /// When the kernel started, for lines with nothing but its clock [default: so that the last line fits the file's time]
    #[arg(long, value_name = "TIME")]
    pub boot: Option<String>,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Log files, folders, .gz files, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `lastwords query`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords query 'panics within 5 minutes of network saturation'
  lastwords query 'panics within 5m after network saturation on the same host since 7 days ago by hour of day'
  lastwords query --format json 'oom kills within 10m before panics' | jq .sentence
  lastwords query --server http://10.0.0.5:8640 'panics in the last 7 days'
  lastwords query --format csv \"SELECT Timestamp, Host, Body FROM logs WHERE Program = 'sshd' LIMIT 100\"")]
pub struct QueryArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Ask a running `lastwords up` at this URL instead of a data folder
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Do not answer: say how the question is understood, and by which SQL it is answered
    #[arg(long)]
    pub explain: bool,
    /// List at most so many matches [default: all; 20 in a table]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Time zone of dates in the question and of the answer's hours [default: TZ, else this machine's]
    #[arg(long, value_name = "TZ")]
    pub time_zone: Option<String>,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// A question, or SQL that begins with SELECT or WITH
    #[arg(required = true, value_name = "QUESTION")]
    pub text: Vec<String>,
}

/// `lastwords doctor`
#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
}

/// `lastwords config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration, the environment and nothing else, and say what would be used
    Check(ConfigCheckArgs),
}

/// `lastwords config check`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords config check
  lastwords config check deploy/lastwords.toml")]
pub struct ConfigCheckArgs {
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Say a key of the configuration; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The file to check [default: LASTWORDS_CONFIG, else /etc/lastwords/lastwords.toml]
    #[arg(value_name = "FILE", env = "LASTWORDS_CONFIG")]
    pub file: Option<PathBuf>,
}

/// `lastwords ship`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  lastwords ship --ingester http://10.0.0.5:4320
  lastwords ship --config /etc/lastwords/lastwords.toml")]
pub struct ShipArgs {
    /// Where; the shipper's state lives in DIR/shipper.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The ingester's address [env: LASTWORDS_INGESTER]
    #[arg(long, value_name = "URL")]
    pub ingester: Option<String>,
    /// Name of this host in records [env: LASTWORDS_HOST] [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
}

fn parse_source(text: &str) -> Result<lastwords_record::Source, String> {
    text.parse().map_err(|_| {
        "wanted one of kmsg, journald, file, console, netconsole, syslog, pstore, sample".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
