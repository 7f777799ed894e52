//! The schema's versions: numbered SQL files, forward only.
//!
//! A database remembers in its table `migrations` which it has had. A program applies what is missing, and refuses a
//! database that has had one which it does not know.

pub mod copies;
mod migration;
pub(crate) mod partition;
mod render;

use thiserror::Error;

pub use render::Layout;

use crate::store::{QueryError, Store};
use migration::Migration;

macro_rules! migrations {
    ($($number:literal $name:literal),* $(,)?) => {
        &[$(Migration { number: $number, name: $name, sql: include_str!(concat!("../migrations/", $name, ".sql")) }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    1 "0001_tables",
    2 "0002_templates",
    3 "0003_host_names",
    4 "0004_content",
    5 "0005_chunks"
];

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
    /// Whether the store did not answer, or could not do it now: it may later.
    pub fn is_passing(&self) -> bool {
        match self {
            MigrateError::Statement { source, .. } | MigrateError::Read(source) => source.is_passing(),
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

/// All statements that make the schema from nothing, for reading or for running by hand.
pub fn rendered(layout: &Layout) -> Vec<String> {
    let mut all = layout.preparations().to_vec();
    for migration in MIGRATIONS {
        all.extend(layout.statements(migration));
        all.push(note(migration));
    }
    all
}

/// The statement by which a database remembers a migration.
fn note(migration: &Migration) -> String {
    format!(
        "INSERT INTO migrations (Number, Name, Program) VALUES ({}, '{}', '{}')",
        migration.number,
        migration.name,
        env!("CARGO_PKG_VERSION")
    )
}

impl Store {
    /// Brings the schema up to date; says how many migrations were applied.
    pub async fn migrate(&self) -> Result<u32, MigrateError> {
        let layout =
            Layout { database: self.database().to_owned(), cluster: self.cluster().map(str::to_owned) };
        for (statement, sql) in layout.preparations().into_iter().enumerate() {
            self.execute_outside(&sql).await.map_err(|source| MigrateError::Statement {
                name: "0000_migrations",
                statement,
                source,
            })?;
        }
        let applied: Vec<Applied> = self
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
            for (statement, sql) in layout.statements(migration).into_iter().enumerate() {
                self.execute(&sql).await.map_err(failed(statement + 1))?;
            }
            self.execute(&note(migration)).await.map_err(failed(0))?;
            tracing::info!(migration = migration.name, "schema brought up to date");
            done += 1;
        }
        Ok(done)
    }
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
        let found: Vec<&str> =
            render::statements("-- a; b\nCREATE TABLE x (s String DEFAULT ';');\nSELECT 1;\n").collect();
        assert_eq!(found, ["-- a; b\nCREATE TABLE x (s String DEFAULT ';')", "SELECT 1"]);
    }

    #[test]
    fn every_statement_is_one_that_can_be_rendered_for_a_cluster() {
        for migration in MIGRATIONS {
            for statement in render::statements(migration.sql) {
                let known = ["CREATE TABLE ", "ALTER TABLE "]
                    .iter()
                    .any(|words| render::named(statement, words).is_some());
                assert!(known, "{}: {statement}", migration.name);
            }
        }
    }

    fn check(sql: &'static str, cluster: Option<&str>, expected: &[&str]) {
        let layout = Layout { database: "lw".into(), cluster: cluster.map(str::to_owned) };
        let migration = Migration { number: 1, name: "x", sql };
        assert_eq!(layout.statements(&migration), expected, "{sql} {cluster:?}");
    }

    #[test]
    fn one_server_gets_the_files_statements() {
        check(
            "-- c\nCREATE TABLE x (a Int8) ENGINE = Memory;\n",
            None,
            &["-- c\nCREATE TABLE IF NOT EXISTS x (a Int8) ENGINE = Memory"],
        );
        check("ALTER TABLE x DROP COLUMN a;\n", None, &["ALTER TABLE x DROP COLUMN a"]);
    }

    #[test]
    fn a_cluster_gets_replicated_tables_and_distributed_ones_over_them() {
        let x = "'/clickhouse/tables/{shard}/lw/x', '{replica}'";
        let over = "CREATE TABLE IF NOT EXISTS x ON CLUSTER 'c' AS x_local \
                    ENGINE = Distributed('c', 'lw', 'x_local', cityHash64(Shipper))";
        check(
            "CREATE TABLE x\n(a Int8,\n    CONSTRAINT in_time CHECK 1,\n    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()\n)\nENGINE = MergeTree\nORDER BY a\nSETTINGS non_replicated_deduplication_window = 5;\n",
            Some("c"),
            &[
                &format!(
                    "CREATE TABLE IF NOT EXISTS x_local ON CLUSTER 'c'\n(a Int8,\n    CONSTRAINT in_time CHECK 1\n)\nENGINE = ReplicatedMergeTree({x})\nORDER BY a\nSETTINGS replicated_deduplication_window = 5"
                ),
                over,
            ],
        );
        check(
            "CREATE TABLE x (a Int8) ENGINE = ReplacingMergeTree(Version) ORDER BY a;\n",
            Some("c"),
            &[
                &format!(
                    "CREATE TABLE IF NOT EXISTS x_local ON CLUSTER 'c' (a Int8) ENGINE = ReplicatedReplacingMergeTree({x}, Version) ORDER BY a"
                ),
                over,
            ],
        );
        check(
            "ALTER TABLE x ADD COLUMN b Int8;\nALTER TABLE x ADD INDEX i b TYPE minmax;\n",
            Some("c"),
            &[
                "ALTER TABLE x_local ON CLUSTER 'c' ADD COLUMN b Int8",
                "ALTER TABLE x ON CLUSTER 'c' ADD COLUMN b Int8",
                "ALTER TABLE x_local ON CLUSTER 'c' ADD INDEX i b TYPE minmax",
            ],
        );
    }
}
