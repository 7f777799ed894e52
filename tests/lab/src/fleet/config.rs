//! What the processes are told.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

/// Where an ingester or a writer finds what.
pub struct Server<'a> {
    /// The brokers.
    pub brokers: &'a str,
    /// The store, or what stands before it.
    pub store: SocketAddr,
    /// Where it takes batches (an ingester alone does).
    pub grpc: SocketAddr,
    /// Metrics and health.
    pub http: SocketAddr,
    /// After how long without a sign of life a writer's partitions go to another.
    pub session_timeout_ms: u32,
}

impl Server<'_> {
    /// The file.
    pub fn text(&self) -> String {
        format!(
            r#"grace_seconds = 20
[kafka]
brokers = "{}"
topic = "lastwords.batches"
quarantine_topic = "lastwords.quarantine"
group = "lastwords-write"
partitions = 6
replication = 1
retention_hours = 72
[kafka.consumer_properties]
"session.timeout.ms" = "{}"
"heartbeat.interval.ms" = "1000"
[listen]
grpc = "{}"
http = "{}"
[store]
url = "http://{}"
user = "default"
"#,
            self.brokers, self.session_timeout_ms, self.grpc, self.http, self.store
        )
    }
}

/// A shipper that reads files and nothing else.
pub fn shipper(host: &str, state: &Path, ingester: SocketAddr, globs: &[String]) -> String {
    let mut text = format!(
        "state_dir = \"{}\"\n[host]\nname = \"{host}\"\n[uplink]\ningester = \"http://{ingester}\"\n\
         [sources]\njournald = false\nkmsg = false\nsamples = false\n",
        state.display()
    );
    // Writing to a String cannot fail.
    let _ = write!(text, "[[file]]\npaths = {globs:?}\n");
    text
}
