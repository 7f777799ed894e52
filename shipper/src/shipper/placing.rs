//! Which generation a file belongs to that is not known by its inode: a pure decision over what was compared, and the
//! comparing. At any time each file belongs to one generation: the one of which it holds all that was read, or a new
//! one. A copy that is made before its original is truncated is the exception: there are two files of one generation
//! for a moment. It waits until one of the two tells which it is.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{kinship::Kinship, registry::Files, waiting::Stranger};
use crate::{
    moment::Moment,
    source::{
        content::Content,
        fingerprint::{Fingerprint, HEAD_BYTES_MAX},
        followed::Followed,
        identity::{FileState, Likeness},
        kin::may_be_earlier_near,
    },
};

/// How long a file that equals another one counts as its copy in the making: what comes later is no copy.
const COPY_PATIENCE_NS: i64 = 30 * 1_000_000_000;
/// So many equal bytes are no coincidence: under a rotated file's name they are a copy for as long as they are equal.
const CERTAIN_BYTES: u64 = 4096;
/// Bytes that are compared of two files, from either end.
const COMPARED_BYTES_MAX: u64 = 8 << 20;
/// Bytes by which a file is recognised under a name and in a folder that say nothing.
const TELLING_BYTES: u64 = 256;

/// Where a file belongs.
#[derive(Debug)]
pub(super) enum Place {
    /// To a known generation, up to this byte of it.
    Known { id: u64, content: Content, position: u64 },
    /// It cannot be told yet.
    Unclear,
    /// To none that is known.
    New(Content),
}

/// What is known of one generation that a file may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    /// What the file is to the generation.
    pub likeness: Likeness,
    /// The generation is where it was: its own file holds what was read, and has a name.
    pub is_there: bool,
    /// Bytes of the generation's own file are not read yet.
    pub has_unread: bool,
    /// All of the file is what the generation's own file begins with.
    pub is_equal: bool,
    /// They have the same path.
    pub same_path: bool,
    /// The file's name says that it may be an earlier generation of what has the generation's name.
    pub are_kin: bool,
    /// How long the file has been there unchanged, as far as was looked.
    pub waited_ns: i64,
    /// Bytes of the generation that were read.
    pub read_bytes: u64,
    /// A rule means the file under its name.
    pub is_meant: bool,
}

/// What follows for a file from one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the generation's, up to this byte.
    Its(u64),
    /// It may become so.
    Unclear,
    /// It is not.
    NotIts,
}

/// Judges a file by one generation.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let known_by_name = evidence.same_path || evidence.are_kin;
    match evidence.likeness {
        Likeness::Whole if evidence.is_there => {
            // Who holds more than its original, or something else behind what was read, is no copy of it; and who has
            // taken its name while it is still there is what came after it.
            if !evidence.is_equal || !evidence.are_kin {
                return Verdict::NotIts;
            }
            let certain = evidence.are_kin && evidence.read_bytes >= CERTAIN_BYTES;
            if !evidence.is_meant || certain || evidence.waited_ns < COPY_PATIENCE_NS {
                Verdict::Unclear
            } else {
                Verdict::NotIts
            }
        }
        Likeness::Whole if evidence.read_bytes == 0 && !known_by_name => Verdict::NotIts,
        Likeness::Whole if !known_by_name && evidence.read_bytes < TELLING_BYTES => Verdict::NotIts,
        // What only its own file holds for certain is read from there first.
        Likeness::Whole if evidence.has_unread => Verdict::Unclear,
        Likeness::Whole => Verdict::Its(evidence.read_bytes),
        Likeness::Most(_) | Likeness::Other if evidence.is_there => {
            // A copy in the making is shorter than its original.
            let patient = evidence.waited_ns < COPY_PATIENCE_NS;
            if evidence.is_equal && evidence.are_kin && patient { Verdict::Unclear } else { Verdict::NotIts }
        }
        Likeness::Most(position) if evidence.same_path && !evidence.has_unread => Verdict::Its(position),
        Likeness::Most(_) | Likeness::Other => Verdict::NotIts,
    }
}

/// A beginning, with the hashes of its beginnings: many generations are compared with one file.
pub(super) struct Head {
    bytes: Vec<u8>,
    hashes: HashMap<u16, u64>,
}

impl Head {
    pub(super) fn of_content(content: &mut Content) -> io::Result<Head> {
        Ok(Head { bytes: content.head()?, hashes: HashMap::new() })
    }

    /// As [`Fingerprint::matches`].
    pub(super) fn matches(&mut self, identity: &Fingerprint) -> bool {
        let Some(begins) = self.bytes.get(..identity.head_length.into()) else { return false };
        let hash = self.hashes.entry(identity.head_length).or_insert_with(|| xxh3_64(begins));
        begins.is_empty() || *hash == identity.head_hash
    }

    /// Whether a generation may have anything to do with it: it begins as that one did, or is shorter than what is known
    /// of its beginning.
    fn may_be(&mut self, state: &FileState) -> bool {
        let is_short = self.bytes.len() < usize::from(state.identity.head_length);
        is_short && self.bytes.len() < HEAD_BYTES_MAX || self.matches(&state.identity)
    }
}

impl Files {
    /// The generations that a file may have to do with.
    fn candidates(&mut self, path: &Path) -> Vec<u64> {
        let kinship = self.kinship.take().unwrap_or_else(|| Kinship::of(&self.by_id));
        let candidates = kinship.candidates(path);
        self.kinship = Some(kinship);
        candidates
    }

    /// A generation has come.
    pub(super) fn add_kin(&mut self, id: u64, path: &Path) {
        if let Some(kinship) = &mut self.kinship {
            kinship.add(id, path);
        }
    }

    /// Where a file belongs.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn place(&mut self, stranger: &Stranger<'_>, now: Moment) -> io::Result<Place> {
        let mut content = Content::open_path(stranger.path)?;
        let mut head = Head::of_content(&mut content)?;
        let size = match content.plain() {
            Some(file) => file.metadata()?.len(),
            None => u64::MAX,
        };
        let waited_ns = self.waiting.since(stranger, size, now);
        let mut unclear = false;
        for id in self.candidates(stranger.path) {
            let Some(followed) = self.by_id.get_mut(&id) else { continue };
            let known = PathBuf::from(&followed.state.path);
            let same_path = known == stranger.path;
            if !(same_path || head.may_be(&followed.state)) {
                continue;
            }
            let are_kin = may_be_earlier_near(stranger.path, &known);
            if !(same_path || are_kin || followed.left) {
                continue;
            }
            let evidence = Evidence {
                same_path,
                are_kin,
                waited_ns,
                is_meant: stranger.is_meant,
                ..gather(followed, &mut content, size, now)?
            };
            match judge(&evidence) {
                Verdict::Its(position) => {
                    self.waiting.forget(stranger);
                    return Ok(Place::Known { id, content, position });
                }
                Verdict::Unclear => unclear = true,
                Verdict::NotIts => {}
            }
        }
        if unclear {
            return Ok(Place::Unclear);
        }
        self.waiting.forget(stranger);
        Ok(Place::New(content))
    }
}

/// Compares a file with a generation. What the paths say is left open.
fn gather(followed: &mut Followed, content: &mut Content, size: u64, now: Moment) -> io::Result<Evidence> {
    let likeness = followed.state.liken(content)?;
    let is_itself = followed.look(now)?;
    let is_there = is_itself && !followed.deleted;
    let is_equal = is_there && begins_with(followed, content, size)?;
    Ok(Evidence {
        likeness,
        is_there,
        has_unread: is_itself && followed.has_more(),
        is_equal,
        same_path: false,
        are_kin: false,
        waited_ns: 0,
        read_bytes: followed.state.position,
        is_meant: false,
    })
}

/// Whether a generation's own file begins with all of a content.
fn begins_with(followed: &mut Followed, content: &mut Content, size: u64) -> io::Result<bool> {
    let (mut one, mut other) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    if content.plain().is_none() {
        // How long it is shows at its end.
        for position in (0..COMPARED_BYTES_MAX).step_by(one.len()) {
            let read = content.read_some(position, &mut one)?;
            let there = followed.content.read_some(position, other.get_mut(..read).unwrap_or_default())?;
            if there < read || one.get(..read) != other.get(..read) {
                return Ok(false);
            }
            if read < one.len() {
                break;
            }
        }
        return Ok(true);
    }
    if size > followed.size {
        return Ok(false);
    }
    let mut position = 0;
    while position < size {
        let length = usize::try_from(size - position).unwrap_or(usize::MAX).min(one.len());
        let (Some(one), Some(other)) = (one.get_mut(..length), other.get_mut(..length)) else { break };
        let read = content.read_some(position, one)?;
        if read != followed.content.read_some(position, other)? || one != other {
            return Ok(false);
        }
        position += length as u64;
        // Of long ones, both ends.
        if position >= COMPARED_BYTES_MAX && size - position > COMPARED_BYTES_MAX {
            position = size - COMPARED_BYTES_MAX;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const THERE: Evidence = Evidence {
        likeness: Likeness::Whole,
        is_there: true,
        has_unread: false,
        is_equal: true,
        same_path: false,
        are_kin: true,
        waited_ns: 0,
        read_bytes: 17,
        is_meant: true,
    };
    const GONE: Evidence = Evidence { is_there: false, is_equal: false, ..THERE };

    #[test]
    fn a_file_that_begins_as_another_is_read_for_itself_unless_it_is_its_copy() {
        let cases = [
            ("a copy before its original is truncated", THERE, Verdict::Unclear),
            ("it holds more", Evidence { is_equal: false, ..THERE }, Verdict::NotIts),
            ("another name", Evidence { are_kin: false, ..THERE }, Verdict::NotIts),
            ("nothing was truncated", Evidence { waited_ns: 31 * SECOND, ..THERE }, Verdict::NotIts),
            ("a backup", Evidence { waited_ns: 31 * SECOND, read_bytes: 9_000, ..THERE }, Verdict::Unclear),
            (
                "a rotated name alone",
                Evidence { waited_ns: 31 * SECOND, is_meant: false, ..THERE },
                Verdict::Unclear,
            ),
            ("half a copy", Evidence { likeness: Likeness::Other, ..THERE }, Verdict::Unclear),
            ("the original was truncated", GONE, Verdict::Its(17)),
            ("the original has unread lines", Evidence { has_unread: true, ..GONE }, Verdict::Unclear),
        ];
        for (name, evidence, expected) in cases {
            assert_eq!(judge(&evidence), expected, "{name}");
        }
    }

    #[test]
    fn a_file_whose_inode_is_new_goes_on_where_its_content_says() {
        let moved = Evidence { are_kin: false, ..GONE };
        let cases = [
            ("rsync: the same path", Evidence { same_path: true, ..moved }, Verdict::Its(17)),
            ("moved to a folder far away", Evidence { read_bytes: 300, ..moved }, Verdict::Its(300)),
            ("a few words that many files begin with", moved, Verdict::NotIts),
            (
                "written anew, most of it",
                Evidence { same_path: true, likeness: Likeness::Most(12), ..moved },
                Verdict::Its(12),
            ),
            ("a copy without its end", Evidence { likeness: Likeness::Most(12), ..GONE }, Verdict::NotIts),
            (
                "another content",
                Evidence { same_path: true, likeness: Likeness::Other, ..moved },
                Verdict::NotIts,
            ),
        ];
        for (name, evidence, expected) in cases {
            assert_eq!(judge(&evidence), expected, "{name}");
        }
    }
}
