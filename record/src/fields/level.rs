//! Levels as programs write them, and their numbers in OpenTelemetry's log model.

/// Severity number of OpenTelemetry's log model for a syslog severity (0 to 7); 0 where it is none.
/// Source: OpenTelemetry's logs data model, "Appendix B: SeverityNumber example mappings", Syslog.
pub fn severity_of_syslog(severity: u8) -> u8 {
    match severity {
        0 => 21,
        1 => 19,
        2 => 18,
        3 => 17,
        4 => 13,
        5 => 10,
        6 => 9,
        7 => 5,
        _ => 0,
    }
}

/// Words for levels, in small letters.
const WORDS: [(&[u8], u8); 33] = [
    (b"trace", 1),
    (b"trc", 1),
    (b"finest", 1),
    (b"finer", 2),
    (b"verbose", 3),
    (b"debug", 5),
    (b"dbg", 5),
    (b"fine", 5),
    (b"debug1", 5),
    (b"config", 7),
    (b"info", 9),
    (b"inf", 9),
    (b"information", 9),
    (b"informational", 9),
    (b"log", 9),
    (b"notice", 10),
    (b"note", 10),
    (b"success", 9),
    (b"warn", 13),
    (b"warning", 13),
    (b"wrn", 13),
    (b"error", 17),
    (b"err", 17),
    (b"eror", 17),
    (b"severe", 17),
    (b"failure", 17),
    (b"crit", 18),
    (b"critical", 18),
    (b"alert", 19),
    (b"fatal", 21),
    (b"ftl", 21),
    (b"emerg", 21),
    (b"emergency", 21),
];
const WORD_BYTES_MAX: usize = 13;

/// The severity of a word, whatever its letters; 0 where it is no level.
pub(super) fn of_word(word: &[u8]) -> u8 {
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return 0;
    }
    if word.eq_ignore_ascii_case(b"panic") {
        return 21;
    }
    WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map_or(0, |(_, severity)| *severity)
}

/// Words behind the time that are looked at, and bytes in which they stand.
const LOOKED_AT: usize = 8;
const HEAD_BYTES: usize = 112;

/// The severity of a level near a text's beginning. A word counts where it is written as levels are: in capital letters by
/// itself (`ERROR`, `WARN:`), in brackets (`[error]`, `<Warning>`), or in any letters with a colon where nothing, or another
/// word with a colon, stands in front (`error: `, `general: error: `).
pub(super) fn near_beginning(text: &[u8]) -> u8 {
    if let Some(severity) = klog(text) {
        return severity;
    }
    let head = text.get(..HEAD_BYTES.min(text.len())).unwrap_or_default();
    if let Some(severity) = redis(head) {
        return severity;
    }
    let (mut at, mut is_behind_label) = (0, true);
    for _ in 0..LOOKED_AT {
        let Some(rest) = head.get(at..) else { break };
        let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'|')).count();
        let Some(rest) = rest.get(spaces..).filter(|rest| !rest.is_empty()) else { break };
        let length = memchr::memchr3(b' ', b'\t', b'|', rest).unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let severity = of_written(word, is_behind_label);
        is_behind_label = word.ends_with(b":");
        if severity > 0 {
            return severity;
        }
        if word.first() == Some(&b'"') {
            // What is quoted is somebody else's.
            break;
        }
        at += spaces + length;
    }
    0
}

/// A word with what may stand around a level: `[ERROR]`, `ERROR:`, `ERROR:root:x`, `(error)`, `[error]:`, `[core:warn]`.
fn of_written(word: &[u8], is_behind_label: bool) -> u8 {
    let (opened, inner) = match word.split_first() {
        Some((b'[' | b'(' | b'<' | b'{', inner)) => (true, inner),
        _ => (false, word),
    };
    let Some(first) = inner.first().filter(|first| first.is_ascii_alphabetic()) else { return 0 };
    let length =
        inner.iter().take(WORD_BYTES_MAX + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let Some((name, behind)) = inner.split_at_checked(length) else { return 0 };
    if name.len() < 3 {
        return 0;
    }
    if opened && let Some(second) = behind.strip_prefix(b":").and_then(|second| second.strip_suffix(b"]")) {
        return of_word(second);
    }
    let closed = opened && matches!(behind.first(), Some(b']' | b')' | b'>' | b'}'));
    let capital = first.is_ascii_uppercase() && name.iter().all(|byte| !byte.is_ascii_lowercase());
    let labelled = is_behind_label && behind == b":";
    // A colour may end behind it.
    let bare = !opened && matches!(behind.first(), None | Some(b':' | 0x1b));
    if closed || (capital && bare) || labelled { of_word(name) } else { 0 }
}

/// `E1120 15:02:11.123456   12345 file.go:1] `: Google's loggers, and Kubernetes'.
fn klog(text: &[u8]) -> Option<u8> {
    let [level @ (b'I' | b'W' | b'E' | b'F'), rest @ ..] = text else { return None };
    let digits = rest.get(..4)?.iter().all(u8::is_ascii_digit);
    let clock = rest.get(4) == Some(&b' ') && rest.get(7) == Some(&b':') && rest.get(10) == Some(&b':');
    (digits && clock).then_some(match level {
        b'I' => 9,
        b'W' => 13,
        b'E' => 17,
        _ => 21,
    })
}

/// `1234:M 27 Jun 2026 18:26:36.000 * text`: Redis and its kin, whose level is one sign behind the clock.
fn redis(head: &[u8]) -> Option<u8> {
    let digits = head.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = head.get(digits..).filter(|_| digits > 0)?;
    matches!(rest, [b':', b'M' | b'S' | b'C' | b'X', b' ', ..]).then_some(())?;
    let sign = rest.split(|byte| *byte == b' ').nth(5)?;
    match sign {
        b"." => Some(5),
        b"-" => Some(3),
        b"*" => Some(10),
        b"#" => Some(13),
        _ => None,
    }
}

/// The severity of a level that a field has: a word, a syslog number, or the numbers of pino and bunyan.
pub(super) fn of_field(value: &[u8]) -> u8 {
    match value.trim_ascii() {
        [digit @ b'0'..=b'7'] => severity_of_syslog(digit - b'0'),
        b"10" => 1,
        b"20" => 5,
        b"30" => 9,
        b"40" => 13,
        b"50" => 17,
        b"60" => 21,
        word => of_word(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_as_programs_write_them_and_words_of_a_sentence_are_none() {
        for (text, expected) in [
            ("2026-11-20 15:02:11,123 ERROR [main] c.e.Foo - failed", 17),
            ("2026/11/20 15:02:11 [error] 811#0: *1 open() failed", 17),
            ("[Fri Nov 20 15:02:11 2026] [core:warn] x", 13),
            ("[warn] x", 13),
            ("WARNING:root:careful", 13),
            ("ERROR:  relation \"x\" does not exist", 17),
            ("error: cannot open", 17),
            ("fatal: not a git repository", 21),
            ("2026-11-20T15:02:11Z DEBUG x", 5),
            ("2026-11-20T15:02:11Z|00001|bridge|WARN|x", 13),
            ("00001|bridge |WARN| x", 13),
            ("E1120 15:02:11.123456   12345 file.go:1] failed", 17),
            ("I1120 15:02:11.123456   12345 file.go:1] ERROR in the text", 9),
            ("1234:M 27 Jun 2026 18:26:36.000 # redis warns", 13),
            ("27-Jun-2026 18:26:38.000 general: error: bind9", 17),
            ("the error was seen", 0),
            ("an ERROROUS word", 0),
            ("10.0.0.1 - - [20/Nov/2026:15:02:11 +0000] \"GET /ERROR HTTP/1.1\" 200", 0),
            ("connection error: reset", 0),
            ("IN=eth0 OUT= MAC=", 0),
            ("", 0),
        ] {
            assert_eq!(near_beginning(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_fields_level_is_a_word_or_a_number() {
        for (value, expected) in [
            ("error", 17),
            ("WARN", 13),
            ("3", 17),
            ("30", 9),
            ("60", 21),
            ("99", 0),
            ("Information", 9),
            ("x", 0),
        ] {
            assert_eq!(of_field(value.as_bytes()), expected, "{value}");
        }
    }
}
