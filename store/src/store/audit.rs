//! Whether the rows are there that the ledger says are stored: a part that the engine set aside as broken, or a folder
//! that somebody put back, takes rows away without a word.
//!
//! It is cheap where all is well. First the sum of the ledger's records is compared with the count of `logs`, both of
//! which the engine knows without reading rows. Where they differ, or rows end by retention, both are counted by chunks
//! of numbers; and only chunks that differ are looked at batch by batch. Only records are counted: samples, events and
//! stays of guests are replaced by later ones of theirs.

use lastwords_record::batch::{BatchId, ShipperId};
use serde::Deserialize;

use super::{
    QueryError, Store,
    ledger::{CHUNK, StoredRange},
};

/// Chunks that are looked at batch by batch in one statement.
const CHUNKS_MAX: usize = 64;
/// Batches that are looked at one by one in an audit; more are counted by the next one.
const BATCHES_MAX: usize = 100_000;
/// Batches in one statement of a repair.
const REPAIRED_AT_ONCE: usize = 1_000;
/// Rows without an entry may be on their way for so long.
const ON_THEIR_WAY_S: u32 = 3_600;

/// How thoroughly it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Where the sums are equal, all is well.
    Sums,
    /// By chunks, whatever the sums are.
    Chunks,
}

/// A batch whose rows are not what the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The batch.
    pub id: BatchId,
    /// Names of the hosts that it speaks for, a line each.
    pub hosts: String,
    /// Records that the ledger has.
    pub wanted: u64,
    /// Records that are there.
    pub found: u64,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// When it began by the store's clock, seconds.
    pub begun_s: u32,
    /// Batches that were looked at.
    pub batches: u64,
    /// Those of which records are missing, in the order of their identities.
    pub missing: Vec<Shortfall>,
    /// Batches with records and without an entry in the ledger: the ledger's own rows are gone.
    pub unknown: Vec<BatchId>,
    /// Parts of our tables that the engine has set aside as broken.
    pub broken_parts: u64,
    /// There are more than were looked at one by one.
    pub is_cut: bool,
}

impl Audit {
    /// Records that are missing.
    #[must_use]
    pub fn missing_records(&self) -> u64 {
        self.missing.iter().map(|one| one.wanted.saturating_sub(one.found)).sum()
    }

    /// Missing batches, as ranges of numbers with the records that are missing of them.
    #[must_use]
    pub fn missing_ranges(&self) -> Vec<(StoredRange, String, u64)> {
        let mut ranges: Vec<(StoredRange, String, u64)> = Vec::new();
        for Shortfall { id, hosts, wanted, found } in &self.missing {
            let records = wanted.saturating_sub(*found);
            match ranges.last_mut() {
                Some((range, of, sum))
                    if (range.shipper, range.epoch) == (id.shipper, id.epoch)
                        && range.last + 1 == id.sequence
                        && of == hosts =>
                {
                    range.last = id.sequence;
                    *sum += records;
                }
                _ => {
                    let BatchId { shipper, epoch, sequence } = *id;
                    let range = StoredRange { shipper, epoch, first: sequence, last: sequence };
                    ranges.push((range, hosts.clone(), records));
                }
            }
        }
        ranges
    }
}

/// A chunk whose counts differ.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Difference {
    #[serde(with = "hexadecimal")]
    shipper: ShipperId,
    epoch: u64,
    chunk: u64,
}

#[derive(Debug, Deserialize)]
struct Counted {
    #[serde(with = "hexadecimal")]
    shipper: ShipperId,
    epoch: u64,
    sequence: u64,
    hosts: String,
    entries: u64,
    wanted: u64,
    found: u64,
    planned: u32,
}

#[derive(Debug, Deserialize)]
struct Numbers {
    batches: u64,
    wanted: u64,
    found: u64,
    broken: u64,
    now: u32,
}

impl Store {
    /// Compares the ledger with the rows. Where rows end by retention, only batches are looked at that were stored a day
    /// or more after what ends now.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn audit(&self, depth: Depth) -> Result<Audit, QueryError> {
        let days = self.retention_days().await?;
        let numbers: Vec<Numbers> = self
            .rows(&format!(
                "SELECT (SELECT count() FROM batches) AS batches, (SELECT sum(Records) FROM batches) + \
                 (SELECT sum(Records) FROM ranges) AS wanted, (SELECT count() FROM logs) AS found, \
                 (SELECT count() FROM system.detached_parts WHERE database = '{}' \
                 AND (reason = '' OR startsWith(reason, 'broken'))) AS broken, toUnixTimestamp(now()) AS now",
                self.database()
            ))
            .await?;
        let numbers = numbers
            .into_iter()
            .next()
            .ok_or_else(|| QueryError::Answer("the counts of the ledger gave no row".to_owned()))?;
        let mut audit = Audit {
            begun_s: numbers.now,
            batches: numbers.batches,
            broken_parts: numbers.broken,
            ..Audit::default()
        };
        if days.is_none() && depth == Depth::Sums && numbers.wanted == numbers.found {
            return Ok(audit);
        }
        let since = days.map_or(0, |days| numbers.now.saturating_sub(days.saturating_sub(1) * 86_400));
        for differing in self.differing_chunks(since).await?.chunks(CHUNKS_MAX) {
            if audit.missing.len() + audit.unknown.len() >= BATCHES_MAX {
                audit.is_cut = true;
                break;
            }
            for one in self.counted_batches(differing).await? {
                let id = BatchId { shipper: one.shipper, epoch: one.epoch, sequence: one.sequence };
                if one.entries > 0 && one.wanted > one.found {
                    let (hosts, wanted, found) = (one.hosts, one.wanted, one.found);
                    audit.missing.push(Shortfall { id, hosts, wanted, found });
                } else if one.entries == 0 && one.planned + ON_THEIR_WAY_S < numbers.now {
                    audit.unknown.push(id);
                }
            }
        }
        Ok(audit)
    }

    /// For how many days records are kept; none: for ever. What cannot be read of it counts as two.
    async fn retention_days(&self) -> Result<Option<u32>, QueryError> {
        #[derive(Deserialize)]
        struct Table {
            engine_full: String,
        }
        let (logs, _) = self.stored_table("logs");
        let sql = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}";
        let tables: Vec<Table> =
            self.rows_with(sql, &[("database", self.database()), ("table", &logs)]).await?;
        Ok(tables.iter().find_map(|table| days_of(&table.engine_full)))
    }

    async fn differing_chunks(&self, since_s: u32) -> Result<Vec<Difference>, QueryError> {
        let kept = match since_s {
            0 => String::new(),
            _ => format!("WHERE Planned >= toDateTime({since_s})"),
        };
        let by_chunk = format!("Shipper, Epoch, intDiv(Sequence, {CHUNK}) AS Chunk");
        // What has been folded is no more compared; its rows must not count as unknown.
        self.rows(&format!(
            "SELECT lower(hex(Shipper)) AS shipper, Epoch AS epoch, Chunk AS chunk FROM \
             (SELECT {by_chunk}, sum(Records) AS w, 0 AS f FROM batches {kept} GROUP BY Shipper, Epoch, Chunk \
             UNION ALL SELECT {by_chunk}, 0, count() FROM logs {kept} GROUP BY Shipper, Epoch, Chunk) \
             WHERE Epoch != 0 AND (Shipper, Epoch, Chunk) NOT IN \
             (SELECT Shipper, Epoch, intDiv(First, {CHUNK}) FROM ranges) \
             GROUP BY Shipper, Epoch, Chunk HAVING sum(w) != sum(f) ORDER BY shipper, epoch, chunk"
        ))
        .await
    }

    /// The batches of these chunks whose counts differ.
    async fn counted_batches(&self, chunks: &[Difference]) -> Result<Vec<Counted>, QueryError> {
        let within: Vec<String> = chunks
            .iter()
            .map(|Difference { shipper, epoch, chunk, .. }| {
                let first = chunk.saturating_mul(CHUNK);
                format!(
                    "(Shipper = toFixedString(unhex('{shipper}'), 16) AND Epoch = {epoch} \
                     AND Sequence BETWEEN {first} AND {})",
                    first.saturating_add(CHUNK - 1)
                )
            })
            .collect();
        let within = within.join(" OR ");
        self.many_rows(&format!(
            "SELECT lower(hex(Shipper)) AS shipper, Epoch AS epoch, Sequence AS sequence, max(h) AS hosts, \
             toUInt64(sum(e)) AS entries, sum(w) AS wanted, sum(f) AS found, toUnixTimestamp(max(p)) AS planned FROM \
             (SELECT Shipper, Epoch, Sequence, toString(HostNames) AS h, 1 AS e, toUInt64(Records) AS w, \
             toUInt64(0) AS f, Planned AS p FROM batches WHERE {within} UNION ALL \
             SELECT Shipper, Epoch, Sequence, '', 0, toUInt64(0), count(), max(Planned) FROM logs WHERE {within} \
             GROUP BY Shipper, Epoch, Sequence) GROUP BY Shipper, Epoch, Sequence HAVING wanted != found \
             AND NOT (entries = 0 AND (Shipper, Epoch, Sequence) IN \
             (SELECT Shipper, Epoch, Sequence FROM repairs)) ORDER BY shipper, epoch, sequence LIMIT {BATCHES_MAX}"
        ))
        .await
    }

    /// Remembers what an audit found, for whoever asks.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn note_audit(&self, audit: &Audit) -> Result<(), QueryError> {
        let Audit { batches, missing, unknown, .. } = audit;
        self.execute(&format!(
            "INSERT INTO audits (Batches, MissingBatches, MissingRecords, UnknownBatches) VALUES \
             ({batches}, {}, {}, {})",
            missing.len(),
            audit.missing_records(),
            unknown.len()
        ))
        .await
    }

    /// Takes missing batches out of the ledger, so that they are stored as far as they are missing when they come again,
    /// and enters those whose own entries are gone. Can be done again at any point.
    ///
    /// # Errors
    /// Where the store does not do it.
    pub async fn repair(&self, audit: &Audit) -> Result<(), QueryError> {
        let (batches, on_cluster) = self.stored_table("batches");
        let missing: Vec<BatchId> = audit.missing.iter().map(|one| one.id).collect();
        for ids in missing.chunks(REPAIRED_AT_ONCE) {
            let among = among(ids);
            // First what is to be stored again is remembered: without its entry it would count as new.
            self.execute(&format!(
                "INSERT INTO repairs (Shipper, Epoch, Sequence) SELECT Shipper, Epoch, Sequence FROM batches \
                 WHERE {among}"
            ))
            .await?;
        }
        if !missing.is_empty() {
            let delete = format!(
                "ALTER TABLE {batches}{on_cluster} DELETE WHERE (Shipper, Epoch, Sequence) IN \
                 (SELECT Shipper, Epoch, Sequence FROM repairs WHERE Time >= toDateTime({}))",
                audit.begun_s
            );
            self.execute_with(&delete, &[("mutations_sync", "2")]).await?;
        }
        for ids in audit.unknown.chunks(REPAIRED_AT_ONCE) {
            self.execute(&format!(
                "INSERT INTO batches (Shipper, Epoch, Sequence, Records, HostNames, Hosts, Sealed, Stored, Planned) \
                 SELECT Shipper, Epoch, Sequence, count(), arrayStringConcat(groupUniqArray(toString(Host)), '\\n') \
                 AS names, replaceAll(names, '\\n', ','), max(ObservedTimestamp), now64(9), now() + 5 FROM logs \
                 WHERE {0} AND (Shipper, Epoch, Sequence) NOT IN \
                 (SELECT Shipper, Epoch, Sequence FROM batches WHERE {0}) GROUP BY Shipper, Epoch, Sequence",
                among(ids)
            ))
            .await?;
        }
        Ok(())
    }

    /// Batches that an audit took out of the ledger and that are not in it again.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn repaired_batches(&self) -> Result<Vec<BatchId>, QueryError> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(with = "hexadecimal")]
            shipper: ShipperId,
            epoch: u64,
            sequence: u64,
        }
        let rows: Vec<Row> = self
            .rows(
                "SELECT DISTINCT lower(hex(Shipper)) AS shipper, Epoch AS epoch, Sequence AS sequence FROM repairs \
                 WHERE (Shipper, Epoch, Sequence) NOT IN (SELECT Shipper, Epoch, Sequence FROM batches WHERE \
                 (Shipper, Epoch) IN (SELECT Shipper, Epoch FROM repairs))",
            )
            .await?;
        let id = |Row { shipper, epoch, sequence }| BatchId { shipper, epoch, sequence };
        Ok(rows.into_iter().map(id).collect())
    }
}

/// The days of a table's TTL.
fn days_of(engine_full: &str) -> Option<u32> {
    let (_, ttl) = engine_full.split_once(" TTL ")?;
    let days = ttl.split_once("toIntervalDay(").and_then(|(_, days)| days.split(')').next()?.parse().ok());
    Some(days.unwrap_or(2))
}

fn among(ids: &[BatchId]) -> String {
    let ids: Vec<String> = ids
        .iter()
        .map(|BatchId { shipper, epoch, sequence }| {
            format!("(toFixedString(unhex('{shipper}'), 16), {epoch}, {sequence})")
        })
        .collect();
    format!("(Shipper, Epoch, Sequence) IN ({})", ids.join(", "))
}

/// A shipper's identity as 32 hexadecimal digits.
mod hexadecimal {
    use lastwords_record::batch::ShipperId;
    use serde::{Deserialize as _, Deserializer, de::Error as _};

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ShipperId, D::Error> {
        let text = String::deserialize(from)?;
        let number = u128::from_str_radix(&text, 16).map_err(D::Error::custom)?;
        Ok(ShipperId(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_of_a_ttl_are_read() {
        for (engine, wanted) in [
            ("MergeTree PARTITION BY x ORDER BY y SETTINGS z = 1", None),
            (
                "MergeTree ORDER BY y TTL toDateTime(ObservedTimestamp) + toIntervalDay(30) SETTINGS z = 1",
                Some(30),
            ),
            ("MergeTree ORDER BY y TTL toDateTime(ObservedTimestamp) + toIntervalHour(30)", Some(2)),
        ] {
            assert_eq!(days_of(engine), wanted, "{engine}");
        }
    }

    #[test]
    fn neighbours_of_one_shipper_and_host_are_told_together() {
        let short = |epoch, sequence, hosts: &str, found| Shortfall {
            id: BatchId { shipper: ShipperId([1; 16]), epoch, sequence },
            hosts: hosts.to_owned(),
            wanted: 10,
            found,
        };
        let missing = vec![
            short(1, 5, "a", 0),
            short(1, 6, "a", 4),
            short(1, 7, "b", 0),
            short(1, 9, "b", 0),
            short(2, 10, "b", 0),
        ];
        let audit = Audit { missing, ..Audit::default() };
        let told: Vec<(u64, u64, u64, String, u64)> = audit
            .missing_ranges()
            .into_iter()
            .map(|(range, hosts, records)| (range.epoch, range.first, range.last, hosts, records))
            .collect();
        let of = |epoch, first, last, hosts: &str, records| (epoch, first, last, hosts.to_owned(), records);
        assert_eq!(
            told,
            [of(1, 5, 6, "a", 16), of(1, 7, 7, "b", 10), of(1, 9, 9, "b", 10), of(2, 10, 10, "b", 10)]
        );
        assert_eq!(audit.missing_records(), 46);
    }
}
