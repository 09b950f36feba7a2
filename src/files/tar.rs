//! Tar archives: headers as POSIX ustar writes them, and a reader of an archive that comes in pieces.
//!
//! A file of 8 GiB and more has its size in binary, as GNU tar writes it and everybody reads it. The reader takes regular files
//! and directories, long names and sizes in GNU's and in pax's way; links, devices and whatever else there is it refuses: no
//! layout of an image has any.

use std::io;

/// All is in blocks of so many bytes.
pub const BLOCK: usize = 512;
/// What ends an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// A regular file.
pub const FILE: u8 = b'0';
/// A directory.
pub const DIRECTORY: u8 = b'5';

/// The longest size that ustar's own field takes.
const OCTAL_MAX: u64 = 0o77_777_777_777;
/// Longest name, and longest record of pax, that are read.
const META_MAX: u64 = 64 << 10;

/// The header of an entry that root owns, of 1970. `name`: at most 99 bytes, what is longer is cut.
pub fn header(name: &str, mode: u32, size: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(99)]);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if size <= OCTAL_MAX {
        put(124, format!("{size:011o}\0").as_bytes());
    } else {
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// How many bytes follow so many of content, up to the next block.
pub fn padding(size: u64) -> usize {
    let rest = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    if rest == 0 { 0 } else { BLOCK - rest }
}

/// What comes out of an archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A file of this name and size begins.
    File(&'a str, u64),
    /// A piece of its content.
    Data(&'a [u8]),
}

/// Reads an archive that comes in pieces.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes that are no whole header yet, or a long name.
    kept: Vec<u8>,
    state: State,
    /// What a header before the next one has said of it.
    name: Option<String>,
    size: Option<u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    /// So many bytes of content, and so many after it.
    Content {
        left: u64,
        padding: usize,
    },
    /// A long name or a record of pax: kind, bytes of it, and those after it.
    Meta {
        kind: u8,
        size: usize,
        padding: usize,
    },
    Padding(usize),
    End,
}

impl Reader {
    /// Takes the next piece.
    ///
    /// # Errors
    /// It is no archive that is read here, or `take` has failed.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        take: &mut impl FnMut(Event<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.state {
                State::End => return Ok(()),
                State::Header => {
                    let Some(block) = self.keep(&mut bytes, BLOCK) else { return Ok(()) };
                    self.begin(&block, take)?;
                }
                State::Content { left, padding } => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (now, rest) = bytes.split_at(count);
                    take(Event::Data(now))?;
                    bytes = rest;
                    let left = left - count as u64;
                    self.state =
                        if left == 0 { State::Padding(padding) } else { State::Content { left, padding } };
                }
                State::Meta { kind, size, padding } => {
                    let Some(meta) = self.keep(&mut bytes, size) else { return Ok(()) };
                    self.meta(kind, &meta)?;
                    self.state = State::Padding(padding);
                }
                State::Padding(left) => {
                    let count = left.min(bytes.len());
                    bytes = &bytes[count..];
                    self.state = State::Padding(left - count);
                }
            }
            if self.state == State::Padding(0) {
                self.state = State::Header;
            }
        }
        Ok(())
    }

    /// Whether the end of the archive has come.
    pub fn has_ended(&self) -> bool {
        self.state == State::End
    }

    /// So many bytes, once they are all there.
    fn keep(&mut self, bytes: &mut &[u8], size: usize) -> Option<Vec<u8>> {
        let count = (size - self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..count]);
        *bytes = &bytes[count..];
        (self.kept.len() == size).then(|| std::mem::take(&mut self.kept))
    }

    fn begin(&mut self, block: &[u8], take: &mut impl FnMut(Event<'_>) -> io::Result<()>) -> io::Result<()> {
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::End;
            return Ok(());
        }
        let sum = block.iter().enumerate();
        let sum = sum.map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }));
        if number(&block[148..156]) != Some(sum.sum()) {
            return Err(invalid("a header's checksum is wrong"));
        }
        let kind = block[156];
        let size = number(&block[124..136]).ok_or_else(|| invalid("a header has no size"))?;
        if matches!(kind, b'x' | b'g' | b'L') {
            if size > META_MAX {
                return Err(invalid("a name is too long"));
            }
            let bytes = usize::try_from(size).unwrap_or_default();
            self.state = State::Meta { kind, size: bytes, padding: padding(size) };
            return Ok(());
        }
        let size = self.size.take().unwrap_or(size);
        let name = match self.name.take() {
            Some(name) => name,
            None => short_name(block)?,
        };
        match kind {
            FILE | 0 => take(Event::File(&name, size))?,
            DIRECTORY if size == 0 => {}
            _ => return Err(invalid("it has an entry that is neither a file nor a directory")),
        }
        let padding = padding(size);
        self.state = if size == 0 { State::Header } else { State::Content { left: size, padding } };
        Ok(())
    }

    fn meta(&mut self, kind: u8, meta: &[u8]) -> io::Result<()> {
        match kind {
            b'L' => self.name = Some(text(meta.split(|byte| *byte == 0).next().unwrap_or_default())?),
            b'x' => {
                for (key, value) in records(meta)? {
                    match key.as_str() {
                        "path" => self.name = Some(value),
                        "size" => {
                            let size = value.parse().map_err(|_| invalid("a size is not a number"))?;
                            self.size = Some(size);
                        }
                        _ => {}
                    }
                }
            }
            // What is so of all entries says nothing of names and sizes.
            _ => {}
        }
        Ok(())
    }
}

/// The name in a header, with its prefix.
fn short_name(block: &[u8]) -> io::Result<String> {
    let field =
        |from: usize, to: usize| text(block[from..to].split(|byte| *byte == 0).next().unwrap_or_default());
    let (name, prefix) =
        (field(0, 100)?, if &block[257..263] == b"ustar\0" { field(345, 500)? } else { String::new() });
    Ok(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

/// `length key=value\n`, again and again.
fn records(mut meta: &[u8]) -> io::Result<Vec<(String, String)>> {
    let fault = || invalid("a pax header makes no sense");
    let mut all = Vec::new();
    while !meta.is_empty() {
        let blank = meta.iter().position(|byte| *byte == b' ').ok_or_else(fault)?;
        let length: usize = text(&meta[..blank])?.parse().map_err(|_| fault())?;
        let record = meta.get(blank + 1..length).ok_or_else(fault)?;
        let record = record.strip_suffix(b"\n").ok_or_else(fault)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(fault)?;
        all.push((text(&record[..equals])?, text(&record[equals + 1..])?));
        meta = &meta[length..];
    }
    Ok(all)
}

/// A number in octal, or in binary behind a set first bit.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let none = high.iter().enumerate().all(|(at, byte)| *byte == if at == 0 { 0x80 } else { 0 });
        return none.then(|| low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let digits = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(digits.trim_matches([' ', '\0']), 8).ok()
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid("a name is not UTF-8"))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is not an archive of an image: {why}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    type Files = Vec<(String, Vec<u8>)>;

    /// What is read, in pieces of so many bytes.
    fn read(archive: &[u8], piece: usize) -> io::Result<(Files, bool)> {
        let mut files = Files::new();
        let mut reader = Reader::default();
        for piece in archive.chunks(piece) {
            reader.feed(piece, &mut |event| {
                match event {
                    Event::File(name, _) => files.push((name.to_owned(), Vec::new())),
                    Event::Data(data) => files.last_mut().unwrap().1.extend(data),
                }
                Ok(())
            })?;
        }
        Ok((files, reader.has_ended()))
    }

    /// What the system's tar makes of two files, one of a long name.
    fn made(format: &str) -> (Vec<u8>, String) {
        let directory = tempfile::tempdir().unwrap();
        let long = format!("{}/{}", "d".repeat(90), "n".repeat(120));
        std::fs::create_dir(directory.path().join("d".repeat(90))).unwrap();
        std::fs::write(directory.path().join(&long), "long").unwrap();
        std::fs::write(directory.path().join("short"), "x".repeat(1025)).unwrap();
        let output = Command::new("tar")
            .args(["-c", "--format", format, "-C"])
            .arg(directory.path())
            .args(["short", "d".repeat(90).as_str()])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        (output.stdout, long)
    }

    #[test]
    fn what_tar_writes_is_read() {
        for format in ["gnu", "pax", "ustar"] {
            let (archive, long) =
                if format == "ustar" { (made_short(), String::new()) } else { made(format) };
            for piece in [1, 511, 512, 513, 1 << 20] {
                let (files, ended) = read(&archive, piece).unwrap();
                assert!(ended, "{format}");
                assert_eq!(files[0], ("short".into(), "x".repeat(1025).into_bytes()), "{format} {piece}");
                if !long.is_empty() {
                    assert_eq!(files[1], (long.clone(), b"long".to_vec()), "{format} {piece}");
                }
                assert!(!read(&archive[..1024], piece).unwrap().1, "it has not ended");
            }
        }
    }

    fn made_short() -> Vec<u8> {
        let mut archive = header("short", 0o644, 1025, FILE).to_vec();
        archive.extend("x".repeat(1025).into_bytes());
        archive.resize(archive.len() + padding(1025), 0);
        archive.extend(END);
        archive
    }

    #[test]
    fn sizes_of_large_files() {
        for size in [0, 1, OCTAL_MAX, OCTAL_MAX + 1, 1 << 40] {
            assert_eq!(number(&header("a", 0, size, FILE)[124..136]), Some(size));
        }
        let mut reader = Reader::default();
        let mut said = Vec::new();
        reader
            .feed(&header("large", 0o644, 9 << 30, FILE), &mut |event| {
                said.push(format!("{event:?}"));
                Ok(())
            })
            .unwrap();
        assert_eq!(said, [format!("File(\"large\", {})", 9_u64 << 30)]);
    }

    #[test]
    fn what_is_refused() {
        let mut broken = made_short();
        broken[0] = b'S';
        let link = header("link", 0o777, 0, b'2').to_vec();
        let mut negative = header("a", 0, 0, FILE);
        negative[124] = 0xff;
        for (archive, why) in [
            (broken, "checksum"),
            (link, "neither a file nor a directory"),
            (header("x", 0, 1 << 20, b'x').to_vec(), "too long"),
            ([header("x", 0, 5, b'x').to_vec(), b"99 a=".to_vec()].concat(), "pax header"),
            (negative.to_vec(), "checksum"),
        ] {
            let said = read(&archive, 512).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(0u8.., 0..2048), piece in 1usize..700) {
            let _ = read(&bytes, piece);
            let mut framed = header("a", 0, bytes.len() as u64, if bytes.len().is_multiple_of(2) { b'x' } else { b'L' }).to_vec();
            framed.extend(&bytes);
            let _ = read(&framed, piece);
        }
    }
}
