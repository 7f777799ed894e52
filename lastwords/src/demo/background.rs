//! What machines write when nothing is wrong: the lines among which the last words have to be found.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, rngs::StdRng};

use super::console::Line;

const PEOPLE: [&str; 6] = ["alice", "bo", "carla", "dmitri", "esra", "deploy"];
const UNITS: [&str; 7] =
    ["logrotate", "man-db", "apt-daily", "fstrim", "systemd-tmpfiles-clean", "e2scrub_all", "dpkg-db-backup"];
const PATHS: [&str; 8] = [
    "/",
    "/login",
    "/api/v2/orders",
    "/api/v2/items",
    "/static/app.js",
    "/img/logo.svg",
    "/search",
    "/healthz",
];
const AGENTS: [&str; 4] =
    ["Mozilla/5.0 (X11; Linux x86_64)", "curl/7.88.1", "kube-probe/1.33", "Prometheus/3.5"];

/// A hypervisor host's syslog without its time: a line every minute or so.
pub fn host_lines(
    host: &str,
    guests: &[String],
    start: Timestamp,
    end: Timestamp,
    rng: &mut StdRng,
) -> Vec<Line> {
    spread(start, end, 90, rng, |rng| {
        let pid = rng.random_range(400..32_000);
        let address = format!(
            "10.{}.{}.{}",
            rng.random_range(0..4),
            rng.random_range(0..255),
            rng.random_range(1..255)
        );
        let person = pick(&PEOPLE, rng);
        let guest = guests.get(rng.random_range(0..guests.len().max(1))).map_or("guest", String::as_str);
        let text = match rng.random_range(0..13) {
            0 => format!(
                "sshd[{pid}]: Accepted publickey for {person} from {address} port {} ssh2",
                rng.random_range(1_024..65_000)
            ),
            1 => format!(
                "sshd[{pid}]: pam_unix(sshd:session): session opened for user {person}(uid=1004) by (uid=0)"
            ),
            2 => format!(
                "sshd[{pid}]: Received disconnect from {address} port {}:11: disconnected by user",
                rng.random_range(1_024..65_000)
            ),
            3 => format!("CRON[{pid}]: (root) CMD (/usr/lib/sysstat/debian-sa1 1 1)"),
            4 => format!("systemd[1]: {}.service: Deactivated successfully.", pick(&UNITS, rng)),
            5 => format!("systemd[1]: Starting {}.service...", pick(&UNITS, rng)),
            6 => {
                format!("chronyd[{pid}]: Selected source {address} ({}.pool.ntp.org)", rng.random_range(0..4))
            }
            7 => format!(
                "smartd[{pid}]: Device: /dev/sda [SAT], SMART Usage Attribute: 194 Temperature_Celsius changed from {} to {}",
                rng.random_range(60..70),
                rng.random_range(60..70)
            ),
            8 => format!(
                "sudo: {person} : TTY=pts/1 ; PWD=/home/{person} ; USER=root ; COMMAND=/usr/sbin/xl list"
            ),
            9 => format!(
                "kernel: [{}.{:06}] device vif{}.0 entered promiscuous mode",
                rng.random_range(9_000..900_000),
                rng.random_range(0..1_000_000),
                rng.random_range(1..80)
            ),
            10 => format!(
                "node_exporter[{pid}]: level=info msg=\"scrape done\" duration_ms={}",
                rng.random_range(3..90)
            ),
            11 => format!("backup[{pid}]: snapshot of {guest} finished, {} MiB", rng.random_range(40..9_000)),
            _ => format!(
                "postfix/smtp[{pid}]: {:010X}: to=<ops@example.org>, relay=mail.example.org[{address}]:25, status=sent (250 2.0.0 Ok)",
                rng.random_range(0..0xFF_FFFF_FFFF_u64)
            ),
        };
        format!("{host} {text}")
    })
}

/// A web guest's access log without its time, as what stands before and behind it.
pub fn access_lines(
    start: Timestamp,
    end: Timestamp,
    rng: &mut StdRng,
) -> Vec<(Timestamp, (String, String))> {
    spread(start, end, 70, rng, |rng| {
        let client = format!("192.0.2.{}", rng.random_range(1..255));
        let status =
            [200, 200, 200, 200, 304, 404, 302, 500].get(rng.random_range(0..8)).copied().unwrap_or(200);
        let rest = format!(
            "\"GET {}?id={} HTTP/1.1\" {status} {} \"-\" \"{}\"",
            pick(&PATHS, rng),
            rng.random_range(1..90_000),
            rng.random_range(120..90_000),
            pick(&AGENTS, rng)
        );
        (client, rest)
    })
}

fn pick<'a>(from: &[&'a str], rng: &mut StdRng) -> &'a str {
    from.get(rng.random_range(0..from.len())).copied().unwrap_or_default()
}

/// Makes an entry every `seconds_max / 2` seconds on average.
fn spread<T>(
    start: Timestamp,
    end: Timestamp,
    seconds_max: i64,
    rng: &mut StdRng,
    mut make: impl FnMut(&mut StdRng) -> T,
) -> Vec<(Timestamp, T)> {
    let mut entries = Vec::new();
    let mut at = start;
    loop {
        at += SignedDuration::from_secs(rng.random_range(1..seconds_max));
        if at >= end {
            return entries;
        }
        entries.push((at, make(rng)));
    }
}
