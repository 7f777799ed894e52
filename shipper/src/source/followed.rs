//! One generation of a file that is followed: open until everything in it is acknowledged, whatever becomes of
//! its name.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use lastwords_record::encoding::Encoding;

use super::{content::Content, fingerprint::Fingerprint, identity::FileState};
use crate::{
    form::{Dater, Ending},
    moment::Moment,
    plan::Voice,
};

/// A file that is followed.
#[derive(Debug)]
pub struct Followed {
    /// What the plan knows of it, and up to where it was read.
    pub state: FileState,
    /// Its bytes.
    pub content: Content,
    /// For whom it speaks.
    pub voice: Voice,
    /// Dates its lines.
    pub dater: Dater,
    /// Its size when it was last looked at.
    pub size: u64,
    /// When it was last written, as the file system says; UTC nanoseconds.
    modified_ns: i64,
    /// When its size last changed, by the steady clock.
    pub changed_ns: i64,
    /// It may have grown since it was last looked at.
    pub touched: bool,
    /// It has changed, and whether it still is what was read of it is not known yet.
    pub suspect: bool,
    /// Its path means another file now, or none: nobody begins anything new in it.
    pub left: bool,
    /// Its name is gone altogether: only we hold it.
    pub deleted: bool,
    /// The plan knows that it has no name any more and was read to its end: after a restart nobody looks for it.
    pub settled: bool,
    /// Bytes a second that may be read of it, at most; 0: as much as comes.
    pub bytes_per_second_max: u64,
    /// Bytes that may be read of it, by when.
    allowance: (u64, i64),
    /// How its text is written is known.
    knows_encoding: bool,
    /// Nothing will be added: it was truncated or is a finished copy. What is left is read to the end.
    pub finished: bool,
}

/// How long lines wait for company, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A group for its next line.
    pub group_ns: i64,
    /// A partial line for its rest.
    pub partial_ns: i64,
}

const SECOND_NS: i64 = 1_000_000_000;

/// When a file was last written, UTC nanoseconds.
pub fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

impl Followed {
    /// Takes up a generation.
    pub fn new(state: FileState, content: Content, voice: Voice, now: Moment) -> Followed {
        let dater = Dater::new(&voice, Some(state.stamp));
        Followed {
            state,
            content,
            voice,
            dater,
            size: 0,
            modified_ns: 0,
            changed_ns: now.steady_ns,
            touched: true,
            suspect: true,
            left: false,
            deleted: false,
            settled: false,
            bytes_per_second_max: 0,
            allowance: (0, i64::MIN),
            knows_encoding: false,
            finished: false,
        }
    }

    /// Looks at its size. False: it was truncated or written anew; what is here is another generation now.
    ///
    /// # Errors
    /// Where that cannot be found out.
    pub fn look(&mut self, now: Moment) -> io::Result<bool> {
        if matches!(self.content, Content::Parked) {
            return Ok(true);
        }
        let Some(file) = self.content.plain() else {
            // A compressed file is finished: it is read to its end.
            self.finished = true;
            self.size = u64::MAX;
            return Ok(true);
        };
        let metadata = file.metadata()?;
        self.deleted = metadata.nlink() == 0;
        let (size, modified_ns) = (metadata.size(), modified_ns(&metadata));
        if size < self.state.position {
            return Ok(false);
        }
        // A file that is written anew may have the size that it had.
        if (size, modified_ns) != (self.size, self.modified_ns) {
            self.suspect = true;
        }
        self.modified_ns = modified_ns;
        if size != self.size {
            self.size = size;
            self.changed_ns = now.steady_ns;
        }
        if self.suspect {
            // The judgement is kept only where it is good: what is not dealt with now is judged again.
            self.suspect = !self.is_itself()?;
            self.note_beginning();
        }
        Ok(!self.suspect)
    }

    /// Looks at its size and its name without judging its content; that comes before it is read.
    pub fn refresh(&mut self, now: Moment) {
        let Some(metadata) = self.content.plain().and_then(|file| file.metadata().ok()) else { return };
        self.deleted = metadata.nlink() == 0;
        if metadata.size() > self.size {
            self.size = metadata.size();
            self.suspect = true;
            self.changed_ns = now.steady_ns;
            if self.is_itself().unwrap_or_default() {
                self.note_beginning();
            }
        }
    }

    /// Bytes that may be read of it now: what its set allows it of a second; all where it sets no bound.
    pub fn allowed(&mut self, now: Moment) -> u64 {
        if self.bytes_per_second_max == 0 {
            return u64::MAX;
        }
        let (left, since_ns) = self.allowance;
        let passed_ns = now.steady_ns.saturating_sub(since_ns).clamp(0, SECOND_NS).unsigned_abs();
        let more = self.bytes_per_second_max.saturating_mul(passed_ns) / SECOND_NS.unsigned_abs();
        if more > 0 {
            self.allowance = (left.saturating_add(more).min(self.bytes_per_second_max), now.steady_ns);
        }
        self.allowance.0
    }

    /// So many bytes were read.
    pub fn use_up(&mut self, bytes: u64) {
        self.allowance.0 = self.allowance.0.saturating_sub(bytes);
    }

    /// Finds out how its text is written, from its beginning: of `read`, where that stands there.
    pub fn learn_encoding(&mut self, read: &[u8]) {
        if self.knows_encoding {
            return;
        }
        let found = match self.state.position {
            0 => Encoding::of(read),
            _ => self.content.head().ok().and_then(|head| Encoding::of(&head)),
        };
        if let Some(encoding) = found {
            self.knows_encoding = true;
            self.voice.encoding = encoding;
            self.dater.read_as(encoding);
        }
    }

    /// Before anything is read, its first bytes are all that a copy can be recognised by.
    fn note_beginning(&mut self) {
        if self.state.position == 0
            && let Ok(head) = self.content.head()
            && self.state.identity.matches(&head)
        {
            self.state.identity = Fingerprint::of(&head);
        }
    }

    /// When its file was last written: of generations that were rotated away, the older one has the lower. UTC nanoseconds.
    pub fn written_ns(&self) -> i64 {
        let own = self.content.plain().and_then(|file| file.metadata().ok());
        own.or_else(|| fs::metadata(&self.state.path).ok()).map_or(0, |metadata| modified_ns(&metadata))
    }

    /// Whether size and time of writing are those of the last look.
    pub fn is_unchanged(&self, metadata: &Metadata) -> bool {
        (metadata.size(), modified_ns(metadata)) == (self.size, self.modified_ns)
    }

    /// Whether what was read of it before is still what it holds.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn is_itself(&mut self) -> io::Result<bool> {
        self.content.is(&self.state.identity, self.state.position)
    }

    /// Whether there may be bytes to read.
    pub fn has_more(&self) -> bool {
        self.size > self.state.position
    }

    /// Bytes that are known to be there and were not read.
    pub fn unread(&self) -> u64 {
        if self.content.plain().is_none() { 0 } else { self.size.saturating_sub(self.state.position) }
    }

    /// Goes on in another file of the same content: under a name that a rule means, or in a finished copy.
    pub fn go_on_in(&mut self, path: &Path, content: Content, finished: bool) {
        if let Ok(metadata) = fs::metadata(path) {
            (self.state.device, self.state.inode) = (metadata.dev(), metadata.ino());
        }
        self.content = content;
        self.state.path = path.to_string_lossy().into_owned();
        (self.finished, self.left, self.deleted) = (finished, finished, false);
        (self.touched, self.suspect) = (true, true);
        // Not known before it is looked at.
        (self.size, self.modified_ns) = (if finished { u64::MAX } else { self.state.position }, 0);
    }

    /// What is done with lines at the end of what there is now.
    pub fn ending(&self, now: Moment, patience: Patience) -> Ending {
        let quiet_ns = now.steady_ns.saturating_sub(self.changed_ns);
        if self.finished || quiet_ns >= patience.partial_ns {
            Ending::All
        } else if quiet_ns >= patience.group_ns {
            Ending::Groups
        } else {
            Ending::Open
        }
    }

    /// The identity after `read` was taken, which ends at the new position.
    pub fn identity_after(&mut self, read: &[u8]) -> io::Result<Fingerprint> {
        let known = self.state.identity;
        let head = if usize::from(known.head_length) < super::fingerprint::HEAD_BYTES_MAX {
            if self.state.position == 0 {
                Fingerprint::of(read)
            } else {
                Fingerprint::of(&self.content.head()?)
            }
        } else {
            known
        };
        Ok(head.with_tail(read))
    }
}
