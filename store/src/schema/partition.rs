//! The partitions of tables that were made by older programs.
//!
//! Partitions are days. Tables were first partitioned by `toDate(Timestamp)` alone, which wraps: the year 2150 shared the
//! partitions of 1970, and a range that spans both overlooked rows. ClickHouse cannot change a table's partition key by a
//! statement, nor attach partitions to a table of another key. What a key is stands in the table's metadata file, and
//! what a part is of, in the part; both keys give a `Date`, and the same one for every day from 1970 to 2149-06-05. So
//! the file is changed before the engine opens it: parts stay as they are, and new ones follow the new key. Parts of
//! wrapped days stay where they are and are found by their rows' times.
//!
//! ```text
//! metadata/DATABASE/TABLE.sql = … line "PARTITION BY toDate(COLUMN)" …
//! ```
//!
//! The changed file is written beside as `TABLE.sql.tmp` (which the engine removes at its start), synced, renamed, and
//! its folder synced: killed at any moment, there is the old file or the new one. A file that says anything else is
//! left alone. A server's files are its operator's (docs/store.md).

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Tables with the column that decides their rows' partition.
const TABLES: [(&str, &str); 4] =
    [("logs", "Timestamp"), ("events", "Start"), ("samples", "Timestamp"), ("placement", "Start")];

/// Changes the tables of all databases in the engine's data folder. Before it is opened.
///
/// # Errors
/// Where a file cannot be read or written.
pub(crate) fn renew(data: &Path) -> io::Result<()> {
    let databases = match fs::read_dir(data.join("metadata")) {
        Ok(databases) => databases,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for database in databases {
        let database = database?.path();
        if !database.is_dir() {
            continue;
        }
        for (table, column) in TABLES {
            let file = database.join(format!("{table}.sql"));
            match fs::read_to_string(&file) {
                Ok(text) => {
                    if let Some(text) = renewed(&text, column) {
                        replace(&database, &file, &text)?;
                        tracing::info!(
                            table,
                            "years before 1970 and after 2149 have a partition of their own now"
                        );
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The engine says what is wrong with it.
                Err(error) => {
                    tracing::warn!(file = %file.display(), %error, "a table's definition cannot be read")
                }
            }
        }
    }
    Ok(())
}

/// The table's definition with the new key; none where it is not one of ours with the old key.
fn renewed(text: &str, column: &str) -> Option<String> {
    let old = format!("\nPARTITION BY toDate({column})\n");
    let (before, after) = text.split_once(&old)?;
    let is_ours = before.contains("\n    CONSTRAINT in_time CHECK ") && after.starts_with("ORDER BY (");
    is_ours.then(|| format!("{before}\nPARTITION BY {}\n{after}", key(column)))
}

/// The key as it stands in the migrations.
fn key(column: &str) -> String {
    format!(
        "if(({column} >= toDateTime64('1970-01-01 00:00:00', 9, 'UTC')) AND \
         ({column} < toDateTime64('2149-06-06 00:00:00', 9, 'UTC')), toDate({column}), toDate('2149-06-06'))"
    )
}

fn replace(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    let draft = file.with_extension("sql.tmp");
    let mut written = File::create(&draft)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "ATTACH TABLE _ UUID 'u'\n(\n    `Timestamp` DateTime64(9, 'UTC'),\n    CONSTRAINT in_time CHECK nowInBlock() <= (Planned + 60)\n)\nENGINE = MergeTree\nPARTITION BY toDate(Timestamp)\nORDER BY (toStartOfFiveMinutes(Timestamp), Host)\nTTL x\nSETTINGS a = 1\n";

    #[test]
    fn a_table_of_ours_gets_the_new_key_and_keeps_all_else() {
        let new = renewed(OLD, "Timestamp").expect("it has the old key");
        assert_eq!(new.replace(&key("Timestamp"), "toDate(Timestamp)"), OLD);
        for other in [
            new.clone(),
            OLD.replace("in_time", "another"),
            OLD.replace("PARTITION BY toDate(Timestamp)", "PARTITION BY toYYYYMM(Timestamp)"),
            OLD.replace("Timestamp", "Start"),
            String::new(),
        ] {
            assert_eq!(renewed(&other, "Timestamp"), None, "{other}");
        }
    }

    #[test]
    fn files_are_changed_once_and_others_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("metadata/lastwords");
        renew(folder.path()).expect("an empty folder has no tables");
        fs::create_dir_all(&database).expect("a folder");
        fs::write(folder.path().join("metadata/lastwords.sql"), "ATTACH DATABASE _").expect("written");
        fs::write(database.join("logs.sql"), OLD).expect("written");
        fs::write(database.join("batches.sql"), OLD).expect("written");
        // What a process left that was killed while it wrote.
        fs::write(database.join("logs.sql.tmp"), &OLD[..20]).expect("written");
        for _ in 0..2 {
            renew(folder.path()).expect("it can be written");
            let found = fs::read_to_string(database.join("logs.sql")).expect("it is there");
            assert_eq!(Some(found), renewed(OLD, "Timestamp"));
        }
        assert_eq!(fs::read_to_string(database.join("batches.sql")).expect("it is there"), OLD);
    }
}
