//! What a format of compression is to those who compress block by block.

use std::io;

/// A part of what is compressed.
pub(super) struct Block {
    pub data: Vec<u8>,
    /// The end of what comes before it.
    pub before: Vec<u8>,
}

/// What a part has become.
pub(super) struct Encoded {
    pub bytes: Vec<u8>,
    /// Of the plain bytes.
    pub check: crc32fast::Hasher,
}

/// Compresses blocks, each by itself.
pub(super) type Encoder = Box<dyn FnMut(&Block) -> io::Result<Encoded> + Send>;

/// How a format is made of blocks.
pub(super) struct Blocks {
    /// Bytes of a block.
    pub size: usize,
    /// How many bytes before a block its compression looks back at.
    pub looks_back: usize,
    /// What comes before all blocks.
    pub head: &'static [u8],
    /// Makes who compresses, for one thread.
    pub encoder: fn() -> io::Result<Encoder>,
    /// What comes after all blocks, of so many plain bytes with this checksum.
    pub tail: fn(u32, u64) -> Vec<u8>,
}
