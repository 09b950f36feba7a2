//! Which file an id means, for as long as the daemon can still ask for it.
//!
//! Ids count all announced entries. The daemon may ask for any regular file at any time until it ends the transfer, so every path
//! is kept until it was asked for: about twenty bytes a file, names only, in pages that are freed when their last file was asked
//! for. Size and modification time as announced are kept with it, to notice a file that changed since.

use super::packet::put_varint;
use crate::context::git_directory::Carrier;
use crate::context::path_text::text_of;

/// Ids to a page.
const PAGE: usize = 128;

/// Files that can be asked for.
#[derive(Debug, Default)]
pub struct Files {
    announced: u32,
    pages: Vec<Option<Box<Page>>>,
    directories: Vec<Directory>,
    directory_names: Vec<u8>,
    /// The directories that lead to the entry announced last: length of their paths, index.
    open: Vec<(usize, u32)>,
}

#[derive(Debug)]
struct Page {
    /// Where the record of an id starts; [`NO_RECORD`] for what has no content.
    starts: [u16; PAGE],
    records: Vec<u8>,
    left: u8,
}

const NO_RECORD: u16 = u16::MAX;

/// The number of the context's own directory; the others count from 1.
const TOP: u32 = 0;

#[derive(Debug)]
struct Directory {
    parent: u32,
    start: u32,
    length: u16,
}

/// What was announced about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Relative to the context.
    pub path: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// A digest of the modification time: [`time_mark`].
    pub time_mark: u32,
    /// How it can hold credentials.
    pub carrier: Option<Carrier>,
}

impl Announced {
    /// The path as text.
    pub fn name(&self) -> String {
        text_of(&self.path)
    }
}

/// A carrier as the two lowest bits of a record's first number.
fn code(carrier: Option<Carrier>) -> u64 {
    match carrier {
        None => 0,
        Some(Carrier::Config) => 1,
        Some(Carrier::Lines) => 2,
    }
}

/// The carrier of such a number.
fn carrier(number: u64) -> Option<Carrier> {
    match number & 3 {
        1 => Some(Carrier::Config),
        2 => Some(Carrier::Lines),
        _ => None,
    }
}

/// Thirty-two bits that are different when two modification times are, but for bad luck.
pub fn time_mark(mtime: i64) -> u32 {
    let mixed = mtime.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let [a, b, c, d, ..] = mixed.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl Files {
    /// Counts a directory; what is announced next may lie in it.
    pub fn add_directory(&mut self, path: &[u8]) {
        self.count();
        let (parent, name) = self.place(path);
        let start = self.directory_names.len();
        self.directory_names.extend_from_slice(name);
        // Both hold for anything that fits into memory: names are bounded by the system.
        self.directories.push(Directory {
            parent,
            start: u32::try_from(start).unwrap_or(u32::MAX),
            length: u16::try_from(name.len()).unwrap_or(u16::MAX),
        });
        let index = u32::try_from(self.directories.len()).unwrap_or(u32::MAX);
        self.open.push((path.len(), index));
    }

    /// Counts what has no content.
    pub fn add_other(&mut self) {
        self.count();
    }

    /// Counts a file whose content can be asked for.
    pub fn add_file(&mut self, path: &[u8], size: u64, mtime: i64, carrier: Option<Carrier>) {
        let id = self.count();
        let (parent, name) = self.place(path);
        let Some(page) = self.pages.last_mut() else { return };
        let page = page.get_or_insert_with(|| {
            Box::new(Page { starts: [NO_RECORD; PAGE], records: Vec::new(), left: 0 })
        });
        page.starts[id as usize % PAGE] = u16::try_from(page.records.len()).unwrap_or(NO_RECORD);
        put_varint(&mut page.records, u64::from(parent) << 2 | code(carrier));
        put_varint(&mut page.records, size);
        page.records.extend(time_mark(mtime).to_le_bytes());
        put_varint(&mut page.records, name.len() as u64);
        page.records.extend_from_slice(name);
        page.left += 1;
    }

    /// The file of this id, which is then forgotten: nothing when there is none, or when it was asked for before.
    pub fn take(&mut self, id: u32) -> Option<Announced> {
        let slot = self.pages.get_mut(id as usize / PAGE)?;
        let page = slot.as_mut()?;
        let start = std::mem::replace(&mut page.starts[id as usize % PAGE], NO_RECORD);
        if start == NO_RECORD {
            return None;
        }
        let mut record = page.records.get(usize::from(start)..)?;
        let place = get(&mut record)?;
        let size = get(&mut record)?;
        let (mark, mut record) = record.split_first_chunk::<4>()?;
        let length = usize::try_from(get(&mut record)?).ok()?;
        let mut parts = vec![record.get(..length)?];
        let mut at = usize::try_from(place >> 2).ok()?;
        while let Some(directory) = at.checked_sub(1).and_then(|index| self.directories.get(index)) {
            let start = directory.start as usize;
            parts.push(&self.directory_names[start..start + usize::from(directory.length)]);
            at = directory.parent as usize;
        }
        parts.reverse();
        let path = parts.join(&b'/');
        let found = Announced { path, size, time_mark: u32::from_le_bytes(*mark), carrier: carrier(place) };
        page.left -= 1;
        // A page that is still being filled stays.
        if page.left == 0 && (self.announced as usize).div_ceil(PAGE) > id as usize / PAGE + 1 {
            *slot = None;
        }
        Some(found)
    }

    /// Takes the next id.
    fn count(&mut self) -> u32 {
        let id = self.announced;
        if (id as usize).is_multiple_of(PAGE) {
            if let Some(Some(full)) = self.pages.last_mut() {
                full.records.shrink_to_fit();
            }
            if let Some(slot) = self.pages.last_mut()
                && slot.as_ref().is_some_and(|page| page.left == 0)
            {
                *slot = None;
            }
            self.pages.push(None);
        }
        self.announced += 1;
        id
    }

    /// The number of the directory that a path lies in, and its name there. Leaves the directories that are done.
    fn place<'p>(&mut self, path: &'p [u8]) -> (u32, &'p [u8]) {
        let Some(slash) = path.iter().rposition(|&byte| byte == b'/') else {
            self.open.clear();
            return (TOP, path);
        };
        // Announced in order, so the parent's path is the one of that length.
        while self.open.last().is_some_and(|&(length, _)| length > slash) {
            self.open.pop();
        }
        let parent = self.open.last().map_or(TOP, |&(_, index)| index);
        (parent, &path[slash + 1..])
    }
}

fn get(record: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = record.split_first()?;
        *record = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_once() {
        let mut files = Files::default();
        let mut expected = Vec::new();
        let mut id = 0_u32;
        for directory in 0..60 {
            files.add_directory(format!("d{directory:02}").as_bytes());
            id += 1;
            for inner in ["", "/sub", "/sub/deep", "/tail"] {
                if !inner.is_empty() {
                    files.add_directory(format!("d{directory:02}{inner}").as_bytes());
                    id += 1;
                }
                for file in 0..9_usize {
                    let path = format!("d{directory:02}{inner}/f{file}");
                    let carrier = [None, Some(Carrier::Config), Some(Carrier::Lines)][file % 3];
                    files.add_file(path.as_bytes(), u64::from(id) * 1000, i64::from(id), carrier);
                    expected.push((id, path.into_bytes(), carrier));
                    id += 1;
                }
                files.add_other();
                id += 1;
            }
        }
        files.add_file(b"z", 0, 0, None);
        assert_eq!(files.take(id).unwrap().path, b"z");
        // Backwards, so that pages go in another order than they came.
        for (id, path, carrier) in expected.into_iter().rev() {
            let found = files.take(id).unwrap();
            let mark = time_mark(i64::from(id));
            assert_eq!(found, Announced { path, size: u64::from(id) * 1000, time_mark: mark, carrier });
            assert_eq!(files.take(id), None);
        }
        assert_eq!(files.take(0), None, "a directory has no content");
        assert_eq!(files.take(u32::MAX), None);
        let kept = files.pages.iter().filter(|page| page.is_some()).count();
        assert!(kept <= 1, "{kept} of {} pages left", files.pages.len());
    }

    #[test]
    fn a_file_costs_little() {
        let mut files = Files::default();
        files.add_directory(b"src");
        for at in 0..100_000 {
            files.add_file(
                format!("src/file{at:06}.rs").as_bytes(),
                4000,
                1_700_000_000_000_000_000 + at,
                None,
            );
        }
        let bytes: usize = files
            .pages
            .iter()
            .flatten()
            .map(|page| page.records.capacity() + std::mem::size_of::<Page>())
            .sum();
        assert!(bytes < 100_000 * 27, "{bytes}");
    }
}
