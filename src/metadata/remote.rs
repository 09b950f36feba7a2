//! What a context that BuildKit fetches by itself is of, as far as its URL says it before anything is fetched.
//!
//! What is checked out in the workspace says nothing of it. Obeys BuildKit's Git URLs: `https://HOST/PATH.git#REF:SUBDIR`,
//! `github.com/PATH`, `git@HOST:PATH`, and the same with `?ref=`, `?branch=`, `?tag=` or `?commit=`.

use super::Subject;
use super::trigger::triggering_commit;
use crate::model::{CommitId, GitRef};
use crate::runner::context::RunnerContext;

/// What is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    /// This commit of the run's own repository.
    Own(CommitId),
    /// A ref of the run's own repository, whose commit is known when it is fetched.
    OwnRef,
    /// Something else; its commit, if the URL names one.
    Other(Option<CommitId>),
}

impl Sources {
    /// The commit, if it is known.
    pub(super) fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Own(commit) => Some(commit),
            Self::OwnRef => None,
            Self::Other(commit) => commit.as_ref(),
        }
    }
}

/// Reads the URL of a context. A ref that the run is on stands for the run's commit.
pub(super) fn sources(url: &str, context: &RunnerContext, subject: &Subject) -> Sources {
    let (place, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let mut named = fragment.split(':').next().unwrap_or_default();
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if matches!(key, "ref" | "branch" | "tag" | "commit") && (named.is_empty() || key == "commit") {
            named = value;
        }
    }
    let commit = CommitId::parse(named).ok();
    if !is_own(place, context) {
        return Sources::Other(commit);
    }
    match commit {
        Some(commit) => Sources::Own(commit),
        None if is_of_the_run(named, context, subject) => Sources::Own(triggering_commit(context).clone()),
        None => Sources::OwnRef,
    }
}

/// Whether this is where the run's own repository is.
fn is_own(place: &str, context: &RunnerContext) -> bool {
    let host = context.server_url.split_once("://").map_or(context.server_url.as_str(), |(_, rest)| rest);
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    // A user's name stands before the host, and nowhere else.
    let place = match place.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => place,
    };
    let Some((there, path)) = place.split_once(['/', ':']) else { return false };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let name = &context.repository.full_name;
    let server = host.split(['/', ':']).next().unwrap_or_default();
    // A port is part of the path here where there is one.
    let path = match host.split_once(':') {
        Some((_, port)) => path.strip_prefix(port).map_or(path, |path| path.trim_start_matches('/')),
        None => path,
    };
    !name.is_empty() && there.eq_ignore_ascii_case(server) && path.eq_ignore_ascii_case(name)
}

/// Whether this names the ref whose commit the run is about.
fn is_of_the_run(named: &str, context: &RunnerContext, subject: &Subject) -> bool {
    match subject {
        Subject::Branch(name) if named.is_empty() => {
            context.repository.default_branch.as_deref() == Some(name.as_str())
        }
        Subject::Branch(name) => named.strip_prefix("refs/heads/").unwrap_or(named) == name,
        Subject::GitTag(name) => named.strip_prefix("refs/tags/").unwrap_or(named) == name,
        Subject::PullRequest(Some(number)) => {
            context.git_ref == GitRef::Pull(*number) && named == format!("refs/pull/{number}/merge")
        }
        Subject::PullRequest(None) | Subject::Queue | Subject::Ref(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::fixture::{commit, context, push};

    #[test]
    fn what_a_url_says() {
        let (own, other) = (Sources::Own(commit('1')), Sources::Other(None));
        let (main, dev) = (Subject::Branch("main".into()), Subject::Branch("dev".into()));
        let three = "3".repeat(40);
        for (url, subject, expected) in [
            ("https://github.com/acme/shop.git#main", &main, own.clone()),
            ("https://github.com/Acme/Shop.git#refs/heads/main:api", &main, own.clone()),
            ("https://github.com/acme/shop.git", &main, own.clone()),
            ("https://github.com/acme/shop.git?branch=main&subdir=api", &main, own.clone()),
            ("github.com/acme/shop", &main, own.clone()),
            ("git@github.com:acme/shop.git#dev", &dev, own.clone()),
            ("ssh://git@github.com/acme/shop.git#dev", &dev, own.clone()),
            ("https://github.com/acme/shop.git", &dev, Sources::OwnRef),
            ("https://github.com/acme/shop.git#v1", &main, Sources::OwnRef),
            (
                "https://github.com/acme/shop.git#refs/pull/5/merge",
                &Subject::PullRequest(Some(5)),
                Sources::OwnRef,
            ),
            (&format!("https://github.com/acme/shop.git#{three}:api"), &main, Sources::Own(commit('3'))),
            (
                &format!("https://github.com/acme/shop.git?ref=main&commit={three}"),
                &main,
                Sources::Own(commit('3')),
            ),
            (&format!("https://github.com/acme/other.git#{three}"), &main, Sources::Other(Some(commit('3')))),
            ("https://github.com/acme/other.git#main", &main, other.clone()),
            ("https://gitlab.example/acme/shop.git#main", &main, other.clone()),
            ("https://evil.example/x@github.com/acme/shop.git#main", &main, other.clone()),
            ("https://example.com/shop.tar.gz", &main, other),
        ] {
            assert_eq!(sources(url, &context(push(), "refs/heads/main"), subject), expected, "{url}");
        }
        let mut enterprise = context(push(), "refs/heads/main");
        enterprise.server_url = "http://git.example:8080".into();
        assert_eq!(sources("http://git.example:8080/acme/shop.git#main", &enterprise, &main), own);
    }
}
