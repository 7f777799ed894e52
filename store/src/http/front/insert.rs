//! An `INSERT` as a writer may send it: into one of our tables, with its columns named, and data in a format that holds
//! no expressions. What is sent on is printed anew from its parts.

use super::formats;
use crate::http::failure::Failure;
use crate::http::words::Head as InsertHead;

/// Tables that data may go to. Which migrations there were is the migrations' own matter.
pub(super) const TABLES: &[&str] =
    &["audits", "batches", "events", "logs", "placement", "quarantine", "ranges", "repairs", "samples"];
/// Columns that one insert may name.
const COLUMNS_MAX: usize = 200;

/// The statement up to its data, and its format.
///
/// # Errors
/// Where it is anything but an insert of named columns into a table of ours.
pub(super) fn canonical(head: &InsertHead, database: &str) -> Result<(String, &'static str), Failure> {
    let Some(format) = formats::data(&head.format) else {
        return Err(refused(&format!("data in the format {:?} is not taken", brief(&head.format))));
    };
    let (target, rest) = target(&head.text).ok_or_else(|| {
        refused("wanted INSERT INTO table (column, …) FORMAT name, and nothing else before the data")
    })?;
    let columns = columns(rest).filter(|(_, rest)| rest.trim().is_empty());
    let (columns, _) = columns.ok_or_else(|| {
        refused("wanted the columns' names in brackets, (Timestamp, Host, Body), and then FORMAT or VALUES")
    })?;
    Ok((printed(&target, &columns, database)?, format))
}

fn printed(target: &[String], columns: &[String], database: &str) -> Result<String, Failure> {
    let (given, table) = match target {
        [table] => (None, table),
        [given, table] => (Some(given), table),
        _ => return Err(refused("a table's name has one point at most")),
    };
    let ours = given.is_none_or(|given| given == database) && TABLES.contains(&table.as_str());
    if !ours {
        return Err(Failure::Statement {
            code: 60,
            text: format!(
                "Code: 60. DB::Exception: Table {:?} is none that data can be inserted into; there are {}. (UNKNOWN_TABLE)",
                brief(table),
                TABLES.join(", ")
            ),
        });
    }
    let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    Ok(format!("INSERT INTO `{database}`.`{table}` ({})", columns.join(", ")))
}

/// `INSERT INTO table (column, …) SELECT …`: the beginning, printed anew, and the part that reads. None where it is no
/// insert at all.
///
/// # Errors
/// Where it is an insert of another kind.
pub(super) fn selecting<'a>(text: &'a str, database: &str) -> Result<Option<(String, &'a str)>, Failure> {
    if word(text, "insert").is_none() {
        return Ok(None);
    }
    let wanted = || refused("wanted INSERT INTO table (column, …), then FORMAT name and data, or a SELECT");
    let (names, rest) = target(text).ok_or_else(wanted)?;
    let (columns, rest) = columns(rest).ok_or_else(wanted)?;
    Ok(Some((printed(&names, &columns, database)?, rest)))
}

pub(super) fn refused(what: &str) -> Failure {
    Failure::Statement {
        code: 497,
        text: format!("Code: 497. DB::Exception: Not enough privileges: {what}. (ACCESS_DENIED)"),
    }
}

fn brief(text: &str) -> String {
    text.chars().take(64).collect()
}

/// `INSERT INTO [TABLE] name[.name]`: the names, and what follows them.
fn target(text: &str) -> Option<(Vec<String>, &str)> {
    let text = word(text, "insert")?;
    let text = word(text, "into")?;
    let after = word(text, "table").filter(|after| name(after).is_some());
    let (first, mut text) = name(after.unwrap_or(text))?;
    let mut names = vec![first];
    while let Some(rest) = text.trim_start().strip_prefix('.') {
        let (next, rest) = name(rest)?;
        names.push(next);
        text = rest;
    }
    Some((names, text))
}

/// `(name, …)`: the names, and what follows them.
fn columns(text: &str) -> Option<(Vec<String>, &str)> {
    let mut rest = text.trim_start().strip_prefix('(')?;
    let mut names = Vec::new();
    loop {
        let (name, after) = name(rest)?;
        names.push(name);
        let after = after.trim_start();
        if names.len() > COLUMNS_MAX {
            return None;
        }
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((names, after.strip_prefix(')')?)),
        }
    }
}

/// What follows a keyword that has to be there, with something that ends it.
fn word<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let (found, rest) = text.split_at_checked(wanted.len())?;
    let ends = rest.starts_with(|next: char| next.is_ascii_whitespace() || "`\"".contains(next));
    (found.eq_ignore_ascii_case(wanted) && ends).then_some(rest)
}

/// A name, bare or quoted. In quotes there may be the letters of a bare one alone: none of ours has others, so nothing
/// has to be unescaped.
fn name(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|first| "`\"".contains(*first));
    let inner = if quote.is_some() { text.get(1..)? } else { text };
    let end = inner.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(inner.len());
    let (found, rest) = inner.split_at(end);
    if found.is_empty() || found.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let rest = match quote {
        Some(quote) => rest.strip_prefix(quote)?,
        None => rest,
    };
    Some((found.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::words::insert_head;

    fn whole(text: &str) -> Option<String> {
        let head = insert_head(text.as_bytes())?;
        let (statement, format) = canonical(&head, "lastwords").ok()?;
        Some(format!("{statement} FORMAT {format}"))
    }

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(whole(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn inserts_into_our_tables_are_printed_anew() {
        let logs = "INSERT INTO `lastwords`.`logs` (`Host`, `Body`) FORMAT Native";
        check("INSERT INTO logs (Host, Body) FORMAT Native\n\u{1}", Some(logs));
        check("insert into table lastwords.logs(`Host` , \"Body\")\nformat native ", Some(logs));
        check("INSERT INTO `lastwords`.`logs` (Host,Body) FORMAT Native", Some(logs));
        check(
            "INSERT INTO samples (Mean) VALUES (1)",
            Some("INSERT INTO `lastwords`.`samples` (`Mean`) FORMAT Values"),
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "INSERT INTO logs FORMAT Native\n",
            "INSERT INTO logs () FORMAT Native\n",
            "INSERT INTO logs (*) FORMAT Native\n",
            "INSERT INTO logs (* EXCEPT (Body)) FORMAT Native\n",
            "INSERT INTO logs (COLUMNS('.*')) FORMAT Native\n",
            "INSERT INTO migrations (Number) VALUES (9)",
            "INSERT INTO elsewhere.logs (Body) FORMAT Native\n",
            "INSERT INTO system.logs (Body) FORMAT Native\n",
            "INSERT INTO a.lastwords.logs (Body) FORMAT Native\n",
            "INSERT INTO FUNCTION file('x', 'CSV') (Body) FORMAT CSV\n",
            "INSERT INTO FUNCTION `\\x66ile`('x', 'CSV') (Body) FORMAT CSV\n",
            "INSERT INTO TABLE FUNCTION url('http://x') (Body) FORMAT CSV\n",
            "INSERT INTO `log\\x73` (Body) FORMAT CSV\n",
            "INSERT INTO logs (`Bod\\x79`) FORMAT CSV\n",
            "INSERT INTO logs (Body) SETTINGS async_insert = 1 FORMAT CSV\n",
            "INSERT INTO logs (Body) PARTITION BY 1 FORMAT CSV\n",
            "INSERT INTO logs (Body) FROM INFILE '/etc/passwd' FORMAT CSV\n",
            "INSERT INTO logs (Body) FORMAT Template\n",
            "INSERT INTO logs (Body) FORMAT Protobuf\n",
            "INSERT INTO logs (Body) /* x */ FORMAT CSV\n",
            "WITH x AS (SELECT 1) INSERT INTO logs (Body) FORMAT CSV\n",
        ] {
            check(text, None);
        }
    }
}
