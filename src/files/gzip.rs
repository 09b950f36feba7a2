//! gzip (RFC 1952) of blocks that are compressed by themselves: one member, as `pigz` makes it. Each block looks back at the 32
//! KiB before it and ends at a byte's border, so that together they are one stream of deflate (RFC 1951).

use std::io;

use zlib_rs::{Deflate, DeflateFlush};

use super::block::{Block, Blocks, Encoded, Encoder};

/// What gzip takes by itself.
const LEVEL: i32 = 6;
const WINDOW_BITS: u8 = 15;

/// Deflate, no flags, of no time, no extra flags, by an unknown system: nothing in it changes from run to run.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Bytes of each piece of a block by which it is judged, and how many there are.
const PIECE: usize = 4 << 10;
const PIECES: usize = 4;
/// The longest block of deflate that is stored as it is.
const STORED: usize = 0xffff;
/// A last block without content.
const LAST: [u8; 2] = [3, 0];

pub(super) const BLOCKS: Blocks =
    Blocks { size: 512 << 10, looks_back: 1 << WINDOW_BITS, head: HEAD, encoder, tail };

#[expect(clippy::unnecessary_wraps, reason = "as every format's")]
fn encoder() -> io::Result<Encoder> {
    let mut deflate = Deflate::new(LEVEL, false, WINDOW_BITS);
    Ok(Box::new(move |block| encode(&mut deflate, block)))
}

fn encode(deflate: &mut Deflate, block: &Block) -> io::Result<Encoded> {
    let mut check = crc32fast::Hasher::new();
    check.update(&block.data);
    if is_dense(deflate, &block.data)? {
        return Ok(Encoded { bytes: stored(&block.data), check });
    }
    deflate.reset();
    if !block.before.is_empty() {
        deflate.set_dictionary(&block.before).map_err(|error| io::Error::other(error.as_str()))?;
    }
    Ok(Encoded { bytes: compressed(deflate, &block.data)?, check })
}

/// Whether nothing is gained by compressing this, as layers of images are compressed already: judged by pieces of it.
fn is_dense(deflate: &mut Deflate, data: &[u8]) -> io::Result<bool> {
    if data.len() < 2 * PIECE * PIECES {
        return Ok(false);
    }
    for number in 0..PIECES {
        let from = (data.len() - PIECE) / (PIECES - 1) * number;
        deflate.reset();
        let length = compressed(deflate, &data[from..from + PIECE])?.len();
        if length < PIECE - PIECE / 64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Blocks of deflate that are what they hold (RFC 1951, 3.2.4).
fn stored(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 5 * data.len().div_ceil(STORED));
    for part in data.chunks(STORED) {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        bytes.push(0);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&(!length).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Compresses this up to a byte's border.
fn compressed(deflate: &mut Deflate, data: &[u8]) -> io::Result<Vec<u8>> {
    // What cannot be compressed is stored, with a few bytes for each 16 KiB.
    let mut bytes = vec![0; data.len() + data.len() / 1000 + 1024];
    let (mut read, mut written) = (0, 0);
    loop {
        let before = (deflate.total_in(), deflate.total_out());
        let pressed = deflate.compress(&data[read..], &mut bytes[written..], DeflateFlush::SyncFlush);
        pressed.map_err(|error| io::Error::other(error.as_str()))?;
        read += usize::try_from(deflate.total_in() - before.0).unwrap_or_default();
        written += usize::try_from(deflate.total_out() - before.1).unwrap_or_default();
        if written < bytes.len() {
            break;
        }
        bytes.resize(bytes.len() + 4096, 0);
    }
    bytes.truncate(written);
    Ok(bytes)
}

fn tail(check: u32, length: u64) -> Vec<u8> {
    let length = u32::try_from(length & u64::from(u32::MAX)).unwrap_or_default();
    [LAST.as_slice(), &check.to_le_bytes(), &length.to_le_bytes()].concat()
}
