//! The hosts' network counters, as the sampler of a shipper would have written them down.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, rngs::StdRng};

use super::story::Saturation;

const SPEED_BITS_PER_SECOND: u64 = 10_000_000_000;
const INTERFACE: &str = "bond0";
/// Counters are read every ten seconds around a saturation and every minute else: the demo need not write a
/// gigabyte of them.
const FINE: SignedDuration = SignedDuration::from_secs(10);
const COARSE: SignedDuration = SignedDuration::from_secs(60);
const AROUND: SignedDuration = SignedDuration::from_mins(20);

/// Writes the counters of one host as JSON lines. `saturations` are that host's.
///
/// # Errors
/// Where the writer fails.
pub fn write_counters(
    out: &mut impl Write,
    start: Timestamp,
    end: Timestamp,
    saturations: &[Saturation],
    rng: &mut StdRng,
) -> io::Result<()> {
    let (mut received, mut transmitted, mut drops) =
        (rng.random_range(0..1 << 40), rng.random_range(0..1 << 40), 0_u64);
    let mut at = start;
    while at < end {
        writeln!(out, "{}", sample(at, "receive", received, 0))?;
        writeln!(out, "{}", sample(at, "transmit", transmitted, drops))?;
        let near = saturations.iter().any(|one| at + COARSE >= one.start - AROUND && at <= one.end + AROUND);
        let step = if near { FINE } else { COARSE };
        let next = at + step;
        // A step that lies partly inside a saturation carries its share of the traffic.
        let saturated: f64 = saturations.iter().map(|one| share(at, next, one)).sum();
        let (idle, busy) = (rng.random_range(0.04..0.30), rng.random_range(0.955..0.995));
        transmitted += bytes(step, idle * (1.0 - saturated) + busy * saturated);
        received += bytes(step, rng.random_range(0.03..0.25));
        drops += if saturated > 0.0 { rng.random_range(20..900) } else { 0 };
        at = next;
    }
    Ok(())
}

/// Which part of [from, to) lies inside the saturation.
fn share(from: Timestamp, to: Timestamp, saturation: &Saturation) -> f64 {
    let overlap = to.min(saturation.end).duration_since(from.max(saturation.start)).as_secs_f64();
    (overlap / to.duration_since(from).as_secs_f64()).max(0.0)
}

/// Bytes that pass in `duration` at a share of the interface's speed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a speed below 2^53 bits/s times a share between 0 and 1"
)]
fn bytes(duration: SignedDuration, utilisation: f64) -> u64 {
    (SPEED_BITS_PER_SECOND as f64 / 8.0 * duration.as_secs_f64() * utilisation) as u64
}

fn sample(at: Timestamp, direction: &str, bytes_total: u64, drops_total: u64) -> serde_json::Value {
    serde_json::json!({
        "time": at.to_string(),
        "interface": INTERFACE,
        "direction": direction,
        "bytes_total": bytes_total,
        "drops_total": drops_total,
        "speed_bits_per_second": SPEED_BITS_PER_SECOND,
    })
}
