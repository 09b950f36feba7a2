//! Buffers that messages are collected in, and their way back once they are on the wire.
//!
//! A chunk is one or more whole messages. Allocating that much for each would cost more than reading the file (a
//! static binary's allocator gives such blocks back to the system every time), so the buffer returns to its pool when the last
//! reader of the bytes lets go of them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Size of a buffer: the largest message, content and all. BuildKit accepts 16 MiB, but is fastest between 128 and 256 KiB;
/// the smaller holds less memory.
pub const CAPACITY: usize = 128 * 1024;

/// A chunk of at least this size is sent without waiting for more.
pub const ENOUGH: usize = 64 * 1024;

/// Buffers kept for reuse: as many as can be under way at once.
const KEPT: usize = 24;

/// Buffers that are free.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// An empty buffer of [`CAPACITY`].
    pub fn take(&self) -> Vec<u8> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Vec::with_capacity(CAPACITY))
    }

    /// The contents as bytes that bring their buffer back.
    pub fn freeze(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, pool: self.clone() })
    }
}

struct Lent {
    buffer: Vec<u8>,
    pool: Pool,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            self.buffer.clear();
            free.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back() {
        let pool = Pool::default();
        let mut buffer = pool.take();
        buffer.extend(b"abc");
        let place = buffer.as_ptr();
        let bytes = pool.freeze(buffer);
        let part = bytes.slice(1..);
        drop(bytes);
        assert_eq!(&part[..], b"bc");
        drop(part);
        let again = pool.take();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }
}
