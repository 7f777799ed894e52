//! How much memory a body takes when it is decoded: its repeated messages are counted over the bytes, before anything
//! is allocated for them. An empty message is two bytes here and hundreds in memory.

use super::OpenError;

/// What a message takes in memory while a batch is opened, at most, beside its own bytes.
const WORD: usize = 32;
const ORIGIN: usize = 256;
const EVENT: usize = 512;
const PLACEMENT: usize = 384;

const NO_PROTOBUF: OpenError = OpenError::Damaged("the body is no protobuf");

/// Bytes that a body's messages take in memory beside their own.
pub(super) fn memory_bytes(body: &[u8]) -> Result<usize, OpenError> {
    let mut bytes = 0_usize;
    each_field(body, |number, section| {
        // The numbers are those of batch.proto.
        let (wanted, size) = match number {
            1 => {
                bytes = bytes.saturating_add(WORD);
                return Ok(());
            }
            2 => (1, ORIGIN),
            4 => (1, EVENT),
            5 => (1, PLACEMENT),
            _ => return Ok(()),
        };
        each_field(section, |number, _| {
            bytes = bytes.saturating_add(if number == wanted { size } else { 0 });
            Ok(())
        })
    })?;
    Ok(bytes)
}

/// Calls for each field that has a length, with its number and its bytes.
fn each_field(
    mut bytes: &[u8],
    mut each: impl FnMut(u64, &[u8]) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let length = match tag & 7 {
            0 => {
                varint(&mut bytes)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)?).map_err(|_| NO_PROTOBUF)?,
            5 => 4,
            // Groups: nothing of ours has ever had any.
            _ => return Err(NO_PROTOBUF),
        };
        let (field, rest) = bytes.split_at_checked(length).ok_or(NO_PROTOBUF)?;
        bytes = rest;
        if tag & 7 == 2 {
            each(tag >> 3, field)?;
        }
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Result<u64, OpenError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(NO_PROTOBUF)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(NO_PROTOBUF)
}
