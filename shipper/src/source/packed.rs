//! Contents that are read forward through a decoder: compressed files, and what lies within another content. Going back
//! begins anew.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

/// Bytes by which a format is recognised.
pub const MAGIC_BYTES: usize = 10;
const BUFFER_BYTES: usize = 64 * 1024;
/// Memory that an xz content may ask for: `xz -9` takes 65 MiB.
const XZ_KIB_MAX: u32 = 200 * 1024;
/// The same for zstd, as a power of two: `zstd --long` takes 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How a content is compressed, as its first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// gzip, one member or several.
    Gzip,
    /// Zstandard.
    Zstd,
    /// xz, one stream or several.
    Xz,
    /// bzip2, one stream or several.
    Bzip2,
    /// LZ4 frames.
    Lz4,
}

impl Format {
    /// The format of a content that begins so; none: it is not compressed.
    pub fn of(head: &[u8]) -> Option<Format> {
        let bzip2 = head.starts_with(b"BZh")
            && head.get(3).is_some_and(|level| (b'1'..=b'9').contains(level))
            && matches!(
                head.get(4..10),
                Some([0x31, 0x41, 0x59, 0x26, 0x53, 0x59] | [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
            );
        match head {
            [0x1f, 0x8b, ..] => Some(Format::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Format::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Format::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Format::Lz4),
            _ if bzip2 => Some(Format::Bzip2),
            _ => None,
        }
    }

    /// Decompresses.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn decoder(self, packed: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let packed = BufReader::with_capacity(BUFFER_BYTES, packed);
        Ok(match self {
            Format::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Format::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
            Format::Xz => Box::new(XzReader::new_mem_limit(packed, true, XZ_KIB_MAX)),
            Format::Lz4 => Box::new(Lz4::new(packed)),
            Format::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        })
    }
}

/// Frames of LZ4, one behind the other. A frame that is cut off between two blocks is an error.
struct Lz4 {
    frames: FrameDecoder<LastBytes>,
    is_legacy: bool,
}

/// Remembers the last eight bytes that were read: an end mark, and a checksum that may stand behind it.
struct LastBytes {
    packed: BufReader<Box<dyn Read + Send>>,
    last: [u8; 8],
}

impl Lz4 {
    fn new(mut packed: BufReader<Box<dyn Read + Send>>) -> Lz4 {
        let is_legacy = packed.fill_buf().is_ok_and(|head| head.starts_with(&[0x02, 0x21, 0x4c, 0x18]));
        Lz4 { frames: FrameDecoder::new(LastBytes { packed, last: [1; 8] }), is_legacy }
    }
}

impl Read for Lz4 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Nothing is read at the end of a frame; another one may follow.
        for _ in 0..2 {
            let read = self.frames.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
        }
        let last = self.frames.get_ref().last;
        if self.is_legacy || last.starts_with(&[0; 4]) || last.ends_with(&[0; 4]) {
            return Ok(0);
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the LZ4 frame has no end"))
    }
}

impl Read for LastBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.packed.read(buffer)?;
        let new = buffer.get(..read).unwrap_or_default();
        let new = new.get(read.saturating_sub(self.last.len())..).unwrap_or_default();
        self.last.rotate_left(new.len());
        let kept = self.last.len() - new.len();
        if let Some(place) = self.last.get_mut(kept..) {
            place.copy_from_slice(new);
        }
        Ok(read)
    }
}

/// Begins a content anew.
pub type Reopen = Arc<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// A content that is read forward; going back begins anew.
pub struct Packed {
    reopen: Reopen,
    reader: Box<dyn Read + Send>,
    position: u64,
}

impl Packed {
    /// At its beginning.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn new(reopen: Reopen) -> io::Result<Packed> {
        Ok(Packed { reader: reopen()?, reopen, position: 0 })
    }

    /// What begins it anew.
    pub fn reopen(&self) -> Reopen {
        Arc::clone(&self.reopen)
    }

    /// Goes to a place.
    ///
    /// # Errors
    /// Where the content ends before it, or cannot be decompressed.
    pub fn go_to(&mut self, position: u64) -> io::Result<()> {
        if position < self.position {
            *self = Packed::new(Arc::clone(&self.reopen))?;
        }
        let skipped = position - self.position;
        let found = io::copy(&mut self.by_ref().take(skipped), &mut io::sink())?;
        if found < skipped {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the content is shorter than what was read of it before",
            ));
        }
        Ok(())
    }

    /// Reads to the end; an error where it is cut off, as one that is still being compressed is.
    ///
    /// # Errors
    /// Where it cannot be decompressed whole.
    pub fn check(&mut self) -> io::Result<()> {
        self.go_to(0)?;
        io::copy(self, &mut io::sink()).map(drop)
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed").field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn text(lines: u32) -> Vec<u8> {
        (0..lines).flat_map(|line| format!("line {line} of a log\n").into_bytes()).collect()
    }

    fn lz4(text: &[u8]) -> Vec<u8> {
        use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
        let blocks = FrameInfo::new().block_size(BlockSize::Max64KB);
        let mut encoder = FrameEncoder::with_frame_info(blocks, Vec::new());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(text: &[u8]) -> Vec<u8> {
        let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What `xz` made of "one\ntwo\n".
    const XZ: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x16,
        0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x07, 0x6f, 0x6e, 0x65, 0x0a, 0x74, 0x77, 0x6f,
        0x0a, 0x00, 0x51, 0xab, 0x9e, 0xaf, 0x57, 0x75, 0x70, 0x49, 0x00, 0x01, 0x20, 0x08, 0xbb, 0x19, 0xd9,
        0xbb, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    ];

    fn read(bytes: Vec<u8>) -> (Vec<u8>, io::Result<usize>) {
        let format = Format::of(&bytes).unwrap();
        let reopen: Reopen = Arc::new(move || format.decoder(Box::new(io::Cursor::new(bytes.clone()))));
        let mut read = Vec::new();
        let end = Packed::new(reopen).unwrap().read_to_end(&mut read);
        (read, end)
    }

    #[test]
    fn every_format_is_known_by_its_first_bytes_and_several_parts_are_one_content() {
        let text = text(3_000);
        for packed in [gzip(&text), bzip2(&text), lz4(&text), zstd::encode_all(&text[..], 1).unwrap()] {
            let (once, end) = read(packed.clone());
            assert!(end.is_ok() && once == text);
            let (twice, end) = read([packed.clone(), packed].concat());
            assert!(end.is_ok() && twice == [&text[..], &text].concat());
        }
        let (twice, end) = read([XZ, XZ].concat());
        assert_eq!((twice.as_slice(), end.is_ok()), (&b"one\ntwo\none\ntwo\n"[..], true));
        for plain in [&b"BZh9 is a word"[..], b"2026-11-20", b"", b"\x1f", b"PK\x03\x04"] {
            assert_eq!(Format::of(plain), None);
        }
    }

    #[test]
    fn what_is_cut_off_gives_what_can_be_read_and_an_error() {
        let text = text(400_000);
        for packed in [gzip(&text), bzip2(&text), lz4(&text), zstd::encode_all(&text[..], 1).unwrap()] {
            for part in [3, 2] {
                let format = Format::of(&packed);
                let (found, end) = read(packed[..packed.len() / 4 * part].to_vec());
                assert!(end.is_err(), "{format:?}");
                assert!(!found.is_empty() && text.starts_with(&found), "{format:?}");
            }
        }
        assert!(read(XZ[..XZ.len() - 3].to_vec()).1.is_err());
    }

    #[test]
    fn going_back_begins_anew() {
        let packed = lz4(&text(10));
        let reopen: Reopen = Arc::new(move || Format::Lz4.decoder(Box::new(io::Cursor::new(packed.clone()))));
        let mut content = Packed::new(reopen).unwrap();
        content.check().unwrap();
        content.go_to(5).unwrap();
        let mut buffer = [0; 4];
        content.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"0 of");
        assert!(content.go_to(100_000).is_err());
    }
}
