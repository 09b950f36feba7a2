//! What else is made of an image that is out: a file of it, beside what `docker save` and a compressor make in a shell; and the
//! engine's own copy, beside a push and beside neither.

use crate::measure::{Bench, Build, Run, Runs, forget_builds};
use crate::runner::parts::docker;
use crate::table::Row;
use std::path::{Path, PathBuf};
use std::process::Command;

const MEBIBYTE: usize = 1 << 20;
/// Mebibytes of each of the two kinds of content that are sent to the engine.
const SENT: usize = 64;

/// Bytes that nothing compresses, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // xorshift64 (Marsaglia, "Xorshift RNGs").
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// Lines of a log: about a quarter is left of them.
    fn words(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 64);
        while bytes.len() < count {
            let number = self.next();
            let line =
                format!("{:08x} GET /shops/{}/boxes/{} 200\n", number >> 32, number % 97, number % 8191);
            bytes.extend(line.into_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// Memory that is a directory as long as this value lives: no disk is measured.
struct Memory(PathBuf);

impl Memory {
    fn at(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).expect("a directory of ours");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4g", "none"]).arg(&path);
        assert!(mount.status().expect("mount").success(), "no memory at {}", path.display());
        Self(path)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// `pigz` of `tests/parts/fetch pigz`, else the machine's.
fn pigz() -> PathBuf {
    let parts = std::env::var_os("PARTS").map(|parts| Path::new(&parts).join("debian/pigz/usr/bin/pigz"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = parts.into_iter().chain(std::env::split_paths(&path).map(|directory| directory.join("pigz")));
    let mut found = found.filter(|file| file.is_file());
    found.next().expect("`pigz` is nowhere: run `tests/parts/fetch pigz` with the same PARTS, or install it")
}

/// An image of 2 GiB, half of it noise, into a file: ours, and `docker save` with `gzip` and `pigz`, in turn.
pub fn archive(bench: &Bench) -> Vec<Row> {
    const IMAGE: &str = "bench.invalid/shipped:2g";
    let pigz = pigz();
    let build = Build::new("shipped", "linux/amd64", false);
    let context = bench.context(&build);
    std::fs::create_dir_all(context.join("content")).expect("a directory of ours");
    let mut noise = Noise(1);
    for (name, bytes) in [("noise", noise.bytes(SENT * MEBIBYTE)), ("words", noise.words(SENT * MEBIBYTE))] {
        std::fs::write(context.join("content").join(name), bytes).expect("a file of ours");
    }
    // No compressor of these looks further back than 32 KiB: to it, what comes again is new.
    let times = 1024 / SENT;
    let step = |name: &str| {
        format!(
            "RUN --mount=type=bind,source=content,target=/c for n in $(seq {times}); do cat /c/{name}; done >/{name}\n"
        )
    };
    let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\n{}{}", step("noise"), step("words"));
    std::fs::write(context.join("Dockerfile"), dockerfile).expect("a file of ours");
    let memory = Memory::at(bench.machine.workspace().join("files"));
    bench.buildx_with(&build, &["--output".into(), format!("type=image,name={IMAGE},unpack=false")]);
    let ours = Build { inputs: vec![("archive", "files/ours.tar.gz".to_owned())], ..build };
    let file = |name: &str| memory.0.join(name);
    let saved = |tool: &str, name: &str| {
        let run = bench.shell(&format!("docker save {IMAGE} | {tool} >{}", file(name).display()));
        let size = std::fs::metadata(file(name)).expect("a file").len();
        std::fs::remove_file(file(name)).expect("a file");
        (run, size)
    };
    let mut runs = [const { Runs(Vec::new()) }; 3];
    let mut sizes = [0; 3];
    for turn in 0..=bench.runs.min(3) {
        let mut found: [Option<(Run, u64)>; 3] = [None; 3];
        for place in 0..3 {
            // Who begins changes every time.
            let who = (place + turn) % 3;
            found[who] = Some(match who {
                0 => {
                    let run = bench.ours(&ours);
                    let size = std::fs::metadata(file("ours.tar.gz")).expect("a file").len();
                    std::fs::remove_file(file("ours.tar.gz")).expect("a file");
                    (run, size)
                }
                1 => saved("gzip", "gzip.tar.gz"),
                _ => saved(&pigz.display().to_string(), "pigz.tar.gz"),
            });
        }
        for ((runs, size), (run, found)) in runs.iter_mut().zip(&mut sizes).zip(found.into_iter().flatten()) {
            *size = found;
            // What was never packed before is packed by whoever comes first.
            if turn > 0 {
                runs.0.push(run);
            }
        }
    }
    drop(memory);
    docker(&["image", "rm", "--force", IMAGE]);
    forget_builds();
    let [ours, gzip, pigz] = &runs;
    let (of_gzip, of_pigz) = (ours.seconds() / gzip.seconds(), ours.seconds() / pigz.seconds());
    let peak = ours.mebibytes();
    let [our_size, gzip_size, pigz_size] = sizes.map(|size| size / MEBIBYTE as u64);
    vec![Row::absolute(
        "`archive: out.tar.gz` of a 2 GiB image, nothing pushed, beside `docker save | gzip` and `docker save | pigz`",
        format!(
            "{:.1} s beside {:.1} s: {of_gzip:.2}, and {:.1} s: {of_pigz:.2}; {peak:.1} MiB of memory ({our_size}, {gzip_size} \
             and {pigz_size} MiB written)",
            ours.seconds(),
            gzip.seconds(),
            pigz.seconds()
        ),
        "≤ 0.6 and ≤ 1.1, ≤ 40 MiB",
        of_gzip <= 0.6 && of_pigz <= 1.1 && peak <= 40.0,
    )]
}

/// The same build pushed, loaded, and both, in turn; each time with a layer that nobody has seen, and small with nothing new.
pub fn load(bench: &Bench) -> Vec<Row> {
    vec![
        both(bench, "`push` and `load` together, a new layer of 128 MiB, beside the slower one alone", 64),
        both(bench, "`push` and `load` together, small and cached, beside the slower one alone", 0),
    ]
}

/// Mebibytes of each kind in what is new.
fn both(bench: &Bench, what: &'static str, size: usize) -> Row {
    let (name, count) = if size > 0 { ("loaded", bench.runs.min(5)) } else { ("loaded-small", bench.runs) };
    let context = bench.context(&Build::new(name, "linux/amd64", true));
    std::fs::create_dir_all(&context).expect("a directory of ours");
    std::fs::write(context.join("Dockerfile"), "ARG BASE\nFROM ${BASE}\nCOPY new /new\n").expect("a file");
    let mut noise = Noise(7);
    std::fs::write(context.join("new"), "new\n").expect("a file of ours");
    let mut runs = [const { Runs(Vec::new()) }; 3];
    for turn in 0..=count {
        for place in 0..3 {
            let who = (place + turn) % 3;
            if size > 0 {
                let bytes = [noise.bytes(size * MEBIBYTE), noise.words(size * MEBIBYTE)].concat();
                std::fs::write(context.join("new"), bytes).expect("a file of ours");
            }
            let load = vec![("load", (who != 0).to_string())];
            let build = Build { inputs: load, ..Build::new(name, "linux/amd64", who != 1) };
            let run = bench.ours(&build);
            if turn > 0 {
                runs[who].0.push(run);
            }
            let repository = format!("{}/acme/bench/{name}", bench.parts.registry);
            let loaded = docker(&["images", "--quiet", "--no-trunc", &repository]);
            let mut ids: Vec<&str> = loaded.lines().collect();
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                docker(&["image", "rm", "--force", id]);
            }
        }
        if size > 0 {
            forget_builds();
        }
    }
    let [push, load, both] = runs.map(|runs| runs.seconds());
    let ratio = both / push.max(load);
    Row::absolute(
        what,
        format!("{both:.2} s beside {push:.2} s pushed, {load:.2} s loaded: {ratio:.2}"),
        "≤ 1.1",
        ratio <= 1.1,
    )
}
