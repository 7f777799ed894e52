//! How fast ordinary text goes by.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark ends by panicking; its functions are its names"
)]

use divan::{Bencher, counter::BytesCount};
use lastwords_detect::{Detector, Provenance};
use lastwords_record::Source;

fn main() {
    divan::main();
}

/// Access logs of a web server.
fn access(bytes: usize) -> Vec<u8> {
    filled(bytes, |n| {
        format!(
            "192.0.2.{} - - [20/Nov/2026:15:02:{:02} +0000] \"GET /shop/item?id={n} HTTP/1.1\" 200 {} \"https://example.org/\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
            n % 250,
            n % 60,
            n % 9000
        )
    })
}

/// What a host's programs and kernel write on an ordinary day.
fn syslog(bytes: usize) -> Vec<u8> {
    filled(bytes, |n| {
        let (second, host) = (n % 60, n % 9);
        match n % 4 {
            0 => format!(
                "Nov 20 15:02:{second:02} hv{host} sshd[{n}]: Accepted publickey for root from 192.0.2.7 port {n} ssh2\n"
            ),
            1 => format!("Nov 20 15:02:{second:02} hv{host} systemd[1]: Started Session {n} of user root.\n"),
            2 => format!(
                "Nov 20 15:02:{second:02} hv{host} kernel: [{n}.123456] EXT4-fs (sda1): mounted filesystem. Quota mode: none.\n"
            ),
            _ => format!(
                "Nov 20 15:02:{second:02} hv{host} app[{n}]: WARNING: retry {n} of the request was terminated.\n"
            ),
        }
    })
}

fn filled(bytes: usize, line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 256);
    let mut n = 0;
    while text.len() < bytes {
        text.extend_from_slice(line(n).as_bytes());
        n += 1;
    }
    text
}

fn scan(bencher: Bencher<'_, '_>, text: &[u8]) {
    let detector = Detector::built_in();
    let ends: Vec<u32> =
        memchr::memchr_iter(b'\n', text).map(|at| u32::try_from(at + 1).expect("small")).collect();
    bencher.counter(BytesCount::of_slice(text)).bench_local(|| {
        let mut found = Vec::new();
        detector.scan(divan::black_box(text), &ends, |_| Provenance::of(Source::Syslog), &mut found);
        found
    });
}

#[divan::bench(sample_count = 20)]
fn access_log(bencher: Bencher<'_, '_>) {
    scan(bencher, &access(16 << 20));
}

#[divan::bench(sample_count = 20)]
fn syslog_of_a_host(bencher: Bencher<'_, '_>) {
    scan(bencher, &syslog(16 << 20));
}
