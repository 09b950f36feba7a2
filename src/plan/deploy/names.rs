//! The names of branches. That of a pull request is the same for one environment and image in every run, of every version of
//! this action. That of a scratch branch, on which a commit is made, is nobody else's; and it says when it was made and in which
//! run, so that one that a killed run left is known by its name alone.

use crate::kustomize::FileKind;
use crate::model::{Digest, Repository, slug};
use crate::runner::context::Run;

/// Before the name of a scratch branch.
pub const SCRATCH: &str = "docker-push-action/scratch/";

/// Seconds after which nobody works on a scratch branch any more. A run has one for seconds, and for minutes where GitHub
/// makes it wait; clocks of runners differ by less than the rest.
const ORPHANED: u64 = 6 * 60 * 60;

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

/// A scratch branch of this run, made now (seconds since 1970). `random`: nobody else has it.
pub fn scratch_branch(now: i64, run: &Run, random: &str) -> String {
    format!("{SCRATCH}{}-{}-{}-{random}", now.max(0), run.id, run.attempt)
}

/// Whether this is a scratch branch that no run works on: it is old, or of an attempt of this run before this one. What is not
/// named as they are is somebody else's.
pub fn is_orphan(branch: &str, now: i64, run: &Run) -> bool {
    let Some(name) = branch.strip_prefix(SCRATCH) else { return false };
    let parts: Vec<&str> = name.split('-').collect();
    let [made, id, attempt, random] = parts[..] else { return false };
    let number = |text: &str| text.parse::<u64>().ok();
    let (Some(made), Some(id), Some(attempt)) = (number(made), number(id), number(attempt)) else {
        return false;
    };
    let is_ours = !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let old = u64::try_from(now).is_ok_and(|now| now.saturating_sub(made) > ORPHANED);
    // Another attempt is begun when the one before has ended.
    let before = id != 0 && id == run.id && attempt < run.attempt;
    is_ours && (old || before)
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
    fn scratch_branches_that_nobody_works_on() {
        let run = |id: u64, attempt: u64| Run { id, attempt, ..Run::default() };
        let now = 1_800_000_000;
        let ours = scratch_branch(now, &run(71, 2), "0a1b");
        assert_eq!(ours, "docker-push-action/scratch/1800000000-71-2-0a1b");
        let hours = |count: i64| now + count * 60 * 60;
        for (branch, at, reader, orphaned) in [
            (ours.as_str(), now, run(71, 2), false),
            (&ours, hours(6), run(72, 1), false),
            (&ours, hours(7), run(72, 1), true),
            // By a clock that is behind.
            (&ours, hours(-9), run(72, 1), false),
            (&ours, now, run(71, 3), true),
            (&ours, now, run(71, 1), false),
            (&scratch_branch(now, &run(0, 1), "0a"), now, run(0, 2), false),
            ("docker-push-action/scratch/0123456789abcdef", hours(99), run(71, 3), false),
            ("docker-push-action/scratch/1-71-2-mine", hours(99), run(71, 3), false),
            ("docker-push-action/scratch/1-71-2-0a-x", hours(99), run(71, 3), false),
            ("mine/docker-push-action/scratch/1-71-2-0a", hours(99), run(71, 3), false),
            ("docker-push-action/api-apps-shop-48d2e888", hours(99), run(71, 3), false),
        ] {
            assert_eq!(is_orphan(branch, at, &reader), orphaned, "{branch} {at} {reader:?}");
        }
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
