//! All generations that are not done with: what is known of each.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use lastwords_record::ShipperEvent;

use super::{done::Done, kinship::Kinship, waiting::Waiting};
use crate::{
    discover::Refused,
    plan::Voice,
    source::{content::Content, followed::Followed, identity::FileState},
};

/// All generations that are not done with.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) by_id: BTreeMap<u64, Followed>,
    pub(super) done: Done,
    /// Generations whose folders are away.
    pub(super) absent: BTreeMap<u64, FileState>,
    pub(super) waiting: Waiting,
    /// Files and folders that are meant and could not be read at the last look.
    pub(super) refused: Vec<Refused>,
    /// Files that were begun at their ends, and the bytes passed over.
    pub(super) skipped: Vec<(String, u64)>,
    /// Globs that lead to no file.
    pub(super) unmatched: Vec<String>,
    /// What had to be given up and is not told yet.
    pub(super) losses: Vec<ShipperEvent>,
    /// Names mean other files than they did: the globs have to be looked at before anything more is read.
    pub(super) scan_due: bool,
    /// Files that may be open at once.
    pub(super) open_max: usize,
    /// There were more, and it was said.
    pub(super) is_crowded: bool,
    /// Files were found that there was no descriptor for.
    pub(super) has_deferred: bool,
    /// Since when files wait for an earlier generation to be clear.
    pub(super) held_back: HashMap<(u64, u64), i64>,
    pub(super) by_path: HashMap<String, u64>,
    /// None: to be found out anew.
    pub(super) kinship: Option<Kinship>,
    /// Whose turn it is: the files take turns, so that a fast one does not starve the others.
    pub(super) turn: u64,
}

/// Where a generation is taken up, and for whom it speaks.
pub(super) struct Opened<'a> {
    pub path: &'a Path,
    pub device: u64,
    pub inode: u64,
    pub content: Content,
    pub voice: Voice,
}

impl Files {
    /// None yet; `open_max`: how many may be open at once.
    pub(super) fn new(open_max: usize) -> Files {
        Files {
            by_id: BTreeMap::new(),
            done: Done::default(),
            absent: BTreeMap::new(),
            waiting: Waiting::default(),
            refused: Vec::new(),
            skipped: Vec::new(),
            unmatched: Vec::new(),
            losses: Vec::new(),
            scan_due: false,
            open_max,
            is_crowded: false,
            has_deferred: false,
            held_back: HashMap::new(),
            by_path: HashMap::new(),
            kinship: None,
            turn: 0,
        }
    }
}
