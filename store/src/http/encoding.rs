//! Compression of bodies and answers: by HTTP's codings, or in ClickHouse's own blocks.

mod blocks;

use std::io::{Read, Write};

use bytes::Bytes;

use super::failure::Failure;
pub(super) use blocks::Method;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    None,
    Gzip,
    Deflate,
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// ClickHouse's own: no coding of HTTP's.
    Blocks(Method),
}

impl Coding {
    /// By the value of `Content-Encoding`.
    pub(super) fn named(name: Option<&str>) -> Result<Coding, Failure> {
        match name.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Coding::None),
            "gzip" | "x-gzip" => Ok(Coding::Gzip),
            "deflate" => Ok(Coding::Deflate),
            "zstd" => Ok(Coding::Zstd),
            "lz4" => Ok(Coding::Lz4),
            other => Err(Failure::Encoding(format!(
                "Content-Encoding '{other}' is not known here; gzip, deflate, zstd and lz4 are"
            ))),
        }
    }

    /// The value of `Content-Encoding` of an answer.
    pub(super) fn header(self) -> Option<&'static str> {
        match self {
            Coding::None | Coding::Blocks(_) => None,
            Coding::Gzip => Some("gzip"),
            Coding::Deflate => Some("deflate"),
            Coding::Zstd => Some("zstd"),
            Coding::Lz4 => Some("lz4"),
        }
    }
}

/// The coding of an answer, by `Accept-Encoding`: the cheapest that is taken.
pub(super) fn accepted(header: &str) -> Coding {
    let takes = |wanted: &str| {
        header.split(',').any(|item| {
            let mut pieces = item.split(';').map(str::trim);
            let named = pieces.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            named && !pieces.any(|piece| matches!(piece, "q=0" | "q=0.0"))
        })
    };
    [("lz4", Coding::Lz4), ("zstd", Coding::Zstd), ("gzip", Coding::Gzip), ("deflate", Coding::Deflate)]
        .into_iter()
        .find_map(|(name, coding)| takes(name).then_some(coding))
        .unwrap_or(Coding::None)
}

/// Decompresses a body; at most `bytes_max` come out.
pub(super) fn decode(coding: Coding, body: Bytes, bytes_max: usize) -> Result<Bytes, Failure> {
    let reader: Box<dyn Read + '_> = match coding {
        Coding::None => return Ok(body),
        Coding::Blocks(_) => return blocks::decode(&body, bytes_max).map(Bytes::from),
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(body.as_ref())),
        Coding::Deflate => Box::new(flate2::read::ZlibDecoder::new(body.as_ref())),
        Coding::Zstd => Box::new(zstd::Decoder::with_buffer(body.as_ref()).map_err(broken)?),
        Coding::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(body.as_ref())),
    };
    let mut out = Vec::new();
    // One byte more than allowed shows that there is more.
    reader.take(bytes_max as u64 + 1).read_to_end(&mut out).map_err(broken)?;
    if out.len() > bytes_max {
        return Err(Failure::TooLarge { bytes_max });
    }
    Ok(out.into())
}

fn broken(error: std::io::Error) -> Failure {
    Failure::Encoding(format!("The body could not be decompressed: {error}"))
}

/// Compresses an answer chunk by chunk. Each chunk can be read by itself as soon as it arrives.
pub(super) enum Encoder {
    None,
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Deflate(flate2::write::ZlibEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    Blocks(Method),
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> std::io::Result<Encoder> {
        Ok(match coding {
            Coding::None => Encoder::None,
            Coding::Gzip => {
                Encoder::Gzip(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()))
            }
            Coding::Deflate => {
                Encoder::Deflate(flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast()))
            }
            Coding::Zstd => Encoder::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
            Coding::Lz4 => Encoder::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(Vec::new()))),
            Coding::Blocks(method) => Encoder::Blocks(method),
        })
    }

    /// Compresses a chunk.
    pub(super) fn chunk(&mut self, data: &[u8]) -> std::io::Result<Bytes> {
        Ok(match self {
            Encoder::None => Bytes::copy_from_slice(data),
            Encoder::Blocks(method) => {
                let mut out = Vec::new();
                blocks::encode(*method, data, &mut out)?;
                out.into()
            }
            Encoder::Gzip(encoder) => {
                encoder.write_all(data)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut()).into()
            }
            Encoder::Deflate(encoder) => {
                encoder.write_all(data)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut()).into()
            }
            Encoder::Zstd(encoder) => {
                encoder.write_all(data)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut()).into()
            }
            Encoder::Lz4(encoder) => {
                encoder.write_all(data)?;
                encoder.flush()?;
                std::mem::take(encoder.get_mut()).into()
            }
        })
    }

    /// What ends the compressed stream. An answer that breaks off goes without it, so that it does not unpack as a whole.
    pub(super) fn finish(self) -> std::io::Result<Bytes> {
        Ok(match self {
            Encoder::None | Encoder::Blocks(_) => Bytes::new(),
            Encoder::Gzip(encoder) => encoder.finish()?.into(),
            Encoder::Deflate(encoder) => encoder.finish()?.into(),
            Encoder::Zstd(encoder) => encoder.finish()?.into(),
            Encoder::Lz4(encoder) => encoder.finish().map_err(std::io::Error::other)?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_gives_back_what_was_compressed_in_chunks() {
        let blocks = [Method::Plain, Method::Lz4, Method::Zstd].map(Coding::Blocks);
        for coding in
            [Coding::None, Coding::Gzip, Coding::Deflate, Coding::Zstd, Coding::Lz4].into_iter().chain(blocks)
        {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut body = Vec::new();
            for chunk in [b"one ".as_slice(), &b"two ".repeat(50_000), b"three"] {
                body.extend_from_slice(&encoder.chunk(chunk).unwrap());
            }
            body.extend_from_slice(&encoder.finish().unwrap());
            let decoded = decode(coding, body.into(), 1 << 20).unwrap();
            assert_eq!(decoded.len(), 4 + 200_000 + 5, "{coding:?}");
            assert!(decoded.ends_with(b"two three"), "{coding:?}");
        }
    }

    #[test]
    fn what_breaks_off_does_not_unpack_as_a_whole() {
        let begun = |coding| Encoder::new(coding).unwrap().chunk(b"the first rows of many").unwrap();
        // The decoder of frames takes one without its end; others do not.
        assert!(!begun(Coding::Lz4).ends_with(&[0; 4]));
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            let body = begun(coding);
            assert!(matches!(decode(coding, body, 1 << 20), Err(Failure::Encoding(_))), "{coding:?}");
        }
    }

    #[test]
    fn a_body_that_unpacks_to_more_than_the_limit_is_refused() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd, Coding::Lz4] {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut body = encoder.chunk(&vec![0; 100_000]).unwrap().to_vec();
            body.extend_from_slice(&encoder.finish().unwrap());
            assert!(
                matches!(decode(coding, body.into(), 99_999), Err(Failure::TooLarge { .. })),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn a_damaged_body_is_refused() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd, Coding::Lz4] {
            let body = Bytes::from_static(b"this is not compressed");
            assert!(matches!(decode(coding, body, 1000), Err(Failure::Encoding(_))), "{coding:?}");
        }
    }

    #[test]
    fn the_cheapest_accepted_coding_is_chosen() {
        for (header, expected) in [
            ("", Coding::None),
            ("identity", Coding::None),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("lz4", Coding::Lz4),
            ("zstd;q=0, gzip;q=0.5", Coding::Gzip),
            ("br", Coding::None),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
