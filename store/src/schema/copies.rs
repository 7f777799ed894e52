//! Copies of the files that say what the engine's tables are. The engine refuses to start where one of them is damaged,
//! whatever is well in the tables themselves.
//!
//! ```text
//! COPIES/DATABASE.sql             as metadata/DATABASE.sql was when the store last started well
//! COPIES/DATABASE/TABLE.sql       as metadata/DATABASE/TABLE.sql was
//! COPIES/damaged-N/…              what was found in their place
//! ```

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The engine's own database, which it makes by itself.
const SYSTEM: &str = "system";

/// Copies what differs from its copy, or has none. To be called when the store has started well.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn keep(engine: &Path, copies: &Path) -> io::Result<()> {
    let metadata = engine.join("metadata");
    for name in definitions(&metadata)? {
        let text = fs::read(metadata.join(&name))?;
        let copy = copies.join(&name);
        if fs::read(&copy).is_ok_and(|kept| kept == text) {
            continue;
        }
        write(&copy, &text)?;
    }
    Ok(())
}

/// Puts copies in the place of what differs from them, which is moved aside; says which. To be called when the engine
/// does not start, while nobody has the folder open.
///
/// # Errors
/// Where a file cannot be moved or written.
pub fn restore(engine: &Path, copies: &Path) -> io::Result<Vec<PathBuf>> {
    let (metadata, mut restored) = (engine.join("metadata"), Vec::new());
    let mut aside = None;
    for name in definitions(copies)? {
        let (text, place) = (fs::read(copies.join(&name))?, metadata.join(&name));
        // A table that was dropped, or a database that is not there, is nothing damaged.
        if fs::read(&place).is_ok_and(|found| found == text) || fs::symlink_metadata(&place).is_err() {
            continue;
        }
        let aside = match &aside {
            Some(aside) => aside,
            None => aside.insert(free_folder(copies)?),
        };
        let kept = aside.join(&name);
        kept.parent().map_or(Ok(()), fs::create_dir_all)?;
        // Another file system may be behind a link: copied, and then replaced.
        if place.is_file() {
            fs::copy(&place, &kept)?;
        } else {
            fs::rename(&place, &kept)?;
        }
        write(&place, &text)?;
        restored.push(name);
    }
    Ok(restored)
}

/// Names of the definitions in a folder, relative to it: of databases, and of the tables in each.
fn definitions(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for name in entries(folder)? {
        if is_definition(&name) {
            names.push(name);
        } else if name.as_os_str() != SYSTEM
            && !name.to_string_lossy().starts_with("damaged-")
            && folder.join(&name).is_dir()
        {
            let tables = entries(&folder.join(&name))?.into_iter().filter(|table| is_definition(table));
            names.extend(tables.map(|table| name.join(table)));
        }
    }
    names.sort();
    Ok(names)
}

fn is_definition(name: &Path) -> bool {
    name.extension().is_some_and(|suffix| suffix == "sql") && !name.starts_with(".")
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(entries) => entries.map(|entry| entry.map(|entry| PathBuf::from(entry.file_name()))).collect(),
    }
}

fn free_folder(copies: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let folder = copies.join(format!("damaged-{number}"));
        match fs::create_dir_all(copies).and_then(|()| fs::create_dir(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 10_000 => number += 1,
            Err(error) => return Err(error),
            Ok(()) => return Ok(folder),
        }
    }
}

fn write(place: &Path, text: &[u8]) -> io::Result<()> {
    let folder = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let draft = place.with_extension("sql.tmp");
    let mut file = File::create(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&draft, place)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_definition_is_replaced_by_its_copy_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (engine, copies) = (folder.path().join("engine"), folder.path().join("copies"));
        keep(&engine, &copies).expect("an empty folder has nothing to copy");
        let database = engine.join("metadata/lastwords");
        fs::create_dir_all(&database).expect("a folder");
        fs::create_dir_all(engine.join("metadata/system")).expect("a folder");
        fs::write(engine.join("metadata/system/numbers.sql"), "x").expect("written");
        fs::write(engine.join("metadata/lastwords.sql"), "ATTACH DATABASE _").expect("written");
        for table in ["logs", "events", "dropped"] {
            fs::write(database.join(format!("{table}.sql")), format!("ATTACH TABLE {table}"))
                .expect("written");
        }
        keep(&engine, &copies).expect("kept");
        assert!(!copies.join("system").exists());
        assert_eq!(restore(&engine, &copies).expect("nothing differs"), Vec::<PathBuf>::new());
        for damage in ["", "ATTACH TABLE l"] {
            fs::write(database.join("logs.sql"), damage).expect("written");
            let _ = fs::remove_file(database.join("dropped.sql"));
            let restored = restore(&engine, &copies).expect("restored");
            assert_eq!(restored, [PathBuf::from("lastwords/logs.sql")]);
            let text = fs::read_to_string(database.join("logs.sql")).expect("it is there");
            assert_eq!(text, "ATTACH TABLE logs");
        }
        let kept = fs::read_to_string(copies.join("damaged-2/lastwords/logs.sql")).expect("it is kept");
        assert_eq!(kept, "ATTACH TABLE l");
        fs::remove_file(database.join("events.sql")).expect("removed");
        fs::create_dir(database.join("events.sql")).expect("a folder in its place");
        assert_eq!(restore(&engine, &copies).expect("restored"), [PathBuf::from("lastwords/events.sql")]);
        assert!(!database.join("dropped.sql").exists());
    }
}
