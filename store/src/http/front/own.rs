//! Statements that this program sends to a store and that are no user's: migrations, retention, quarantine, clocks.
//!
//! A writer may send them as they are made here, letter by letter, but for the places of numbers and texts that change.

use crate::schema::{self, Layout};

/// A statement with places: `{n}` digits, `{h}` hexadecimal digits, `{s}` a text within quotes, `{b}` true or false.
struct Template {
    text: &'static str,
    kind: Kind,
}

/// What a statement of our own does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads.
    Reads,
    /// Changes.
    Changes,
}

const fn reads(text: &'static str) -> Template {
    Template { text, kind: Kind::Reads }
}

const fn changes(text: &'static str) -> Template {
    Template { text, kind: Kind::Changes }
}

const TEMPLATES: &[Template] = &[
    reads("SELECT DISTINCT Number, Program FROM migrations ORDER BY Number"),
    reads("SELECT max(Number) AS number FROM migrations"),
    reads("SELECT toUnixTimestamp(greatest(now(), now() - uptime() + 2)) AS planned"),
    reads(
        "SELECT toUInt8(toUnixTimestamp(now()) > {n} + {n} OR {b} AND {n} + 1 < toUnixTimestamp(now() - uptime())) AS over",
    ),
    reads(
        "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}",
    ),
    changes("ALTER TABLE logs MODIFY TTL toDateTime(ObservedTimestamp) + toIntervalDay({n})"),
    changes("ALTER TABLE samples MODIFY TTL toDateTime(ObservedTimestamp) + toIntervalDay({n})"),
    changes("ALTER TABLE events MODIFY TTL Planned + toIntervalDay({n})"),
    changes("ALTER TABLE placement MODIFY TTL Planned + toIntervalDay({n})"),
    changes("ALTER TABLE logs REMOVE TTL"),
    changes("ALTER TABLE samples REMOVE TTL"),
    changes("ALTER TABLE events REMOVE TTL"),
    changes("ALTER TABLE placement REMOVE TTL"),
    changes(
        "ALTER TABLE batches UPDATE Records = {n}, Samples = {n}, Events = {n}, Placements = {n}, Bytes = {n}, \
         Hosts = '{s}', HostNames = '{s}', Quarantined = '' \
         WHERE Shipper = unhex('{h}') AND Epoch = {n} AND Sequence = {n}",
    ),
    // What an audit has written into `repairs` since, and what has been folded.
    changes(
        "ALTER TABLE batches DELETE WHERE (Shipper, Epoch, Sequence) IN \
         (SELECT Shipper, Epoch, Sequence FROM repairs WHERE Time >= toDateTime({n}))",
    ),
    changes(
        "ALTER TABLE batches DELETE WHERE Quarantined = '' AND Planned < toDateTime({n}) \
         AND (Shipper, Epoch, intDiv(Sequence, {n})) IN (SELECT Shipper, Epoch, intDiv(First, {n}) FROM ranges)",
    ),
    changes("ALTER TABLE quarantine DELETE WHERE Shipper = unhex('{h}') AND Epoch = {n} AND Sequence = {n}"),
];

/// The statements of our own that a store of this database takes.
pub(super) struct OwnStatements {
    migrations: Vec<String>,
}

impl OwnStatements {
    pub(super) fn of_database(database: &str) -> OwnStatements {
        let layout = Layout { database: database.to_owned(), cluster: None };
        OwnStatements { migrations: schema::rendered(&layout) }
    }

    /// Whether it is one of them, and what it does.
    pub(super) fn kind(&self, text: &str) -> Option<Kind> {
        if self.migrations.iter().any(|own| own == text) {
            return Some(Kind::Changes);
        }
        TEMPLATES.iter().find(|template| matches(template.text, text)).map(|template| template.kind)
    }
}

/// Whether a text is the template with something in each of its places.
fn matches(mut template: &str, mut text: &str) -> bool {
    loop {
        let place = ["{n}", "{h}", "{s}", "{b}"]
            .iter()
            .filter_map(|place| template.find(place).map(|at| (at, *place)))
            .min();
        let Some((at, place)) = place else { return template == text };
        let (before, rest) = template.split_at(at);
        let Some(after) = text.strip_prefix(before) else { return false };
        let Some(length) = filling(place, after) else { return false };
        template = rest.get(place.len()..).unwrap_or_default();
        text = after.get(length..).unwrap_or_default();
    }
}

/// How many bytes of the text fill a place.
fn filling(place: &str, text: &str) -> Option<usize> {
    let run = |fits: fn(&u8) -> bool, most: usize| {
        let length = text.bytes().take_while(fits).count();
        (1..=most).contains(&length).then_some(length)
    };
    match place {
        "{n}" => run(u8::is_ascii_digit, 20),
        "{h}" => run(u8::is_ascii_hexdigit, 32),
        "{b}" => ["true", "false"].iter().find(|word| text.starts_with(**word)).map(|word| word.len()),
        _ => quoted(text),
    }
}

/// The length of a text that stands within quotes, up to the one that closes it: only `\\`, `\'` and `\n` are escapes there.
fn quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'\'' => return Some(at),
            b'\\' if matches!(bytes.get(at + 1), Some(b'\\' | b'\'' | b'n')) => at += 2,
            b'\\' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Kind>) {
        assert_eq!(OwnStatements::of_database("lastwords").kind(text), expected, "{text}");
    }

    #[test]
    fn migrations_are_taken_as_they_are_rendered_and_in_no_other_way() {
        let layout = Layout { database: "lastwords".into(), cluster: None };
        for statement in schema::rendered(&layout) {
            check(&statement, Some(Kind::Changes));
            check(&format!("{statement} "), None);
            check(
                &statement
                    .replacen("MergeTree", "URL('http://x', CSV)", 1)
                    .replacen("ALTER", "DROP", 1)
                    .replacen("INTO", "INTO FUNCTION", 1)
                    .replacen("CREATE DATABASE", "DROP DATABASE", 1),
                None,
            );
        }
        check("CREATE DATABASE IF NOT EXISTS elsewhere", None);
        check("CREATE TABLE x (a Int8) ENGINE = MergeTree ORDER BY a", None);
    }

    #[test]
    fn places_hold_numbers_and_texts_and_nothing_else() {
        let release = |hosts: &str, epoch: &str| {
            format!(
                "ALTER TABLE batches UPDATE Records = 1, Samples = 2, Events = 3, Placements = 4, Bytes = 5, Hosts = '{hosts}', \
                 HostNames = 'hv01\\nhv02', Quarantined = '' WHERE Shipper = unhex('00ff') AND Epoch = {epoch} AND Sequence = 7"
            )
        };
        check(&release("hv01,it\\'s", "6"), Some(Kind::Changes));
        check(&release("", "6"), Some(Kind::Changes));
        check(&release("\\\\", "18446744073709551615"), Some(Kind::Changes));
        for (hosts, epoch) in [
            ("a', Quarantined = file('/etc/passwd'), Hosts = '", "6"),
            ("\\", "6"),
            ("\\x27", "6"),
            ("a", "6 OR 1"),
            ("a", ""),
            ("a", "-1"),
            ("a", "184467440737095516150"),
        ] {
            check(&release(hosts, epoch), None);
        }
        check(
            "ALTER TABLE logs MODIFY TTL toDateTime(ObservedTimestamp) + toIntervalDay(30)",
            Some(Kind::Changes),
        );
        check("ALTER TABLE logs MODIFY TTL toDateTime(ObservedTimestamp) + toIntervalDay(30), now()", None);
        check("ALTER TABLE logs DELETE WHERE 1", None);
        check("SELECT max(Number) AS number FROM migrations", Some(Kind::Reads));
        check("SELECT max(Number) AS number FROM migrations, system.users", None);
    }
}
