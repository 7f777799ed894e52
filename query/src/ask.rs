//! The whole way from a question to its answer.

use std::sync::Arc;

use lastwords_store::Store;

use crate::{
    answer::Reply,
    context::Asked,
    correlate::placement::Placement,
    error::AskError,
    fetch::{catalog, predicate::check_sets},
    forms::{changed, distinguishing, matches, messages, preceding, silence},
    language::{self, Asker, Question, Vocabulary},
    options::AskOptions,
};

/// Answers a question.
///
/// # Errors
/// Where it is not understand, or the store fails.
pub async fn ask(store: &Store, text: &str, options: &AskOptions) -> Result<Reply, AskError> {
    let (question, asked) = understand(store, text, options).await?;
    match question {
        Question::Matches(question) => Ok(Reply::Events(Box::new(matches::answer(&asked, question).await?))),
        Question::Precedes(question) => Ok(Reply::Listing(preceding::answer(&asked, question).await?)),
        Question::Change(question) => Ok(Reply::Listing(changed::answer(&asked, question).await?)),
        Question::Distinguishes(question) => {
            Ok(Reply::Listing(distinguishing::answer(&asked, question).await?))
        }
        Question::Messages(question) => Ok(Reply::Listing(messages::answer(&asked, question).await?)),
        Question::Silent(question) => Ok(Reply::Listing(silence::answer(&asked, question).await?)),
    }
}

/// Understands a question.
pub(crate) async fn understand<'a>(
    store: &'a Store,
    text: &'a str,
    options: &'a AskOptions,
) -> Result<(Question, Asked<'a>), AskError> {
    let now_ns = i64::try_from(options.now.as_nanosecond()).unwrap_or(i64::MAX);
    let asker = Asker { now_ns, time_zone: options.time_zone.clone() };
    let with_attributes = false;
    let placement = Arc::new(catalog::placement(store, &options.labels, with_attributes).await?);
    let vocabulary = with_labels(options, &placement);
    let question = language::parse(text, &vocabulary, &asker)?;
    check_sets(store, text, question.sets()).await?;
    Ok((question, Asked { store, text, options, now_ns, placement }))
}

/// Everything that a question may name here.
///
/// # Errors
/// Where the store fails.
pub async fn vocabulary(store: &Store, options: &AskOptions) -> Result<Vocabulary, AskError> {
    Ok(with_labels(options, &catalog::placement(store, &options.labels, false).await?))
}

fn with_labels(options: &AskOptions, placement: &Placement) -> Vocabulary {
    let mut vocabulary = Vocabulary::clone(&options.vocabulary);
    vocabulary.labels.extend(placement.label_names().map(str::to_owned));
    vocabulary
}
