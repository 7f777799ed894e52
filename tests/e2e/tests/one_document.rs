//! Rows of SQL are one document, however many blocks the engine gives them in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use lastwords_e2e::{
    program::{command, run},
    up::{Up, request},
};
use serde_json::Value;

/// A thousand rows in ten blocks, with what needs care in each format: quotes, line feeds, bytes that are no UTF-8.
const ROWS: &str = "SELECT number AS n, 'a,\"b\"' AS text, 'x\\ny' AS lines, unhex('ff') AS bytes FROM numbers(1000) \
                    SETTINGS max_block_size = 100";

fn check(format: &str, printed: &[u8]) {
    let text = String::from_utf8_lossy(printed);
    match format {
        "jsonl" => {
            assert_eq!(text.lines().count(), 1_000, "{text}");
            for (number, line) in text.lines().enumerate() {
                let row: Value = serde_json::from_str(line).unwrap();
                assert_eq!((&row["n"], &row["bytes"]), (&number.into(), &"\u{fffd}".into()), "{line}");
            }
            assert!(std::str::from_utf8(printed).is_ok());
        }
        "json" => {
            let rows: Vec<Value> = serde_json::from_slice(printed).unwrap();
            assert_eq!(rows.len(), 1_000);
            assert_eq!(rows[999]["lines"], "x\ny");
        }
        "csv" => {
            assert!(text.starts_with("\"n\",\"text\",\"lines\",\"bytes\"\n0,"), "{text}");
            assert_eq!(text.matches("\"text\"").count(), 1, "{text}");
            assert_eq!(text.matches("\"x\ny\"").count(), 1_000, "{text}");
            // It is data: bytes stay as they are.
            assert_eq!(printed.iter().filter(|byte| **byte == 0xff).count(), 1_000);
        }
        "table" => {
            assert_eq!(text.lines().count(), 1_001, "{text}");
            assert_eq!(text.lines().next(), Some("  n  text   lines  bytes"));
            assert_eq!(text.lines().last(), Some("999  a,\"b\"  x y    \u{fffd}"));
        }
        other => panic!("{other}"),
    }
}

/// The very bytes.
fn printed(arguments: &[&str]) -> Vec<u8> {
    let output = command(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_thousand_rows_are_one_document_in_each_format() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let here = data.to_str().unwrap();
    let up = Up::start(&data, &["--no-collect"]);
    let url = format!("http://{}", up.address("http"));
    for format in ["jsonl", "json", "csv", "table"] {
        check(format, &printed(&["query", "--server", &url, "--format", format, ROWS]));
        check(format, &printed(&["query", "--data", here, "--format", format, ROWS]));
    }
    // A format that the statement names itself.
    for (format, lines) in [("CSVWithNames", 1_001), ("TSVWithNamesAndTypes", 1_002)] {
        let sql =
            format!("SELECT number AS n FROM numbers(1000) SETTINGS max_block_size = 100 FORMAT {format}");
        assert_eq!(
            run(["query", "--server", &url, &sql]).expect(0).stdout.lines().count(),
            lines,
            "{format}"
        );
    }
    let sql = "SELECT number AS n FROM numbers(1000) SETTINGS max_block_size = 100 FORMAT JSON";
    let body = format!("{{\"sql\":\"{sql}\"}}");
    let (status, text) = request(up.address("http"), "POST /api/v1/query HTTP/1.1", &body).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &document["rows"]), (200, &1_000.into()));
    drop(up);
    // Without a server the same, and nothing is an answer, too.
    for format in ["jsonl", "json", "csv", "table"] {
        check(format, &printed(&["query", "--data", here, "--format", format, ROWS]));
        let none = run(["query", "--data", here, "--format", format, "SELECT 1 AS n WHERE 0"]).expect(1);
        let expected = match format {
            "json" => "[\n]\n",
            "csv" => "\"n\"\n",
            _ => "",
        };
        assert_eq!(none.stdout, expected, "{format}");
    }
}
