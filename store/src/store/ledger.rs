//! The ledger as ranges of numbers, and what is known of each number's content.
//!
//! Numbers are kept in chunks of [`CHUNK`]. Table `batches` has a projection with a row for each chunk of a shipper and
//! epoch, within every part: it is as old as the rows themselves. What is old is folded into table `ranges`
//! ([`fold`](super::fold)). A number can be in both for a moment; the ledger is the union.

use lastwords_record::batch::{BatchId, ShipperId};

use super::{QueryError, Store};
use crate::rows::day_of_column;

/// So many numbers are a chunk: those with the same quotient.
pub const CHUNK: u64 = 4096;
/// Chunks that are looked at number by number in one statement.
const CHUNKS_MAX: usize = 256;
/// Bytes of a row that says what a chunk holds: a shipper and seven numbers.
const SUMMARY_BYTES: usize = 16 + 6 * 8 + 4;
/// Bytes of a row that names a range.
const RANGE_BYTES: usize = 16 + 3 * 8;

/// Numbers of one shipper and epoch without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRange {
    /// Whose.
    pub shipper: ShipperId,
    /// Its epoch.
    pub epoch: u64,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

/// What the ledger has for one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredContent {
    /// The hash of its content, or of its envelope where it was set aside.
    Hash(u64),
    /// The lowest 16 bits of it: the number has been folded.
    Folded(u16),
    /// Older programs did not write it down.
    Unknown,
}

/// What a chunk holds, as the projection says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summary {
    range: StoredRange,
    batches: u64,
    /// Of all numbers, wrapping.
    total: u64,
    /// The newest batch's `Planned`, seconds.
    planned_s: u32,
}

impl Summary {
    /// Whether no number between the first and the last is missing. A number is in the ledger once (a unit is stored
    /// once), so that as many numbers with the same total are all of them.
    fn is_whole(&self) -> bool {
        let StoredRange { first, last, .. } = self.range;
        let wanted = last - first + 1;
        let total = (u128::from(first) + u128::from(last)) * u128::from(wanted) / 2;
        self.batches == wanted && u128::from(self.total) == total & u128::from(u64::MAX)
    }
}

/// What the ledger was found to hold.
#[derive(Debug, Default)]
pub struct StoredLedger {
    /// Numbers, in no order; ranges may touch and overlap.
    pub ranges: Vec<StoredRange>,
    /// `Planned` of the newest batch, seconds; 0: there is none.
    pub newest_planned_s: u32,
}

impl Store {
    /// Reads which numbers are stored: as many rows as there are chunks, and single numbers where there are gaps.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn stored_ledger(&self) -> Result<StoredLedger, QueryError> {
        let mut found = StoredLedger::default();
        let mut gapped = Vec::new();
        // As the projection has it, so that it is answered from there.
        let chunks = format!(
            "SELECT Shipper, Epoch, min(Sequence), max(Sequence), count(), sum(Sequence), sum(Records), \
             max(Planned) FROM batches GROUP BY Shipper, Epoch, intDiv(Sequence, {CHUNK})"
        );
        let mut summaries = Vec::new();
        let mut read = self.fixed_rows(&chunks, SUMMARY_BYTES, |row| summaries.extend(summary(row))).await;
        if let Err(error) = &read
            && !matches!(error, QueryError::Unreachable(_))
        {
            // The projection can be damaged without the rows.
            tracing::warn!(%error, "the ledger's chunks cannot be read; its rows are");
            summaries.clear();
            let rows = format!("{chunks} SETTINGS optimize_use_projections = 0");
            read = self.fixed_rows(&rows, SUMMARY_BYTES, |row| summaries.extend(summary(row))).await;
        }
        read?;
        for summary in summaries {
            found.newest_planned_s = found.newest_planned_s.max(summary.planned_s);
            match summary.is_whole() {
                true => found.ranges.push(summary.range),
                false => gapped.push(summary.range),
            }
        }
        for gapped in gapped.chunks(CHUNKS_MAX) {
            self.fixed_rows(&runs(gapped), RANGE_BYTES, |row| found.ranges.extend(range(row))).await?;
        }
        let folded = "SELECT Shipper, Epoch, First, Last FROM ranges";
        self.fixed_rows(folded, RANGE_BYTES, |row| found.ranges.extend(range(row))).await?;
        Ok(found)
    }

    /// Sets parts of the ledger aside that cannot be read; says which. What they knew is not known any more: an audit
    /// finds it in the rows.
    ///
    /// # Errors
    /// Where the store does not answer, or does not do it.
    pub async fn set_broken_ledger_aside(&self) -> Result<Vec<String>, QueryError> {
        #[derive(serde::Deserialize)]
        struct Part {
            part_path: String,
            is_passed: u8,
        }
        let mut aside = Vec::new();
        for table in ["batches", "ranges"] {
            let (table, on_cluster) = self.stored_table(table);
            let check = format!("CHECK TABLE {table} SETTINGS check_query_single_value_result = 0");
            let parts: Vec<Part> = self.rows(&check).await?;
            for Part { part_path, .. } in parts.into_iter().filter(|part| part.is_passed == 0) {
                let part = part_path.rsplit('/').find(|name| !name.is_empty()).unwrap_or_default();
                self.execute(&format!("ALTER TABLE {table}{on_cluster} DETACH PART '{part}'")).await?;
                aside.push(format!("{table}/{part}"));
            }
        }
        Ok(aside)
    }

    /// The contents of the stored numbers between two, both included, in no order. Of a number that is in the ledger
    /// twice, its own row comes last.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn stored_contents(
        &self,
        from: &BatchId,
        last: u64,
    ) -> Result<Vec<(u64, StoredContent)>, QueryError> {
        let BatchId { shipper, epoch, sequence: first } = from;
        let of = format!("Shipper = toFixedString(unhex('{shipper}'), 16) AND Epoch = {epoch}");
        let mut contents = Vec::new();
        let folded = format!(
            "SELECT First + arrayJoin(arrayEnumerate(Contents)) - 1 AS number, Contents[number - First + 1] \
             FROM ranges WHERE {of} AND First <= {last} AND Last >= {first} AND number BETWEEN {first} AND {last}"
        );
        self.fixed_rows(&folded, 10, |row| {
            let mut row = row;
            let read = take(&mut row).map(u64::from_le_bytes).zip(take(&mut row).map(u16::from_le_bytes));
            contents.extend(read.map(|(number, bits)| (number, StoredContent::Folded(bits))));
        })
        .await?;
        let rows = format!(
            "SELECT Sequence, Content FROM batches WHERE {of} AND Sequence BETWEEN {first} AND {last}"
        );
        self.fixed_rows(&rows, 16, |row| {
            let mut row = row;
            let read = take(&mut row).map(u64::from_le_bytes).zip(take(&mut row).map(u64::from_le_bytes));
            contents.extend(read.map(|(number, hash)| match hash {
                0 => (number, StoredContent::Unknown),
                hash => (number, StoredContent::Hash(hash)),
            }));
        })
        .await?;
        Ok(contents)
    }

    /// Batches with rows in a table that were planned at this second or later and that nobody knows, each with the day of
    /// the rows ([`crate::rows::day`]; 0 without a time column). Rows of epoch 0 are no batch's.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn rows_without_ledger(
        &self,
        table: &str,
        time_column: Option<&str>,
        since_s: u32,
        is_known: impl Fn(&BatchId) -> bool,
    ) -> Result<Vec<(BatchId, i64)>, QueryError> {
        let day = time_column.map_or("toInt64(0)".to_owned(), day_of_column);
        // The ledger is at hand; in the store it may have many millions of entries since then.
        let sql = format!(
            "SELECT DISTINCT Shipper, Epoch, Sequence, {day} FROM {table} WHERE Planned >= toDateTime({since_s}) \
             AND Epoch != 0"
        );
        let mut found = Vec::new();
        self.fixed_rows(&sql, 16 + 3 * 8, |mut row| {
            let read = (|| {
                let shipper = ShipperId(take(&mut row)?);
                let (epoch, sequence) = (take(&mut row)?, take(&mut row)?);
                let id = BatchId {
                    shipper,
                    epoch: u64::from_le_bytes(epoch),
                    sequence: u64::from_le_bytes(sequence),
                };
                Some((id, i64::from_le_bytes(take(&mut row)?)))
            })();
            found.extend(read.filter(|(id, _)| !is_known(id)));
        })
        .await?;
        Ok(found)
    }

    /// Remembers those batches in `repairs`: should they come again, only what is missing of them is inserted, whoever
    /// writes them then.
    ///
    /// # Errors
    /// Where the store does not do it. It can be done again.
    pub async fn remember_rows_without_ledger(&self, table: &str, since_s: u32) -> Result<(), QueryError> {
        self.execute(&format!(
            "INSERT INTO repairs (Shipper, Epoch, Sequence) SELECT DISTINCT Shipper, Epoch, Sequence FROM {table} \
             WHERE Planned >= toDateTime({since_s}) AND Epoch != 0 AND (Shipper, Epoch, Sequence) NOT IN \
             (SELECT Shipper, Epoch, Sequence FROM batches WHERE Planned >= toDateTime({since_s}))"
        ))
        .await
    }

    /// Rows of so many bytes each, one after the other as they come.
    pub(super) async fn fixed_rows(
        &self,
        sql: &str,
        bytes: usize,
        mut row: impl FnMut(&[u8]),
    ) -> Result<(), QueryError> {
        // The part of a row that the next chunk goes on with.
        let mut rest = Vec::with_capacity(bytes);
        let mut answer = self.query_bytes(sql, &[], "RowBinary", &[])?;
        while let Some(chunk) = answer.next().await? {
            let mut chunk = chunk.as_ref();
            if !rest.is_empty() {
                let (head, tail) = chunk.split_at(chunk.len().min(bytes - rest.len()));
                rest.extend_from_slice(head);
                chunk = tail;
                if rest.len() < bytes {
                    continue;
                }
                row(&rest);
                rest.clear();
            }
            let rows = chunk.chunks_exact(bytes);
            rest.extend_from_slice(rows.remainder());
            rows.for_each(&mut row);
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(QueryError::Answer("a row of the ledger ends too early".to_owned())),
        }
    }
}

/// The statement that gives the numbers of these chunks as ranges without a gap.
fn runs(chunks: &[StoredRange]) -> String {
    let within: Vec<String> = chunks
        .iter()
        .map(|StoredRange { shipper, epoch, first, last }| {
            format!(
                "(Shipper = toFixedString(unhex('{shipper}'), 16) AND Epoch = {epoch} \
                 AND Sequence BETWEEN {first} AND {last})"
            )
        })
        .collect();
    // Numbers minus their rank are equal within a run without gaps.
    format!(
        "SELECT Shipper, Epoch, min(Sequence), max(Sequence) FROM (SELECT Shipper, Epoch, Sequence, \
         Sequence - row_number() OVER (PARTITION BY Shipper, Epoch ORDER BY Sequence) AS run \
         FROM (SELECT DISTINCT Shipper, Epoch, Sequence FROM batches WHERE {})) GROUP BY Shipper, Epoch, run",
        within.join(" OR ")
    )
}

fn summary(mut row: &[u8]) -> Option<Summary> {
    let range = range_of(&mut row)?;
    let mut number = || take(&mut row).map(u64::from_le_bytes);
    let (batches, total, _records) = (number()?, number()?, number()?);
    Some(Summary { range, batches, total, planned_s: u32::from_le_bytes(take(&mut row)?) })
}

fn range(mut row: &[u8]) -> Option<StoredRange> {
    range_of(&mut row)
}

fn range_of(row: &mut &[u8]) -> Option<StoredRange> {
    let shipper = ShipperId(take(row)?);
    let mut number = || take(row).map(u64::from_le_bytes);
    Some(StoredRange { shipper, epoch: number()?, first: number()?, last: number()? })
}

fn take<const N: usize>(row: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = row.split_first_chunk()?;
    *row = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(first: u64, last: u64, numbers: &[u64]) -> Summary {
        let range = StoredRange { shipper: ShipperId([7; 16]), epoch: 1, first, last };
        let total = numbers.iter().fold(0_u64, |total, number| total.wrapping_add(*number));
        Summary { range, batches: numbers.len() as u64, total, planned_s: 0 }
    }

    #[test]
    fn a_chunk_with_a_gap_is_not_whole() {
        assert!(of(5, 5, &[5]).is_whole());
        assert!(of(5, 8, &[5, 6, 7, 8]).is_whole());
        assert!(!of(5, 8, &[5, 6, 8]).is_whole());
        // One number twice in place of another.
        assert!(!of(5, 8, &[5, 6, 6, 8]).is_whole());
        let top: Vec<u64> = (u64::MAX - 9..=u64::MAX).collect();
        assert!(of(u64::MAX - 9, u64::MAX, &top).is_whole());
        assert!(!of(u64::MAX - 9, u64::MAX, &top[1..]).is_whole());
    }

    #[test]
    fn a_summary_is_read_to_its_last_byte() {
        let mut row = vec![7; 16];
        for number in [1_u64, 5, 8, 4, 26, 99] {
            row.extend(number.to_le_bytes());
        }
        row.extend(1_700_000_000_u32.to_le_bytes());
        assert_eq!(row.len(), SUMMARY_BYTES);
        assert_eq!(summary(&row), Some(Summary { planned_s: 1_700_000_000, ..of(5, 8, &[5, 6, 7, 8]) }));
        assert_eq!(summary(&row[1..]), None);
    }
}
