//! `lastwords config check`: says what is wrong with the configuration, or what would be used.

use std::io::Write as _;

use serde_json::json;

use super::environment;
use crate::{
    args::ConfigCheckArgs,
    config::{self, Config, DEFAULT_FILE, Flags},
    outcome::{Outcome, printed},
    output::{self, Format},
};

/// Runs the command.
///
/// # Errors
/// The configuration's error, with file, line and key.
pub fn run(check: &ConfigCheckArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags { config: check.file.clone(), ..Flags::default() }, &environment)?;
    let format = Format::or_default(check.format.format);
    let mut out = output::stdout();
    if format == Format::Table {
        match &config.file {
            Some(file) => {
                printed(writeln!(
                    out,
                    "{} is valid. With the environment, this would be used:\n",
                    file.display()
                ))?;
            }
            None => {
                printed(writeln!(
                    out,
                    "There is no {DEFAULT_FILE}. With the environment, this would be used:\n"
                ))?;
            }
        }
    }
    printed(output::print_object(&mut out, format, COLUMNS, &shown(&config)))?;
    Ok(Outcome::Done)
}

const COLUMNS: &[&str] = &[
    "data",
    "grace_seconds",
    "host.name",
    "listen.grpc",
    "listen.http",
    "listen.http_hosts",
    "listen.insecure",
    "listen.memory_max",
    "listen.tls.certificate_file",
    "listen.tls.key_file",
    "listen.tls.client_ca_file",
    "clickhouse.listen",
    "clickhouse.user",
    "engine.library",
    "engine.memory_max",
    "engine.in_process",
    "collect.journald",
    "collect.kmsg",
    "collect.samples",
    "collect.files",
    "collect.exclude",
    "collect.consoles",
    "collect.time_zone",
    "collect.saturation_share",
    "detect.rules",
    "query.memory_max",
    "ship.ingester",
    "kafka.brokers",
    "kafka.topic",
    "kafka.group",
    "kafka.partitions",
    "store.url",
    "store.user",
    "store.ca_file",
    "store.database",
    "store.cluster",
];

/// The configuration under its keys; no secret is in it.
fn shown(config: &Config) -> serde_json::Value {
    let listen =
        |address: Option<std::net::SocketAddr>| address.map_or("off".to_owned(), |at| at.to_string());
    let tls = config.listen.security.tls.as_ref();
    json!({
        "data": config.data.root(),
        "grace_seconds": config.grace.as_secs(),
        "host.name": config.host.name,
        "listen.grpc": listen(config.listen.grpc),
        "listen.http": listen(config.listen.http),
        "listen.http_hosts": config.listen.http_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "listen.insecure": config.listen.security.insecure,
        "listen.memory_max": config.listen.memory.memory_bytes_max,
        "listen.tls.certificate_file": tls.map(|tls| &tls.certificate_file),
        "listen.tls.key_file": tls.map(|tls| &tls.key_file),
        "listen.tls.client_ca_file": tls.and_then(|tls| tls.client_ca_file.as_ref()),
        "clickhouse.listen": listen(config.clickhouse.listen),
        "clickhouse.user": config.clickhouse.named.as_ref().map(|(name, _)| name),
        "engine.library": config.engine.library,
        "engine.memory_max": config.engine.memory_bytes_max,
        "engine.in_process": config.engine.in_process,
        "collect.journald": config.collect.journald,
        "collect.kmsg": config.collect.kmsg,
        "collect.samples": config.collect.samples,
        "collect.files": config.collect.files,
        "collect.exclude": config.collect.exclude,
        "collect.consoles": config.collect.consoles,
        "collect.time_zone": config.collect.time_zone.iana_name().unwrap_or("UTC"),
        "collect.saturation_share": config.collect.saturation_share,
        "query.memory_max": config.known.memory_bytes_max,
        "detect.rules": config.rules.files().collect::<Vec<_>>(),
        "ship.ingester": config.ingester,
        "kafka.brokers": config.kafka.as_ref().map(|kafka| &kafka.brokers),
        "kafka.topic": config.kafka.as_ref().map(|kafka| &kafka.topic),
        "kafka.group": config.kafka.as_ref().map(|kafka| &kafka.group),
        "kafka.partitions": config.kafka.as_ref().map(|kafka| kafka.partitions),
        "store.url": config.store.as_ref().map(|store| &store.urls),
        "store.user": config.store.as_ref().map(|store| &store.user),
        "store.ca_file": config.store.as_ref().map(|store| &store.ca_file),
        "store.database": config.store.as_ref().map(|store| &store.database),
        "store.cluster": config.store.as_ref().map(|store| &store.cluster),
    })
}
