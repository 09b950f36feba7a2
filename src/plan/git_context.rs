//! A Git context as it is built: at the commit that its ref was found at, so that what is built is what tags and labels say.
//!
//! BuildKit fetches by its id any commit that a branch has; before 0.17 no other. Where that is not so, or the ref's name is
//! seen in the build (a kept `.git`), the ref stays in the URL, and the builder is told to refuse another commit, which
//! BuildKit does since 0.24.

use super::build::{BuildPlan, is_true};
use crate::inputs::config::Config;
use crate::metadata::{ContextCommit, Metadata};
use crate::model::{CommitId, ContextSource, GitUrl};

/// The context, and the commit that it is to be, where its ref was found to be one.
pub(super) fn context(config: &Config, found: Option<&ContextCommit>) -> (ContextSource, Option<CommitId>) {
    let asked = config.context.clone();
    let (ContextSource::Remote(text), Some(found)) = (&asked, found) else { return (asked, None) };
    let Some(url) = GitUrl::parse(text) else { return (asked, None) };
    let commit = Some(found.commit.clone());
    let keeps = |(name, value): &(String, String)| name == "BUILDKIT_CONTEXT_KEEP_GIT_DIR" && is_true(value);
    if found.on_branch && !url.keeps_git_dir() && !config.build_args.iter().any(keeps) {
        return (ContextSource::Remote(url.at(&found.commit).to_string()), commit);
    }
    (asked, commit)
}

/// Where annotations on the Dockerfile point to: its path in the run's repository. None where it comes from elsewhere, or
/// from another commit than the one that is checked out: they would point into a file that only has the same name.
pub(super) fn dockerfile_place(config: &Config, metadata: &Metadata) -> Option<String> {
    let ContextSource::Remote(text) = &config.context else {
        return Some(config.dockerfile.in_workspace.clone());
    };
    if config.dockerfile.directory.is_some() {
        return Some(config.dockerfile.in_workspace.clone());
    }
    let subdir = GitUrl::parse(text).filter(|_| metadata.as_checked_out)?.subdir();
    let file = &config.dockerfile.file_name;
    Some(if subdir.is_empty() { file.clone() } else { format!("{subdir}/{file}") })
}

/// A rule for the builder's sources: this one is that commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCommit {
    /// As BuildKit identifies it, `git://github.com/acme/shop.git#main:api`.
    pub source: String,
    /// The commit.
    pub commit: CommitId,
    /// The commit is in the ref's place: it is fetched alone, and not with all of the history before it.
    pub by_id: bool,
}

impl BuildPlan {
    /// What the builder is told of its context's commit.
    pub fn source_commit(&self) -> Option<SourceCommit> {
        let (ContextSource::Remote(text), Some(commit)) = (&self.context, &self.context_commit) else {
            return None;
        };
        let url = GitUrl::parse(text)?;
        let by_id = url.reference() == commit.as_str();
        Some(SourceCommit { source: url.source(), commit: commit.clone(), by_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::Dockerfile;
    use crate::metadata::Ancestry;
    use crate::metadata::fixture::{built, commit, config, context as of_run, push};

    fn found(on_branch: bool) -> ContextCommit {
        let ancestry = Ancestry::Same;
        ContextCommit { commit: commit('3'), on_branch, parents: Vec::new(), time: None, ancestry }
    }

    fn remote(url: &str) -> Config {
        let dockerfile = Dockerfile {
            directory: None,
            file_name: "deploy/Dockerfile".into(),
            in_workspace: "deploy/Dockerfile".into(),
        };
        Config { context: ContextSource::Remote(url.into()), dockerfile, ..config() }
    }

    /// The URL, and what the builder is told.
    fn planned(config: &Config, found: Option<&ContextCommit>) -> (String, Option<(String, bool)>) {
        let (context, context_commit) = context(config, found);
        let ContextSource::Remote(url) = context.clone() else { panic!("a directory") };
        let plan = BuildPlan::new(context, config.dockerfile.clone(), config.platforms.clone());
        let told = BuildPlan { context_commit, ..plan }.source_commit();
        assert!(told.as_ref().is_none_or(|told| told.commit == commit('3')));
        (url, told.map(|told| (told.source, told.by_id)))
    }

    #[test]
    fn what_is_built_is_the_commit_that_was_found() {
        const MAIN: &str = "https://github.com/acme/shop.git#main:api";
        let three = commit('3');
        let at = format!("https://github.com/acme/shop.git#{three}:api");
        let source = format!("git://github.com/acme/shop.git#{three}:api");
        assert_eq!(planned(&remote(MAIN), Some(&found(true))), (at, Some((source, true))));
        assert_eq!(planned(&remote(MAIN), None), (MAIN.to_owned(), None));
        // The ref stays, and another commit is refused.
        let ref_stays = |url: &str| (url.to_owned(), Some((GitUrl::parse(url).unwrap().source(), false)));
        let pull = "https://github.com/acme/shop.git#refs/pull/7/merge";
        assert_eq!(planned(&remote(pull), Some(&found(false))), ref_stays(pull));
        let kept = "https://github.com/acme/shop.git?ref=main&keep-git-dir=1";
        assert_eq!(planned(&remote(kept), Some(&found(true))), ref_stays(kept));
        let mut config = remote(MAIN);
        config.build_args = vec![("BUILDKIT_CONTEXT_KEEP_GIT_DIR".into(), "true".into())];
        assert_eq!(planned(&config, Some(&found(true))), ref_stays(MAIN));
        assert_eq!(planned(&remote("https://example.com/a.tgz"), Some(&found(true))).1, None);
    }

    #[test]
    fn annotations_point_to_no_file_that_only_has_the_same_name() {
        let mut metadata = built(&of_run(push(), "refs/heads/main"), &config()).unwrap();
        let own = remote("https://github.com/acme/shop.git#main:/api/");
        metadata.as_checked_out = true;
        assert_eq!(dockerfile_place(&config(), &metadata).as_deref(), Some("api/Dockerfile"));
        assert_eq!(dockerfile_place(&own, &metadata).as_deref(), Some("api/deploy/Dockerfile"));
        metadata.as_checked_out = false;
        assert_eq!(dockerfile_place(&own, &metadata), None);
        // A Dockerfile of the workspace with files from elsewhere.
        let beside = Config { dockerfile: config().dockerfile, ..own };
        assert_eq!(dockerfile_place(&beside, &metadata).as_deref(), Some("api/Dockerfile"));
    }
}
