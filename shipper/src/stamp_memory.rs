//! What a stamper remembers between two lines, as it is written down.

use lastwords_record::stamp::StampState;
use serde::{Deserialize, Serialize};

/// A stamper's memory as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(remote = "StampState")]
pub(crate) struct Memory {
    last_ns: Option<i64>,
    year: Option<i16>,
    last_yearless_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dated_read_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    boot_by_age: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_ns: Option<i64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    boots_passed: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    boots_left: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
