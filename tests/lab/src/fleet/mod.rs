//! The processes of the way through Kafka, as the laboratory starts, signals and ends them.
//!
//! - `child`: a process that is started again and again under one name
//! - `broker`: Apache Kafka, by `scripts/kafka`
//! - `config`: what the processes are told
//! - `client`: questions to the store

pub mod broker;
pub mod child;
pub mod client;
pub mod config;

use std::net::{SocketAddr, TcpListener};

use anyhow::bail;

/// Below the range from which the system takes ports of outgoing connections: a server that is down for a while
/// must find its port free when it comes back.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// `count` successive ports of loopback that nobody uses.
///
/// # Errors
/// Where there are none.
pub fn free_ports(count: u16) -> anyhow::Result<Vec<u16>> {
    let span = u32::from(PORTS.end - PORTS.start - count);
    let start = PORTS.start + u16::try_from(std::process::id().wrapping_mul(37) % span)?;
    for first in (start..PORTS.end - count).chain(PORTS.start..start) {
        let ports: Vec<u16> = (first..first + count).collect();
        if ports.iter().all(|port| TcpListener::bind(loopback(*port)).is_ok()) {
            return Ok(ports);
        }
    }
    bail!("no {count} successive ports between {} and {} are free", PORTS.start, PORTS.end)
}

/// A port of loopback.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
