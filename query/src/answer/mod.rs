//! Answers: their figures, their matches, their sentence. They serialise to the JSON that other programs depend on.

pub(crate) mod counts;
mod listing;
mod matches;
mod range;
mod reply;

pub use listing::Listing;
pub(crate) use listing::row;
pub use matches::{Answer, Bar, Chance, Counted, Groups, Match, Partner};
pub use range::{Range, rfc3339};
pub use reply::Reply;
