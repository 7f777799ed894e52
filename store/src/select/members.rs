//! Which events or records, and how their table calls what is read of them.

use super::literal::{instant, list, pattern, text};
use crate::confine::Predicate;

/// What is in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Events of a class and of every class below it.
    Class(String),
    /// Events of any of these classes and of every class below them.
    Classes(Vec<String>),
    /// Records whose body has this text, letter by letter.
    Text(String),
    /// Records for which this condition is true.
    Predicate(Predicate),
    /// Records of these message templates.
    Templates(Vec<u64>),
}

/// Bounds on when events begin and end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Starts at or after.
    pub start_from_ns: Option<i64>,
    /// Starts before.
    pub start_before_ns: Option<i64>,
    /// Ends at or after, or is open.
    pub end_from_ns: Option<i64>,
}

/// An open end, as it is read.
const OPEN: &str = "toInt64(9223372036854775807)";
/// Latest versions; a version never moves an event to another day, so days are independent.
const LATEST: &str = "SETTINGS do_not_merge_across_partitions_select_final = 1";

/// How a table calls what is read of events.
pub(super) struct Table {
    pub from: &'static str,
    pub id: &'static str,
    pub class: &'static str,
    pub start: &'static str,
    pub end: Option<&'static str>,
    pub end_ns: String,
    pub title: &'static str,
    pub severity: &'static str,
    pub lines: &'static str,
    /// How events are picked out by their key. What is in a key is the same in all versions of a row, so that the others
    /// need not be read before the latest is found.
    pub filter: &'static str,
    pub settings: &'static str,
}

impl Members {
    /// Where they are.
    pub(super) fn table(&self) -> Table {
        match self {
            Members::Class(_) | Members::Classes(_) => Table::events(),
            Members::Text(_) | Members::Predicate(_) | Members::Templates(_) => Table::logs(),
        }
    }

    /// The condition that they are told by.
    pub(super) fn condition(&self) -> String {
        match self {
            Members::Class(class) => of_class(class),
            Members::Classes(classes) => {
                let each: Vec<String> = classes.iter().map(|class| of_class(class)).collect();
                format!("({})", each.join(" OR "))
            }
            // In this form the store leaves out what lacks one of its words.
            Members::Text(words) => format!("Body LIKE {}", text(&format!("%{}%", pattern(words)))),
            Members::Predicate(predicate) => predicate.sql().to_owned(),
            Members::Templates(templates) => format!("Template IN ({})", list(templates, u64::to_string)),
        }
    }
}

fn of_class(class: &str) -> String {
    format!("(Class = {} OR startsWith(Class, {}))", text(class), text(&format!("{class}.")))
}

impl Times {
    /// Further conditions, each with AND in front.
    pub(super) fn conditions(&self, table: &Table) -> String {
        let mut sql = String::new();
        if let Some(from_ns) = self.start_from_ns {
            sql += &format!(" AND {} >= {}", table.start, instant(from_ns));
        }
        if let Some(before_ns) = self.start_before_ns {
            sql += &format!(" AND {} < {}", table.start, instant(before_ns));
        }
        if let Some(from_ns) = self.end_from_ns {
            sql += &match table.end {
                Some(end) => format!(" AND ({end} IS NULL OR {end} >= {})", instant(from_ns)),
                None => format!(" AND {} >= {}", table.start, instant(from_ns)),
            };
        }
        sql
    }
}

impl Table {
    fn events() -> Table {
        Table {
            from: "events FINAL",
            id: "Id",
            class: "Class",
            start: "Start",
            end: Some("End"),
            end_ns: format!(
                "greatest(ifNull(toUnixTimestamp64Nano(End), {OPEN}), toUnixTimestamp64Nano(Start))"
            ),
            title: "Title",
            severity: "Severity",
            lines: "[LineStart, LineEnd]",
            filter: "PREWHERE",
            settings: LATEST,
        }
    }

    fn logs() -> Table {
        Table {
            from: "logs",
            id: "cityHash64(Shipper, Epoch, Sequence, Row)",
            class: "if(Class = '', 'record', Class)",
            start: "Timestamp",
            end: None,
            end_ns: "toUnixTimestamp64Nano(Timestamp)".to_owned(),
            title: "toValidUTF8(substring(splitByChar('\\n', Body)[1], 1, 300))",
            severity: "lower(SeverityText)",
            lines: "[toUInt32(0), toUInt32(4294967295)]",
            filter: "WHERE",
            settings: "",
        }
    }
}
