//! Kafka: its topics, and how far the writers are.

use lastwords_ingester::kafka::topics;

use super::finding::Finding;
use crate::config::Config;

/// A batch that has waited longer is worth a look.
const WARN_SECONDS: i64 = 300;

pub async fn check(config: &Config) -> Vec<Finding> {
    let Some(options) = &config.kafka else { return Vec::new() };
    let states = match topics::check(options).await {
        Ok(states) => states,
        Err(error) => return vec![Finding::fail("kafka", error.to_string(), "docs/kafka.md")],
    };
    let mut findings: Vec<Finding> = states
        .iter()
        .map(|state| {
            let found =
                format!("{}: {} partitions, {} replicas", state.topic, state.partitions, state.replicas);
            if state.behind > 0 {
                let found = format!("{found}; replicas of {} partitions are behind", state.behind);
                Finding::warn("kafka", found, "look at the brokers")
            } else if state.replicas < 3 {
                let way_out = "with 3 brokers or more, kafka.replication = 3 outlives the loss of one";
                Finding::warn("kafka", found, way_out)
            } else {
                Finding::ok("kafka", found)
            }
        })
        .collect();
    findings.push(match topics::lag(options).await {
        Err(error) => Finding::fail("kafka writers", error.to_string(), "docs/kafka.md"),
        Ok(lags) => {
            let batches: i64 = lags.iter().map(|lag| lag.batches).sum();
            match lags.iter().filter_map(|lag| Some((lag.seconds?, lag.partition))).max() {
                Some((seconds, partition)) if seconds > WARN_SECONDS => Finding::warn(
                    "kafka writers",
                    format!(
                        "{batches} batches wait to be stored; the oldest, on partition {partition}, for {seconds} s"
                    ),
                    "does `lastwords write` run, and does the store answer? /metrics of each says",
                ),
                _ => Finding::ok("kafka writers", format!("{batches} batches wait to be stored")),
            }
        }
    });
    findings
}
