-- The names of the hosts that a batch speaks for, a line each: a name may have a comma in it, which Hosts are joined by.
ALTER TABLE batches ADD COLUMN IF NOT EXISTS HostNames LowCardinality(String) DEFAULT replaceAll(Hosts, ',', '\n') CODEC(ZSTD(1)) AFTER Hosts;
