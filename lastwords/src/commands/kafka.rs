//! `lastwords kafka …`

use lastwords_ingester::kafka::{KafkaOptions, topics};

use crate::{
    args::PlaceArgs,
    config::{self, Config, ConfigError, Flags},
    outcome::Outcome,
    output,
};
use lastwords_config::environment;

const LACKING: &str =
    "no Kafka is configured: wanted kafka.brokers = \"HOST:9092\", or LASTWORDS_KAFKA_BROKERS";

/// The configuration's Kafka.
///
/// # Errors
/// Where it has none.
pub fn options(config: &Config) -> Result<KafkaOptions, ConfigError> {
    config.kafka.clone().ok_or(ConfigError::Lacking(LACKING))
}

/// `lastwords kafka init`
///
/// # Errors
/// Where Kafka does not answer or refuses.
pub async fn init(place: &PlaceArgs) -> anyhow::Result<Outcome> {
    let options = options(&config::load(&Flags::from(place), &environment)?)?;
    let made = topics::init(&options).await?;
    for topic in [&options.topic, &options.quarantine_topic] {
        let state = if made.contains(topic) { "made" } else { "was there already" };
        output::say(format_args!("{topic}: {state}"))?;
    }
    if options.replication < 3 {
        output::say(format_args!(
            "kafka.replication is {}: an acknowledged batch does not survive the loss of a broker's disk or power; \
             with 3 brokers it is 3",
            options.replication
        ))?;
    }
    Ok(Outcome::Done)
}

/// `lastwords kafka check`
///
/// # Errors
/// Where Kafka does not answer, or a topic is missing or not as configured.
pub async fn check(place: &PlaceArgs) -> anyhow::Result<Outcome> {
    let options = options(&config::load(&Flags::from(place), &environment)?)?;
    let mut ended = Outcome::Done;
    for state in topics::check(&options).await? {
        output::say(format_args!(
            "{}: {} partitions, {} replicas",
            state.topic, state.partitions, state.replicas
        ))?;
        if state.behind > 0 {
            output::say(format_args!("{}: replicas of {} partitions are behind", state.topic, state.behind))?;
            ended = Outcome::Failed;
        }
    }
    Ok(ended)
}
