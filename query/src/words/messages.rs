//! Messages, in words.

use super::numbers::count;
use crate::{
    answer::{MessagesAnswer, Wording, rfc3339},
    language::Messages,
};

/// Words an answer. `store_from_ns`: from when on anything is stored.
pub(crate) fn word(question: &Messages, answer: &MessagesAnswer, store_from_ns: i64) -> Wording {
    let messages = answer.figures.messages;
    let sentence = match (question.new, messages) {
        (true, 0) => "No message of this range is new: each was seen before it.".to_owned(),
        (true, _) => format!("{} in this range, never seen before it.", count(messages, "new message")),
        (false, 0) => "There are no messages in this range.".to_owned(),
        (false, _) => format!(
            "{} in {}.",
            count(messages, "different message"),
            count(answer.figures.records, "record")
        ),
    };
    let mut notes = Vec::new();
    if question.new && messages > 0 {
        notes.push(if store_from_ns >= answer.header.range.from {
            "Nothing is stored from before the range, so that everything in it is new.".to_owned()
        } else {
            format!("New is what was not seen since {}, when the store begins.", rfc3339(store_from_ns))
        });
    }
    Wording { sentence, notes }
}
