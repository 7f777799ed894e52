//! Whatever bytes come as a batch: an error or a batch that seals again, never a panic.
//! `cargo +nightly fuzz run open -- -max_total_time=60` in `record/`.
#![no_main]

use bytes::Bytes;
use lastwords_record::{Batch, Compression};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(batch) = Batch::open(&Bytes::copy_from_slice(bytes))
        && let Ok(sealed) = batch.seal(Compression::None)
    {
        Batch::open(&sealed).expect("what was sealed opens");
    }
});
