//! Which files there are: globs, and what changes in their folders.
//!
//! Globs are absolute paths; within a segment `*` is any text, `?` any byte, `[abc]` and `[a-z]` one of them, `[!0-9]`
//! none of them, `{a,b}` one of several texts, `\\` takes the next character as it is; a segment `**` is any number of
//! folders, none included. Symbolic links to folders are not followed by `**`.

mod pattern;
mod watch;

pub use pattern::{Pattern, PatternError, Refused, Walked};
pub use watch::{Changes, Watch};
