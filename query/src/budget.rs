//! The memory that a question may still take.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::AskError;

/// Memory of an event asked for, as it comes and while chance looks at it; what a
/// [`Comparison`](crate::correlate::comparison::Comparison) keeps of it is counted there. Measured: 210 bytes in all.
const ANCHOR_BYTES: usize = 130;
/// Memory of a partner in a piece: as it comes, as much again of the next piece, and sorted by where and when.
const PARTNER_BYTES: usize = 180;
/// The part of the memory left that a piece may take.
const PIECE_PART: usize = 4;
/// A piece has at least so many rows.
pub(crate) const PIECE_ROWS_MIN: usize = 65_536;
/// Larger pieces are slower: they and what is made of them leave the processor's caches.
const PIECE_ROWS_MAX: usize = 1_000_000;

/// Room that a question's events take, and give back.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Room for so many bytes in all.
    limit: u64,
    /// Room for so many more.
    left: AtomicUsize,
}

impl Budget {
    /// For a question that may keep so many bytes.
    pub fn new(bytes_max: u64) -> Budget {
        Budget { limit: bytes_max, left: AtomicUsize::new(usize::try_from(bytes_max).unwrap_or(usize::MAX)) }
    }

    /// Takes room.
    ///
    /// # Errors
    /// Where there is none.
    pub fn keep(&self, bytes: usize) -> Result<(), AskError> {
        let taken =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(|_| ()).map_err(|left| AskError::TooLarge {
            needed: self.limit.saturating_sub(left as u64).saturating_add(bytes as u64),
            limit: self.limit,
        })
    }

    /// Takes the room of so many events asked for.
    ///
    /// # Errors
    /// Where there is none.
    pub fn keep_anchors(&self, rows: usize) -> Result<(), AskError> {
        self.keep(rows.saturating_mul(ANCHOR_BYTES))
    }

    /// Gives room back.
    pub fn release(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Rows of a piece of a set that comes piece by piece.
    pub fn piece_rows(&self) -> usize {
        let left = self.left.load(Ordering::Relaxed);
        (left / PIECE_PART / PARTNER_BYTES).clamp(PIECE_ROWS_MIN, PIECE_ROWS_MAX)
    }
}
