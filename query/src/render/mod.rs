//! Answers on a terminal. Pure: whoever has an answer's JSON can do it, whatever its terminal's width.

mod listing;
mod look;
mod matches;
mod plot;
pub mod terminal;

pub use look::{Look, wrapped};

use crate::answer::{Answer, Reply};
use listing::Table;

/// Draws an answer with its words.
pub fn render(reply: &Reply, look: &Look) -> String {
    let (wording, truncated) = (&reply.wording, reply.answer.header().truncated);
    match &reply.answer {
        Answer::Matches(answer) => matches::render(answer, wording, look),
        Answer::Preceding(answer) => {
            listing::render(wording, &Table { columns: &answer.columns, rows: &answer.rows, truncated }, look)
        }
        Answer::Distinguishing(answer) => {
            listing::render(wording, &Table { columns: &answer.columns, rows: &answer.rows, truncated }, look)
        }
        Answer::Changed(answer) => {
            listing::render(wording, &Table { columns: &answer.columns, rows: &answer.rows, truncated }, look)
        }
        Answer::Messages(answer) => {
            listing::render(wording, &Table { columns: &answer.columns, rows: &answer.rows, truncated }, look)
        }
        Answer::Silence(answer) => {
            listing::render(wording, &Table { columns: &answer.columns, rows: &answer.rows, truncated }, look)
        }
    }
}
