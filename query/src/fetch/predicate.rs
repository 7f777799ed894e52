//! Whether a `{predicate}`'s names and types are right, and what the store's refusals say.

use lastwords_store::{QueryError, Store, select::check_predicate};

use crate::{
    error::AskError,
    language::{Members, Set, SyntaxError},
};

/// Lets the store look at the conditions of a question's sets.
///
/// # Errors
/// Pointing at the condition.
pub(crate) async fn check_sets(store: &Store, question: &str, sets: Vec<&Set>) -> Result<(), AskError> {
    for set in sets {
        if let Members::Predicate(predicate) = &set.members {
            check_predicate(store, predicate).await.map_err(|error| match refused(error) {
                AskError::Refused(message) => {
                    AskError::Syntax(SyntaxError::of_predicate(question, set.place.clone(), &message))
                }
                other => other,
            })?;
        }
    }
    Ok(())
}

/// A statement that the store refuses is the asker's matter, but for what passes or is ours.
pub(crate) fn refused(error: QueryError) -> AskError {
    match error.statement_fault() {
        Some(message) => AskError::Refused(message),
        None => AskError::Store(error),
    }
}
