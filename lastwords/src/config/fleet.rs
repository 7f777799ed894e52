//! `[kafka]` and `[store]`: what a fleet has and one machine has not.

use std::{collections::BTreeMap, path::PathBuf};

use lastwords_ingester::kafka::KafkaOptions;
use lastwords_store::Remote;
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
    pub properties: BTreeMap<String, String>,
    pub consumer_properties: BTreeMap<String, String>,
    pub producer_properties: BTreeMap<String, String>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    pub url: Option<String>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
}

/// Checks `[kafka]`; none where no brokers are named.
pub fn kafka(raw: RawKafka) -> Result<Option<KafkaOptions>, ConfigError> {
    let Some(brokers) = raw.brokers else { return Ok(None) };
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
) -> Result<Option<Remote>, ConfigError> {
    let Some(url) = raw.url else { return Ok(None) };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(ConfigError::Value {
            key: "store.url".into(),
            wanted: "the address of ClickHouse's HTTP interface, http://HOST:8123",
            found: url,
        });
    }
    let password = match &raw.password_file {
        Some(path) => first_line(path)?,
        None => environment("LASTWORDS_STORE_PASSWORD").unwrap_or_default(),
    };
    Ok(Some(Remote { url, user: raw.user.unwrap_or_else(|| "default".to_owned()), password }))
}
