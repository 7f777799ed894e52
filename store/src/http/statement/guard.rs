//! What users of a port may not do, whatever the engine could: reach files and networks of this machine, or the server.
//!
//! The engine runs as this process, so `file('/etc/shadow')` would read what this process may read. Its own users and
//! grants do not exist in-process. Hence statements of users are checked by their words: after comments and strings
//! are taken out, every name that is followed by `(` or by `=` of an engine has to be harmless.

use super::super::access::Rights;
use super::super::response::Failure;
use super::words::Words;
use crate::engine::Class;

/// Table functions, functions, engines and sources that reach out of the tables.
const REACHING: &[&str] = &[
    "arrowflight",
    "azureblobstorage",
    "azureblobstoragecluster",
    "azurequeue",
    "cluster",
    "clusterallreplicas",
    "deltalake",
    "deltalakeazure",
    "deltalakecluster",
    "deltalakelocal",
    "deltalakes3",
    "dictionary",
    "distributed",
    "embeddedrocksdb",
    "executable",
    "executablepool",
    "file",
    "filecluster",
    "filelog",
    "filesystem",
    "filesystemavailable",
    "filesystemcapacity",
    "filesystemunreserved",
    "fuzzquery",
    "gcs",
    "hdfs",
    "hdfscluster",
    "hive",
    "hudi",
    "hudicluster",
    "iceberg",
    "icebergazure",
    "icebergazurecluster",
    "iceberghdfs",
    "iceberghdfscluster",
    "iceberglocal",
    "iceberglocalcluster",
    "icebergs3",
    "icebergs3cluster",
    "jdbc",
    "kafka",
    "materializedpostgresql",
    "maxminddb",
    "mongodb",
    "mysql",
    "nats",
    "odbc",
    "oss",
    "cosn",
    "paimon",
    "paimons3",
    "paimonazure",
    "paimonhdfs",
    "paimonlocal",
    "postgresql",
    "prometheusquery",
    "prometheusqueryrange",
    "python",
    "rabbitmq",
    "redis",
    "remote",
    "remotesecure",
    "s3",
    "s3cluster",
    "s3queue",
    "sqlite",
    "timeseriesselector",
    "url",
    "urlcluster",
    "ytsaurus",
    "catboostevaluate",
    "embeddedtables",
    "tmpfile",
    "stdin",
    "backup",
    "restore",
    "arrowstream",
    "chdb",
];

/// Refuses what the caller has no right to.
pub(super) fn check(rights: Rights, class: Class, text: &[u8]) -> Result<(), Failure> {
    if rights == Rights::All {
        return Ok(());
    }
    let refused = |what: &str| {
        Err(Failure::Statement {
            code: 497,
            text: format!("Code: 497. DB::Exception: Not enough privileges: {what}. (ACCESS_DENIED)"),
        })
    };
    match class {
        Class::Reads => {}
        Class::Changes if rights == Rights::Tables => {}
        Class::Changes => {
            return Err(Failure::Statement {
                code: 164,
                text: "Code: 164. DB::Exception: this user reads only. (READONLY)".to_owned(),
            });
        }
        // The engine gives a better error for what cannot be parsed, and runs nothing.
        Class::Unknown => {}
        Class::ChangesServer | Class::Controls => {
            return refused("statements about the server itself are not served here");
        }
    }
    let words: Vec<String> =
        Words::of(text).map(|word| String::from_utf8_lossy(word.bytes).to_ascii_lowercase()).collect();
    let mut previous = ["", ""];
    for (place, word) in words.iter().enumerate() {
        let called = words.get(place + 1).is_some_and(|next| next == "(");
        let engine = previous[1] == "engine" || previous == ["engine", "="];
        let name: String = word.chars().filter(|c| *c != '_').collect();
        if (called || engine) && REACHING.contains(&name.as_str()) {
            return refused(&format!("'{word}' reaches files or networks outside the tables"));
        }
        if (word == "outfile" && previous[1] == "into") || (word == "infile" && previous[1] == "from") {
            return refused("files of the server are not reached from here");
        }
        previous = [previous[1], word];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_tables(text: &str, allowed: bool) {
        assert_eq!(check(Rights::Tables, Class::Reads, text.as_bytes()).is_ok(), allowed, "{text}");
    }

    #[test]
    fn files_and_networks_are_out_of_reach() {
        for text in [
            "SELECT * FROM file('/etc/passwd')",
            "SELECT * FROM FILE ('/etc/passwd')",
            "SELECT * FROM `file`('/etc/passwd')",
            "SELECT * FROM \"url\" ('http://x')",
            "SELECT * FROM file/* x */('/etc/passwd')",
            "SELECT file('/etc/passwd')",
            "SELECT * FROM s3Cluster('x')",
            "SELECT * FROM remoteSecure('x', 'y')",
            "CREATE TABLE t (a Int8) ENGINE = File(CSV)",
            "CREATE TABLE t (a Int8) ENGINE URL('x', CSV)",
            "CREATE DICTIONARY d (a Int8) SOURCE(EXECUTABLE(COMMAND 'x'))",
            "SELECT $$'$$, file('/etc/passwd'), $$'$$",
            "SELECT $a$'$a$, file('/etc/passwd'), $a$'$a$",
            "SELECT ‘'’, file('/etc/passwd'), ‘'’",
            "SELECT * FROM “file”('/etc/passwd')",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
        ] {
            check_tables(text, false);
        }
    }

    #[test]
    fn tables_and_texts_about_files_are_not_hindered() {
        for text in [
            "SELECT count() FROM logs WHERE Body LIKE '%file(%'",
            "SELECT file FROM t -- file(x)",
            "SELECT 1 /* url('x') */",
            "SELECT 'it''s file(' , \"file\" FROM numbers(10)",
            "SELECT 'a\\' file(' ",
            "SELECT $$ file('x') $$, $x, ‘file(1)’",
            "CREATE TABLE t (file String) ENGINE = MergeTree ORDER BY file",
        ] {
            check_tables(text, true);
        }
    }

    #[test]
    fn readers_do_not_write_and_nobody_controls_the_server() {
        assert!(check(Rights::Read, Class::Changes, b"INSERT").is_err());
        assert!(check(Rights::Tables, Class::Changes, b"INSERT").is_ok());
        assert!(check(Rights::Tables, Class::Controls, b"SYSTEM SHUTDOWN").is_err());
        assert!(check(Rights::Tables, Class::ChangesServer, b"CREATE FUNCTION f AS x -> x").is_err());
        assert!(check(Rights::All, Class::Controls, b"SYSTEM FLUSH LOGS").is_ok());
    }
}
