//! The schema's versions: numbered SQL files, forward only.
//!
//! A database remembers in its table `migrations` which it has had. A program applies what is missing, and refuses a
//! database that has had one which it does not know.

use thiserror::Error;

use crate::store::{QueryError, Store};

/// One step of the schema.
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal),* $(,)?) => {
        &[$(Migration { number: $number, name: $name, sql: include_str!(concat!("../migrations/", $name, ".sql")) }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![1 "0001_tables"];

/// The schema that this program needs.
#[expect(clippy::cast_possible_truncation, reason = "there are not four thousand million migrations")]
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// Why a schema could not be brought up to date.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum MigrateError {
    #[error(
        "the store has schema {found} and this program knows schemas up to {SCHEMA_VERSION}: use the version of Lastwords that wrote it, {written_by}, or a newer one"
    )]
    Newer { found: u32, written_by: String },
    #[error("migration {name}, statement {statement}: {source}")]
    Statement { name: &'static str, statement: usize, source: QueryError },
    #[error("could not read which migrations the store has had: {0}")]
    Read(#[source] QueryError),
}

impl MigrateError {
    /// Whether the store did not answer: it may do so later.
    pub fn is_unreachable(&self) -> bool {
        match self {
            MigrateError::Statement { source, .. } | MigrateError::Read(source) => {
                matches!(source, QueryError::Unreachable(_))
            }
            MigrateError::Newer { .. } => false,
        }
    }
}

/// A row of `migrations`.
#[derive(Debug, serde::Deserialize)]
struct Applied {
    #[serde(rename = "Number")]
    number: u32,
    #[serde(rename = "Program")]
    program: String,
}

pub(crate) async fn migrate(store: &Store) -> Result<u32, MigrateError> {
    let preparations = [
        "CREATE DATABASE IF NOT EXISTS lastwords",
        "CREATE TABLE IF NOT EXISTS lastwords.migrations (Number UInt32, Name String, Program String, Applied DateTime('UTC') DEFAULT now()) \
         ENGINE = MergeTree ORDER BY Number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1",
    ];
    for (statement, sql) in preparations.into_iter().enumerate() {
        store.execute_outside(sql).await.map_err(|source| MigrateError::Statement {
            name: "0000_migrations",
            statement,
            source,
        })?;
    }
    let applied: Vec<Applied> = store
        .rows("SELECT DISTINCT Number, Program FROM migrations ORDER BY Number")
        .await
        .map_err(MigrateError::Read)?;
    if let Some(newest) = applied.last().filter(|newest| newest.number > SCHEMA_VERSION) {
        return Err(MigrateError::Newer { found: newest.number, written_by: newest.program.clone() });
    }
    let mut done = 0;
    for migration in MIGRATIONS.iter().filter(|m| applied.iter().all(|a| a.number != m.number)) {
        let failed =
            |statement| move |source| MigrateError::Statement { name: migration.name, statement, source };
        for (statement, sql) in statements(migration.sql).enumerate() {
            store.execute(&sql).await.map_err(failed(statement + 1))?;
        }
        let note = format!(
            "INSERT INTO migrations (Number, Name, Program) VALUES ({}, '{}', '{}')",
            migration.number,
            migration.name,
            env!("CARGO_PKG_VERSION")
        );
        store.execute(&note).await.map_err(failed(0))?;
        tracing::info!(migration = migration.name, "schema brought up to date");
        done += 1;
    }
    Ok(done)
}

/// The statements of a file: each ends with a semicolon at the end of a line. `CREATE TABLE` becomes
/// `CREATE TABLE IF NOT EXISTS`, so that a migration that was killed half way can be run again.
fn statements(sql: &str) -> impl Iterator<Item = String> {
    sql.split(";\n")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.trim_end_matches(';').replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps_and_named_by_their_number() {
        for (place, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number as usize, place + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.number)), "{}", migration.name);
        }
    }

    #[test]
    fn a_file_is_split_at_semicolons_that_end_a_line() {
        let found: Vec<String> =
            statements("-- a; b\nCREATE TABLE x (s String DEFAULT ';');\nSELECT 1;\n").collect();
        assert_eq!(found, ["-- a; b\nCREATE TABLE IF NOT EXISTS x (s String DEFAULT ';')", "SELECT 1"]);
    }
}
