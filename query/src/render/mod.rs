//! Answers on a terminal. Pure: whoever has an answer's JSON can do it, whatever its terminal's width.

mod listing;
mod look;
mod matches;
mod plot;
pub mod terminal;

pub use look::{Look, wrapped};

use crate::answer::Reply;

/// Words an answer for a terminal.
pub fn render(reply: &Reply, look: &Look) -> String {
    match reply {
        Reply::Events(answer) => matches::render(answer, look),
        Reply::Listing(listing) => listing::render(listing, look),
    }
}
