//! Who may send batches to this machine, and for how long certificates are valid.

use std::time::SystemTime;

use lastwords_runtime::{descriptors, tls::certificate::days_left};
use lastwords_shipper::uplink::TlsOptions;

use super::finding::Finding;
use crate::config::Config;

/// From so few days on, somebody should have renewed it.
const WARN_DAYS: i64 = 14;
const CERTIFICATES: &str = "certificates";
const MANUAL: &str = "docs/security.md shows how certificates are made";

pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![listener(config), http(config), limits(config)];
    findings.extend(clickhouse(config));
    findings.extend(certificates(config));
    findings
}

fn listener(config: &Config) -> Finding {
    const CHECK: &str = "shippers";
    let security = &config.listen.security;
    let Some(address) = config.listen.grpc else {
        return Finding::ok(CHECK, "no batches are taken from other machines (listen.grpc = off)");
    };
    match &security.tls {
        Some(files) if files.client_ca_file.is_some() => Finding::ok(
            CHECK,
            format!("{address}: TLS; each writes only as the host that its certificate names"),
        ),
        Some(_) => Finding::warn(
            CHECK,
            format!(
                "{address}: TLS, but no client certificates are wanted: whoever reaches it can write as any host"
            ),
            format!("set listen.tls.client_ca_file; {MANUAL}"),
        ),
        None if address.ip().is_loopback() => {
            Finding::ok(CHECK, format!("{address}: plain text, from this machine alone"))
        }
        None => Finding::warn(
            CHECK,
            format!("{address}: insecure: plain text, and whoever reaches it can write as any host"),
            format!("set [listen.tls] instead of listen.insecure; {MANUAL}"),
        ),
    }
}

/// The ClickHouse port, which has passwords, and TLS where it is configured.
fn clickhouse(config: &Config) -> Option<Finding> {
    const CHECK: &str = "ClickHouse port";
    let address = config.clickhouse.listen?;
    let passwords = config.data.clickhouse();
    let tls = match config.clickhouse_tls() {
        Ok(tls) => tls.is_some(),
        Err(error) => {
            return Some(Finding::warn(CHECK, error.to_string(), "put a certificate and its key there"));
        }
    };
    Some(if address.ip().is_loopback() || tls {
        let found = format!(
            "{address}: users reader and writer; passwords that were made are in {}",
            passwords.display()
        );
        Finding::ok(CHECK, found)
    } else {
        Finding::warn(
            CHECK,
            format!("{address}: plain text: whoever listens in between reads passwords and rows"),
            "set [clickhouse.tls], listen on 127.0.0.1, or behind a proxy with TLS",
        )
    })
}

fn http(config: &Config) -> Finding {
    const CHECK: &str = "questions";
    match config.listen.http {
        None => Finding::ok(CHECK, "no HTTP listener (listen.http = off); the data folder's socket answers"),
        Some(address) if address.ip().is_loopback() => {
            Finding::ok(CHECK, format!("{address}: answered over HTTP to whoever is on this machine"))
        }
        Some(address) if config.listen.security.insecure => Finding::warn(
            CHECK,
            format!(
                "{address}: insecure: `up` answers over HTTP to anyone; whoever reaches it can read everything"
            ),
            "listen on 127.0.0.1, behind a proxy or an ssh tunnel that asks who comes",
        ),
        Some(address) => Finding::ok(
            CHECK,
            format!("{address}: health and metrics of `ingest` and `write`; `up` would not answer there"),
        ),
    }
}

/// Below so many connections a fleet of any size is turned away.
const CONNECTIONS_WARN: usize = 64;

fn limits(config: &Config) -> Finding {
    const CHECK: &str = "limits";
    let (plan, descriptors) = (&config.listen.memory, descriptors::current().limit);
    let found = format!("{}; {descriptors} descriptors", plan.describe());
    if config.listen.grpc.is_some() && plan.connections < CONNECTIONS_WARN {
        return Finding::warn(
            CHECK,
            found,
            "raise the limit of open files (LimitNOFILE), or listen.memory_max",
        );
    }
    Finding::ok(CHECK, found)
}

fn certificates(config: &Config) -> Vec<Finding> {
    let mut findings = match config.listen_tls() {
        Ok(None) => Vec::new(),
        Ok(Some(tls)) => tls
            .expiries()
            .into_iter()
            .map(|expiry| end(&format!("listen.tls.{}_file", expiry.which), expiry.not_after_s))
            .collect(),
        Err(error) => vec![Finding::fail(CERTIFICATES, error.to_string(), MANUAL)],
    };
    let tls = match config.ship_tls() {
        Ok(tls) => tls,
        Err(error) => {
            findings.push(Finding::fail(CERTIFICATES, error.to_string(), MANUAL));
            None
        }
    };
    match tls.as_ref().map(TlsOptions::not_after_s) {
        None | Some(Ok(None)) => {}
        Some(Ok(Some(not_after_s))) => findings.push(end("ship.tls.certificate_file", not_after_s)),
        Some(Err(error)) => {
            findings.push(Finding::fail(CERTIFICATES, format!("[ship.tls]: {error}"), MANUAL));
        }
    }
    findings
}

fn end(key: &str, not_after_s: i64) -> Finding {
    let days = days_left(not_after_s, SystemTime::now());
    let way_out = "put a new one in its place; it is taken without a restart";
    match days {
        ..0 => Finding::fail(CERTIFICATES, format!("{key}: ended {} days ago", -days), way_out),
        0..WARN_DAYS => Finding::warn(CERTIFICATES, format!("{key}: ends in {days} days"), way_out),
        _ => Finding::ok(CERTIFICATES, format!("{key}: ends in {days} days")),
    }
}
