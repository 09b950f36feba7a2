//! The input `repository`, understood: whole names of repositories, in lines that count in this run or do not.
//!
//! Nothing that is wrong with a name in a disabled line matters: the variables that it is made of may be missing where the line
//! is disabled, as in a fork.

use super::fault::{InputFault, Notice, shown};
use super::repository_line::{self, RepositoryLine};
use crate::model::{InvalidRepository, RegistryHost, Repository};

/// Repositories as they are named, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Those that count, each once.
    pub enabled: Vec<Repository>,
    /// Those of disabled lines, as far as they can be read.
    pub disabled: Vec<Repository>,
    /// There is a disabled line, whatever it names.
    pub has_disabled: bool,
    /// The registry of the first line, disabled or not; none if that is disabled and cannot be read.
    pub first: Option<RegistryHost>,
    pub notices: Vec<Notice>,
}

/// What other inputs say of the repositories, and must not contradict.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    /// `registry`, if it is given: about the first one.
    pub registry: Option<&'a RegistryHost>,
    /// `image_name`, if it is given: about each.
    pub image_name: Option<&'a str>,
}

/// Reads all lines, or everything that is wrong with them.
pub(super) fn read(text: &str, beside: Beside<'_>) -> Result<Listed, Vec<InputFault>> {
    let (mut listed, mut faults, mut is_first) = (Listed::default(), Vec::new(), true);
    for line in repository_line::lines(text) {
        let line = match line {
            Ok(line) => line,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        if is_first {
            let first = line.names.first().and_then(|name| parsed(name).ok());
            listed.first = first.map(|repository| repository.registry().clone());
        }
        let mut registry = beside.registry.filter(|_| is_first);
        is_first = false;
        let named = line.names.iter().map(|name| one(name, Beside { registry: registry.take(), ..beside }));
        if line.enabled {
            for named in named {
                match named {
                    Ok(repository) => listed.enable(repository),
                    Err(fault) => faults.push(fault),
                }
            }
        } else {
            listed.disabled.extend(named.flatten());
            listed.disable(&line);
        }
    }
    if faults.is_empty() { Ok(listed) } else { Err(faults) }
}

impl Listed {
    fn enable(&mut self, repository: Repository) {
        if self.enabled.contains(&repository) {
            let message = format!("`repository` names `{repository}` more than once: it is pushed to once");
            return self.notices.push(Notice::plain(message));
        }
        self.enabled.push(repository);
    }

    fn disable(&mut self, line: &RepositoryLine<'_>) {
        self.has_disabled = true;
        let names: Vec<String> = line.names.iter().map(|name| format!("`{}`", shown(name))).collect();
        let what = if names.is_empty() { "it".to_owned() } else { names.join(", ") };
        let message = format!("line {} of `repository` says `enable=false`: {what} is left out", line.number);
        self.notices.push(Notice::info(message));
    }
}

/// The names in lines that are not disabled.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    repository_line::lines(text).flatten().filter(|line| line.enabled).flat_map(|line| line.names)
}

/// Reads one name, unless another input says something else.
fn one(name: &str, beside: Beside<'_>) -> Result<Repository, InputFault> {
    let repository = parsed(name)?;
    let contradicts = |input: &str, value: &str| {
        let message = format!("`{repository}` and `{input}: {}` contradict each other", shown(value));
        let hint = format!("`repository` is the whole name; leave `{input}` out");
        Err(InputFault::new("repository", message).hint(hint))
    };
    if let Some(registry) = beside.registry.filter(|registry| *registry != repository.registry()) {
        return contradicts("registry", registry.as_str());
    }
    if let Some(name) = beside.image_name {
        let last = repository.path().strip_suffix(name);
        if !last.is_some_and(|rest| rest.is_empty() || rest.ends_with('/')) {
            return contradicts("image_name", name);
        }
    }
    two_parts_on_docker_hub("repository", repository)
}

/// Reads a whole name.
fn parsed(name: &str) -> Result<Repository, InputFault> {
    Repository::parse(name).map_err(|error| {
        let is_name = matches!(error, InvalidRepository::NoHost(_)) && Repository::of_image(name).is_ok();
        let fault = InputFault::new("repository", error.to_string());
        match name.split('/').count() {
            1 if is_name => fault.hint(format!("write `image_name: {name}`, or `docker.io/<user>/{name}`")),
            2 if is_name => fault.hint(format!("Docker Hub's is `docker.io/{name}`")),
            _ => fault,
        }
    })
}

/// Refuses what Docker Hub does not take: it knows `user/name` and nothing deeper.
pub(super) fn two_parts_on_docker_hub(input: &str, repository: Repository) -> Result<Repository, InputFault> {
    let hub = repository.registry().as_str() == RegistryHost::DOCKER_HUB;
    if hub && repository.path().split('/').count() > 2 {
        let message = format!("`{repository}` has more than two parts, which Docker Hub does not take");
        return Err(InputFault::new(input, message).hint("give `repository: docker.io/<user>/<name>`"));
    }
    Ok(repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_alone(text: &str) -> Result<Listed, Vec<InputFault>> {
        read(text, Beside { registry: None, image_name: None })
    }

    /// What counts, what does not, and whose login `username` and `password` are.
    fn outcome(text: &str) -> String {
        let Listed { enabled, disabled, first, .. } = read_alone(text).unwrap();
        let first = first.map_or_else(|| "nobody".to_owned(), |host| host.to_string());
        format!("{enabled:?} {disabled:?} {first}")
    }

    #[test]
    fn lines_that_count_and_lines_that_do_not() {
        for (text, expected) in [
            ("ghcr.io/a/b", "[ghcr.io/a/b] [] ghcr.io"),
            ("ghcr.io/a/b,enable=true\ndocker.io/a/b,enable=false", "[ghcr.io/a/b] [docker.io/a/b] ghcr.io"),
            // The login stays where it belongs.
            ("docker.io/a/b,enable=false\nghcr.io/a/b", "[ghcr.io/a/b] [docker.io/a/b] docker.io"),
            (",enable=false\nghcr.io/a/b", "[ghcr.io/a/b] [] nobody"),
            ("docker.io//api,enable=false\nghcr.io/a/b", "[ghcr.io/a/b] [] nobody"),
            // The same name with and without.
            ("r.io/a,enable=false\nr.io/a", "[r.io/a] [r.io/a] r.io"),
            ("r.io/a,r.io/b,enable=false", "[] [r.io/a, r.io/b] r.io"),
            ("docker.io/a/b/c,enable=false\nacme/api,enable=false", "[] [] docker.io"),
            (" ,\n#r.io/a\n", "[] [] nobody"),
        ] {
            assert_eq!(outcome(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_said() {
        let said = |text| -> Vec<String> {
            read_alone(text).unwrap().notices.into_iter().map(|notice| notice.message).collect()
        };
        assert_eq!(
            said("r.io/a\n\nr.io/b, r.io/c, enable=false\n,enable=false"),
            [
                "line 3 of `repository` says `enable=false`: `r.io/b`, `r.io/c` is left out",
                "line 4 of `repository` says `enable=false`: it is left out"
            ]
        );
        assert_eq!(
            said("r.io/a\nr.io/a,enable=false"),
            ["line 2 of `repository` says `enable=false`: `r.io/a` is left out"]
        );
    }

    #[test]
    fn a_name_without_a_registry_gets_one_suggested() {
        for (name, hint) in [
            ("acme/api", Some("Docker Hub's is `docker.io/acme/api`")),
            ("api", Some("write `image_name: api`, or `docker.io/<user>/api`")),
            ("acme/shop/api", None),
            ("acme/a..b", None),
            ("ghcr.io/a:1", None),
        ] {
            let [fault] = read_alone(name).unwrap_err().try_into().unwrap();
            assert_eq!(fault.hint.as_deref(), hint, "{fault}");
        }
    }

    #[test]
    fn other_inputs_contradict_only_what_counts() {
        let host = RegistryHost::parse("r.io").unwrap();
        let beside = Beside { registry: Some(&host), image_name: Some("api") };
        assert!(read("r.io/a/api\ns.io/b/api", beside).is_ok(), "`registry` is about the first");
        assert!(read("s.io/x,enable=false\nr.io/a/api", beside).is_ok());
        let faults = read("s.io/a/api\nr.io/x", beside).unwrap_err();
        assert!(faults[0].message.contains("`registry: r.io` contradict"), "{faults:?}");
        assert!(faults[1].message.contains("`image_name: api` contradict"), "{faults:?}");
    }
}
