-- What tells one content from another under the same number; 0: not known.
ALTER TABLE batches ADD COLUMN IF NOT EXISTS Content UInt64 CODEC(ZSTD(1)) AFTER Quarantined;
