//! The name of a pull request's branch: the same for one environment and image in every run, of every version of this action.

use crate::kustomize::FileKind;
use crate::model::{Digest, Repository, slug};

/// Before every branch of ours.
const PREFIX: &str = "docker-push-action";

/// The branch of an environment's pull request. What is hashed has a form of its own: were it to change, every open pull
/// request would be left behind.
pub fn proposal_branch(base: &str, kind: &FileKind, files: &[String], image: &Repository) -> String {
    let (kind, subject) = match kind {
        FileKind::Kustomization { image } => ("kustomize", image.clone()),
        FileKind::Manifest => ("manifest", image.to_string()),
        FileKind::Values(paths) => ("values", paths.tag.to_string()),
    };
    let fields = [base, kind, subject.as_str()].into_iter().chain(files.iter().map(String::as_str));
    let text = fields.fold(String::new(), |text, field| text + &format!("{}:{field}\n", field.len()));
    let digest = Digest::of(text.as_bytes());
    let hash = &digest.short()[..8];
    let name = subject.rsplit('/').next().unwrap_or_default();
    let place = files.first().and_then(|file| file.rsplit_once('/')).map_or("", |(directory, _)| directory);
    let readable = slug(&format!("{name}-{place}").replace("..", ".")).unwrap_or_else(|| "image".into());
    format!("{PREFIX}/{readable}-{hash}").replace("..", ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::{KeyPath, ValuesPaths};

    /// Open pull requests are found by these.
    #[test]
    fn golden_names_of_branches() {
        let image = Repository::parse("ghcr.io/acme/shop/api").unwrap();
        let kustomize = |image: &str| FileKind::Kustomization { image: image.into() };
        let values = || {
            let tag = KeyPath::parse("image.tag").unwrap();
            FileKind::Values(ValuesPaths { tag, repository: None, digest: None })
        };
        let branch = |base: &str, kind: &FileKind, files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            proposal_branch(base, kind, &files, &image)
        };
        let shop = ["apps/shop/kustomization.yaml"];
        assert_eq!(branch("main", &kustomize("api"), &shop), "docker-push-action/api-apps-shop-48d2e888");
        let all = [
            branch("main", &kustomize("api"), &shop),
            branch("prod", &kustomize("api"), &shop),
            branch("main", &kustomize("web"), &shop),
            branch("main", &kustomize("api"), &["apps/shop/kustomization.yml"]),
            branch("main", &kustomize("api"), &[shop[0], "x"]),
            branch("main", &FileKind::Manifest, &shop),
            branch("main", &values(), &shop),
        ];
        let each: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(each.len(), all.len(), "{all:?}");
    }

    #[test]
    fn every_name_is_a_branchs() {
        let image = Repository::parse("ghcr.io/acme/shop/api").unwrap();
        for (name, file) in [
            ("a..b", "x..y/z"),
            ("r.io/a/b:c", "f"),
            ("---", "---/x"),
            ("x.lock", "é/ü"),
            (&"x".repeat(255), "a"),
        ] {
            let kind = FileKind::Kustomization { image: name.into() };
            let branch = proposal_branch("main", &kind, &[file.to_owned()], &image);
            let sound = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            assert!(branch.chars().all(sound) && !branch.contains("..") && branch.len() < 120, "{branch}");
        }
    }
}
