//! Two hosts for a week: counters with a saturation each afternoon on one of them, and consoles with panics
//! whose distance from it is known to the second.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// 2026-11-09 00:00:00 UTC, a Monday.
const MONDAY: i64 = 1_794_182_400;
const DAY: i64 = 86_400;
const SPEED_BITS_PER_SECOND: u64 = 1_000_000_000;

/// The first saturated second of the day and the first that is not any more: 15:00:00 and 15:20:00.
const SATURATED: std::ops::Range<i64> = 54_000..55_200;

/// A planted panic.
pub struct Panic {
    /// Day since Monday, from 0.
    pub day: i64,
    /// Second of that day.
    pub second: i64,
    /// Matches `within 5 minutes of`, `… after`, `… before` network saturation on the same host.
    pub matches: [bool; 3],
}

const fn at(hour: i64, minute: i64, second: i64) -> i64 {
    hour * 3_600 + minute * 60 + second
}

/// The panics of hv01's guest db01. Saturation lasts from 15:00:00 to 15:20:00 each day.
pub const PANICS: &[Panic] = &[
    Panic { day: 0, second: at(15, 5, 0), matches: [true, true, false] },
    Panic { day: 1, second: at(15, 25, 0), matches: [true, true, false] },
    Panic { day: 2, second: at(15, 25, 1), matches: [false, false, false] },
    Panic { day: 3, second: at(14, 55, 0), matches: [true, false, true] },
    Panic { day: 4, second: at(14, 54, 59), matches: [false, false, false] },
    Panic { day: 5, second: at(15, 0, 0), matches: [true, true, true] },
    Panic { day: 6, second: at(3, 0, 0), matches: [false, false, false] },
];
/// The one panic of hv02's guest db02: in the middle of hv01's saturation, on a host that has none.
pub const ELSEWHERE: Panic = Panic { day: 0, second: at(15, 7, 0), matches: [false, false, false] };
/// Saturations of hv01.
pub const SATURATIONS: u64 = 7;

/// How to import one file.
pub struct Import {
    /// Arguments before the file.
    pub arguments: Vec<String>,
    /// The file.
    pub file: PathBuf,
}

/// Writes the week's files.
///
/// # Panics
/// Where the folder cannot be written.
#[must_use]
pub fn write_week(folder: &Path) -> Vec<Import> {
    let write = |name: &str, host: &str, more: &[&str], text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).expect("the folder can be written");
        let arguments = ["--host", host].iter().chain(more).map(|&argument| argument.to_owned()).collect();
        Import { arguments, file }
    };
    let db01: Vec<(i64, i64)> = PANICS.iter().map(|panic| (panic.day, panic.second)).collect();
    let db02 = [(ELSEWHERE.day, ELSEWHERE.second)];
    vec![
        write("hv01-nic.jsonl", "hv01", &["--source", "sample"], &counters(true)),
        write("hv02-nic.jsonl", "hv02", &["--source", "sample"], &counters(false)),
        write("guest-db01.log", "hv01", &["--guest", "db01", "--source", "console"], &console(&db01)),
        write("guest-db02.log", "hv02", &["--guest", "db02", "--source", "console"], &console(&db02)),
    ]
}

/// Counters of a week: every ten seconds around the afternoon, every minute else.
fn counters(saturated: bool) -> String {
    let mut text = String::new();
    let mut bytes: u64 = 0;
    let mut second = 0;
    while second < 7 * DAY {
        let of_day = second % DAY;
        for direction in ["receive", "transmit"] {
            let total = if direction == "transmit" { bytes } else { bytes / 100 };
            let time = timestamp(MONDAY + second, 'T');
            writeln!(
                text,
                "{{\"time\":\"{time}Z\",\"interface\":\"bond0\",\"direction\":\"{direction}\",\"bytes_total\":{total},\
                 \"drops_total\":0,\"speed_bits_per_second\":{SPEED_BITS_PER_SECOND}}}"
            )
            .expect("a String can be written");
        }
        let step: u64 = if (at(14, 40, 0)..at(15, 40, 0)).contains(&of_day) { 10 } else { 60 };
        let percent = if saturated && SATURATED.contains(&of_day) { 97 } else { 10 };
        bytes += SPEED_BITS_PER_SECOND / 8 * step * percent / 100;
        second += step.cast_signed();
    }
    text
}

/// A console as xenconsoled writes it: a line every ten minutes, and the panics.
fn console(panics: &[(i64, i64)]) -> String {
    let mut lines: Vec<(i64, String)> =
        (0..7 * 144).map(|index| (index * 600 + 17, format!("app[1]: request {index} handled"))).collect();
    for &(day, second) in panics {
        let at = day * DAY + second;
        let uptime = at + 1_000;
        let stack = [
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
            "CPU: 0 PID: 1 Comm: init Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2",
            "Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-debian-1.16.2-1 04/01/2014",
            "Call Trace:",
            " <TASK>",
            " dump_stack_lvl+0x44/0x5c",
            " panic+0x118/0x2ed",
            " do_exit.cold+0x98/0x98",
            " do_group_exit+0x2d/0x80",
            " __x64_sys_exit_group+0x14/0x20",
            " do_syscall_64+0x55/0xb0",
            " entry_SYSCALL_64_after_hwframe+0x6e/0xd8",
            " </TASK>",
            "Kernel Offset: disabled",
            "---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b ]---",
        ];
        lines.extend(
            stack.iter().enumerate().map(|(index, line)| (at, format!("[{uptime:5}.{index:06}] {line}"))),
        );
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.iter().map(|(at, line)| format!("[{}] {line}\r\n", timestamp(MONDAY + at, ' '))).collect()
}

/// A second of that November, in UTC.
fn timestamp(second: i64, between: char) -> String {
    let (day, of_day) = ((second - MONDAY) / DAY, second % DAY);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("2026-11-{:02}{between}{hour:02}:{minute:02}:{second:02}", 9 + day)
}
