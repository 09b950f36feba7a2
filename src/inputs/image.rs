//! Where the image goes: `repository`, or `registry`, the workflow's repository and `image_name`.
//!
//! `repository` may name several; the first is the one that other inputs speak of. Contradicting inputs are a fault,
//! not a choice: an image that lands in another place than its author meant is worse than a red run. `username` and
//! `password` are for the first line whether or not that counts in this run: no other registry may be shown that password.

use super::fault::{InputFault, Notice, shown};
use super::parse;
use super::repository::{self, Beside, Listed, two_parts_on_docker_hub};
use crate::model::{InvalidRepository, RegistryHost, Repository, Targets};

/// Where the image goes when nothing is said.
pub(super) const DEFAULT_REGISTRY: &str = "ghcr.io";

/// The inputs, and what else there is, that say where the image goes.
pub(super) struct TargetInputs<'a> {
    pub repository: &'a str,
    pub registry: &'a str,
    pub image_name: &'a str,
    /// The repositories that whole references in `tags` name: where the image goes when nothing else is said.
    pub references: Vec<&'a Repository>,
    /// Whether the image may be pushed: one that is not needs no name of its own.
    pub pushes: bool,
    /// `<owner>/<repo>` of the workflow, below which an image is called when nothing else is said.
    pub owner_and_name: &'a str,
}

/// Where the image goes, and what a person should know of that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedTargets {
    /// Where it goes; where each line is disabled, what the image is called.
    pub targets: Targets,
    /// The registry that `username`, `password` and `aws_role` are for; none if it is named by a line that is disabled and
    /// cannot be read.
    pub login_at: Option<RegistryHost>,
    /// A line is disabled.
    pub has_disabled: bool,
    /// What disabled lines name, as far as it can be read.
    pub disabled: Vec<Repository>,
    /// Each line is disabled: the image goes nowhere.
    pub is_nowhere: bool,
    pub notices: Vec<Notice>,
}

impl NamedTargets {
    /// These, without a condition.
    pub fn of(targets: Targets) -> Self {
        Self {
            login_at: Some(targets.first().registry().clone()),
            targets,
            has_disabled: false,
            disabled: Vec::new(),
            is_nowhere: false,
            notices: Vec::new(),
        }
    }
}

/// Reads the repositories to push to, or everything that is wrong with the three inputs.
pub(super) fn targets(inputs: &TargetInputs<'_>) -> Result<NamedTargets, Vec<InputFault>> {
    let mut faults = Vec::new();
    let registry = RegistryHost::parse(or_default(inputs.registry))
        .map_err(|error| faults.push(InputFault::new("registry", error.to_string())))
        .ok();
    let image_name = image_name(inputs.image_name).map_err(|fault| faults.push(fault)).ok().flatten();
    if !inputs.repository.is_empty() {
        return match (whole(inputs, registry.as_ref(), image_name.as_deref()), faults.is_empty()) {
            (Ok(targets), true) => Ok(targets),
            (whole, _) => {
                faults.extend(whole.err().unwrap_or_default());
                Err(faults)
            }
        };
    }
    if let (None, Some(targets)) = (&image_name, Targets::of(inputs.references.iter().copied().cloned()))
        && faults.is_empty()
    {
        let deep = targets.iter().cloned().map(|one| two_parts_on_docker_hub("tags", one));
        faults.extend(deep.filter_map(Result::err));
        return if faults.is_empty() { Ok(NamedTargets::of(targets)) } else { Err(faults) };
    }
    let is_unnamed = image_name.is_none() && !inputs.pushes;
    if image_name.is_none() && !is_unnamed && faults.iter().all(|fault| fault.input != "image_name") {
        let message = "missing; it is the last part of the image's repository";
        faults.push(InputFault::new("image_name", message).hint("for example `image_name: api`"));
    }
    let (Some(registry), true) = (registry, faults.is_empty()) else {
        return Err(faults);
    };
    let first = named_after_the_workflow(inputs.owner_and_name, registry, image_name.as_deref())
        .map_err(|fault| vec![fault])?;
    let unnamed = is_unnamed.then(|| {
        Notice::plain(format!(
            "there is no `image_name`, and with `push: false` none is needed: the image is called `{first}`, as this \
             repository is, and goes nowhere"
        ))
    });
    Ok(NamedTargets { notices: unnamed.into_iter().collect(), ..NamedTargets::of(first.into()) })
}

/// The repository that is called as the workflow's is, with the image's name behind it if there is one.
fn named_after_the_workflow(
    owner_and_name: &str,
    registry: RegistryHost,
    image_name: Option<&str>,
) -> Result<Repository, InputFault> {
    let path = match image_name {
        Some(name) => format!("{owner_and_name}/{name}"),
        None => owner_and_name.to_owned(),
    };
    let repository = Repository::new(registry, &path).map_err(|error| match error {
        InvalidRepository::TooLong(_) => InputFault::new("image_name", error.to_string()),
        // The name itself is fine: what the workflow's repository is called is not.
        _ => InputFault::new("repository", error.to_string())
            .hint("the name of this GitHub repository cannot be part of an image's; give `repository` whole"),
    })?;
    two_parts_on_docker_hub("registry", repository)
}

/// The registry that a builder has to be made for, of several: one on the host's loopback asks most of it.
pub(super) fn nearest<'a>(hosts: impl Iterator<Item = &'a RegistryHost>) -> Option<&'a RegistryHost> {
    hosts.reduce(|first, next| if next.is_loopback() && !first.is_loopback() { next } else { first })
}

/// The registries alone, which need no `image_name`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedRegistries {
    /// At least one.
    pub hosts: Vec<RegistryHost>,
    /// Each line is disabled: the image goes nowhere.
    pub is_nowhere: bool,
}

/// Reads the registries alone, or the first thing that is wrong with them.
pub(super) fn registries(repository: &str, registry: &str) -> Result<NamedRegistries, InputFault> {
    let listed = repository::read(repository, Beside { registry: None, image_name: None });
    let listed = listed.map_err(|mut faults| faults.swap_remove(0))?;
    let is_nowhere = listed.enabled.is_empty() && listed.has_disabled;
    let named = if is_nowhere { &listed.disabled } else { &listed.enabled };
    let mut hosts: Vec<_> = named.iter().map(|repository| repository.registry().clone()).collect();
    if hosts.is_empty() {
        let host = RegistryHost::parse(or_default(registry));
        hosts.push(host.map_err(|error| InputFault::new("registry", error.to_string()))?);
    }
    Ok(NamedRegistries { hosts, is_nowhere })
}

/// Reads `repository`, which names every target whole, unless another input says something else.
fn whole(
    inputs: &TargetInputs<'_>,
    registry: Option<&RegistryHost>,
    image_name: Option<&str>,
) -> Result<NamedTargets, Vec<InputFault>> {
    let given = registry.filter(|_| !inputs.registry.is_empty());
    let listed = repository::read(inputs.repository, Beside { registry: given, image_name })?;
    let Listed { enabled, disabled, has_disabled, first: login_at, mut notices } = listed;
    if let Some(targets) = Targets::of(enabled) {
        return Ok(NamedTargets { targets, login_at, has_disabled, disabled, is_nowhere: false, notices });
    }
    if !has_disabled {
        let message = "there is no repository in it";
        return Err(vec![InputFault::new("repository", message).hint("for example `ghcr.io/acme/api`")]);
    }
    let called = if let Some(targets) = Targets::of(disabled.iter().cloned()) {
        targets
    } else {
        // A wrong one is a fault already.
        let host = registry.cloned().ok_or_else(Vec::new)?;
        let called = named_after_the_workflow(inputs.owner_and_name, host, image_name);
        called.map_err(|fault| vec![fault])?.into()
    };
    if inputs.pushes {
        notices.push(Notice::plain(
            "each line of `repository` says `enable=false`: the image is built and goes nowhere",
        ));
    }
    Ok(NamedTargets { targets: called, login_at, has_disabled, disabled, is_nowhere: true, notices })
}

/// Reads the input `image_name`, in lower case; nothing if it is empty. Its faults must not be blamed on the rest of the
/// repository, so it is judged alone.
fn image_name(text: &str) -> Result<Option<String>, InputFault> {
    let Some(text) = parse::line("image_name", text)? else { return Ok(None) };
    let name = text.to_ascii_lowercase();
    let hint = "for example `api`";
    let alone = RegistryHost::parse(DEFAULT_REGISTRY).and_then(|host| Repository::new(host, &name));
    match alone {
        Ok(_) if name.split('/').next().is_some_and(|first| first.contains('.')) && name.contains('/') => {
            let message = format!("`{}` names a registry", shown(&text));
            Err(InputFault::new("image_name", message).hint("give a whole name as `repository`"))
        }
        Ok(_) => Ok(Some(name)),
        Err(error) => Err(InputFault::new("image_name", error.to_string()).hint(hint)),
    }
}

/// The registry that an input names, or the default one.
fn or_default(registry: &str) -> &str {
    if registry.is_empty() { DEFAULT_REGISTRY } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming<'a>(repository: &'a str, registry: &'a str, image_name: &'a str) -> TargetInputs<'a> {
        let (references, owner_and_name) = (Vec::new(), "Acme/Shop");
        TargetInputs { repository, registry, image_name, references, pushes: true, owner_and_name }
    }

    #[test]
    fn places() {
        for (repository_input, registry, name, expected) in [
            ("", "", "api", "ghcr.io/acme/shop/api"),
            ("", "", "API", "ghcr.io/acme/shop/api"),
            ("", "", "tools/Migrate", "ghcr.io/acme/shop/tools/migrate"),
            ("", "localhost:5000", "api", "localhost:5000/acme/shop/api"),
            ("docker.io/acme/api", "", "", "docker.io/acme/api"),
            ("docker.io/Acme/API\n", "", "", "docker.io/acme/api"),
            ("docker.io/acme/api", "docker.io", "api", "docker.io/acme/api"),
            ("r.io/a/b/api", "R.io", "b/api", "r.io/a/b/api"),
        ] {
            let found = targets(&naming(repository_input, registry, name)).unwrap();
            assert_eq!(found.targets.to_string(), expected);
        }
    }

    #[test]
    fn what_is_not_pushed_needs_no_name_and_is_called_as_the_repository_is() {
        for (repository_input, registry, name, expected, notices) in [
            ("", "", "", "ghcr.io/acme/shop", 1),
            ("", "docker.io", "", "docker.io/acme/shop", 1),
            ("", "", "api", "ghcr.io/acme/shop/api", 0),
            ("r.io/a/b", "", "", "r.io/a/b", 0),
        ] {
            let inputs = TargetInputs { pushes: false, ..naming(repository_input, registry, name) };
            let found = targets(&inputs).unwrap();
            assert_eq!((found.targets.to_string().as_str(), found.notices.len()), (expected, notices));
        }
        let wrong = TargetInputs { pushes: false, ..naming("", "", "-api") };
        assert_eq!(targets(&wrong).unwrap_err()[0].input, "image_name", "a wrong name is wrong");
    }

    #[test]
    fn references_name_the_places_where_nothing_else_does() {
        let listed = ["r.io/a", "s.io/b"].map(|name| Repository::parse(name).unwrap());
        let references: Vec<&Repository> = listed.iter().collect();
        for (repository_input, name, expected) in
            [("", "", "r.io/a, s.io/b"), ("r.io/c", "", "r.io/c"), ("", "api", "ghcr.io/acme/shop/api")]
        {
            let inputs =
                TargetInputs { references: references.clone(), ..naming(repository_input, "", name) };
            assert_eq!(targets(&inputs).unwrap().targets.to_string(), expected);
        }
        let deep = Repository::parse("docker.io/a/b/c").unwrap();
        let inputs = TargetInputs { references: vec![&deep], ..naming("", "", "") };
        assert_eq!(targets(&inputs).unwrap_err()[0].input, "tags");
    }

    #[test]
    fn several_places() {
        let text = "# where it goes\nghcr.io/acme/api, docker.io/Acme/api\n\nGHCR.io/acme/api\nr.io/x/api\n";
        for (registry, name) in [("", ""), ("ghcr.io", "api")] {
            let NamedTargets { targets, notices, .. } = targets(&naming(text, registry, name)).unwrap();
            assert_eq!(targets.to_string(), "ghcr.io/acme/api, docker.io/acme/api, r.io/x/api");
            let said: Vec<_> = notices.iter().map(|notice| notice.message.as_str()).collect();
            assert_eq!(said, ["`repository` names `ghcr.io/acme/api` more than once: it is pushed to once"]);
        }
        for (text, registry, name, expected) in [
            (
                "r.io/a:1\nr.io/b\nacme/c\nr.io/d@sha256:0",
                "",
                "",
                &["tag or digest", "no registry", "tag or"][..],
            ),
            ("r.io/a\ns.io/a", "s.io", "", &["`r.io/a` and `registry: s.io` contradict"]),
            ("r.io/a\ns.io/b", "", "a", &["`s.io/b` and `image_name: a` contradict"]),
            ("r.io/a\ndocker.io/a/b/c", "", "", &["more than two parts"]),
            ("# nothing\n,", "", "", &["there is no repository in it"]),
        ] {
            let faults = targets(&naming(text, registry, name)).unwrap_err();
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, part) in faults.iter().zip(expected) {
                assert_eq!(fault.input, "repository");
                assert!(fault.message.contains(part), "{faults:?}");
            }
        }
    }

    #[test]
    fn wrong_places() {
        for (repository_input, registry, name, inputs, part) in [
            ("", "", "", &["image_name"][..], "missing;"),
            ("", "", "🚀", &["image_name"], "`🚀` cannot name a repository"),
            ("", "", "api:v1", &["image_name"], "tag or digest"),
            ("", "", "-api", &["image_name"], "cannot name"),
            // The Kelvin sign has an ASCII lower case; that must not make a name of it.
            ("", "", "\u{212a}it", &["image_name"], "cannot name"),
            ("", "", "/api", &["image_name"], "cannot name"),
            ("", "", "a b", &["image_name"], "cannot name"),
            ("", "", "a\nb", &["image_name"], "more than one line"),
            ("", "", "ghcr.io/acme/api", &["image_name"], "names a registry"),
            ("", "", &"a".repeat(256), &["image_name"], "longer than 255"),
            ("", "https://ghcr.io", "", &["registry", "image_name"], "not a registry host"),
            ("", "ghcr.io/acme", "api", &["registry"], "without a path"),
            ("", "docker.io", "api", &["registry"], "more than two parts"),
            ("ghcr.io/a/b:1", "", "", &["repository"], "tag or digest"),
            ("acme/api", "", "", &["repository"], "names no registry"),
            ("r.io/a/b", "ghcr.io", "", &["repository"], "contradict"),
            ("ghcr.io/acme/shop", "", "api", &["repository"], "contradict"),
            ("ghcr.io/acme/myapi", "", "api", &["repository"], "contradict"),
            ("acme/api", "x y", "🚀", &["registry", "image_name", "repository"], "not a registry host"),
        ] {
            let faults = targets(&naming(repository_input, registry, name)).unwrap_err();
            let named: Vec<&str> = faults.iter().map(|fault| fault.input.as_str()).collect();
            assert_eq!(named, inputs, "{faults:?}");
            assert!(faults[0].message.contains(part), "{faults:?}");
        }
        let dotted = TargetInputs { owner_and_name: "acme/.github", ..naming("", "", "api") };
        assert_eq!(targets(&dotted).unwrap_err()[0].input, "repository");
    }

    #[test]
    fn lines_under_a_condition() {
        for (text, name, expected, login_at, is_nowhere) in [
            ("ghcr.io/a/b,enable=true", "", "ghcr.io/a/b", "ghcr.io", false),
            ("docker.io/a/b,enable=false\nghcr.io/a/b", "", "ghcr.io/a/b", "docker.io", false),
            // None is left: the image is called as it would be elsewhere, so that it has the same cache.
            (
                "docker.io/a/b,enable=false\nghcr.io/a/b,enable=false",
                "",
                "docker.io/a/b, ghcr.io/a/b",
                "docker.io",
                true,
            ),
            // What is left of the names is none.
            ("docker.io//b,enable=false", "", "ghcr.io/acme/shop", "", true),
            (",enable=false", "api", "ghcr.io/acme/shop/api", "", true),
        ] {
            let found = targets(&naming(text, "", name)).unwrap();
            let host = found.login_at.as_ref().map_or("", RegistryHost::as_str);
            let found_all = (found.targets.to_string(), host, found.is_nowhere);
            assert_eq!(found_all, (expected.to_owned(), login_at, is_nowhere), "{text}");
            let told = |inputs: &TargetInputs<'_>| {
                let notices = targets(inputs).unwrap().notices;
                notices.iter().filter(|notice| notice.message.ends_with("is built and goes nowhere")).count()
            };
            assert_eq!(told(&naming(text, "", name)), usize::from(is_nowhere), "{text}");
            assert_eq!(told(&TargetInputs { pushes: false, ..naming(text, "", name) }), 0, "{text}");
        }
        let faults = targets(&naming("r.io/a,enable=\nr.io/b,enable=1,\nacme/c", "", "")).unwrap_err();
        let lines: Vec<bool> = faults.iter().map(|fault| fault.message.starts_with("line ")).collect();
        assert_eq!(lines, [true, true, false], "{faults:?}");
    }

    #[test]
    fn registries_alone() {
        for (text, registry, expected, is_nowhere) in [
            ("", "", "[ghcr.io]", false),
            ("", "localhost:5000", "[localhost:5000]", false),
            ("ghcr.io/a/b, docker.io/a/b\n\nGHCR.io/a/b\nr.io/c", "", "[ghcr.io, docker.io, r.io]", false),
            ("ghcr.io/a/b,enable=false\nr.io/c", "", "[r.io]", false),
            ("ghcr.io/a/b,enable=false\nr.io/c,enable=false", "", "[ghcr.io, r.io]", true),
            (",enable=false", "", "[ghcr.io]", true),
        ] {
            let found = registries(text, registry).unwrap();
            assert_eq!(
                (format!("{:?}", found.hosts), found.is_nowhere),
                (expected.to_owned(), is_nowhere),
                "{text}"
            );
        }
        for (text, registry, input) in
            [("r.io/a:1", "", "repository"), ("r.io/a,enable=x", "", "repository"), ("", "a b", "registry")]
        {
            assert_eq!(registries(text, registry).unwrap_err().input, input);
        }
    }
}
