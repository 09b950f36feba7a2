//! Which processors' programs this machine runs, by itself or by an emulator that its kernel knows: tried, each with a
//! program that does nothing but end.
//!
//! BuildKit does the same when it lists its workers, for all processors and in the daemon: that takes it 30 to 400 ms,
//! and it remembers emulators that are gone and overlooks new ones for 20 s (`util/archutil/detect.go`). Here all are
//! tried at the same time, beside the run's other work. The answer is the daemon's too where we share its kernel.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::fs::{MemfdFlags, memfd_create};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::connection::DaemonClient;
use crate::model::Platform;

/// For a program that does nothing, emulated on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is needed to make a program for a processor (`elf(5)`).
struct Processor {
    /// Go's and the OCI's name.
    name: &'static str,
    /// `e_machine`.
    machine: u16,
    /// `e_flags`.
    flags: u32,
    /// 64 bits, or 32.
    wide: bool,
    /// The least significant byte comes first.
    little: bool,
    /// Instructions: `exit(0)`, as Linux takes it there (`syscall(2)`).
    code: &'static [u8],
}

#[rustfmt::skip]
const PROCESSORS: &[Processor] = &[
    // xor edi, edi; mov eax, 60; syscall
    Processor { name: "amd64", machine: 62, flags: 0, wide: true, little: true, code: b"\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05" },
    // mov x0, #0; mov x8, #93; svc #0
    Processor { name: "arm64", machine: 183, flags: 0, wide: true, little: true, code: b"\x00\x00\x80\xd2\xa8\x0b\x80\xd2\x01\x00\x00\xd4" },
    // mov r0, #0; mov r7, #1; svc #0
    Processor { name: "arm", machine: 40, flags: 0x0500_0000, wide: false, little: true, code: b"\x00\x00\xa0\xe3\x01\x70\xa0\xe3\x00\x00\x00\xef" },
    // xor ebx, ebx; mov eax, 1; int 0x80
    Processor { name: "386", machine: 3, flags: 0, wide: false, little: true, code: b"\x31\xdb\xb8\x01\x00\x00\x00\xcd\x80" },
    // li r3, 0; li r0, 1; sc
    Processor { name: "ppc64le", machine: 21, flags: 2, wide: true, little: true, code: b"\x00\x00\x60\x38\x01\x00\x00\x38\x02\x00\x00\x44" },
    // li a0, 0; li a7, 93; ecall
    Processor { name: "riscv64", machine: 243, flags: 0, wide: true, little: true, code: b"\x13\x05\x00\x00\x93\x08\xd0\x05\x73\x00\x00\x00" },
    // lghi %r2, 0; svc 1
    Processor { name: "s390x", machine: 22, flags: 0, wide: true, little: false, code: b"\xa7\x29\x00\x00\x0a\x01" },
    // li $a0, 0; li $v0, 5058; syscall
    Processor { name: "mips64", machine: 8, flags: 0x8000_0007, wide: true, little: false, code: b"\x24\x04\x00\x00\x24\x02\x13\xc2\x00\x00\x00\x0c" },
    Processor { name: "mips64le", machine: 8, flags: 0x8000_0007, wide: true, little: true, code: b"\x00\x00\x04\x24\xc2\x13\x02\x24\x0c\x00\x00\x00" },
    // addi.d $a0, $zero, 0; addi.d $a7, $zero, 93; syscall 0
    Processor { name: "loong64", machine: 258, flags: 0x43, wide: true, little: true, code: b"\x04\x00\xc0\x02\x0b\x74\xc1\x02\x00\x00\x2b\x00" },
];

/// Where a program is loaded.
const BASE: u64 = 0x1_0000;

/// A whole file: header, one segment, instructions.
fn program(processor: &Processor) -> Vec<u8> {
    let Processor { machine, flags, wide, little, code, .. } = *processor;
    let (header, segment) = if wide { (64_u16, 56_u16) } else { (52, 32) };
    let mut file = Writer { bytes: Vec::new(), wide, little };
    file.bytes.extend(b"\x7fELF");
    // Class, byte order, version of the format; the rest is padding.
    file.bytes.extend([if wide { 2 } else { 1 }, if little { 1 } else { 2 }, 1]);
    file.bytes.resize(16, 0);
    let start = u64::from(header) + u64::from(segment);
    let length = start + u64::try_from(code.len()).unwrap_or_default();
    // An executable for this machine, version 1.
    file.half(2);
    file.half(machine);
    file.word(1);
    // Entry point, the segment's header right after this one, no sections.
    file.address(BASE + start);
    file.address(header.into());
    file.address(0);
    file.word(flags);
    for size in [header, segment, 1, 0, 0, 0] {
        file.half(size);
    }
    // One segment to load, all of the file, to be read and run; where its flags stand depends on the class.
    let read_and_run = 5;
    file.word(1);
    if wide {
        file.word(read_and_run);
    }
    for value in [0, BASE, BASE, length, length] {
        file.address(value);
    }
    if !wide {
        file.word(read_and_run);
    }
    file.address(0x1000);
    file.bytes.extend(code);
    file.bytes
}

/// Numbers as a processor writes them.
struct Writer {
    bytes: Vec<u8>,
    wide: bool,
    little: bool,
}

impl Writer {
    fn half(&mut self, value: u16) {
        self.bytes.extend(if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn address(&mut self, value: u64) {
        if self.wide {
            self.bytes.extend(if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
        } else {
            // All of them are small.
            self.word(u32::try_from(value).unwrap_or_default());
        }
    }
}

/// This machine's own platform.
fn own() -> Option<Platform> {
    let name = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        same => same,
    };
    Platform::parse(&format!("linux/{name}")).ok()
}

/// What can be told of a daemon without asking its BuildKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonMachine {
    /// What its machine runs, the machine's own platform first.
    pub platforms: Vec<Platform>,
    /// Whether it keeps images in containerd's image store; `None` where that cannot be told.
    pub containerd_image_store: Option<bool>,
}

/// The machine of the daemon behind `socket`. `None` where it cannot be tried what that runs (it is another machine,
/// perhaps), and where the daemon's image store is asked for but does not show.
pub async fn machine_of_daemon(socket: &Path, with_image_store: bool) -> Option<DaemonMachine> {
    let own = async {
        let daemon = DaemonClient::connect(socket).await.ok()?;
        let own = daemon.own_container().await.ok()??;
        // Another runtime than that of all containers here may bring a kernel of its own.
        (own.shares_kernel && (own.containerd_image_store.is_some() || !with_image_store)).then_some(own)
    };
    match listener(socket).await? {
        // It shares our kernel, and has made no container that we know.
        Listener::Process(name) if name == "dockerd\n" && !with_image_store => {
            Some(DaemonMachine { platforms: platforms().await?, containerd_image_store: None })
        }
        Listener::Process(_) => None,
        Listener::Outside => {
            let (own, platforms) = tokio::join!(own, platforms());
            let containerd_image_store = own?.containerd_image_store;
            Some(DaemonMachine { platforms: platforms?, containerd_image_store })
        }
    }
}

/// Who listens at a socket.
enum Listener {
    /// A process that we see, by its name as the kernel has it. What forwards to another machine has another one than the
    /// daemon.
    Process(String),
    /// A process outside of our container.
    Outside,
}

async fn listener(socket: &Path) -> Option<Listener> {
    let stream = UnixStream::connect(socket).await.ok()?;
    // 0 for a process outside of our container.
    let process = stream.peer_cred().ok().and_then(|peer| peer.pid()).filter(|process| *process > 0);
    let Some(process) = process else { return Some(Listener::Outside) };
    std::fs::read_to_string(format!("/proc/{process}/comm")).ok().map(Listener::Process)
}

/// Those of all processors known here whose programs run on this machine, its own first. `None` where not even its own do:
/// a file in memory may not be run everywhere.
async fn platforms() -> Option<Vec<Platform>> {
    // To begin a program takes a moment, in which nothing else is done on this thread: not on the run's own.
    let begun = tokio::task::spawn_blocking(|| {
        let each = PROCESSORS.iter().map(|processor| Some((processor.name, begin(processor)?)));
        each.collect::<Option<Vec<_>>>()
    });
    let ended = begun.await.ok()??.into_iter().map(async |(name, begun)| begun.runs().await.then_some(name));
    let found: Vec<&str> = join_all(ended).await.into_iter().flatten().collect();
    let own = own()?;
    if !found.contains(&own.architecture()) {
        return None;
    }
    let others = found.into_iter().filter(|name| *name != own.architecture());
    let others: Vec<Platform> =
        others.filter_map(|name| Platform::parse(&format!("linux/{name}")).ok()).collect();
    Some(std::iter::once(own).chain(others).collect())
}

/// A program that was begun, unless the kernel does not know it.
struct Begun {
    child: Option<Child>,
    /// What it is made of: an emulator opens it while it begins.
    _file: File,
}

/// Begins the program for it; `None` where there can be none.
fn begin(processor: &Processor) -> Option<Begun> {
    // A file without a name, in no place that could forbid programs. It is handed down, to be opened by the same path.
    let mut file = File::from(memfd_create(processor.name, MemfdFlags::empty()).ok()?);
    file.write_all(&program(processor)).ok()?;
    let mut command = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
    command.env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(Begun { child: command.spawn().ok(), _file: file })
}

impl Begun {
    /// Whether it ends as it should.
    async fn runs(self) -> bool {
        let Self { child: Some(mut child), _file } = self else { return false };
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        matches!(ended, Ok(Ok(status)) if status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs_of_this_machine_run() {
        let found = platforms().await.unwrap();
        assert_eq!(found.first(), own().as_ref());
        let own = own().unwrap();
        let processor = PROCESSORS.iter().find(|processor| processor.name == own.architecture()).unwrap();
        assert!(begin(processor).unwrap().runs().await);
        let nonsense = Processor { machine: 0xfeed, ..*processor };
        assert!(!begin(&nonsense).unwrap().runs().await);
        let crashes = Processor { code: b"\x00", ..*processor };
        assert!(!begin(&crashes).unwrap().runs().await, "what crashes does not run");
    }

    #[tokio::test]
    async fn of_nobodys_socket_nothing_is_known() {
        assert_eq!(machine_of_daemon(Path::new("/nowhere/docker.sock"), false).await, None);
        // Somebody listens who is no daemon: what is behind it is not known.
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(machine_of_daemon(&socket, false).await, None);
    }
}
