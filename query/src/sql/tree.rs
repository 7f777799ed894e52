//! What the engine's own parser found in a statement.
//!
//! `EXPLAIN AST` prints a node a line, children one space deeper: `TableIdentifier lastwords.logs (alias l)`,
//! `Function url (children 1)`. Names cannot hold line breaks ([`super::words`]) and strings are printed escaped.

use lastwords_store::store::DATABASE;

/// Table functions that only make rows.
const TABLE_FUNCTIONS: &[&str] = &["numbers", "zeros", "generate_series", "generateseries", "values", "null"];
/// Functions that reach beyond their arguments: files, other tables, dictionaries, settings, time.
const REFUSED_FUNCTIONS: &[&str] = &[
    "file",
    "joinget",
    "joingetornull",
    "hascolumnintable",
    "getsetting",
    "getsettingordefault",
    "getserversetting",
    "getmergetreesetting",
    "getmacro",
    "catboostevaluate",
    "evalmlmethod",
    "sleep",
    "sleepeachrow",
    "showcertificate",
    "servertimezone",
    "currentdatabase",
    "zookeepersessionuptime",
    "transactionid",
    "transactionlatestsnapshot",
    "transactionoldestsnapshot",
    "buildid",
    "globalvariable",
    "structuretocapnprotoschema",
    "structuretoprotobufschema",
    "flamegraph",
    "loadmodel",
];
/// The same, by how their names begin.
const REFUSED_PREFIXES: &[&str] =
    &["dict", "filesystem", "ai", "addressto", "remote", "url_", "s3", "executable", "embed", "llm"];
/// Functions whose last argument may be a table's name.
const IN_FUNCTIONS: &[&str] = &[
    "in",
    "notin",
    "globalin",
    "globalnotin",
    "nullin",
    "notnullin",
    "globalnullin",
    "globalnotnullin",
    "inignoreset",
    "notinignoreset",
    "nullinignoreset",
    "notnullinignoreset",
    "globalinignoreset",
    "globalnotinignoreset",
];

struct Node<'a> {
    depth: usize,
    kind: &'a str,
    name: &'a str,
}

/// Refuses a parsed statement that is more than reading our tables.
pub(super) fn check(parsed: &str) -> Result<(), String> {
    let nodes: Vec<Node<'_>> = parsed.lines().filter(|line| !line.trim().is_empty()).map(node).collect();
    if nodes.first().is_none_or(|node| node.kind != "SelectWithUnionQuery") {
        return Err("Wanted one SELECT statement.".to_owned());
    }
    for (at, node) in nodes.iter().enumerate() {
        let parent = parent(&nodes, at).map_or("", |parent| parent.kind);
        match node.kind {
            "TableIdentifier" => ours(node.name)?,
            "Function" if parent == "TableExpression" => table_function(node.name)?,
            "Function" => function(&nodes, at, node.name)?,
            "Set" => return Err("SETTINGS are not allowed.".to_owned()),
            kind => statement(kind)?,
        }
    }
    Ok(())
}

fn table_function(name: &str) -> Result<(), String> {
    if TABLE_FUNCTIONS.contains(&name.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(format!("The table function {name} is not allowed: it may reach beyond the store."))
}

/// Statements within the statement: only those that read.
fn statement(kind: &str) -> Result<(), String> {
    let reads = matches!(
        kind,
        "SelectWithUnionQuery" | "SelectQuery" | "SelectIntersectExceptQuery" | "TablesInSelectQuery"
    );
    if reads || !(kind.ends_with("Query") || kind.starts_with("Create") || kind.starts_with("Drop")) {
        return Ok(());
    }
    Err(format!("Wanted one SELECT statement; found a {kind}."))
}

fn function(nodes: &[Node<'_>], at: usize, name: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    if REFUSED_FUNCTIONS.contains(&lower.as_str())
        || REFUSED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
    {
        return Err(format!("The function {name} is not allowed: it may reach beyond the store."));
    }
    if IN_FUNCTIONS.contains(&lower.as_str()) {
        // Function in → ExpressionList → left, right. A bare name on the right is a table.
        let depth = nodes.get(at).map_or(0, |node| node.depth);
        let below = nodes.get(at + 1..).unwrap_or_default().iter().take_while(|node| node.depth > depth);
        if let Some(right) = below.filter(|node| node.depth == depth + 2).last()
            && right.kind.ends_with("Identifier")
        {
            ours(right.name)?;
        }
    }
    Ok(())
}

/// A name without a database is looked up among the statement's own and in our database.
fn ours(name: &str) -> Result<(), String> {
    match name.split_once('.') {
        None => Ok(()),
        Some((database, table)) if database == DATABASE && !table.contains('.') => Ok(()),
        Some(_) => Err(format!(
            "The table {name} is not one of ours: logs, events, samples, placement, batches, quarantine."
        )),
    }
}

fn node(line: &str) -> Node<'_> {
    let text = line.trim_start_matches(' ');
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let name = rest.split(" (").next().unwrap_or_default();
    let name = if rest.starts_with('(') { "" } else { name };
    Node { depth: line.len() - text.len(), kind, name }
}

fn parent<'n, 'a>(nodes: &'n [Node<'a>], at: usize) -> Option<&'n Node<'a>> {
    let depth = nodes.get(at)?.depth;
    nodes.get(..at)?.iter().rev().find(|node| node.depth < depth)
}
