//! Scans the same records so many times: `valgrind --tool=callgrind target/release/examples/scan_cost KIND TIMES` twice, with
//! different TIMES, and the difference is the scan's alone. KIND: `access` (a web server's log), `syslog` (a host's), or a
//! file whose lines are the records. With a third argument `template` it makes their templates instead.
#![allow(clippy::expect_used, reason = "a tool for developers ends by panicking")]

use std::fmt::Write as _;

use lastwords_detect::{Detector, Provenance, template};
use lastwords_record::Source;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().expect("KIND is given");
    let times: usize = arguments.next().and_then(|times| times.parse().ok()).expect("TIMES is a number");
    let text = match kind.as_str() {
        "access" => (0..LINES).fold(String::new(), |mut text, n| {
            let (net, second, size) = (n % 250, n % 60, n % 9000);
            writeln!(text, "192.0.2.{net} - - [20/Nov/2026:15:02:{second:02} +0000] \"GET /shop/item?id={n} HTTP/1.1\" 200 {size} \"https://example.org/\" \"Mozilla/5.0 (X11; Linux x86_64)\"").expect("a string can be written");
            text
        }),
        "syslog" => (0..LINES).fold(String::new(), |mut text, n| {
            let (second, host) = (n % 60, n % 9);
            let program = match n % 4 {
                0 => format!("sshd[{n}]: Accepted publickey for root from 192.0.2.7 port {n} ssh2"),
                1 => format!("systemd[1]: Started Session {n} of user root."),
                2 => format!("kernel: [{n}.123456] EXT4-fs (sda1): mounted filesystem. Quota mode: none."),
                _ => format!("app[{n}]: WARNING: retry {n} of the request was terminated."),
            };
            writeln!(text, "Nov 20 15:02:{second:02} hv{host} {program}").expect("a string can be written");
            text
        }),
        file => String::from_utf8_lossy(&std::fs::read(file).expect("the file is readable")).into_owned(),
    };
    let ends: Vec<u32> = memchr::memchr_iter(b'\n', text.as_bytes())
        .map(|at| u32::try_from(at + 1).expect("the text is small"))
        .collect();
    if arguments.next().as_deref() == Some("template") {
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let bodies: Vec<&[u8]> = begins
            .zip(&ends)
            .map(|(begin, end)| text.as_bytes().get(begin as usize..*end as usize).unwrap_or_default())
            .collect();
        let mut all = 0_u64;
        for _ in 0..times {
            all = bodies.iter().fold(all, |all, body| all.wrapping_add(template::of_record(body, "")));
        }
        println!("{} records of {} bytes, {all:016x}", ends.len(), text.len() / ends.len().max(1));
        return;
    }
    let detector = Detector::built_in();
    let mut found = Vec::new();
    for _ in 0..times {
        found.clear();
        detector.scan(text.as_bytes(), &ends, |_| Provenance::of(Source::Syslog), &mut found);
    }
    println!("{} records of {} bytes, {} events", ends.len(), text.len() / ends.len().max(1), found.len());
}

const LINES: usize = 20_000;
