//! Old rows of the ledger become ranges: a row for some thousands of batches, with 16 bits of each content.
//!
//! A chunk is folded once there is a later one of its shipper and epoch, and its newest row is old: shippers send in
//! order, so that nothing more comes into it. First all ranges are written, then the rows of their chunks are deleted:
//! killed in between, both say the same. What is in quarantine stays a row.

use lastwords_record::batch::ShipperId;

use super::{
    QueryError, Store,
    ledger::{CHUNK, StoredRange},
};

/// Chunks that are folded in one statement.
const CHUNKS_AT_ONCE: usize = 256;
/// Chunks that are named at a time.
const CHUNKS_MAX: usize = 1024;
/// Fewer are not worth rewriting parts.
const CHUNKS_MIN: usize = 64;

/// Bytes of a row that names a chunk.
const CHUNK_BYTES: usize = 16 + 8 + 8;

impl Store {
    /// Folds chunks of the ledger whose newest batch was planned before this second; says how many. Where there are few,
    /// they wait.
    ///
    /// # Errors
    /// Where the store does not do it. It can be done again.
    pub async fn fold_ledger(&self, before_s: u32) -> Result<usize, QueryError> {
        let (mut folded, mut after) = (0, None);
        loop {
            let chunks = self.old_chunks(before_s, after).await?;
            if folded + chunks.len() < CHUNKS_MIN {
                return Ok(0);
            }
            // What is in quarantine stays, and its chunk with it: each is looked at once.
            let Some(last) = chunks.last() else { break };
            after = Some(*last);
            for chunks in chunks.chunks(CHUNKS_AT_ONCE) {
                self.write_ranges(chunks).await?;
            }
            folded += chunks.len();
        }
        // Once for all of them: it rewrites parts.
        let (batches, on_cluster) = self.stored_table("batches");
        let delete = format!(
            "ALTER TABLE {batches}{on_cluster} DELETE WHERE Quarantined = '' AND Planned < toDateTime({before_s}) \
             AND (Shipper, Epoch, intDiv(Sequence, {CHUNK})) IN \
             (SELECT Shipper, Epoch, intDiv(First, {CHUNK}) FROM ranges)"
        );
        self.execute_with(&delete, &[("mutations_sync", "2")]).await?;
        Ok(folded)
    }

    /// The next chunks that are old, in the order of their names.
    async fn old_chunks(
        &self,
        before_s: u32,
        after: Option<StoredRange>,
    ) -> Result<Vec<StoredRange>, QueryError> {
        let beyond = after.map_or("true".to_owned(), |StoredRange { shipper, epoch, first, .. }| {
            let number = first / CHUNK;
            format!("(Shipper, Epoch, Chunk) > (toFixedString(unhex('{shipper}'), 16), {epoch}, {number})")
        });
        let old = format!(
            "SELECT Shipper, Epoch, Chunk FROM (SELECT Shipper, Epoch, Chunk, newest, \
             max(Chunk) OVER (PARTITION BY Shipper, Epoch) AS latest FROM \
             (SELECT Shipper, Epoch, intDiv(Sequence, {CHUNK}) AS Chunk, max(Planned) AS newest FROM batches \
             GROUP BY Shipper, Epoch, Chunk)) WHERE Chunk < latest AND newest < toDateTime({before_s}) AND {beyond} ORDER BY Shipper, Epoch, Chunk LIMIT {CHUNKS_MAX}"
        );
        let mut chunks = Vec::new();
        self.fixed_rows(&old, CHUNK_BYTES, |row| chunks.extend(chunk(row))).await?;
        Ok(chunks)
    }

    async fn write_ranges(&self, chunks: &[StoredRange]) -> Result<(), QueryError> {
        let within = format!("Quarantined = '' AND ({})", within(chunks));
        // Numbers minus their rank are equal within a run without gaps.
        self.execute(&format!(
            "INSERT INTO ranges (Shipper, Epoch, First, Last, Records, HostNames, Contents) \
             SELECT Shipper, Epoch, min(Sequence) AS First, max(Sequence) AS Last, sum(Records), \
             arrayStringConcat(groupUniqArrayArray(splitByChar('\\n', toString(HostNames))), '\\n'), \
             arrayMap(pair -> toUInt16(pair.2), arraySort(groupArray((Sequence, bitAnd(Content, 65535))))) \
             FROM (SELECT Shipper, Epoch, Sequence, Records, HostNames, Content, \
             Sequence - row_number() OVER (PARTITION BY Shipper, Epoch ORDER BY Sequence) AS run \
             FROM batches WHERE {within}) GROUP BY Shipper, Epoch, intDiv(Sequence, {CHUNK}), run"
        ))
        .await
    }
}

fn chunk(row: &[u8]) -> Option<StoredRange> {
    let (shipper, rest) = row.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (number, _) = rest.split_first_chunk()?;
    let first = u64::from_le_bytes(*number).saturating_mul(CHUNK);
    let last = first.saturating_add(CHUNK - 1);
    Some(StoredRange { shipper: ShipperId(*shipper), epoch: u64::from_le_bytes(*epoch), first, last })
}

fn within(chunks: &[StoredRange]) -> String {
    let one = |range: &StoredRange| {
        let StoredRange { shipper, epoch, first, last } = range;
        format!(
            "(Shipper = toFixedString(unhex('{shipper}'), 16) AND Epoch = {epoch} \
             AND Sequence BETWEEN {first} AND {last})"
        )
    };
    chunks.iter().map(one).collect::<Vec<_>>().join(" OR ")
}
