//! Environment variables, which go over the file. Those that are flags, too, are read with the flags.

use super::{
    ConfigError,
    file::{ListenText, Raw, Size},
    fleet::Urls,
};
use crate::args;

/// Every variable and the key that it goes over; `-`: there is no such key in the file.
pub const VARIABLES: &[(&str, &str)] = &[
    ("LASTWORDS_CONFIG", "-"),
    ("LASTWORDS_LOG", "-"),
    ("LASTWORDS_LOG_JSON", "-"),
    ("LASTWORDS_DATA", "data"),
    ("LASTWORDS_GRACE_SECONDS", "grace_seconds"),
    ("LASTWORDS_HOST", "host.name"),
    ("LASTWORDS_LISTEN", "listen.grpc"),
    ("LASTWORDS_INSECURE", "listen.insecure"),
    ("LASTWORDS_LISTEN_MEMORY_MAX", "listen.memory_max"),
    ("LASTWORDS_HTTP_LISTEN", "listen.http"),
    ("LASTWORDS_HTTP_HOSTS", "listen.http_hosts"),
    ("LASTWORDS_CLICKHOUSE_LISTEN", "clickhouse.listen"),
    ("LASTWORDS_CLICKHOUSE_READER_PASSWORD", "-"),
    ("LASTWORDS_CLICKHOUSE_READER_PASSWORD_FILE", "clickhouse.reader_password_file"),
    ("LASTWORDS_CLICKHOUSE_WRITER_PASSWORD", "-"),
    ("LASTWORDS_CLICKHOUSE_WRITER_PASSWORD_FILE", "clickhouse.writer_password_file"),
    ("LASTWORDS_CLICKHOUSE_USER", "clickhouse.user"),
    ("LASTWORDS_CLICKHOUSE_PASSWORD", "-"),
    ("LASTWORDS_CLICKHOUSE_PASSWORD_FILE", "clickhouse.password_file"),
    ("LASTWORDS_ENGINE", "engine.library"),
    ("LASTWORDS_ENGINE_MEMORY_MAX", "engine.memory_max"),
    ("LASTWORDS_ENGINE_IN_PROCESS", "engine.in_process"),
    ("LASTWORDS_COLLECT_JOURNALD", "collect.journald"),
    ("LASTWORDS_COLLECT_KMSG", "collect.kmsg"),
    ("LASTWORDS_COLLECT_SAMPLES", "collect.samples"),
    ("LASTWORDS_COLLECT_FILES", "collect.files"),
    ("LASTWORDS_COLLECT_EXCLUDE", "collect.exclude"),
    ("LASTWORDS_COLLECT_CONSOLES", "collect.consoles"),
    ("LASTWORDS_COLLECT_TIME_ZONE", "collect.time_zone"),
    ("LASTWORDS_COLLECT_SATURATION_SHARE", "collect.saturation_share"),
    ("LASTWORDS_DETECT_RULES", "detect.rules"),
    ("LASTWORDS_QUERY_MEMORY_MAX", "query.memory_max"),
    ("LASTWORDS_INGESTER", "ship.ingester"),
    ("LASTWORDS_KAFKA_BROKERS", "kafka.brokers"),
    ("LASTWORDS_KAFKA_PASSWORD", "-"),
    ("LASTWORDS_KAFKA_PASSWORD_FILE", "kafka.password_file"),
    ("LASTWORDS_STORE_URL", "store.url"),
    ("LASTWORDS_STORE_USER", "store.user"),
    ("LASTWORDS_STORE_PASSWORD", "-"),
    ("LASTWORDS_STORE_PASSWORD_FILE", "store.password_file"),
    ("LASTWORDS_STORE_CA_FILE", "store.ca_file"),
    ("LASTWORDS_STORE_DATABASE", "store.database"),
    ("LASTWORDS_STORE_CLUSTER", "store.cluster"),
];

/// Lays every variable that is set over what the file says.
pub fn overlay(raw: &mut Raw, environment: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
    for (name, key) in VARIABLES {
        if let Some(value) = environment(name)
            && *key != "-"
        {
            set(raw, key, &value)
                .map_err(|message| ConfigError::Environment { name: (*name).to_owned(), message })?;
        }
    }
    Ok(())
}

fn set(raw: &mut Raw, key: &str, value: &str) -> Result<(), String> {
    let text = || Some(value.to_owned());
    let listen = || args::parse_listen(value).map(|listen| Some(ListenText(listen)));
    let list =
        || Some(value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect());
    match key {
        "data" => raw.data = Some(value.into()),
        "grace_seconds" => raw.grace_seconds = Some(number(value)?),
        "host.name" => raw.host.name = text(),
        "listen.grpc" => raw.listen.grpc = listen()?,
        "listen.insecure" => raw.listen.insecure = Some(switch(value)?),
        "listen.memory_max" => raw.listen.memory_max = Some(Size::parse(value)?),
        "listen.http" => raw.listen.http = listen()?,
        "listen.http_hosts" => raw.listen.http_hosts = list(),
        "clickhouse.listen" => raw.clickhouse.listen = listen()?,
        "clickhouse.reader_password_file" => raw.clickhouse.reader_password_file = Some(value.into()),
        "clickhouse.writer_password_file" => raw.clickhouse.writer_password_file = Some(value.into()),
        "clickhouse.user" => raw.clickhouse.user = text(),
        "clickhouse.password_file" => raw.clickhouse.password_file = Some(value.into()),
        "engine.library" => raw.engine.library = Some(value.into()),
        "engine.memory_max" => raw.engine.memory_max = Some(Size::parse(value)?),
        "engine.in_process" => raw.engine.in_process = Some(switch(value)?),
        "collect.journald" => raw.collect.journald = Some(switch(value)?),
        "collect.kmsg" => raw.collect.kmsg = Some(switch(value)?),
        "collect.samples" => raw.collect.samples = Some(switch(value)?),
        "collect.files" => raw.collect.files = list(),
        "collect.exclude" => raw.collect.exclude = list(),
        "collect.consoles" => raw.collect.consoles = list(),
        "collect.time_zone" => raw.collect.time_zone = text(),
        "collect.saturation_share" => raw.collect.saturation_share = Some(number(value)?),
        "detect.rules" => raw.detect.rules = list().map(|rules| rules.into_iter().map(Into::into).collect()),
        "query.memory_max" => raw.query.memory_max = Some(Size::parse(value)?),
        "ship.ingester" => raw.ship.ingester = text(),
        "kafka.brokers" => raw.kafka.brokers = text(),
        "kafka.password_file" => raw.kafka.password_file = Some(value.into()),
        "store.url" => raw.store.url = Some(Urls::One(value.to_owned())),
        "store.user" => raw.store.user = text(),
        "store.password_file" => raw.store.password_file = Some(value.into()),
        "store.ca_file" => raw.store.ca_file = Some(value.into()),
        "store.database" => raw.store.database = text(),
        "store.cluster" => raw.store.cluster = text(),
        other => return Err(format!("no key {other} to set")),
    }
    Ok(())
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("wanted a number, found {value:?}"))
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        other => Err(format!("wanted true or false, found {other:?}")),
    }
}
