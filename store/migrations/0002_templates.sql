-- The template of each record's message, as a fingerprint: equal for messages that differ only in numbers, names and
-- the like. 0: stored before this was known.
ALTER TABLE logs ADD COLUMN IF NOT EXISTS Template UInt64 CODEC(ZSTD(1)) AFTER Class;
