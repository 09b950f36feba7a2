//! Build contexts on the wire: which attribute says where one comes from, and which directory of the session it is.
//!
//! Obeys BuildKit's `frontend/dockerui` and what `docker buildx build` sends (`build/opt.go`, `loadInputs`). The
//! daemon learns names and hashes of directories, never a path of ours.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::content::ids::layout_reference;
use crate::model::{ContextSource, Digest, NamedSource};
use crate::plan::build::BuildPlan;

/// The session's names of the main context and of the Dockerfile's directory.
const CONTEXT: &str = "context";
const DOCKERFILE: &str = "dockerfile";

/// What a frontend must know for named contexts. An older one refuses then, and does not take the name for an image;
/// one that only hands the build to the frontend of a `# syntax=` line need not know.
const NAMED: &str = "moby.buildkit.frontend.contexts+forward";
/// The same for `https://….git?ref=main`.
const GIT_QUERY: &str = "moby.buildkit.frontend.gitquerystring";

/// The directories that the daemon may ask for, by the names it knows them by.
pub(super) fn directories(plan: &BuildPlan) -> BTreeMap<String, PathBuf> {
    let mut directories = BTreeMap::new();
    if let ContextSource::Directory(directory) = &plan.context {
        directories.insert(CONTEXT.to_owned(), directory.clone());
    }
    if let Some(directory) = &plan.dockerfile.directory {
        directories.insert(DOCKERFILE.to_owned(), directory.clone());
    }
    for context in &plan.named_contexts {
        if let NamedSource::Directory(directory) = &context.source {
            directories.insert(directory_name(&context.name), directory.clone());
        }
    }
    directories
}

/// The directory of a named context. `context` and `dockerfile` are taken; what begins like the way out of that is
/// moved out of its way too.
fn directory_name(name: &str) -> String {
    match name.trim_start_matches('_') {
        CONTEXT | DOCKERFILE => format!("_{name}"),
        _ => name.to_owned(),
    }
}

/// What a person calls the directory with this name.
pub(super) fn title(plan: &BuildPlan, directory: &str) -> String {
    let named = plan.named_contexts.iter().find(|context| {
        matches!(context.source, NamedSource::Directory(_)) && directory_name(&context.name) == directory
    });
    named.map_or_else(|| directory.to_owned(), |context| format!("build context `{}`", context.name))
}

/// The attributes that say where the contexts and the Dockerfile come from.
pub(super) fn attributes(plan: &BuildPlan) -> Vec<(String, String)> {
    let mut attributes = vec![("filename".to_owned(), plan.dockerfile.file_name.clone())];
    let mut capabilities = Vec::new();
    if let ContextSource::Remote(url) = &plan.context {
        attributes.push((CONTEXT.into(), url.clone()));
        if plan.dockerfile.directory.is_some() {
            // Else it would be looked for in the remote context.
            attributes.push(("dockerfilekey".into(), DOCKERFILE.into()));
        }
        capabilities.extend(has_git_query(url).then(|| GIT_QUERY.to_owned()));
    }
    for context in &plan.named_contexts {
        let name = &context.name;
        capabilities.push(NAMED.to_owned());
        let value = match &context.source {
            NamedSource::Remote(reference) => {
                capabilities.extend(has_git_query(reference).then(|| format!("{GIT_QUERY}+forward")));
                reference.clone()
            }
            NamedSource::OciLayout { directory, digest } => layout_reference(directory, digest),
            NamedSource::Directory(directory) => {
                // With the session's own key this is where the daemon keeps what was sent before.
                attributes.push((format!("sharedkey:localdir:{name}"), hash(directory)));
                format!("local:{}", directory_name(name))
            }
        };
        attributes.push((format!("context:{name}"), value));
    }
    if !capabilities.is_empty() {
        capabilities.sort();
        capabilities.dedup();
        attributes.push(("frontend.caps".into(), capabilities.join(",")));
    }
    attributes
}

fn has_git_query(url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    url.split_once('?').is_some_and(|(path, query)| path.strip_suffix(".git").is_some() && !query.is_empty())
}

fn hash(directory: &Path) -> String {
    let digest = Digest::of(directory.as_os_str().as_bytes());
    digest.as_str().trim_start_matches("sha256:").chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildkit::content::ids::layout_id;
    use crate::inputs::config::Dockerfile;
    use crate::model::{NamedContext, Platform};

    fn plan(main: ContextSource, dockerfile: Option<&str>, named: &[(&str, NamedSource)]) -> BuildPlan {
        let dockerfile = Dockerfile {
            directory: dockerfile.map(Into::into),
            file_name: "Dockerfile".into(),
            in_workspace: "Dockerfile".into(),
        };
        let named =
            named.iter().map(|(name, source)| NamedContext { name: (*name).into(), source: source.clone() });
        BuildPlan {
            named_contexts: named.collect(),
            ..BuildPlan::new(main, dockerfile, vec![Platform::parse("linux/amd64").unwrap()])
        }
    }

    fn lines(plan: &BuildPlan) -> Vec<String> {
        let mut lines: Vec<_> =
            attributes(plan).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.sort();
        lines
    }

    #[test]
    fn where_contexts_come_from() {
        let here = || ContextSource::Directory("/w".into());
        let remote = |url: &str| ContextSource::Remote(url.into());
        assert_eq!(lines(&plan(here(), Some("/w"), &[])), ["filename=Dockerfile"]);
        let git = plan(remote("https://github.com/acme/shop.git?ref=main"), None, &[]);
        assert_eq!(
            lines(&git),
            [
                "context=https://github.com/acme/shop.git?ref=main",
                "filename=Dockerfile",
                "frontend.caps=moby.buildkit.frontend.gitquerystring",
            ]
        );
        assert!(directories(&git).is_empty());
        let mixed = plan(remote("https://x/y.tar.gz?sig=1"), Some("/w/build"), &[]);
        assert_eq!(
            lines(&mixed),
            ["context=https://x/y.tar.gz?sig=1", "dockerfilekey=dockerfile", "filename=Dockerfile"]
        );
        assert_eq!(directories(&mixed), [("dockerfile".to_owned(), PathBuf::from("/w/build"))].into());
    }

    #[test]
    fn named_contexts() {
        let digest = Digest::of(b"image");
        let named = [
            ("alpine", NamedSource::Remote("docker-image://alpine:3.20".into())),
            ("lib", NamedSource::Remote("https://github.com/acme/lib.git?subdir=x#main".into())),
            ("shared", NamedSource::Directory("/w/shared".into())),
            ("layout", NamedSource::OciLayout { directory: "/w/oci".into(), digest: digest.clone() }),
        ];
        let plan = plan(ContextSource::Directory("/w".into()), Some("/w"), &named);
        assert_eq!(
            lines(&plan),
            [
                "context:alpine=docker-image://alpine:3.20".to_owned(),
                format!("context:layout=oci-layout://{}@{digest}", layout_id(Path::new("/w/oci"))),
                "context:lib=https://github.com/acme/lib.git?subdir=x#main".into(),
                "context:shared=local:shared".into(),
                "filename=Dockerfile".into(),
                "frontend.caps=moby.buildkit.frontend.contexts+forward,moby.buildkit.frontend.gitquerystring+forward"
                    .into(),
                format!("sharedkey:localdir:shared={}", hash(Path::new("/w/shared"))),
            ]
        );
        let directories: Vec<_> = directories(&plan).into_keys().collect();
        assert_eq!(directories, ["context", "dockerfile", "shared"]);
        assert_eq!(title(&plan, "shared"), "build context `shared`");
        assert_eq!(title(&plan, "context"), "context");
    }

    #[test]
    fn a_named_context_takes_no_other_ones_place() {
        let odd = ["context", "dockerfile", "_context", "__dockerfile", "_x"];
        let named: Vec<_> =
            odd.iter().map(|name| (*name, NamedSource::Directory(format!("/w/{name}").into()))).collect();
        let plan = plan(ContextSource::Directory("/w".into()), Some("/w"), &named);
        let directories = directories(&plan);
        assert_eq!(directories.len(), 2 + odd.len());
        assert_eq!(directories["context"], PathBuf::from("/w"));
        assert_eq!(directories["_context"], PathBuf::from("/w/context"));
        assert_eq!(directories["__context"], PathBuf::from("/w/_context"));
        assert_eq!(title(&plan, "_context"), "build context `context`");
    }
}
