//! Whose a container or a network is: that of the container that we are, or, outside of one, that of this process. Of a process,
//! whoever looks from the same machine can tell whether it lives: by its number and when it started, in the same namespace of
//! processes since the same boot (proc(5)).

use std::path::Path;

use super::own_container::OwnContainer;

/// What begins an owner that is a process.
const PROCESS: &str = "process-";

/// Whether an owner is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It runs.
    Lives,
    /// It is gone.
    Gone,
    /// It cannot be told from here.
    Unknown,
}

/// What stands for us in the labels of what we make; nothing where the kernel does not say.
pub fn owner(own: Option<&OwnContainer>) -> Option<String> {
    own.map(|own| own.id.clone())
        .or_else(|| Some(format!("{PROCESS}{}", Name::of(Path::new("/proc"), "self")?.text())))
}

/// Whether the process that is this owner lives; nothing where the owner is a container.
pub(super) fn process(owner: &str) -> Option<Standing> {
    standing(Path::new("/proc"), owner)
}

fn standing(proc: &Path, owner: &str) -> Option<Standing> {
    let name = owner.strip_prefix(PROCESS)?;
    let Some((boot, namespace, pid)) = parts(name) else { return Some(Standing::Unknown) };
    let Some(own) = Name::of(proc, "self") else { return Some(Standing::Unknown) };
    if own.boot != boot || own.namespace != namespace {
        return Some(Standing::Unknown);
    }
    let now = Name::of(proc, pid).map(|now| now.text());
    Some(if now.as_deref() == Some(name) { Standing::Lives } else { Standing::Gone })
}

/// Boot, namespace and number.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let mut parts = name.split('.');
    let found = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(found.2) && parts.next().is_some_and(number) && parts.next().is_none()).then_some(found)
}

/// What no other process is called, nor was.
struct Name {
    boot: String,
    namespace: String,
    pid: String,
    started: String,
}

impl Name {
    /// That of a process, by its number or `self`; nothing if there is none.
    fn of(proc: &Path, pid: &str) -> Option<Self> {
        let boot = std::fs::read_to_string(proc.join("sys/kernel/random/boot_id")).ok()?;
        let namespace = std::fs::read_link(proc.join(pid).join("ns/pid")).ok()?;
        let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        let stat = std::fs::read_to_string(proc.join(pid).join("stat")).ok()?;
        let (pid, rest) = stat.split_once(' ')?;
        // The name of a program may hold blanks and parentheses: what counts comes behind it.
        let mut fields = rest.rsplit_once(')')?.1.split_ascii_whitespace();
        let (state, started) = (fields.next()?, fields.nth(18)?);
        // One that has ended and was not waited for does nothing more.
        (!matches!(state, "Z" | "X")).then(|| Self {
            boot: boot.trim().to_owned(),
            namespace,
            pid: pid.to_owned(),
            started: started.to_owned(),
        })
    }

    fn text(&self) -> String {
        format!("{}.{}.{}.{}", self.boot, self.namespace, self.pid, self.started)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_lives_and_one_that_is_gone() {
        let own = owner(None).unwrap();
        assert_eq!(process(&own), Some(Standing::Lives));
        assert_eq!(process("0f3a"), None, "a container");

        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let name =
            format!("{PROCESS}{}", Name::of(Path::new("/proc"), &child.id().to_string()).unwrap().text());
        assert_eq!(process(&name), Some(Standing::Lives));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process(&name), Some(Standing::Gone));
    }

    #[test]
    fn what_cannot_be_told_is_nobodys_to_judge() {
        let own = Name::of(Path::new("/proc"), "self").unwrap();
        let (boot, namespace) = (own.boot.as_str(), own.namespace.as_str());
        for (owner, expected) in [
            // Another process has the number now.
            (format!("process-{boot}.{namespace}.{}.1", own.pid), Standing::Gone),
            (format!("process-another.{namespace}.{}.{}", own.pid, own.started), Standing::Unknown),
            (format!("process-{boot}.1.{}.{}", own.pid, own.started), Standing::Unknown),
            (format!("process-{boot}.{namespace}.../self.1"), Standing::Unknown),
            ("process-".to_owned(), Standing::Unknown),
        ] {
            assert_eq!(process(&owner), Some(expected), "{owner}");
        }
        assert_eq!(
            standing(Path::new("/nowhere"), &format!("{PROCESS}{}", own.text())),
            Some(Standing::Unknown)
        );
    }
}
