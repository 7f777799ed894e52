//! ClickHouse's own compressed blocks, as `compress=1` and `decompress=1` speak them.
//!
//! ```text
//! checksum (16 bytes)   CityHash128 (version 1.0.2) of all that follows, its low half first
//! method (1 byte)       0x82 LZ4, 0x90 ZSTD, 0x02 as it is
//! size (u32)            of method, sizes and data, compressed
//! size (u32)            of the data, uncompressed
//! data
//! ```
//!
//! Numbers are little-endian. A body is such blocks one after the other; nothing says which one is the last. A block is
//! damaged where it breaks off, its checksum or a size is another, its method is unknown, or its data does not unpack to
//! the stated size.

use super::Failure;

/// Bytes that one block of an answer holds.
const BLOCK_BYTES: usize = 1 << 20;
/// A block's method and sizes.
const HEAD_BYTES: usize = 9;
const CHECKSUM_BYTES: usize = 16;

/// How a block's data is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Method {
    /// As it is.
    Plain,
    Lz4,
    Zstd,
}

impl Method {
    /// By the setting `network_compression_method`; ClickHouse's default is LZ4.
    pub(in crate::http) fn named(name: &str) -> Method {
        match name.to_ascii_uppercase().as_str() {
            "NONE" => Method::Plain,
            "ZSTD" => Method::Zstd,
            _ => Method::Lz4,
        }
    }

    /// As the setting names it.
    pub(in crate::http) fn name(self) -> &'static str {
        match self {
            Method::Plain => "NONE",
            Method::Lz4 => "LZ4",
            Method::Zstd => "ZSTD",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Method::Plain => 0x02,
            Method::Lz4 => 0x82,
            Method::Zstd => 0x90,
        }
    }

    fn of_byte(byte: u8) -> Option<Method> {
        [Method::Plain, Method::Lz4, Method::Zstd].into_iter().find(|method| method.byte() == byte)
    }

    fn compress(self, data: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Method::Plain => Ok(data.to_vec()),
            Method::Lz4 => Ok(lz4_flex::block::compress(data)),
            Method::Zstd => zstd::bulk::compress(data, 1),
        }
    }

    fn decompress(self, data: &[u8], bytes: usize) -> Option<Vec<u8>> {
        let out = match self {
            Method::Plain => data.to_vec(),
            Method::Lz4 => lz4_flex::block::decompress(data, bytes).ok()?,
            Method::Zstd => zstd::bulk::decompress(data, bytes).ok()?,
        };
        (out.len() == bytes).then_some(out)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    cityhash_rs::cityhash_102_128(bytes).rotate_left(64).to_le_bytes()
}

/// Appends data as blocks.
pub(super) fn encode(method: Method, data: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
    for part in data.chunks(BLOCK_BYTES) {
        let packed = method.compress(part)?;
        let size = |bytes: usize| u32::try_from(bytes).map_err(std::io::Error::other);
        let mut block = Vec::with_capacity(HEAD_BYTES + packed.len());
        block.push(method.byte());
        block.extend_from_slice(&size(HEAD_BYTES + packed.len())?.to_le_bytes());
        block.extend_from_slice(&size(part.len())?.to_le_bytes());
        block.extend_from_slice(&packed);
        out.extend_from_slice(&checksum(&block));
        out.extend_from_slice(&block);
    }
    Ok(())
}

/// Unpacks all blocks of a body; at most `bytes_max` come out.
pub(super) fn decode(mut body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    while !body.is_empty() {
        let block = Block::read(&mut body).ok_or_else(|| damaged("a block breaks off"))?;
        if out.len().saturating_add(block.bytes) > bytes_max {
            return Err(Failure::TooLarge { bytes_max });
        }
        out.extend_from_slice(&block.unpack().map_err(damaged)?);
    }
    Ok(out)
}

fn damaged(what: &str) -> Failure {
    Failure::Encoding(format!("The body's compressed blocks (decompress=1) cannot be read: {what}"))
}

/// A block in place.
struct Block<'a> {
    checksum: &'a [u8],
    /// What the checksum is of.
    summed: &'a [u8],
    method: u8,
    /// Bytes that it says to unpack to.
    bytes: usize,
    data: &'a [u8],
}

impl<'a> Block<'a> {
    /// Takes the next block; none where it is not all there.
    fn read(body: &mut &'a [u8]) -> Option<Block<'a>> {
        let (checksum, rest) = body.split_at_checked(CHECKSUM_BYTES)?;
        let head: &[u8; HEAD_BYTES] = rest.first_chunk()?;
        let [method, p0, p1, p2, p3, u0, u1, u2, u3] = *head;
        let packed = usize::try_from(u32::from_le_bytes([p0, p1, p2, p3])).ok()?;
        let bytes = usize::try_from(u32::from_le_bytes([u0, u1, u2, u3])).ok()?;
        let (summed, rest) = rest.split_at_checked(packed)?;
        let data = summed.get(HEAD_BYTES..)?;
        *body = rest;
        Some(Block { checksum, summed, method, bytes, data })
    }

    fn unpack(&self) -> Result<Vec<u8>, &'static str> {
        if checksum(self.summed) != self.checksum {
            return Err("a checksum is another than its block's");
        }
        let method = Method::of_byte(self.method)
            .ok_or("a block's method is none of LZ4 (0x82), ZSTD (0x90) and uncompressed (0x02)")?;
        method.decompress(self.data, self.bytes).ok_or("a block does not unpack to the size that it states")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(method: Method, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(method, data, &mut out).unwrap();
        out
    }

    #[test]
    fn what_was_packed_is_unpacked_by_each_method() {
        let long: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for method in [Method::Plain, Method::Lz4, Method::Zstd] {
            for data in [b"".as_slice(), b"1\n", &long] {
                assert!(decode(&packed(method, data), 1 << 30).ok().as_deref() == Some(data), "{method:?}");
            }
            assert_eq!(Method::named(method.name()), method);
        }
        assert_eq!(Method::named("lz4hc"), Method::Lz4);
    }

    #[test]
    fn a_block_is_written_as_another_implementation_writes_it() {
        let block = packed(Method::Plain, b"1\n");
        assert_eq!(block.get(16..), Some([0x02, 11, 0, 0, 0, 2, 0, 0, 0, b'1', b'\n'].as_slice()));
        assert_eq!(block.get(..16), Some(KNOWN_CHECKSUM.as_slice()));
    }

    /// By another implementation, clickhouse-cityhash 1.0.2.6.
    const KNOWN_CHECKSUM: [u8; 16] =
        [15, 67, 108, 79, 226, 165, 221, 121, 141, 125, 245, 82, 156, 86, 80, 160];

    #[test]
    fn whatever_byte_of_a_block_is_another_or_missing_it_is_refused() {
        for method in [Method::Plain, Method::Lz4, Method::Zstd] {
            let block = packed(method, b"the same words, the same words, the same words");
            for at in 0..block.len() {
                let mut other = block.clone();
                other[at] ^= 0x10;
                assert!(decode(&other, 1 << 20).is_err(), "{method:?} {at}");
                assert_eq!(decode(&block[..at], 1 << 20).is_ok(), at == 0, "{method:?} {at}");
            }
        }
    }

    #[test]
    fn a_block_that_says_to_become_large_is_refused_before_memory_is_taken() {
        let mut block = packed(Method::Lz4, b"x");
        block[21..25].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(decode(&block, 1 << 20), Err(Failure::TooLarge { .. })));
        let many = packed(Method::Lz4, &vec![0; 5 << 20]);
        assert!(matches!(decode(&many, (5 << 20) - 1), Err(Failure::TooLarge { .. })));
        assert!(decode(&many, 5 << 20).is_ok());
    }
}
