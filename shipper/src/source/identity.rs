//! Which file is which: by content, not by name.
//!
//! Each *generation* of a file has an id of its own: a truncated file is a new one under an old name. It is recognised
//! by what was read of it: the hash of its first bytes (up to 1 KiB; fewer as long as it is shorter, growing with it),
//! the hash of the last bytes that were read, and the [`Trace`] of everything in between. Names change when a file is
//! rotated; inodes are used again; devices are numbered anew; contents begin alike. Name, device and inode say where to
//! look first and decide nothing.

use std::io;

use lastwords_record::stamp::StampState;
use serde::{Deserialize, Serialize};

use super::{
    content::Content,
    fingerprint::{Fingerprint, HEAD_BYTES_MAX},
    trace::Trace,
};
use crate::stamp_memory::Memory;

/// What is kept of one generation of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileState {
    /// Our number for it.
    pub id: u64,
    /// Where it was last seen.
    pub path: String,
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// What its content is recognised by.
    pub identity: Fingerprint,
    /// Up to where it is planned: the next byte to read.
    pub position: u64,
    /// What its stamper remembers at `position`.
    #[serde(with = "Memory")]
    pub stamp: StampState,
    /// xxh3-128 of all bytes up to `position`, hexadecimal; imports only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What was read, piece by piece; empty where it was read by a program that did not keep it.
    #[serde(default, skip_serializing_if = "Trace::is_empty")]
    pub trace: Trace,
    /// It was rotated away and is read to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
}

/// What a content is to a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// It holds all that was read.
    Whole,
    /// It is the same up to this byte, most of what was read: what followed has been lost or written anew.
    Most(u64),
    /// Another one.
    Other,
}

impl FileState {
    /// What a content is to this generation. Where nothing was read yet, its first bytes tell.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn liken(&self, content: &mut Content) -> io::Result<Likeness> {
        if self.position == 0 {
            let known = self.identity.head_length > 0 && self.identity.matches(&content.head()?);
            return Ok(if known { Likeness::Whole } else { Likeness::Other });
        }
        let ends_match = content.is(&self.identity, self.position)?;
        if self.trace.is_empty() {
            return Ok(if ends_match { Likeness::Whole } else { Likeness::Other });
        }
        let agreed = self.trace.agreed(|position, buffer| content.read_some(position, buffer))?;
        Ok(match (ends_match, agreed) {
            (true, agreed) if agreed >= self.position => Likeness::Whole,
            // A program that starts anew often begins with the same words: that alone makes no old content.
            (_, agreed) if agreed < self.position && agreed >= self.position.div_ceil(2) => {
                Likeness::Most(agreed)
            }
            _ => Likeness::Other,
        })
    }

    /// Goes back to a place up to which the content is still the same.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn go_back(&mut self, content: &mut Content, position: u64) -> io::Result<()> {
        let start = position.saturating_sub(HEAD_BYTES_MAX as u64);
        let mut tail = vec![0; usize::try_from(position - start).unwrap_or(HEAD_BYTES_MAX)];
        let read = content.read_at(start, &mut tail)?;
        tail.truncate(read);
        self.identity = Fingerprint::of(&content.head()?).with_tail(&tail);
        self.trace.cut(position);
        self.position = position;
        Ok(())
    }
}
