//! Who may send batches to this machine, and for how long certificates are valid.

use std::time::SystemTime;

use lastwords_tls::certificate::days_left;

use super::Finding;
use crate::config::Config;

/// From so few days on, somebody should have renewed it.
const WARN_DAYS: i64 = 14;
const MANUAL: &str = "docs/security.md shows how certificates are made";

pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![listener(config)];
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

fn certificates(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "certificates";
    let tls = match config.listen_tls() {
        Ok(None) => return Vec::new(),
        Ok(Some(tls)) => tls,
        Err(error) => return vec![Finding::fail(CHECK, error.to_string(), MANUAL)],
    };
    let finding = |which: &str, not_after_s: i64| {
        let days = days_left(not_after_s, SystemTime::now());
        let way_out = "put a new one in its place; it is taken without a restart";
        match days {
            ..0 => {
                Finding::fail(CHECK, format!("listen.tls.{which}_file: ended {} days ago", -days), way_out)
            }
            0..WARN_DAYS => {
                Finding::warn(CHECK, format!("listen.tls.{which}_file: ends in {days} days"), way_out)
            }
            _ => Finding::ok(CHECK, format!("listen.tls.{which}_file: ends in {days} days")),
        }
    };
    tls.expiries().into_iter().map(|expiry| finding(expiry.which, expiry.not_after_s)).collect()
}
