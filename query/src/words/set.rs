//! What sets of events are called in sentences.

use crate::language::{Members, Set};

/// A set's words, as the subject of a sentence.
pub(crate) fn name_set(set: &Set) -> String {
    match &set.members {
        Members::Class(_) if set.words.contains('.') => format!("{} events", set.words),
        Members::Class(_) | Members::Classes(_) => set.words.clone(),
        // A name for records is as good as one for events.
        Members::Predicate(_) if !set.words.starts_with('{') => set.words.clone(),
        Members::Text(_) | Members::Predicate(_) => format!("records with {}", set.words),
    }
}
