//! A date that begins right here, in any form.

use super::{
    form::Form,
    numeric::{digits_first, iso},
    worded,
};

/// A date that begins right here.
pub(super) fn dated(text: &[u8]) -> Option<Form> {
    match *text.first()? {
        b'0'..=b'9' => iso(text).or_else(|| digits_first(text)).or_else(|| worded::date(text)),
        b'[' => dated(text.get(1..)?),
        _ => worded::english(text)
            .or_else(|| worded::date(text))
            .or_else(|| iso(worded::behind_weekday(text)?)),
    }
}
