//! Where the image goes: `repository`, or `registry`, the workflow's repository and `image_name`.
//!
//! Contradicting inputs are a fault, not a choice: an image that lands in another place than its author meant
//! is worse than a red run.

use super::config::DEFAULT_REGISTRY;
use super::fault::{InputFault, shown};
use super::parse;
use crate::model::{InvalidRepository, RegistryHost, Repository};

/// What the place is made from.
pub(super) struct Place<'a> {
    pub repository: &'a str,
    pub registry: &'a str,
    pub image_name: &'a str,
    /// `<owner>/<repo>`.
    pub owner_and_name: &'a str,
}

/// The repository to push to, or everything that is wrong with the three inputs.
pub(super) fn repository(place: &Place<'_>) -> Result<Repository, Vec<InputFault>> {
    let mut faults = Vec::new();
    let registry = RegistryHost::parse(or_default(place.registry))
        .map_err(|error| faults.push(InputFault::new("registry", error.to_string())))
        .ok();
    let image_name = image_name(place.image_name).map_err(|fault| faults.push(fault)).ok().flatten();
    if !place.repository.is_empty() {
        return match (whole(place, registry.as_ref(), image_name.as_deref()), faults.is_empty()) {
            (Ok(repository), true) => Ok(repository),
            (whole, _) => {
                faults.extend(whole.err());
                Err(faults)
            }
        };
    }
    if image_name.is_none() && faults.iter().all(|fault| fault.input != "image_name") {
        let message = "missing; it is the last part of the image's repository";
        faults.push(InputFault::new("image_name", message).hint("for example `image_name: api`"));
    }
    let (Some(registry), Some(image_name), true) = (registry, image_name, faults.is_empty()) else {
        return Err(faults);
    };
    let path = format!("{}/{image_name}", place.owner_and_name);
    let repository = Repository::new(registry, &path).map_err(|error| match error {
        InvalidRepository::TooLong(_) => vec![InputFault::new("image_name", error.to_string())],
        // The name itself is fine: what the workflow's repository is called is not.
        _ => vec![InputFault::new("repository", error.to_string()).hint(
            "the name of this GitHub repository cannot be part of an image's; give `repository` whole",
        )],
    })?;
    two_parts_on_docker_hub("registry", repository).map_err(|fault| vec![fault])
}

/// `repository` as given, unless another input says something else.
fn whole(
    place: &Place<'_>,
    registry: Option<&RegistryHost>,
    image_name: Option<&str>,
) -> Result<Repository, InputFault> {
    let mut lines = parse::entries(place.repository).map(|(_, line)| line);
    let (Some(line), None) = (lines.next(), lines.next()) else {
        let message = "several repositories are not supported yet; give one";
        return Err(InputFault::new("repository", message));
    };
    let repository =
        Repository::parse(line).map_err(|error| InputFault::new("repository", error.to_string()))?;
    let contradicts = |input: &str, value: &str| {
        let message = format!("`{repository}` and `{input}: {}` contradict each other", shown(value));
        let hint = format!("`repository` is the whole name; leave `{input}` out");
        Err(InputFault::new("repository", message).hint(hint))
    };
    if !place.registry.is_empty() && registry.is_some_and(|registry| registry != repository.registry()) {
        return contradicts("registry", place.registry);
    }
    if let Some(name) = image_name {
        let last = repository.path().strip_suffix(name);
        if !last.is_some_and(|rest| rest.is_empty() || rest.ends_with('/')) {
            return contradicts("image_name", name);
        }
    }
    two_parts_on_docker_hub("repository", repository)
}

/// The name alone, lower case; its faults must not be blamed on the rest of the repository.
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

/// Docker Hub knows `user/name` and nothing deeper.
fn two_parts_on_docker_hub(input: &str, repository: Repository) -> Result<Repository, InputFault> {
    let hub = repository.registry().as_str() == RegistryHost::DOCKER_HUB;
    if hub && repository.path().split('/').count() > 2 {
        let message = format!("`{repository}` has more than two parts, which Docker Hub does not take");
        return Err(InputFault::new(input, message).hint("give `repository: docker.io/<user>/<name>`"));
    }
    Ok(repository)
}

fn or_default(registry: &str) -> &str {
    if registry.is_empty() { DEFAULT_REGISTRY } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(repository: &'a str, registry: &'a str, image_name: &'a str) -> Place<'a> {
        Place { repository, registry, image_name, owner_and_name: "Acme/Shop" }
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
            let found = repository(&place(repository_input, registry, name)).unwrap();
            assert_eq!(found.to_string(), expected);
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
            ("", "https://ghcr.io", "", &["registry", "image_name"], "no registry host"),
            ("", "ghcr.io/acme", "api", &["registry"], "without a path"),
            ("", "docker.io", "api", &["registry"], "more than two parts"),
            ("ghcr.io/a/b:1", "", "", &["repository"], "tag or digest"),
            ("acme/api", "", "", &["repository"], "names no registry"),
            ("r.io/a\nr.io/b", "", "", &["repository"], "not supported yet"),
            ("r.io/a/b", "ghcr.io", "", &["repository"], "contradict"),
            ("ghcr.io/acme/shop", "", "api", &["repository"], "contradict"),
            ("ghcr.io/acme/myapi", "", "api", &["repository"], "contradict"),
            ("acme/api", "x y", "🚀", &["registry", "image_name", "repository"], "no registry host"),
        ] {
            let faults = repository(&place(repository_input, registry, name)).unwrap_err();
            let named: Vec<&str> = faults.iter().map(|fault| fault.input.as_str()).collect();
            assert_eq!(named, inputs, "{faults:?}");
            assert!(faults[0].message.contains(part), "{faults:?}");
        }
        let dotted = Place { owner_and_name: "acme/.github", ..place("", "", "api") };
        assert_eq!(repository(&dotted).unwrap_err()[0].input, "repository");
    }
}
