//! The receiver of fsutil's `DiffCopy`: the files of an export, from the daemon (fsutil `receive.go`).
//!
//! The daemon announces every entry; content is asked for with the number of its announcement, a few files at a time; when all of it
//! is there, both sides say `FIN`. What comes is hostile: `files::directory` refuses names that lead out.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Write as _};

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use bytes::Bytes;
use prost::Message as _;
use tokio::sync::mpsc;

use super::packet;
use crate::files::NewDirectory;
use crate::model::text;

/// Files whose content is on its way.
const OPEN: usize = 16;

// Go's `os.FileMode`.
const DIRECTORY: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
/// Devices, fifos, sockets, and what else is no file.
const OTHER: u32 = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// Files on their way.
pub(in crate::buildkit) struct Receiver<'a> {
    files: &'a NewDirectory,
    announced: u32,
    all_announced: bool,
    waiting: VecDeque<(u32, Stat)>,
    open: BTreeMap<u32, (File, Stat)>,
    /// Second names of files, which are given when all files are there.
    again: Vec<(String, String)>,
    ended: bool,
}

impl<'a> Receiver<'a> {
    pub(in crate::buildkit) fn new(files: &'a NewDirectory) -> Self {
        let (waiting, open, again) = (VecDeque::new(), BTreeMap::new(), Vec::new());
        Self { files, announced: 0, all_announced: false, waiting, open, again, ended: false }
    }

    /// Takes the daemon's packets to their end, on a thread that may wait for the disk: all is there then.
    pub(in crate::buildkit) fn run(
        mut self,
        mut incoming: mpsc::Receiver<Bytes>,
        outgoing: &mpsc::Sender<Bytes>,
    ) -> io::Result<()> {
        while let Some(payload) = incoming.blocking_recv() {
            let mut answer = Vec::new();
            let taken = self.take(payload, &mut answer);
            if let Err(error) = &taken {
                packet::put_error(&mut answer, &error.to_string());
            }
            if !answer.is_empty() && outgoing.blocking_send(answer.into()).is_err() {
                break;
            }
            if taken? {
                return Ok(());
            }
        }
        // It need not have heard our last word, nor we its own: the build may have ended, and the session with it.
        if self.ended { Ok(()) } else { Err(io::Error::other("the daemon went away while it sent files")) }
    }

    /// Takes one packet; whether it was the last.
    fn take(&mut self, payload: Bytes, answer: &mut Vec<u8>) -> io::Result<bool> {
        let packet = Packet::decode(payload).map_err(|error| nonsense(&error.to_string()))?;
        match packet.r#type() {
            PacketType::PacketStat => match packet.stat {
                Some(stat) => self.entry(stat)?,
                None => self.all_announced = true,
            },
            PacketType::PacketData => self.data(packet.id, &packet.data)?,
            PacketType::PacketFin => {
                return if self.ended { Ok(true) } else { Err(nonsense("it ended early")) };
            }
            PacketType::PacketErr => {
                let said = text::line(&String::from_utf8_lossy(&packet.data));
                return Err(io::Error::other(format!("the daemon stopped sending files: {said}")));
            }
            PacketType::PacketReq => return Err(nonsense("it asks for a file")),
        }
        self.ask(answer)?;
        if self.all_announced && !self.ended && self.waiting.is_empty() && self.open.is_empty() {
            for (path, existing) in self.again.drain(..) {
                self.files.same_file(path.as_bytes(), existing.as_bytes())?;
            }
            self.ended = true;
            packet::put_fin(answer);
        }
        Ok(false)
    }

    fn entry(&mut self, stat: Stat) -> io::Result<()> {
        let id = self.announced;
        self.announced += 1;
        if stat.mode & DIRECTORY != 0 {
            self.files.directory(stat.path.as_bytes(), stat.mode)
        } else if stat.mode & LINK != 0 {
            self.files.link(stat.path.as_bytes(), stat.linkname.as_bytes())
        } else if stat.mode & OTHER != 0 {
            tracing::info!(path = stat.path, "a device, fifo or socket is left out");
            Ok(())
        } else if !stat.linkname.is_empty() {
            self.again.push((stat.path, stat.linkname));
            Ok(())
        } else {
            self.waiting.push_back((id, stat));
            Ok(())
        }
    }

    /// Asks for the content of what waits.
    fn ask(&mut self, answer: &mut Vec<u8>) -> io::Result<()> {
        while self.open.len() < OPEN
            && let Some((id, stat)) = self.waiting.pop_front()
        {
            let file = self.files.file(stat.path.as_bytes(), false)?;
            self.open.insert(id, (file, stat));
            packet::put_request(answer, id);
        }
        Ok(())
    }

    fn data(&mut self, id: u32, data: &[u8]) -> io::Result<()> {
        if let Some((file, _)) = self.open.get_mut(&id)
            && !data.is_empty()
        {
            return file.write_all(data);
        }
        let (file, stat) = self.open.remove(&id).ok_or_else(|| nonsense("nobody has asked for this file"))?;
        NewDirectory::complete(&file, stat.mode, stat.mod_time)
    }
}

fn nonsense(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the daemon broke the transfer protocol: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(path: &str, mode: u32, link: &str) -> Packet {
        let stat = Stat { path: path.into(), mode, linkname: link.into(), ..Stat::default() };
        Packet { stat: Some(stat), ..Packet::default() }
    }

    fn data(id: u32, data: &[u8]) -> Packet {
        Packet { r#type: PacketType::PacketData.into(), id, data: data.to_vec(), ..Packet::default() }
    }

    fn fin() -> Packet {
        Packet { r#type: PacketType::PacketFin.into(), ..Packet::default() }
    }

    /// What is answered to each, and what is there in the end.
    fn receive(packets: &[Packet]) -> (Vec<usize>, Result<Vec<String>, String>) {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("dist");
        let directory = NewDirectory::begin(&place, "1").unwrap();
        let mut receiver = Receiver::new(&directory);
        let mut answers = Vec::new();
        for packet in packets {
            let mut answer = Vec::new();
            match receiver.take(packet.encode_to_vec().into(), &mut answer) {
                Err(error) => return (answers, Err(error.to_string())),
                Ok(true) => {
                    directory.finish().unwrap();
                    let mut names: Vec<String> = std::fs::read_dir(&place)
                        .unwrap()
                        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                        .collect();
                    names.sort();
                    return (answers, Ok(names));
                }
                Ok(false) => answers.push(answer.len()),
            }
        }
        (answers, Err("no end".into()))
    }

    #[test]
    fn who_has_all_files_needs_no_last_word() {
        let packets = [stat("file", 0o644, ""), Packet::default(), data(0, b"abc"), data(0, b"")];
        for (count, whole) in [(4, true), (3, false), (1, false)] {
            let root = tempfile::tempdir().unwrap();
            let directory = NewDirectory::begin(&root.path().join("dist"), "1").unwrap();
            let (packets_to, incoming) = mpsc::channel(packets.len());
            let (outgoing, _answers) = mpsc::channel(packets.len());
            for packet in &packets[..count] {
                packets_to.try_send(packet.encode_to_vec().into()).unwrap();
            }
            drop(packets_to);
            let received = Receiver::new(&directory).run(incoming, &outgoing);
            assert_eq!(received.is_ok(), whole, "{count}");
        }
    }

    #[test]
    fn files_come_as_they_are_asked_for() {
        let last = Packet::default();
        let (answers, names) = receive(&[
            stat("again", 0o644, "file"),
            stat("dir", DIRECTORY | 0o755, ""),
            stat("fifo", 1 << 25, ""),
            stat("file", 0o644, ""),
            stat("link", LINK | 0o777, "../../etc"),
            last,
            data(3, b"abc"),
            data(3, b""),
            fin(),
        ]);
        assert_eq!(names.unwrap(), ["again", "dir", "file", "link"]);
        // Asked for once, ended once.
        assert_eq!(answers.iter().filter(|length| **length > 0).count(), 2, "{answers:?}");
    }

    #[test]
    fn what_breaks_the_protocol_or_leads_out_ends_it() {
        for (packets, why) in [
            (vec![stat("../x", 0o644, "")], "is not a name in a directory"),
            (vec![stat("up", LINK, ".."), stat("up/x", 0o644, "")], ""),
            (vec![stat("a", 0o644, "/etc/passwd"), Packet::default()], "is not a name in a directory"),
            (vec![data(0, b"x")], "nobody has asked"),
            (vec![stat("a", 0o644, ""), data(1, b"x")], "nobody has asked"),
            (vec![fin()], "it ended early"),
            (vec![stat(".git/hooks", DIRECTORY | 0o755, "")], "Git directory"),
        ] {
            let said = receive(&packets).1.unwrap_err();
            assert!(said.contains(why) && said != "no end", "{said}");
        }
    }
}
