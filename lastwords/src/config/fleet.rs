//! `[kafka]` and `[store]`: what a fleet has and one machine has not.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use lastwords_ingester::kafka::KafkaOptions;
use lastwords_shipper::address::{carries_secrets, redacted};
use lastwords_store::RemoteOptions;
use serde::Deserialize;

use super::{ConfigError, first_line};

/// `[kafka]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawKafka {
    pub brokers: Option<String>,
    pub topic: Option<String>,
    pub quarantine_topic: Option<String>,
    pub group: Option<String>,
    pub partitions: Option<i32>,
    pub replication: Option<i32>,
    pub retention_hours: Option<u64>,
    pub password_file: Option<PathBuf>,
    pub properties: BTreeMap<String, String>,
    pub consumer_properties: BTreeMap<String, String>,
    pub producer_properties: BTreeMap<String, String>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    pub url: Option<Urls>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub database: Option<String>,
    pub cluster: Option<String>,
    pub shard: Option<u32>,
    pub connect_timeout_seconds: Option<u64>,
    pub answer_timeout_seconds: Option<u64>,
}

/// One address or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "an address such as \"http://HOST:8123\" or a list of them")]
pub enum Urls {
    One(String),
    Several(Vec<String>),
}

/// Checks `[kafka]`; none where no brokers are named.
pub fn kafka(
    mut raw: RawKafka,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<KafkaOptions>, ConfigError> {
    let Some(brokers) = raw.brokers else { return Ok(None) };
    without_secrets(
        "kafka.brokers",
        &brokers,
        "name the user as \"sasl.username\" in [kafka.properties], and put the password into the file of \
         kafka.password_file or into LASTWORDS_KAFKA_PASSWORD",
    )?;
    let password = match &raw.password_file {
        Some(path) => Some(first_line(path).map_err(|error| ConfigError::Value {
            key: "kafka.password_file".to_owned(),
            wanted: "a file that can be read",
            found: error.to_string(),
        })?),
        None => environment("LASTWORDS_KAFKA_PASSWORD"),
    };
    if let Some(password) = password {
        raw.properties.insert("sasl.password".to_owned(), password);
    }
    let value = |key: &str, wanted, found: i64| ConfigError::Value {
        key: format!("kafka.{key}"),
        wanted,
        found: found.to_string(),
    };
    let defaults = KafkaOptions::default();
    let options = KafkaOptions {
        brokers,
        topic: raw.topic.unwrap_or(defaults.topic),
        quarantine_topic: raw.quarantine_topic.unwrap_or(defaults.quarantine_topic),
        group: raw.group.unwrap_or(defaults.group),
        partitions: raw.partitions.unwrap_or(defaults.partitions),
        replication: raw.replication.unwrap_or(defaults.replication),
        retention_hours: raw.retention_hours.unwrap_or(defaults.retention_hours),
        properties: raw.properties,
        consumer_properties: raw.consumer_properties,
        producer_properties: raw.producer_properties,
    };
    if options.partitions < 1 {
        return Err(value("partitions", "1 or more", options.partitions.into()));
    }
    if options.replication < 1 {
        return Err(value("replication", "1 or more", options.replication.into()));
    }
    options.check().map_err(|error| ConfigError::Property {
        key: format!("{}.{}", error.table, error.name),
        why: error.why,
    })?;
    Ok(Some(options))
}

/// Checks `[store]`; none where no server is named: the store is the engine in the data folder.
pub fn store(
    raw: RawStore,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<RemoteOptions>, ConfigError> {
    let given = match &raw.url {
        None => String::new(),
        Some(Urls::One(urls)) => urls.clone(),
        Some(Urls::Several(urls)) => urls.join(","),
    };
    without_secrets(
        "store.url",
        &given,
        "name the user in store.user, and put the password into the file of store.password_file or into \
         LASTWORDS_STORE_PASSWORD",
    )?;
    let urls = match raw.url {
        None => return Ok(None),
        // The environment has no lists.
        Some(Urls::One(urls)) => urls.split(',').map(|url| url.trim().to_owned()).collect(),
        Some(Urls::Several(urls)) => urls,
    };
    let value =
        |key: &str, wanted, found: String| ConfigError::Value { key: format!("store.{key}"), wanted, found };
    const URL: &str = "the address of ClickHouse's HTTP interface, http://HOST:8123 or https://HOST:8443, or a list of them";
    if urls.is_empty() {
        return Err(value("url", URL, "[]".to_owned()));
    }
    for url in &urls {
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return Err(value("url", URL, url.clone()));
        }
    }
    let mut options = RemoteOptions::new(urls);
    options.password = match &raw.password_file {
        Some(path) => first_line(path)
            .map_err(|error| value("password_file", "a file that can be read", error.to_string()))?,
        None => environment("LASTWORDS_STORE_PASSWORD").unwrap_or_default(),
    };
    if let Some(path) = &raw.ca_file
        && let Err(error) = std::fs::File::open(path)
    {
        let found = format!("{}: {error}", path.display());
        return Err(value("ca_file", "a file of PEM certificates that can be read", found));
    }
    options.ca_file = raw.ca_file;
    if let Some(user) = raw.user {
        options.user = user;
    }
    if let Some(database) = raw.database {
        if !is_name(&database, "_") {
            return Err(value("database", "a name of letters, digits and _", database));
        }
        options.database = database;
    }
    if let Some(cluster) = raw.cluster {
        if !is_cluster_name(&cluster) {
            return Err(value("cluster", "a cluster's name of letters, digits, _, - and .", cluster));
        }
        options.cluster = Some(cluster);
    }
    if let Some(shard) = raw.shard {
        if shard == 0 {
            return Err(value("shard", "1 or more", shard.to_string()));
        }
        options.shard = shard;
    }
    for (key, given, limit) in [
        ("connect_timeout_seconds", raw.connect_timeout_seconds, &mut options.connect_timeout),
        ("answer_timeout_seconds", raw.answer_timeout_seconds, &mut options.answer_timeout),
    ] {
        match given {
            Some(0) => return Err(value(key, "1 or more", "0".to_owned())),
            Some(seconds) => *limit = Duration::from_secs(seconds),
            None => {}
        }
    }
    Ok(Some(options))
}

/// Refuses an address, or a list of them, in which a password may stand; never says it.
pub fn without_secrets(key: &str, addresses: &str, way_out: &'static str) -> Result<(), ConfigError> {
    if carries_secrets(addresses) {
        return Err(ConfigError::Secrets { key: key.to_owned(), found: redacted(addresses), way_out });
    }
    Ok(())
}

/// Whether a cluster can have this name.
pub fn is_cluster_name(text: &str) -> bool {
    is_name(text, "_-.")
}

/// Whether this can be a name in ClickHouse's statements, and in a path of Keeper.
fn is_name(text: &str, further: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || further.contains(letter))
}
