//! A stream that is compressed by several threads, block by block, and comes out in order.
//!
//! Blocks go to the threads by turns, and their results are taken by the same turns: no queue is shared and no result waits for
//! a lock. There are never more than a few blocks on their way, whatever comes in: memory is bounded, and a slow disk holds
//! back whoever writes. Which threads there are changes nothing in the bytes.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::block::{Block, Blocks, Encoded, Encoder};
use super::{gzip, zstd};
use crate::model::ArchiveFormat;

/// Threads at most: more would only wait for the disk, and each holds blocks.
const THREADS: usize = 8;

/// Writes what it is given to another writer, compressed. What was written is whole only after [`Self::finish`].
pub struct Compressed<W> {
    out: W,
    parallel: Option<Parallel>,
}

struct Parallel {
    blocks: Blocks,
    threads: Vec<Worker>,
    block: Vec<u8>,
    before: Vec<u8>,
    /// Blocks that were begun, and those that came back.
    begun: usize,
    ended: usize,
    check: crc32fast::Hasher,
    length: u64,
}

struct Worker {
    blocks: Option<SyncSender<Block>>,
    results: Receiver<io::Result<Encoded>>,
    thread: Option<JoinHandle<()>>,
}

impl<W: Write> Compressed<W> {
    /// Begins a stream of this format, by as many threads as there are processors.
    ///
    /// # Errors
    /// No thread can be started, or the head cannot be written.
    pub fn new(out: W, format: ArchiveFormat) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        Self::with_threads(out, format, threads)
    }

    fn with_threads(mut out: W, format: ArchiveFormat, threads: usize) -> io::Result<Self> {
        let blocks = match format {
            ArchiveFormat::Plain => return Ok(Self { out, parallel: None }),
            ArchiveFormat::Gzip => gzip::BLOCKS,
            ArchiveFormat::Zstd => zstd::BLOCKS,
        };
        out.write_all(blocks.head)?;
        let threads = (0..threads).map(|_| Worker::start(blocks.encoder)).collect::<io::Result<_>>()?;
        let parallel = Parallel {
            block: Vec::with_capacity(blocks.size),
            before: Vec::new(),
            blocks,
            threads,
            begun: 0,
            ended: 0,
            check: crc32fast::Hasher::new(),
            length: 0,
        };
        Ok(Self { out, parallel: Some(parallel) })
    }

    /// Ends the stream, and gives the writer back.
    ///
    /// # Errors
    /// The rest cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(mut parallel) = self.parallel.take() {
            if !parallel.block.is_empty() {
                parallel.begin()?;
            }
            while parallel.ended < parallel.begun {
                let bytes = parallel.take()?;
                self.out.write_all(&bytes)?;
            }
            let tail = (parallel.blocks.tail)(parallel.check.clone().finalize(), parallel.length);
            self.out.write_all(&tail)?;
        }
        Ok(self.out)
    }
}

impl<W: Write> Write for Compressed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(parallel) = &mut self.parallel else { return self.out.write(bytes) };
        let count = (parallel.blocks.size - parallel.block.len()).min(bytes.len());
        parallel.block.extend_from_slice(&bytes[..count]);
        if parallel.block.len() == parallel.blocks.size {
            // One more than there are threads, so that none waits for another block.
            if parallel.begun - parallel.ended > parallel.threads.len() {
                let bytes = parallel.take()?;
                self.out.write_all(&bytes)?;
            }
            parallel.begin()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Parallel {
    /// Hands the block to the thread whose turn it is.
    fn begin(&mut self) -> io::Result<()> {
        let data = std::mem::replace(&mut self.block, Vec::with_capacity(self.blocks.size));
        let kept = data.len().saturating_sub(self.blocks.looks_back);
        let before = std::mem::replace(&mut self.before, data[kept..].to_vec());
        self.length += data.len() as u64;
        let worker = &self.threads[self.begun % self.threads.len()];
        self.begun += 1;
        let sent = worker.blocks.as_ref().map(|blocks| blocks.send(Block { data, before }));
        sent.and_then(Result::ok).ok_or_else(ended)
    }

    /// The oldest result that was not taken yet.
    fn take(&mut self) -> io::Result<Vec<u8>> {
        let worker = &self.threads[self.ended % self.threads.len()];
        self.ended += 1;
        let encoded = worker.results.recv().map_err(|_| ended())??;
        self.check.combine(&encoded.check);
        Ok(encoded.bytes)
    }
}

impl Worker {
    fn start(encoder: fn() -> io::Result<Encoder>) -> io::Result<Self> {
        let mut encode = encoder()?;
        let (blocks, incoming) = sync_channel::<Block>(2);
        let (outgoing, results) = sync_channel(2);
        let thread = thread::Builder::new().name("compress".into()).spawn(move || {
            for block in incoming {
                if outgoing.send(encode(&block)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { blocks: Some(blocks), results, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.blocks.take());
        // A result that nobody takes must not keep the thread.
        while self.results.recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("a thread that compresses has ended")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn compressed(content: &[u8], format: ArchiveFormat, threads: usize, piece: usize) -> Vec<u8> {
        let mut stream = Compressed::with_threads(Vec::new(), format, threads).unwrap();
        for piece in content.chunks(piece) {
            stream.write_all(piece).unwrap();
        }
        stream.finish().unwrap()
    }

    /// What the format's own tool makes of it.
    fn plain(bytes: Vec<u8>, tool: &[&str]) -> Vec<u8> {
        let mut child = Command::new(tool[0])
            .args(&tool[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writing = thread::spawn(move || stdin.write_all(&bytes));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        assert!(output.status.success(), "{tool:?}");
        output.stdout
    }

    /// Words, noise and zeros.
    fn content(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut content = Vec::with_capacity(length + 64);
        while content.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 30 {
                0 => content.extend(state.to_le_bytes()),
                1 => content.extend([0; 40]),
                _ => content.extend(format!("word{} ", state >> 24).bytes()),
            }
        }
        content.truncate(length);
        content
    }

    #[test]
    fn gzip_reads_it() {
        let whole = content(3 * gzip::BLOCKS.size + 77);
        for length in [0, 1, gzip::BLOCKS.size, gzip::BLOCKS.size + 1, whole.len()] {
            let bytes = compressed(&whole[..length], ArchiveFormat::Gzip, 2, 60_000);
            assert_eq!(bytes, compressed(&whole[..length], ArchiveFormat::Gzip, 5, 7_777_777));
            assert!(plain(bytes, &["gzip", "-dc"]) == whole[..length], "{length}");
        }
        let one = compressed(&whole, ArchiveFormat::Gzip, 1, whole.len()).len();
        assert!(one * 2 < whole.len(), "{one} of {}", whole.len());
    }

    /// As layers that are compressed already are, between what is not.
    #[test]
    fn what_cannot_be_compressed_is_stored_between_what_can() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let mut whole = content(gzip::BLOCKS.size + 99);
        whole.extend((0..gzip::BLOCKS.size / 2).flat_map(|_| noise()));
        whole.extend(content(2 * gzip::BLOCKS.size));
        let bytes = compressed(&whole, ArchiveFormat::Gzip, 3, 100_000);
        assert!(bytes.len() < whole.len() - gzip::BLOCKS.size, "{} of {}", bytes.len(), whole.len());
        assert!(plain(bytes, &["gzip", "-dc"]) == whole);
    }

    #[test]
    fn zstd_reads_it() {
        let whole = content(2 * zstd::BLOCKS.size + 77);
        for length in [0, 1, zstd::BLOCKS.size, whole.len()] {
            let bytes = compressed(&whole[..length], ArchiveFormat::Zstd, 2, 60_000);
            assert_eq!(bytes, compressed(&whole[..length], ArchiveFormat::Zstd, 3, 7_777_777));
            assert!(zstd::plain(&bytes) == whole[..length], "{length}");
        }
    }

    #[test]
    fn what_is_plain_stays_so() {
        assert_eq!(compressed(b"abc", ArchiveFormat::Plain, 2, 1), b"abc");
    }

    /// A disk that is full.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_ends_it_and_all_threads() {
        let whole = content(8 << 20);
        for format in [ArchiveFormat::Gzip, ArchiveFormat::Zstd, ArchiveFormat::Plain] {
            let mut stream = Compressed::with_threads(Full(100_000), format, 3).unwrap();
            let error = stream.write_all(&whole).and_then(|()| stream.finish().map(|_| ())).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
