//! How Kafka is reached. Everything that librdkafka knows can be set by its own name; what exactly once rests on
//! cannot.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use thiserror::Error;

/// Kafka, topics and the group of the writers.
#[derive(Clone)]
pub struct KafkaOptions {
    /// `host:port,host:port`.
    pub brokers: String,
    /// The topic of sealed batches.
    pub topic: String,
    /// The topic of batches that were set aside.
    pub quarantine_topic: String,
    /// The group of the writers.
    pub group: String,
    /// Partitions of the topic, for all its life: a shipper's batches have to stay on one.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication: i32,
    /// How long Kafka keeps batches.
    pub retention_hours: u64,
    /// librdkafka's properties, for every client.
    pub properties: BTreeMap<String, String>,
    /// The same, for the consumers of the writers.
    pub consumer_properties: BTreeMap<String, String>,
    /// The same, for the producers of the ingesters.
    pub producer_properties: BTreeMap<String, String>,
}

impl std::fmt::Debug for KafkaOptions {
    /// Properties by their names alone: there are passwords among them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("quarantine_topic", &self.quarantine_topic)
            .field("group", &self.group)
            .field("partitions", &self.partitions)
            .field("replication", &self.replication)
            .field("retention_hours", &self.retention_hours)
            .field("properties", &self.properties.keys())
            .field("consumer_properties", &self.consumer_properties.keys())
            .field("producer_properties", &self.producer_properties.keys())
            .finish()
    }
}

/// A property that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{table}.\"{name}\" cannot be set: {why}")]
pub struct PropertyError {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: &'static str,
}

const OWN: &str = "exactly once rests on the value that Lastwords gives it";
const KEY: &str = "it has a key of its own in [kafka]";
/// Properties that are not the user's, and why.
const FIXED: &[(&str, &str)] = &[
    ("bootstrap.servers", KEY),
    ("metadata.broker.list", KEY),
    ("group.id", KEY),
    ("group.protocol", OWN),
    ("acks", OWN),
    ("request.required.acks", OWN),
    ("enable.idempotence", OWN),
    ("transactional.id", OWN),
    ("isolation.level", OWN),
    ("enable.auto.commit", OWN),
    ("auto.commit.enable", OWN),
    ("enable.auto.offset.store", OWN),
    ("auto.offset.reset", OWN),
    ("partition.assignment.strategy", OWN),
    ("enable.partition.eof", OWN),
];

impl Default for KafkaOptions {
    fn default() -> Self {
        KafkaOptions {
            brokers: String::new(),
            topic: "lastwords.batches".to_owned(),
            quarantine_topic: "lastwords.quarantine".to_owned(),
            group: "lastwords-write".to_owned(),
            partitions: 12,
            replication: 3,
            retention_hours: 72,
            properties: BTreeMap::new(),
            consumer_properties: BTreeMap::new(),
            producer_properties: BTreeMap::new(),
        }
    }
}

impl KafkaOptions {
    /// Checks that no property is set that is not the user's.
    ///
    /// # Errors
    /// The first such property.
    pub fn check(&self) -> Result<(), PropertyError> {
        let tables = [
            ("kafka.properties", &self.properties),
            ("kafka.consumer_properties", &self.consumer_properties),
            ("kafka.producer_properties", &self.producer_properties),
        ];
        for (table, properties) in tables {
            for name in properties.keys() {
                if let Some((_, why)) = FIXED.iter().find(|(fixed, _)| fixed == name) {
                    return Err(PropertyError { table, name: name.clone(), why });
                }
            }
        }
        Ok(())
    }

    /// What every client is told.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", "lastwords");
        // A broker that comes back is found in seconds.
        config.set("reconnect.backoff.max.ms", "2000");
        set(&mut config, &self.properties);
        config
    }

    /// The producer of batches.
    pub(super) fn producer(&self, queue_bytes_max: usize) -> ClientConfig {
        let mut config = self.client();
        config.set("linger.ms", "5");
        config.set("message.timeout.ms", "120000");
        // Envelopes are compressed already, and stay the very bytes that were sealed.
        config.set("compression.type", "none");
        // librdkafka counts what a message takes, and needs room beside.
        config.set("queue.buffering.max.kbytes", (queue_bytes_max / 512).max(65_536).to_string());
        set(&mut config, &self.producer_properties);
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config
    }

    /// A member of the writers' group.
    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config.set("session.timeout.ms", "30000");
        config.set("queued.max.messages.kbytes", "16384");
        config.set("fetch.wait.max.ms", "100");
        set(&mut config, &self.consumer_properties);
        config.set("group.id", &self.group);
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // Also where a log does not have an offset any more: that messages come from before it is noticed (`read`).
        config.set("auto.offset.reset", "earliest");
        // Commits are parts of transactions: what is fetched is what is decided.
        config.set("isolation.level", "read_committed");
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config
    }

    /// The producer whose transactions carry the writers' commits.
    pub(super) fn committer(&self, id: &str) -> ClientConfig {
        let mut config = self.client();
        // After a kill the successor waits for it.
        config.set("transaction.timeout.ms", "10000");
        config.set("message.timeout.ms", "9000");
        config.set("transactional.id", id);
        config
    }
}

fn set(config: &mut ClientConfig, properties: &BTreeMap<String, String>) {
    for (name, value) in properties {
        config.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exactly_once_rests_on_cannot_be_set() {
        for (name, _) in FIXED {
            let properties = BTreeMap::from([((*name).to_owned(), "x".to_owned())]);
            let options = KafkaOptions { properties, ..KafkaOptions::default() };
            assert_eq!(options.check().unwrap_err().name, *name);
        }
        let properties = BTreeMap::from([("security.protocol".to_owned(), "SSL".to_owned())]);
        assert_eq!(KafkaOptions { properties, ..KafkaOptions::default() }.check(), Ok(()));
    }
}
