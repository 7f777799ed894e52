//! Log lines made for measurements: an access log whose fields vary as a real one's do.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use jiff::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};

const PATHS: [&str; 8] = [
    "/api/v2/orders/",
    "/api/v2/items/",
    "/api/v2/users/",
    "/static/js/app.",
    "/img/products/",
    "/search/q/",
    "/account/cart/",
    "/api/v1/stock/",
];
const REFERERS: [&str; 4] =
    ["https://shop.example.org/cart", "https://shop.example.org/", "-", "https://www.example.com/search"];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0",
    "python-requests/2.32.4 (batch job; contact ops@example.org)",
];
const STATUSES: [u16; 8] = [200, 200, 200, 200, 304, 200, 404, 502];

/// Writes `count` lines of about 191 bytes, all on the day that ended before `end`, in the order of time.
/// Returns the bytes written.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_access_log(path: &Path, count: u64, seed: u64, end: Timestamp) -> io::Result<u64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let first_second = end.as_second() - 80_000;
    let (mut bytes, mut stamp, mut stamped) = (0, String::new(), i64::MIN);
    let mut line = Vec::with_capacity(256);
    for number in 0..count {
        let second = first_second + i64::try_from(number * 79_000 / count.max(1)).unwrap_or(0);
        if second != stamped {
            stamp = jiff::fmt::strtime::format(
                "%d/%b/%Y:%H:%M:%S %z",
                &Timestamp::from_second(second)
                    .map_err(io::Error::other)?
                    .to_zoned_datetime(jiff::tz::TimeZone::UTC),
            )
            .map_err(io::Error::other)?;
            stamped = second;
        }
        line.clear();
        writeln!(
            line,
            "203.0.{}.{} - - [{stamp}] \"GET {}{number}?page={} HTTP/1.1\" {} {} \"{}\" \"{}\" {:.3} {:08x}",
            rng.random_range(0..16),
            rng.random_range(1..255),
            pick(&PATHS, &mut rng),
            rng.random_range(1..40),
            pick(&STATUSES, &mut rng),
            rng.random_range(200..90_000),
            pick(&REFERERS, &mut rng),
            pick(&AGENTS, &mut rng),
            rng.random_range(0.001..2.0),
            rng.random::<u32>(),
        )?;
        bytes += line.len() as u64;
        out.write_all(&line)?;
    }
    out.flush()?;
    Ok(bytes)
}

fn pick<T: Copy + Default>(from: &[T], rng: &mut StdRng) -> T {
    from.get(rng.random_range(0..from.len())).copied().unwrap_or_default()
}
