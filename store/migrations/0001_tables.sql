-- The first schema. Statements end with a semicolon at the end of a line.
--
-- What an insert returns for is on disk: parts and their folders are synced (fsync_…), merged parts too, since the
-- parts they replace are removed. Inserted parts are compact (two files to sync instead of eighty): measured 437,000
-- against 345,000 rows a second. Tokens are remembered for 10,000 inserts a table.
--
-- Partitions are days. A Date names those of 1970 to 2149 and wraps beyond; all others share the partition of its last
-- day. Tables that were made before that was so have toDate alone: see partition.rs.

CREATE TABLE logs
(
    -- Names and types of the OpenTelemetry exporter's table, so that tools made for it work as they are.
    Timestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    ObservedTimestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8 CODEC(ZSTD(1)),
    SeverityText LowCardinality(String) ALIAS multiIf(SeverityNumber = 0, '', SeverityNumber < 5, 'TRACE', SeverityNumber < 9, 'DEBUG', SeverityNumber < 13, 'INFO', SeverityNumber < 17, 'WARN', SeverityNumber < 21, 'ERROR', 'FATAL'),
    SeverityNumber UInt8 CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) ALIAS Program,
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName LowCardinality(String) CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName LowCardinality(String) CODEC(ZSTD(1)),
    -- Whose record it is and what is known of it.
    Host LowCardinality(String) CODEC(ZSTD(1)),
    Guest LowCardinality(String) CODEC(ZSTD(1)),
    GuestUuid LowCardinality(String) CODEC(ZSTD(1)),
    Source LowCardinality(String) CODEC(ZSTD(1)),
    Program LowCardinality(String) CODEC(ZSTD(1)),
    Class LowCardinality(String) CODEC(ZSTD(1)),
    TimeBasis UInt8 CODEC(ZSTD(1)),
    -- Corrected minus written time; mostly constant, so the written time costs nothing.
    ClockOffset Int64 CODEC(Delta, ZSTD(1)),
    TimestampWritten DateTime64(9, 'UTC') ALIAS fromUnixTimestamp64Nano(toUnixTimestamp64Nano(Timestamp) - ClockOffset, 'UTC'),
    ClockUncertainty UInt64 CODEC(Delta, ZSTD(1)),
    -- Batch identity and place in it.
    Shipper FixedString(16) CODEC(ZSTD(1)),
    Epoch UInt64 CODEC(Delta, ZSTD(1)),
    Sequence UInt64 CODEC(Delta, ZSTD(1)),
    Row UInt32 CODEC(Delta, ZSTD(1)),
    Planned DateTime('UTC') CODEC(Delta, ZSTD(1)),
    INDEX sequence Sequence TYPE minmax GRANULARITY 1,
    -- A filter of the words of each granule. Measured on access-log lines: 2 bytes a row and 0.3 CPU s a million rows
    -- in merges, where an inverted index took 37 bytes and 7 s; rare words and phrases skip nine granules of ten.
    INDEX body Body TYPE tokenbf_v1(16384, 4, 0) GRANULARITY 1,
    -- The store itself refuses inserts that come late or from before its start.
    CONSTRAINT in_time CHECK nowInBlock() <= Planned + 60,
    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()
)
ENGINE = MergeTree
PARTITION BY if(Timestamp >= toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AND Timestamp < toDateTime64('2149-06-06 00:00:00', 9, 'UTC'), toDate(Timestamp), toDate('2149-06-06'))
ORDER BY (toStartOfFiveMinutes(Timestamp), Host, Guest, Timestamp, Epoch, Sequence, Row)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_bytes_for_wide_part = 268435456;

CREATE TABLE events
(
    Id UInt64 CODEC(ZSTD(1)),
    Version UInt64 CODEC(Delta, ZSTD(1)),
    Class LowCardinality(String) CODEC(ZSTD(1)),
    Start DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    End Nullable(DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
    Host LowCardinality(String) CODEC(ZSTD(1)),
    Guest LowCardinality(String) CODEC(ZSTD(1)),
    GuestUuid LowCardinality(String) CODEC(ZSTD(1)),
    Title String CODEC(ZSTD(1)),
    Function String CODEC(ZSTD(1)),
    Fingerprint UInt64 CODEC(ZSTD(1)),
    Severity LowCardinality(String) CODEC(ZSTD(1)),
    Cause UInt64 CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ClockUncertainty UInt64 CODEC(Delta, ZSTD(1)),
    Rule LowCardinality(String) CODEC(ZSTD(1)),
    Shipper FixedString(16) CODEC(ZSTD(1)),
    Epoch UInt64 CODEC(Delta, ZSTD(1)),
    Sequence UInt64 CODEC(Delta, ZSTD(1)),
    Row UInt32 CODEC(Delta, ZSTD(1)),
    LineStart UInt32 CODEC(ZSTD(1)),
    LineEnd UInt32 CODEC(ZSTD(1)),
    Planned DateTime('UTC') CODEC(Delta, ZSTD(1)),
    INDEX sequence Sequence TYPE minmax GRANULARITY 1,
    CONSTRAINT in_time CHECK nowInBlock() <= Planned + 60,
    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY if(Start >= toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AND Start < toDateTime64('2149-06-06 00:00:00', 9, 'UTC'), toDate(Start), toDate('2149-06-06'))
ORDER BY (Class, Start, Host, Guest, Id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_bytes_for_wide_part = 268435456;

CREATE TABLE samples
(
    Timestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    IntervalMs UInt32 CODEC(Delta, ZSTD(1)),
    Host LowCardinality(String) CODEC(ZSTD(1)),
    Guest LowCardinality(String) CODEC(ZSTD(1)),
    GuestUuid LowCardinality(String) CODEC(ZSTD(1)),
    Metric LowCardinality(String) CODEC(ZSTD(1)),
    Device LowCardinality(String) CODEC(ZSTD(1)),
    Direction LowCardinality(String) CODEC(ZSTD(1)),
    Minimum Float64 CODEC(Gorilla, ZSTD(1)),
    Mean Float64 CODEC(Gorilla, ZSTD(1)),
    Maximum Float64 CODEC(Gorilla, ZSTD(1)),
    ObservedTimestamp DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Shipper FixedString(16) CODEC(ZSTD(1)),
    Epoch UInt64 CODEC(Delta, ZSTD(1)),
    Sequence UInt64 CODEC(Delta, ZSTD(1)),
    Row UInt32 CODEC(Delta, ZSTD(1)),
    Planned DateTime('UTC') CODEC(Delta, ZSTD(1)),
    INDEX sequence Sequence TYPE minmax GRANULARITY 1,
    CONSTRAINT in_time CHECK nowInBlock() <= Planned + 60,
    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()
)
ENGINE = ReplacingMergeTree
PARTITION BY if(Timestamp >= toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AND Timestamp < toDateTime64('2149-06-06 00:00:00', 9, 'UTC'), toDate(Timestamp), toDate('2149-06-06'))
ORDER BY (Metric, Host, Guest, Device, Direction, Timestamp, Shipper, Epoch, Sequence, Row)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_bytes_for_wide_part = 268435456;

CREATE TABLE placement
(
    Host LowCardinality(String),
    Guest LowCardinality(String),
    GuestUuid LowCardinality(String),
    Start DateTime64(9, 'UTC'),
    End Nullable(DateTime64(9, 'UTC')),
    Attributes Map(LowCardinality(String), String),
    Version UInt64,
    Shipper FixedString(16),
    Epoch UInt64,
    Sequence UInt64,
    Row UInt32,
    Planned DateTime('UTC'),
    INDEX sequence Sequence TYPE minmax GRANULARITY 1,
    CONSTRAINT in_time CHECK nowInBlock() <= Planned + 60,
    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY if(Start >= toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AND Start < toDateTime64('2149-06-06 00:00:00', 9, 'UTC'), toDate(Start), toDate('2149-06-06'))
ORDER BY (Host, Guest, GuestUuid, Start)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_bytes_for_wide_part = 268435456;

-- The ledger. No TTL: which batches are known has to outlive their rows.
CREATE TABLE batches
(
    Shipper FixedString(16) CODEC(ZSTD(1)),
    Epoch UInt64 CODEC(Delta, ZSTD(1)),
    Sequence UInt64 CODEC(Delta, ZSTD(1)),
    Records UInt32 CODEC(ZSTD(1)),
    Samples UInt32 CODEC(ZSTD(1)),
    Events UInt32 CODEC(ZSTD(1)),
    Placements UInt32 CODEC(ZSTD(1)),
    Bytes UInt64 CODEC(ZSTD(1)),
    Hosts LowCardinality(String) CODEC(ZSTD(1)),
    Quarantined String CODEC(ZSTD(1)),
    Sealed DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Stored DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    Planned DateTime('UTC') CODEC(Delta, ZSTD(1)),
    CONSTRAINT in_time CHECK nowInBlock() <= Planned + 60,
    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()
)
ENGINE = MergeTree
ORDER BY (Shipper, Epoch, Sequence)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_bytes_for_wide_part = 268435456;

CREATE TABLE quarantine
(
    Time DateTime64(9, 'UTC'),
    Shipper FixedString(16),
    Epoch UInt64,
    Sequence UInt64,
    Reason String CODEC(ZSTD(1)),
    Envelope String CODEC(ZSTD(1)),
    Planned DateTime('UTC'),
    CONSTRAINT in_time CHECK nowInBlock() <= Planned + 60,
    CONSTRAINT this_run CHECK Planned > nowInBlock() - uptime()
)
ENGINE = ReplacingMergeTree
ORDER BY (Shipper, Epoch, Sequence)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    min_bytes_for_wide_part = 268435456;
