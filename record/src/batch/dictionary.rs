//! Strings that repeat within a batch, each kept once. Looking one up allocates nothing.

use xxhash_rust::xxh3::xxh3_64;

use crate::limits::DICTIONARY_ENTRIES_MAX;

/// Index 0 is always the empty string.
#[derive(Debug)]
pub(super) struct Dictionary {
    entries: Vec<String>,
    /// Open addressing, a power of two of slots: 1 + index into `entries`, 0 where free.
    slots: Vec<u32>,
    bytes: usize,
}

const SLOTS_AT_FIRST: usize = 256;

impl Dictionary {
    pub fn new() -> Self {
        let mut dictionary = Dictionary { entries: Vec::new(), slots: vec![0; SLOTS_AT_FIRST], bytes: 0 };
        dictionary.insert("");
        dictionary
    }

    /// Bytes that the entries take in the body, at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The index of a string that is there already.
    pub fn find(&self, text: &str) -> Option<u32> {
        if text.is_empty() && !self.entries.is_empty() {
            return Some(0);
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash(text) & mask;
        loop {
            match self.slots.get(slot).copied()? {
                0 => return None,
                taken => {
                    let index = taken - 1;
                    if self.entries.get(index as usize).is_some_and(|entry| entry == text) {
                        return Some(index);
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The bytes by which the body may grow when `text` is inserted: none where it is there already.
    pub fn cost(&self, text: &str) -> usize {
        if self.find(text).is_some() { 0 } else { text.len() + ENTRY_OVERHEAD }
    }

    /// Whether `count` further entries find room.
    pub fn has_room(&self, count: usize) -> bool {
        self.entries.len() + count <= DICTIONARY_ENTRIES_MAX
    }

    /// The index of a string, which is taken in where it is not there yet.
    pub fn insert(&mut self, text: &str) -> u32 {
        if let Some(index) = self.find(text) {
            return index;
        }
        if (self.entries.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.bytes += text.len() + ENTRY_OVERHEAD;
        self.place(index, text);
        self.entries.push(text.to_owned());
        index
    }

    /// Gives the entries away and begins anew.
    pub fn take(&mut self) -> Vec<String> {
        let entries = std::mem::take(&mut self.entries);
        self.slots.fill(0);
        self.bytes = 0;
        self.insert("");
        entries
    }

    fn grow(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        self.slots = vec![0; self.slots.len() * 2];
        for (index, entry) in entries.iter().enumerate() {
            self.place(u32::try_from(index).unwrap_or(u32::MAX), entry);
        }
        self.entries = entries;
    }

    fn place(&mut self, index: u32, text: &str) {
        let mask = self.slots.len() - 1;
        let mut slot = hash(text) & mask;
        while self.slots.get(slot).is_some_and(|taken| *taken != 0) {
            slot = (slot + 1) & mask;
        }
        if let Some(free) = self.slots.get_mut(slot) {
            *free = index + 1;
        }
    }
}

/// Tag and length of an entry in the body.
const ENTRY_OVERHEAD: usize = 6;

fn hash(text: &str) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "a hash; the lower bits do")]
    let hash = xxh3_64(text.as_bytes()) as usize;
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_is_found_under_its_first_index() {
        let mut dictionary = Dictionary::new();
        let words: Vec<String> = (0..2_000).map(|number| format!("word {}", number % 700)).collect();
        let indices: Vec<u32> = words.iter().map(|word| dictionary.insert(word)).collect();
        assert_eq!(dictionary.find(""), Some(0));
        assert_eq!(dictionary.find("another"), None);
        let entries = dictionary.take();
        assert_eq!(entries.len(), 701);
        for (word, index) in words.iter().zip(indices) {
            assert_eq!(&entries[index as usize], word);
        }
        assert_eq!(dictionary.find("word 1"), None);
    }
}
