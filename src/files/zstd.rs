//! Zstandard (RFC 8878): each block is a frame by itself, with its size and a checksum; frames one after the other are a file.

use std::io;

use zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

use super::block::{Block, Blocks, Encoded, Encoder};

/// What zstd takes by itself.
const LEVEL: i32 = 3;

/// Larger frames would be a hundredth smaller, and every thread has some.
pub(super) const BLOCKS: Blocks =
    Blocks { size: 1 << 20, looks_back: 0, head: &[], encoder, tail: |_, _| Vec::new() };

fn encoder() -> io::Result<Encoder> {
    let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    for parameter in [CParameter::CompressionLevel(LEVEL), CParameter::ChecksumFlag(true)] {
        context.set_parameter(parameter).map_err(said)?;
    }
    Ok(Box::new(move |block| encode(&mut context, block)))
}

fn encode(context: &mut CCtx<'static>, block: &Block) -> io::Result<Encoded> {
    let mut bytes = vec![0; compress_bound(block.data.len())];
    let length = context.compress2(bytes.as_mut_slice(), &block.data).map_err(said)?;
    bytes.truncate(length);
    // It waits for its turn: the room that was not needed is given back.
    bytes.shrink_to_fit();
    Ok(Encoded { bytes, check: crc32fast::Hasher::new() })
}

fn said(code: usize) -> io::Error {
    io::Error::other(format!("compressing with zstd: {}", get_error_name(code)))
}

/// What the library itself reads, frame by frame.
#[cfg(test)]
pub(super) fn plain(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let frame = zstd_safe::find_frame_compressed_size(bytes).unwrap();
        let mut content = vec![0; BLOCKS.size];
        let length = zstd_safe::decompress(content.as_mut_slice(), &bytes[..frame]).unwrap();
        all.extend(&content[..length]);
        bytes = &bytes[frame..];
    }
    all
}
