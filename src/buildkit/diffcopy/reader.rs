//! Reads the files that the daemon asked for into messages.
//!
//! A file is sent exactly as long as it was announced. One that is shorter, longer or of another time when it has been read is an
//! error that names it: BuildKit itself would take the mixture, file it in its cache under the announced size, and build with it.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::fs::fstat;
use rustix::io::{Errno, read};

use super::chunk::{CAPACITY, ENOUGH};
use super::files::{Announced, time_mark};
use super::shared::Outbox;
use super::{TransferError, packet};
use crate::context::credentials::{Blanked, blank};
use crate::context::entry;
use crate::context::root::Root;
use crate::context::walk::WalkError;

/// What surrounds the content in a message, at most.
const OVERHEAD: usize = packet::FRAME + 16;

/// Appends one file to the outbox, flushing it as it fills. Breaks when nobody takes chunks any more.
pub(super) fn send_file(
    root: &Root,
    id: u32,
    file: &Announced,
    out: &mut Outbox,
) -> Result<ControlFlow<(), Option<Blanked>>, TransferError> {
    let unreadable = |fault| TransferError::Context(WalkError::unreadable(&file.name(), fault));
    let open = match root.open_file(&file.path) {
        Ok(open) => open,
        // A socket: fsutil announces it as an empty file.
        Err(Errno::NXIO) if file.size == 0 => return Ok(end_file(id, out).map_continue(|()| None)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(changed(file)),
        Err(fault) => return Err(unreadable(fault)),
    };
    let mut blanked = None;
    if let Some(carrier) = file.carrier {
        // Read as a whole.
        if file.size > carrier.largest() {
            return Err(TransferError::CarrierTooLarge { path: file.name() });
        }
        let mut content = read_whole(&open, file)?;
        let lines = blank(carrier, &mut content);
        blanked = (!lines.is_empty()).then(|| Blanked { path: file.name(), lines });
        for part in content.chunks(CAPACITY - OVERHEAD) {
            if out.make_room(OVERHEAD + part.len()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            packet::put_data_header(&mut out.buffer, id, part.len());
            out.buffer.extend_from_slice(part);
        }
    } else {
        let mut left = file.size;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CAPACITY - OVERHEAD);
            if out.make_room(OVERHEAD + wanted).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let start = out.buffer.len();
            // A part that is not the last fills the buffer to its last byte, so that a read may be given all the room there is.
            let spare = out.buffer.capacity() - start - packet::data_header_length(id, CAPACITY);
            let length = usize::try_from(left).map_or(spare, |left| left.min(spare));
            packet::put_data_header(&mut out.buffer, id, length);
            let end = out.buffer.len() + length;
            if let Err(fault) = fill(&open, &mut out.buffer, end) {
                out.buffer.truncate(start);
                return Err(fault.map_or_else(|| changed(file), unreadable));
            }
            left -= length as u64;
            if out.buffer.len() >= ENOUGH && out.flush().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    let now = fstat(&open).map_err(unreadable)?;
    if entry::size(&now) != file.size || time_mark(entry::mtime(&now)) != file.time_mark {
        return Err(changed(file));
    }
    Ok(end_file(id, out).map_continue(|()| blanked))
}

fn end_file(id: u32, out: &mut Outbox) -> ControlFlow<()> {
    out.make_room(OVERHEAD)?;
    packet::put_data_header(&mut out.buffer, id, 0);
    if out.buffer.len() >= ENOUGH { out.flush() } else { ControlFlow::Continue(()) }
}

fn changed(file: &Announced) -> TransferError {
    TransferError::Changed { path: file.name() }
}

/// Reads until the buffer is this long; no fault means that the file ended before or went on after that.
fn fill(open: &OwnedFd, buffer: &mut Vec<u8>, end: usize) -> Result<(), Option<Errno>> {
    while buffer.len() < end {
        match read(open, spare_capacity(buffer)) {
            Ok(0) => return Err(None),
            Ok(_) | Err(Errno::INTR) => {}
            Err(fault) => return Err(Some(fault)),
        }
    }
    if buffer.len() == end { Ok(()) } else { Err(None) }
}

fn read_whole(open: &OwnedFd, file: &Announced) -> Result<Vec<u8>, TransferError> {
    let length = usize::try_from(file.size).unwrap_or(usize::MAX);
    // One byte more, to see that the file ends.
    let mut content = Vec::with_capacity(length.saturating_add(1));
    match fill(open, &mut content, length) {
        Ok(()) => Ok(content),
        Err(None) => Err(changed(file)),
        Err(Some(fault)) => Err(TransferError::Context(WalkError::unreadable(&file.name(), fault))),
    }
}
