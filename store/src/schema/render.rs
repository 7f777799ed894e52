//! The migrations as statements: for one server as they stand in their files, for a cluster with the same columns.
//!
//! On a cluster the table `logs` becomes `logs_local`, Replicated within each shard, and `logs`, Distributed over the
//! shards, which is what everybody reads and writes. The constraint `this_run` goes: replicas have their tokens in
//! Keeper, and each its own time of running.

use super::migration::Migration;

/// Where the tables are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The database.
    pub database: String,
    /// The cluster, as the servers' `remote_servers` call it; the servers' macros `{shard}` and `{replica}` name each
    /// of them. None: one server.
    pub cluster: Option<String>,
}

/// Line of a table's constraint that holds on one server only.
const THIS_RUN: &str = ",\n    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()";

impl Layout {
    /// What makes the database and the table that remembers migrations.
    pub(super) fn preparations(&self) -> [String; 2] {
        let Layout { database, .. } = self;
        let cluster = self.on_cluster();
        let engine = match &self.cluster {
            // One table for all shards: wherever a migration is begun, it is known what was applied.
            Some(_) => format!(
                "ReplicatedMergeTree('/clickhouse/tables/all/{database}/migrations', '{{shard}}_{{replica}}')"
            ),
            None => "MergeTree".to_owned(),
        };
        [
            format!("CREATE DATABASE IF NOT EXISTS {database}{cluster}"),
            format!(
                "CREATE TABLE IF NOT EXISTS {database}.migrations{cluster} (Number UInt32, Name String, Program String, \
                 Applied DateTime('UTC') DEFAULT now()) ENGINE = {engine} ORDER BY Number \
                 SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
            ),
        ]
    }

    /// A migration's statements.
    pub(super) fn statements(&self, migration: &Migration) -> Vec<String> {
        statements(migration.sql).flat_map(|statement| self.render(statement)).collect()
    }

    fn on_cluster(&self) -> String {
        self.cluster.as_ref().map(|cluster| format!(" ON CLUSTER '{cluster}'")).unwrap_or_default()
    }

    /// A statement of a file, as one or two statements.
    fn render(&self, statement: &str) -> Vec<String> {
        let create = named(statement, "CREATE TABLE ");
        let Some(cluster) = &self.cluster else {
            return vec![match create {
                // So that a migration that was killed half way can be run again.
                Some((before, name, after)) => format!("{before}CREATE TABLE IF NOT EXISTS {name}{after}"),
                None => statement.to_owned(),
            }];
        };
        let on_cluster = self.on_cluster();
        let database = &self.database;
        if let Some((before, name, after)) = create {
            let after = replicated(&after.replacen(THIS_RUN, "", 1), database, name)
                .replace("non_replicated_deduplication_window", "replicated_deduplication_window");
            return vec![
                format!("{before}CREATE TABLE IF NOT EXISTS {name}_local{on_cluster}{after}"),
                format!(
                    "CREATE TABLE IF NOT EXISTS {name}{on_cluster} AS {name}_local \
                     ENGINE = Distributed('{cluster}', '{database}', '{name}_local', cityHash64(Shipper))"
                ),
            ];
        }
        let Some((before, name, after)) = named(statement, "ALTER TABLE ") else {
            return vec![statement.to_owned()];
        };
        let mut rendered = vec![format!("{before}ALTER TABLE {name}_local{on_cluster}{after}")];
        // A Distributed table has columns and nothing else.
        if after.split_whitespace().nth(1).is_some_and(|word| word.eq_ignore_ascii_case("column")) {
            rendered.push(format!("ALTER TABLE {name}{on_cluster}{after}"));
        }
        rendered
    }
}

/// The statements of a file: each ends with a semicolon at the end of a line.
pub(super) fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n").map(|part| part.trim().trim_end_matches(';')).filter(|part| !part.is_empty())
}

/// What stands before the words, the name after them, and the rest; none where the statement does not begin so.
/// Comments may stand before.
pub(super) fn named<'a>(statement: &'a str, words: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut at = 0;
    for line in statement.split_inclusive('\n') {
        if !line.trim().is_empty() && !line.starts_with("--") {
            break;
        }
        at += line.len();
    }
    let (before, rest) = (statement.get(..at)?, statement.get(at..)?.strip_prefix(words)?);
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
    Some((before, rest.get(..end)?, rest.get(end..)?))
}

/// `ENGINE = XMergeTree(…)` as its Replicated form.
fn replicated(text: &str, database: &str, name: &str) -> String {
    const ENGINE: &str = "ENGINE = ";
    let Some((before, after)) = text.split_once(ENGINE) else { return text.to_owned() };
    let end = after.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(after.len());
    let (engine, rest) = after.split_at(end);
    let place = format!("'/clickhouse/tables/{{shard}}/{database}/{name}', '{{replica}}'");
    let rest = match rest.strip_prefix('(') {
        Some(arguments) => format!("({place}, {arguments}"),
        None => format!("({place}){rest}"),
    };
    format!("{before}{ENGINE}Replicated{engine}{rest}")
}
