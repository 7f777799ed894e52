//! The whole way from a question to its answer.

use std::sync::Arc;

use lastwords_store::Store;

use crate::{
    answer::{Answer, Reply},
    catalog::Known,
    context::Asked,
    error::AskError,
    fetch::{
        catalog::{fetch_known, latest_known, with_new_names},
        predicate::check_sets,
    },
    forms::{changed, distinguishing, matches, messages, preceding, silence},
    language::{self, Asker, Question, Understood, Vocabulary},
    options::AskOptions,
    words,
};

/// Rows listed of candidates, and of machines and messages, unless told otherwise.
const CANDIDATES: usize = 20;
const ROWS: usize = 100;

/// Answers a question.
///
/// # Errors
/// Where it is not understood, or cannot be answered.
pub async fn ask(store: &Store, text: &str, options: &AskOptions) -> Result<Reply, AskError> {
    let (Understood { question, notes }, asked) = understand(store, text, options).await?;
    let (answer, mut wording) = match &question {
        Question::Matches(question) => {
            let (answer, grounds) = matches::answer(&asked, question).await?;
            let wording = words::matches::word(question, &answer, &grounds, &options.time_zone);
            (Answer::Matches(Box::new(answer)), wording)
        }
        Question::Precedes(question) => {
            let mut answer = preceding::answer(&asked, question).await?;
            let wording = words::preceding::word(question, &answer);
            answer.header.limit(&mut answer.rows, options.rows(CANDIDATES));
            (Answer::Preceding(answer), wording)
        }
        Question::Change(question) => {
            let (answer, of_guests) = changed::answer(&asked, question).await?;
            let wording = words::changed::word(question, &answer, of_guests, &options.time_zone);
            (Answer::Changed(answer), wording)
        }
        Question::Distinguishes(question) => {
            let mut answer = distinguishing::answer(&asked, question).await?;
            let wording = words::distinguishing::word(question, &answer);
            answer.header.limit(&mut answer.rows, options.rows(CANDIDATES));
            (Answer::Distinguishing(answer), wording)
        }
        Question::Messages(question) => {
            let (answer, store_from_ns) = messages::answer(&asked, question, options.rows(ROWS)).await?;
            let wording = words::messages::word(question, &answer, store_from_ns);
            (Answer::Messages(answer), wording)
        }
        Question::Silent(question) => {
            let mut answer = silence::answer(&asked, question).await?;
            let wording = words::silence::word(question, &answer);
            answer.header.limit(&mut answer.rows, options.rows(ROWS));
            (Answer::Silence(answer), wording)
        }
    };
    wording.notes.splice(0..0, notes);
    Ok(Reply { answer, wording })
}

/// Understands a question.
pub(crate) async fn understand<'a>(
    store: &'a Store,
    text: &'a str,
    options: &'a AskOptions,
) -> Result<(Understood, Asked<'a>), AskError> {
    let now_ns = i64::try_from(options.now.as_nanosecond()).unwrap_or(i64::MAX);
    let asker = Asker { now_ns, time_zone: options.time_zone.clone() };
    let Known { placement, vocabulary } = fetch_known(store, options).await?;
    let understood = match language::understand(text, &vocabulary, &asker) {
        // A machine may be so new that the catalog has not met it.
        Err(error) if error.unknown_name => {
            language::understand(text, &with_new_names(store, &vocabulary).await?, &asker)?
        }
        understood => understood?,
    };
    check_sets(store, text, understood.question.sets()).await?;
    Ok((understood, Asked { store, text, options, now_ns, placement }))
}

/// Everything that a question may name here, or might a moment ago: for completion.
///
/// # Errors
/// Where the store fails, and nothing is known yet.
pub async fn vocabulary(store: &Store, options: &AskOptions) -> Result<Arc<Vocabulary>, AskError> {
    Ok(latest_known(store, options).await?.vocabulary)
}
