//! What users of a port may not do, whatever the engine could: reach files and networks of this machine, or the server.
//!
//! The engine runs as this process, so `file('/etc/shadow')` would read what this process may read. Its own users and
//! grants do not exist in-process. Hence statements of users are checked by their words: after comments and strings
//! are taken out, every name that is followed by `(` or by `=` of an engine has to be harmless.

use super::super::access::Rights;
use super::super::response::Failure;
use crate::engine::Class;

/// Table functions, functions, engines and sources that reach out of the tables.
const REACHING: &[&str] = &[
    "arrowflight", "azureblobstorage", "azureblobstoragecluster", "azurequeue", "cluster", "clusterallreplicas", "deltalake",
    "deltalakeazure", "deltalakecluster", "deltalakelocal", "deltalakes3", "dictionary", "distributed", "embeddedrocksdb",
    "executable", "executablepool", "file", "filecluster", "filelog", "filesystem", "filesystemavailable", "filesystemcapacity",
    "filesystemunreserved", "fuzzquery", "gcs", "hdfs", "hdfscluster", "hive", "hudi", "hudicluster", "iceberg",
    "icebergazure", "icebergazurecluster", "iceberghdfs", "iceberghdfscluster", "iceberglocal", "iceberglocalcluster",
    "icebergs3", "icebergs3cluster", "jdbc", "kafka", "materializedpostgresql", "maxminddb", "mongodb", "mysql", "nats",
    "odbc", "oss", "cosn", "paimon", "paimons3", "paimonazure", "paimonhdfs", "paimonlocal", "postgresql", "prometheusquery",
    "prometheusqueryrange", "python", "rabbitmq", "redis", "remote", "remotesecure", "s3", "s3cluster", "s3queue", "sqlite",
    "timeseriesselector", "url", "urlcluster", "ytsaurus", "catboostevaluate", "embeddedtables", "tmpfile", "stdin",
    "backup", "restore", "arrowstream", "chdb",
];

/// Refuses what the caller has no right to.
pub(super) fn check(rights: Rights, class: Class, text: &[u8]) -> Result<(), Failure> {
    if rights == Rights::All {
        return Ok(());
    }
    let refused = |what: &str| {
        Err(Failure::Statement { code: 497, text: format!("Code: 497. DB::Exception: Not enough privileges: {what}. (ACCESS_DENIED)") })
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
        Class::ChangesServer | Class::Controls => return refused("statements about the server itself are not served here"),
    }
    let lowered = String::from_utf8_lossy(text).to_ascii_lowercase();
    let words = words(&lowered);
    let mut previous = [""; 2];
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1).copied().unwrap_or_default();
        let called = next == "(";
        let engine = previous[1] == "engine" || previous == ["engine", "="];
        let name: String = word.chars().filter(|c| *c != '_').collect();
        if (called || engine) && REACHING.contains(&name.as_str()) {
            return refused(&format!("'{word}' reaches files or networks outside the tables"));
        }
        if *word == "outfile" && previous[1] == "into" || *word == "infile" && previous[1] == "from" {
            return refused("files of the server are not reached from here");
        }
        previous = [previous[1], word];
    }
    Ok(())
}

/// Names and single signs of a statement; strings and comments are left out, quoted names are not.
fn words(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let skip_to = |from: usize, end: &str| text.get(from..).and_then(|rest| rest.find(end)).map_or(bytes.len(), |p| from + p + end.len());
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        match byte {
            b'-' if rest.starts_with("--") => at = skip_to(at, "\n"),
            b'#' if rest.starts_with("# ") || rest.starts_with("#!") => at = skip_to(at, "\n"),
            b'/' if rest.starts_with("/*") => at = skip_to(at + 2, "*/"),
            b'\'' => at = quoted_end(bytes, at, b'\''),
            b'"' | b'`' => {
                let end = quoted_end(bytes, at, *byte);
                found.push(text.get(at + 1..end.saturating_sub(1)).unwrap_or_default());
                at = end;
            }
            byte if byte.is_ascii_alphanumeric() || *byte == b'_' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                found.push(rest.get(..length).unwrap_or_default());
                at += length;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                found.push(rest.get(..length).unwrap_or_default());
                at += length;
            }
        }
    }
    found
}

/// One past the quote that closes the one at `start`; backslashes and doubled quotes do not close.
fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
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
