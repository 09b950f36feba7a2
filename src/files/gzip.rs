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
    deflate.reset();
    if !block.before.is_empty() {
        deflate.set_dictionary(&block.before).map_err(|error| io::Error::other(error.as_str()))?;
    }
    // What cannot be compressed is stored, with a few bytes for each 16 KiB.
    let mut bytes = vec![0; block.data.len() + block.data.len() / 1000 + 1024];
    let (mut read, mut written) = (0, 0);
    loop {
        let before = (deflate.total_in(), deflate.total_out());
        let pressed = deflate.compress(&block.data[read..], &mut bytes[written..], DeflateFlush::SyncFlush);
        pressed.map_err(|error| io::Error::other(error.as_str()))?;
        read += usize::try_from(deflate.total_in() - before.0).unwrap_or_default();
        written += usize::try_from(deflate.total_out() - before.1).unwrap_or_default();
        if written < bytes.len() {
            break;
        }
        bytes.resize(bytes.len() + 4096, 0);
    }
    bytes.truncate(written);
    let mut check = crc32fast::Hasher::new();
    check.update(&block.data);
    Ok(Encoded { bytes, check })
}

fn tail(check: u32, length: u64) -> Vec<u8> {
    let length = u32::try_from(length & u64::from(u32::MAX)).unwrap_or_default();
    [LAST.as_slice(), &check.to_le_bytes(), &length.to_le_bytes()].concat()
}
