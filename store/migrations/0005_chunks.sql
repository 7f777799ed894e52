-- Which numbers the ledger has, 4,096 of them at a time: kept within each part, so that it is never behind the rows. The
-- start reads as many rows as there are chunks, however many batches there are.
ALTER TABLE batches ADD PROJECTION IF NOT EXISTS chunks (SELECT Shipper, Epoch, intDiv(Sequence, 4096) AS Chunk, min(Sequence), max(Sequence), count(), sum(Sequence), sum(Records), max(Planned) GROUP BY Shipper, Epoch, Chunk);
ALTER TABLE batches MATERIALIZE PROJECTION chunks;
-- What old rows of `batches` are folded into: numbers without a gap, never across a chunk. Of each batch the lowest 16
-- bits of its content are kept, two bytes in the order of the numbers.
CREATE TABLE ranges
(
    Shipper FixedString(16) CODEC(ZSTD(1)),
    Epoch UInt64 CODEC(Delta, ZSTD(1)),
    First UInt64 CODEC(Delta, ZSTD(1)),
    Last UInt64 CODEC(Delta, ZSTD(1)),
    Records UInt64 CODEC(ZSTD(1)),
    HostNames String CODEC(ZSTD(1)),
    Contents Array(UInt16) CODEC(ZSTD(1)),
    Folded DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (Shipper, Epoch, First, Last)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
-- Batches that are to be stored again, as far as somebody has them still: their entries were taken out of the ledger,
-- since rows of theirs are missing. What is left of their rows stays.
CREATE TABLE repairs
(
    Shipper FixedString(16),
    Epoch UInt64,
    Sequence UInt64,
    Time DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (Shipper, Epoch, Sequence)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
-- What each audit found.
CREATE TABLE audits
(
    Time DateTime('UTC') DEFAULT now(),
    Batches UInt64,
    MissingBatches UInt64,
    MissingRecords UInt64,
    UnknownBatches UInt64
)
ENGINE = MergeTree
ORDER BY Time
TTL Time + toIntervalDay(90)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
