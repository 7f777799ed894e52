//! Who may send batches to a process that listens for shippers.

use std::{sync::Arc, time::Duration};

use lastwords_ingester::{AdmitOptions, CallMetrics, Limits, Refusals, ServerTls, Speakers};

use crate::config::Config;

/// Who may send batches, and what was refused.
pub struct Gate {
    /// How connections are taken; none: in plain text.
    pub tls: Option<Arc<ServerTls>>,
    /// What was refused.
    pub refusals: Arc<Refusals>,
    /// What is counted of their calls.
    pub calls: Arc<CallMetrics>,
    /// What all shippers may take together.
    pub limits: Limits,
    grace: Duration,
}

impl Gate {
    /// Reads certificates and keys, and warns of what is open.
    ///
    /// # Errors
    /// Where a file cannot be used.
    pub fn load(config: &Config) -> anyhow::Result<Gate> {
        let security = &config.listen.security;
        let tls = config.listen_tls()?;
        match (config.listen.grpc, &tls) {
            (Some(address), None) if security.insecure && !address.ip().is_loopback() => tracing::warn!(
                %address,
                "insecure: batches are taken in plain text from other machines; whoever reaches the port can write as any host"
            ),
            (Some(address), Some(tls)) if !tls.is_mutual() => tracing::warn!(
                %address,
                "no client certificates are wanted: whoever reaches the port can write as any host"
            ),
            _ => {}
        }
        // What is left of the grace period is for storing what was taken.
        Ok(Gate {
            tls,
            refusals: Arc::default(),
            calls: Arc::default(),
            limits: Limits::new(config.listen.memory),
            grace: config.grace.mul_f64(0.75),
        })
    }

    /// What calls are judged by.
    pub fn options(&self, speakers: Speakers) -> AdmitOptions {
        AdmitOptions {
            speakers,
            grace: self.grace,
            refusals: Arc::clone(&self.refusals),
            calls: Arc::clone(&self.calls),
            limits: self.limits.clone(),
            ..AdmitOptions::default()
        }
    }

    /// Writes its counters in the text format of Prometheus.
    pub fn metrics(&self) -> impl Fn() -> String + Send + Sync + 'static + use<> {
        let (tls, refusals, limits) = (self.tls.clone(), Arc::clone(&self.refusals), self.limits.clone());
        let calls = Arc::clone(&self.calls);
        move || {
            refusals.metrics()
                + &calls.metrics()
                + &limits.metrics()
                + &tls.as_ref().map(|tls| tls.metrics()).unwrap_or_default()
        }
    }
}
