//! Whether the lists of what users' SQL may name are true, and whether the store reads what is printed as it reads what
//! was written. On the real engine: each test in a process of its own.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail as the test does"
)]

#[path = "confine/engine_tree.rs"]
mod engine_tree;
mod support;

use std::collections::{BTreeSet, HashMap};

use engine_tree::{assert_known, named};
use lastwords_store::Store;
use lastwords_store::confine::{
    Audience, LOGS_COLUMNS, Policy, TABLES, allows_function, confine, confine_predicate, limits,
    listed_functions,
};
use lastwords_store::rows::LogsBlock;
use serde::Deserialize;
use support::{fresh, log};

const ASKER: Policy<'_> = Policy { database: "lastwords", audience: Audience::Asker };
const PORT: Policy<'_> = Policy { database: "lastwords", audience: Audience::Port };
/// A statement a line, of every kind that is understood.
const DIALECT: &str = include_str!("confine/dialect.sql");

/// A store with some records.
async fn with_records() -> (tempfile::TempDir, Store) {
    let (folder, store) = fresh().await;
    let planned = store.planning_time_s().await.unwrap();
    let mut block = LogsBlock::new();
    for row in 0..50 {
        block.push(log(b"line 10.0.0.1 panic", row, planned));
    }
    store.insert_native(LogsBlock::TABLE, block.encode(), &Default::default()).await.unwrap();
    (folder, store)
}

/// What a statement gives under the limits of users' statements.
async fn answer(store: &Store, text: &str, format: &str) -> Result<String, String> {
    let settings = limits::settings(Audience::Asker);
    // A statement at random may want all the time that it is given.
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, if *name == "max_execution_time" { "10" } else { value.as_str() }))
        .collect();
    let answer = store.query_bytes(text, &[], format, &settings).map_err(|error| error.to_string())?;
    answer
        .collect()
        .await
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_read_as_what_was_written() {
    let (_folder, store) = with_records().await;
    for written in DIALECT.lines() {
        let printed =
            confine(written, &ASKER).unwrap_or_else(|error| panic!("{}", error.pointing_into(written))).text;
        if !written.starts_with("SHOW") {
            let [first, second] = [written, printed.as_str()].map(|text| format!("EXPLAIN AST {text}"));
            let first = answer(&store, &first, "TabSeparatedRaw").await.unwrap();
            let second = answer(&store, &second, "TabSeparatedRaw").await.unwrap();
            let unqualified = |tree: &str| tree.replace("TableIdentifier lastwords.", "TableIdentifier ");
            assert_eq!(unqualified(&first), unqualified(&second), "{written}\n{printed}");
        }
        // Names of columns, their types, rows.
        let first = answer(&store, written, "CSVWithNamesAndTypes").await;
        let second = answer(&store, &printed, "CSVWithNamesAndTypes").await;
        let sorted = |rows: Result<String, String>| {
            let rows = rows.unwrap_or_else(|error| panic!("{written}\n{printed}\n{error}"));
            let mut lines: Vec<String> = rows.lines().map(str::to_owned).collect();
            lines.get_mut(2..).unwrap_or_default().sort();
            lines
        };
        if !written.starts_with("SHOW") {
            assert_eq!(sorted(first), sorted(second), "{written}\n{printed}");
        }
    }
}

#[derive(Deserialize)]
struct EngineFunction {
    name: String,
    is_aggregate: bool,
    case_insensitive: bool,
    alias_to: String,
    deterministic: Option<u8>,
}

/// Functions whose value does not follow from their arguments, looked at one by one: clock, chance, place in a block,
/// our own database's name, the store's version.
const NOT_OF_ARGUMENTS: &[&str] = &[
    "UTCTimestamp",
    "arrayJoin",
    "arrayPartialReverseSort",
    "arrayPartialShuffle",
    "arrayPartialSort",
    "arrayShuffle",
    "currentDatabase",
    "dateTimeToUUIDv7",
    "generateUUIDv4",
    "generateUUIDv7",
    "isConstant",
    "localtime",
    "now",
    "now64",
    "nowInBlock",
    "nowInBlock64",
    "rand",
    "rand64",
    "randBernoulli",
    "randBinomial",
    "randCanonical",
    "randConstant",
    "randExponential",
    "randLogNormal",
    "randNormal",
    "randPoisson",
    "randUniform",
    "rowNumberInAllBlocks",
    "rowNumberInBlock",
    "toColumnTypeName",
    "today",
    "version",
    "yesterday",
];

#[tokio::test(flavor = "multi_thread")]
async fn functions_on_the_list_are_the_engines_and_all_others_are_refused() {
    let (_folder, store) = fresh().await;
    let found = answer(
        &store,
        "SELECT name, is_aggregate = 1 AS is_aggregate, case_insensitive = 1 AS case_insensitive, alias_to, deterministic \
         FROM system.functions",
        "JSONEachRow",
    );
    let json = found.await.unwrap().replace("\"is_aggregate\":1", "\"is_aggregate\":true");
    let json = json.replace("\"is_aggregate\":0", "\"is_aggregate\":false");
    let json = json.replace("\"case_insensitive\":1", "\"case_insensitive\":true");
    let json = json.replace("\"case_insensitive\":0", "\"case_insensitive\":false");
    let engine: HashMap<String, EngineFunction> = json
        .lines()
        .map(|line| serde_json::from_str::<EngineFunction>(line).unwrap())
        .map(|function| (function.name.clone(), function))
        .collect();
    assert!(engine.len() > 1000, "{}", engine.len());
    let mut listed = BTreeSet::new();
    for (name, any_case, group) in listed_functions() {
        assert!(listed.insert(name), "{name} is listed twice");
        if group == "part of the language" {
            continue;
        }
        let function = engine.get(name).unwrap_or_else(|| panic!("the engine has no function {name}"));
        assert_eq!(function.case_insensitive, any_case, "case of {name}");
        assert_eq!(function.is_aggregate, matches!(group, "aggregate" | "window"), "{name} in {group}");
        // `array_concat_agg` stands for a name with a combinator, which is no entry of its own.
        let origin = engine.get(&function.alias_to).unwrap_or(function);
        let of_arguments = origin.deterministic != Some(0);
        let looked_at = NOT_OF_ARGUMENTS.contains(&origin.name.as_str()) || group == "asked by clients";
        assert!(of_arguments || looked_at, "{name} does not follow from its arguments");
    }
    for name in engine.keys().filter(|name| !listed.contains(name.as_str())) {
        let as_combined = name.ends_with("Merge") || name.ends_with("Array");
        assert!(!allows_function(name, Audience::Port) || as_combined, "{name} is not on the list");
        let refused = confine(&format!("SELECT {name}(1)"), &ASKER);
        assert!(refused.is_err() || as_combined, "{name} is not on the list");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_columns_settings_and_types_are_the_engines() {
    let (_folder, store) = fresh().await;
    let columns = answer(
        &store,
        "SELECT name FROM system.columns WHERE database = 'lastwords' AND table = 'logs' ORDER BY name",
        "TabSeparated",
    );
    assert_eq!(columns.await.unwrap().lines().collect::<Vec<_>>(), LOGS_COLUMNS);
    let tables = confine("SHOW TABLES", &ASKER).unwrap().text;
    assert_eq!(answer(&store, &tables, "TabSeparated").await.unwrap().lines().collect::<Vec<_>>(), TABLES);
    // Each view of the store itself has its columns.
    for view in ["parts", "databases", "tables", "columns", "settings", "functions", "one"] {
        let text = confine(&format!("SELECT count() FROM system.{view}"), &PORT).unwrap().text;
        let all = text.replace("SELECT `count`() FROM", "SELECT * FROM");
        answer(&store, &all, "Null").await.unwrap_or_else(|error| panic!("{view}: {error}"));
    }
    let other = confine(
        "SELECT DISTINCT database FROM system.columns UNION DISTINCT SELECT name FROM system.databases",
        &PORT,
    );
    assert_eq!(answer(&store, &other.unwrap().text, "TabSeparated").await.unwrap(), "lastwords\n");
    let of_port = limits::settings(Audience::Port);
    let of_port: Vec<(&str, &str)> = of_port.iter().map(|(name, value)| (*name, value.as_str())).collect();
    store.query_bytes("SELECT 1", &[], "Null", &of_port).unwrap().collect().await.unwrap();
    // A setting that the engine no longer has would fail here.
    let settings = confine("SELECT count() FROM system.settings", &PORT).unwrap().text;
    let count: usize = answer(&store, &settings, "TabSeparated").await.unwrap().trim().parse().unwrap();
    assert_eq!(count, lastwords_store::confine::allowed_settings().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_for_the_record_that_they_are_about() {
    let (_folder, store) = with_records().await;
    for (text, expected) in [
        ("Program = 'nginx' and SeverityNumber >= 9", 50),
        ("match(Body, '10\\.0') or LogAttributes['a'] != ''", 50),
        ("Row BETWEEN 10 AND 19", 10),
        ("Row IN (1, 2) AND arrayExists(x -> x = Host, ['web01'])", 2),
        ("Body LIKE '%}%' OR Row = 3 -- a comment", 1),
        ("NOT Row > 4", 5),
        ("mapContains(LogAttributes, 'x') ? 1 : Row < 3", 3),
    ] {
        let condition =
            confine_predicate(text, &ASKER).unwrap_or_else(|error| panic!("{}", error.pointing_into(text)));
        let statement = format!("SELECT count() FROM logs WHERE ({condition})");
        assert_eq!(
            answer(&store, &statement, "TabSeparated").await.unwrap().trim(),
            expected.to_string(),
            "{text}"
        );
    }
}

/// Changes statements of the dialect at random; what passes must be read by the engine as naming nothing that is on no
/// list: by its tree as it was written, and where it can be resolved, by its tree after that.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_finds_nothing_in_what_passes_that_is_on_no_list() {
    let (_folder, store) = with_records().await;
    let statements: Vec<Vec<&str>> = DIALECT.lines().map(words).collect();
    let all: Vec<&str> = statements.iter().flatten().copied().chain(HOSTILE.iter().copied()).collect();
    let mut random = Random(0x1a57_0b0e);
    let (mut passed, mut resolved) = (0, 0);
    for _ in 0..cases() {
        let mut statement = statements[random.below(statements.len())].clone();
        for _ in 0..=random.below(3) {
            let at = random.below(statement.len());
            match random.below(3) {
                0 => statement[at] = all[random.below(all.len())],
                1 => statement.insert(at, all[random.below(all.len())]),
                _ if statement.len() > 1 => drop(statement.remove(at)),
                _ => {}
            }
        }
        let Ok(confined) = confine(&statement.join(" "), &PORT) else { continue };
        passed += 1;
        let text = &confined.text;
        if let Ok(tree) = answer(&store, &format!("EXPLAIN AST {text}"), "TabSeparatedRaw").await {
            let found = named(&tree, &["Function ", "TableIdentifier "]);
            assert_known(&found, text);
        }
        if let Ok(tree) = answer(&store, &format!("EXPLAIN QUERY TREE {text}"), "TabSeparatedRaw").await {
            resolved += 1;
            assert_known(&named(&tree, &["function_name: ", "table_name: ", "table_function_name: "]), text);
        }
    }
    assert!(passed > cases() / 20 && resolved > passed / 4, "{passed} passed, {resolved} resolved");
}

/// Names that must not come through, put among the words.
const HOSTILE: &[&str] = &[
    "file",
    "url",
    "`\\x66ile`",
    "system.one",
    "system.users",
    "migrations",
    "remote",
    "dictGet",
    "sleep",
    "executable",
    "APPLY",
    "APPLY(file)",
    "IN",
    "AS",
    "WITH",
    "FROM",
    "(",
    ")",
    ",",
    "system",
    ".",
    "one",
    "getSetting",
    "view",
    "merge",
    "'/etc/passwd'",
    "SELECT",
    "->",
    "x",
    "SETTINGS",
    "INTO",
    "OUTFILE",
    "information_schema",
    "lastwords",
    "tables",
];

/// So many changed statements; more for a longer run.
fn cases() -> usize {
    std::env::var("LASTWORDS_CONFINE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(4000)
}

fn words(statement: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '`' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            letter if letter.is_ascii_alphanumeric() || letter == '_' => {
                rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
