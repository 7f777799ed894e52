//! What the engine says that a statement touches, held against the lists: for the tests and for fuzzing.

use lastwords_store::confine::{Audience, TABLES, allows_function};

/// The names behind some words in an explained tree, with the word.
pub fn named<'t>(tree: &'t str, kinds: &[&'t str]) -> Vec<(&'t str, &'t str)> {
    let mut found = Vec::new();
    for line in tree.lines() {
        for kind in kinds {
            let line = line.trim_start();
            let rest = if kind.ends_with(": ") {
                line.split_once(kind).filter(|(before, _)| !before.ends_with('_')).map(|(_, rest)| rest)
            } else {
                line.strip_prefix(kind)
            };
            if let Some(rest) = rest {
                let end = rest.find([' ', ',']).unwrap_or(rest.len());
                found.push((*kind, &rest[..end]));
            }
        }
    }
    found
}

/// What the engine puts into a resolved tree itself: the value of a SELECT in brackets, parts of columns, GROUPING SETS.
const OF_ENGINE: &[&str] = &["__getScalar", "getSubcolumn", "groupingFor"];
/// Where it keeps what WITH RECURSIVE has found so far.
const OF_RECURSION: &str = "_temporary_and_external_tables";

/// Fails where a tree names a function or a table that is on no list of the port.
pub fn assert_known(found: &[(&str, &str)], text: &str) {
    const OF_STORE: &[&str] = &["parts", "databases", "tables", "columns", "settings", "functions", "one"];
    const OF_TABLES: &[&str] = &[
        "numbers",
        "numbers_mt",
        "zeros",
        "zeros_mt",
        "generate_series",
        "generateSeries",
        "values",
        "VALUES",
        "null",
    ];
    for (kind, name) in found {
        let known = match *kind {
            "Function " | "function_name: " => {
                let of_engine = matches!(*name, "lambda" | "_CAST")
                    || (*kind == "function_name: " && OF_ENGINE.iter().any(|own| name.starts_with(own)));
                of_engine
                    || allows_function(name, Audience::Port)
                    || (kind.starts_with('F') && OF_TABLES.contains(name))
            }
            "table_function_name: " => OF_TABLES.contains(name),
            _ => match name.split_once('.') {
                Some(("lastwords", table)) => TABLES.contains(&table),
                Some(("system", view)) => OF_STORE.contains(&view),
                Some((database, _)) if database == OF_RECURSION => true,
                Some(_) => false,
                // What WITH names, or what the engine makes for itself.
                None => !name.is_empty(),
            },
        };
        assert!(known, "{kind}{name} in {text}");
    }
}
