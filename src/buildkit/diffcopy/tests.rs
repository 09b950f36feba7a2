//! The sender driven message by message: what the real receiver cannot be made to do at the right moment.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::chunk::CAPACITY;
use super::*;

struct Daemon {
    requests: mpsc::UnboundedSender<Bytes>,
    chunks: mpsc::Receiver<Bytes>,
    read: Vec<u8>,
    progress: Arc<TransferProgress>,
    sending: JoinSet<Result<Transfer, TransferError>>,
}

fn start(root: &Path) -> Daemon {
    let (requests, incoming) = mpsc::unbounded_channel();
    let (outgoing, chunks) = mpsc::channel(16);
    let progress = Arc::new(TransferProgress::default());
    let mut sending = JoinSet::new();
    sending.spawn(send(root.to_owned(), Filter::default(), incoming, outgoing, Arc::clone(&progress)));
    Daemon { requests, chunks, read: Vec::new(), progress, sending }
}

impl Daemon {
    fn say(&self, kind: PacketType, id: u32) {
        let packet = Packet { r#type: kind.into(), id, data: b"reason".to_vec(), ..Packet::default() };
        self.requests.send(packet.encode_to_vec().into()).unwrap();
    }

    async fn hear(&mut self) -> Option<Packet> {
        loop {
            if let Some(head) = self.read.first_chunk::<5>() {
                let end = 5 + u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
                if self.read.len() >= end {
                    let packet = Packet::decode(&self.read[5..end]).unwrap();
                    self.read.drain(..end);
                    return Some(packet);
                }
            }
            self.read.extend(self.chunks.recv().await?);
        }
    }

    /// Hears announcements to their end: the paths.
    async fn announced(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        while let Some(stat) = self.hear().await.unwrap().stat {
            paths.push(stat.path);
        }
        paths
    }

    /// Hears one file to its end or the sender's error.
    async fn content(&mut self, id: u32) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        loop {
            let packet = self.hear().await.unwrap();
            match packet.r#type() {
                PacketType::PacketData if packet.data.is_empty() => return Ok(content),
                PacketType::PacketData => content.extend(packet.data),
                PacketType::PacketErr => return Err(String::from_utf8(packet.data).unwrap()),
                other => panic!("{other:?} for file {id}"),
            }
        }
    }
}

#[tokio::test]
async fn a_transfer() {
    let dir = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..=250).cycle().take(3 * CAPACITY + 17).collect();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/large"), &large).unwrap();
    for size in [CAPACITY - 40, CAPACITY - 20, CAPACITY - 10, CAPACITY, CAPACITY + 1] {
        fs::write(dir.path().join(format!("s{size}")), &large[..size]).unwrap();
    }
    fs::write(dir.path().join("tiny"), "t").unwrap();
    let mut daemon = start(dir.path());
    let paths = daemon.announced().await;
    assert_eq!(paths.len(), 8);
    for id in (0..8).rev().filter(|&id| paths[id as usize] != "d") {
        let path = &paths[id as usize];
        daemon.say(PacketType::PacketReq, id);
        let expected = fs::read(dir.path().join(path)).unwrap();
        assert!(daemon.content(id).await.unwrap() == expected, "{path}");
    }
    daemon.say(PacketType::PacketFin, 0);
    assert_eq!(daemon.hear().await.unwrap().r#type(), PacketType::PacketFin);
    assert_eq!(daemon.hear().await, None);
    let sent = daemon.sending.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!((sent.entries, sent.files_sent), (8, 7));
    assert_eq!(sent.large, None);
}

#[tokio::test]
async fn a_file_that_changes_is_named() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 7] = [
        ("shrinks", |path| fs::write(path, "short").unwrap()),
        ("grows", |path| fs::write(path, vec![b'x'; 1000]).unwrap()),
        ("grows much", |path| fs::write(path, vec![b'x'; 2 * CAPACITY]).unwrap()),
        ("is rewritten", |path| {
            let file = fs::File::create(path).unwrap();
            std::io::Write::write_all(&mut &file, &[b'y'; 100]).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(1)).unwrap();
        }),
        ("goes away", |path| fs::remove_file(path).unwrap()),
        ("becomes a link", |path| {
            fs::remove_file(path).unwrap();
            symlink("/etc/passwd", path).unwrap();
        }),
        ("moves away with its directory", |path| {
            fs::rename(path.parent().unwrap(), path.parent().unwrap().with_file_name("other")).unwrap();
            symlink("other", path.parent().unwrap()).unwrap();
        }),
    ];
    for (what, change) in changes {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d/file");
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(&path, [b'x'; 100]).unwrap();
        let mut daemon = start(dir.path());
        assert_eq!(daemon.announced().await, ["d", "d/file"]);
        change(&path);
        daemon.say(PacketType::PacketReq, 1);
        let told = daemon.content(1).await.unwrap_err();
        let fault = daemon.sending.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(fault, TransferError::Changed { path: "d/file".into() }, "{what}");
        assert_eq!(told, fault.to_string());
    }
}

#[tokio::test]
async fn what_the_daemon_may_not_say() {
    for (kind, id, expected) in [
        (PacketType::PacketErr, 0, TransferError::Daemon("reason".into())),
        (
            PacketType::PacketReq,
            0,
            TransferError::Protocol("it asked for file 0, which is none or was sent".into()),
        ),
        (
            PacketType::PacketReq,
            9,
            TransferError::Protocol("it asked for file 9, which is none or was sent".into()),
        ),
        (PacketType::PacketStat, 0, TransferError::Protocol("unexpected PACKET_STAT".into())),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        let mut daemon = start(dir.path());
        daemon.announced().await;
        daemon.say(kind, id);
        assert_eq!(daemon.sending.join_next().await.unwrap().unwrap().unwrap_err(), expected);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = start(dir.path());
    daemon.announced().await;
    drop(daemon.requests);
    assert_eq!(daemon.sending.join_next().await.unwrap().unwrap().unwrap_err(), TransferError::Closed);
    let missing = start(&dir.path().join("none")).sending.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(missing, TransferError::Context(WalkError::Unreadable { .. })), "{missing}");
}

/// The threads hold the progress; when they are gone, only the test does.
async fn threads_end(progress: &Arc<TransferProgress>) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Arc::strong_count(progress) > 1 {
        assert!(Instant::now() < deadline, "threads still run");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    fs::File::create(dir.path().join("huge")).unwrap().set_len(1 << 36).unwrap();
    for abort in [true, false] {
        let mut daemon = start(dir.path());
        daemon.announced().await;
        daemon.say(PacketType::PacketReq, 0);
        // Content flows, and then nobody takes it any more.
        daemon.hear().await.unwrap();
        if abort {
            daemon.sending.shutdown().await;
        } else {
            drop(daemon.chunks);
            assert_eq!(
                daemon.sending.join_next().await.unwrap().unwrap().unwrap_err(),
                TransferError::Closed
            );
        }
        threads_end(&daemon.progress).await;
    }
}

#[tokio::test]
async fn a_name_that_the_daemon_may_not_have_taken_is_told() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    for kind in [None, Some(PacketType::PacketErr)] {
        let mut daemon = start(dir.path());
        if let Some(kind) = kind {
            daemon.say(kind, 0);
        }
        drop(daemon.requests);
        let fault = daemon.sending.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(fault, TransferError::NotText { path: "caf\\xe9".into() });
    }
}
