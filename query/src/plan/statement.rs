//! The question as statements: each set becomes columns of numbers, and nothing is joined in the engine.
//!
//! A set is fetched as (host, start, end, id) by a range of its table's key, latest versions only. 5 million rows of
//! these are some 130 MB and sort themselves into hosts in a counting pass, after which one sweep gives the matches
//! and the very windows that the statistics need; a join in the engine would give the matches alone.

use super::narrow::Narrow;
use crate::{
    chance::Relation,
    event::Row,
    language::{self, Grouping, Members, Near, Set},
};

/// An open end, as it is fetched.
const OPEN: &str = "toInt64(9223372036854775807)";
/// Latest versions; a version never moves an event to another day, so days are independent.
const LATEST: &str = "SETTINGS do_not_merge_across_partitions_select_final = 1";

/// Which columns are fetched beside start, end and id, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The guest: its UUID, or `host/name` where that is not known.
    pub guest: bool,
    /// What is counted by.
    pub key: bool,
    /// The uncertainty of the clock.
    pub clock: bool,
}

/// A statement and the columns it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The statement.
    pub sql: String,
    /// What it gives.
    pub wanted: Wanted,
}

/// Bounds on what is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Starts at or after.
    pub start_from_ns: Option<i64>,
    /// Starts before.
    pub start_before_ns: Option<i64>,
    /// Ends at or after, or is open.
    pub end_from_ns: Option<i64>,
}

/// The events asked for: those that start in the range. `by`: what they are counted by.
pub fn anchors(set: &Set, bounds: &language::Bounds, by: Option<&Grouping>) -> Fetch {
    let bounds = Bounds { start_from_ns: bounds.from_ns, start_before_ns: bounds.to_ns, end_from_ns: None };
    let key = match by {
        Some(Grouping::Guest) => Some("Guest"),
        Some(Grouping::Class) => Some("Class"),
        // The host comes anyway, and the time makes the others.
        _ => None,
    };
    let table = Table::of(set);
    let wanted = Wanted { guest: true, key: key.is_some(), clock: true };
    fetch(&table, &members(&set.members), &bounds.sql(&table), wanted, key)
}

/// The partners that anchors of the range, or the windows in which chance looks for them, can have: those begun
/// before the range count while they reach into it. `guest`: whether their guests matter. `narrowed`: by [`narrowed`].
pub(crate) fn partners(near: &Near, bounds: &language::Bounds, guest: bool, narrowed: &str) -> Fetch {
    partners_within(near, bounds_of_partners(near, bounds), guest, narrowed)
}

fn bounds_of_partners(near: &Near, bounds: &language::Bounds) -> Bounds {
    let start_before_ns = match near.relation {
        Relation::After => bounds.to_ns,
        // An anchor may last beyond the range and a partner begin during it.
        Relation::Before | Relation::Of => None,
    };
    let end_from_ns = bounds.from_ns.map(|from_ns| from_ns.saturating_sub(near.within_ns));
    Bounds { start_from_ns: None, start_before_ns, end_from_ns }
}

/// Several sets in one statement, each row with the class or template that it is of as its key.
#[derive(Debug, Clone)]
pub(crate) enum Several {
    /// Classes, each with all below it.
    Classes(Vec<String>),
    /// Message templates, by fingerprint.
    Templates(Vec<u64>),
}

impl Several {
    /// Whether a row with this key is of the set at a place.
    pub fn has(&self, at: usize, key: &str) -> bool {
        match self {
            Several::Classes(classes) => classes.get(at).is_some_and(|class| {
                key.strip_prefix(class.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
            Several::Templates(templates) => templates.get(at).is_some_and(|one| key.parse() == Ok(*one)),
        }
    }

    /// How many sets.
    pub fn len(&self) -> usize {
        match self {
            Several::Classes(classes) => classes.len(),
            Several::Templates(templates) => templates.len(),
        }
    }

    /// Those at these places.
    pub fn only(&self, places: &[usize]) -> Several {
        match self {
            Several::Classes(all) => {
                Several::Classes(places.iter().filter_map(|at| all.get(*at)).cloned().collect())
            }
            Several::Templates(all) => {
                Several::Templates(places.iter().filter_map(|at| all.get(*at)).copied().collect())
            }
        }
    }

    /// As [`partners`], of each.
    pub fn partners(&self, near: &Near, bounds: &language::Bounds, guest: bool, narrowed: &str) -> Fetch {
        let (table, members, key) = match self {
            Several::Classes(classes) => {
                let each: Vec<String> = classes.iter().map(|class| of_class(class)).collect();
                (Table::events(), format!("({})", each.join(" OR ")), "Class")
            }
            Several::Templates(templates) => {
                let each: Vec<String> = templates.iter().map(u64::to_string).collect();
                let key = "toLowCardinality(toString(Template))";
                (Table::logs(), format!("Template IN ({})", each.join(", ")), key)
            }
        };
        let narrow = format!("{}{narrowed}", bounds_of_partners(near, bounds).sql(&table));
        fetch(&table, &members, &narrow, Wanted { guest, key: true, clock: false }, Some(key))
    }
}

/// When partners of these anchors can be; none without anchors.
pub fn times_of_partners(near: &Near, anchors: &[Row]) -> Option<Bounds> {
    let first_ns = anchors.iter().map(|row| row.start_ns).min()?;
    let last_ns = match near.relation {
        Relation::After => anchors.iter().map(|row| row.start_ns).max()?,
        Relation::Before | Relation::Of => {
            anchors.iter().map(|row| row.end_ns).max()?.saturating_add(near.within_ns)
        }
    };
    Some(Bounds {
        start_from_ns: None,
        start_before_ns: last_ns.checked_add(1),
        end_from_ns: Some(first_ns.saturating_sub(near.within_ns)),
    })
}

/// The partners of a condition within bounds.
pub fn partners_within(near: &Near, bounds: Bounds, guest: bool, narrowed: &str) -> Fetch {
    let table = Table::of(&near.partners);
    let narrow = format!("{}{narrowed}", bounds.sql(&table));
    fetch(&table, &members(&near.partners.members), &narrow, Wanted { guest, ..Wanted::default() }, None)
}

/// A further condition that narrows a statement. `moving`: whether guests' events may be of another host than they name.
pub(crate) fn narrowed(narrow: &Narrow, moving: bool) -> String {
    let mut sql = String::new();
    if let Some(hosts) = &narrow.hosts {
        let hosts: Vec<String> = hosts.iter().map(|host| literal(host)).collect();
        let guests = if moving { " OR Guest != '' OR GuestUuid != ''" } else { "" };
        sql += &format!(" AND (Host IN ({}){guests})", hosts.join(", "));
    }
    if let Some(buckets_s) = &narrow.buckets_s {
        // As the key of `logs` has them, so that nothing else is read.
        let buckets: Vec<String> = buckets_s.iter().map(i64::to_string).collect();
        sql += &format!(" AND toStartOfFiveMinutes(Timestamp) IN ({})", buckets.join(", "));
    }
    sql
}

fn fetch(table: &Table, members: &str, narrow: &str, wanted: Wanted, key: Option<&str>) -> Fetch {
    let mut columns = vec![
        "Host".to_owned(),
        format!("toUnixTimestamp64Nano({})", table.start),
        table.end_ns.clone(),
        format!("{} AS id", table.id),
    ];
    if wanted.guest {
        // A guest is its UUID; where that is not known, its name on its host.
        columns.push(
            "toLowCardinality(multiIf(GuestUuid != '', toString(GuestUuid), Guest != '', concat(Host, '/', Guest), ''))"
                .to_owned(),
        );
    }
    columns.extend(key.map(str::to_owned));
    if wanted.clock {
        columns.push("ClockUncertainty".to_owned());
    }
    let sql = format!(
        "SELECT {} FROM {} WHERE {members}{narrow} {}",
        columns.join(", "),
        table.from,
        table.settings
    );
    Fetch { sql, wanted }
}

/// Statement for what is printed of some events: as [`crate::fetch::details::Detail`]. Without ids, of the whole set.
pub fn details(set: &Set, bounds: Bounds, ids: Option<&[u64]>) -> String {
    let table = Table::of(set);
    let only = ids.map_or(String::new(), |ids| {
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        format!(" AND id IN ({})", ids.join(", "))
    });
    format!(
        "SELECT {} AS id, {} AS class, toUnixTimestamp64Nano({}) AS start_ns, {} AS end_ns, Host AS host, Guest AS guest, \
         {} AS title, {} AS severity, hex(Shipper) AS shipper, Epoch AS epoch, Sequence AS sequence, Row AS row, {} AS lines, \
         ClockUncertainty AS clock_uncertainty_ns FROM {} WHERE {}{}{only} {}",
        table.id,
        table.class,
        table.start,
        table.end_ns,
        table.title,
        table.severity,
        table.lines,
        table.from,
        members(&set.members),
        bounds.sql(&table),
        table.settings
    )
}

impl Bounds {
    fn sql(&self, table: &Table) -> String {
        let instant = |time_ns: i64| format!("fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')");
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

/// How a table calls what a question needs.
struct Table {
    from: &'static str,
    id: &'static str,
    class: &'static str,
    start: &'static str,
    end: Option<&'static str>,
    end_ns: String,
    title: &'static str,
    severity: &'static str,
    lines: &'static str,
    settings: &'static str,
}

impl Table {
    fn of(set: &Set) -> Table {
        match set.members {
            Members::Class(_) => Table::events(),
            Members::Text(_) | Members::Predicate(_) => Table::logs(),
        }
    }

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
            settings: "",
        }
    }
}

fn of_class(class: &str) -> String {
    format!("(Class = {} OR startsWith(Class, {}))", literal(class), literal(&format!("{class}.")))
}

fn members(members: &Members) -> String {
    match members {
        Members::Class(class) => of_class(class),
        // In this form the store leaves out what lacks one of its words.
        Members::Text(text) => format!("Body LIKE {}", literal(&format!("%{}%", pattern(text)))),
        // Printed anew, in brackets; it was checked to be an expression over one record and nothing more.
        Members::Predicate(predicate) => predicate.sql().to_owned(),
    }
}

/// A text as a pattern of `LIKE` that matches nothing else.
fn pattern(text: &str) -> String {
    text.chars()
        .flat_map(|letter| matches!(letter, '%' | '_' | '\\').then_some('\\').into_iter().chain([letter]))
        .collect()
}

/// A string as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for letter in text.chars() {
        match letter {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_their_text_alone() {
        assert_eq!(pattern(r"100 % of a_b\c"), r"100 \% of a\_b\\c");
    }

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal(r"it's \ 'x'"), r"'it\'s \\ \'x\''");
    }
}
