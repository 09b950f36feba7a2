//! Which emulators a build needs: none, unless a step would run where the builder cannot.
//!
//! Judges one BuildKit at a time. Refuses to register what no step needs: an emulator is for the whole machine, and
//! stays there.

use super::build::BuildPlan;
use super::builder::{BuilderPlan, NodeAddress};
use super::dockerfile::{Question, Steps, steps};
use super::facts::{DockerfileText, can_run};
use crate::model::Platform;

/// One BuildKit, as far as emulators matter.
#[derive(Clone, Copy, Debug)]
struct Machine<'a> {
    /// Its name for people.
    name: &'a str,
    /// What it is to build.
    builds: &'a [Platform],
    /// What it runs, by itself or emulated, its own platform first; empty when it did not say.
    runs: &'a [Platform],
    /// Where its steps run.
    kernel: Kernel,
}

/// Whose kernel runs a builder's steps: emulators are registered there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    /// The Docker daemon's, so a container of ours can register them.
    Daemon,
    /// Another one's: nothing can be registered from here.
    Elsewhere,
}

/// What is to be done about steps for other processors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emulation {
    /// Platforms whose emulators are registered before the build.
    pub platforms: Vec<Platform>,
    /// What is done and why, or why nothing has to be; none where there was no question.
    pub note: Option<String>,
    /// What goes wrong, by machine.
    pub warnings: Vec<String>,
}

/// Processors that QEMU's user mode can stand in for (the names of Go and of binfmt).
const EMULATED: &[&str] =
    &["amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x", "mips64", "mips64le", "loong64"];

/// What a build needs on the machines of its builder. `allowed`: the input `emulation`.
pub fn emulation(
    builder: &BuilderPlan,
    build: &BuildPlan,
    text: &DockerfileText,
    allowed: bool,
) -> Emulation {
    let mut all = Emulation::default();
    for node in &builder.nodes {
        let kernel = if node.address.is_beside_daemon() { Kernel::Daemon } else { Kernel::Elsewhere };
        let name = node.name.as_deref().unwrap_or(&builder.name);
        let machine = Machine { name, builds: &node.platforms, runs: &node.runs, kernel };
        let one = on_machine(&machine, build, text, allowed);
        all.platforms
            .extend(one.platforms.into_iter().filter(|one| !all.platforms.contains(one)).collect::<Vec<_>>());
        all.note = match (all.note, one.note) {
            (Some(before), Some(note)) => Some(format!("{before}; {note}")),
            (before, note) => before.or(note),
        };
        all.warnings.extend(one.warnings);
    }
    all
}

/// What can be registered before anything is checked out: every platform that the machine of a builder beside the
/// daemon cannot run. A container of somebody else may emulate by itself, which is seen when it is used.
pub fn ahead(builder: &BuilderPlan) -> Vec<Platform> {
    let mut all: Vec<Platform> = Vec::new();
    for node in &builder.nodes {
        let ours = matches!(node.address, NodeAddress::Docker | NodeAddress::OwnContainer(_));
        let missing =
            node.platforms.iter().filter(|one| ours && !can_run(&node.runs, one) && can_emulate(one));
        all.extend(missing.filter(|one| !all.contains(one)).cloned().collect::<Vec<_>>());
    }
    all
}

/// Whether there is an emulator for it, where none is registered yet.
pub(super) fn can_emulate(platform: &Platform) -> bool {
    platform.os() == "linux" && EMULATED.contains(&platform.architecture())
}

/// What a build needs on this machine.
fn on_machine(machine: &Machine<'_>, build: &BuildPlan, text: &DockerfileText, allowed: bool) -> Emulation {
    let Some(native) = machine.runs.first() else { return Emulation::default() };
    let missing = |platforms: &mut dyn Iterator<Item = &Platform>| -> Vec<Platform> {
        platforms.filter(|platform| !can_run(machine.runs, platform)).cloned().collect()
    };
    let found = match text {
        DockerfileText::Known(text) => steps(&Question {
            text,
            target: build.target.as_deref(),
            build_args: &build.build_args,
            named_contexts: &build.named_contexts,
            platforms: machine.builds,
            native,
        }),
        DockerfileText::Unknown(why) => Steps::Unknown(why.clone()),
    };
    let requested = missing(&mut machine.builds.iter());
    let (needed, because) = match found {
        Steps::On(platforms) => {
            (missing(&mut platforms.iter()), "`RUN` steps run there, and {} cannot run them".to_owned())
        }
        Steps::Unknown(why) => (
            requested.clone(),
            format!("{{}} cannot run steps there, and whether there are any is not known: {why}"),
        ),
    };
    if needed.is_empty() {
        let note = (!requested.is_empty()).then(|| {
            format!("none: no step runs on {}, which {} cannot run", plain(&requested), machine.name)
        });
        return Emulation { note, ..Emulation::default() };
    }
    let hopeless: Vec<Platform> = needed.iter().filter(|platform| !can_emulate(platform)).cloned().collect();
    let advice = if !hopeless.is_empty() {
        format!("nothing can emulate {}: leave it out of `platform`", quoted(&hopeless))
    } else if machine.kernel == Kernel::Elsewhere {
        "nothing can be registered on its machine from here: register QEMU there, or give `builder` a node that \
         runs them"
            .into()
    } else if !allowed {
        "`emulation` is `off`: leave it out for QEMU to be registered, or leave them out of `platform`".into()
    } else {
        let note = format!("{}: {}", plain(&needed), because.replace("{}", machine.name));
        return Emulation { platforms: needed, note: Some(note), warnings: Vec::new() };
    };
    let warning = format!(
        "{} runs {}, not {}: a `RUN` step for these fails with `exec format error`; {advice}",
        machine.name,
        quoted(&kinds(machine.runs)),
        quoted(&needed)
    );
    Emulation { warnings: vec![warning], ..Emulation::default() }
}

/// The first platform of each processor: BuildKit lists each variant of its own.
fn kinds(platforms: &[Platform]) -> Vec<Platform> {
    let mut found: Vec<Platform> = Vec::new();
    for platform in platforms {
        if found.is_empty() || !can_run(&found, platform) {
            found.push(platform.clone());
        }
    }
    found
}

fn plain(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(platforms: &[Platform]) -> String {
    platforms.iter().map(|platform| format!("`{platform}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::Dockerfile;
    use crate::model::ContextSource;

    fn platforms(text: &str) -> Vec<Platform> {
        text.split_whitespace().map(|text| Platform::parse(&format!("linux/{text}")).unwrap()).collect()
    }

    fn judged(builds: &str, runs: &str, text: &DockerfileText, kernel: Kernel, allowed: bool) -> Emulation {
        let (builds, runs) = (platforms(builds), platforms(runs));
        let dockerfile =
            Dockerfile { directory: None, file_name: "Dockerfile".into(), in_workspace: "Dockerfile".into() };
        let build =
            BuildPlan::new(ContextSource::Directory("/github/workspace".into()), dockerfile, builds.clone());
        let machine = Machine { name: "Docker 28", builds: &builds, runs: &runs, kernel };
        on_machine(&machine, &build, text, allowed)
    }

    #[test]
    fn only_what_a_step_needs() {
        let runs = DockerfileText::Known("FROM a\nRUN x".into());
        let copies = DockerfileText::Known("FROM a\nCOPY a /".into());
        let fixed = DockerfileText::Known("FROM --platform=linux/s390x a\nRUN x".into());
        let unknown = DockerfileText::Unknown("it comes with the context".into());
        for (text, builds, here, registered, note) in [
            (&runs, "amd64", "amd64", "", ""),
            (&runs, "amd64 arm64", "amd64 arm64", "", ""),
            (&runs, "arm/v6", "amd64 arm", "", ""),
            (&runs, "arm64", "", "", ""),
            (
                &runs,
                "amd64 riscv64 arm64",
                "amd64 arm64",
                "linux/riscv64",
                "linux/riscv64: `RUN` steps run there, and Docker 28 cannot run them",
            ),
            (
                &copies,
                "amd64 arm64",
                "amd64 386",
                "",
                "none: no step runs on linux/arm64, which Docker 28 cannot run",
            ),
            (
                &fixed,
                "amd64",
                "amd64",
                "linux/s390x",
                "linux/s390x: `RUN` steps run there, and Docker 28 cannot run them",
            ),
            (&unknown, "amd64", "amd64", "", ""),
            (
                &unknown,
                "amd64 arm64",
                "amd64",
                "linux/arm64",
                "linux/arm64: Docker 28 cannot run steps there, and whether there are any is not known: it comes with \
                 the context",
            ),
        ] {
            let emulation = judged(builds, here, text, Kernel::Daemon, true);
            assert_eq!(plain(&emulation.platforms), registered, "{builds} on {here}: {text:?}");
            assert_eq!(emulation.note.as_deref().unwrap_or_default(), note, "{builds} on {here}: {text:?}");
            assert_eq!(emulation.warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn what_goes_wrong_is_said() {
        let runs = DockerfileText::Known("FROM a\nRUN x".into());
        let warning = |builds: &str, kernel, allowed| {
            let emulation = judged(builds, "amd64 amd64/v2 amd64/v3 386", &runs, kernel, allowed);
            assert_eq!(emulation.platforms, []);
            emulation.warnings.concat()
        };
        assert_eq!(
            warning("arm64 s390x", Kernel::Daemon, false),
            "Docker 28 runs `linux/amd64`, `linux/386`, not `linux/arm64`, `linux/s390x`: a `RUN` step for these fails \
             with `exec format error`; `emulation` is `off`: leave it out for QEMU to be registered, or leave them out \
             of `platform`"
        );
        let elsewhere = warning("arm64", Kernel::Elsewhere, true);
        assert!(elsewhere.contains("nothing can be registered on its machine from here"), "{elsewhere}");
        let hopeless = warning("mips", Kernel::Daemon, true);
        assert!(hopeless.contains("nothing can emulate `linux/mips`"), "{hopeless}");
        // A step that does not run there needs no word.
        let copies = DockerfileText::Known("FROM a\nCOPY a /".into());
        assert_eq!(judged("arm64", "amd64", &copies, Kernel::Daemon, false).warnings, Vec::<String>::new());
    }
}
