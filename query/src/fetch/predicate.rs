//! Whether a `{predicate}`'s names and types are right, and what the store's refusals say.

use lastwords_store::{
    QueryError, Store,
    confine::{Audience, limits},
};

use crate::{
    error::AskError,
    language::{Members, Predicate, Set, SyntaxError},
};

/// Lets the store look at the conditions of a question's sets.
///
/// # Errors
/// Pointing at the condition.
pub(crate) async fn check_sets(store: &Store, question: &str, sets: Vec<&Set>) -> Result<(), AskError> {
    for set in sets {
        if let Members::Predicate(predicate) = &set.members {
            check_predicate(store, question, set, predicate).await?;
        }
    }
    Ok(())
}

/// What a statement of so many bytes runs under.
pub(crate) fn settings(bytes: usize) -> Vec<(&'static str, String)> {
    let mut settings = limits::settings(Audience::Asker);
    settings.push(("max_query_size", (bytes + 1024).to_string()));
    settings
}

/// Lets the store say whether a `{predicate}`'s names and types are right; that it is nothing more than an expression
/// over one record was seen when the question was read.
///
/// # Errors
/// Pointing at the predicate.
async fn check_predicate(
    store: &Store,
    question: &str,
    set: &Set,
    predicate: &Predicate,
) -> Result<(), AskError> {
    let statement = format!("SELECT 1 FROM logs WHERE {} LIMIT 0", predicate.sql());
    let settings = settings(statement.len());
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let tried = match store.query_bytes(&statement, &[], "Null", &settings) {
        Ok(answer) => answer.collect().await,
        Err(error) => Err(error),
    };
    tried.map(|_| ()).map_err(|error| match refused(error) {
        AskError::Refused(message) => {
            AskError::Syntax(SyntaxError::of_predicate(question, set.place.clone(), &message))
        }
        other => other,
    })
}

/// A statement that the store refuses is the asker's matter, but for what passes or is ours.
pub(crate) fn refused(error: QueryError) -> AskError {
    match error.statement_fault() {
        Some(message) => AskError::Refused(message),
        None => AskError::Store(error),
    }
}
