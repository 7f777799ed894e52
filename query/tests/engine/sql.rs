//! Plain SQL: what is read, and what is refused.

use jiff::tz::TimeZone;
use lastwords_query::{AskError, AskOptions, ErrorClass, sql};

use crate::week::Week;

async fn of(week: &Week, text: &str) -> Result<String, AskError> {
    let rows =
        sql(&week.store, text, "JSONEachRow", &AskOptions::new(TimeZone::UTC)).await?.collect().await?;
    Ok(String::from_utf8(rows).unwrap())
}

pub async fn reads(week: &Week) {
    for (text, expected) in [
        ("SELECT count() AS n FROM events FINAL WHERE Class = 'kernel.panic'", "{\"n\":8}\n"),
        ("with 3 as three select three;", "{\"three\":3}\n"),
        (
            "SELECT count() AS n FROM lastwords.logs AS l JOIN (SELECT DISTINCT Host FROM events) AS e USING (Host)",
            "{\"n\":16}\n",
        ),
        (
            "WITH h AS (SELECT DISTINCT Host FROM logs) SELECT count() AS n FROM logs WHERE Host IN h",
            "{\"n\":16}\n",
        ),
        ("SELECT sum(number) AS n FROM numbers(4)", "{\"n\":6}\n"),
        ("SELECT Host FROM logs WHERE Host IN ('hv02', 'x') LIMIT 1", "{\"Host\":\"hv02\"}\n"),
        ("SELECT 1 AS n UNION ALL SELECT 2 WHERE 0", "{\"n\":1}\n"),
        (
            "SELECT formatReadableSize(1024) AS s, format('{}', 'x') AS f",
            "{\"s\":\"1.00 KiB\",\"f\":\"x\"}\n",
        ),
        ("SELECT Body FROM logs WHERE Host = 'nobody'", ""),
        ("/* one */ SELECT 1 AS n -- two", "{\"n\":1}\n"),
        ("(SELECT 1 AS n)", "{\"n\":1}\n"),
        ("SELECT 1 AS `zähler` FORMAT CSVWithNames", "\"zähler\"\n1\n"),
        ("SELECT count() AS n FROM logs SETTINGS max_threads = 1", "{\"n\":16}\n"),
        ("SELECT currentDatabase() AS d, truncate(1.5) AS t", "{\"d\":\"lastwords\",\"t\":1}\n"),
        (
            "SELECT count() > 0, max(Version) - max(Version) FROM events",
            "{\"greater(count(), 0)\":1,\"minus(max(Version), max(Version))\":0}\n",
        ),
        ("SELECT count() > 0 AS n FROM system.parts WHERE database = 'lastwords'", "{\"n\":1}\n"),
    ] {
        assert_eq!(
            of(week, text).await.unwrap_or_else(|error| panic!("{text}: {error}")),
            expected,
            "{text}"
        );
    }
    let csv = sql(&week.store, "SELECT 1 AS n", "CSVWithNames", &AskOptions::new(TimeZone::UTC))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(csv, b"\"n\"\n1\n");
    let parquet = sql(&week.store, "SELECT Host FROM logs", "Parquet", &AskOptions::new(TimeZone::UTC))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert!(parquet.starts_with(b"PAR1"));
}

/// An error shows the word that it is about.
pub async fn points_at_the_word(week: &Week) {
    for (text, expected) in [
        ("SELECT coutn() FROM logs", "  SELECT coutn() FROM logs\n         ^^^^^"),
        ("SELECT 1\nFROM systm.x", "  FROM systm.x\n       ^^^^^^^"),
        (
            "SELECT 1 SETTINGS max_thread = 1",
            "  SELECT 1 SETTINGS max_thread = 1\n                    ^^^^^^^^^^",
        ),
    ] {
        let error = of(week, text).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

pub async fn is_confined(week: &Week) {
    let refused = [
        "SELECT * FROM correlate('panics quiet evenings')",
        "SELECT * FROM correlate('hosts silent for 5m')",
        "SELECT * FROM correlate(Host)",
        "SELECT Nothing FROM correlate('panics')",
        "SELECT * FROM correlate('panics'), file('/etc/passwd')",
        "SELECT * FROM correlate('{1)) OR (1}')",
        "SELECT * FROM format(JSONEachRow, 'a Int8', '')",
        "SELECT FROM WHERE",
        "SELECT nothing FROM logs",
        "SELECT 1; SELECT 2",
        "SELECT * FROM file('/etc/passwd')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
        "SELECT * FROM s3('http://127.0.0.1:1/x')",
        "SELECT * FROM remote('127.0.0.1', system.one)",
        "SELECT * FROM cluster('default', system.one)",
        "SELECT * FROM merge('system', '.*')",
        "SELECT * FROM executable('cat', 'TSV', 'x String')",
        "SELECT * FROM sqlite('/tmp/x', 'y')",
        "SELECT * FROM view(SELECT * FROM system.users)",
        "SELECT * FROM loop(system.users)",
        "SELECT * FROM dictionary('x')",
        "SELECT * FROM logs, system.users",
        "SELECT * FROM logs JOIN system.users ON 1",
        "SELECT name FROM system.users",
        "SELECT name FROM `system`.`users`",
        "SELECT name FROM \"system\".users",
        "SELECT name FROM information_schema.tables",
        "SELECT name FROM SYSTEM.users",
        "SELECT 1 IN system.one",
        "SELECT 1 WHERE 1 IN system.one",
        "SELECT 1 WHERE 1 NOT IN `system`.one",
        "SELECT in(1, system.one)",
        "SELECT (SELECT any(name) FROM system.users)",
        "SELECT * FROM (SELECT * FROM (SELECT * FROM system.users))",
        "WITH x AS (SELECT * FROM system.users) SELECT * FROM x",
        "SELECT 1 UNION ALL SELECT 1 FROM system.one",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM `/etc/passwd`",
        "SELECT dictGet('x', 'y', 1)",
        "SELECT joinGet('system.one', 'dummy', 1)",
        "SELECT getSetting('readonly')",
        "SELECT hasColumnInTable('system', 'users', 'name')",
        "SELECT sleep(1)",
        "SELECT filesystemAvailable()",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 INTO OUTFILE '/tmp/lastwords-outfile'",
        "SELECT 1 FORMAT Template",
        "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS x)",
        "SELECT * APPLY(x -> (SELECT count() FROM system.users)) FROM (SELECT 1 AS x)",
        "SELECT `\\x66ile`('/etc/passwd')",
        "SELECT * FROM `\\x66ile`('/etc/passwd')",
        "SELECT * FROM migrations",
        "WITH system.one AS t SELECT 0 IN t",
        "SELECT CAST('' AS AggregateFunction(sum, UInt8))",
        "SELECT * FROM logs FINAL SAMPLE 1/0 SETTINGS max_threads = 1",
        "WITH x AS (SELECT 1) INSERT INTO logs SELECT 1",
        "SELECT \u{2018}a\u{2019}",
        "EXPLAIN SELECT 1",
        "SHOW PROCESSLIST",
    ];
    for text in refused {
        match of(week, text).await {
            Ok(rows) => panic!("{text} gave {rows:?}"),
            Err(error) => assert_eq!(error.class(), ErrorClass::Usage, "{text}: {error:?}"),
        }
    }
    assert!(!std::path::Path::new("/tmp/lastwords-outfile").exists());
    assert!(
        sql(&week.store, "SELECT 1", "TSV INTO OUTFILE 'x'", &AskOptions::new(TimeZone::UTC)).await.is_err()
    );
}
