//! What the text of a statement may hold, before anybody parses it.

use std::ops::Range;

/// Words that may not stand outside strings: they write, set, format or begin another statement.
const REFUSED: &[&str] =
    &["into", "outfile", "infile", "settings", "insert", "append", "truncate", "attach", "alter", "drop"];
/// Longest statement.
const BYTES_MAX: usize = 200_000;

/// The one statement of a text, without a semicolon at its end.
pub(super) fn one_statement(text: &str) -> Result<&str, String> {
    let statement = text.trim();
    let statement = statement.strip_suffix(';').unwrap_or(statement).trim_end();
    if !super::is_sql(statement) {
        return Err("Wanted a statement that begins with SELECT or WITH.".to_owned());
    }
    scan(statement, "SQL here reads: wanted one SELECT")?;
    Ok(statement)
}

/// Whether a text can be nothing but one expression: no word begins a query, and no bracket closes what it did not open.
pub(super) fn expression(text: &str) -> Result<(), String> {
    let pieces = scan(text, "a condition reads one record")?;
    let mut open = Vec::new();
    for (piece, _) in &pieces {
        match piece {
            Piece::Word(word)
                if [
                    "select", "with", "from", "union", "limit", "order", "group", "where", "having", "format",
                ]
                .contains(&word.as_str()) =>
            {
                return Err(format!("{word:?} is not part of a condition"));
            }
            Piece::Word(_) | Piece::Text => {}
            Piece::Sign(open_sign @ ('(' | '[' | '{')) => open.push(*open_sign),
            Piece::Sign(close @ (')' | ']' | '}')) => {
                let wanted = match close {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if open.pop() != Some(wanted) {
                    return Err(format!("a {close} closes nothing"));
                }
            }
            Piece::Sign(_) => {}
        }
    }
    if let Some(open) = open.last() {
        return Err(format!("a {open} is never closed"));
    }
    Ok(())
}

/// The pieces of a statement that passed [`one_statement`].
pub(super) fn pieces(statement: &str) -> Result<Vec<(Piece, Range<usize>)>, String> {
    scan(statement, "SQL here reads: wanted one SELECT")
}

/// A part of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A name or keyword, in lower case.
    Word(String),
    /// A string.
    Text,
    /// Any other character.
    Sign(char),
}

/// Cuts a text into pieces with their places; quoted names are passed over. Refuses what may be read in two ways.
fn scan(text: &str, reads: &str) -> Result<Vec<(Piece, Range<usize>)>, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("a statement has at most {BYTES_MAX} bytes; this one has {}", text.len()));
    }
    let mut pieces = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        match letter {
            '\'' | '"' | '`' => {
                let mut closed = false;
                while let Some((_, inner)) = letters.next() {
                    if inner == '\\' {
                        letters.next();
                    } else if inner == letter {
                        closed = true;
                        break;
                    } else if letter != '\'' && (inner.is_control() || !inner.is_ascii()) {
                        // Names are printed as they are when the statement is parsed, line by line.
                        return Err("a quoted name may hold printable ASCII alone".to_owned());
                    }
                }
                if !closed {
                    return Err(format!("a {letter} is never closed"));
                }
                let end = letters.peek().map_or(text.len(), |(at, _)| *at);
                if letter == '\'' {
                    pieces.push((Piece::Text, start..end));
                } else if text.get(start..end).is_some_and(|name| name.contains('\\')) {
                    // It could put a line break into the name.
                    return Err("a quoted name may not hold a backslash".to_owned());
                }
            }
            ';' => {
                return Err(format!("{reads}; found a semicolon, after which another statement would begin"));
            }
            '$' | '#' => return Err(format!("{letter} is not allowed outside strings")),
            '-' if letters.peek().is_some_and(|(_, next)| *next == '-') => {
                return Err("comments are not allowed; write a - -b for a minus and a minus".to_owned());
            }
            '/' if letters.peek().is_some_and(|(_, next)| *next == '*') => {
                return Err("comments are not allowed".to_owned());
            }
            letter if !letter.is_ascii() => return Err(format!("{letter:?} is not allowed outside strings")),
            letter if letter.is_ascii_control() && !letter.is_ascii_whitespace() => {
                return Err("a control character is not allowed".to_owned());
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let mut end = start + 1;
                while let Some((at, _)) =
                    letters.next_if(|(_, next)| next.is_ascii_alphanumeric() || *next == '_')
                {
                    end = at + 1;
                }
                let word = text.get(start..end).unwrap_or_default().to_ascii_lowercase();
                if REFUSED.contains(&word.as_str()) {
                    return Err(format!("{reads}; {} is not allowed", word.to_ascii_uppercase()));
                }
                let called = text.get(end..).unwrap_or_default().trim_start().starts_with('(');
                if word == "format" && !called {
                    return Err("FORMAT is not allowed: the form of rows is chosen with --format".to_owned());
                }
                pieces.push((Piece::Word(word), start..end));
            }
            letter if letter.is_ascii_whitespace() => {}
            letter => pieces.push((Piece::Sign(letter), start..start + 1)),
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_may_be_read_in_two_ways_are_refused() {
        for text in [
            "",
            "DROP TABLE logs",
            "SELECT 1; SELECT 2",
            "SELECT 1; -- x",
            "SELECT 1 -- x",
            "SELECT 1 /* x */",
            "SELECT 1 # x",
            "SELECT $$a$$",
            "SELECT 'open",
            "SELECT `a\nb` FROM logs",
            "SELECT `a\\nTableIdentifier logs` FROM logs",
            "SELECT \u{2018}a\u{2019}",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT 1 INTO\nOUTFILE '/tmp/x'",
            "SELECT 1 SETTINGS readonly = 0",
            "SELECT 1 FORMAT CSV",
            "WITH x AS (SELECT 1) INSERT INTO logs SELECT 1",
            "SELECT 1\u{0}",
        ] {
            assert!(one_statement(text).is_err(), "{text:?} was let through");
        }
    }

    #[test]
    fn ordinary_statements_are_let_through() {
        for text in [
            "SELECT 1",
            "  select 1 ;  ",
            "WITH 3 AS three SELECT three",
            "SELECT 'a; b -- c # $ \u{2018} INTO \\' /*' AS \"x\", `y`, 1 - -1 FROM logs",
            "SELECT format('{} {}', Host, Guest) FROM events FINAL",
            "SELECT a['b'] / 2 FROM logs",
        ] {
            assert!(one_statement(text).is_ok(), "{text:?}: {:?}", one_statement(text));
        }
    }

    #[test]
    fn conditions_are_one_expression() {
        for (text, allowed) in [
            ("Program = 'nginx' and SeverityNumber >= 17", true),
            ("match(Body, '(open') or LogAttributes['a'] != ''", true),
            ("1) OR (1", false),
            ("1 = (SELECT 1)", false),
            ("Host IN (SELECT name FROM system.users)", false),
            ("1 LIMIT 5", false),
            ("1 SETTINGS max_threads = 1", false),
            ("(1", false),
            ("1; DROP TABLE logs", false),
        ] {
            assert_eq!(expression(text).is_ok(), allowed, "{text}");
        }
    }
}
