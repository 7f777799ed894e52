//! `[kafka]`: where `ingest` and `write` meet.

use lastwords_config::{FilePath, Hidden, Invalid, key_within};
use lastwords_ingester::kafka::KafkaOptions;
use serde::{Deserialize, Serialize};

use super::secrets::{first_line, without_secrets};

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KafkaSettings {
    /// Where Kafka is; none: there is no Kafka.
    pub brokers: Option<String>,
    /// The topic of batches.
    pub topic: String,
    /// The topic of what cannot be stored.
    pub quarantine_topic: String,
    /// The consumer group of the writers.
    pub group: String,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication: i32,
    /// How long batches are kept.
    pub retention_hours: u64,
    /// File whose first line is `sasl.password`.
    pub password_file: Option<FilePath>,
    /// librdkafka's properties for every client.
    pub properties: Hidden,
    /// Those of consumers.
    pub consumer_properties: Hidden,
    /// Those of producers.
    pub producer_properties: Hidden,
}

/// The password, where there is no file.
pub const PASSWORD_VARIABLE: &str = "LASTWORDS_KAFKA_PASSWORD";

impl Default for KafkaSettings {
    fn default() -> Self {
        let options = KafkaOptions::default();
        KafkaSettings {
            brokers: None,
            topic: options.topic,
            quarantine_topic: options.quarantine_topic,
            group: options.group,
            partitions: options.partitions,
            replication: options.replication,
            retention_hours: options.retention_hours,
            password_file: None,
            properties: Hidden::default(),
            consumer_properties: Hidden::default(),
            producer_properties: Hidden::default(),
        }
    }
}

impl KafkaSettings {
    /// None where no brokers are named.
    pub(super) fn check(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<KafkaOptions>, Invalid> {
        let Some(brokers) = self.brokers.clone() else { return Ok(None) };
        without_secrets(
            "kafka.brokers",
            &brokers,
            "name the user as \"sasl.username\" in [kafka.properties], and put the password into the file of \
             kafka.password_file or into LASTWORDS_KAFKA_PASSWORD",
        )?;
        let password = match &self.password_file {
            Some(path) => Some(first_line(&path.0).map_err(|error| {
                let found = format!("{}: {error}", path.0.display());
                Invalid::wanted("kafka.password_file", "a file that can be read", &found)
            })?),
            None => environment(PASSWORD_VARIABLE),
        };
        let mut properties = self.properties.0.clone();
        properties.extend(password.map(|password| ("sasl.password".to_owned(), password)));
        for (name, number) in [("partitions", self.partitions), ("replication", self.replication)] {
            if number < 1 {
                let message = format!("wanted 1 or more, found {number}");
                return Err(Invalid::new(format!("kafka.{name}"), message));
            }
        }
        let options = KafkaOptions {
            brokers,
            topic: self.topic.clone(),
            quarantine_topic: self.quarantine_topic.clone(),
            group: self.group.clone(),
            partitions: self.partitions,
            replication: self.replication,
            retention_hours: self.retention_hours,
            properties,
            consumer_properties: self.consumer_properties.0.clone(),
            producer_properties: self.producer_properties.0.clone(),
        };
        options.check().map_err(|error| {
            Invalid::new(key_within(error.table, &error.name), format_args!("cannot be set: {}", error.why))
        })?;
        Ok(Some(options))
    }
}
