//! Which files there are: globs, and what changes in their folders.
//!
//! Globs are absolute paths; within a segment `*` is any text, `?` any character, `[abc]` and `[a-z]` one of them;
//! a segment `**` is any number of folders, none included. Symbolic links to folders are not followed by `**`.

mod pattern;
mod watch;

pub use pattern::{Pattern, PatternError};
pub use watch::{Changes, Watch};
