//! Whatever a user sends as SQL: a refusal that points into the text, or a text that is read back as the same tree and
//! names no function and no table that is on no list; never a panic. `scripts/fuzz 60 sql`.
//!
//! Where `LASTWORDS_FUZZ_ENGINE` names the socket of a running engine (`scripts/fuzz` starts one), what passes is shown
//! to it, and what its own trees name is held against the lists.
#![no_main]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use lastwords_store::confine::{Audience, Policy, confine, confine_predicate, is_canonical};

#[path = "../../../store/tests/confine/engine_tree.rs"]
mod engine_tree;

/// An explained tree is read so far.
const TREE_BYTES_MAX: u64 = 1 << 20;
/// The engine is waited for so long, and then asked about the next text.
const PATIENCE: Duration = Duration::from_secs(5);

static ENGINE: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("LASTWORDS_FUZZ_ENGINE").map(PathBuf::from));

libfuzzer_sys::fuzz_target!(|text: &str| {
    for audience in [Audience::Asker, Audience::Port] {
        let policy = Policy { database: "lastwords", audience };
        match confine(text, &policy) {
            Ok(confined) => {
                assert!(is_canonical(&confined.text), "{text}\n{}", confined.text);
                if let Some(engine) = &*ENGINE {
                    compare_with_engine(engine, &confined.text);
                }
            }
            Err(refusal) => {
                assert!(text.get(refusal.place.clone()).is_some(), "{refusal:?}");
                let _ = refusal.pointing_into(text);
            }
        }
        match confine_predicate(text, &policy) {
            // In brackets it is one value, whatever stands around it.
            Ok(condition) => {
                assert!(is_canonical(&format!("SELECT {condition}")), "{text}\n{condition}");
                if let Some(engine) = &*ENGINE {
                    compare_with_engine(engine, &format!("SELECT {condition} FROM logs"));
                }
            }
            Err(refusal) => assert!(text.get(refusal.place.clone()).is_some(), "{refusal:?}"),
        }
    }
});

/// Fails where the engine would touch what no list allows: by the tree as it was written, and by the resolved one, which
/// alone shows what `APPLY` calls.
fn compare_with_engine(engine: &PathBuf, text: &str) {
    if let Some(tree) = ask(engine, &format!("EXPLAIN AST {text}")) {
        engine_tree::assert_known(&engine_tree::named(&tree, &["Function ", "TableIdentifier "]), text);
    }
    if let Some(tree) = ask(engine, &format!("EXPLAIN QUERY TREE {text}")) {
        let kinds = ["function_name: ", "table_name: ", "table_function_name: "];
        engine_tree::assert_known(&engine_tree::named(&tree, &kinds), text);
    }
}

/// What the engine says; none where it refuses the statement, or is busy being started again.
fn ask(engine: &PathBuf, statement: &str) -> Option<String> {
    let mut stream = UnixStream::connect(engine).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = format!(
        "POST /?database=lastwords&default_format=TabSeparatedRaw&max_execution_time=2 HTTP/1.1\r\n\
         Host: engine\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        statement.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(statement.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(TREE_BYTES_MAX).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}
