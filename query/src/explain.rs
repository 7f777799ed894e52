//! How a question is understood, and what is asked of the store for it.

use std::fmt::Write as _;

use lastwords_store::Store;
use serde::Deserialize;

use crate::{
    ask::{self, AskError, AskOptions},
    fetch,
    language::{self, Asker, Question},
    plan,
};

/// Words the question as it is understood, then each statement with the number of rows that it gives.
///
/// # Errors
/// Where it is not understood, or the store fails.
pub async fn explain(store: &Store, text: &str, options: &AskOptions) -> Result<String, AskError> {
    let vocabulary = ask::vocabulary(store, options).await?;
    let now_ns = i64::try_from(options.now.as_nanosecond()).unwrap_or(i64::MAX);
    let asker = Asker { now_ns, time_zone: options.time_zone.clone() };
    let question = language::parse(text, &vocabulary, &asker)?;
    for set in question.sets() {
        ask::check(store, text, set).await?;
    }
    let mut out = format!("understood as: {question}\n");
    let mut parts = Vec::new();
    match &question {
        Question::Matches(question) => {
            let anchors = plan::anchors(&question.anchors, &question.bounds, question.by.as_ref());
            parts.push(("the events asked for".to_owned(), anchors));
            for near in &question.conditions {
                parts.push((near.to_string(), plan::partners(near, &question.bounds, true)));
            }
        }
        Question::Precedes(language::Precedes { anchors, bounds, .. })
        | Question::Distinguishes(language::Distinguishes { anchors, bounds, .. })
        | Question::Change(language::Change { anchors, bounds, .. }) => {
            parts.push(("the events asked about".to_owned(), plan::anchors(anchors, bounds, None)));
        }
        Question::Silent(_) | Question::Messages(_) => {}
    }
    let names = fetch::Names::with_room(usize::try_from(options.memory_bytes_max).unwrap_or(usize::MAX));
    for (number, (what, fetch)) in parts.into_iter().enumerate() {
        let rows = count(store, &fetch.sql).await?;
        let kept = usize::try_from(rows).unwrap_or(usize::MAX);
        let fits = if number == 0 { names.keep_anchors(kept) } else { names.keep_partners(kept) }.is_ok();
        let how = match (number == 0, fits) {
            (true, true) => "kept in memory".to_owned(),
            (true, false) => {
                format!("which do not fit into query.memory_max ({} MiB)", options.memory_bytes_max >> 20)
            }
            (false, true) => format!("in pieces of {}, all kept", names.piece_rows()),
            (false, false) => {
                format!("in pieces of {}, none kept; those listed are fetched again", names.piece_rows())
            }
        };
        let _ = write!(out, "\n{what}: {rows} rows, {how}\n  {}\n", fetch.sql);
    }
    out += match &question {
        Question::Matches(question) if question.conditions.is_empty() => "\nthen: counted.\n",
        Question::Matches(_) => {
            "\nthen, here: guests are put on the host that ran them, both sides of each condition are sorted by where and \
             when, and one pass over the events asked for and each piece finds every match; its cost is the rows and the \
             pairs. The same rows give what chance would.\n"
        }
        Question::Precedes(_) => {
            "\nthen: every class, and every message template seen so long before them, is fetched and tested as if it had \
             been asked for, one after the other.\n"
        }
        Question::Distinguishes(_) => {
            "\nthen: every attribute of the machines is compared between those with and without.\n"
        }
        Question::Change(_) => {
            "\nthen: episodes and machine-days are counted on both sides, here and elsewhere.\n"
        }
        Question::Messages(_) => {
            "\nthe store counts the records of each template; the text of those listed is made of one record each.\n"
        }
        Question::Silent(_) => {
            "\nthe store finds the gaps between the records and samples of each machine.\n"
        }
    };
    Ok(out)
}

async fn count(store: &Store, sql: &str) -> Result<u64, AskError> {
    #[derive(Deserialize)]
    struct Of {
        rows: u64,
    }
    let counted: Vec<Of> = store.rows(&format!("SELECT count() AS rows FROM ({sql})")).await?;
    Ok(counted.first().map_or(0, |of| of.rows))
}
