//! How a question is understood, and what is asked of the store for it.

use std::{fmt::Write as _, sync::Arc};

use lastwords_store::{
    Store,
    select::{EventSelection, count_events},
};

use crate::{
    ask::understand,
    context::Context,
    error::AskError,
    event::{Events, Row},
    fetch::partners::{PARTNERS_BYTES_MAX, prepare},
    forms::{matches, opening::Opening},
    language::{self, Bounds, Near, Question, Understood},
    options::AskOptions,
    plan::selection,
};

/// Words the question as it is understood, then each statement with the number of rows that it gives.
///
/// # Errors
/// Where it is not understood, or the store fails.
pub async fn explain(store: &Store, text: &str, options: &AskOptions) -> Result<String, AskError> {
    let (Understood { question, notes }, asked) = understand(store, text, options).await?;
    let mut out = format!("understood as: {question}\n");
    for note in notes {
        let _ = writeln!(out, "{note}");
    }
    match &question {
        Question::Matches(question) => {
            let selected = selection::anchors(&question.anchors, &question.bounds, question.by.as_ref());
            describe(&mut out, "the events asked for", "kept in memory", (store, &selected)).await?;
            if let Some(Opening { context, anchors, .. }) = matches::open(&asked, question).await? {
                for (at, near) in question.conditions.iter().enumerate() {
                    let with_windows = options.statistics && Some(at) == question.main();
                    condition(&mut out, store, (&context, &anchors), (near, &question.bounds), with_windows)
                        .await?;
                }
            }
        }
        Question::Precedes(language::Precedes { anchors, bounds, .. })
        | Question::Distinguishes(language::Distinguishes { anchors, bounds, .. })
        | Question::Change(language::Change { anchors, bounds, .. }) => {
            let selected = selection::anchors(anchors, bounds, None);
            describe(&mut out, "the events asked about", "kept in memory", (store, &selected)).await?;
        }
        Question::Silent(_) | Question::Messages(_) => {}
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

/// One condition: which of its partners are fetched and why, and whether they are kept.
async fn condition(
    out: &mut String,
    store: &Store,
    (context, anchors): (&Arc<Context>, &[Row]),
    (near, bounds): (&Near, &Bounds),
    with_windows: bool,
) -> Result<(), AskError> {
    let (comparison, narrow) = prepare(context, near, anchors.to_vec(), with_windows).await?;
    let selected = context.select(near, bounds, &narrow);
    let rows = count_events(store, &selected).await?;
    let bytes = usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(Events::ROW_BYTES);
    let budget = &context.budget;
    let fits = budget.keep(comparison.bytes()).and_then(|()| budget.keep(bytes)).is_ok();
    let kept = fits && bytes <= PARTNERS_BYTES_MAX;
    let mut how = String::new();
    if let Some(hosts) = &narrow.hosts {
        let _ = write!(how, "only of the {} hosts that had what is asked for, ", hosts.len());
    }
    if let Some(buckets) = &narrow.buckets_s {
        let looked = if with_windows { "it or chance looks" } else { "it looks" };
        let _ = write!(how, "only of the {} five minutes in which {looked} for them, ", buckets.len());
    }
    let whether = if kept { "all kept" } else { "none kept; those listed are fetched again" };
    let _ = write!(how, "in pieces of {}, {whether}", budget.piece_rows());
    let _ = write!(out, "\n{near}: {rows} rows, {how}\n  {}\n", selected.statement());
    Ok(())
}

async fn describe(
    out: &mut String,
    what: &str,
    how: &str,
    (store, selected): (&Store, &EventSelection),
) -> Result<(), AskError> {
    let rows = count_events(store, selected).await?;
    let _ = write!(out, "\n{what}: {rows} rows, {how}\n  {}\n", selected.statement());
    Ok(())
}
